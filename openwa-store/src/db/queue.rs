//! The bounded queue of writes that wait for their commit. Each engine has a writer that takes *groups* from it:
//! what is there goes into one transaction, which costs one sync for all of them.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::{Conn, lock};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::observe;

/// One write in the queue.
pub(crate) trait Job: Send {
    /// Does the work inside the open transaction; may be called again after a rollback. False: it failed.
    fn run(&mut self, conn: &dyn Conn) -> bool;

    /// The part of this write that an engine may do together with that of others; `None`: it stands alone.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    fn shared(&mut self) -> Option<(Together, &mut (dyn Any + Send))>;

    /// Takes the result out of the shared part after [`Together`] was run. False: there is none.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    fn collect(&mut self) -> bool;

    /// Answers the caller, once: with its own result, or with the reason why the whole group failed.
    fn finish(&mut self, failed: Option<&Error>);
}

/// Does writes of one kind with statements that serve all of them. Each gets its own result; an error is one of the
/// database, after which the transaction is worth nothing.
#[derive(Clone, Copy)]
pub(crate) struct Together {
    /// Does for one what need not wait for its turn, on the thread of the caller.
    pub(crate) ready: fn(&mut (dyn Any + Send)),
    /// Does all of them.
    pub(crate) run: fn(&dyn Conn, &mut [&mut (dyn Any + Send)]) -> Result<()>,
    /// Does and keeps those that a single round trip is enough for, and leaves the others without a result.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    pub(crate) at_once: fn(&dyn Conn, &mut [&mut (dyn Any + Send)]) -> Result<()>,
}

/// How much may wait, and how much goes into one commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) queue: usize,
    pub(crate) group: usize,
}

pub(super) struct Queue {
    state: Mutex<State>,
    /// The background thread waits here for work.
    work: Condvar,
    /// Callers wait here for room.
    room: Condvar,
    /// Size of the last group.
    last_group: AtomicUsize,
    limits: Limits,
    database: Database,
    /// How long a leader waits for the callers it has just answered to come back with their next write. Without it, the
    /// first to return would commit alone while all the others wait for that commit.
    patience: Duration,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn Job>>,
    /// Futures that wait for room.
    waiting: Vec<Waker>,
    background_sleeps: bool,
    closed: bool,
}

impl Queue {
    pub(super) fn new(database: Database, limits: Limits, patience: Duration) -> Self {
        let (work, room) = (Condvar::new(), Condvar::new());
        Queue {
            state: Mutex::default(),
            work,
            room,
            last_group: AtomicUsize::new(1),
            limits,
            database,
            patience,
        }
    }

    /// Queues a job, waiting for room. `wake`: the background thread shall see to it.
    pub(super) fn push(&self, job: Box<dyn Job>, wake: bool) -> Result<()> {
        let mut state = lock(&self.state);
        while state.jobs.len() >= self.limits.queue && !state.closed {
            self.work.notify_one();
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(closed());
        }
        self.append(state, job, wake);
        Ok(())
    }

    /// Queues a job if there is room, else gives it back.
    pub(super) fn try_push(&self, job: Box<dyn Job>) -> Result<(), (Box<dyn Job>, Error)> {
        let state = lock(&self.state);
        if state.closed {
            return Err((job, closed()));
        }
        if state.jobs.len() >= self.limits.queue {
            let text = format!("{} writes are waiting already; try again in a moment", state.jobs.len());
            return Err((job, Error::new(Kind::QueueFull, text)));
        }
        self.append(state, job, true);
        Ok(())
    }

    /// Queues a job if there is room; else gives it back and wakes `waker` when there is.
    pub(super) fn push_or_wake(&self, job: Box<dyn Job>, waker: &Waker) -> Result<Option<Box<dyn Job>>> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(closed());
        }
        if state.jobs.len() >= self.limits.queue {
            state.waiting.push(waker.clone());
            return Ok(Some(job));
        }
        self.append(state, job, true);
        Ok(None)
    }

    fn append(&self, mut state: MutexGuard<'_, State>, job: Box<dyn Job>, wake: bool) {
        state.jobs.push_back(job);
        let wake = wake && state.background_sleeps;
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    pub(super) fn wake_background_if_needed(&self) {
        let state = lock(&self.state);
        if !state.jobs.is_empty() && state.background_sleeps {
            self.work.notify_one();
        }
    }

    /// Sleeps until there is work. False: the queue is closed and empty.
    pub(super) fn wait_for_work(&self) -> bool {
        let mut state = lock(&self.state);
        while state.jobs.is_empty() {
            if state.closed {
                return false;
            }
            state.background_sleeps = true;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.background_sleeps = false;
        }
        true
    }

    /// What is queued, up to the size of a group, after giving the callers of the last one a moment to come back.
    pub(super) fn take_group(&self) -> Vec<Box<dyn Job>> {
        self.gather();
        let mut state = lock(&self.state);
        let was_full = state.jobs.len() >= self.limits.queue;
        let waited = state.jobs.len();
        let take = waited.min(self.limits.group);
        let group: Vec<_> = state.jobs.drain(..take).collect();
        if was_full {
            self.room.notify_all();
        }
        state.waiting.drain(..).for_each(Waker::wake);
        drop(state);
        if !group.is_empty() {
            observe::queue(self.database, waited);
            self.last_group.store(group.len(), Ordering::Relaxed);
        }
        group
    }

    fn gather(&self) {
        let expected = self.last_group.load(Ordering::Relaxed).min(self.limits.group);
        if expected < 2 {
            return;
        }
        let start = Instant::now();
        while lock(&self.state).jobs.len() < expected && start.elapsed() < self.patience {
            std::thread::yield_now();
        }
    }

    /// Commits a group by `commit`, and tells of it.
    pub(super) fn committing<T>(&self, writes: usize, commit: impl FnOnce() -> T) -> T {
        let (_span, start) = (observe::committing(self.database, writes), Instant::now());
        let out = commit();
        observe::committed(self.database, writes, start.elapsed());
        out
    }

    /// Takes no more jobs; what is queued is still to be done.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.waiting.drain(..).for_each(Waker::wake);
        self.work.notify_all();
        self.room.notify_all();
    }
}

pub(super) fn closed() -> Error {
    Error::new(Kind::Closed, "the store is closed")
}
