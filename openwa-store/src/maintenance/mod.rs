//! Upkeep of an open store.

mod delete;
mod old;
mod optimize;
#[cfg(feature = "postgres")]
pub(crate) mod partitions;
pub(crate) mod retention;
pub(crate) mod scheduler;
pub(crate) mod secrets;
mod space;
pub(crate) mod vacuum;
