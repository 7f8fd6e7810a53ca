//! Answers on their way to event loops, without a thread per call.
//!
//! A write goes into the writer's queue and is a future. One thread, the *answerer*, is woken for those that are done,
//! takes all of them and hands each event loop its share in one `call_soon_threadsafe`. A read runs on one of a few
//! threads, something long on one of its own; their answers go the same way. Neither the writer nor the readers ever
//! wait for the interpreter's lock.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};

use openwa_store::Result;
use openwa_store::face::{Type, Value};
use pyo3::intern;
use pyo3::prelude::*;

use crate::convert;
use crate::errors::raised;
use crate::once::Once;

/// Threads for reads. They take microseconds, and more threads than cores would only take turns.
const READERS: usize = 4;

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a call ended.
pub enum Answer {
    Store(Result<Value>),
    /// A callback of the host raised.
    Raised(PyErr),
}

/// Where an answer goes: a future of an event loop.
pub struct Promise {
    event_loop: Py<PyAny>,
    future: Py<PyAny>,
    ty: &'static Type,
}

impl Promise {
    /// A promise and its future, for the running event loop.
    pub fn new<'py>(py: Python<'py>, ty: &'static Type) -> PyResult<(Self, Bound<'py, PyAny>)> {
        static RUNNING: Once<Py<PyAny>> = Once::new();
        let running = RUNNING.get_or_try_init(py, || -> PyResult<_> {
            Ok(py.import("asyncio")?.getattr("get_running_loop")?.unbind())
        })?;
        let event_loop = running.bind(py).call0()?;
        let future = event_loop.call_method0(intern!(py, "create_future"))?;
        Ok((Promise { event_loop: event_loop.unbind(), future: future.clone().unbind(), ty }, future))
    }

    /// Becomes true when the future is cancelled.
    pub fn watch_cancellation(&self, future: &Bound<'_, PyAny>) -> PyResult<Arc<AtomicBool>> {
        let flag = Arc::new(AtomicBool::new(false));
        let watch = Watch(Arc::clone(&flag));
        future.call_method1("add_done_callback", (Bound::new(future.py(), watch)?,))?;
        Ok(flag)
    }

    fn keep(self, py: Python<'_>, answer: Answer) -> PyResult<()> {
        let future = self.future.bind(py);
        if future.call_method0(intern!(py, "done"))?.is_truthy()? {
            return Ok(()); // cancelled meanwhile
        }
        let made = match answer {
            Answer::Store(Ok(value)) => convert::object(py, value, self.ty),
            Answer::Store(Err(e)) => Err(raised(py, &e)),
            Answer::Raised(e) => Err(e),
        };
        match made {
            Ok(value) => future.call_method1(intern!(py, "set_result"), (value,))?,
            Err(e) => future.call_method1(intern!(py, "set_exception"), (e.into_value(py),))?,
        };
        Ok(())
    }
}

#[pyclass(frozen)]
struct Watch(Arc<AtomicBool>);

#[pymethods]
impl Watch {
    fn __call__(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.store(future.call_method0("cancelled")?.is_truthy()?, Ordering::Relaxed);
        Ok(())
    }
}

/// Answers for one event loop, to be run on it.
#[pyclass(frozen)]
struct Delivery(Mutex<Share>);

type Share = Vec<(Promise, Answer)>;

#[pymethods]
impl Delivery {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let answers = std::mem::take(&mut *lock(&self.0));
        // One that fails must not keep the others waiting.
        let kept = answers.into_iter().map(|(promise, answer)| promise.keep(py, answer));
        kept.fold(Ok(()), PyResult::and)
    }
}

/// A write under way.
struct Write {
    runtime: Arc<Runtime>,
    state: Mutex<Option<(Writing, Promise)>>,
}

type Writing = Pin<Box<dyn Future<Output = Result<Value>> + Send>>;

impl Write {
    fn poll(self: &Arc<Self>) -> Option<(Promise, Answer)> {
        let waker = Waker::from(Arc::clone(self));
        let mut state = lock(&self.state);
        let (writing, _) = state.as_mut()?;
        match writing.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(done) => state.take().map(|(_, promise)| (promise, Answer::Store(done))),
        }
    }
}

impl Wake for Write {
    fn wake(self: Arc<Self>) {
        let runtime = Arc::clone(&self.runtime);
        runtime.deliver(Item::Ready(self));
    }
}

enum Item {
    /// A write that is done, or for which there is room in the queue now.
    Ready(Arc<Write>),
    Answered(Promise, Answer),
}

/// A read, to be run without the interpreter.
type Work = Box<dyn FnOnce() -> Answer + Send>;

/// The threads behind asyncio, one set per process.
pub struct Runtime {
    process: u32,
    items: Queue<Item>,
    reads: Queue<(Work, Promise)>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

static CURRENT: Mutex<Option<Arc<Runtime>>> = Mutex::new(None);

impl Runtime {
    /// The runtime of this process. A forked child has none of its parent's threads, and makes its own.
    pub fn current() -> PyResult<Arc<Self>> {
        let mut current = lock(&CURRENT);
        if let Some(runtime) = current.as_ref().filter(|r| r.process == std::process::id()) {
            return Ok(Arc::clone(runtime));
        }
        let runtime = Arc::new(Runtime {
            process: std::process::id(),
            items: Queue::default(),
            reads: Queue::default(),
            threads: Mutex::default(),
        });
        let answerer = Arc::clone(&runtime);
        runtime.spawn("openwa-answers", move || answerer.answer())?;
        // The parent's threads cannot be joined from here.
        std::mem::forget(current.replace(Arc::clone(&runtime)));
        Ok(runtime)
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> PyResult<()> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
        lock(&self.threads).push(thread);
        Ok(())
    }

    /// Waits for a write without a thread of its own.
    pub fn follow(self: Arc<Self>, writing: Writing, promise: Promise) {
        let write =
            Arc::new(Write { runtime: Arc::clone(&self), state: Mutex::new(Some((writing, promise))) });
        // The first poll queues the write. A refused one is answered at once.
        if let Some((promise, answer)) = write.poll() {
            self.deliver(Item::Answered(promise, answer));
        }
    }

    /// Runs a read on one of a few threads.
    pub fn on_pool(
        self: Arc<Self>,
        read: impl FnOnce() -> Result<Value> + Send + 'static,
        promise: Promise,
    ) -> PyResult<()> {
        let readers = self.reads.push((Box::new(move || Answer::Store(read())), promise));
        let idle = readers.idle;
        if idle == 0 && readers.workers < READERS {
            self.reads.add_worker();
            let reader = Arc::clone(&self);
            self.spawn("openwa-reads", move || {
                while let Some((work, promise)) = reader.reads.next() {
                    let answer = work();
                    reader.deliver(Item::Answered(promise, answer));
                }
            })?;
        }
        Ok(())
    }

    /// Runs something long on a thread of its own.
    pub fn on_own_thread(
        self: Arc<Self>,
        work: impl FnOnce() -> Answer + Send + 'static,
        promise: Promise,
    ) -> PyResult<()> {
        // Not joined at exit: it ends when it tells its progress to an interpreter that is gone.
        thread::Builder::new().name("openwa-long".to_owned()).spawn(move || {
            let answer = work();
            self.deliver(Item::Answered(promise, answer));
        })?;
        Ok(())
    }

    fn deliver(&self, item: Item) {
        self.items.push(item);
    }

    fn answer(&self) {
        while let Some(items) = self.items.take_all() {
            let answered = items.into_iter().filter_map(|item| match item {
                Item::Ready(write) => write.poll(),
                Item::Answered(promise, answer) => Some((promise, answer)),
            });
            let answered: Share = answered.collect();
            if !answered.is_empty() && Python::try_attach(|py| hand_over(py, answered)).is_none() {
                return; // the interpreter is gone
            }
        }
    }

    /// Ends the threads before the interpreter ends.
    pub fn stop(py: Python<'_>) {
        let Some(runtime) = lock(&CURRENT).clone().filter(|r| r.process == std::process::id()) else {
            return;
        };
        runtime.items.close();
        runtime.reads.close();
        let threads = std::mem::take(&mut *lock(&runtime.threads));
        py.detach(|| {
            for thread in threads {
                // A panic was reported when it happened.
                let _ = thread.join();
            }
        });
    }
}

fn hand_over(py: Python<'_>, answered: Share) {
    let mut loops: Vec<(Py<PyAny>, Share)> = Vec::new();
    for (promise, answer) in answered {
        match loops.iter_mut().find(|(event_loop, _)| event_loop.is(&promise.event_loop)) {
            Some((_, share)) => share.push((promise, answer)),
            None => loops.push((promise.event_loop.clone_ref(py), vec![(promise, answer)])),
        }
    }
    for (event_loop, share) in loops {
        let told = Bound::new(py, Delivery(Mutex::new(share))).and_then(|delivery| {
            event_loop.call_method1(py, intern!(py, "call_soon_threadsafe"), (delivery,))
        });
        // A closed loop: nobody waits for these any more.
        drop(told);
    }
}

/// A queue whose takers sleep.
struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    is_closed: bool,
    idle: usize,
    workers: usize,
}

/// How busy the takers of a queue are.
struct Takers {
    idle: usize,
    workers: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let state = State { items: VecDeque::new(), is_closed: false, idle: 0, workers: 0 };
        Queue { state: Mutex::new(state), filled: Condvar::new() }
    }
}

impl<T> Queue<T> {
    fn push(&self, item: T) -> Takers {
        let mut state = lock(&self.state);
        state.items.push_back(item);
        if state.idle > 0 {
            self.filled.notify_one();
        }
        Takers { idle: state.idle.saturating_sub(state.items.len() - 1), workers: state.workers }
    }

    fn add_worker(&self) {
        lock(&self.state).workers += 1;
    }

    /// `None`: the queue is closed.
    fn wait(&self) -> Option<MutexGuard<'_, State<T>>> {
        let mut state = lock(&self.state);
        while state.items.is_empty() && !state.is_closed {
            state.idle += 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
        (!state.is_closed).then_some(state)
    }

    fn next(&self) -> Option<T> {
        self.wait()?.items.pop_front()
    }

    fn take_all(&self) -> Option<VecDeque<T>> {
        Some(std::mem::take(&mut self.wait()?.items))
    }

    fn close(&self) {
        lock(&self.state).is_closed = true;
        self.filled.notify_all();
    }
}

/// Ends the threads behind asyncio; called when the interpreter ends.
#[pyfunction]
#[pyo3(name = "_stop")]
pub fn stop(py: Python<'_>) {
    Runtime::stop(py);
}
