//! What the test programs share: the conformance cases, and helpers to make stores, rows and child processes.

// A test, and whatever only tests call, may panic: that is how it fails.
#![allow(clippy::unwrap_used)]

pub mod backups;
pub mod bouncer;
pub mod c_interface;
pub mod cluster;
pub mod conformance;
pub mod deaf;
pub mod full;
pub mod liar;
pub mod openwa;
pub mod postgres;
pub mod process;
pub mod raw;
pub mod referee;
pub mod relay;
pub mod s3;
pub mod server;
