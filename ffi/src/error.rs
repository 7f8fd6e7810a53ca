//! Errors as owned objects.

use std::ffi::{CString, c_char};

use ::openwa_store::Error;
use ::openwa_store::face::Value;

use crate::codes::OPENWA_OK;
use crate::guard::quiet;
use crate::handle::{self, Handle};
use crate::text::c_string;

/// What went wrong. Owned by the caller: free it with `openwa_error_free`.
pub struct openwa_error {
    _opaque: [u8; 0],
}

pub(crate) struct Body {
    code: i32,
    retryable: bool,
    message: CString,
    context: CString,
}

impl Handle for openwa_error {
    type Body = Body;
    const NAME: &'static str = "openwa_error";
    const TAG: u32 = 0x0A0E_0001;
}

pub(crate) fn give(error: Error) -> *mut openwa_error {
    let (code, retryable, message) = (error.kind().code(), error.retryable(), c_string(&error.to_string()));
    let context = match ::openwa_store::face::failure(error).get("context") {
        Some(Value::Json(context)) => c_string(&context.to_json()),
        _ => c_string("{}"),
    };
    handle::create(Body { code, retryable, message, context })
}

/// The kind of error: one of `OPENWA_ERR_…`; `OPENWA_OK` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_error_code(error: *const openwa_error) -> i32 {
    quiet(OPENWA_OK, || unsafe { handle::get(error) }.map_or(OPENWA_OK, |e| e.code))
}

/// What went wrong, for people: NUL-terminated UTF-8, valid until the error is freed; `""` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_error_message(error: *const openwa_error) -> *const c_char {
    quiet(c"".as_ptr(), || unsafe { handle::get(error) }.map_or(c"".as_ptr(), |e| e.message.as_ptr()))
}

/// What the error is about: a JSON object with `column`, `table`, `row`, `path` …, valid until the error is freed;
/// `"{}"` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_error_context_json(error: *const openwa_error) -> *const c_char {
    quiet(c"{}".as_ptr(), || unsafe { handle::get(error) }.map_or(c"{}".as_ptr(), |e| e.context.as_ptr()))
}

/// Whether the same call may succeed later without any change by the caller.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_error_retryable(error: *const openwa_error) -> bool {
    quiet(false, || unsafe { handle::get(error) }.is_ok_and(|e| e.retryable))
}

/// Frees an error. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_error_free(error: *mut openwa_error) {
    quiet((), || unsafe { handle::free(error) });
}
