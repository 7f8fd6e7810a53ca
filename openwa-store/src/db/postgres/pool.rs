//! A small, bounded set of connections that this store's threads share.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use super::conn::PgConn;
use super::{Core, failure};
use crate::db::lock;
use crate::db::ticket::block_on;
use crate::error::{Error, Kind, Result};

/// How long one waits between two tries to reach a server that does not answer.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: VecDeque<Client>,
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
        self.take(core, deadline).map(|client| PgConn::new(Arc::clone(core), client))
    }

    fn take(&self, core: &Arc<Core>, deadline: Instant) -> Result<Client> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return Err(Error::new(Kind::Closed, "the store is closed"));
            }
            while let Some(client) = state.idle.pop_back() {
                if !client.is_closed() {
                    return Ok(client);
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

    fn connect(&self, core: &Arc<Core>, deadline: Instant) -> Result<Client> {
        let task = core.handle.spawn(Arc::clone(&core.connector).connect(core.handle.clone()));
        match block_on(task, Some(deadline)) {
            Some(Ok(made)) => made,
            Some(Err(e)) => Err(failure::lost(e)),
            None => Err(Error::new(Kind::Unavailable, "the PostgreSQL server does not answer in time")
                .with("server", core.connector.shown())),
        }
    }

    /// Gives a connection back that is in order.
    pub(super) fn put_back(&self, client: Client) {
        let mut state = lock(&self.state);
        if state.closed || client.is_closed() {
            state.open -= 1;
        } else {
            state.idle.push_back(client);
        }
        drop(state);
        self.freed.notify_one();
    }

    /// One connection fewer.
    pub(super) fn forget(&self) {
        lock(&self.state).open -= 1;
        self.freed.notify_one();
    }

    /// Leaves the connections as they are, for ever.
    pub(super) fn leak(&self) {
        std::mem::forget(std::mem::take(&mut lock(&self.state).idle));
    }

    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.open -= u32::try_from(state.idle.len()).unwrap_or(0);
        state.idle.clear();
        self.freed.notify_all();
    }
}
