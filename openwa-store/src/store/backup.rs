//! Backups as verbs of the store.

use super::Store;
use crate::backup::{
    self, Backup, BackupOptions, BackupPrune, BackupRepo, BackupReport, BackupVerify, KeepRules, OnBackup,
    RestoreOptions, RestoreReport, VerifyOptions,
};
use crate::config::Config;
use crate::error::Result;

impl Store {
    /// Writes a backup of the store while it is in use: Main and Data as of one moment each, one behind the other.
    /// The repository is made if it is missing. What is in it already is not written again, so a backup every hour costs
    /// about what changed. It counts only when everything new was read back from the repository.
    ///
    /// It needs room for a copy of the databases beside Main, or in `temp_dir`. Writers go on meanwhile.
    ///
    /// # Errors
    /// `PermissionDenied` for a wrong password or wrong credentials, `NotFound` for a missing bucket, `Unavailable` when
    /// the storage does not answer, `Busy` while another process makes a backup of this store or writes to this repository,
    /// `Corrupt` when a database or the repository is damaged, `DiskFull`, `SchemaTooNew` for a repository of a newer
    /// version, `Cancelled`, `Unsupported` in a build without the feature. Earlier backups stay as they are.
    pub fn backup(&self, options: &BackupOptions, progress: OnBackup<'_>) -> Result<BackupReport> {
        backup::create(self, options, progress)
    }

    /// The backups in a repository, the oldest first; this store need not be one of them. What other programs put into it
    /// is left out.
    ///
    /// # Errors
    /// `NotFound` when there is no repository; those of [`backup`](Self::backup).
    pub fn backups(&self, repo: &BackupRepo) -> Result<Vec<Backup>> {
        backup::backups(repo)
    }

    /// Reads backups back whole and compares them with what was written: every byte of every file.
    ///
    /// # Errors
    /// `NotFound` when there is no such backup; those of [`backup`](Self::backup). What is wrong *in* backups is in the
    /// report.
    pub fn verify_backups(&self, options: &VerifyOptions, progress: OnBackup<'_>) -> Result<BackupVerify> {
        backup::verify_backups(options, progress)
    }

    /// Forgets the backups that no rule keeps, and gives back the space that only they used: it is marked first, and removed
    /// by a prune at least 23 hours later, so that a backup which is being written meanwhile loses nothing.
    ///
    /// # Errors
    /// `Busy` while another process writes to the repository; those of [`backup`](Self::backup).
    pub fn prune_backups(&self, repo: &BackupRepo, keep: &KeepRules) -> Result<BackupPrune> {
        backup::prune_backups(repo, keep)
    }

    /// Restores a backup to where `target` says, which no process may have open: files into a new place or, with
    /// `replace`, in place of those that are there, which are set aside under another name; PostgreSQL into a schema
    /// without tables. Everything is verified before it takes its place: checksums, integrity, references, row counts.
    /// This store has no part in it and may be any, also one in memory.
    ///
    /// Engines' credentials move on with every message. Those of a backup that were used since break the account, so
    /// newer ones are not replaced unless that is allowed.
    ///
    /// # Errors
    /// `Conflict` when there is a store already, when its credentials are newer, or when the schema has tables; `Busy`
    /// while a process has the store open; `Corrupt` for a damaged backup; `SchemaTooNew`; `DiskFull`; those of
    /// [`backup`](Self::backup). The target is left as it was.
    pub fn restore_backup(
        &self,
        target: &Config,
        options: &RestoreOptions,
        progress: OnBackup<'_>,
    ) -> Result<RestoreReport> {
        backup::restore_backup(target, options, progress)
    }
}
