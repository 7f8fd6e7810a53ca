//! Backups: the whole store, encrypted, compressed and deduplicated, in a repository that `restic` can read too.
//!
//! A backup is a snapshot in restic's format with one folder of files: `main.sqlite`, the Data database in one of three
//! forms ([`Form`]), and `manifest.json`, which tells what must be in them. The manifest is the snapshot's description as
//! well, so a listing needs to read nothing else.
//!
//! `create` copies both databases as of one moment each into a private folder, writes what is new of them into the
//! repository, reads it back, and only then writes the snapshot itself. So what has no snapshot is no backup, whenever a
//! process was killed, and what has one was readable when it was written.

#[cfg(feature = "backup")]
mod create;
#[cfg(feature = "backup")]
mod failure;
#[cfg(feature = "backup")]
mod lock;
#[cfg(feature = "backup")]
mod manifest;
#[cfg(feature = "backup")]
mod objects;
mod options;
#[cfg(feature = "backup")]
mod password;
#[cfg(feature = "backup")]
mod place;
#[cfg(feature = "backup")]
mod prune;
mod report;
#[cfg(feature = "backup")]
mod repository;
#[cfg(feature = "backup")]
mod restore;
#[cfg(feature = "backup")]
mod sources;
#[cfg(feature = "backup")]
mod staging;
#[cfg(feature = "backup")]
mod verify;
#[cfg(feature = "backup")]
mod watch;

pub use options::{BackupOptions, BackupRepo, KeepRules, Password, RestoreOptions, VerifyOptions};
pub use report::{
    Backup, BackupPhase, BackupProgress, BackupPrune, BackupReport, BackupVerify, Form, OnBackup, RestoreReport,
};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::Store;

/// The names of the environment that stand in for options.
pub const REPO_VARIABLE: &str = "OPENWA_BACKUP_REPO";
/// See [`REPO_VARIABLE`].
pub const PASSWORD_VARIABLE: &str = "OPENWA_BACKUP_PASSWORD";

/// What a build without the feature answers.
#[cfg(not(feature = "backup"))]
fn without<T>() -> Result<T> {
    Err(Error::new(crate::error::Kind::Unsupported, "this build has no backups; it needs the feature `backup`"))
}

impl Store {
    /// Writes a backup of the store while it is in use: Main and Data as of one moment each, a few microseconds apart.
    /// The repository is made if it is missing. What is in it already is not written again, so a backup every hour costs
    /// about what changed. It counts only when everything new was read back from the repository.
    ///
    /// It needs room for a copy of the databases beside Main, or in `temp_dir`; no writer waits for it.
    ///
    /// # Errors
    /// `PermissionDenied` for a wrong password or wrong credentials, `NotFound` for a missing bucket, `Unavailable` when
    /// the storage does not answer, `Busy` while another backup of this store or prune of this repository runs, `Corrupt`
    /// when the database or the repository is damaged, `DiskFull`, `SchemaTooNew` for a repository of a newer version,
    /// `Cancelled`, `Unsupported` in a build without the feature. Earlier backups are left as they are.
    pub fn backup(&self, options: &BackupOptions, progress: OnBackup<'_>) -> Result<BackupReport> {
        #[cfg(feature = "backup")]
        let done = create::create(self, options, progress);
        #[cfg(not(feature = "backup"))]
        let done = {
            let _ = (options, progress);
            without()
        };
        done.map_err(|e: Error| e.during("backup.create"))
    }
}

/// The backups in a repository, the oldest first. Backups that other programs made in it are left out.
///
/// # Errors
/// `NotFound` when there is no repository; as [`Store::backup`].
pub fn backups(repo: &BackupRepo) -> Result<Vec<Backup>> {
    #[cfg(feature = "backup")]
    let done = repository::Repository::open(repo).and_then(|repository| repository.backups());
    #[cfg(not(feature = "backup"))]
    let done = {
        let _ = repo;
        without()
    };
    done.map_err(|e: Error| e.during("backup.list"))
}

/// Reads backups back whole and compares them with their manifests: every byte of every file.
///
/// # Errors
/// `NotFound` when there is no such backup; as [`Store::backup`]. What is wrong *in* backups is in the report.
pub fn verify_backups(options: &VerifyOptions, progress: OnBackup<'_>) -> Result<BackupVerify> {
    #[cfg(feature = "backup")]
    let done = verify::verify(options, progress);
    #[cfg(not(feature = "backup"))]
    let done = {
        let _ = (options, progress);
        without()
    };
    done.map_err(|e: Error| e.during("backup.verify"))
}

/// Forgets the backups that no rule keeps, and gives back the space that only they used: first it is marked, and a
/// prune at least 23 hours later removes it, so that a backup which is being written elsewhere loses nothing.
///
/// # Errors
/// `Busy` while another process writes to the repository; as [`Store::backup`].
pub fn prune_backups(repo: &BackupRepo, keep: &KeepRules) -> Result<BackupPrune> {
    #[cfg(feature = "backup")]
    let done = prune::prune(repo, keep);
    #[cfg(not(feature = "backup"))]
    let done = {
        let _ = (repo, keep);
        without()
    };
    done.map_err(|e: Error| e.during("backup.prune"))
}

/// Restores a backup to where `target` says, which no process may have open: files into a new place or, with
/// `replace`, in place of those that are there, which are set aside under another name; PostgreSQL into a schema
/// without tables. Everything is verified before it takes its place: checksums, integrity, references, row counts.
///
/// Engines' credentials move on with every message. Restored ones that were used since break the account, so a restore
/// refuses to replace newer credentials by older ones unless it is told to.
///
/// # Errors
/// `Conflict` when there is a store already, when credentials there are newer, or when the schema has tables; `Busy`
/// while a process has the store open; `Corrupt` for a damaged backup; `SchemaTooNew`; `DiskFull`; as
/// [`Store::backup`]. The target is left as it was.
pub fn restore_backup(
    target: &Config,
    options: &RestoreOptions,
    progress: OnBackup<'_>,
) -> Result<RestoreReport> {
    #[cfg(feature = "backup")]
    let done = restore::restore(target, options, progress);
    #[cfg(not(feature = "backup"))]
    let done = {
        let _ = (target, options, progress);
        without()
    };
    done.map_err(|e: Error| e.during("backup.restore"))
}
