//! The bounded queue of writes that wait for their commit. Each engine has a writer that takes *groups* from it:
//! what is there goes into one transaction, which costs one sync for all of them.
//!
//! A second group may be under way beside the first if nobody could tell: while all writes are of callers that wait for
//! them (what one thread only submitted stays in its order) and are such as an engine does together with others.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::lanes::Lanes;
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
    limits: Limits,
    database: Database,
    /// How long a leader waits for the callers it has just answered to come back with their next write. Without it, the
    /// first to return would commit alone while all the others wait for that commit.
    patience: Duration,
}

struct State {
    jobs: VecDeque<Queued>,
    /// Writes, queued or under way, beside which there is no second group.
    ordered: usize,
    /// Groups that are gathered or under way, and the writes in those under way.
    groups: usize,
    under_way: usize,
    /// Size of the last group.
    last_group: usize,
    lanes: Lanes,
    /// Futures that wait for room.
    waiting: Vec<Waker>,
    background_sleeps: bool,
    closed: bool,
}

struct Queued {
    job: Box<dyn Job>,
    ordered: bool,
}

/// How many writes it takes for each of two groups.
const CROWD: usize = 16;

impl State {
    /// Whether there is something to take, and it may be taken.
    fn may_lead(&self) -> bool {
        !self.jobs.is_empty() && (self.groups == 0 || self.groups < self.lanes.count() && self.is_crowd())
    }

    /// Whether there are enough writes for two groups, and none that may not be in one of them.
    fn is_crowd(&self) -> bool {
        self.ordered == 0 && self.jobs.len() + self.under_way >= 2 * CROWD
    }
}

/// A group's place among those under way; when it is dropped, the next may come.
struct Place<'a> {
    queue: &'a Queue,
    writes: usize,
    ordered: usize,
    crowd: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.queue.state);
        if self.writes > 0 {
            state.lanes.end(self.writes, self.crowd);
        }
        state.groups -= 1;
        state.under_way -= self.writes;
        state.ordered -= self.ordered;
        if state.closed {
            self.queue.work.notify_all();
        }
    }
}

impl Queue {
    /// `lanes`: how many groups there may be at once, one or two.
    pub(super) fn new(database: Database, limits: Limits, patience: Duration, lanes: usize) -> Self {
        let state = State {
            jobs: VecDeque::new(),
            ordered: 0,
            groups: 0,
            under_way: 0,
            last_group: 1,
            lanes: Lanes::new(lanes),
            waiting: Vec::new(),
            background_sleeps: false,
            closed: false,
        };
        let (work, room) = (Condvar::new(), Condvar::new());
        Queue { state: Mutex::new(state), work, room, limits, database, patience }
    }

    /// Queues a job, waiting for room. `wake`: the background thread shall see to it, for its caller does not wait.
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

    fn append(&self, mut state: MutexGuard<'_, State>, mut job: Box<dyn Job>, wake: bool) {
        let ordered = wake || job.shared().is_none();
        state.ordered += usize::from(ordered);
        state.jobs.push_back(Queued { job, ordered });
        // Whoever leads sees to it that somebody does after him.
        let wake = wake && state.background_sleeps && state.may_lead();
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    pub(super) fn wake_background_if_needed(&self) {
        let state = lock(&self.state);
        if state.may_lead() && state.background_sleeps {
            self.work.notify_one();
        }
    }

    /// Sleeps until there is work. False: the queue is closed and empty.
    pub(super) fn wait_for_work(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.may_lead() {
            if state.closed && state.jobs.is_empty() {
                return false;
            }
            state.background_sleeps = true;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.background_sleeps = false;
        }
        true
    }

    /// Takes a group, what is queued up to the size of one, and has `work` see it to its answers. False: there was none
    /// to take.
    pub(super) fn lead(&self, work: impl FnOnce(Vec<Box<dyn Job>>)) -> bool {
        let mut state = lock(&self.state);
        if !state.may_lead() {
            return false;
        }
        if state.groups == 0 {
            state.lanes.begin();
        }
        state.groups += 1;
        let mut place = Place { queue: self, writes: 0, ordered: 0, crowd: false };
        let mut state = self.gather(state);
        if state.jobs.is_empty() || state.groups > 1 && state.ordered > 0 {
            // The other group has taken all, or something came that allows no second one.
            drop(state);
            return false;
        }
        let waited = state.jobs.len();
        let mut take = waited.min(self.limits.group);
        place.crowd = state.is_crowd();
        if place.crowd && state.lanes.count() > 1 {
            take = take.min((waited + state.under_way).div_ceil(2));
        }
        let mut group = Vec::with_capacity(take);
        for Queued { job, ordered } in state.jobs.drain(..take) {
            place.ordered += usize::from(ordered);
            group.push(job);
        }
        place.writes = take;
        state.under_way += take;
        state.last_group = take;
        if waited >= self.limits.queue {
            self.room.notify_all();
        }
        state.waiting.drain(..).for_each(Waker::wake);
        drop(state);
        observe::queue(self.database, waited);
        work(group);
        true
    }

    /// Gives the callers of the last group a moment to come back, or as many as are under way, so that two groups are of
    /// one size.
    fn gather<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let mut start = None;
        loop {
            let expected = if state.under_way > 0 { state.under_way } else { state.last_group };
            if state.jobs.len() >= expected.min(self.limits.group)
                || start.get_or_insert_with(Instant::now).elapsed() >= self.patience
            {
                return state;
            }
            drop(state);
            std::thread::yield_now();
            state = lock(&self.state);
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

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// After [`close`](Self::close): waits until every group has its answers.
    #[cfg(feature = "postgres")]
    pub(super) fn wait_until_done(&self) {
        let mut state = lock(&self.state);
        while state.groups > 0 || !state.jobs.is_empty() {
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

pub(super) fn closed() -> Error {
    Error::new(Kind::Closed, "the store is closed")
}
