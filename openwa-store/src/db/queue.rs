//! The bounded queue of writes that wait for their commit. Each engine has a writer that takes *groups* from it:
//! what is there goes into one transaction, which costs one sync for all of them.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::{Conn, lock};
use crate::error::{Error, Kind, Result};

/// One write in the queue.
pub(crate) trait Job: Send {
    /// Does the work inside the open transaction; may be called again after a rollback. False: it failed.
    fn run(&mut self, conn: &dyn Conn) -> bool;

    /// The part of this write that an engine may do together with that of others; `None`: it stands alone.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    fn shared(&mut self) -> Option<(Together, &mut (dyn Any + Send))>;

    /// Takes the result out of the shared part after [`Together`] was run. False: it failed.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    fn collect(&mut self) -> bool;

    /// Answers the caller, once: with its own result, or with the reason why the whole group failed.
    fn finish(&mut self, failed: Option<&Error>);
}

/// Runs writes of one kind with statements that serve all of them. Each gets its own result; an error is one of the
/// database, after which the transaction is worth nothing.
pub(crate) type Together = fn(&dyn Conn, &mut [&mut (dyn Any + Send)]) -> Result<()>;

/// How much may wait, and how much goes into one commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) queue: usize,
    pub(crate) group: usize,
}

/// How long a leader waits for the callers it has just answered to come back with their next write. Without
/// it, the first to return would commit alone while all the others wait for that commit.
const GATHER: Duration = Duration::from_micros(200);

/// Writes for one transaction.
#[cfg(feature = "postgres")]
pub(super) struct Group {
    pub(super) jobs: Vec<Box<dyn Job>>,
    in_order: bool,
}

/// A write in the queue.
struct Waiting {
    job: Box<dyn Job>,
    /// Its caller waits for it and has no other under way, so it may be done beside any other.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    free: bool,
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
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Waiting>,
    /// A group whose order counts is under way.
    #[cfg(feature = "postgres")]
    in_order: bool,
    /// Futures that wait for room.
    waiting: Vec<Waker>,
    /// Background threads that wait for work.
    sleepers: usize,
    closed: bool,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        let (work, room) = (Condvar::new(), Condvar::new());
        Queue { state: Mutex::default(), work, room, last_group: AtomicUsize::new(1), limits }
    }

    /// Queues a job, waiting for room. `wake`: a background thread shall see to it. `free`: its caller waits for it and has
    /// no other under way, so it may be done beside any other.
    pub(super) fn push(&self, job: Box<dyn Job>, wake: bool, free: bool) -> Result<()> {
        let mut state = lock(&self.state);
        while state.jobs.len() >= self.limits.queue && !state.closed {
            self.work.notify_one();
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(closed());
        }
        self.append(state, Waiting { job, free }, wake);
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
        self.append(state, Waiting { job, free: false }, true);
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
        self.append(state, Waiting { job, free: false }, true);
        Ok(None)
    }

    fn append(&self, mut state: MutexGuard<'_, State>, job: Waiting, wake: bool) {
        state.jobs.push_back(job);
        let wake = wake && state.sleepers > 0;
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    pub(super) fn wake_background_if_needed(&self) {
        let state = lock(&self.state);
        if !state.jobs.is_empty() && state.sleepers > 0 {
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
            state = self.sleep(state);
        }
        true
    }

    fn sleep<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.sleepers += 1;
        state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.sleepers -= 1;
        state
    }

    /// Sleeps until there is a group for one of several writers, and takes it. Of writes whose order counts only one group
    /// is under way at a time; [`done`](Self::done) says that it is no more. `None`: the queue is closed and empty.
    #[cfg(feature = "postgres")]
    pub(super) fn next_group(&self) -> Option<Group> {
        loop {
            let mut state = lock(&self.state);
            loop {
                match state.jobs.front() {
                    None if state.closed => return None,
                    Some(first) if first.free || !state.in_order => break,
                    _ => state = self.sleep(state),
                }
            }
            drop(state);
            self.gather();
            let mut state = lock(&self.state);
            let Some(free) = state.jobs.front().map(|first| first.free) else { continue };
            if !free && state.in_order {
                continue;
            }
            state.in_order |= !free;
            let run = state.jobs.iter().take(self.limits.group).take_while(|w| w.free == free).count();
            return Some(Group { jobs: self.take(state, run), in_order: !free });
        }
    }

    /// A group from [`next_group`](Self::next_group) has its answers.
    #[cfg(feature = "postgres")]
    pub(super) fn done(&self, group: &Group) {
        if group.in_order {
            lock(&self.state).in_order = false;
            self.work.notify_one();
        }
    }

    /// What is queued, up to the size of a group, after giving the callers of the last one a moment to come back.
    pub(super) fn take_group(&self) -> Vec<Box<dyn Job>> {
        self.gather();
        let state = lock(&self.state);
        let count = state.jobs.len().min(self.limits.group);
        self.take(state, count)
    }

    fn take(&self, mut state: MutexGuard<'_, State>, count: usize) -> Vec<Box<dyn Job>> {
        let was_full = state.jobs.len() >= self.limits.queue;
        let group: Vec<_> = state.jobs.drain(..count).map(|w| w.job).collect();
        if was_full {
            self.room.notify_all();
        }
        state.waiting.drain(..).for_each(Waker::wake);
        drop(state);
        if !group.is_empty() {
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
        while lock(&self.state).jobs.len() < expected && start.elapsed() < GATHER {
            std::thread::yield_now();
        }
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
