//! The ladder of migrations, and who may climb it.
//!
//! Steps are SQL files, embedded; each has a part for going up and one for going down. One step is one
//! transaction, so several openers wait for one another and each step runs once. The ledger
//! `openwa_migrations` keeps name, checksum and time of every step.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::db::{Conn, Dialect, SqliteConn, SqliteFile};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::record::shape;
use crate::time::Timestamp;
use crate::value::{Column, Value};

/// One step of a ladder.
struct Step {
    name: &'static str,
    sql: &'static str,
}

macro_rules! steps {
    ($dir:literal: $($name:literal),+) => {
        &[$(Step {
            name: $name,
            sql: include_str!(concat!("../../migrations/", $dir, "/", $name, ".sql")),
        }),+]
    };
}

const MAIN: &[Step] = steps!("sqlite/main": "001_init", "002_maintenance", "003_retention");
const DATA_SQLITE: &[Step] = steps!("sqlite/data": "001_init", "002_openwa_extra", "003_openwa_seal", "004_maintenance", "005_retention");
#[cfg(feature = "postgres")]
const DATA_POSTGRES: &[Step] = steps!("postgres/data": "001_init", "002_openwa_extra", "003_openwa_seal", "004_maintenance", "005_save", "006_retention");

impl Step {
    fn checksum(&self) -> String {
        Sha256::digest(self.sql.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
    }

    fn up(&self, layout: Layout) -> String {
        layout.select(self.parts().0)
    }

    fn down(&self, layout: Layout) -> String {
        layout.select(self.parts().1)
    }

    fn parts(&self) -> (&'static str, &'static str) {
        let body = self.sql.split_once("\n-- up\n").map_or(self.sql, |(_, body)| body);
        body.split_once("\n-- down\n").unwrap_or((body, ""))
    }
}

/// How `messages` is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One table.
    Plain,
    /// A table per month.
    #[cfg(feature = "postgres")]
    Partitioned,
}

impl Layout {
    const fn name(self) -> &'static str {
        match self {
            Layout::Plain => "plain",
            #[cfg(feature = "postgres")]
            Layout::Partitioned => "partitioned",
        }
    }

    /// The lines of a step that belong to this layout.
    fn select(self, sql: &str) -> String {
        let mut here = true;
        let mut out = String::with_capacity(sql.len());
        for line in sql.split_inclusive('\n') {
            match line.trim_end() {
                "-- both" => here = true,
                mark @ ("-- plain" | "-- partitioned") => here = &mark[3..] == self.name(),
                _ if here => out.push_str(line),
                _ => {}
            }
        }
        out
    }
}

fn ladder(database: Database, dialect: Dialect) -> &'static [Step] {
    match (database, dialect) {
        (Database::Main, _) => MAIN,
        (Database::Data, Dialect::Sqlite) => DATA_SQLITE,
        #[cfg(feature = "postgres")]
        (Database::Data, Dialect::Postgres { .. }) => DATA_POSTGRES,
    }
}

shape! { output:
/// What the ledger says of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The step's number, from 1.
    pub version: i64,
    /// The step's file name.
    pub name: String,
    /// When it was applied; `None`: not yet.
    pub applied_at: Option<Timestamp>,
}
}

/// The version that this library brings a database to.
pub(crate) fn latest(database: Database, dialect: Dialect) -> i64 {
    ladder(database, dialect).len() as i64
}

struct Entry {
    version: i64,
    database: String,
    name: String,
    checksum: String,
    applied_at: Option<Timestamp>,
}

fn ledger(conn: &dyn Conn) -> Result<Option<Vec<Entry>>> {
    // One statement, so one moment: between two, another opener may have made the ledger and the tables.
    let found = conn.first(conn.dialect().tables_and_ledgers(), &[], |row| {
        Ok((row.get(0) != Value::Int(0), row.get(1) != Value::Int(0)))
    })?;
    match found {
        Some((_, true)) => {}
        Some((true, false)) => {
            return Err(Error::new(Kind::ForeignDatabase, conn.dialect().foreign()));
        }
        Some((false, false)) | None => return Ok(None),
    }
    let text = |v: Value<'_>| if let Value::Text(s) = v { s.to_owned() } else { String::new() };
    let sql = "SELECT version, database, name, checksum, applied_at FROM openwa_migrations ORDER BY version";
    let entries = conn.all(sql, &[], |row| {
        Ok(Entry {
            version: if let Value::Int(n) = row.get(0) { n } else { 0 },
            database: text(row.get(1)),
            name: text(row.get(2)),
            checksum: text(row.get(3)),
            applied_at: Timestamp::read(row.get(4)),
        })
    })?;
    Ok(Some(entries))
}

/// Checks the ledger against the ladder and says how many steps are applied.
fn check(steps: &[Step], database: Database, entries: &[Entry]) -> Result<usize> {
    for entry in entries {
        if entry.database != database.name() {
            return Err(Error::new(
                Kind::ForeignDatabase,
                format!("this is a {} database, not a {} one", entry.database, database.name()),
            ));
        }
        let Some(step) = usize::try_from(entry.version - 1).ok().and_then(|i| steps.get(i)) else {
            let newest = entries.last().map_or(0, |e| e.version);
            return Err(Error::new(
                Kind::SchemaTooNew,
                format!(
                    "the {} database has schema version {newest}, this library knows up to {}; use a newer library",
                    database.name(),
                    steps.len()
                ),
            ));
        };
        if step.checksum() != entry.checksum || step.name != entry.name {
            return Err(Error::new(
                Kind::SchemaChanged,
                format!("step {} was applied in another form than this library has it", entry.name),
            ));
        }
    }
    Ok(entries.len())
}

/// Refuses a file that is not this library's, or not of this version, before anything in it is changed: opening
/// it for writing would already switch it to another journal mode. Gives the reading connection that looked, unless the
/// file is new.
pub(crate) fn refuse_foreign(file: &SqliteFile) -> Result<Option<SqliteConn>> {
    let Some(path) = &file.path else { return Ok(None) };
    if std::fs::metadata(path).map_or(0, |m| m.len()) == 0 {
        return Ok(None);
    }
    let conn = file.open_reader()?;
    let steps = ladder(file.database, Dialect::Sqlite);
    ledger(&conn)?.map_or(Ok(0), |entries| check(steps, file.database, &entries))?;
    Ok(Some(conn))
}

/// Brings a database to `target` (the latest version if `None`), up or down, and says how many steps that
/// took. On a server it waits so long for another process that does the same.
pub(crate) fn migrate(
    conn: &dyn Conn,
    database: Database,
    layout: Layout,
    target: Option<i64>,
    patience: Duration,
    now: Timestamp,
) -> Result<usize> {
    let steps = ladder(database, conn.dialect());
    let target = match target {
        None => steps.len(),
        Some(t) => usize::try_from(t).ok().filter(|t| *t <= steps.len()).ok_or_else(|| {
            Error::invalid("version", format!("version {t} does not exist; 0 to {} do", steps.len()))
        })?,
    };
    // Most opens find nothing to do; they need no write lock to see that.
    if let Some(entries) = ledger(conn)?
        && check(steps, database, &entries)? == target
    {
        return Ok(0);
    }
    let mut done = 0;
    loop {
        conn.begin()?;
        let moved = conn.dialect().take_turn(conn, patience);
        let moved = moved.and_then(|()| one_step(conn, database, layout, target, now));
        let ended = conn.end(matches!(moved, Ok(true)));
        if !moved? {
            return Ok(done);
        }
        ended?;
        done += 1;
    }
}

/// Goes one step towards the target inside the open transaction. False: it is reached.
fn one_step(
    conn: &dyn Conn,
    database: Database,
    layout: Layout,
    target: usize,
    now: Timestamp,
) -> Result<bool> {
    let entries = ledger(conn)?.unwrap_or_default();
    let steps = ladder(database, conn.dialect());
    let at = check(steps, database, &entries)?;
    if at < target {
        let (step, version) = (&steps[at], at as i64 + 1);
        conn.batch(conn.dialect().ledger())?;
        conn.batch(&step.up(layout))?;
        let checksum = step.checksum();
        conn.execute(
            "INSERT INTO openwa_migrations (version, database, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            &[
                Value::Int(version),
                Value::Text(database.name()),
                Value::Text(step.name),
                Value::Text(&checksum),
                Value::Time(now),
            ],
        )?;
        return Ok(true);
    }
    if at > target {
        conn.batch(&steps[at - 1].down(layout))?;
        conn.execute("DELETE FROM openwa_migrations WHERE version = ?1", &[Value::Int(at as i64)])?;
        return Ok(true);
    }
    Ok(false)
}

/// Every step of the ladder and whether it is applied.
pub(crate) fn status(conn: &dyn Conn, database: Database) -> Result<Vec<Applied>> {
    let entries = ledger(conn)?.unwrap_or_default();
    let steps = ladder(database, conn.dialect());
    check(steps, database, &entries)?;
    Ok(steps
        .iter()
        .enumerate()
        .map(|(i, step)| Applied {
            version: i as i64 + 1,
            name: step.name.to_owned(),
            applied_at: entries.get(i).and_then(|e| e.applied_at),
        })
        .collect())
}
