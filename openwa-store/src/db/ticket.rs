//! The answer to a write, to be waited for or awaited.

use std::any::Any;
use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use super::queue::{Job, Together};
use super::{Conn, Database, lock};
use crate::error::{Error, Kind, Result};
use crate::fork::{Process, used_in_child};
use crate::observe::{self, Reach};

/// A prepared write. It does nothing until it is run:
///
/// * [`wait`](Pending::wait) runs it and blocks until it is durable;
/// * [`submit`](Pending::submit) queues it and gives a [`Ticket`], so that one thread can keep a thousand
///   writes under way;
/// * `.await` queues it and yields to any executor.
#[must_use = "a write does nothing until it is waited for, submitted or awaited"]
pub struct Pending<T>(Result<Prepared<T>>);

type Alone<T> = Box<dyn FnMut(&dyn Conn) -> Result<T> + Send>;

enum Write<T> {
    Alone(Alone<T>),
    Shared {
        item: Box<dyn Any + Send>,
        together: Together,
        take: fn(&mut (dyn Any + Send)) -> Option<Result<T>>,
    },
}

impl<T> Write<T> {
    fn run(&mut self, conn: &dyn Conn) -> Result<T> {
        match self {
            Write::Alone(f) => guarded(|| f(conn)),
            Write::Shared { item, together, take } => {
                (together.run)(conn, &mut [item.as_mut()])?;
                take(item.as_mut()).unwrap_or_else(|| Err(not_run()))
            }
        }
    }
}

/// A write that an engine may do together with others of its kind, with statements that serve all of them.
pub(crate) trait Sharable: Send + 'static {
    /// What the caller gets.
    type Out: Send + 'static;

    /// Does what need not wait for its turn, on the thread of the caller.
    fn ready(&mut self);

    /// Does all of them. An error is one of the database, after which the transaction is worth nothing.
    fn run(conn: &dyn Conn, items: &mut [&mut Self]) -> Result<()>;

    /// Does and keeps those that a single round trip is enough for. The others have no result then, nor any after an
    /// error; [`run`](Self::run) may find that it was done nevertheless.
    fn at_once(conn: &dyn Conn, items: &mut [&mut Self]) -> Result<()>;

    /// What was found for this one; `None`: it has not been run.
    fn take(&mut self) -> Option<Result<Self::Out>>;
}

fn together<S: Sharable>() -> Together {
    fn all<'a, S: Sharable>(items: &'a mut [&mut (dyn Any + Send)]) -> Vec<&'a mut S> {
        items.iter_mut().filter_map(|item| item.downcast_mut()).collect()
    }
    Together {
        // What goes wrong here goes wrong again in its turn, which reports it.
        ready: |item| drop(guarded(|| Ok(item.downcast_mut().map(S::ready)))),
        run: |conn, items| guarded(|| S::run(conn, &mut all(items))),
        at_once: |conn, items| guarded(|| S::at_once(conn, &mut all(items))),
    }
}

/// The host's code runs in a write (its clock, its trace). A panic of it must not take down the writer, which works for
/// everybody; what it had written is rolled back like that of any failed write.
fn guarded<T>(write: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(write))
        .unwrap_or_else(|_| Err(Error::new(Kind::Internal, "the write panicked")))
}

fn take_result<S: Sharable>(item: &mut (dyn Any + Send)) -> Option<Result<S::Out>> {
    item.downcast_mut::<S>().and_then(S::take)
}

fn not_run() -> Error {
    Error::new(Kind::Internal, "the write was not run")
}

struct Prepared<T> {
    database: Arc<Database>,
    operation: &'static str,
    write: Write<T>,
    /// Hears of the result once it is durable.
    seen: fn(&T),
}

impl<T: Send + 'static> Pending<T> {
    pub(super) fn new(
        database: Arc<Database>,
        operation: &'static str,
        f: impl FnMut(&dyn Conn) -> Result<T> + Send + 'static,
    ) -> Self {
        Pending(Ok(Prepared { database, operation, write: Write::Alone(Box::new(f)), seen: |_| {} }))
    }

    pub(super) fn shared<S: Sharable<Out = T>>(
        database: Arc<Database>,
        operation: &'static str,
        item: S,
    ) -> Self {
        let write = Write::Shared { item: Box::new(item), together: together::<S>(), take: take_result::<S> };
        Pending(Ok(Prepared { database, operation, write, seen: |_| {} }))
    }

    /// Has `seen` hear of the result once it is durable.
    pub(crate) fn seen_by(self, seen: fn(&T)) -> Self {
        Pending(self.0.map(|prepared| Prepared { seen, ..prepared }))
    }

    /// A write that its arguments already refuse.
    pub(crate) fn refused(error: Error) -> Self {
        Pending(Err(error))
    }

    /// From checks that may refuse the arguments.
    pub(crate) fn checked(made: Result<Pending<T>>) -> Self {
        made.unwrap_or_else(Pending::refused)
    }

    /// Runs the write and blocks until it is durable. Concurrent callers share a commit.
    ///
    /// # Errors
    /// What the verb documents; `Busy`, `DiskFull`, `Closed` or `Forked` from the database.
    pub fn wait(self) -> Result<T> {
        let prepared = self.0?;
        let (database, operation) = (Arc::clone(&prepared.database), prepared.operation);
        let (job, ticket) = Task::new(prepared);
        database.run(job, &|| ticket.is_done()).map_err(|e| e.during(operation))?;
        ticket.wait()
    }

    /// Queues the write; blocks only while the queue is full.
    ///
    /// # Errors
    /// `Closed` or `Forked`, or what refuses the arguments.
    pub fn submit(self) -> Result<Ticket<T>> {
        let prepared = self.0?;
        let (database, operation) = (Arc::clone(&prepared.database), prepared.operation);
        let (job, ticket) = Task::new(prepared);
        database.queue().and_then(|queue| queue.push(job, true)).map_err(|e| e.during(operation))?;
        Ok(ticket)
    }

    /// Queues the write if there is room.
    ///
    /// # Errors
    /// `QueueFull` (retryable), and those of [`submit`](Pending::submit).
    pub fn try_submit(self) -> Result<Ticket<T>> {
        let prepared = self.0?;
        let (database, operation) = (Arc::clone(&prepared.database), prepared.operation);
        let (job, ticket) = Task::new(prepared);
        let queued = database.queue().and_then(|queue| queue.try_push(job).map_err(|(_, e)| e));
        queued.map_err(|e| e.during(operation))?;
        Ok(ticket)
    }
}

impl<T: Send + 'static> IntoFuture for Pending<T> {
    type Output = Result<T>;
    type IntoFuture = Writing<T>;

    fn into_future(self) -> Writing<T> {
        Writing(match self.0 {
            Err(e) => Stage::Refused(Some(e)),
            Ok(prepared) => {
                let (database, operation) = (Arc::clone(&prepared.database), prepared.operation);
                let (job, ticket) = Task::new(prepared);
                Stage::Queueing { database, operation, job: Some(job), ticket: Some(ticket) }
            }
        })
    }
}

/// The future of a [`Pending`] write. Dropping it before its first poll withdraws the write; later it does not.
pub struct Writing<T>(Stage<T>);

enum Stage<T> {
    Refused(Option<Error>),
    Queueing {
        database: Arc<Database>,
        operation: &'static str,
        job: Option<Box<dyn Job>>,
        ticket: Option<Ticket<T>>,
    },
    Queued(Ticket<T>),
}

impl<T: Send + 'static> Future for Writing<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        if let Stage::Queueing { database, operation, job, ticket } = &mut self.0 {
            let Some(next) = job.take() else { return Poll::Ready(Err(polled_again())) };
            match database.submit_or_wake(next, cx.waker()) {
                Ok(None) => {}
                Ok(Some(refused)) => {
                    *job = Some(refused);
                    return Poll::Pending;
                }
                Err(e) => return Poll::Ready(Err(e.during(operation))),
            }
            let Some(ticket) = ticket.take() else { return Poll::Ready(Err(polled_again())) };
            self.0 = Stage::Queued(ticket);
        }
        match &mut self.0 {
            Stage::Refused(e) => Poll::Ready(Err(e.take().unwrap_or_else(polled_again))),
            Stage::Queued(ticket) => Pin::new(ticket).poll(cx),
            Stage::Queueing { .. } => Poll::Pending,
        }
    }
}

fn polled_again() -> Error {
    Error::new(Kind::Internal, "this write was already answered")
}

/// The answer to a queued write: wait for it, or await it. The write happens whether or not anybody does.
pub struct Ticket<T>(Arc<Slot<T>>);

struct Slot<T> {
    state: Mutex<State<T>>,
    /// In a child of it nobody writes.
    process: Process,
}

enum State<T> {
    Open(Option<Waker>),
    Done(Result<T>),
    Taken,
}

impl<T> Ticket<T> {
    /// Whether the answer is there.
    #[must_use]
    pub fn is_done(&self) -> bool {
        !self.0.process.has_not_forked() || !matches!(*lock(&self.0.state), State::Open(_))
    }

    /// Blocks until the answer is there.
    ///
    /// # Errors
    /// What the verb documents.
    pub fn wait(self) -> Result<T> {
        block_on(self)
    }
}

/// Waits for a future on this thread, whatever runtime the caller may be in.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(out) = future.as_mut().poll(&mut cx) {
            return out;
        }
        std::thread::park();
    }
}

impl<T> Future for Ticket<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        if !self.0.process.has_not_forked() {
            return Poll::Ready(Err(used_in_child()));
        }
        let mut state = lock(&self.0.state);
        match &mut *state {
            State::Open(waker) => {
                match waker {
                    Some(w) => w.clone_from(cx.waker()),
                    None => *waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            _ => Poll::Ready(match std::mem::replace(&mut *state, State::Taken) {
                State::Done(out) => out,
                _ => Err(polled_again()),
            }),
        }
    }
}

/// Wakes a blocked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A write in the queue, with the place for its answer.
struct Task<T> {
    operation: &'static str,
    reach: Arc<Reach>,
    seen: fn(&T),
    write: Write<T>,
    out: Option<Result<T>>,
    slot: Option<Arc<Slot<T>>>,
}

impl<T: Send + 'static> Task<T> {
    /// The task as the queue takes it, and the ticket for its answer.
    #[allow(clippy::new_ret_no_self)]
    fn new(prepared: Prepared<T>) -> (Box<dyn Job>, Ticket<T>) {
        let Prepared { database, operation, mut write, seen } = prepared;
        // SQLite does each by itself, so nothing can be ready before its turn.
        if database.as_sqlite().is_none()
            && let Write::Shared { item, together, .. } = &mut write
        {
            (together.ready)(item.as_mut());
        }
        let slot =
            Arc::new(Slot { state: Mutex::new(State::Open(None)), process: database.engine.process() });
        // Not the database itself: the last one to let go of it must not be its own writer.
        let reach = Arc::clone(&database.reach);
        let task = Task { operation, reach, seen, write, out: None, slot: Some(Arc::clone(&slot)) };
        (Box::new(task), Ticket(slot))
    }
}

impl<T> Task<T> {
    fn answer(&mut self, out: Result<T>) {
        let Some(slot) = self.slot.take() else { return };
        observe::operation(self.operation, &self.reach, &out);
        if let Ok(out) = &out {
            (self.seen)(out);
        }
        let before = std::mem::replace(
            &mut *lock(&slot.state),
            State::Done(out.map_err(|e| e.during(self.operation))),
        );
        if let State::Open(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T: Send> Job for Task<T> {
    fn run(&mut self, conn: &dyn Conn) -> bool {
        let out = self.write.run(conn);
        let ok = out.is_ok();
        self.out = Some(out);
        ok
    }

    fn shared(&mut self) -> Option<(Together, &mut (dyn Any + Send))> {
        match &mut self.write {
            Write::Alone(_) => None,
            Write::Shared { item, together, .. } => Some((*together, item.as_mut())),
        }
    }

    fn collect(&mut self) -> bool {
        self.out = match &mut self.write {
            Write::Alone(_) => None,
            Write::Shared { item, take, .. } => take(item.as_mut()),
        };
        self.out.is_some()
    }

    fn finish(&mut self, failed: Option<&Error>) {
        let out = match (failed, self.out.take()) {
            // A write that was refused by itself keeps its own reason.
            (_, Some(Err(own))) => Err(own),
            (Some(e), _) => Err(e.copy()),
            (None, Some(out)) => out,
            (None, None) => Err(not_run()),
        };
        self.answer(out);
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        // A job that is dropped unanswered (the writer is gone) must not leave its caller waiting for ever.
        self.answer(Err(Error::new(Kind::Closed, "the store was closed before this write was run")));
    }
}
