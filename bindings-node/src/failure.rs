//! An error in the form in which JavaScript takes it.

use std::error::Error as _;

use napi::Env;
use napi::bindgen_prelude::Array;
use openwa_store::Error;

/// `[code, message, retryable, operation, [name, value, …], [cause, …]]`.
pub fn to_js<'env>(env: &'env Env, error: &Error) -> napi::Result<Array<'env>> {
    let mut out = env.create_array(0)?;
    out.insert(error.kind().name())?;
    out.insert(error.message())?;
    out.insert(error.retryable())?;
    out.insert(error.operation())?;
    let mut context = env.create_array(0)?;
    for (name, value) in error.contexts() {
        context.insert(name)?;
        context.insert(value)?;
    }
    out.insert(context)?;
    let mut causes = env.create_array(0)?;
    let mut cause = error.source();
    while let Some(e) = cause {
        causes.insert(e.to_string())?;
        cause = e.source();
    }
    out.insert(causes)?;
    Ok(out)
}
