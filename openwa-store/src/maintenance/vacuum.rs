//! Giving space back.

use super::space;
use crate::db::Conn;
use crate::entity::{self, Database};
use crate::error::{Error, Kind, Result};
use crate::record::shape;
use crate::store::Store;
use crate::transfer::{OnProgress, Progress};
use crate::value::{Row, Value};

shape! { input:
/// How to give space back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VacuumOptions {
    /// Writes everything anew, which also joins pages that are half empty. On SQLite nobody can write while that
    /// lasts, and it needs room for a second copy; on PostgreSQL nobody can use the table that it is at.
    pub full: bool,
}
}

shape! { output:
/// What a vacuum did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VacuumReport {
    /// What was gone through, with its size before and after.
    pub parts: Vec<VacuumedPart>,
    /// Another process is at it; this one did nothing.
    pub already_running: bool,
    /// The callback stopped it. What was given back so far stays so.
    pub stopped: bool,
}
}

shape! { output:
/// One file, or one table of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VacuumedPart {
    /// `main` or `data`.
    pub database: &'static str,
    /// The table, on PostgreSQL; on SQLite None: it is the whole file.
    pub table: Option<String>,
    /// Bytes before, with indexes.
    pub bytes_before: u64,
    /// Bytes after.
    pub bytes_after: u64,
}
}

impl VacuumReport {
    /// Bytes by which everything shrank.
    #[must_use]
    pub fn bytes_freed(&self) -> u64 {
        self.parts.iter().map(|p| p.bytes_before.saturating_sub(p.bytes_after)).sum()
    }
}

impl Store {
    /// Gives the space of deleted rows back. By default it keeps nobody from working: on SQLite free pages go back to the
    /// file system in transactions of a few milliseconds; on PostgreSQL every table gets a `VACUUM (ANALYZE)`, which
    /// makes room in it for new rows and gives back what is free at its end. With `full` everything is written anew, see
    /// [`VacuumOptions::full`]. A crash in the middle loses nothing. The progress counts pages on SQLite, tables on
    /// PostgreSQL; stopping keeps what was given back until then. Of several processes one runs, the others answer
    /// `already_running`.
    ///
    /// # Errors
    /// `DiskFull` when `full` on SQLite finds less room than it needs, before anything is begun; those of the databases.
    pub fn vacuum(&self, options: &VacuumOptions, progress: OnProgress<'_>) -> Result<VacuumReport> {
        self.vacuumed(options, progress).map_err(|e| e.during("vacuum"))
    }

    fn vacuumed(&self, options: &VacuumOptions, mut progress: OnProgress<'_>) -> Result<VacuumReport> {
        let Some(_turn) = self.database(Database::Data).turn("vacuum")? else {
            return Ok(VacuumReport { already_running: true, ..VacuumReport::default() });
        };
        let mut report = VacuumReport::default();
        for which in [Database::Main, Database::Data] {
            let done = if self.database(which).as_sqlite().is_some() {
                self.vacuum_file(which, options.full, &mut progress, &mut report)
            } else {
                self.vacuum_tables(which, options.full, &mut progress, &mut report)
            };
            match done {
                Err(e) if e.kind() == Kind::Cancelled => report.stopped = true,
                done => done?,
            }
            if report.stopped {
                break;
            }
        }
        Ok(report)
    }

    fn vacuum_file(
        &self,
        which: Database,
        full: bool,
        progress: &mut OnProgress<'_>,
        report: &mut VacuumReport,
    ) -> Result<()> {
        let bytes_before = space::bytes_of(self, which)?;
        let table = which.name();
        let mut tell = |rows, total| tell(progress, Progress { table, rows, total });
        let done = match self.database(which).as_sqlite().filter(|_| full) {
            Some(engine) => engine.rebuild(&mut || tell(0, None)),
            None => {
                space::give_back(self, which, "vacuum", &mut |done, all| tell(done, Some(all))).map(|flow| {
                    report.stopped = flow.is_break();
                })
            }
        };
        let bytes_after = space::bytes_of(self, which)?;
        report.parts.push(VacuumedPart { database: which.name(), table: None, bytes_before, bytes_after });
        done
    }

    fn vacuum_tables(
        &self,
        which: Database,
        full: bool,
        progress: &mut OnProgress<'_>,
        report: &mut VacuumReport,
    ) -> Result<()> {
        let database = self.database(which);
        let tables = database.read(|conn| conn.all(TABLES, &[], table))?;
        let total = tables.len() as u64;
        for (rows, t) in (0..).zip(&tables) {
            let known = entity::TABLES.iter().find(|known| known.name == t.name).map(|known| known.name);
            let at = Progress { table: known.unwrap_or("messages"), rows, total: Some(total) };
            if tell(progress, at).is_break() {
                return Err(Error::new(Kind::Cancelled, "stopped on request"));
            }
            let name = t.name.replace('"', "\"\"");
            let sql = match (t.has_rows, full) {
                // The parent of the months has no rows, but the planner wants to know about all of them together.
                (false, _) => format!("ANALYZE in_this_schema.\"{name}\""),
                (true, false) => format!("VACUUM (ANALYZE) in_this_schema.\"{name}\""),
                (true, true) => format!("VACUUM (FULL, ANALYZE) in_this_schema.\"{name}\""),
            };
            database.alone(|conn| conn.run(&sql, &[]))?;
            if t.has_rows {
                let after =
                    |conn: &dyn Conn| conn.first(SIZE, &[Value::Text(&t.name)], |row| Ok(count(row, 0)));
                report.parts.push(VacuumedPart {
                    database: which.name(),
                    table: Some(t.name.clone()),
                    bytes_before: t.bytes,
                    bytes_after: database.read(after)?.unwrap_or(0),
                });
            }
        }
        Ok(())
    }
}

/// One table on a server.
struct ServerTable {
    name: String,
    bytes: u64,
    has_rows: bool,
}

/// The tables of the store's schema, partitions included: name, bytes, whether it has rows of its own.
const TABLES: &str =
    "SELECT c.relname, pg_total_relation_size(c.oid), c.relkind = 'r' FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = this_schema AND c.relkind IN ('r', 'p') ORDER BY c.relkind DESC, c.relname";
/// The size of one of them.
const SIZE: &str = "SELECT pg_total_relation_size(c.oid) FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = this_schema AND c.relname = ?1";

fn table(row: &dyn Row) -> Result<ServerTable> {
    Ok(ServerTable {
        name: if let Value::Text(name) = row.get(0) { name.to_owned() } else { String::new() },
        bytes: count(row, 1),
        has_rows: row.get(2) == Value::Bool(true),
    })
}

fn count(row: &dyn Row, at: usize) -> u64 {
    if let Value::Int(n) = row.get(at) { u64::try_from(n).unwrap_or(0) } else { 0 }
}

fn tell(progress: &mut OnProgress<'_>, at: Progress) -> std::ops::ControlFlow<()> {
    progress.as_mut().map_or(std::ops::ControlFlow::Continue(()), |tell| tell(at))
}
