//! Both databases into files, as of one moment each.

use std::ops::ControlFlow;
use std::path::Path;

use super::manifest::{Content, Copied, Manifest};
use super::report::{BackupPhase, BackupProgress, Form, OnBackup};
use super::staging::{Staging, sum};
use crate::db::{Conn, Frozen, Sqlite, SqliteFile};
use crate::entity::{self, Database};
use crate::error::{Error, Kind, Result};
use crate::schema::{self, Applied};
use crate::store::Store;
use crate::time::Timestamp;
use crate::value::{Column, Value};

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
pub(super) use postgres::reach;

/// Hears of the progress and stops the work when it is told to.
pub(super) struct Teller<'a>(pub(super) OnBackup<'a>);

impl Teller<'_> {
    pub(super) fn tell(&mut self, phase: BackupPhase, bytes: u64, total: Option<u64>) -> Result<()> {
        let heard = self.0.as_mut().map(|hear| hear(BackupProgress { phase, bytes, total }));
        match heard {
            Some(ControlFlow::Break(())) => Err(Error::new(Kind::Cancelled, "stopped on request")),
            _ => Ok(()),
        }
    }
}

/// What a database tells of itself.
pub(super) struct Described {
    pub(super) engine: String,
    pub(super) steps: Vec<Applied>,
    pub(super) rows: Vec<(&'static str, u64)>,
    pub(super) credentials_at: Option<Timestamp>,
    pub(super) sealed: bool,
}

pub(super) fn describe(conn: &dyn Conn, which: Database) -> Result<Described> {
    let steps = schema::status(conn, which)?;
    let mut rows = Vec::new();
    for table in entity::tables_of(which) {
        let n = conn.integer(&format!("SELECT count(*) FROM {}", table.name), &[])?;
        rows.push((table.name, u64::try_from(n).unwrap_or(0)));
    }
    let text = |v: Value<'_>| if let Value::Text(s) = v { s.to_owned() } else { String::new() };
    let engine = conn.first(conn.dialect().version(), &[], |row| Ok(text(row.get(0))))?.unwrap_or_default();
    let credentials_at = match which {
        Database::Main => None,
        Database::Data => {
            let sql = "SELECT max(updated_at) FROM session_auth";
            conn.first(sql, &[], |row| Ok(Timestamp::read(row.get(0))))?.flatten()
        }
    };
    // A backup of an older version has no such table.
    let knows_seals = steps.iter().any(|step| step.name == "003_openwa_seal" && step.applied_at.is_some());
    let sealed = which == Database::Data
        && knows_seals
        && conn.integer("SELECT count(*) FROM openwa_seal WHERE key_id IS NOT NULL", &[])? > 0;
    Ok(Described { engine, steps, rows, credentials_at, sealed })
}

/// Copies both databases into the folder, and writes the manifest beside them.
pub(super) fn copy(
    store: &Store,
    staging: &Staging,
    pg_dump: Option<&str>,
    to: &mut Teller<'_>,
) -> Result<Manifest> {
    let main =
        sqlite(store, Database::Main)?.ok_or_else(|| Error::new(Kind::Internal, "Main is no SQLite file"))?;
    let (main_copy, data_copy) = match sqlite(store, Database::Data)? {
        Some(data) => {
            // One behind the other, so that nothing lies between the two moments but a few microseconds.
            // What was acknowledged before a moment is in the copy.
            let at = store.env().now();
            let main = (main.freeze()?, at);
            let at = store.env().now();
            let data = (data.freeze()?, at);
            let bytes = [&main.0, &data.0].map(|frozen| frozen.size().map(|(pages, size)| pages * size));
            let bytes = bytes.into_iter().sum::<Result<u64>>()?;
            staging.make_room(bytes)?;
            let data = from_sqlite(Database::Data, data, staging, to)?;
            (from_sqlite(Database::Main, main, staging, to)?, data)
        }
        #[cfg(feature = "postgres")]
        None => postgres::copy(store, main, staging, pg_dump, to)?,
        #[cfg(not(feature = "postgres"))]
        None => return Err(Error::new(Kind::Internal, format!("Data is no SQLite file ({pg_dump:?})"))),
    };
    let known = data_copy.1;
    let content = |copied: Copied| {
        let (bytes, sha256) = sum(&staging.files().join(copied.file))?;
        Ok::<_, Error>(Content::new(copied, bytes, sha256))
    };
    let manifest = Manifest::new(content(main_copy.0)?, content(data_copy.0)?, &known);
    std::fs::write(staging.files().join(super::manifest::FILE), manifest.text()?)?;
    Ok(manifest)
}

/// What a manifest tells beside the files.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) credentials_at: Option<Timestamp>,
    pub(super) sealed: bool,
}

impl Described {
    fn known(&self) -> Known {
        Known { credentials_at: self.credentials_at, sealed: self.sealed }
    }
}

type Copy = (Copied, Known);

fn sqlite(store: &Store, which: Database) -> Result<Option<&Sqlite>> {
    let database = store.database(which);
    database.usable()?;
    Ok(database.as_sqlite())
}

/// The name of a database's file in the backup.
pub(super) const fn sqlite_name(which: Database) -> &'static str {
    match which {
        Database::Main => "main.sqlite",
        Database::Data => "data.sqlite",
    }
}

fn from_sqlite(
    which: Database,
    (frozen, at): (Frozen, Timestamp),
    staging: &Staging,
    to: &mut Teller<'_>,
) -> Result<Copy> {
    let file = sqlite_name(which);
    let path = staging.files().join(file);
    let (_, page) = frozen.size()?;
    frozen.copy_to(&path, &mut |pages, all| to.tell(BackupPhase::Copy, pages * page, Some(all * page)))?;
    // The log of the store may shrink again before the copy is looked at.
    drop(frozen);
    let conn = still(&path, which).open_still()?;
    sound(&conn, which)?;
    let found = describe(&conn, which)?;
    let known = found.known();
    let copied = Copied {
        file,
        form: Form::Sqlite,
        engine: found.engine,
        schema: None,
        at,
        steps: found.steps,
        rows: found.rows,
    };
    Ok((copied, known))
}

/// A SQLite file that nobody uses.
pub(super) fn still(path: &Path, database: Database) -> SqliteFile {
    SqliteFile::alone(path, database)
}

/// Fails when the pages of a copy do not fit together: a damaged database is no backup, and the backups of the time
/// before must not be pruned for it.
fn sound(conn: &dyn Conn, which: Database) -> Result<()> {
    let text = |v: Value<'_>| if let Value::Text(s) = v { s.to_owned() } else { String::new() };
    match conn.first("PRAGMA quick_check(1)", &[], |row| Ok(text(row.get(0))))? {
        Some(said) if said != "ok" => {
            let text =
                format!("the {} database is damaged, so there is no backup of it: {said}", which.name());
            Err(Error::new(Kind::Corrupt, text))
        }
        _ => Ok(()),
    }
}
