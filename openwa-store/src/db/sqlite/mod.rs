//! SQLite: files, connections, pragmas, and what its errors mean.

mod bulk;
mod checkpoint;
#[cfg(feature = "backup")]
mod copy;
mod database;
mod failure;
mod long;
mod turns;
mod vfs;
mod watch;
mod writer;

#[cfg(feature = "backup")]
pub(crate) use copy::Frozen;
pub(crate) use database::Sqlite;
pub(crate) use failure::told;
pub(crate) use turns::{Held, turn_in_folder};
pub(crate) use vfs::name as vfs_name;
pub(crate) use watch::{lost, size};

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};

use self::failure::failure;
use self::turns::wait_for_lock;
#[cfg(any(test, feature = "backup"))]
use super::LOCK_WAIT;
use super::{Conn, Dialect, Flow, Holder, Ring, Seals, Wait};
use crate::entity;
use crate::error::{Error, Kind, Result, of_system};
use crate::folder;
use crate::fork::{self, Owned};
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
    /// How long opening waits for others that open.
    pub(crate) lock_wait: Duration,
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
/// How long the log is tried to be emptied: readers that are in the way are done by then.
const CLEAN_WAIT: Duration = Duration::from_secs(5);

impl SqliteFile {
    /// A file by itself, without a key.
    #[cfg(any(test, feature = "backup"))]
    pub(crate) fn alone(path: &Path, database: entity::Database) -> Self {
        let (path, seals) = (Some(path.to_owned()), Seals::new(None));
        SqliteFile { database, path, durability: Durability::Full, trace: None, lock_wait: LOCK_WAIT, seals }
    }

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
        let until = Instant::now() + self.lock_wait;
        let _turn = self.path.as_deref().map(|path| turn_in_folder(path, until)).transpose()?;
        self.refuse_half_restored()?;
        self.refuse_lost()?;
        let mut wait = Wait::until(until);
        turns::opening(until, || {
            loop {
                match open() {
                    Err(e) if e.kind() == Kind::Busy => {
                        if !wait.again() {
                            return Err(self.name_holder(e));
                        }
                    }
                    done => return done,
                }
            }
        })
    }

    /// Says of a database that is held by another process which one that is.
    pub(crate) fn name_holder(&self, e: Error) -> Error {
        match &self.path {
            Some(path) if e.kind() == Kind::Busy && e.context("holder").is_none() => {
                Holder::name(Holder::of_database(path).as_ref(), e)
            }
            _ => e,
        }
    }

    /// The file that stands beside a database while a restore puts it in its place.
    pub(crate) fn restore_mark(path: &Path) -> PathBuf {
        folder::beside(path, ".restoring")
    }

    /// Refuses a file that is missing or empty beside a log that is not: SQLite would remove the log, and with it the rows.
    pub(crate) fn refuse_lost(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let log = folder::beside(path, "-wal");
        if size(path)? == 0 && size(&log)? > 0 { Err(lost(path, &[&log])) } else { Ok(()) }
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
        conn.journal_mode("delete")
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
        let (synchronous, means) = match self.durability {
            Durability::Full => ("FULL", "2"),
            Durability::Normal => ("NORMAL", "1"),
        };
        // `auto_vacuum` takes effect only while the file is empty, so it comes before the change to write-ahead
        // logging, which writes the first page. Later it would be a write that changes nothing.
        if (&conn as &dyn Conn).integer("SELECT page_count FROM pragma_page_count", &[])? == 0 {
            conn.pragma("auto_vacuum", "INCREMENTAL", "2")?;
        }
        if !self.in_memory() {
            conn.use_wal()?;
        }
        // A statement that deletes many rows journals every page it touches; in memory that costs a copy, in a
        // temporary file it cost a seventh of a retention run.
        conn.batch(&format!(
            "PRAGMA cache_size=-{WRITER_CACHE_KIB}; PRAGMA journal_size_limit={WAL_KEPT_BYTES}; PRAGMA temp_store=MEMORY"
        ))?;
        conn.pragma("synchronous", synchronous, means)?;
        conn.pragma("foreign_keys", "ON", "1")?;
        if self.seals.ring().given().is_some() {
            // What is written over or deleted leaves no trace in the pages that are written anyway.
            conn.pragma("secure_delete", "FAST", "2")?;
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
        let conn = Connection::open_with_flags_and_vfs(uri.as_str(), flags, vfs::name()?)
            .map_err(|e| failure(&e).with("path", self.shown()))?;
        conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        Ok(SqliteConn::new(conn, None, self))
    }

    /// Opens a connection that looks at the file and leaves its log as it is, also as the last one.
    pub(crate) fn open_guest(&self) -> Result<SqliteConn> {
        let conn = self.open_reader()?;
        let closing = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        conn.conn.set_db_config(closing, true).map_err(|e| failure(&e))?;
        Ok(conn)
    }

    /// Opens the connection that moves pages from the log into the file, beside the writer.
    pub(crate) fn open_checkpointer(&self) -> Result<SqliteConn> {
        let conn = self.open_reader()?;
        conn.batch("PRAGMA query_only=OFF; PRAGMA cache_size=-64")?;
        conn.pragma("synchronous", "FULL", "2")?;
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
        let mut wait = Wait::at_most(CLEAN_WAIT);
        loop {
            let mut busy = true;
            conn.query("PRAGMA wal_checkpoint(TRUNCATE)", &[], &mut |row| {
                busy = row.get(0) != Value::Int(0);
                Ok(Flow::Break(()))
            })?;
            if !busy {
                return Ok(true);
            }
            if !wait.again() {
                return Ok(false);
            }
        }
    }

    /// Opens the connection that writes the file anew. The copy is as large as the database, so it goes to a file.
    pub(crate) fn open_rebuilder(&self) -> Result<SqliteConn> {
        let conn = self.open_reader()?;
        conn.batch("PRAGMA query_only=OFF; PRAGMA temp_store=FILE")?;
        conn.pragma("synchronous", "FULL", "2")?;
        Ok(conn)
    }

    fn open(&self, flags: OpenFlags) -> Result<SqliteConn> {
        let noted = match &self.path {
            Some(path) => fork::opening(path)?,
            None => None,
        };
        let opened = match &self.path {
            Some(path) => Connection::open_with_flags_and_vfs(path, flags, vfs::name()?),
            None => Connection::open_in_memory_with_flags(flags),
        };
        let conn = opened.map_err(|e| failure(&e).with("path", self.shown()))?;
        conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        // A plan stays what it was when the statement was prepared. Without this, SQLite prepares a statement again whenever
        // a value is bound that some partial index might be compared with: at every page of a chat, for half its time.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(|e| failure(&e))?;
        conn.busy_handler(Some(wait_for_lock)).map_err(|e| failure(&e))?;
        Ok(SqliteConn::new(conn, noted, self))
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
    /// The last failure: one that ends a transaction is everybody's who shares it.
    failed: RefCell<Option<Error>>,
    /// Foreign keys are not enforced.
    lax: Cell<bool>,
}

impl SqliteConn {
    fn new(conn: Connection, opened: Option<fork::Opened>, file: &SqliteFile) -> Self {
        SqliteConn {
            conn: Owned::new(conn),
            _opened: opened,
            file: file.clone(),
            held: RefCell::default(),
            failed: RefCell::default(),
            lax: Cell::default(),
        }
    }

    /// Switches to write-ahead logging. SQLite does not ask the busy handler while it changes the mode, so
    /// several openers of a new file have to try again by themselves.
    fn use_wal(&self) -> Result<()> {
        let mut tries = 0;
        loop {
            match self.journal_mode("wal") {
                Err(e) if e.kind() == Kind::Busy && wait_for_lock(tries) => tries += 1,
                done => return done,
            }
        }
    }

    /// Changes the journal mode. Where that fails SQLite does not always answer with an error, but with the mode as it is.
    fn journal_mode(&self, wanted: &str) -> Result<()> {
        let answer = self.text(&format!("PRAGMA journal_mode={wanted}"))?;
        if answer == wanted { Ok(()) } else { Err(self.refused("journal_mode", wanted, &answer)) }
    }

    /// Sets a pragma that a promise rests on, and reads it back: SQLite ignores what it cannot do at the moment, or does not
    /// know, without an error. `means` is the value as it is read.
    fn pragma(&self, name: &'static str, value: &str, means: &str) -> Result<()> {
        self.batch(&format!("PRAGMA {name}={value}"))?;
        let answer = self.text(&format!("PRAGMA {name}"))?;
        if answer == means { Ok(()) } else { Err(self.refused(name, value, &answer)) }
    }

    fn refused(&self, pragma: &'static str, wanted: &str, answer: &str) -> Error {
        // The call to the system that failed tells why, where there was one.
        let errno = vfs::take_errno().map(std::io::Error::from_raw_os_error);
        let (kind, advice) = errno.as_ref().map_or((Kind::Io, None), of_system);
        let text = "SQLite does not take a setting that this library's promises rest on";
        let text = advice.map_or_else(|| text.to_owned(), |advice| format!("{text}: {advice}"));
        Error::new(kind, text)
            .with("database", self.file.database.name())
            .with("pragma", format!("{pragma}={wanted}"))
            .with("answer", answer)
    }

    /// The one value of a query, as text.
    fn text(&self, sql: &str) -> Result<String> {
        let found = (self as &dyn Conn).first(sql, &[], |row| {
            Ok(match row.get(0) {
                Value::Text(text) => text.to_owned(),
                Value::Int(n) => n.to_string(),
                _ => String::new(),
            })
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Starts a transaction that may write, waiting for other processes.
    pub(crate) fn begin_write(&self) -> Result<()> {
        self.enforce()?;
        self.held.take();
        self.run("BEGIN IMMEDIATE").map_err(|e| self.file.name_holder(e))
    }

    /// Starts a transaction in which foreign keys are not enforced; they are again from [`Self::enforce`] on.
    fn begin_lax(&self) -> Result<()> {
        // Works only outside a transaction.
        self.pragma("foreign_keys", "OFF", "0")?;
        self.lax.set(true);
        self.held.take();
        self.run("BEGIN IMMEDIATE").map_err(|e| self.file.name_holder(e))
    }

    /// Sees to it that foreign keys are enforced. That fails in a transaction that did not end.
    fn enforce(&self) -> Result<()> {
        if self.lax.get() {
            self.pragma("foreign_keys", "ON", "1")?;
            self.lax.set(false);
        }
        Ok(())
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
        let error = failure(e).with("database", self.file.database.name());
        self.failed.replace(Some(error.copy()));
        error
    }

    /// Why SQLite ended the transaction by itself.
    pub(crate) fn why_ended(&self) -> Error {
        let last = self.failed.take();
        last.unwrap_or_else(|| Error::new(Kind::Internal, "SQLite ended the transaction without an error"))
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
