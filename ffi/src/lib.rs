//! libopenwa: the C interface of openwa-store.
//!
//! `include/openwa.h` is generated from this crate and reads as its documentation; `docs/c.md` is the guide. Functions
//! for verbs ([`verbs`]), for columns ([`columns`]) and the numbers of errors ([`codes`]) are generated from the
//! library's own description of itself (`openwa_store::face`); `BLESS=1 cargo test -p openwa-tests --test c_interface`
//! renews them all.

#![allow(non_camel_case_types)]

mod call;
mod guard;
mod handle;
#[cfg(all(target_os = "linux", feature = "backup"))]
mod hidden;

pub mod codes;
pub mod columns;
pub mod direct;
pub mod error;
pub mod later;
pub mod record;
pub mod rows;
pub mod store;
pub mod text;
pub mod verbs;
pub mod version;

pub use error::openwa_error;
pub use record::openwa_record;
pub use rows::openwa_rows;
pub use store::openwa_store;
pub use text::{openwa_bytes, openwa_str};
