//! One writer per SQLite file, and commits that many writes share.
//!
//! A write is a job in a bounded queue. Whoever finds the connection free becomes the *leader*: it takes what
//! is queued into one transaction, commits once, and answers every job. A blocking caller leads on its own
//! thread, so a lone writer pays no thread switch (a hop costs about a tenth of a durable commit); a background
//! thread leads for tickets that nobody waits for. While one group is being synced the next one fills.
//!
//! A job that fails before it changed anything fails alone at no cost. Only when a job fails *half way* is the
//! group rolled back and run again with a savepoint for each job: savepoints for all would copy every touched
//! page once per job, for a case that hardly ever happens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::checkpoint::Checkpointer;
use super::watch::Watch;
use super::{SqliteConn, SqliteFile};
use crate::db::lock;
use crate::db::queue::{Job, Limits, Queue, closed};
use crate::error::{Error, Kind, Result};

/// How long the next group is waited for: a durable commit takes a few times as long.
const GATHER: Duration = Duration::from_micros(200);

struct Shared {
    queue: Queue,
    conn: Mutex<Option<SqliteConn>>,
    /// Callers of [`Writer::with_conn`] that want the connection between two groups.
    guests: AtomicUsize,
    checkpointer: Option<Checkpointer>,
    watch: Watch,
}

/// The writing side of a database.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(crate) fn start(file: &SqliteFile, conn: SqliteConn, limits: Limits) -> Result<Self> {
        let checkpointer = (!file.in_memory()).then(Checkpointer::new);
        let (queue, conn) = (Queue::new(file.database, limits, GATHER, 1), Mutex::new(Some(conn)));
        let (guests, watch) = (AtomicUsize::new(0), Watch::over(file));
        let shared = Arc::new(Shared { queue, conn, guests, checkpointer, watch });
        if let Some(checkpointer) = &shared.checkpointer {
            let paused = Arc::clone(&shared);
            checkpointer.start(file, move |work| {
                let guard = paused.enter();
                work();
                paused.leave(guard);
            })?;
        }
        let background = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("openwa-writer".to_owned())
            .spawn(move || background.lead_in_background())
            .map_err(Error::from)?;
        Ok(Writer { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a job and works until it is answered or somebody else is at it.
    pub(crate) fn run(&self, job: Box<dyn Job>, answered: &dyn Fn() -> bool) -> Result<()> {
        self.shared.queue.push(job, false)?;
        if self.shared.guests.load(Ordering::Acquire) > 0 {
            self.shared.queue.wake_background_if_needed();
            return Ok(());
        }
        let guard = match self.shared.conn.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(p)) => p.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        if let Some(conn) = guard.as_ref() {
            while !answered() && self.shared.lead(conn) {}
        }
        drop(guard);
        // What came while we led is the background's: it is asked *after* the connection is free, so no job is
        // left lying that came between our last look and now.
        self.shared.queue.wake_background_if_needed();
        Ok(())
    }

    pub(in crate::db) fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    /// Has the connection to itself, between two groups.
    pub(crate) fn with_conn<T>(&self, f: impl FnOnce(&SqliteConn) -> Result<T>) -> Result<T> {
        let guard = self.shared.enter();
        let out = match guard.as_ref() {
            Some(conn) => {
                let out = self.shared.writable().and_then(|()| f(conn));
                if !conn.is_idle() {
                    let _ = conn.run("ROLLBACK");
                }
                let written = self.shared.note_log(conn);
                if written { out.and_then(|out| self.shared.watch.check().map(|()| out)) } else { out }
            }
            None => Err(closed()),
        };
        self.shared.leave(guard);
        out
    }

    /// Whether the disk is behind with what was written. Work that can wait should: each page it adds makes the
    /// next sync, and everybody's wait for it, longer.
    pub(crate) fn is_behind(&self) -> bool {
        self.shared.checkpointer.as_ref().is_some_and(Checkpointer::is_behind)
    }

    /// Writes what is queued, then ends the thread and closes the connection.
    pub(crate) fn close(&self) -> Result<()> {
        self.shared.queue.close();
        if let Some(thread) = lock(&self.thread).take() {
            thread.join().map_err(|_| Error::new(Kind::Internal, "the writer thread panicked"))?;
        }
        if let Some(checkpointer) = &self.shared.checkpointer {
            checkpointer.stop();
        }
        // Closing the last connection moves the rest of the log into the file.
        drop(lock(&self.shared.conn).take());
        Ok(())
    }
}

impl Shared {
    fn lead_in_background(&self) {
        while self.queue.wait_for_work() {
            let guard = lock(&self.conn);
            let Some(conn) = guard.as_ref() else { return };
            while self.guests.load(Ordering::Acquire) == 0 && self.lead(conn) {}
            drop(guard);
            while self.guests.load(Ordering::Acquire) > 0 {
                std::thread::yield_now();
            }
        }
    }

    /// Takes one group from the queue to its answers. False: there was none.
    fn lead(&self, conn: &SqliteConn) -> bool {
        self.queue.lead(|mut group| {
            let failed = self.queue.committing(group.len(), || {
                let done = self.writable().and_then(|()| commit_group(conn, &mut group));
                done.and_then(|()| self.watch.check()).err()
            });
            self.note_log(conn);
            for job in &mut group {
                job.finish(failed.as_ref());
            }
        })
    }

    /// Takes the connection between two groups, before any leader that is still to come.
    fn enter(&self) -> MutexGuard<'_, Option<SqliteConn>> {
        self.guests.fetch_add(1, Ordering::AcqRel);
        let guard = lock(&self.conn);
        self.guests.fetch_sub(1, Ordering::AcqRel);
        guard
    }

    fn leave(&self, guard: MutexGuard<'_, Option<SqliteConn>>) {
        drop(guard);
        self.queue.wake_background_if_needed();
    }

    /// Whether the disk takes what is written.
    fn writable(&self) -> Result<()> {
        self.checkpointer.as_ref().and_then(Checkpointer::refuses).map_or(Ok(()), Err)
    }

    /// Tells the checkpointer how long the log is. False: nothing was written.
    fn note_log(&self, conn: &SqliteConn) -> bool {
        let pages = conn.take_wal_pages();
        if let (Some(checkpointer), Some(pages)) = (&self.checkpointer, pages) {
            checkpointer.note(pages);
        }
        pages.is_some()
    }
}

/// Runs a group in one transaction. An error means that nothing of it was written.
fn commit_group(conn: &SqliteConn, group: &mut [Box<dyn Job>]) -> Result<()> {
    if !conn.is_idle() {
        conn.run("ROLLBACK")?;
    }
    conn.begin_write()?;
    let done = match run_group(conn, group) {
        Ok(true) => Ok(()),
        Ok(false) => run_apart(conn, group),
        Err(e) => Err(e),
    };
    let out = done.and_then(|()| conn.run("COMMIT"));
    if !conn.is_idle() {
        // Only after an error; the error that brought us here is the one to report.
        let _ = conn.run("ROLLBACK");
    }
    out
}

/// Runs every job in the transaction as it is. False: one failed half way.
fn run_group(conn: &SqliteConn, group: &mut [Box<dyn Job>]) -> Result<bool> {
    for job in group {
        let before = conn.total_changes();
        if !job.run(conn) {
            still_open(conn)?;
            if conn.total_changes() != before {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Starts over, with each job in its own savepoint.
fn run_apart(conn: &SqliteConn, group: &mut [Box<dyn Job>]) -> Result<()> {
    conn.run("ROLLBACK")?;
    conn.begin_write()?;
    for job in group {
        conn.run("SAVEPOINT job")?;
        if !job.run(conn) {
            still_open(conn)?;
            conn.run("ROLLBACK TO job")?;
        }
        conn.run("RELEASE job")?;
    }
    Ok(())
}

/// Some errors (a full disk, for one) end the whole transaction; then nobody's work is in it any more.
fn still_open(conn: &SqliteConn) -> Result<()> {
    if conn.is_idle() { Err(conn.why_ended()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Database;

    #[test]
    fn what_cannot_be_moved_into_the_file_is_not_written_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let file = SqliteFile::alone(&dir.path().join("data.sqlite"), Database::Data);
        let limits = Limits { queue: 1, group: 1 };
        let writer = Writer::start(&file, file.open_writer().unwrap(), limits).unwrap();
        let checkpointer = writer.shared.checkpointer.as_ref().unwrap();
        checkpointer.pretend(u32::MAX, None);
        writer.with_conn(|_| Ok(())).unwrap();
        checkpointer.pretend(u32::MAX, Some(Error::new(Kind::Io, "the disk reports an error")));
        let error = writer.with_conn(|_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), Kind::Io);
        assert!(error.to_string().contains("tried again"), "{error}");
        checkpointer.pretend(0, None);
        writer.with_conn(|conn| conn.run("CREATE TABLE t (id INTEGER)")).unwrap();
        writer.close().unwrap();
    }
}
