//! What a store tells about itself, and checks.

use super::Store;
use crate::check::{self, CheckReport, RepairOptions, RepairReport};
use crate::db::{Conn, Sqlite};
use crate::entity::{self, Database};
use crate::error::Result;
use crate::overview::{self, Overview, OverviewOptions};
use crate::record::shape;
use crate::schema::{self, Applied};
use crate::transfer::OnProgress;
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

impl Store {
    /// Sizes, schema versions and row counts. Counting reads the smallest index of every table once; of a large store
    /// [`overview`](Self::overview) tells nearly the same at once.
    ///
    /// # Errors
    /// Those of the database.
    pub fn status(&self) -> Result<Status> {
        let databases = [Database::Main, Database::Data];
        let databases = databases.into_iter().map(|d| self.database_status(d)).collect::<Result<_>>()?;
        Ok(Status { version: env!("CARGO_PKG_VERSION"), databases })
    }

    /// The store on one screen: what needs attention, sizes, sessions by state, messages per day, growth, deliveries to
    /// webhooks, keys that expire. Nothing large is counted, so that it takes milliseconds also with ten million messages;
    /// estimates are marked as such.
    ///
    /// # Errors
    /// Those of the databases.
    pub fn overview(&self, options: &OverviewOptions) -> Result<Overview> {
        overview::overview(self, options).map_err(|e| e.during("overview"))
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
        Ok(DatabaseStatus {
            database: which,
            path: database.shown(),
            engine,
            bytes: u64::try_from(bytes).unwrap_or(0),
            wal_bytes: database.as_sqlite().map_or(0, Sqlite::log_bytes),
            steps,
            rows,
        })
    }

    /// Checks both databases: pages and indexes (on SQLite), indexes that cannot be used, rows whose parent does not
    /// exist, counters of bulk jobs against a recount, ids of messages against messages, values that cannot be read, rows
    /// in the wrong place. It reads everything once, in constant memory, and holds nobody up; on a store that others
    /// write to, each question is answered of one moment.
    ///
    /// # Errors
    /// Those of the database; what is wrong *in* it is in the report.
    pub fn check(&self) -> Result<CheckReport> {
        check::check(self, None).map(CheckReport::new).map_err(|e| e.during("check"))
    }

    /// Checks, repairs what can be repaired without losing anything, and checks again. What is not certain, such as which
    /// of two rows is right, is reported and left. A file with damaged pages is not written to at all. With `dry_run`
    /// nothing is changed. The progress tells which table is being looked at, and rows where they are read one by one.
    ///
    /// # Errors
    /// `Cancelled` when the callback stops it (what is repaired stays), those of the database.
    pub fn repair(&self, options: &RepairOptions, progress: OnProgress<'_>) -> Result<RepairReport> {
        check::repair(self, options, progress).map_err(|e| e.during("repair"))
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
