//! Upkeep of an open store.

mod delete;
mod old;
pub(crate) mod retention;
mod turn;
