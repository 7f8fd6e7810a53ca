//! Takeover, and the way back, as verbs of the store.

use std::io::Write;
use std::path::Path;

use super::{Store, refuse_own};
use crate::error::{Error, Result};
use crate::takeover::{self, OnTakeover, OpenwaExportReport, TakeoverOptions, TakeoverReport};
use crate::transfer::{OnProgress, SavedFile};

impl Store {
    /// Takes over what another gateway has: each source is a path or a `postgres://` URL, and is recognised by what
    /// it is:
    ///
    /// - OpenWA's databases as SQLite files (`main.sqlite`, `openwa.sqlite`), also with a journal beside; they are
    ///   never changed;
    /// - OpenWA's database on a PostgreSQL server: `postgres://user:password@host/database?schema=public`;
    /// - OpenWA's export, plain or compressed with gzip or zstd;
    /// - an auth folder of Baileys; a session archive of whatsapp-web.js' `RemoteAuth`.
    ///
    /// All of it or nothing, in one transaction per database. Rows that are there already stay as they are, so a
    /// second run changes nothing. What has no column here is kept in `openwa_extra`. Memory does not grow with the
    /// sources; a temporary file of about their size does.
    ///
    /// # Errors
    /// `InvalidData` saying what a source looks like, or naming table, row and column of the first bad row;
    /// `ForeignDatabase` for another program's database; `Busy` when a source is being written to; `Cancelled`;
    /// those of the databases.
    pub fn takeover(
        &self,
        sources: &[String],
        options: &TakeoverOptions,
        progress: OnTakeover<'_>,
    ) -> Result<TakeoverReport> {
        takeover::takeover(self, sources, options, progress).map_err(|e| e.during("takeover"))
    }

    /// Writes an export that OpenWA's own import takes: the rows of Data in OpenWA's columns, with what a takeover
    /// kept in `openwa_extra`. API keys are not part of OpenWA's exports. It holds secrets.
    ///
    /// # Errors
    /// As [`export`](Self::export).
    pub fn export_openwa(&self, mut to: impl Write, progress: OnProgress<'_>) -> Result<OpenwaExportReport> {
        takeover::export_openwa(self, &mut to, progress).map_err(|e| e.during("export"))
    }

    /// Like [`export_openwa`](Self::export_openwa), to a file that only its owner may read; compressed if its name
    /// ends in `.zst`. It takes its place only when it is complete and durable.
    ///
    /// # Errors
    /// As [`export_file`](Self::export_file).
    pub fn export_openwa_file(
        &self,
        path: impl AsRef<Path>,
        progress: OnProgress<'_>,
    ) -> Result<OpenwaExportReport> {
        let path = path.as_ref();
        refuse_own(self.config(), &[], path).map_err(|e| e.during("export"))?;
        let run = || {
            let mut file = SavedFile::create(path)?;
            let packed = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zst"));
            let report = if packed {
                let mut encoder = zstd::Encoder::new(&mut file, 0)?;
                encoder.include_checksum(true)?;
                let report = takeover::export_openwa(self, &mut encoder, progress)?;
                encoder.finish()?.flush()?;
                report
            } else {
                takeover::export_openwa(self, &mut file, progress)?
            };
            file.keep()?;
            Ok(report)
        };
        run().map_err(|e: Error| e.with("path", path.display()).during("export"))
    }
}
