//! What the databases are made of: indexes with their size and use, and the monthly tables of messages.

use super::Store;
use crate::db::Conn;
use crate::entity::{Database, TABLES};
use crate::error::{Error, Result};
#[cfg(feature = "postgres")]
use crate::maintenance::partitions;
use crate::record::shape;
use crate::time::Timestamp;
use crate::transfer::{self, OnProgress, Progress};
use crate::value::{Column, Row, Value};

shape! { output:
/// One index of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexInfo {
    /// `main` or `data`.
    pub database: &'static str,
    /// The table that it belongs to; on PostgreSQL, of the month that it belongs to.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// How often a statement has used it since the server's counters were reset. SQLite does not count.
    pub scans: Option<u64>,
    /// Whether values depend on it, so that it is needed however rarely it is read.
    pub unique: bool,
    /// Whether it can be used; false after a rebuild that was broken off.
    pub valid: bool,
}
}

shape! { output:
/// One monthly table of `messages`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Its name: `messages_y2025m01`, or `messages_default` for what belongs to no month that has a table.
    pub name: String,
    /// Its first instant; None for the default partition.
    pub since: Option<Timestamp>,
    /// The first instant after it.
    pub until: Option<Timestamp>,
    /// Its rows, as the server estimates them; None: it has not looked yet.
    pub rows: Option<u64>,
    /// Its size with indexes.
    pub bytes: u64,
}
}

/// Below this many scans an index counts as unused, as in the original design's query.
const HARDLY: u64 = 50;

impl IndexInfo {
    /// Whether it costs writes and helps nobody: nothing depends on it, and it was hardly ever used.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        !self.unique && self.scans.is_some_and(|scans| scans < HARDLY)
    }
}

impl Store {
    /// Every index of both databases, the largest first.
    ///
    /// # Errors
    /// Those of the databases.
    pub fn indexes(&self) -> Result<Vec<IndexInfo>> {
        let mut all = Vec::new();
        for which in [Database::Main, Database::Data] {
            let read = |conn: &dyn Conn| conn.all(conn.dialect().indexes(), &[], |row| Ok(index(which, row)));
            all.extend(self.database(which).read(read).map_err(|e| e.during("indexes"))?);
        }
        all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        Ok(all)
    }

    /// Rebuilds the indexes of both databases, or those of one table, one by one, which gives space back and mends an
    /// index that is not valid. Says how many. On PostgreSQL others go on reading and writing meanwhile; on SQLite a
    /// writer waits for the index that is being rebuilt. The progress counts indexes.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown table, `Cancelled` when the callback stops it (what is rebuilt stays), those of
    /// the databases.
    pub fn reindex(&self, table: Option<&str>, mut progress: OnProgress<'_>) -> Result<u64> {
        let during = |e: Error| e.during("reindex");
        if let Some(table) = table
            && !TABLES.iter().any(|t| t.name == table)
        {
            return Err(during(Error::invalid("table", format!("there is no table {table:?}"))));
        }
        let mut wanted = self.indexes()?;
        // The months of a table are tables of their own.
        let is_of =
            |of: &str, table: &str| of == table || (table == "messages" && of.starts_with("messages_"));
        wanted.retain(|index| table.is_none_or(|table| is_of(&index.table, table)));
        let total = wanted.len() as u64;
        for (done, index) in (0..).zip(&wanted) {
            let of = TABLES.iter().find(|t| is_of(&index.table, t.name)).map_or("", |t| t.name);
            transfer::report(&mut progress, Progress { table: of, rows: done, total: Some(total) }, true)
                .map_err(during)?;
            let which = if index.database == "main" { Database::Main } else { Database::Data };
            let rebuild = |conn: &dyn Conn| conn.run(&conn.dialect().reindex(&index.name), &[]);
            self.database(which).alone(rebuild).map_err(during)?;
        }
        Ok(total)
    }

    /// The monthly tables of messages, oldest first; none where `messages` is one table.
    ///
    /// # Errors
    /// Those of the database.
    pub fn partitions(&self) -> Result<Vec<PartitionInfo>> {
        #[cfg(feature = "postgres")]
        if self.database(Database::Data).dialect().is_partitioned() {
            return self.data("partitions", partitions::sizes);
        }
        Ok(Vec::new())
    }

    /// Makes the monthly tables of this month and the next three, and moves rows that wait in the default partition to
    /// where they belong. Opening does it, and so does every run of retention; a gateway that runs for months without
    /// either calls this once a month. Says how many were made.
    ///
    /// # Errors
    /// `Busy` when a lock cannot be had for long; those of the database.
    pub fn make_partitions(&self) -> Result<u64> {
        #[cfg(feature = "postgres")]
        if self.database(Database::Data).dialect().is_partitioned() {
            let now = self.env().now();
            let make = |conn: &dyn Conn| partitions::make_ahead(conn, now);
            return self.database(Database::Data).alone(make).map_err(|e| e.during("make_partitions"));
        }
        Ok(0)
    }
}

fn index(which: Database, row: &dyn Row) -> IndexInfo {
    let text = |i| if let Value::Text(s) = row.get(i) { s.to_owned() } else { String::new() };
    let count = |i| if let Value::Int(n) = row.get(i) { u64::try_from(n).ok() } else { None };
    let flag = |i| bool::read(row.get(i)).unwrap_or(false);
    IndexInfo {
        database: which.name(),
        table: text(0),
        name: text(1),
        bytes: count(2).unwrap_or(0),
        scans: count(3),
        unique: flag(4),
        valid: flag(5),
    }
}
