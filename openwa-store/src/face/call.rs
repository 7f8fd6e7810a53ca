//! A verb with its arguments, ready to run.

use std::future::{Future, IntoFuture};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Page, Value};
use crate::db::{Pending, Ticket};
use crate::error::{Error, Result};
use crate::record::{FromValue, IntoRecord, IntoValue, Record};
use crate::repo::message_reads::MessageFilter;
use crate::store::Store;
pub use crate::transfer::Progress;
use uuid::Uuid;

/// A prepared call. Nothing has happened yet.
pub enum Call {
    /// Reads on the thread that calls it.
    Read(ReadCall),
    /// A write.
    Write(PendingValue),
    /// Something that may take minutes, on the thread that calls it.
    Long(LongCall),
}

/// Runs a read.
pub type ReadCall = Box<dyn FnOnce() -> Result<Value> + Send>;

/// Runs something long; the callback hears of its progress and stops it by `Break`.
pub type LongCall = Box<dyn FnOnce(OnProgress<'_>) -> Result<Value> + Send>;

/// Reads a page.
pub(crate) type PageCall = Box<dyn FnOnce() -> Result<Rows> + Send>;

/// A page whose rows become records one by one, as they are taken.
pub struct Rows {
    /// The rows.
    pub rows: Box<dyn ExactSizeIterator<Item = Record> + Send>,
    /// As [`Page::next`].
    pub next: Option<String>,
}

impl Rows {
    pub(crate) fn of<T: IntoRecord + Send + 'static>(page: Page<T>) -> Self {
        Rows { rows: Box::new(page.items.into_iter().map(T::into_record)), next: page.next }
    }
}

impl From<Rows> for Value {
    fn from(page: Rows) -> Self {
        Value::Page(Box::new(Page { items: page.rows.collect(), next: page.next }))
    }
}

/// Hears of progress. It is called on the thread that runs the call.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

impl Call {
    /// Runs the call on this thread, to its end.
    ///
    /// # Errors
    /// What the verb documents.
    pub fn run(self) -> Result<Value> {
        match self {
            Call::Read(run) => run(),
            Call::Write(pending) => pending.wait(),
            Call::Long(run) => run(&mut |_| ControlFlow::Continue(())),
        }
    }
}

/// How the entries of [`VERBS`](super::VERBS) run.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    Pure(fn(Args) -> Result<Value>),
    Read(fn(Store, Args) -> Result<ReadCall>),
    Page(fn(Store, Args) -> Result<PageCall>),
    Write(fn(&Store, Args) -> Result<PendingValue>),
    Long(fn(Store, Args) -> Result<LongCall>),
}

pub(crate) type Args = std::vec::IntoIter<Value>;

/// A prepared write whose answer is a [`Value`]; see [`Pending`]. The value is made where the answer is taken, never
/// on the writer's thread.
#[must_use = "a write does nothing until it is waited for, submitted or awaited"]
pub struct PendingValue(Box<dyn Prepared>);

impl PendingValue {
    pub(crate) fn new<T: IntoValue + Send + 'static>(pending: Pending<T>) -> Self {
        PendingValue(Box::new(pending))
    }

    /// Runs the write and blocks until it is durable; see [`Pending::wait`].
    ///
    /// # Errors
    /// What the verb documents.
    pub fn wait(self) -> Result<Value> {
        self.0.wait()
    }

    /// Queues the write; blocks only while the queue is full; see [`Pending::submit`].
    ///
    /// # Errors
    /// `Closed` or `Forked`, or what refuses the arguments.
    pub fn submit(self) -> Result<TicketValue> {
        self.0.submit()
    }

    /// Queues the write if there is room; see [`Pending::try_submit`].
    ///
    /// # Errors
    /// `QueueFull` (retryable), and those of [`submit`](Self::submit).
    pub fn try_submit(self) -> Result<TicketValue> {
        self.0.try_submit()
    }
}

impl IntoFuture for PendingValue {
    type Output = Result<Value>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Value>> + Send>>;

    /// Queues the write, without ever blocking the thread that polls.
    fn into_future(self) -> Self::IntoFuture {
        self.0.into_future()
    }
}

trait Prepared: Send {
    fn wait(self: Box<Self>) -> Result<Value>;
    fn submit(self: Box<Self>) -> Result<TicketValue>;
    fn try_submit(self: Box<Self>) -> Result<TicketValue>;
    fn into_future(self: Box<Self>) -> Pin<Box<dyn Future<Output = Result<Value>> + Send>>;
}

impl<T: IntoValue + Send + 'static> Prepared for Pending<T> {
    fn wait(self: Box<Self>) -> Result<Value> {
        Pending::wait(*self).map(T::into_value)
    }

    fn submit(self: Box<Self>) -> Result<TicketValue> {
        Pending::submit(*self).map(|ticket| TicketValue(Box::new(ticket)))
    }

    fn try_submit(self: Box<Self>) -> Result<TicketValue> {
        Pending::try_submit(*self).map(|ticket| TicketValue(Box::new(ticket)))
    }

    fn into_future(self: Box<Self>) -> Pin<Box<dyn Future<Output = Result<Value>> + Send>> {
        let writing = IntoFuture::into_future(*self);
        Box::pin(async move { writing.await.map(T::into_value) })
    }
}

/// The answer to a queued write: wait for it, or await it. The write happens whether or not anybody does.
pub struct TicketValue(Box<dyn Answer>);

impl TicketValue {
    /// Whether the answer is there.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.is_done()
    }

    /// Blocks until the answer is there.
    ///
    /// # Errors
    /// What the verb documents.
    pub fn wait(self) -> Result<Value> {
        self.0.wait()
    }
}

impl Future for TicketValue {
    type Output = Result<Value>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Value>> {
        self.0.poll(cx)
    }
}

trait Answer: Send {
    fn is_done(&self) -> bool;
    fn wait(self: Box<Self>) -> Result<Value>;
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Value>>;
}

impl<T: IntoValue + Send> Answer for Ticket<T> {
    fn is_done(&self) -> bool {
        Ticket::is_done(self)
    }

    fn wait(self: Box<Self>) -> Result<Value> {
        Ticket::wait(*self).map(T::into_value)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Value>> {
        Future::poll(Pin::new(self), cx).map(|out| out.map(T::into_value))
    }
}

/// Every message of a session that matches, as records, in constant memory; `session` and `filter` as for
/// `messages.list`. See [`Messages::iterate`](crate::Messages::iterate).
///
/// # Errors
/// `InvalidArgument` naming the argument.
pub fn iterate(
    store: &Store,
    session: Value,
    filter: Value,
) -> Result<impl Iterator<Item = Result<Record>> + Send + 'static + use<>> {
    let operation = |e: Error| e.during("messages.iterate");
    let session = Uuid::from_value(session, "session").map_err(operation)?;
    let filter = MessageFilter::from_value(filter, "filter").map_err(operation)?;
    Ok(store.messages().iterate(session, filter).map(|message| message.map(IntoRecord::into_record)))
}
