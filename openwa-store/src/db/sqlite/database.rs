//! A SQLite database: its writer and its readers.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::{Arc, Mutex};

use super::bulk::SqliteBulk;
use super::writer::Writer;
use super::{Held, SqliteConn, SqliteFile};
use crate::db::queue::Queue;
use crate::db::{Bulk, Conn, Limits, Seals, Turn, lock};
use crate::error::{Error, Result};
use crate::folder;
use crate::fork::Private;

/// Read connections that are kept when nobody uses them. More may be open at once; each costs about 100 kB.
const IDLE_READERS: usize = 4;

pub(crate) struct Sqlite {
    pub(super) file: SqliteFile,
    pub(super) writer: Writer,
    idle: Mutex<Vec<SqliteConn>>,
    /// Work that is under way, for a database in memory.
    turns: Turns,
}

type Turns = Arc<Mutex<BTreeSet<&'static str>>>;

struct Flag {
    taken: Turns,
    work: &'static str,
}

impl Drop for Flag {
    fn drop(&mut self) {
        lock(&self.taken).remove(self.work);
    }
}

impl Sqlite {
    /// Takes over a migrated connection as the writer's, and one that reads if there is one already.
    pub(crate) fn new(
        file: SqliteFile,
        writer: SqliteConn,
        reader: Option<SqliteConn>,
        limits: Limits,
    ) -> Result<Self> {
        let writer = Writer::start(&file, writer, limits)?;
        Ok(Sqlite { file, writer, idle: Mutex::new(reader.into_iter().collect()), turns: Turns::default() })
    }

    pub(in crate::db) fn read<T>(&self, mut f: impl FnMut(&dyn Conn) -> Result<T>) -> Result<T> {
        if self.file.in_memory() {
            return self.writer.with_conn(|conn| f(conn));
        }
        let pooled = lock(&self.idle).pop();
        let conn = match pooled {
            Some(conn) => conn,
            None => self.file.open_reader()?,
        };
        let out = f(&conn);
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_READERS && !self.writer.queue().is_closed() {
            idle.push(conn);
        }
        out
    }

    pub(in crate::db) fn snapshot<T>(&self, f: impl FnOnce(&dyn Conn) -> Result<T>) -> Result<T> {
        let conn = if self.file.in_memory() {
            self.writer.with_conn(SqliteConn::copy_to_memory)?
        } else {
            self.file.open_reader()?
        };
        conn.begin_read()?;
        f(&conn)
    }

    pub(in crate::db) fn bulk<T>(&self, f: impl FnOnce(&mut dyn Bulk) -> Result<T>) -> Result<T> {
        self.writer.with_conn(|conn| f(&mut SqliteBulk::new(conn)))
    }

    /// A lock on a file beside the database, or a flag where there is no file.
    pub(in crate::db) fn turn(&self, work: &'static str) -> Result<Option<Turn>> {
        let Some(path) = &self.file.path else {
            let mut taken = lock(&self.turns);
            if taken.contains(work) {
                return Ok(None);
            }
            taken.insert(work);
            return Ok(Some(Turn(Box::new(Flag { taken: Arc::clone(&self.turns), work }))));
        };
        let path = path.with_extension(format!("{work}.lock"));
        let file = File::options().create(true).append(true).open(&path);
        let file = Held(Private::new(file.map_err(|e| Error::from(e).with("path", path.display()))?));
        match file.0.try_lock() {
            Ok(()) => Ok(Some(Turn(Box::new(file)))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(Error::from(e).with("path", path.display())),
        }
    }

    pub(in crate::db) fn queue(&self) -> &Queue {
        self.writer.queue()
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(crate) fn file(&self) -> &SqliteFile {
        &self.file
    }

    pub(in crate::db) fn seals(&self) -> &Arc<Seals> {
        &self.file.seals
    }

    /// Bytes of the write-ahead log.
    pub(crate) fn log_bytes(&self) -> u64 {
        let log = self.file.path.as_ref().map(|path| folder::beside(path, "-wal"));
        log.and_then(|log| std::fs::metadata(log).ok()).map_or(0, |m| m.len())
    }

    /// Bytes left on the disk; `None`: it does not tell, or there is none.
    pub(crate) fn disk_free(&self) -> Option<u64> {
        fs4::available_space(self.file.path.as_deref()?).ok()
    }

    pub(in crate::db) fn shown(&self) -> String {
        self.file.shown()
    }

    pub(in crate::db) fn close(&self) -> Result<()> {
        // First the queue, which tells reads that end later not to leave their connections here.
        self.writer.queue().close();
        lock(&self.idle).clear();
        self.writer.close()
    }
}
