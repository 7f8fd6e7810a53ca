//! How calls run while JavaScript goes on.
//!
//! * A **write** is queued on JavaScript's thread, which takes a microsecond, and its ticket is kept. When the commit
//!   that it shares is durable the writer wakes the ticket: its number goes into [`Done`], and the bell rings once for
//!   all that were answered together. Ten thousand outstanding saves are ten thousand tickets and no thread.
//! * A **read** runs on the [`Pool`], anything **long** on a thread of its own.
//!
//! JavaScript then takes what is done in small portions ([`Runtime::drain`]), so that its event loop keeps turning.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use napi::bindgen_prelude::{Array, Function, FunctionRef, Unknown};
use napi::{Env, JsValue};
use napi_derive::napi;
use openwa_store::face::{self, Call, OnProgress, PendingValue, Progress, TicketValue, Value};
use openwa_store::{Error, Kind, Result, Store};

use crate::done::{Done, Event};
use crate::keys::{Keys, Question};
use crate::output::{Items, Output, Pack};
use crate::pool::Pool;
use crate::{input, verb};

/// Writes of one store that may be in the library's queue. More wait here: the queue would block who finds it full.
const IN_FLIGHT: usize = 4096;

/// What the stores of one JavaScript thread share.
#[napi]
pub struct Runtime(Rc<Inner>);

struct Inner {
    done: Arc<Done>,
    pack: Pack,
    pool: Pool,
    tickets: RefCell<HashMap<u32, Ticket>>,
    /// What may stop the long calls that are under way.
    stops: RefCell<HashMap<u32, Arc<AtomicBool>>>,
    /// JavaScript's thread is ending.
    leaving: Arc<AtomicBool>,
}

/// A write in the library's queue.
struct Ticket {
    answer: Answer,
    line: Rc<Line>,
}

enum Answer {
    /// The writer will wake it.
    Waiting(TicketValue),
    /// The writer was faster than the first look.
    Ready(Result<Value>),
}

/// The writes of one store. JavaScript holds on to the store until they are answered.
struct Line {
    limit: usize,
    in_flight: Cell<usize>,
    waiting: RefCell<VecDeque<(u32, PendingValue)>>,
    /// The store is to be closed when nothing waits any more.
    closing: RefCell<Option<(u32, Store)>>,
}

#[napi]
impl Runtime {
    /// `wake` is called, on JavaScript's thread, when there is something to [`drain`](Self::drain); `pack` makes an array
    /// of its arguments.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        wake: Function<'_, (), ()>,
        pack: FunctionRef<Items, Unknown<'static>>,
    ) -> napi::Result<Self> {
        let bell = wake.build_threadsafe_function::<()>().weak::<true>().build()?;
        let leaving = Arc::new(AtomicBool::new(false));
        env.add_env_cleanup_hook(Arc::clone(&leaving), |leaving| leaving.store(true, Ordering::Release))?;
        Ok(Runtime(Rc::new(Inner {
            done: Done::new(bell),
            pack,
            pool: Pool::default(),
            tickets: RefCell::default(),
            stops: RefCell::default(),
            leaving,
        })))
    }

    /// Opens a store; the answer to `call` is its [`Handle`], or an error. Options that are refused are an error at
    /// once.
    #[napi(catch_unwind)]
    pub fn open<'env>(
        &'env self,
        env: &'env Env,
        call: u32,
        options: Array<'env>,
    ) -> napi::Result<Option<Unknown<'env>>> {
        let options = match input::record(&options, face::open_options()) {
            Ok(options) => options,
            Err(e) => return self.0.refused(env, &e),
        };
        let done = Arc::clone(&self.0.done);
        self.0.pool.run(move || done.push(call, Event::Opened(guarded(|| face::open(options)))));
        Ok(None)
    }

    /// Runs a rule: `[0, value]` or `[1, error]`.
    #[napi(catch_unwind)]
    pub fn call_pure<'env>(
        &'env self,
        env: &'env Env,
        number: u32,
        args: Array<'env>,
    ) -> napi::Result<Unknown<'env>> {
        let run = || {
            let verb = verb(number)?;
            verb.call_pure(input::arguments(verb, &args)?)
        };
        Output::new(env, &self.0.pack)?.outcome(run())
    }

    /// Up to `limit` things that happened, each in three places: number of the call, what (0 answer, 1 error,
    /// 2 progress), and the answer, error or progress.
    #[napi(catch_unwind)]
    pub fn drain<'env>(&'env self, env: &'env Env, limit: u32) -> napi::Result<Unknown<'env>> {
        let out = Output::new(env, &self.0.pack)?;
        let events = self.0.done.take(limit as usize);
        let mut items = Vec::with_capacity(events.len() * 3);
        for (call, event) in events {
            items.push(out.any(call)?);
            items.extend(match event {
                Event::Ready => out.result(self.0.answer(call))?,
                Event::Finished(result) => {
                    self.0.stops.borrow_mut().remove(&call);
                    out.result(result)?
                }
                Event::Opened(Ok(store)) => [out.any(0)?, out.any(Handle::new(Rc::clone(&self.0), store))?],
                Event::Opened(Err(e)) => out.result(Err(e))?,
                Event::Progress(Progress { table, rows, total }) => {
                    let told =
                        vec![out.any(table)?, out.any(rows as f64)?, out.any(total.map(|n| n as f64))?];
                    [out.any(2)?, out.list(told)?.raw()]
                }
            });
        }
        out.list(items)
    }

    /// Whether nothing waits to be drained.
    #[napi(getter)]
    pub fn is_idle(&self) -> bool {
        self.0.done.is_empty()
    }

    /// Asks a long call to stop.
    #[napi]
    pub fn stop(&self, call: u32) {
        if let Some(stop) = self.0.stops.borrow().get(&call) {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

/// A panic is a defect of ours and must not take the host down.
fn guarded<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err(Error::new(Kind::Internal, "the call panicked; please report this")))
}

impl Inner {
    /// An error at once.
    fn refused<'env>(&'env self, env: &'env Env, error: &Error) -> napi::Result<Option<Unknown<'env>>> {
        Output::new(env, &self.pack)?.failure(error).map(Some)
    }

    /// The answer to a write. The next of its store that waits takes its place.
    fn answer(&self, call: u32) -> Result<Value> {
        let defect = |what| Error::new(Kind::Internal, what);
        let taken = self.tickets.borrow_mut().remove(&call);
        let ticket = taken.ok_or_else(|| defect("this write was already answered"))?;
        let line = Rc::clone(&ticket.line);
        line.in_flight.set(line.in_flight.get() - 1);
        let next = line.waiting.borrow_mut().pop_front();
        if let Some((call, pending)) = next {
            self.submit(call, pending, &line);
        }
        self.close_if_due(&line);
        match ticket.answer {
            Answer::Ready(result) => result,
            Answer::Waiting(mut answer) => {
                match Pin::new(&mut answer).poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(result) => result,
                    Poll::Pending => Err(defect("a write was woken without an answer")),
                }
            }
        }
    }

    /// Queues a write, behind those of its store that wait already.
    fn write(&self, call: u32, pending: PendingValue, line: &Rc<Line>) {
        if line.in_flight.get() >= line.limit {
            line.waiting.borrow_mut().push_back((call, pending));
        } else {
            self.submit(call, pending, line);
        }
    }

    fn submit(&self, call: u32, pending: PendingValue, line: &Rc<Line>) {
        let waker = self.done.waker(call);
        let answer = match pending.submit() {
            // The first look leaves the waker behind.
            Ok(mut answer) => match Pin::new(&mut answer).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(result) => Answer::Ready(result),
                Poll::Pending => Answer::Waiting(answer),
            },
            Err(e) => Answer::Ready(Err(e)),
        };
        let ready = matches!(answer, Answer::Ready(_));
        // Also one that is answered already has its place until JavaScript takes it: then the next comes forward.
        line.in_flight.set(line.in_flight.get() + 1);
        self.tickets.borrow_mut().insert(call, Ticket { answer, line: Rc::clone(line) });
        if ready {
            self.done.push(call, Event::Ready);
        }
    }

    fn close_if_due(&self, line: &Line) {
        if line.waiting.borrow().is_empty()
            && let Some((call, store)) = line.closing.take()
        {
            self.read(call, move || store.close().map(|()| Value::Null));
        }
    }

    fn read(&self, call: u32, run: impl FnOnce() -> Result<Value> + Send + 'static) {
        let done = Arc::clone(&self.done);
        self.pool.run(move || done.push(call, Event::Finished(guarded(run))));
    }

    fn long(&self, call: u32, run: impl FnOnce(OnProgress<'_>) -> Result<Value> + Send + 'static) {
        let stop = Arc::new(AtomicBool::new(false));
        self.stops.borrow_mut().insert(call, Arc::clone(&stop));
        let done = Arc::clone(&self.done);
        let work = move || {
            let mut hear = |progress| {
                if stop.load(Ordering::Relaxed) {
                    return ControlFlow::Break(());
                }
                done.push(call, Event::Progress(progress));
                ControlFlow::Continue(())
            };
            let result = guarded(|| run(&mut hear));
            done.push(call, Event::Finished(result));
        };
        if let Err(e) = std::thread::Builder::new().name("openwa-long".to_owned()).spawn(work) {
            self.done.push(call, Event::Finished(Err(e.into())));
        }
    }
}

/// An open store.
#[napi]
pub struct Handle(Rc<Open>);

/// What JavaScript's handle and its functions hold.
struct Open {
    runtime: Rc<Inner>,
    store: Store,
    line: Rc<Line>,
    keys: Keys,
}

impl Handle {
    fn new(runtime: Rc<Inner>, store: Store) -> Self {
        // Some room stays for what the library itself queues.
        let limit = IN_FLIGHT.min(store.config().queue / 2).max(1);
        let line =
            Line { limit, in_flight: Cell::new(0), waiting: RefCell::default(), closing: RefCell::default() };
        Handle(Rc::new(Open { runtime, store, line: Rc::new(line), keys: Keys::default() }))
    }

    fn prepare(&self, number: u32, args: &Array<'_>) -> Result<Call> {
        let verb = verb(number)?;
        verb.call(&self.0.store, input::arguments(verb, args)?)
    }
}

#[napi]
impl Handle {
    /// Starts a verb; its answer comes to `call`. Arguments that are refused are an error at once.
    #[napi(catch_unwind)]
    pub fn call<'env>(
        &'env self,
        env: &'env Env,
        call: u32,
        number: u32,
        args: Array<'env>,
    ) -> napi::Result<Option<Unknown<'env>>> {
        match self.prepare(number, &args) {
            Ok(Call::Write(pending)) => self.0.runtime.write(call, pending, &self.0.line),
            Ok(Call::Read(run)) => self.0.runtime.read(call, run),
            Ok(Call::Long(run)) => self.0.runtime.long(call, run),
            Err(e) => return self.0.runtime.refused(env, &e),
        }
        Ok(None)
    }

    /// A function that decides on a request with a key, on this thread, of `key, permission, ip, session, session alias,
    /// chat`: 16 times the number of the key's record (0: the key is not known), plus the number of the decision. Null:
    /// ask [`refused`](Self::refused).
    ///
    /// A function, because the look-ups and checks of a method are a tenth of the call.
    #[napi(catch_unwind)]
    pub fn authorizer<'env>(&self, env: &'env Env) -> napi::Result<Function<'env, (), Option<f64>>> {
        let open = Rc::clone(&self.0);
        env.create_function_from_closure("authorize", move |asked| {
            Ok(open.keys.answer(&open.store, &Question::read(&asked)?))
        })
    }

    /// Why there was no answer to a request with a key.
    #[napi(catch_unwind)]
    pub fn refused<'env>(&'env self, env: &'env Env) -> napi::Result<Option<Unknown<'env>>> {
        self.0.keys.refused().map_or(Ok(None), |e| self.0.runtime.refused(env, &e))
    }

    /// The record of a key by its number in an answer.
    #[napi(catch_unwind)]
    pub fn key_record<'env>(&'env self, env: &'env Env, number: u32) -> napi::Result<Option<Unknown<'env>>> {
        let Some(record) = self.0.keys.record(number) else { return Ok(None) };
        Output::new(env, &self.0.runtime.pack)?.record(record).map(Some)
    }

    /// Closes the store when all that was asked of it before is written.
    #[napi]
    pub fn close(&self, call: u32) {
        self.0.line.closing.replace(Some((call, self.0.store.clone())));
        self.0.runtime.close_if_due(&self.0.line);
    }
}

impl Drop for Open {
    /// The garbage collector found it. The store closes, but JavaScript does not wait for that unless its thread ends.
    fn drop(&mut self) {
        let store = self.store.clone();
        if self.runtime.leaving.load(Ordering::Acquire) {
            // Nobody is left to hear of an error.
            let _ = store.close();
        } else {
            self.runtime.pool.run(move || drop(store));
        }
    }
}
