//! The numbers of errors. Generated from the library's kinds; `BLESS=1 cargo test -p openwa-tests --test
//! c_interface` renews it. A retired number is never used again.

/// Success.
pub const OPENWA_OK: i32 = 0;
/// A value that the call was given is not acceptable; the context names the column.
pub const OPENWA_ERR_INVALID_ARGUMENT: i32 = 1;
/// The named row does not exist.
pub const OPENWA_ERR_NOT_FOUND: i32 = 2;
/// A row with the same unique value exists already.
pub const OPENWA_ERR_ALREADY_EXISTS: i32 = 3;
/// The session's status does not allow this step.
pub const OPENWA_ERR_INVALID_TRANSITION: i32 = 4;
/// Somebody else changed the row first, or a guard forbids the change in its present state.
pub const OPENWA_ERR_CONFLICT: i32 = 5;
/// The last usable full-access API key would be lost.
pub const OPENWA_ERR_LAST_FULL_ACCESS_KEY: i32 = 6;
/// The operation was stopped on request.
pub const OPENWA_ERR_CANCELLED: i32 = 7;
/// The database was written by a newer version of this library.
pub const OPENWA_ERR_SCHEMA_TOO_NEW: i32 = 20;
/// An applied migration step differs from the one this library carries.
pub const OPENWA_ERR_SCHEMA_CHANGED: i32 = 21;
/// The database belongs to something else.
pub const OPENWA_ERR_FOREIGN_DATABASE: i32 = 22;
/// A stored value cannot be read; the context names table, column and row.
pub const OPENWA_ERR_UNREADABLE: i32 = 23;
/// The database file is damaged.
pub const OPENWA_ERR_CORRUPT: i32 = 24;
/// An import's content is wrong; the context names table, row and column.
pub const OPENWA_ERR_INVALID_DATA: i32 = 25;
/// The store is sealed and was opened without its store key; what needs no secret goes on.
pub const OPENWA_ERR_STORE_KEY_MISSING: i32 = 26;
/// The store is sealed with another store key than the one that was given; the context names both.
pub const OPENWA_ERR_WRONG_STORE_KEY: i32 = 27;
/// The database cannot be reached at the moment.
pub const OPENWA_ERR_UNAVAILABLE: i32 = 40;
/// Another process held the database for longer than the time-out.
pub const OPENWA_ERR_BUSY: i32 = 41;
/// The write queue is full.
pub const OPENWA_ERR_QUEUE_FULL: i32 = 42;
/// The time for the operation ran out.
pub const OPENWA_ERR_TIMEOUT: i32 = 43;
/// There is no space left for the database.
pub const OPENWA_ERR_DISK_FULL: i32 = 44;
/// The clock jumped, so that retention would delete more than its window allows.
pub const OPENWA_ERR_CLOCK_JUMP: i32 = 45;
/// The store is closed.
pub const OPENWA_ERR_CLOSED: i32 = 60;
/// The store was open when the parent forked this process: it has to be closed before, or opened in the child
/// only.
pub const OPENWA_ERR_FORKED: i32 = 61;
/// The file or folder may not be read or written.
pub const OPENWA_ERR_PERMISSION_DENIED: i32 = 62;
/// Reading or writing a file failed.
pub const OPENWA_ERR_IO: i32 = 63;
/// This build or this engine cannot do that.
pub const OPENWA_ERR_UNSUPPORTED: i32 = 64;
/// A file of the store is missing, empty or was replaced while others are there; the context names it.
pub const OPENWA_ERR_FILE_GONE: i32 = 65;
/// A defect of this library.
pub const OPENWA_ERR_INTERNAL: i32 = 90;
