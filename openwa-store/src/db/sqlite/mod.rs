//! SQLite: files, connections, pragmas, and what its errors mean.

mod bulk;
mod checkpoint;
#[cfg(feature = "backup")]
mod copy;
mod database;
mod long;
mod writer;

#[cfg(feature = "backup")]
pub(crate) use copy::Frozen;
pub(crate) use database::Sqlite;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ffi};

use super::{Conn, Dialect, Flow, Ring, Seals};
use crate::entity;
use crate::error::{Error, Kind, Result};
use crate::fork::{self, Owned, Private};
use crate::time::TimeText;
use crate::value::{Row, Value};

/// How much a commit promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A commit is on the disk before it is acknowledged (`synchronous=FULL`).
    #[default]
    Full,
    /// A commit survives the end of the process; a power cut may take the last ones (`synchronous=NORMAL`).
    Normal,
}

/// Hears of every statement before it runs.
pub type Trace = Arc<dyn Fn(entity::Database, &str) + Send + Sync>;

/// Where a database is and how it is opened.
#[derive(Clone)]
pub(crate) struct SqliteFile {
    pub(crate) database: entity::Database,
    /// `None`: in memory.
    pub(crate) path: Option<PathBuf>,
    pub(crate) durability: Durability,
    pub(crate) trace: Option<Trace>,
    pub(crate) seals: Arc<Seals>,
}

/// Statements kept prepared per connection; the library issues about a hundred different ones.
const STATEMENT_CACHE: usize = 192;
/// Page cache of the writing connection in KiB. A group of a thousand messages dirties about 4 MB of pages.
const WRITER_CACHE_KIB: u32 = 16_384;
/// Page cache of a reading connection in KiB.
const READER_CACHE_KIB: u32 = 4_096;
/// The log file is cut back to this size when it starts over.
const WAL_KEPT_BYTES: u32 = 64 << 20;
/// How long a statement waits for a lock that another process holds.
const BUSY_TRIES: i32 = 120_000;

/// How often the log is tried to be emptied, about 40 milliseconds apart: for some five seconds.
const CLEAN_TRIES: u32 = 120;

/// How often an open is repeated, five milliseconds apart: for ten seconds.
const OPEN_TRIES: u32 = 2000;

/// Waits for another process's lock. SQLite's own handler sleeps up to 100 ms between tries and loses against a
/// busy writer, whose gaps are shorter than a millisecond; this one asks every half millisecond, for a minute.
fn wait_for_lock(tries: i32) -> bool {
    std::thread::sleep(Duration::from_micros(if tries < 20 { 50 } else { 500 }));
    tries < BUSY_TRIES
}

impl SqliteFile {
    pub(crate) fn in_memory(&self) -> bool {
        self.path.is_none()
    }

    /// The path for messages.
    pub(crate) fn shown(&self) -> String {
        self.path.as_deref().map_or_else(|| ":memory:".to_owned(), |p| p.display().to_string())
    }

    /// Opens after all others that open in the same folder, and repeats what fails only because another process
    /// closes the file at this moment. While a new file changes its journal mode, and while the last one out removes
    /// the log, SQLite does not wait but fails.
    pub(crate) fn among_other_openers<T>(&self, open: impl Fn() -> Result<T>) -> Result<T> {
        if let Some(path) = &self.path {
            fork::refuse(path)?;
        }
        let _turn = self.path.as_deref().and_then(turn_in_folder);
        self.refuse_half_restored()?;
        let mut tries = 0;
        loop {
            match open() {
                Err(e) if e.kind() == Kind::Busy && tries < OPEN_TRIES => tries += 1,
                done => return done,
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The file that stands beside a database while a restore puts it in its place.
    pub(crate) fn restore_mark(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".restoring");
        name.into()
    }

    /// Main of a backup and Data of the time before would not fit together.
    fn refuse_half_restored(&self) -> Result<()> {
        let mark = self.path.as_deref().map(Self::restore_mark).filter(|mark| mark.exists());
        mark.map_or(Ok(()), |mark| {
            let text = "a restore was interrupted here; run it again. (To use the files as they are, remove the mark.)";
            Err(Error::new(Kind::Conflict, text).with("mark", mark.display()))
        })
    }

    /// Moves the log of a file that nobody else has open into the file, so that it is the whole database. `Busy`: somebody
    /// has it open.
    #[cfg(feature = "backup")]
    pub(crate) fn make_whole(&self) -> Result<()> {
        let conn = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_EXRESCODE)?;
        conn.conn.busy_handler(None).map_err(|e| failure(&e))?;
        // Only the last connection can leave write-ahead logging.
        conn.batch("PRAGMA journal_mode=DELETE")
    }

    /// Opens the connection that writes, creating the file if it is missing (with mode 0600 on Unix).
    pub(crate) fn open_writer(&self) -> Result<SqliteConn> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        if let Some(path) = &self.path {
            create_private(path)?;
        }
        let conn = self.open(flags)?;
        let synchronous = match self.durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        };
        // `auto_vacuum` takes effect only while the file is empty, so it comes before the change to write-ahead
        // logging, which writes the first page. Later it would be a write that changes nothing.
        if (&conn as &dyn Conn).integer("SELECT page_count FROM pragma_page_count", &[])? == 0 {
            conn.batch("PRAGMA auto_vacuum=INCREMENTAL")?;
        }
        conn.use_wal()?;
        // A statement that deletes many rows journals every page it touches; in memory that costs a copy, in a
        // temporary file it cost a seventh of a retention run.
        conn.batch(&format!(
            "PRAGMA synchronous={synchronous}; PRAGMA foreign_keys=ON; PRAGMA cache_size=-{WRITER_CACHE_KIB}; \
             PRAGMA journal_size_limit={WAL_KEPT_BYTES}; PRAGMA temp_store=MEMORY"
        ))?;
        if self.seals.ring().given().is_some() {
            // What is written over or deleted leaves no trace in the pages that are written anyway.
            conn.batch("PRAGMA secure_delete=FAST")?;
        }
        conn.conn.wal_hook(Some(remember_wal_pages));
        Ok(conn)
    }

    /// Opens a connection that only reads.
    pub(crate) fn open_reader(&self) -> Result<SqliteConn> {
        let conn = self.open(
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_EXRESCODE,
        )?;
        conn.batch(&format!("PRAGMA query_only=ON; PRAGMA cache_size=-{READER_CACHE_KIB}"))?;
        Ok(conn)
    }

    /// Opens a file that nobody changes, not even by opening it: without locks, and without a log beside it.
    #[cfg(feature = "backup")]
    pub(crate) fn open_still(&self) -> Result<SqliteConn> {
        let path = self.path.as_deref().ok_or_else(|| Error::new(Kind::Internal, "no file to open"))?;
        let whole = std::path::absolute(path)?;
        let mut uri = url::Url::from_file_path(&whole).map_err(|()| {
            Error::new(Kind::InvalidArgument, "the path cannot be used").with("path", self.shown())
        })?;
        uri.set_query(Some("immutable=1"));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let conn = Connection::open_with_flags(uri.as_str(), flags)
            .map_err(|e| failure(&e).with("path", self.shown()))?;
        conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        Ok(SqliteConn { conn: Owned::new(conn), _opened: None, file: self.clone(), held: RefCell::default() })
    }

    /// Opens the connection that moves pages from the log into the file, beside the writer.
    pub(crate) fn open_checkpointer(&self) -> Result<SqliteConn> {
        let conn = self.open_reader()?;
        conn.batch("PRAGMA query_only=OFF; PRAGMA synchronous=FULL; PRAGMA cache_size=-64")?;
        Ok(conn)
    }

    /// Rids the file and its log of what was deleted or written over before: what is left in free space is there to be
    /// found. With `rebuild` every page is written anew, else only the log is emptied. False: others use what has to go.
    pub(crate) fn clean(&self, rebuild: bool) -> Result<bool> {
        if self.in_memory() {
            return Ok(true);
        }
        let conn = self.open_checkpointer()?;
        if rebuild {
            match conn.batch("VACUUM") {
                Err(e) if e.kind() == Kind::Busy => return Ok(false),
                done => done?,
            }
        }
        // While it waits for readers it keeps writers out, so it waits for moments only.
        conn.batch("PRAGMA busy_timeout=20")?;
        for _ in 0..CLEAN_TRIES {
            let mut busy = true;
            conn.query("PRAGMA wal_checkpoint(TRUNCATE)", &[], &mut |row| {
                busy = row.get(0) != Value::Int(0);
                Ok(Flow::Break(()))
            })?;
            if !busy {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(false)
    }

    /// Opens the connection that writes the file anew. The copy is as large as the database, so it goes to a file.
    pub(crate) fn open_rebuilder(&self) -> Result<SqliteConn> {
        let conn = self.open_reader()?;
        conn.batch("PRAGMA query_only=OFF; PRAGMA synchronous=FULL; PRAGMA temp_store=FILE")?;
        Ok(conn)
    }

    fn open(&self, flags: OpenFlags) -> Result<SqliteConn> {
        let noted = match &self.path {
            Some(path) => fork::opening(path)?,
            None => None,
        };
        let opened = match &self.path {
            Some(path) => Connection::open_with_flags(path, flags),
            None => Connection::open_in_memory_with_flags(flags),
        };
        let conn = opened.map_err(|e| failure(&e).with("path", self.shown()))?;
        conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        // A plan stays what it was when the statement was prepared. Without this, SQLite prepares a statement again whenever
        // a value is bound that some partial index might be compared with: at every page of a chat, for half its time.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(|e| failure(&e))?;
        conn.busy_handler(Some(wait_for_lock)).map_err(|e| failure(&e))?;
        Ok(SqliteConn {
            conn: Owned::new(conn),
            _opened: noted,
            file: self.clone(),
            held: RefCell::default(),
        })
    }
}

/// A lock on the folder of a database, which leaves no file behind and which a crash releases. `None`: this system or
/// file system has none; then the repetition has to do.
pub(crate) fn turn_in_folder(path: &Path) -> Option<Held> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = Held(Private::new(File::open(folder).ok()?));
    folder.0.lock().ok()?;
    Some(folder)
}

/// A locked file.
pub(crate) struct Held(Private<File>);

impl Drop for Held {
    fn drop(&mut self) {
        // Before it is closed: a program that was started meanwhile may have it open too.
        let _ = self.0.unlock();
    }
}

#[cfg(unix)]
fn create_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::from(e).with("path", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn create_private(_path: &Path) -> Result<()> {
    Ok(())
}

thread_local! {
    /// Pages in the log after this thread's last commit, as SQLite's hook reports them.
    static WAL_PAGES: Cell<Option<u32>> = const { Cell::new(None) };
}

fn remember_wal_pages(_: &rusqlite::hooks::Wal, pages: std::ffi::c_int) -> rusqlite::Result<()> {
    WAL_PAGES.set(u32::try_from(pages).ok());
    Ok(())
}

/// A connection to a SQLite database.
pub(crate) struct SqliteConn {
    conn: Owned<Connection>,
    /// Behind the connection: it is closed first.
    _opened: Option<fork::Opened>,
    file: SqliteFile,
    held: RefCell<Option<Arc<Ring>>>,
}

impl SqliteConn {
    /// Switches to write-ahead logging. SQLite does not ask the busy handler while it changes the mode, so
    /// several openers of a new file have to try again by themselves.
    fn use_wal(&self) -> Result<()> {
        let mut tries = 0;
        loop {
            match self.batch("PRAGMA journal_mode=WAL") {
                Err(e) if e.kind() == Kind::Busy && wait_for_lock(tries) => tries += 1,
                done => return done,
            }
        }
    }

    /// Starts a transaction that may write, waiting for other processes.
    pub(crate) fn begin_write(&self) -> Result<()> {
        self.held.take();
        self.run("BEGIN IMMEDIATE")
    }

    /// Starts a transaction that sees one moment.
    pub(crate) fn begin_read(&self) -> Result<()> {
        self.batch("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1")
    }

    /// Runs one parameterless statement, kept prepared.
    pub(crate) fn run(&self, sql: &str) -> Result<()> {
        self.conn.check()?;
        let mut statement = self.conn.prepare_cached(sql).map_err(|e| self.failure(&e))?;
        statement.raw_execute().map(|_| ()).map_err(|e| self.failure(&e))
    }

    /// Whether no transaction is open (some errors end it by themselves).
    pub(crate) fn is_idle(&self) -> bool {
        self.conn.is_autocommit()
    }

    /// How many rows this connection has changed so far.
    pub(crate) fn total_changes(&self) -> u64 {
        self.conn.total_changes()
    }

    /// Pages in the log after the commits since the last call, which must come from the same thread. `None`: nothing
    /// was written.
    pub(crate) fn take_wal_pages(&self) -> Option<u32> {
        WAL_PAGES.take()
    }

    /// A number that changes whenever another connection, of any process, changes the database.
    pub(crate) fn data_version(&self) -> Result<i64> {
        let mut statement = self.conn.prepare_cached("PRAGMA data_version").map_err(|e| self.failure(&e))?;
        statement.query_row([], |row| row.get(0)).map_err(|e| self.failure(&e))
    }

    /// Moves what it can from the log into the file without waiting for anybody. Answers the pages in the log
    /// and how many of them are in the file.
    pub(crate) fn checkpoint(&self) -> Result<(u32, u32)> {
        let mut counts = (0, 0);
        self.query("PRAGMA wal_checkpoint(PASSIVE)", &[], &mut |row| {
            let number = |i| if let Value::Int(n) = row.get(i) { u32::try_from(n).unwrap_or(0) } else { 0 };
            counts = (number(1), number(2));
            Ok(Flow::Break(()))
        })?;
        Ok(counts)
    }

    /// A copy of a database in memory, for a snapshot.
    pub(crate) fn copy_to_memory(&self) -> Result<SqliteConn> {
        let mut copy = self.file.open(OpenFlags::default() | OpenFlags::SQLITE_OPEN_EXRESCODE)?;
        rusqlite::backup::Backup::new(&self.conn, &mut copy.conn)
            .and_then(|b| b.run_to_completion(1000, Duration::ZERO, None))
            .map_err(|e| self.failure(&e))?;
        Ok(copy)
    }

    fn failure(&self, e: &rusqlite::Error) -> Error {
        failure(e).with("database", self.file.database.name())
    }

    fn prepare(&self, sql: &str, params: &[Value<'_>]) -> Result<rusqlite::CachedStatement<'_>> {
        self.conn.check()?;
        if let Some(trace) = &self.file.trace {
            trace(self.file.database, sql);
        }
        let mut statement = self.conn.prepare_cached(sql).map_err(|e| self.failure(&e))?;
        for (i, value) in params.iter().enumerate() {
            let bound = Bound::new(*value, self.file.database);
            statement.raw_bind_parameter(i + 1, &bound).map_err(|e| self.failure(&e))?;
        }
        Ok(statement)
    }
}

impl Conn for SqliteConn {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn seals(&self) -> &Seals {
        &self.file.seals
    }

    fn held(&self) -> &RefCell<Option<Arc<Ring>>> {
        &self.held
    }

    fn batch(&self, sql: &str) -> Result<()> {
        self.conn.check()?;
        self.conn.execute_batch(sql).map_err(|e| self.failure(&e))
    }

    fn begin(&self) -> Result<()> {
        self.begin_write()
    }

    fn end(&self, keep: bool) -> Result<()> {
        if self.is_idle() {
            return Ok(());
        }
        self.run(if keep { "COMMIT" } else { "ROLLBACK" })
    }

    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        let mut statement = self.prepare(sql, params)?;
        statement.raw_execute().map(|n| n as u64).map_err(|e| self.failure(&e))
    }

    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<Flow>,
    ) -> Result<()> {
        let mut statement = self.prepare(sql, params)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|e| self.failure(&e))? {
            if each(&SqliteRow(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

struct SqliteRow<'a>(&'a rusqlite::Row<'a>);

impl Row for SqliteRow<'_> {
    fn get(&self, index: usize) -> Value<'_> {
        match self.0.get_ref(index) {
            Ok(ValueRef::Integer(i)) => Value::Int(i),
            Ok(ValueRef::Real(r)) => Value::Real(r),
            Ok(ValueRef::Text(b)) => std::str::from_utf8(b).map_or(Value::Bytes(b), Value::Text),
            Ok(ValueRef::Blob(b)) => Value::Bytes(b),
            Ok(ValueRef::Null) | Err(_) => Value::Null,
        }
    }
}

/// A value in the form in which SQLite keeps it.
enum Bound<'a> {
    Plain(ValueRef<'a>),
    Time(TimeText),
    Uuid([u8; 36]),
}

impl<'a> Bound<'a> {
    fn new(value: Value<'a>, database: entity::Database) -> Self {
        Bound::Plain(match value {
            // Lists are for the other engine; see [`Dialect::prefers_many_rows`].
            Value::Null | Value::List(..) => ValueRef::Null,
            Value::Int(i) => ValueRef::Integer(i),
            Value::Bool(b) => ValueRef::Integer(b.into()),
            Value::Real(r) => ValueRef::Real(r),
            Value::Text(s) | Value::Json(s) => ValueRef::Text(s.as_bytes()),
            Value::Bytes(b) => ValueRef::Blob(b),
            Value::Time(t) => {
                return Bound::Time(match database {
                    entity::Database::Main => t.datetime(),
                    entity::Database::Data => t.iso(),
                });
            }
            Value::Uuid(u) => {
                let mut text = [0; 36];
                u.hyphenated().encode_lower(&mut text);
                return Bound::Uuid(text);
            }
        })
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Bound::Plain(v) => *v,
            Bound::Time(t) => ValueRef::Text(t.as_str().as_bytes()),
            Bound::Uuid(u) => ValueRef::Text(u),
        }))
    }
}

/// What an error of SQLite means to a caller, decided by its extended result code.
fn failure(e: &rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, text) = e else {
        return Error::new(Kind::Internal, format!("SQLite: {e}"));
    };
    let told = || text.clone().unwrap_or_else(|| e.to_string());
    let kind = match code.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
            // The text names table and column: "UNIQUE constraint failed: sessions.name".
            let column = told().rsplit(": ").next().unwrap_or_default().to_owned();
            return Error::new(Kind::AlreadyExists, format!("a row with this {column} exists already"))
                .with("column", column);
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
            return Error::new(Kind::NotFound, "the row that this one belongs to does not exist");
        }
        // A file to be deleted was gone, or a lock could not be had: another process closed or opened just now.
        ffi::SQLITE_IOERR_DELETE_NOENT | ffi::SQLITE_IOERR_RDLOCK => Kind::Busy,
        // A write beyond the process's file size limit, a full disk that only fsync notices, or one that has no room for
        // the file that connections share their memory by.
        ffi::SQLITE_IOERR_WRITE
        | ffi::SQLITE_IOERR_FSYNC
        | ffi::SQLITE_IOERR_TRUNCATE
        | ffi::SQLITE_IOERR_SHMSIZE => Kind::DiskFull,
        other => match other & 0xff {
            ffi::SQLITE_FULL => Kind::DiskFull,
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Kind::Busy,
            ffi::SQLITE_CORRUPT => Kind::Corrupt,
            ffi::SQLITE_NOTADB => Kind::ForeignDatabase,
            ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_AUTH => Kind::PermissionDenied,
            ffi::SQLITE_CANTOPEN | ffi::SQLITE_IOERR => Kind::Io,
            ffi::SQLITE_INTERRUPT => Kind::Cancelled,
            ffi::SQLITE_CONSTRAINT => Kind::InvalidArgument,
            ffi::SQLITE_TOOBIG => Kind::InvalidArgument,
            ffi::SQLITE_NOMEM => Kind::Unavailable,
            _ => Kind::Internal,
        },
    };
    let advice = match kind {
        Kind::DiskFull => "no space to write: free some, then try again; nothing acknowledged is lost",
        Kind::Busy => "another process holds the database for too long",
        Kind::Corrupt => "the database file is damaged; run `openwa db check`, restore a backup",
        Kind::ForeignDatabase => "this file is not a SQLite database",
        Kind::PermissionDenied => "the database may not be written; check owner and mode of file and folder",
        Kind::Io => "the database file cannot be opened or read; check path and folder",
        _ => return Error::new(kind, format!("SQLite: {}", told())),
    };
    Error::new(kind, advice).with("sqlite", format!("{} ({})", told(), code.extended_code))
}
