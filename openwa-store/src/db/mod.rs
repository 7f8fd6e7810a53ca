//! The engines behind one narrow seam.
//!
//! A repository speaks to a [`Conn`]: execute, query, dialect. It writes its SQL once, with `?n` parameters
//! (SQLite reads `$1` as a *name*, numbered by first appearance, so that form would bind silently wrong).
//! [`Database`] decides where a call runs: reads on the caller's own thread with a pooled read-only
//! connection, writes through the [`writer`] that shares commits.

#[cfg(all(feature = "postgres", unix))]
#[path = "postgres/builtin/mod.rs"]
#[allow(dead_code)]
mod builtin;
mod bulk;
mod checkpoint;
mod sqlite;
mod ticket;
mod writer;

pub(crate) use bulk::{Bulk, Indexes};
pub use sqlite::{Durability, Trace};
pub(crate) use sqlite::{SqliteConn, SqliteFile};
pub use ticket::{Pending, Ticket, Writing};
pub(crate) use writer::{Limits, Writer};

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::entity::Entity;
use crate::error::{Error, Kind, Result};
use crate::value::{Row, Value};

/// Whether a query goes on after a row.
pub(crate) type Flow = ControlFlow<()>;

/// One connection of either engine.
pub(crate) trait Conn {
    /// Runs a statement and says how many rows it changed.
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64>;
    /// Runs a query and hands its rows over one by one.
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<Flow>,
    ) -> Result<()>;
}

impl dyn Conn + '_ {
    /// Every row of a query, made by `make`.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        mut make: impl FnMut(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut out = Vec::new();
        self.query(sql, params, &mut |row| {
            out.push(make(row)?);
            Ok(Flow::Continue(()))
        })?;
        Ok(out)
    }

    /// The first row of a query, made by `make`.
    pub(crate) fn first<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        mut make: impl FnMut(&dyn Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut out = None;
        self.query(sql, params, &mut |row| {
            out = Some(make(row)?);
            Ok(Flow::Break(()))
        })?;
        Ok(out)
    }

    /// The first row of a query as an entity.
    pub(crate) fn one<E: Entity>(&self, sql: &str, params: &[Value<'_>]) -> Result<Option<E>> {
        self.first(sql, params, E::from_row)
    }

    /// Every row of a query as entities.
    pub(crate) fn rows<E: Entity>(&self, sql: &str, params: &[Value<'_>]) -> Result<Vec<E>> {
        self.all(sql, params, E::from_row)
    }

    /// The one integer of a query that always has one.
    pub(crate) fn integer(&self, sql: &str, params: &[Value<'_>]) -> Result<i64> {
        let found = self.first(sql, params, |row| Ok(if let Value::Int(n) = row.get(0) { n } else { 0 }))?;
        Ok(found.unwrap_or(0))
    }
}

/// Locks without caring whether another thread panicked while it held the lock: what it guards is replaced
/// whole or rolled back, never left half changed.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One database: its writer and its readers.
pub(crate) struct Database {
    file: SqliteFile,
    writer: Writer,
    idle: Mutex<Vec<SqliteConn>>,
    closed: AtomicBool,
    owner: u32,
}

/// Read connections that are kept when nobody uses them. More may be open at once; each costs about 100 kB.
const IDLE_READERS: usize = 4;

impl Database {
    /// Takes over a migrated connection as the writer's.
    pub(crate) fn new(file: SqliteFile, conn: SqliteConn, limits: Limits) -> Result<Arc<Self>> {
        let writer = Writer::start(&file, conn, limits)?;
        let (idle, closed) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        Ok(Arc::new(Database { file, writer, idle, closed, owner: std::process::id() }))
    }

    /// Fails when the store is closed, or was opened by the parent of this process.
    fn usable(&self) -> Result<()> {
        if std::process::id() != self.owner {
            return Err(Error::new(
                Kind::Forked,
                "the store was opened before this process was forked; open it again in the child",
            ));
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(Kind::Closed, "the store is closed"));
        }
        Ok(())
    }

    /// Runs a read on the caller's thread. Everything `f` reads is of one moment only inside [`Self::snapshot`].
    pub(crate) fn read<T>(&self, f: impl FnOnce(&dyn Conn) -> Result<T>) -> Result<T> {
        self.usable()?;
        if self.file.in_memory() {
            return self.writer.with_conn(|conn| f(conn));
        }
        let pooled = lock(&self.idle).pop();
        let conn = match pooled {
            Some(conn) => conn,
            None => self.file.open_reader()?,
        };
        let out = f(&conn);
        self.put_back(conn);
        out
    }

    fn put_back(&self, conn: SqliteConn) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_READERS && !self.closed.load(Ordering::Acquire) {
            idle.push(conn);
        }
    }

    /// Runs a read that sees one moment of the database, however long it takes and whoever writes meanwhile.
    pub(crate) fn snapshot<T>(&self, f: impl FnOnce(&dyn Conn) -> Result<T>) -> Result<T> {
        self.usable()?;
        let conn = if self.file.in_memory() {
            self.writer.with_conn(SqliteConn::copy_to_memory)?
        } else {
            self.file.open_reader()?
        };
        conn.begin_read()?;
        f(&conn)
    }

    /// Prepares a write: `f` runs inside a transaction that it may share with other writes. It may run more
    /// than once, when another write of the same group fails half way.
    pub(crate) fn write<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        f: impl FnMut(&dyn Conn) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        Pending::new(Arc::clone(self), operation, Box::new(f))
    }

    /// A connection of one's own for watching, such as a cache that asks whether anything changed.
    pub(crate) fn open_reader(&self) -> Result<SqliteConn> {
        self.usable()?;
        self.file.open_reader()
    }

    pub(crate) fn in_memory(&self) -> bool {
        self.file.in_memory()
    }

    pub(crate) fn file(&self) -> &SqliteFile {
        &self.file
    }

    pub(crate) fn writer(&self) -> Result<&Writer> {
        self.usable()?;
        Ok(&self.writer)
    }

    /// Ends the database: what is queued is written first. A second call does nothing.
    pub(crate) fn close(&self) -> Result<()> {
        if std::process::id() != self.owner || self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        lock(&self.idle).clear();
        self.writer.close()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; what was acknowledged is durable already.
        let _ = self.close();
    }
}
