//! Threads for what blocks: reads, opening, closing. Not Node's own four, which every file access and name lookup of
//! the host shares: a slow database would hold all of those up.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

type Job = Box<dyn FnOnce() + Send>;

/// The most threads. Reads of SQLite seldom wait, so more would not help; those of a server that is slow may take all.
const THREADS: usize = 8;
/// How long a thread looks out for more work before it sleeps. A host that awaits one page after the other has the next
/// question ready by then, and waking a thread costs about as much as a page.
const AWAKE: Duration = Duration::from_micros(100);
/// How long a thread sleeps waiting for more work before it ends.
const IDLE: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
pub struct Pool(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Pool {
    /// Runs `job` on one of the threads, as soon as one is free.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.0.lock();
        state.jobs.push_back(Box::new(job));
        if state.idle >= state.jobs.len() || state.threads == THREADS {
            drop(state);
            self.0.work.notify_one();
            return;
        }
        state.threads += 1;
        drop(state);
        let shared = Arc::clone(&self.0);
        if std::thread::Builder::new().name("openwa-read".to_owned()).spawn(move || shared.work()).is_err() {
            // The others, if there are any, will come to it. The first one must exist.
            let mut state = self.0.lock();
            state.threads -= 1;
            if state.threads == 0 {
                let job = state.jobs.pop_back();
                drop(state);
                job.into_iter().for_each(|job| job());
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a moment for more work, without sleeping.
    fn look_out(&self) -> MutexGuard<'_, State> {
        let start = Instant::now();
        loop {
            let state = self.lock();
            if !state.jobs.is_empty() || start.elapsed() >= AWAKE {
                return state;
            }
            drop(state);
            std::thread::yield_now();
        }
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = self.lock();
            }
            state.idle += 1;
            drop(state);
            state = self.look_out();
            let mut over = false;
            if state.jobs.is_empty() {
                let slept = self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
                over = slept.1.timed_out();
                state = slept.0;
            }
            state.idle -= 1;
            if over && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}
