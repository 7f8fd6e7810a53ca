//! One error type for every verb of the library, and one table of its kinds.
//!
//! The table [`Kind::ALL`] gives each kind its stable number, its name and whether a later try may succeed.
//! Every face of the library looks kinds up there instead of matching on them, so a new kind reaches all of
//! them at once.

use std::error::Error as StdError;
use std::fmt;

/// What the verbs of this library return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $text:literal, $retryable:literal;)+) => {
        /// What went wrong, in a form that a program can act on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind { $($(#[doc = $doc])+ $name,)+ }

        impl Kind {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),+];

            /// The stable number of this kind. A retired number is never used again.
            #[must_use]
            pub const fn code(self) -> i32 { match self { $(Kind::$name => $code),+ } }

            /// The stable name of this kind, for instance `INVALID_ARGUMENT`.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Kind::$name => $text),+ } }

            /// What this kind means, for people.
            #[must_use]
            pub const fn doc(self) -> &'static str { match self { $(Kind::$name => concat!($($doc),+).trim_ascii()),+ } }

            /// Whether the same call may succeed later without any change by the caller.
            #[must_use]
            pub const fn retryable(self) -> bool { match self { $(Kind::$name => $retryable),+ } }
        }
    };
}

kinds! {
    /// A value that the call was given is not acceptable; the context names the column.
    InvalidArgument = 1, "INVALID_ARGUMENT", false;
    /// The named row does not exist.
    NotFound = 2, "NOT_FOUND", false;
    /// A row with the same unique value exists already.
    AlreadyExists = 3, "ALREADY_EXISTS", false;
    /// The session's status does not allow this step.
    InvalidTransition = 4, "INVALID_TRANSITION", false;
    /// Somebody else changed the row first, or a guard forbids the change in its present state.
    Conflict = 5, "CONFLICT", false;
    /// The last usable full-access API key would be lost.
    LastFullAccessKey = 6, "LAST_FULL_ACCESS_KEY", false;
    /// The operation was stopped on request.
    Cancelled = 7, "CANCELLED", false;
    /// The database was written by a newer version of this library.
    SchemaTooNew = 20, "SCHEMA_TOO_NEW", false;
    /// An applied migration step differs from the one this library carries.
    SchemaChanged = 21, "SCHEMA_CHANGED", false;
    /// The database belongs to something else.
    ForeignDatabase = 22, "FOREIGN_DATABASE", false;
    /// A stored value cannot be read; the context names table, column and row.
    Unreadable = 23, "UNREADABLE", false;
    /// The database file is damaged.
    Corrupt = 24, "CORRUPT", false;
    /// An import's content is wrong; the context names table, row and column.
    InvalidData = 25, "INVALID_DATA", false;
    /// The store is sealed and was opened without its store key; what needs no secret goes on.
    StoreKeyMissing = 26, "STORE_KEY_MISSING", false;
    /// The store is sealed with another store key than the one that was given; the context names both.
    WrongStoreKey = 27, "WRONG_STORE_KEY", false;
    /// The database cannot be reached at the moment.
    Unavailable = 40, "UNAVAILABLE", true;
    /// Another process held the database for longer than the time-out.
    Busy = 41, "BUSY", true;
    /// The write queue is full.
    QueueFull = 42, "QUEUE_FULL", true;
    /// The time for the operation ran out.
    Timeout = 43, "TIMEOUT", true;
    /// There is no space left for the database.
    DiskFull = 44, "DISK_FULL", true;
    /// The clock jumped, so that retention would delete more than its window allows.
    ClockJump = 45, "CLOCK_JUMP", false;
    /// The store is closed.
    Closed = 60, "CLOSED", false;
    /// The store was open when the parent forked this process: it has to be closed before, or opened in the child only.
    Forked = 61, "FORKED", false;
    /// The file or folder may not be read or written.
    PermissionDenied = 62, "PERMISSION_DENIED", false;
    /// Reading or writing a file failed.
    Io = 63, "IO", false;
    /// This build or this engine cannot do that.
    Unsupported = 64, "UNSUPPORTED", false;
    /// A file of the store is missing, empty or was replaced while others are there; the context names it.
    FileGone = 65, "FILE_GONE", false;
    /// A defect of this library.
    Internal = 90, "INTERNAL", false;
}

/// An error: kind, message, operation, context and source.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    operation: Option<&'static str>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A new error of `kind` that tells people `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            operation: None,
            context: Vec::new(),
            source: None,
        }))
    }

    /// An `InvalidArgument` error that names the column or argument it is about.
    pub fn invalid(column: &'static str, message: impl Into<String>) -> Self {
        Error::new(Kind::InvalidArgument, message).with("column", column)
    }

    /// A `NotFound` error for the row `what` known as `id`.
    pub fn not_found(what: &'static str, id: impl fmt::Display) -> Self {
        Error::new(Kind::NotFound, format!("no {what} {id}")).with("what", what).with("id", id)
    }

    /// Adds a piece of context; the first value of a name stays.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        if self.context(name).is_none() {
            self.0.context.push((name, value.to_string()));
        }
        self
    }

    /// Adds to what people are told.
    #[must_use]
    pub(crate) fn adding(mut self, more: impl fmt::Display) -> Self {
        self.0.message = format!("{}: {more}", self.0.message);
        self
    }

    /// Names the operation that failed; the innermost one stays.
    #[must_use]
    pub fn during(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Attaches the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error for one more caller of a shared commit; the source stays with the first.
    #[must_use]
    pub(crate) fn copy(&self) -> Self {
        let i = &self.0;
        let (message, context) = (i.message.clone(), i.context.clone());
        Error(Box::new(Inner { kind: i.kind, message, operation: i.operation, context, source: None }))
    }

    /// What went wrong, for a program.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What went wrong, for people, without operation and context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The verb that failed, for instance `messages.save`.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// One piece of context by name: `table`, `column`, `row`, `path` …
    #[must_use]
    pub fn context(&self, name: &str) -> Option<&str> {
        self.0.context.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// All context, in the order in which it was added.
    pub fn contexts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(n, v)| (*n, v.as_str()))
    }

    /// Whether the same call may succeed later without any change by the caller.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.0.kind.retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.0.operation {
            write!(f, "{operation}: ")?;
        }
        f.write_str(&self.0.message)?;
        for (i, (name, value)) in self.0.context.iter().enumerate() {
            write!(f, "{}{name}={value}", if i == 0 { " (" } else { ", " })?;
        }
        if self.0.context.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.0.kind.name())?;
        if let Some(source) = &self.0.source {
            write!(f, ", caused by: {source}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as _)
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        let (kind, advice) = of_system(&e);
        let text = advice.map_or_else(|| e.to_string(), |advice| format!("{e}: {advice}"));
        Error::new(kind, text).caused_by(e)
    }
}

/// What an error of the operating system means to a caller, and what can be done about it.
pub(crate) fn of_system(e: &std::io::Error) -> (Kind, Option<&'static str>) {
    use std::io::ErrorKind as E;
    // Linux, the BSDs and macOS agree on these numbers; Rust has no kind for them.
    const EIO: i32 = 5;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    match e.raw_os_error() {
        Some(EIO) if cfg!(unix) => {
            let text =
                "the disk reports an error; look at the system's log, save what is there, replace the disk";
            return (Kind::Io, Some(text));
        }
        Some(EMFILE | ENFILE) if cfg!(unix) => {
            let text = "no more files can be opened; close some, or raise the limit (`ulimit -n`)";
            return (Kind::Unavailable, Some(text));
        }
        _ => {}
    }
    match e.kind() {
        E::NotFound => (Kind::NotFound, None),
        E::PermissionDenied => (Kind::PermissionDenied, Some("check owner and mode of file and folder")),
        E::ReadOnlyFilesystem => {
            let text = "the file system is mounted read-only, maybe since it found an error; look at the system's log";
            (Kind::PermissionDenied, Some(text))
        }
        E::StorageFull => (Kind::DiskFull, Some("no space, or no room for one more file: free some")),
        E::QuotaExceeded => {
            (Kind::DiskFull, Some("the user's quota is used up: free some space, or have it raised"))
        }
        E::FileTooLarge => {
            let text = "the file would be larger than the process (`ulimit -f`) or the file system allows";
            (Kind::DiskFull, Some(text))
        }
        E::OutOfMemory => (Kind::Unavailable, Some("the system is out of memory")),
        _ => (Kind::Io, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_rising() {
        let codes: Vec<i32> = Kind::ALL.iter().map(|k| k.code()).collect();
        assert!(codes.windows(2).all(|w| w[0] < w[1]), "{codes:?}");
        let mut names: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn the_inner_context_and_operation_stay() {
        let e = Error::invalid("name", "too long")
            .with("column", "other")
            .during("sessions.create")
            .during("outer");
        assert_eq!(e.to_string(), "sessions.create: too long (column=name)");
        assert_eq!(e.context("column"), Some("name"));
    }
}
