//! Export and import as verbs of the store.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use super::Store;
use crate::error::{Error, Result};
use crate::repo::retention::MovedBy;
use crate::transfer::{
    self, ExportOptions, ExportReport, ImportOptions, ImportReport, MigrateOptions, MigrateReport,
    OnProgress, Origin, SavedFile,
};

impl Store {
    /// Writes the tables that `options` ask for as one JSON document. Each database is written as of one moment,
    /// while others go on writing, and as a stream: memory does not grow with the data.
    ///
    /// The document holds secrets (credentials, webhook secrets, key hashes) unless `redact` is set.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown table, `Unreadable` naming table, column and row, `Cancelled`, those of
    /// the database and of `to`. What was written by then is worth nothing.
    pub fn export(
        &self,
        mut to: impl Write,
        options: &ExportOptions,
        progress: OnProgress<'_>,
    ) -> Result<ExportReport> {
        transfer::export(self, &mut to, options, progress).map_err(|e| e.during("export"))
    }

    /// Like [`export`](Self::export), to a file that only its owner may read; compressed if its name ends in
    /// `.zst`. The file takes its place, and that of an older one, only when it is complete and durable.
    ///
    /// # Errors
    /// As `export`, with the path in the context.
    pub fn export_file(
        &self,
        path: impl AsRef<Path>,
        options: &ExportOptions,
        progress: OnProgress<'_>,
    ) -> Result<ExportReport> {
        let path = path.as_ref();
        let packed = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zst"));
        let options = ExportOptions { compress: options.compress || packed, ..options.clone() };
        let run = || {
            let mut file = SavedFile::create(path)?;
            let report = transfer::export(self, &mut file, &options, progress)?;
            file.keep()?;
            Ok(report)
        };
        run().map_err(|e: Error| e.with("path", path.display()).during("export"))
    }

    /// Reads a document that [`export`](Self::export) wrote, plain or compressed with zstd, into the store.
    /// All of it or nothing: any error leaves the store as it was. Data is committed before Main; what ends
    /// between the two, by a crash or a full disk, is finished by the next opening. Writes of others wait
    /// until it has ended.
    ///
    /// The rows are checked as strictly as the library's own: names, kinds, nulls, lengths, unique values and
    /// references, and the document's counts and checksum. With tables of Main it replaces the API keys too, the
    /// last one with full access included; what [`authorize`](super::ApiKeys::authorize) keeps is renewed.
    ///
    /// # Errors
    /// `InvalidData` naming table, row (from 1) and column, or the byte, `Cancelled`, `Unsupported` for another
    /// compression, `Busy` while another import with tables of Main is under way, those of the
    /// database and of `from`.
    pub fn import(
        &self,
        mut from: impl Read,
        options: &ImportOptions,
        progress: OnProgress<'_>,
    ) -> Result<ImportReport> {
        let origin = Origin { by: MovedBy::Import, source: "a document" };
        transfer::import(self, &mut from, options, origin, progress).map_err(|e| e.during("import"))
    }

    /// Like [`import`](Self::import), from a file.
    ///
    /// # Errors
    /// As `import`, with the path in the context.
    pub fn import_file(
        &self,
        path: impl AsRef<Path>,
        options: &ImportOptions,
        progress: OnProgress<'_>,
    ) -> Result<ImportReport> {
        let path = path.as_ref();
        let shown = path.display().to_string();
        let origin = Origin { by: MovedBy::Import, source: &shown };
        let run = || transfer::import(self, &mut File::open(path)?, options, origin, progress);
        run().map_err(|e| e.with("path", path.display()).during("import"))
    }

    /// Copies this store's rows into another one, whatever the engines of the two, as a stream: memory does not grow
    /// with the data. Before anything is kept, each table is read back and compared by number and checksum of its rows;
    /// any failure leaves the target as it was. This store may be used meanwhile; what changes after the beginning is not
    /// copied, so stop the gateway first when it shall move.
    ///
    /// # Errors
    /// `Conflict` for a target that has rows, unless they shall be replaced; those of [`export`](Self::export) and
    /// [`import`](Self::import), with the store that they are about in the context.
    pub fn migrate_to(
        &self,
        target: &Store,
        options: &MigrateOptions,
        progress: OnProgress<'_>,
    ) -> Result<MigrateReport> {
        transfer::migrate(self, target, options, progress).map_err(|e| e.during("migrate"))
    }
}
