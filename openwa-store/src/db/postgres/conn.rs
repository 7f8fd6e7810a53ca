//! One connection, used by one thread at a time.
//!
//! Every statement is one round trip: its text, the types of its parameters and their values go out together and
//! nothing is left prepared. That is right behind a pooler, where each transaction may meet another server
//! connection. On a connection that is proved to be [direct](super::direct) statements are prepared, and a read is a
//! transaction as well. A transaction begins together with its first statement.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::direct;
use super::pool::{Link, Mark};
use super::statement::bound;
use super::{Core, failure};
use crate::db::{Conn, Dialect, Flow, Query, Ring, Seals};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::time::Timestamp;
use crate::value::{Row, Value};

/// Where a connection is in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Outside.
    Idle,
    /// It shall begin with the next statement.
    Wanted,
    /// Inside.
    Open,
    /// Inside, but a statement failed: nothing of it will be kept.
    Spoiled,
    /// The connection is no more.
    Lost,
}

pub(crate) struct PgConn {
    pub(super) core: Arc<Core>,
    pub(super) link: Option<Link>,
    pub(super) stage: Cell<Stage>,
    /// How the transaction begins.
    begin: Cell<Begin>,
    /// What the transaction leaves behind, by which its end can be found out when the answer is lost.
    mark: Cell<Option<Mark>>,
    pub(super) changes: Cell<u64>,
    /// Why the transaction is spoiled.
    fault: RefCell<Option<Error>>,
    deadline: Cell<Option<Instant>>,
    held: RefCell<Option<Arc<Ring>>>,
}

/// How a commit ended.
pub(super) enum Commit {
    Done,
    /// Nothing of it was kept.
    Refused(Error),
    /// The connection was lost: nobody knows. The transaction's mark.
    Unknown(Mark),
}

impl PgConn {
    pub(super) fn new(core: Arc<Core>, link: Link) -> Self {
        PgConn {
            core,
            link: Some(link),
            stage: Cell::new(Stage::Idle),
            begin: Cell::new(Begin::Write),
            mark: Cell::new(None),
            changes: Cell::new(0),
            fault: RefCell::new(None),
            deadline: Cell::new(None),
            held: RefCell::default(),
        }
    }

    /// Statements from here on fail with `Timeout` at `deadline`.
    pub(super) fn limit(&self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
    }

    /// Starts a transaction that sees one moment and does not write.
    pub(super) fn begin_read(&self) {
        self.want(Begin::Read);
    }

    /// Starts one for reads that see a moment each, if statements stay prepared in it. Rows may be moved to another
    /// partition meanwhile, where one that sees an older moment would not find them.
    pub(super) fn begin_reads(&self) {
        if self.is_direct() {
            self.want(Begin::Reads);
        }
    }

    /// Starts a transaction that does nothing for a long time and keeps nobody from anything.
    pub(super) fn begin_idle(&self) {
        self.want(Begin::Idle);
    }

    /// Starts one that writes what shows by itself whether it was kept.
    pub(super) fn begin_unmarked(&self) {
        self.want(Begin::WriteUnmarked);
    }

    fn want(&self, begin: Begin) {
        self.begin.set(begin);
        self.stage.set(Stage::Wanted);
    }

    /// Rows changed so far.
    pub(super) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Why nothing of the transaction will be kept; `None`: it is in order.
    pub(super) fn fault(&self) -> Option<Error> {
        match self.stage.get() {
            Stage::Spoiled | Stage::Lost => {
                Some(self.fault.borrow().as_ref().map_or_else(spoiled, Error::copy))
            }
            _ => None,
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Takes back what came after a savepoint, also after a failure.
    pub(super) fn back_to(&self, savepoint: &str) -> Result<()> {
        let client = self.client()?;
        self.run(client.batch_execute(&format!("ROLLBACK TO {savepoint}; RELEASE {savepoint}")))?;
        // A lock that was taken behind the savepoint is gone as well.
        self.held.take();
        self.fault.borrow_mut().take();
        self.stage.set(Stage::Open);
        Ok(())
    }

    pub(super) fn is_lost(&self) -> bool {
        self.stage.get() == Stage::Lost
    }

    pub(super) fn commit(&self) -> Commit {
        match self.stage.get() {
            Stage::Idle => Commit::Done,
            Stage::Wanted => {
                self.stage.set(Stage::Idle);
                Commit::Done
            }
            Stage::Spoiled | Stage::Lost => {
                let e = self.fault().unwrap_or_else(spoiled);
                // What failed is already known.
                let _ = self.rollback();
                Commit::Refused(e)
            }
            Stage::Open => match self.finish("COMMIT") {
                Ok(()) => Commit::Done,
                Err(e) => match self.mark.get() {
                    Some(mark) if self.is_lost() => Commit::Unknown(mark),
                    _ => Commit::Refused(e),
                },
            },
        }
    }

    fn rollback(&self) -> Result<()> {
        match self.stage.get() {
            Stage::Idle | Stage::Lost => Ok(()),
            Stage::Wanted => {
                self.stage.set(Stage::Idle);
                Ok(())
            }
            Stage::Open if self.begin.get() == Begin::Reads => self.leave(),
            Stage::Open | Stage::Spoiled => self.finish("ROLLBACK"),
        }
    }

    /// Ends a transaction that has only read. Nobody waits for the answer; whoever uses the connection next passes over
    /// it.
    fn leave(&self) -> Result<()> {
        let client = self.client()?;
        let ended = pin!(client.batch_execute("COMMIT")).poll(&mut Context::from_waker(Waker::noop()));
        self.stage.set(Stage::Idle);
        match ended {
            Poll::Ready(Err(e)) => Err(self.note(failure::failure(e))),
            _ => Ok(()),
        }
    }

    fn finish(&self, sql: &str) -> Result<()> {
        let client = self.client()?;
        let out = self.run(client.batch_execute(sql));
        if !self.is_lost() {
            self.stage.set(Stage::Idle);
        }
        out
    }

    pub(super) fn client(&self) -> Result<&Client> {
        let link = self.link.as_ref().filter(|_| !self.is_lost());
        link.map(|link| &link.line.client).ok_or_else(|| failure::lost("it is closed"))
    }

    /// Waits for the server. `None`: the time is over.
    pub(super) fn wait<F: Future>(&self, future: F) -> Option<F::Output> {
        self.link.as_ref()?.line.wait(future, self.deadline.get())
    }

    /// Waits for the server; notes what a failure means for the transaction.
    pub(super) fn run<T>(
        &self,
        future: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        let Some(out) = self.wait(future) else { return Err(self.give_up()) };
        out.map_err(|e| self.note(failure::failure(e)))
    }

    pub(super) fn note(&self, e: Error) -> Error {
        let closed = self.link.as_ref().is_none_or(|link| link.line.is_closed());
        let next = match self.stage.get() {
            _ if closed => Stage::Lost,
            Stage::Open | Stage::Wanted => Stage::Spoiled,
            other => other,
        };
        // A server that goes down says so before the connection ends.
        self.stage.set(if e.kind() == Kind::Unavailable { Stage::Lost } else { next });
        self.settle();
        self.fault.borrow_mut().get_or_insert_with(|| e.copy());
        e.with("database", Database::Data.name())
    }

    /// Whether a pooler takes the server away as soon as it has answered what has been asked so far. It counts what has
    /// come whole: behind a request that has come in part another client would be given its answer.
    pub(super) fn is_exposed(&self) -> bool {
        self.stage.get() == Stage::Idle && !self.is_direct()
    }

    /// After a failure its request may not have ended yet. Waits for that, where the next one would come too early.
    fn settle(&self) {
        if self.is_exposed()
            && let Ok(client) = self.client()
            // So short that it comes whole.
            && self.wait(client.simple_query("")).is_none()
        {
            self.give_up();
        }
    }

    /// The time is over: the server is told to stop, and the connection is not used again.
    pub(super) fn give_up(&self) -> Error {
        if let Some(link) = &self.link {
            self.core.connector.cancel(link.line.client.cancel_token());
        }
        self.stage.set(Stage::Lost);
        Error::new(Kind::Timeout, "the PostgreSQL server took longer than the time-out of the store allows")
    }

    /// Begins a wanted transaction now, for what is not sent through [`send`](Self::send).
    pub(super) fn open(&self) -> Result<&Client> {
        let client = self.client()?;
        if self.stage.get() == Stage::Wanted {
            let began = self.wait(client.simple_query(&self.beginning())).ok_or_else(|| self.give_up())?;
            self.begun(began)?;
        }
        Ok(client)
    }

    /// The transaction has begun, unless it turns out that a pooler moved it to another process of the server, where
    /// other statements may be prepared.
    pub(super) fn begun(
        &self,
        began: std::result::Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>,
    ) -> Result<()> {
        let began = began.map_err(|e| self.note(failure::failure(e)))?;
        self.stage.set(Stage::Open);
        if self.is_direct() && Conn::process(self) != direct::answering(&began) {
            self.core.is_pooled();
            return Err(self.note(failure::lost("the transaction began in another process of the server")));
        }
        Ok(())
    }

    /// Whether statements stay prepared on this connection.
    pub(super) fn is_direct(&self) -> bool {
        Conn::process(self).is_some()
    }

    /// How the wanted transaction begins: one that writes leaves its mark.
    pub(super) fn beginning(&self) -> Cow<'static, str> {
        let begin = self.begin.get();
        let mark = self.link.as_ref().filter(|_| begin == Begin::Write && self.core.readiness.has_tables());
        let mut text = Cow::Borrowed(begin.sql());
        if let Some(mark) = mark.map(Link::next_mark) {
            self.mark.set(Some(mark));
            text.to_mut().push_str("; ");
            text.to_mut().push_str(&mark.leave(self.core.texts.schema(), "excluded.commits"));
        }
        if self.is_direct() {
            text.to_mut().push_str("; ");
            text.to_mut().push_str(direct::WHO);
        }
        text
    }
}

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// It writes, and leaves a mark.
    Write,
    /// It writes what shows by itself whether it was kept.
    WriteUnmarked,
    /// It sees one moment.
    Read,
    /// Each of its reads sees a moment of its own.
    Reads,
    /// It holds a lock.
    Idle,
}

impl Begin {
    const fn sql(self) -> &'static str {
        match self {
            // A lock is waited for as long as on SQLite.
            Begin::Write | Begin::WriteUnmarked => "BEGIN; SET LOCAL lock_timeout = '60s'",
            Begin::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Begin::Reads => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
            // Whoever waits for what it holds is not kept waiting by a host that is gone: the server asks after half
            // a minute.
            Begin::Idle => {
                "BEGIN READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL tcp_keepalives_idle = 30; \
                 SET LOCAL tcp_keepalives_interval = 10; SET LOCAL tcp_keepalives_count = 3"
            }
        }
    }
}

pub(super) fn spoiled() -> Error {
    Error::new(Kind::Internal, "an earlier statement of this transaction failed")
}

impl Mark {
    /// Writes the mark. `commits` is what becomes of a number that is there.
    pub(super) fn leave(self, schema: &str, commits: &str) -> String {
        let Mark { writer, number } = self;
        format!(
            "INSERT INTO {schema}.openwa_writers AS w (id, commits, at) VALUES ('{writer}', {number}, now())
             ON CONFLICT (id) DO UPDATE SET commits = {commits}, at = excluded.at"
        )
    }
}
impl Conn for PgConn {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres { partitioned: self.core.is_partitioned() }
    }

    fn seals(&self) -> &Seals {
        &self.core.seals
    }

    fn held(&self) -> &RefCell<Option<Arc<Ring>>> {
        &self.held
    }

    /// The statements find and make tables in the store's schema. Only inside a transaction.
    fn batch(&self, sql: &str) -> Result<()> {
        let client = self.open()?;
        let sql = format!("SET LOCAL search_path = {}, pg_temp; {sql}", self.core.texts.schema());
        self.run(client.batch_execute(&sql))
    }

    fn begin(&self) -> Result<()> {
        if self.stage.get() != Stage::Idle {
            return Err(Error::new(Kind::Internal, "a transaction is open already"));
        }
        self.mark.set(None);
        self.fault.borrow_mut().take();
        self.held.take();
        self.want(Begin::Write);
        Ok(())
    }

    fn end(&self, keep: bool) -> Result<()> {
        if !keep {
            return self.rollback();
        }
        match self.commit() {
            Commit::Done => Ok(()),
            Commit::Refused(e) => Err(e),
            Commit::Unknown(mark) => self.core.outcome(mark),
        }
    }

    fn make_room(&self, times: &mut dyn Iterator<Item = Timestamp>, now: Timestamp) -> Result<()> {
        self.make_months(times, now)
    }

    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        self.execute_with(sql, bound(params))
    }

    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<Flow>,
    ) -> Result<()> {
        self.each_row(sql, params, each)
    }

    fn process(&self) -> Option<i32> {
        self.link.as_ref().and_then(|link| link.process)
    }

    fn query_all(&self, queries: Vec<Query<'_, '_>>) -> Result<()> {
        self.rows_of_all(queries)
    }

    fn conclude(&self, queries: Vec<Query<'_, '_>>) -> Result<()> {
        self.rows_of_all_kept(queries)
    }
}

impl Drop for PgConn {
    fn drop(&mut self) {
        // A transaction that nobody ended is taken back.
        let _ = self.rollback();
        match self.link.take() {
            Some(link) if self.stage.get() == Stage::Idle => self.core.pool.put_back(link),
            _ => self.core.pool.forget(),
        }
    }
}
