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
    /// Its path, `:memory:`, or the address of its server.
    pub path: String,
    /// Its engine and the engine's version.
    pub engine: String,
    /// Bytes of the database file; on PostgreSQL, of all tables and indexes.
    pub bytes: u64,
    /// Bytes of the write-ahead log; on PostgreSQL 0, since the server's serves all databases.
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
        let database = self.database(which);
        let read = |conn: &dyn Conn| {
            let mut rows = Vec::new();
            for table in entity::tables_of(which) {
                let n = conn.integer(&format!("SELECT count(*) FROM {}", table.name), &[])?;
                rows.push((table.name, u64::try_from(n).unwrap_or(0)));
            }
            let version = conn.first(conn.dialect().version(), &[], |row| Ok(text(row.get(0))))?;
            let bytes = conn.integer(conn.dialect().bytes(), &[])?;
            Ok((rows, schema::status(conn, which)?, version.unwrap_or_default(), bytes))
        };
        let (rows, steps, engine, bytes) = database.read(read).map_err(|e| e.during("status"))?;
        let log = database.as_sqlite().and_then(|sqlite| sqlite.file().path.clone()).and_then(|path| {
            let log = format!("{}-wal", path.display());
            std::fs::metadata(log).ok()
        });
        Ok(DatabaseStatus {
            database: which,
            path: database.shown(),
            engine,
            bytes: u64::try_from(bytes).unwrap_or(0),
            wal_bytes: log.map_or(0, |m| m.len()),
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

fn text(v: Value<'_>) -> String {
    match v {
        Value::Text(s) => s.to_owned(),
        Value::Int(n) => n.to_string(),
        Value::Uuid(id) => id.to_string(),
        _ => String::new(),
    }
}

/// Where the counters of a bulk job and its messages disagree.
const COUNTERS: &str = "SELECT 'the counters of bulk job ' || j.batch_id || ' are not what its messages say'
   FROM batch_jobs j WHERE (total_messages, sent_count, failed_count, cancelled_count) <> (
        SELECT count(*), count(*) FILTER (WHERE m.status = 'sent'), count(*) FILTER (WHERE m.status = 'failed'),
               count(*) FILTER (WHERE m.status = 'cancelled')
          FROM batch_job_messages m WHERE m.batch_job_id = j.id)";

fn check_database(conn: &dyn Conn, which: Database, report: &mut CheckReport) -> Result<()> {
    let counters = (which == Database::Data).then_some(COUNTERS);
    for sql in conn.dialect().checks().iter().copied().chain(counters) {
        let found = conn.all(sql, &[], |row| Ok(text(row.get(0))))?;
        report.problems.extend(found.iter().map(|problem| format!("{}: {problem}", which.name())));
    }
    Ok(())
}
