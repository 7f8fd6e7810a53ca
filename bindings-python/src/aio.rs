//! Coroutines for asyncio. See [`crate::answers`] for what happens behind them.

use std::future::IntoFuture;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use openwa_store::face::{Call, Type};
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::answers::{Answer, Promise, Runtime, lock};
use crate::method::tell;
use crate::once::Once;

/// A coroutine that makes a call when it is awaited; `name` is what it is called in warnings and debuggers.
pub fn coroutine<'py>(
    name: &Bound<'py, PyString>,
    call: Call,
    result: &'static Type,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    static HELPER: Once<Py<PyAny>> = Once::new();
    let py = name.py();
    let helper = HELPER.get_or_try_init(py, || -> PyResult<_> {
        Ok(py.import("openwa_store._walk")?.getattr("coroutine")?.unbind())
    })?;
    let start = Start(Mutex::new(Some(Prepared { call, result, progress })));
    let made = helper.bind(py).call1((Bound::new(py, start)?,))?;
    made.setattr(intern!(py, "__qualname__"), name)?;
    Ok(made)
}

struct Prepared {
    call: Call,
    result: &'static Type,
    progress: Option<Py<PyAny>>,
}

/// A call that was not made yet.
#[pyclass(frozen)]
struct Start(Mutex<Option<Prepared>>);

#[pymethods]
impl Start {
    fn __await__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let prepared = lock(&self.0).take();
        let Prepared { call, result, progress } =
            prepared.ok_or_else(|| PyRuntimeError::new_err("this call was already awaited"))?;
        let runtime = Runtime::current()?;
        let (promise, future) = Promise::new(py, result)?;
        match call {
            Call::Write(pending) => runtime.follow(pending.into_future(), promise),
            Call::Read(run) => runtime.on_pool(run, promise)?,
            Call::Long(run) => {
                let stopped = promise.watch_cancellation(&future)?;
                let work = move || {
                    let mut failed = None;
                    let done = run(&mut |at| {
                        if stopped.load(Ordering::Relaxed) {
                            return std::ops::ControlFlow::Break(());
                        }
                        tell(progress.as_ref(), at, &mut failed)
                    });
                    failed.map_or(Answer::Store(done), Answer::Raised)
                };
                runtime.on_own_thread(work, promise)?;
            }
        }
        future.call_method0(intern!(py, "__await__"))
    }
}
