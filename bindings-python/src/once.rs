//! What is made once for all calls.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Like `PyOnceLock`, but nobody waits for another thread's making, which in a forked child might never end. Two threads may
/// make the value at once; all get the same.
pub struct Once<T>(PyOnceLock<T>);

impl<T> Once<T> {
    pub const fn new() -> Self {
        Once(PyOnceLock::new())
    }

    pub fn get_or_try_init(&self, py: Python<'_>, make: impl FnOnce() -> PyResult<T>) -> PyResult<&T> {
        if let Some(value) = self.0.get(py) {
            return Ok(value);
        }
        let made = make()?;
        // Another thread was first, or this one is.
        let _ = self.0.set(py, made);
        self.0.get_or_try_init(py, || unreachable!("it was set"))
    }
}
