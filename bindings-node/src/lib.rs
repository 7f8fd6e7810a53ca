//! The native part of the npm package `openwa-store`.
//!
//! JavaScript calls a verb by its number, with arguments that `ts/codec.ts` has made simple (a `Date` is a number, a
//! record is the list of its fields), and gets the answer in the same form. Everything is described in
//! [`openwa_store::face`]; nothing here knows a single verb or column.
//!
//! No call blocks JavaScript's thread and no promise takes a thread of its own: see `runtime`.

mod done;
mod input;
mod keys;
mod output;
mod pool;
mod runtime;

use napi_derive::napi;
use openwa_store::face::{VERBS, Verb};
use openwa_store::policy::authorize::Decision;
use openwa_store::{Error, Kind, Result};

/// What a reader's thread makes is freed by JavaScript's, which the system's allocators are slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn verb(number: u32) -> Result<&'static Verb> {
    let found = usize::try_from(number).ok().and_then(|i| VERBS.get(i));
    found.ok_or_else(|| Error::new(Kind::Internal, format!("there is no verb {number}")))
}

/// The full name of every verb; a verb's number is its position here.
#[napi]
pub fn verbs() -> Vec<&'static str> {
    VERBS.iter().map(|v| v.path).collect()
}

/// The decisions on a request with a key; a decision's number is its position here.
#[napi]
pub fn decisions() -> Vec<&'static str> {
    Decision::NAMES.to_vec()
}

/// The version of the library.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
