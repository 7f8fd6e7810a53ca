//! What errors of SQLite mean.

use std::io;

use rusqlite::ffi;

use super::vfs;
use crate::error::{Error, Kind, of_system};

/// What an error means.
struct Meaning {
    kind: Kind,
    /// What can be done about it.
    advice: Option<&'static str>,
    /// The error of the call to the operating system that failed.
    system: Option<io::Error>,
}

/// What an error of another file means, for whoever has opened it: its text with what can be done about it.
pub(crate) fn told(e: &rusqlite::Error) -> (Kind, String) {
    match e.sqlite_error().map(meaning) {
        Some(Meaning { kind, advice: Some(advice), .. }) => (kind, format!("{e}: {advice}")),
        Some(Meaning { kind, .. }) => (kind, e.to_string()),
        None => (Kind::Io, e.to_string()),
    }
}

/// Decides by the extended result code and, for a connection through [`vfs_name`](super::vfs_name), by the errno of the call
/// to the operating system that failed.
fn meaning(code: &ffi::Error) -> Meaning {
    let system = vfs::take_errno().map(io::Error::from_raw_os_error);
    let (kind, advice) = match code.extended_code {
        // A file to be deleted was gone, or a lock could not be had: another process closed or opened just now.
        ffi::SQLITE_IOERR_DELETE_NOENT | ffi::SQLITE_IOERR_RDLOCK => (Kind::Busy, None),
        other => match other & 0xff {
            ffi::SQLITE_FULL => (Kind::DiskFull, None),
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => (Kind::Busy, None),
            ffi::SQLITE_CORRUPT => (Kind::Corrupt, None),
            ffi::SQLITE_NOTADB => (Kind::ForeignDatabase, None),
            ffi::SQLITE_CANTOPEN | ffi::SQLITE_IOERR | ffi::SQLITE_READONLY | ffi::SQLITE_PERM => {
                let may_not = matches!(other & 0xff, ffi::SQLITE_READONLY | ffi::SQLITE_PERM);
                match system.as_ref().map(of_system) {
                    Some(meant) if meant.0 == Kind::PermissionDenied => meant,
                    _ if may_not => (Kind::PermissionDenied, None),
                    // A database that nobody has named is missing, not a row.
                    Some((Kind::NotFound, _)) => (Kind::FileGone, None),
                    Some(meant) => meant,
                    None => (Kind::Io, None),
                }
            }
            ffi::SQLITE_AUTH => (Kind::PermissionDenied, None),
            ffi::SQLITE_INTERRUPT => (Kind::Cancelled, None),
            ffi::SQLITE_CONSTRAINT | ffi::SQLITE_TOOBIG => (Kind::InvalidArgument, None),
            ffi::SQLITE_NOMEM => (Kind::Unavailable, None),
            _ => (Kind::Internal, None),
        },
    };
    Meaning { kind, advice, system }
}

/// What an error of the store's own database means to a caller.
pub(super) fn failure(e: &rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, text) = e else {
        return Error::new(Kind::Internal, format!("SQLite: {e}"));
    };
    let told = || text.clone().unwrap_or_else(|| e.to_string());
    match code.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
            // The text names table and column: "UNIQUE constraint failed: sessions.name".
            let column = told().rsplit(": ").next().unwrap_or_default().to_owned();
            return Error::new(Kind::AlreadyExists, format!("a row with this {column} exists already"))
                .with("column", column);
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
            return Error::new(Kind::NotFound, "the row that this one belongs to does not exist");
        }
        _ => {}
    }
    let Meaning { kind, advice, system } = meaning(code);
    let text = match kind {
        Kind::DiskFull => "the database cannot grow; nothing acknowledged is lost",
        Kind::Busy => "another process holds the database for too long",
        Kind::Corrupt => "the database file is damaged; run `openwa db check`, restore a backup",
        Kind::ForeignDatabase => "this file is not a SQLite database",
        Kind::PermissionDenied => "the database may not be written; check owner and mode of file and folder",
        Kind::FileGone => "the database file, or its folder, is not there",
        Kind::Unavailable => "the system has no means left to use the database",
        Kind::Io if code.code == rusqlite::ErrorCode::CannotOpen => "the database file cannot be opened",
        Kind::Io => "the database file cannot be read or written",
        _ => return Error::new(kind, format!("SQLite: {}", told())),
    };
    let full = match (kind, advice) {
        (Kind::DiskFull, None) => format!("{text}: no space is left, free some, then try again"),
        (_, Some(advice)) => format!("{text}: {advice}"),
        (_, None) => text.to_owned(),
    };
    let error = Error::new(kind, full).with("sqlite", format!("{} ({})", told(), code.extended_code));
    match system {
        Some(system) if kind != Kind::Busy => error.with("system", &system).caused_by(system),
        _ => error,
    }
}
