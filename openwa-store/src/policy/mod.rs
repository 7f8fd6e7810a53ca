//! Pure rules: from values to decisions, with time passed in and no database in sight. Every face of the
//! library offers them, so that a host can use them without opening a store.

pub mod address;
pub mod message;
