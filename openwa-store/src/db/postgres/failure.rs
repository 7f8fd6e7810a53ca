//! What an error of PostgreSQL means to a caller, decided by its SQLSTATE, never by its text.

use tokio_postgres::error::{DbError, SqlState};

use crate::error::{Error, Kind};

/// What to tell of a wrong user or password, and of a database that does not exist.
pub(super) const REFUSED: &str =
    "the server refuses user and password; check DATABASE_USERNAME and DATABASE_PASSWORD, and pg_hba.conf";
pub(super) const NO_DATABASE: &str =
    "the server has no such database; create it (CREATE DATABASE) or check DATABASE_NAME";

/// An error of the client library: the server's own answer, or a connection that is no more.
pub(super) fn failure(e: tokio_postgres::Error) -> Error {
    match e.as_db_error() {
        Some(answer) => answered(answer).caused_by(e),
        None if e.is_closed() || has_io(&e) => lost(e),
        None => Error::new(Kind::Internal, format!("PostgreSQL: {e}")).caused_by(e),
    }
}

/// The connection ended while it was used.
pub(super) fn lost(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Unavailable, "the connection to the PostgreSQL server was lost; it comes back by itself")
        .caused_by(e)
}

fn has_io(e: &tokio_postgres::Error) -> bool {
    std::error::Error::source(e).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

fn answered(e: &DbError) -> Error {
    let state = e.code();
    let told = |kind, text: &str| {
        Error::new(kind, text).with("postgres", format!("{} ({})", e.message(), state.code()))
    };
    if *state == SqlState::UNIQUE_VIOLATION {
        let column = columns(e);
        return told(Kind::AlreadyExists, &format!("a row with this {column} exists already"))
            .with("column", column);
    }
    let known = match *state {
        SqlState::FOREIGN_KEY_VIOLATION => {
            Some((Kind::NotFound, "the row that this one belongs to does not exist"))
        }
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            Some((Kind::PermissionDenied, REFUSED))
        }
        SqlState::INVALID_CATALOG_NAME => Some((Kind::NotFound, NO_DATABASE)),
        SqlState::INSUFFICIENT_PRIVILEGE => Some((
            Kind::PermissionDenied,
            "the role may not do that; grant it the rights, or use another role",
        )),
        SqlState::TOO_MANY_CONNECTIONS => Some((
            Kind::Unavailable,
            "the server has no connection left; raise max_connections, or use fewer connections per store",
        )),
        SqlState::DISK_FULL => {
            Some((Kind::DiskFull, "the server's disk is full: free some space; nothing acknowledged is lost"))
        }
        SqlState::QUERY_CANCELED => {
            Some((Kind::Timeout, "the server worked on this for longer than its time-out allows"))
        }
        SqlState::LOCK_NOT_AVAILABLE => Some((Kind::Busy, "somebody else holds a lock for too long")),
        SqlState::READ_ONLY_SQL_TRANSACTION => Some((
            Kind::Unavailable,
            "the server only reads at the moment: a standby, or a failover under way",
        )),
        _ => None,
    };
    if let Some((kind, text)) = known {
        return told(kind, text);
    }
    match state.code().get(..2).unwrap_or_default() {
        // Serialization failures and deadlocks: the same again succeeds.
        "40" => told(Kind::Busy, "somebody else changed the same rows at the same time"),
        "08" | "57" => {
            told(Kind::Unavailable, "the PostgreSQL server is shutting down, starting or not reachable")
        }
        "53" => told(Kind::Unavailable, "the PostgreSQL server is out of resources"),
        "22" | "23" => told(Kind::InvalidArgument, "the server does not take this value"),
        "XX" => told(Kind::Corrupt, "the server reports damaged data or a defect of its own; see its log"),
        _ => told(Kind::Internal, &format!("PostgreSQL: {}", e.message())),
    }
}

/// The columns of a unique value, `table.a, table.b`. The detail reads "Key (a, b)=(…) already exists." in whatever
/// language; the part in brackets is the same in all.
fn columns(e: &DbError) -> String {
    let table = e.table().unwrap_or_default();
    // A partition's name says nothing to a caller.
    let table = if table.starts_with("messages_") || table == "message_ids" { "messages" } else { table };
    let detail = e.detail().unwrap_or_default();
    let list = detail.split_once('(').and_then(|(_, rest)| rest.split_once(")=(")).map(|(list, _)| list);
    match list {
        Some(list) => list.split(", ").map(|c| format!("{table}.{c}")).collect::<Vec<_>>().join(", "),
        None => e.constraint().unwrap_or(table).to_owned(),
    }
}
