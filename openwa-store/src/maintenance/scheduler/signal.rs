//! How the runner's thread is woken and told to stop, and how others hear that it has ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::db::lock;

#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
    /// The same as in the state, for jobs that ask often.
    stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    stopped: bool,
    woken: bool,
    ended: bool,
}

impl Signal {
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        lock(&self.state).stopped = true;
        self.changed.notify_all();
    }

    pub(super) fn wake(&self) {
        lock(&self.state).woken = true;
        self.changed.notify_all();
    }

    pub(super) fn end(&self) {
        lock(&self.state).ended = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Sleeps until it is woken or told to stop, at most for `time`.
    pub(super) fn sleep(&self, time: Duration) {
        let state = lock(&self.state);
        let waits = |state: &mut State| !state.stopped && !state.woken;
        let waited = self.changed.wait_timeout_while(state, time, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.woken = false;
    }

    /// Waits until the thread has ended, at most for `time`. False: it has not.
    pub(super) fn has_ended_within(&self, time: Duration) -> bool {
        let state = lock(&self.state);
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }
}
