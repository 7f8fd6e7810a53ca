//! The way out of every function: outputs are cleared first, errors become objects, panics become errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::openwa_store::{Error, Kind, Result};

use crate::codes::OPENWA_OK;
use crate::error::{self, openwa_error};

/// Runs the body of a function and gives its code; an error is put into `err` unless that is NULL.
#[inline]
pub(crate) unsafe fn guard(err: *mut *mut openwa_error, body: impl FnOnce() -> Result<()>) -> i32 {
    unsafe { clear(err) };
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => OPENWA_OK,
        Ok(Err(e)) => unsafe { fail(err, e) },
        Err(panic) => {
            let text = format!("panicked: {}", said(&*panic));
            unsafe { fail(err, Error::new(Kind::Internal, text)) }
        }
    }
}

#[cold]
unsafe fn fail(err: *mut *mut openwa_error, failed: Error) -> i32 {
    let code = failed.kind().code();
    if !err.is_null() {
        unsafe { *err = error::give(failed) };
    }
    code
}

/// Runs the body of a function that cannot fail; what it gives if it does all the same is `otherwise`.
pub(crate) fn quiet<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

#[cold]
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// A type of output, and what it holds until there is an answer.
pub(crate) trait Output {
    const NOTHING: Self;
}

impl<T> Output for *mut T {
    const NOTHING: Self = std::ptr::null_mut();
}

impl<T> Output for *const T {
    const NOTHING: Self = std::ptr::null();
}

impl Output for bool {
    const NOTHING: Self = false;
}

impl Output for i64 {
    const NOTHING: Self = 0;
}

impl Output for usize {
    const NOTHING: Self = 0;
}

/// Clears an output, if there is one.
#[inline]
pub(crate) unsafe fn clear<T: Output>(out: *mut T) {
    unsafe { put(out, T::NOTHING) };
}

/// Sets an output, if there is one.
#[inline]
pub(crate) unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        unsafe { out.write(value) };
    }
}
