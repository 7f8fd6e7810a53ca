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
    Backup, BackupPhase, BackupProgress, BackupPrune, BackupReport, BackupVerify, Form, OnBackup,
    RestoreReport,
};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::Store;

/// What a build without the feature answers.
#[cfg(not(feature = "backup"))]
fn without<T>() -> Result<T> {
    Err(Error::new(
        crate::error::Kind::Unsupported,
        "this build has no backups; it needs the feature `backup`",
    ))
}

/// Fails where this build has no backups.
pub(crate) fn available() -> Result<()> {
    #[cfg(feature = "backup")]
    return Ok(());
    #[cfg(not(feature = "backup"))]
    return without();
}

/// Makes a backup; see [`Store::backup`].
pub(crate) fn create(store: &Store, options: &BackupOptions, progress: OnBackup<'_>) -> Result<BackupReport> {
    #[cfg(feature = "backup")]
    let done = create::create(store, options, progress);
    #[cfg(not(feature = "backup"))]
    let done = {
        let _ = (store, options, progress);
        without()
    };
    done.map_err(|e: Error| e.during("backup.create"))
}

/// As [`Store::backups`], without an open store.
///
/// # Errors
/// As that.
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

/// As [`Store::verify_backups`], without an open store.
///
/// # Errors
/// As that.
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

/// As [`Store::prune_backups`], without an open store.
///
/// # Errors
/// As that.
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

/// As [`Store::restore_backup`], without an open store.
///
/// # Errors
/// As that.
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
