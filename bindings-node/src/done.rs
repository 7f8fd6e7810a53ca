//! What has happened and JavaScript has not heard of yet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use openwa_store::face::{Progress, Value};
use openwa_store::{Result, Store};

/// Calls JavaScript's `wake`. Weak: it does not keep the process alive.
pub type Bell = ThreadsafeFunction<(), (), (), napi::Status, false, true, 0>;

/// One thing that happened to the call of this number.
pub enum Event {
    /// A write has its answer; its ticket holds it.
    Ready,
    /// Anything else has its answer.
    Finished(Result<Value>),
    /// A store is open.
    Opened(Result<Store>),
    /// A long call has come this far.
    Progress(Progress),
}

/// Events in their order. The bell rings once for as many as come before JavaScript takes them.
pub struct Done {
    events: Mutex<VecDeque<(u32, Event)>>,
    bell: Bell,
}

impl Done {
    pub fn new(bell: Bell) -> Arc<Self> {
        Arc::new(Done { events: Mutex::default(), bell })
    }

    pub fn push(&self, call: u32, event: Event) {
        let mut events = self.lock();
        let first = events.is_empty();
        events.push_back((call, event));
        drop(events);
        if first {
            // When the process is ending there is nobody left to hear it.
            let _ = self.bell.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Takes up to `limit` events. Whoever leaves some behind must come back for them: the bell rings only for the
    /// first of an empty list.
    pub fn take(&self, limit: usize) -> Vec<(u32, Event)> {
        let mut events = self.lock();
        let n = events.len().min(limit);
        events.drain(..n).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Tells that the write of this number is answered.
    pub fn waker(self: &Arc<Self>, call: u32) -> Waker {
        Waker::from(Arc::new(Answered { call, done: Arc::clone(self) }))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u32, Event)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Answered {
    call: u32,
    done: Arc<Done>,
}

impl Wake for Answered {
    fn wake(self: Arc<Self>) {
        self.done.push(self.call, Event::Ready);
    }
}
