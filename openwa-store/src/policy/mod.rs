//! Pure rules: from values to decisions, with time passed in and no database in sight. Every face of the
//! library offers them, so that a host can use them without opening a store.

pub(crate) mod mac;
mod shape;

pub mod address;
pub mod authorize;
pub mod batch;
pub mod config;
pub mod ip;
pub mod keys;
pub mod message;
pub mod permissions;
pub mod retention;
pub mod schedule;
pub mod session;
pub mod webhook;
