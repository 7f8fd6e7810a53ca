//! The database files.
