//! How the command ends: exit codes, and errors that say what to do.

use std::borrow::Cow;
use std::io;

use crate::{Error, Json, Kind, Text};
use serde_json::json;

use super::json::Object;

pub type Result<T> = std::result::Result<T, Failure>;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Refused = 4,
    Unusable = 5,
    TryAgain = 6,
    Files = 7,
    Problems = 8,
}

/// What `openwa --help` ends with.
pub const HELP: &str = "\
Environment:
  OPENWA_DIR                           folder of the store
  OPENWA_DATA                          where the Data database is, as --data
  DATABASE_TYPE                        sqlite or postgres
  DATABASE_NAME, MAIN_DATABASE_NAME    files of the two databases, relative to the folder; with postgres,
                                       DATABASE_NAME is the name of the database on the server
  DATABASE_HOST, DATABASE_PORT, DATABASE_USERNAME, DATABASE_PASSWORD, DATABASE_SSL, POSTGRES_SCHEMA
                                       the PostgreSQL server
  POSTGRES_BUILTIN                     true: the store starts a server of its own
  OPENWA_BACKUP_REPO, OPENWA_BACKUP_PASSWORD
                                       the repository of backups, and its password; with S3 also AWS_ACCESS_KEY_ID,
                                       AWS_SECRET_ACCESS_KEY, AWS_REGION …
  API_KEY_PEPPER                       secret that the hashes of API keys are made with
  OPENWA_STORE_KEY, OPENWA_STORE_KEY_FILE
                                       the key that secrets are sealed with, or a file with it
  A file given by --config may set them too; the environment wins over it.

Exit codes:
  0  done
  1  not done, or something is wrong: unreadable lines, stores that differ
  2  wrong usage, or a value that is not acceptable
  3  no such store, session, key or file
  4  refused: a key is denied, missing or wrong, or a rule or guard of the store forbids it
  5  a database or document cannot be used: foreign, too new, or damaged
  6  try again later: the database is busy or out of reach, or the disk is full
  7  a file or folder may not be read or written
  8  `db check` found problems, or `db check --repair` left some";

/// Why a command was not done.
pub enum Failure {
    /// The store says so.
    Store(Error),
    /// Something beside the store, with what to do about it.
    Command { exit: Exit, message: String, hint: Cow<'static, str> },
    /// Standard output cannot be written.
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::Store(e)
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Failure::Output(e)
    }
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Self {
        Failure::Command { exit, message: message.into(), hint: hint.into() }
    }

    pub fn usage(message: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Self {
        Failure::new(Exit::Usage, message, hint)
    }

    pub fn not_found(message: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Self {
        Failure::new(Exit::NotFound, message, hint)
    }

    fn exit(&self) -> Exit {
        match self {
            Failure::Store(e) => exit_of(e.kind()),
            Failure::Command { exit, .. } => *exit,
            // Whoever reads has seen enough (`| head`).
            Failure::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Failure::Output(_) => Exit::Files,
        }
    }

    /// Tells people, or programs, on standard error.
    pub fn report(&self, json: bool) -> Exit {
        let exit = self.exit();
        if exit == Exit::Done {
            return exit;
        }
        let (kind, message, hint) = match self {
            Failure::Store(e) => (e.kind().name(), e.message().to_owned(), hint_for(e.kind()).into()),
            Failure::Command { message, hint, exit } => (kind_name(*exit), message.clone(), hint.clone()),
            Failure::Output(e) => ("IO", format!("cannot write to standard output: {e}"), "".into()),
        };
        let contexts: Vec<(&str, &str)> = match self {
            Failure::Store(e) => e.contexts().collect(),
            _ => Vec::new(),
        };
        if json {
            let text = |s: &str| Json::from(json!(Text::from(s).as_stored()));
            let context = contexts.iter().fold(Object::new(), |o, (name, value)| o.put(name, text(value)));
            let error = Object::new()
                .put("kind", text(kind))
                .put("message", text(&message))
                .put("context", context.done())
                .put("hint", text(&hint))
                .put("exit", json!(exit as u8));
            eprintln!("{}", Object::new().put("error", error.done()).done());
            return exit;
        }
        eprintln!("openwa: {message}");
        for (name, value) in contexts {
            eprintln!("  {name}: {value}");
        }
        if !hint.is_empty() {
            eprintln!("  hint: {hint}");
        }
        exit
    }
}

fn kind_name(exit: Exit) -> &'static str {
    match exit {
        Exit::Usage => Kind::InvalidArgument.name(),
        Exit::NotFound => Kind::NotFound.name(),
        Exit::Files => Kind::Io.name(),
        _ => Kind::Conflict.name(),
    }
}

fn exit_of(kind: Kind) -> Exit {
    match kind {
        Kind::InvalidArgument => Exit::Usage,
        Kind::NotFound => Exit::NotFound,
        Kind::AlreadyExists
        | Kind::InvalidTransition
        | Kind::Conflict
        | Kind::LastFullAccessKey
        | Kind::StoreKeyMissing
        | Kind::WrongStoreKey
        | Kind::ClockJump => Exit::Refused,
        Kind::SchemaTooNew
        | Kind::SchemaChanged
        | Kind::ForeignDatabase
        | Kind::Unreadable
        | Kind::Corrupt
        | Kind::FileGone
        | Kind::InvalidData => Exit::Unusable,
        Kind::PermissionDenied | Kind::Io => Exit::Files,
        kind if kind.retryable() => Exit::TryAgain,
        _ => Exit::Failed,
    }
}

fn hint_for(kind: Kind) -> &'static str {
    match kind {
        Kind::LastFullAccessKey => "create another key with full access first, or give --force",
        Kind::ForeignDatabase => "give another folder with --dir, or another file with DATABASE_NAME",
        Kind::SchemaTooNew => "use the newer `openwa` that wrote it",
        Kind::SchemaChanged => "use the version of `openwa` that made the database, or restore a backup",
        Kind::StoreKeyMissing | Kind::WrongStoreKey => {
            "set OPENWA_STORE_KEY or OPENWA_STORE_KEY_FILE; if the key is lost for good, see `openwa secrets forget`"
        }
        Kind::Corrupt => "restore a backup; `openwa db check` tells what is damaged",
        Kind::FileGone => "put the file back, or restore a backup",
        Kind::Busy => "another process holds the database; try again",
        Kind::DiskFull => "make room on the disk, then try again: nothing that was acknowledged is lost",
        Kind::PermissionDenied => "give yourself the right to it, or another folder with --dir",
        Kind::ClockJump => "look at the clock; if it is right, run again with --force",
        Kind::Internal => "this is a defect of openwa; please report it",
        _ => "",
    }
}
