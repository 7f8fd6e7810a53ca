//! What the errors of the repository and of its storage mean to a caller.

use std::error::Error as StdError;
use std::io;

use object_store::Error as Storage;
use rustic_core::RusticError;

use crate::error::{Error, Kind};

/// An error of the storage. `place` is where the repository is.
pub(super) fn of_storage(e: &Storage, place: &str) -> Error {
    let (cause, io) = cause(e);
    let text = cause.to_string();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let (kind, told) = match e {
        Storage::NotFound { .. } if has(&["NoSuchBucket"]) => {
            (Kind::NotFound, "the bucket does not exist; make it, or give another one")
        }
        Storage::NotFound { .. } => (Kind::NotFound, "a file of the repository is missing"),
        Storage::PermissionDenied { .. } | Storage::Unauthenticated { .. } => (
            Kind::PermissionDenied,
            "the storage refuses the credentials; check AWS_ACCESS_KEY_ID, \
             AWS_SECRET_ACCESS_KEY and what they are allowed to do in the bucket",
        ),
        _ => match io.map(io::Error::kind) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge) => {
                (
                    Kind::DiskFull,
                    "no space for the repository: free some, then try again; earlier backups are whole",
                )
            }
            Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => (
                Kind::PermissionDenied,
                "the repository may not be read or written; check owner and mode of its folder",
            ),
            Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                (Kind::NotFound, "the folder of the repository is missing")
            }
            _ if place.starts_with("s3:") && has(&["169.254.", "nstance metadata", "MetadataRequest"]) => (
                Kind::PermissionDenied,
                "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ),
            _ if place.starts_with("s3:") => (
                Kind::Unavailable,
                "the storage does not answer, or not as it should; check the address, then try again: \
                 what was written is not written again",
            ),
            _ => (Kind::Io, "the repository cannot be read or written"),
        },
    };
    Error::new(kind, told).with("repo", place).with("cause", shortened(&text))
}

/// The innermost error that says something, and that of the system if there is one.
fn cause(e: &Storage) -> (&(dyn StdError + 'static), Option<&io::Error>) {
    let mut at: &(dyn StdError + 'static) = e;
    let mut io = None;
    while let Some(next) = at.source() {
        io = next.downcast_ref::<io::Error>().or(io);
        // What a server answered stands in the text of an error that has no further cause.
        at = next;
    }
    (at, io)
}

/// How an error says that it is of the kind `Unsupported`, which it tells in no other way.
const UNSUPPORTED: &str = "(kind: related to unsupported operations";

/// An error of the repository whose storage told nothing wrong.
pub(super) fn of_repository(e: &RusticError, place: &str) -> Error {
    let (kind, told) = if e.is_incorrect_password() {
        (Kind::PermissionDenied, "this is not the password of the repository")
    } else if e.display_log().contains(UNSUPPORTED) {
        (
            Kind::SchemaTooNew,
            "the repository is of a format that this library does not know; use the newer one that wrote it",
        )
    } else {
        (Kind::Corrupt, "the repository is damaged; `openwa backup verify` tells which backups are whole")
    };
    Error::new(kind, told).with("repo", place).with("cause", shortened(&plain(e)))
}

/// What it says, without advice for users of another program.
fn plain(e: &RusticError) -> String {
    let text = e.display_log();
    let text = text.strip_prefix("Error: ").unwrap_or(&text);
    text.split(" (kind: ").next().unwrap_or(text).to_owned()
}

/// On one line, and not longer than people read.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
