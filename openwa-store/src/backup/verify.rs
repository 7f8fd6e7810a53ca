//! Reading backups back.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use rustic_core::repofile::SnapshotFile;
use rustic_core::{IndexedFull, RusticResult};
use sha2::{Digest, Sha256};

use super::VerifyOptions;
use super::manifest::{Content, Manifest};
use super::report::{BackupPhase, BackupVerify, OnBackup};
use super::repository::{Repository, node};
use super::sources::Teller;
use super::watch::watched;
use crate::error::{Error, Kind, Result};
use crate::transfer::hex;

pub(super) fn verify(options: &VerifyOptions, progress: OnBackup<'_>) -> Result<BackupVerify> {
    let mut teller = Teller(progress);
    let repository = Repository::open(&options.repo)?;
    let chosen = match options.backup.as_deref() {
        Some(id) => vec![repository.find(Some(id), None)?],
        None => repository.snapshots()?,
    };
    let (objects, done) = (&repository.objects, AtomicU64::new(0));
    let total =
        chosen.iter().flat_map(|(_, manifest)| manifest.contents()).map(|content| content.bytes).sum();
    let mut report = BackupVerify::default();
    watched(objects, &mut teller, BackupPhase::Verify, &done, Some(total), || {
        let results = repository.inner.check(rustic_core::CheckOptions::default());
        let results = results.map_err(|e| objects.failure(&e))?;
        // What belongs to no backup is no problem of one.
        let severe = results.0.iter().filter(|(level, _)| format!("{level:?}") == "Error");
        report.problems.extend(severe.map(|(_, problem)| format!("repository: {problem}")));
        let indexed = repository.indexed()?;
        for (snapshot, manifest) in &chosen {
            let id = snapshot.id.to_hex().as_str().to_owned();
            match whole(&indexed, snapshot, manifest, &done) {
                Ok(()) => report.sound.push(id),
                Err(problem) => {
                    let e = match problem {
                        Problem::Repository(e) => objects.failure(&e),
                        Problem::Content(e) => e,
                    };
                    // A storage that does not answer says nothing about the backup.
                    if e.retryable() || matches!(e.kind(), Kind::PermissionDenied | Kind::Cancelled) {
                        return Err(e);
                    }
                    report.problems.push(format!("backup {}: {e}", &id[..8]));
                    report.damaged.push(id);
                }
            }
        }
        Ok(())
    })?;
    report.bytes = done.into_inner();
    Ok(report)
}

/// Why a backup is not whole.
pub(super) enum Problem {
    Repository(Box<rustic_core::RusticError>),
    Content(Error),
}

/// Reads every byte of a backup.
pub(super) fn whole<S: IndexedFull>(
    repository: &rustic_core::Repository<S>,
    snapshot: &SnapshotFile,
    manifest: &Manifest,
    done: &AtomicU64,
) -> std::result::Result<(), Problem> {
    for content in manifest.contents() {
        let mut sink = Sink { to: io::sink(), hash: Sha256::new(), bytes: 0, done };
        dump(repository, snapshot, &content.file, &mut sink).map_err(Problem::Repository)?;
        sink.compare(content).map_err(Problem::Content)?;
    }
    Ok(())
}

/// Writes a file of a backup out.
pub(super) fn dump<S: IndexedFull>(
    repository: &rustic_core::Repository<S>,
    snapshot: &SnapshotFile,
    file: &str,
    to: &mut impl Write,
) -> RusticResult<()> {
    let node = node(repository, snapshot, file)?;
    repository.dump(&node, to)
}

/// Passes bytes on and sums them up.
pub(super) struct Sink<'a, W> {
    pub(super) to: W,
    pub(super) hash: Sha256,
    pub(super) bytes: u64,
    pub(super) done: &'a AtomicU64,
}

impl<W> Sink<'_, W> {
    /// Fails when what came is not what the manifest says. Gives back where it went.
    pub(super) fn compare(self, content: &Content) -> Result<W> {
        let sha256 = hex(self.hash);
        if (self.bytes, &sha256) == (content.bytes, &content.sha256) {
            return Ok(self.to);
        }
        let text = format!("{} in the backup is not what its manifest says", content.file);
        Err(Error::new(Kind::Corrupt, text)
            .with("bytes", format!("{} instead of {}", self.bytes, content.bytes))
            .with("sha256", format!("{sha256} instead of {}", content.sha256)))
    }
}

impl<W: Write> Write for Sink<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.bytes += n as u64;
        self.done.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
