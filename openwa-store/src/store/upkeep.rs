//! What a store tells about itself, and checks.

use super::Store;
use crate::db::Conn;
use crate::entity::{self, Database};
use crate::error::Result;
use crate::record::shape;
use crate::schema::{self, Applied};
use crate::value::Value;

shape! { output:
/// What a store tells about itself.
#[derive(Clone, Debug)]
pub struct Status {
    /// The library's version.
    pub version: &'static str,
    /// Main and Data.
    pub databases: Vec<DatabaseStatus>,
}
}

shape! { output:
/// What one database tells about itself.
#[derive(Clone, Debug)]
pub struct DatabaseStatus {
    /// Which one.
    pub database: Database,
    /// Its path, or `:memory:`.
    pub path: String,
    /// Its engine and the engine's version.
    pub engine: String,
    /// Bytes of the database file.
    pub bytes: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// The steps of its schema.
    pub steps: Vec<Applied>,
    /// Rows per table.
    pub rows: Vec<(&'static str, u64)>,
}
}

shape! { output:
/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Everything that is wrong, for people; empty: nothing is.
    pub problems: Vec<String>,
}
}

impl Store {
    /// Sizes, schema versions and row counts. Counting reads the smallest index of every table once.
    ///
    /// # Errors
    /// Those of the database.
    pub fn status(&self) -> Result<Status> {
        let databases = [Database::Main, Database::Data];
        let databases = databases.into_iter().map(|d| self.database_status(d)).collect::<Result<_>>()?;
        Ok(Status { version: env!("CARGO_PKG_VERSION"), databases })
    }

    fn database_status(&self, which: Database) -> Result<DatabaseStatus> {
        let file = self.database(which).file();
        let size = |suffix: &str| {
            let path = file.path.as_ref().map(|p| format!("{}{suffix}", p.display()));
            path.and_then(|p| std::fs::metadata(p).ok()).map_or(0, |m| m.len())
        };
        let read = |conn: &dyn Conn| {
            let mut rows = Vec::new();
            for table in entity::tables_of(which) {
                let n = conn.integer(&format!("SELECT count(*) FROM {}", table.name), &[])?;
                rows.push((table.name, u64::try_from(n).unwrap_or(0)));
            }
            Ok((rows, schema::status(conn, which)?))
        };
        let (rows, steps) = self.database(which).read(read).map_err(|e| e.during("status"))?;
        Ok(DatabaseStatus {
            database: which,
            path: file.shown(),
            engine: format!("SQLite {}", rusqlite::version()),
            bytes: size(""),
            wal_bytes: size("-wal"),
            steps,
            rows,
        })
    }

    /// Checks both databases: pages and indexes, foreign keys, and the counters of bulk jobs against a recount.
    ///
    /// # Errors
    /// Those of the database; what is wrong *in* it is in the report.
    pub fn check(&self) -> Result<CheckReport> {
        let mut report = CheckReport::default();
        for which in [Database::Main, Database::Data] {
            self.database(which)
                .read(|conn| check_database(conn, which, &mut report))
                .map_err(|e| e.during("check"))?;
        }
        Ok(report)
    }
}

fn check_database(conn: &dyn Conn, which: Database, report: &mut CheckReport) -> Result<()> {
    let name = which.name();
    let text = |v: Value<'_>| match v {
        Value::Text(s) => s.to_owned(),
        Value::Int(n) => n.to_string(),
        _ => String::new(),
    };
    for line in conn.all("PRAGMA integrity_check", &[], |row| Ok(text(row.get(0))))? {
        if line != "ok" {
            report.problems.push(format!("{name}: {line}"));
        }
    }
    report.problems.extend(conn.all("PRAGMA foreign_key_check", &[], |row| {
        let (table, row_id, parent) = (text(row.get(0)), text(row.get(1)), text(row.get(2)));
        Ok(format!("{name}: row {row_id} of {table} belongs to a row of {parent} that does not exist"))
    })?);
    if which == Database::Data {
        let counters = "SELECT j.batch_id FROM batch_jobs j WHERE (total_messages, sent_count, failed_count, cancelled_count) <> (
              SELECT count(*), count(*) FILTER (WHERE m.status = 'sent'), count(*) FILTER (WHERE m.status = 'failed'),
                     count(*) FILTER (WHERE m.status = 'cancelled')
                FROM batch_job_messages m WHERE m.batch_job_id = j.id)";
        report.problems.extend(conn.all(counters, &[], |row| {
            Ok(format!("{name}: the counters of bulk job {} are not what its messages say", text(row.get(0))))
        })?);
    }
    Ok(())
}
