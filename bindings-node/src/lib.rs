//! The native part of the npm package `openwa-store`.
//!
//! JavaScript calls a verb by its number, with arguments that `ts/codec.ts` has made simple (a `Date` is a number, a
//! record is the list of its fields), and gets the answer in the same form. Everything is described in
//! [`openwa_store::face`]; nothing here knows a single verb or column.
//!
//! No call blocks JavaScript's thread and no promise takes a thread of its own: see [`runtime`].

mod done;
mod failure;
mod input;
mod output;
mod pool;
mod runtime;

use napi::Env;
use napi::bindgen_prelude::Array;
use napi_derive::napi;
use openwa_store::face::{VERBS, Verb};
use openwa_store::{Error, Kind, Result};

use crate::output::outcome;

fn verb(number: u32) -> Result<&'static Verb> {
    let found = usize::try_from(number).ok().and_then(|i| VERBS.get(i));
    found.ok_or_else(|| Error::new(Kind::Internal, format!("there is no verb {number}")))
}

/// The full name of every verb; a verb's number is its position here.
#[napi]
pub fn verbs() -> Vec<&'static str> {
    VERBS.iter().map(|v| v.path).collect()
}

/// Runs a rule: `[0, value]` or `[1, error]`.
#[napi(catch_unwind)]
pub fn call_pure<'env>(env: &'env Env, number: u32, args: Array<'env>) -> napi::Result<Array<'env>> {
    let run = || {
        let verb = verb(number)?;
        verb.call_pure(input::arguments(verb, &args)?)
    };
    outcome(env, run())
}

/// The version of the library.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
