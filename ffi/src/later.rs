//! Writes for hosts with an event loop: the answer comes to a callback.

use std::ffi::c_void;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::JoinHandle;

use ::openwa_store::face::{Call, TicketValue, VERBS, Value};
use ::openwa_store::{Error, Kind, Result};

use crate::call;
use crate::error::{self, openwa_error};
use crate::guard::guard;
use crate::handle;
use crate::record::{self, openwa_record};
use crate::store::openwa_store;
use crate::text::openwa_str;

/// Hears what became of a save: `saved` (a `Saved`) or `error`, the other one is NULL. Both are the callback's to free. It
/// is called on a thread of the library, one callback at a time, and should be quick: wake your event loop and return.
pub type openwa_saved_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, saved: *mut openwa_record, error: *mut openwa_error)>;

/// Saves a message without waiting: `done` is called once it is durable, or refused. Nothing blocks: when the queue is
/// full the call fails with `OPENWA_ERR_QUEUE_FULL` at once. `done` is called exactly once if this returns `OPENWA_OK`, and
/// never otherwise. `session` and `message` are copied.
///
/// Errors: `OPENWA_ERR_QUEUE_FULL` (retryable), `OPENWA_ERR_INVALID_ARGUMENT` naming the column, `OPENWA_ERR_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_save_async(
    store: *const openwa_store,
    session: openwa_str,
    message: *const openwa_record,
    done: openwa_saved_fn,
    user: *mut c_void,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let body = handle::get(store)?;
            let done = done.ok_or_else(|| Error::invalid("done", "done is NULL"))?;
            let args = vec![call::uuid("session", session)?, call::record(message)?];
            let verb = &VERBS[const { call::verb("messages.save") }];
            let Call::Write(pending) = verb.call(&body.store, args)? else {
                return Err(Error::new(Kind::Internal, "a save is a write"));
            };
            if body.dispatcher.is_elsewhere() {
                // It says what is wrong.
                return pending.wait().map(drop);
            }
            let inbox = body.dispatcher.inbox()?;
            let ticket = pending.try_submit()?;
            let expected = Mutex::new(Some(Expected { ticket, done, user: User(user) }));
            Arc::new(Watch { inbox, expected }).wake();
            Ok(())
        })
    }
}

/// The host's pointer, which the library only carries.
struct User(*mut c_void);

unsafe impl Send for User {}

/// A write under way, and who is to hear of it.
struct Expected {
    ticket: TicketValue,
    done: unsafe extern "C" fn(*mut c_void, *mut openwa_record, *mut openwa_error),
    user: User,
}

impl Expected {
    fn tell(self, answer: Result<Value>) {
        let (mut saved, mut error) = (std::ptr::null_mut(), std::ptr::null_mut());
        match answer {
            Ok(Value::Record(record)) => saved = handle::create(record::Body::new(record)),
            Ok(_) => error = error::give(Error::new(Kind::Internal, "a save answers with a record")),
            Err(e) => error = error::give(e),
        }
        unsafe { (self.done)(self.user.0, saved, error) };
    }
}

/// The thread that calls callbacks; it is started with the first write that needs it.
pub(crate) struct Dispatcher {
    running: Mutex<Option<Running>>,
    /// The process that may have the thread; a child of it has not.
    process: u32,
}

struct Running {
    inbox: Sender<Message>,
    thread: JoinHandle<()>,
}

impl Default for Dispatcher {
    fn default() -> Self {
        Dispatcher { running: Mutex::default(), process: std::process::id() }
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        if self.is_elsewhere() {
            // A thread of the child may have the number of the parent's by now.
            std::mem::forget(std::mem::take(&mut self.running));
        }
    }
}

enum Message {
    /// This write may have its answer.
    Look(Arc<Watch>),
    /// No more will come.
    End,
}

/// A write under way. Its answer wakes it, and it asks the thread to look.
struct Watch {
    inbox: Sender<Message>,
    expected: Mutex<Option<Expected>>,
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        let inbox = self.inbox.clone();
        // Nobody listens only when the store is gone, and then every write was answered.
        let _ = inbox.send(Message::Look(self));
    }
}

impl Dispatcher {
    /// Whether this is a child of the process that opened the store.
    fn is_elsewhere(&self) -> bool {
        self.process != std::process::id()
    }

    fn inbox(&self) -> Result<Sender<Message>> {
        let mut running = lock(&self.running);
        if let Some(running) = &*running {
            return Ok(running.inbox.clone());
        }
        let (inbox, messages) = channel();
        let thread = std::thread::Builder::new().name("openwa-callbacks".to_owned());
        let thread = thread.spawn(move || run(&messages))?;
        *running = Some(Running { inbox: inbox.clone(), thread });
        Ok(inbox)
    }

    /// Waits until every callback was called. Every write must have its answer already.
    pub(crate) fn end(&self) {
        if self.is_elsewhere() {
            return;
        }
        let Some(running) = lock(&self.running).take() else { return };
        let _ = running.inbox.send(Message::End);
        // A callback that frees its store is on that thread itself.
        if running.thread.thread().id() != std::thread::current().id() {
            let _ = running.thread.join();
        } else {
            std::mem::forget(running.thread);
        }
    }
}

fn run(messages: &Receiver<Message>) {
    while let Ok(Message::Look(watch)) = messages.recv() {
        let waker = Waker::from(Arc::clone(&watch));
        let mut slot = lock(&watch.expected);
        let Some(mut expected) = slot.take() else { continue };
        match Pin::new(&mut expected.ticket).poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => *slot = Some(expected),
            Poll::Ready(answer) => {
                drop(slot);
                expected.tell(answer);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
