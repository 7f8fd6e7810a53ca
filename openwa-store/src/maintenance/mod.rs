//! Upkeep of an open store.

pub(crate) mod retention;
