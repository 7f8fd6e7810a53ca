//! The engines behind one narrow seam.
//!
//! A repository speaks to a [`Conn`]: execute, query, dialect. It writes its SQL once, with `?n` parameters
//! (SQLite reads `$1` as a *name*, numbered by first appearance, so that form would bind silently wrong).
//! [`Database`] decides where a call runs: reads on the caller's own thread with a pooled read-only
//! connection, writes through the [`writer`] that shares commits.

mod bulk;
mod dialect;
mod holder;
mod lanes;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
mod seals;
mod sqlite;
mod ticket;

pub(crate) use bulk::Bulk;
pub(crate) use dialect::{Dialect, Taken, insert_messages, lists};
#[cfg(feature = "postgres")]
pub(crate) use holder::locked_until;
pub(crate) use holder::{Holder, LOCK_WAIT, Wait, lock_file};
#[cfg(feature = "postgres")]
pub(crate) use postgres::{Connector, FIRST_MONTH, Line, Postgres, Prepare, Setup, quoted};
#[cfg(all(feature = "backup", feature = "postgres"))]
pub(crate) use postgres::{Output, Programs, reason, run, version};
pub(crate) use queue::Limits;
pub(crate) use seals::{Ring, SealState, Seals};
pub use sqlite::{Durability, Trace};
#[cfg(feature = "backup")]
pub(crate) use sqlite::{Frozen, Held};
pub(crate) use sqlite::{Sqlite, SqliteConn, SqliteFile, lost, size, told, turn_in_folder, vfs_name};
pub(crate) use ticket::Sharable;
pub use ticket::{Pending, Ticket, Writing};

use std::any::Any;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use queue::{Job, Queue};

use crate::entity::{self, Entity, Table};
#[cfg(feature = "postgres")]
use crate::error::Error;
use crate::error::{Kind, Result};
use crate::fork::{self, Owned};
use crate::observe::{self, Reach};
use crate::seal::{OpenedRow, Target};
use crate::time::Timestamp;
use crate::value::{Row, Value};

/// Whether a query goes on after a row.
pub(crate) type Flow = ControlFlow<()>;

/// One connection of either engine.
pub(crate) trait Conn {
    /// What its engine does differently.
    fn dialect(&self) -> Dialect;
    /// The keys of its database.
    fn seals(&self) -> &Seals;
    /// The keys as the open transaction has seen and keeps them, once it has looked.
    fn held(&self) -> &RefCell<Option<Arc<Ring>>>;
    /// Runs statements without parameters and results.
    fn batch(&self, sql: &str) -> Result<()>;
    /// Starts a transaction that may write.
    fn begin(&self) -> Result<()>;
    /// Ends the transaction, if one is open: with `keep` what it did is there for everybody.
    fn end(&self, keep: bool) -> Result<()>;
    /// Makes room for messages that were made at these times, where that has to be made before.
    fn make_room(&self, _times: &mut dyn Iterator<Item = Timestamp>, _now: Timestamp) -> Result<()> {
        Ok(())
    }
    /// Runs a statement and says how many rows it changed.
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64>;
    /// Runs a query and hands its rows over one by one.
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<Flow>,
    ) -> Result<()>;
    /// Runs queries inside a transaction. To a server all go in one round trip.
    fn query_all(&self, queries: Vec<Query<'_, '_>>) -> Result<()> {
        queries.into_iter().try_for_each(|Query { sql, params, each }| self.query(sql, params, each))
    }
    /// The same, and keeps what they did: with the transaction, or each by itself where none is needed. After an error it may
    /// have been kept nevertheless.
    fn conclude(&self, queries: Vec<Query<'_, '_>>) -> Result<()> {
        self.query_all(queries)?;
        self.end(true)
    }
    /// Which process of a server it is that answers, where that can be told.
    fn process(&self) -> Option<i32> {
        None
    }
}

/// A query, and what takes its rows.
pub(crate) struct Query<'a, 'e> {
    pub(crate) sql: &'a str,
    pub(crate) params: &'a [Value<'a>],
    pub(crate) each: &'e mut dyn FnMut(&dyn Row) -> Result<Flow>,
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
        if !E::TABLE.is_sealed() {
            return self.first(sql, params, E::from_row);
        }
        self.opening(|ring| self.first(sql, params, |row| E::from_row(&OpenedRow::new(E::TABLE, row, ring)?)))
    }

    /// The first row of a query as an entity that nobody else can change before this transaction ends.
    pub(crate) fn locked<E: Entity>(&self, sql: &str, params: &[Value<'_>]) -> Result<Option<E>> {
        self.one(&self.dialect().locking(sql), params)
    }

    /// Every row of a query as entities.
    pub(crate) fn rows<E: Entity>(&self, sql: &str, params: &[Value<'_>]) -> Result<Vec<E>> {
        if !E::TABLE.is_sealed() {
            return self.all(sql, params, E::from_row);
        }
        self.opening(|ring| self.all(sql, params, |row| E::from_row(&OpenedRow::new(E::TABLE, row, ring)?)))
    }

    /// Every row of a query as entities, without those that cannot be read.
    pub(crate) fn readable_rows<E: Entity>(&self, sql: &str, params: &[Value<'_>]) -> Result<Vec<E>> {
        let rows = self.opening(|ring| {
            self.all(sql, params, |row| {
                match OpenedRow::new(E::TABLE, row, ring).and_then(|row| E::from_row(&row)) {
                    Err(e) if e.kind() == Kind::Unreadable => Ok(None),
                    row => row.map(Some),
                }
            })
        })?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// Every row of a query as entities whose sealed values are as they are stored: for what needs none of them, and
    /// neither gives them away nor writes them back.
    pub(crate) fn rows_unopened<E: Entity>(&self, sql: &str, params: &[Value<'_>]) -> Result<Vec<E>> {
        self.all(sql, params, E::from_row)
    }

    /// Runs a query for rows of `table`, selected with [`Table::column_list`], and hands them over opened. It looks at
    /// the keys first: inside a snapshot they are those of its moment.
    pub(crate) fn query_opened(
        &self,
        table: &Table,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<Flow>,
    ) -> Result<()> {
        if !table.is_sealed() {
            return self.query(sql, params, each);
        }
        let ring = self.seals().look(self, false)?;
        self.query(sql, params, &mut |row| each(&OpenedRow::new(table, row, &*ring)?))
    }

    /// Runs a read of sealed values with the keys that are known, and once more if the database has others by now.
    pub(crate) fn opening<T>(&self, mut read: impl FnMut(&Ring) -> Result<T>) -> Result<T> {
        let ring = self.seals().ring();
        match read(&ring) {
            Err(e) if matches!(e.kind(), Kind::StoreKeyMissing | Kind::WrongStoreKey | Kind::Unreadable) => {
                let now = self.seals().look(self, false)?;
                if Arc::ptr_eq(&now, &ring) { Err(e) } else { read(&now) }
            }
            done => done,
        }
    }

    /// How secrets are to be written in this transaction. It looks once: nobody changes that before it ends.
    pub(crate) fn target(&self) -> Result<Target> {
        if let Some(ring) = &*self.held().borrow() {
            return ring.target();
        }
        let ring = self.seals().look(self, true)?;
        self.held().replace(Some(Arc::clone(&ring)));
        ring.target()
    }

    /// Runs a statement whose first parameters are the values of a row of `table`, which are sealed on their way.
    pub(crate) fn execute_row(&self, table: &Table, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        if !table.is_sealed() {
            return self.execute(sql, values);
        }
        let sealed = self.target()?.seal(table, values)?;
        self.execute(sql, &sealed.over(values))
    }

    /// Runs a query whose rows say nothing.
    pub(crate) fn run(&self, sql: &str, params: &[Value<'_>]) -> Result<()> {
        self.query(sql, params, &mut |_| Ok(Flow::Continue(())))
    }

    /// The one integer of a query that always has one.
    pub(crate) fn integer(&self, sql: &str, params: &[Value<'_>]) -> Result<i64> {
        let found = self.first(sql, params, |row| Ok(if let Value::Int(n) = row.get(0) { n } else { 0 }))?;
        Ok(found.unwrap_or(0))
    }
}

/// The right to do some work, held by one process at a time until it is dropped. A crash releases it.
pub(crate) struct Turn(#[allow(dead_code, reason = "held for its drop")] Box<dyn Any>);

/// Locks without caring whether another thread panicked while it held the lock: what it guards is replaced
/// whole or rolled back, never left half changed.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One database of a store: it decides where a call runs.
pub(crate) struct Database {
    engine: Owned<Engine>,
    closed: AtomicBool,
    reach: Arc<Reach>,
}

enum Engine {
    Sqlite(Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

/// Does the same with whichever engine it is.
macro_rules! either {
    ($database:expr, $engine:ident => $do:expr) => {
        match &*$database.engine {
            Engine::Sqlite($engine) => $do,
            #[cfg(feature = "postgres")]
            Engine::Postgres($engine) => $do,
        }
    };
}

impl Database {
    pub(crate) fn sqlite(engine: Sqlite) -> Arc<Self> {
        let which = engine.file().database;
        Self::new(Engine::Sqlite(engine), which)
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn postgres(engine: Postgres) -> Arc<Self> {
        Self::new(Engine::Postgres(engine), entity::Database::Data)
    }

    fn new(engine: Engine, which: entity::Database) -> Arc<Self> {
        let (engine, closed) = (Owned::new(engine), AtomicBool::new(false));
        Arc::new(Database { engine, closed, reach: Arc::new(Reach::of(which)) })
    }

    /// Fails when the store is closed, or was opened by the parent of this process.
    pub(crate) fn usable(&self) -> Result<()> {
        if self.is_forked() {
            return Err(fork::used_in_child());
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(queue::closed());
        }
        Ok(())
    }

    /// Whether the parent of this process opened it.
    pub(crate) fn is_forked(&self) -> bool {
        !self.engine.process().is_current()
    }

    /// Runs a read on the caller's thread. Everything `f` reads is of one moment only inside [`Self::snapshot`].
    pub(crate) fn read<T>(&self, f: impl FnMut(&dyn Conn) -> Result<T>) -> Result<T> {
        self.usable()?;
        either!(self, engine => engine.read(f))
    }

    /// Runs a read that may take minutes, with no time-out. `go_on` is asked now and then whether it shall; a server's
    /// statement is not interrupted by that.
    pub(crate) fn long_read<T: Send>(
        &self,
        f: impl FnOnce(&dyn Conn) -> Result<T> + Send,
        go_on: &mut dyn FnMut() -> Flow,
    ) -> Result<T> {
        self.usable()?;
        match &*self.engine {
            Engine::Sqlite(engine) => engine.long_read(f, go_on),
            #[cfg(feature = "postgres")]
            Engine::Postgres(engine) => {
                if go_on().is_break() {
                    return Err(Error::new(Kind::Cancelled, "stopped on request"));
                }
                engine.alone(f)
            }
        }
    }

    /// Counts a read that has ended.
    pub(crate) fn observe<T>(&self, operation: &'static str, out: Result<T>) -> Result<T> {
        observe::operation(operation, &self.reach, &out);
        out
    }

    /// Runs a read that sees one moment of the database, however long it takes and whoever writes meanwhile.
    pub(crate) fn snapshot<T>(&self, f: impl FnOnce(&dyn Conn) -> Result<T>) -> Result<T> {
        self.usable()?;
        either!(self, engine => engine.snapshot(f))
    }

    /// Has a connection to itself for work of many transactions; `f` begins and ends them. On SQLite other writers wait.
    pub(crate) fn alone<T>(&self, f: impl FnOnce(&dyn Conn) -> Result<T>) -> Result<T> {
        self.usable()?;
        match &*self.engine {
            Engine::Sqlite(engine) => engine.writer().with_conn(|conn| f(conn)),
            #[cfg(feature = "postgres")]
            Engine::Postgres(engine) => engine.alone(f),
        }
    }

    /// Has a transaction of its own that fills tables. It begins when `f` says so.
    pub(crate) fn bulk<T>(&self, f: impl FnOnce(&mut dyn Bulk) -> Result<T>) -> Result<T> {
        self.usable()?;
        either!(self, engine => engine.bulk(f))
    }

    /// Prepares a write: `f` runs inside a transaction that it may share with other writes. It may run more
    /// than once, when another write of the same group fails half way.
    pub(crate) fn write<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        f: impl FnMut(&dyn Conn) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        Pending::new(Arc::clone(self), operation, f)
    }

    /// Prepares a write that an engine may do together with others of its kind.
    pub(crate) fn write_shared<S: Sharable>(
        self: &Arc<Self>,
        operation: &'static str,
        item: S,
    ) -> Pending<S::Out> {
        Pending::shared(Arc::clone(self), operation, item)
    }

    /// Queues a job and returns when it is answered, or when somebody else is at it.
    fn run(&self, job: Box<dyn Job>, answered: &dyn Fn() -> bool) -> Result<()> {
        self.usable()?;
        either!(self, engine => engine.writer().run(job, answered))
    }

    fn queue(&self) -> Result<&Queue> {
        self.usable()?;
        Ok(either!(self, engine => engine.queue()))
    }

    /// Queues a job if there is room; else gives it back and wakes `waker` when there is.
    fn submit_or_wake(&self, job: Box<dyn Job>, waker: &Waker) -> Result<Option<Box<dyn Job>>> {
        self.queue()?.push_or_wake(job, waker)
    }

    /// The engine, where it is SQLite.
    pub(crate) fn as_sqlite(&self) -> Option<&Sqlite> {
        match &*self.engine {
            Engine::Sqlite(engine) => Some(engine),
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => None,
        }
    }

    /// The engine, where it is PostgreSQL.
    #[cfg(feature = "postgres")]
    pub(crate) fn as_postgres(&self) -> Option<&Postgres> {
        match &*self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(engine) => Some(engine),
        }
    }

    /// Connections that are open to a server, and the most there may be; `None`: there is no server.
    pub(crate) fn connections(&self) -> Option<(u64, u64)> {
        match &*self.engine {
            Engine::Sqlite(_) => None,
            #[cfg(feature = "postgres")]
            Engine::Postgres(engine) => Some(engine.connections()),
        }
    }

    /// Whether the disk is behind with what was written. Work that can wait should.
    pub(crate) fn is_behind(&self) -> bool {
        self.as_sqlite().is_some_and(|engine| engine.writer().is_behind())
    }

    /// What its engine does differently.
    pub(crate) fn dialect(&self) -> Dialect {
        match &*self.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Engine::Postgres(engine) => Dialect::Postgres { partitioned: engine.is_partitioned() },
        }
    }

    /// Has work to itself that only one process may do at a time; `None`: another one is at it.
    pub(crate) fn turn(&self, work: &'static str) -> Result<Option<Turn>> {
        self.usable()?;
        either!(self, engine => engine.turn(work))
    }

    /// Rids the database, as far as a client can, of what was deleted or written over. With `rebuild` the tables with
    /// secrets are written anew. False: others use what has to go.
    pub(crate) fn clean(&self, rebuild: bool) -> Result<bool> {
        if let Some(sqlite) = self.as_sqlite() {
            return sqlite.file().clean(rebuild);
        }
        let sealed = entity::tables_of(entity::Database::Data).filter(|t| rebuild && t.is_sealed());
        let statements: Vec<String> = sealed.filter_map(|t| self.dialect().clean(t)).collect();
        self.alone(|conn| statements.iter().try_for_each(|sql| conn.run(sql, &[])))?;
        Ok(true)
    }

    /// Its keys.
    pub(crate) fn seals(&self) -> &Arc<Seals> {
        either!(self, engine => engine.seals())
    }

    /// Where the database is, for people.
    pub(crate) fn shown(&self) -> String {
        either!(self, engine => engine.shown())
    }

    /// Ends the database: what is queued is written first. A second call does nothing.
    pub(crate) fn close(&self) -> Result<()> {
        if self.is_forked() || self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        either!(self, engine => engine.close())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; what was acknowledged is durable already.
        let _ = self.close();
    }
}
