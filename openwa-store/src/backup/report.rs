//! What the verbs of backup answer.

use std::ops::ControlFlow;

use crate::record::shape;
use crate::time::Timestamp;
use crate::transfer::Progress;
use crate::value::names;

names! {
    /// In which form a database is in a backup.
    pub enum Form {
        /// A SQLite file.
        Sqlite = "sqlite",
        /// What `pg_dump` wrote, in its custom format.
        PgDump = "pg_dump",
        /// A document as `export` writes it, where there was no `pg_dump` for the server.
        Document = "document",
    }
}

names! {
    /// What a verb is at.
    pub enum BackupPhase {
        /// Copying the databases.
        Copy = "copy",
        /// Writing to the repository.
        Write = "write",
        /// Reading back from the repository.
        Verify = "verify",
        /// Checking what was restored, and putting it in its place.
        Check = "check",
    }
}

/// How far a verb is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupProgress {
    /// What it is at.
    pub phase: BackupPhase,
    /// Bytes that are done.
    pub bytes: u64,
    /// All bytes, where that is known.
    pub total: Option<u64>,
}

impl From<BackupProgress> for Progress {
    fn from(at: BackupProgress) -> Self {
        Progress { table: at.phase.name(), rows: at.bytes, total: at.total }
    }
}

/// Hears of the progress; `Break` stops the operation, and nothing has happened.
pub type OnBackup<'a> = Option<&'a mut dyn FnMut(BackupProgress) -> ControlFlow<()>>;

shape! { output:
/// A backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its id in the repository.
    pub id: String,
    /// Name of the store.
    pub name: String,
    /// The machine that made it.
    pub host: String,
    /// The moment that it shows of Main.
    pub main_at: Timestamp,
    /// The moment that it shows of Data.
    pub data_at: Timestamp,
    /// Version of the library that made it.
    pub library: String,
    /// In which form Data is in it.
    pub data_form: Form,
    /// Engine of Data, and its version.
    pub data_engine: String,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Whether the secrets in it are sealed: a store that is restored from it opens with the store key only.
    pub sealed: bool,
    /// Bytes that it added to the repository.
    pub added: u64,
}
}

shape! { output:
/// What a backup did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// The new backup.
    pub backup: Backup,
    /// Rows per table.
    pub tables: Vec<(&'static str, u64)>,
    /// Bytes that were read back from the repository.
    pub verified: u64,
    /// What the prune did, if one was asked for.
    pub prune: Option<BackupPrune>,
}
}

shape! { output:
/// What a prune did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupPrune {
    /// Ids of the backups that are left, the oldest first.
    pub kept: Vec<String>,
    /// Ids of those that are gone.
    pub forgotten: Vec<String>,
    /// Bytes that the repository shrank by.
    pub freed: u64,
    /// Bytes that a later prune will remove.
    pub marked: u64,
}
}

shape! { output:
/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupVerify {
    /// Ids of the backups that are whole.
    pub sound: Vec<String>,
    /// Ids of those that are not.
    pub damaged: Vec<String>,
    /// Bytes of their files that were read.
    pub bytes: u64,
    /// Everything that is wrong, for people; empty: nothing is.
    pub problems: Vec<String>,
}
}

shape! { output:
/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// What was restored.
    pub backup: Backup,
    /// Rows per table.
    pub tables: Vec<(&'static str, u64)>,
    /// Where what was there before is now.
    pub set_aside: Vec<String>,
    /// When the newest credentials in it last changed. Sessions that were used since have to be paired again.
    pub credentials_at: Option<Timestamp>,
}
}
