//! What the verbs of backup take.

use std::fmt;

use crate::error::Result;
use crate::record::{Described, FromValue, Type, Value, shape};

/// A password. It is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub(super) String);

impl From<&str> for Password {
    fn from(password: &str) -> Self {
        Password(password.to_owned())
    }
}

impl From<String> for Password {
    fn from(password: String) -> Self {
        Password(password)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Described for Password {
    const TYPE: Type = Type::Text;
    const SECRET: bool = true;
}

impl FromValue for Password {
    fn given(value: Value, field: &'static str) -> Result<Self> {
        String::given(value, field).map(Password)
    }
}

shape! { input:
/// A repository of backups, and the password that opens it. A password that is lost cannot be had again, and the
/// backups with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupRepo {
    /// Path of a folder, `s3:https://host/bucket/path` or `s3://bucket/path`; default what `OPENWA_BACKUP_REPO` says. For
    /// S3 the usual variables apply: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION` …
    pub repo: Option<String>,
    /// The password; default what `OPENWA_BACKUP_PASSWORD` says.
    pub password: Option<Password>,
    /// A file whose first line is the password.
    pub password_file: Option<String>,
    /// A command for the shell that prints the password.
    pub password_command: Option<String>,
}
}

shape! { input:
/// Which backups a prune keeps: the last one of each of so many hours, days, weeks, months and years that have one, in
/// UTC. Without any number: 24 hourly and 7 daily ones. The newest backup is always kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeepRules {
    /// The last backups, whenever they were made.
    pub last: Option<u32>,
    /// One per hour.
    pub hourly: Option<u32>,
    /// One per day.
    pub daily: Option<u32>,
    /// One per week, which begins on Monday.
    pub weekly: Option<u32>,
    /// One per month.
    pub monthly: Option<u32>,
    /// One per year.
    pub yearly: Option<u32>,
    /// Only backups of the store of this name; default of all, each store by itself.
    pub name: Option<String>,
}
}

shape! { input:
/// How to make a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupOptions {
    /// Where to.
    pub repo: BackupRepo,
    /// Name of the store, for a repository that several stores share; default `openwa`.
    pub name: Option<String>,
    /// Afterwards forgets the backups that `keep` does not keep, and gives their space back.
    pub prune: bool,
    /// Which backups are kept.
    pub keep: KeepRules,
    /// Folder for the copies of the databases while they are written; default that of the Main database.
    pub temp_dir: Option<String>,
    /// The program `pg_dump`, or `none`: Data on PostgreSQL is then written as a document; default one of at least the
    /// server's version, where there is one.
    pub pg_dump: Option<String>,
    /// Reads back the whole backup, not only what is new in the repository. On S3 that costs a download of everything.
    pub read_all: bool,
}
}

shape! { input:
/// Which backups to verify.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Where they are.
    pub repo: BackupRepo,
    /// Id of one, or the beginning of it; `latest`; default all.
    pub backup: Option<String>,
}
}

shape! { input:
/// Which backup to restore, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// Where it is.
    pub repo: BackupRepo,
    /// Its id, or the beginning of it; default the latest.
    pub backup: Option<String>,
    /// Name of the store whose latest backup it is; default of any.
    pub name: Option<String>,
    /// Takes the place of a store that is there, which is set aside under another name.
    pub replace: bool,
    /// Even if the store that is there has newer credentials. Their sessions will have to be paired again.
    pub allow_old_credentials: bool,
}
}
