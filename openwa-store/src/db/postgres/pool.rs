//! A small, bounded set of connections that this store's threads share.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::conn::PgConn;
use super::direct::{self, Prepared};
use super::line::Line;
use super::{Core, failure};
use crate::db::lock;
use crate::error::{Error, Kind, Result};

/// How long one waits between two tries to reach a server that does not answer.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
    freed: Condvar,
}

/// A connection, and how it marks its commits.
pub(super) struct Link {
    pub(super) line: Line,
    /// Names the connection in `openwa_writers`.
    writer: Uuid,
    /// Transactions that it has begun to write.
    begun: Cell<i64>,
    /// The server's process, if nothing stands between; statements may stay prepared there.
    pub(super) process: Option<i32>,
    pub(super) prepared: RefCell<Prepared>,
}

/// One transaction of one connection. It is left behind in `openwa_writers` if the transaction is kept. The server's own
/// numbers of transactions would not do: after a crash it may give one that was lost to another transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) writer: Uuid,
    pub(super) number: i64,
}

impl Link {
    fn new(line: Line) -> Self {
        Link {
            line,
            writer: Uuid::now_v7(),
            begun: Cell::new(0),
            process: None,
            prepared: RefCell::default(),
        }
    }

    /// The mark of the next transaction.
    pub(super) fn next_mark(&self) -> Mark {
        self.begun.set(self.begun.get() + 1);
        Mark { writer: self.writer, number: self.begun.get() }
    }
}

#[derive(Default)]
struct State {
    idle: VecDeque<Link>,
    /// Connections that exist or are being made.
    open: u32,
    closed: bool,
}

impl Pool {
    /// A connection of one's own, which goes back when it is dropped. Waits for a free one, and for a server that does
    /// not answer, until `deadline`.
    pub(super) fn lease(&self, core: &Arc<Core>, deadline: Instant) -> Result<PgConn> {
        loop {
            match self.lease_now(core, deadline) {
                Ok(conn) => return Ok(conn),
                Err(e) if e.kind() != Kind::Unavailable || Instant::now() + RETRY > deadline => {
                    return Err(e);
                }
                Err(_) => std::thread::sleep(RETRY),
            }
        }
    }

    /// Like [`lease`](Self::lease), with one try to reach the server.
    pub(super) fn lease_now(&self, core: &Arc<Core>, deadline: Instant) -> Result<PgConn> {
        self.take(core, deadline).map(|link| PgConn::new(Arc::clone(core), link))
    }

    fn take(&self, core: &Arc<Core>, deadline: Instant) -> Result<Link> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return Err(Error::new(Kind::Closed, "the store is closed"));
            }
            while let Some(link) = state.idle.pop_back() {
                if !link.line.is_closed() {
                    return Ok(link);
                }
                state.open -= 1;
            }
            if state.open < core.options.max_connections.max(1) {
                state.open += 1;
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!(
                    "all {} connections of this store are in use; raise max_connections or try again",
                    core.options.max_connections
                );
                return Err(Error::new(Kind::Timeout, text));
            }
            state = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        let made = self.connect(core, deadline);
        if made.is_err() {
            self.forget();
        }
        made
    }

    fn connect(&self, core: &Arc<Core>, deadline: Instant) -> Result<Link> {
        let mut link = Link::new(core.connector.connect(deadline)?);
        if core.may_prepare() {
            let asked = link.line.wait(direct::process(&link.line.client), Some(deadline));
            let late = || failure::lost("the server does not say in time which process answers");
            link.process = asked.ok_or_else(late)?.map_err(failure::failure)?;
        }
        Ok(link)
    }

    /// Connections that exist or are being made.
    pub(super) fn open(&self) -> u32 {
        lock(&self.state).open
    }

    /// Gives a connection back that is in order.
    pub(super) fn put_back(&self, link: Link) {
        let mut state = lock(&self.state);
        if state.closed || link.line.is_closed() {
            state.open -= 1;
        } else {
            state.idle.push_back(link);
        }
        drop(state);
        self.freed.notify_one();
    }

    /// One connection fewer.
    pub(super) fn forget(&self) {
        lock(&self.state).open -= 1;
        self.freed.notify_one();
    }

    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.open -= u32::try_from(state.idle.len()).unwrap_or(0);
        state.idle.clear();
        self.freed.notify_all();
    }
}
