//! The logs of requests and deliveries, kept in memory for a moment: who logs neither waits for a disk nor fails because
//! of a server, and the rows of a second share one commit.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Store;
use crate::db::{Database, lock};
use crate::entity::{ApiKeyLog, WebhookLog};
use crate::error::{Error, Kind, Result};
use crate::fork::{Owned, used_in_child};
use crate::observe;
use crate::record::shape;
use crate::repo::logbook::Logged;

/// How long a row waits for others.
const EVERY: Duration = Duration::from_secs(1);
/// So many rows do not wait; and so many are written in one transaction, so that no other write waits long for it.
const MANY: usize = 200;
/// The most rows of one log that wait for a database that is out of reach.
const MOST_ROWS: usize = 10_000;
/// The most bytes of one log that do.
const MOST_BYTES: usize = 16 << 20;
/// The longest pause between two tries to reach it.
const LONGEST: Duration = Duration::from_secs(30);

shape! { output:
/// What waits in memory to be written to the logs of requests and deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogBuffer {
    /// Rows that wait.
    pub waiting: u64,
    /// Rows that were lost since the store was opened: the oldest of too many, while the database was out of reach.
    pub dropped: u64,
}
}

/// Both logs, and the thread that writes them.
pub(super) struct Logbook {
    shared: Arc<Shared>,
    thread: Owned<Mutex<Option<JoinHandle<()>>>>,
}

struct Shared {
    requests: Shelf<ApiKeyLog>,
    deliveries: Shelf<WebhookLog>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The thread is there.
    started: bool,
    /// Many rows wait.
    hurry: bool,
    closed: bool,
}

/// The rows of one log that wait.
struct Shelf<T> {
    database: Arc<Database>,
    rows: Mutex<Rows<T>>,
    /// Held while rows are being written, so that they stay in order and whoever flushes waits for them.
    writing: Mutex<()>,
    dropped: AtomicU64,
}

struct Rows<T> {
    waiting: VecDeque<T>,
    bytes: usize,
}

impl<T: Logged> Shelf<T> {
    fn new(database: &Arc<Database>) -> Self {
        let rows = Mutex::new(Rows { waiting: VecDeque::new(), bytes: 0 });
        Shelf { database: Arc::clone(database), rows, writing: Mutex::default(), dropped: AtomicU64::new(0) }
    }

    /// Puts a row behind the others, and says how many there are.
    fn add(&self, row: T) -> usize {
        let mut rows = lock(&self.rows);
        rows.bytes += row.size();
        rows.waiting.push_back(row);
        self.make_room(&mut rows);
        rows.waiting.len()
    }

    /// The newest tell more about a trouble that lasts than the oldest.
    fn make_room(&self, rows: &mut Rows<T>) {
        while rows.waiting.len() > MOST_ROWS || rows.bytes > MOST_BYTES {
            let Some(oldest) = rows.waiting.pop_front() else { return };
            rows.bytes -= oldest.size();
            self.drop(1);
        }
    }

    fn drop(&self, rows: u64) {
        if rows == 0 {
            return;
        }
        observe::log_dropped(T::TABLE.name, rows);
        self.dropped.fetch_add(rows, Ordering::Relaxed);
    }

    fn waiting(&self) -> usize {
        lock(&self.rows).waiting.len()
    }

    /// Writes all that waits now.
    fn flush(&self) -> Result<()> {
        // A child has neither the thread nor, perhaps, the locks.
        if self.database.is_forked() {
            return Err(used_in_child());
        }
        let _one_at_a_time = lock(&self.writing);
        let mut left = self.waiting();
        while left > 0 {
            let batch: Vec<T> = {
                let mut rows = lock(&self.rows);
                let take = rows.waiting.len().min(MANY);
                let batch: Vec<T> = rows.waiting.drain(..take).collect();
                rows.bytes -= batch.iter().map(T::size).sum::<usize>();
                batch
            };
            left = left.saturating_sub(batch.len().max(1));
            let written = self.write(batch);
            observe::log_waiting(T::TABLE.name, self.waiting());
            written?;
        }
        Ok(())
    }

    /// Writes some rows. Those that cannot be written now are put back; one that never can be is dropped.
    fn write(&self, batch: Vec<T>) -> Result<()> {
        match self.commit(batch.clone()) {
            Ok(orphans) => self.drop(orphans),
            Err(e) if e.retryable() => {
                self.put_back(batch);
                return Err(e);
            }
            Err(e) if batch.len() < 2 || is_over(&e) => {
                self.drop(batch.len() as u64);
                return Err(e);
            }
            Err(_) => {
                let mut rows = batch.into_iter();
                while let Some(row) = rows.next() {
                    match self.commit(vec![row.clone()]) {
                        Ok(orphans) => self.drop(orphans),
                        Err(e) if e.retryable() => {
                            self.put_back(std::iter::once(row).chain(rows).collect());
                            return Err(e);
                        }
                        Err(_) => self.drop(1),
                    }
                }
            }
        }
        Ok(())
    }

    fn commit(&self, rows: Vec<T>) -> Result<u64> {
        self.database.write(T::OPERATION, move |conn| T::write(conn, &rows)).wait()
    }

    fn put_back(&self, batch: Vec<T>) {
        let mut rows = lock(&self.rows);
        rows.bytes += batch.iter().map(T::size).sum::<usize>();
        batch.into_iter().rev().for_each(|row| rows.waiting.push_front(row));
        self.make_room(&mut rows);
    }

    fn state(&self) -> LogBuffer {
        LogBuffer { waiting: self.waiting() as u64, dropped: self.dropped.load(Ordering::Relaxed) }
    }
}

/// Whether the database is there for nobody any more.
fn is_over(e: &Error) -> bool {
    matches!(e.kind(), Kind::Closed | Kind::Forked)
}

impl Logbook {
    pub(super) fn new(main: &Arc<Database>, data: &Arc<Database>) -> Self {
        let shared = Shared {
            requests: Shelf::new(main),
            deliveries: Shelf::new(data),
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        Logbook { shared: Arc::new(shared), thread: Owned::new(Mutex::default()) }
    }

    fn add<T: Logged>(&self, shelf: fn(&Shared) -> &Shelf<T>, row: T) -> Result<()> {
        let shelf = shelf(&self.shared);
        shelf.database.usable()?;
        let waiting = shelf.add(row);
        // A lone row waits for the thread's next round; only what is many wakes it.
        if waiting == 1 || waiting.is_multiple_of(MANY) {
            self.call_the_thread(waiting >= MANY)?;
        }
        Ok(())
    }

    fn call_the_thread(&self, hurry: bool) -> Result<()> {
        let mut state = lock(&self.shared.state);
        state.hurry |= hurry;
        if !state.started && !state.closed {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new()
                .name("openwa-logbook".to_owned())
                .spawn(move || shared.work())
                .map_err(Error::from)?;
            *lock(&self.thread) = Some(thread);
            state.started = true;
        }
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.shared.requests.flush().and(self.shared.deliveries.flush())
    }

    /// Ends the thread and writes what waits. Nothing comes after it.
    pub(super) fn close(&self) -> Result<()> {
        lock(&self.shared.state).closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = lock(&self.thread).take() {
            thread.join().map_err(|_| Error::new(Kind::Internal, "the thread of the logs panicked"))?;
        }
        let (requests, deliveries) = (self.shared.requests.flush(), self.shared.deliveries.flush());
        match requests.and(deliveries) {
            Err(e) if is_over(&e) => Ok(()),
            done => done,
        }
    }
}

impl Shared {
    /// Writes what waits, every second or when there is much of it, until the store is closed.
    fn work(&self) {
        let mut pause = EVERY;
        while self.sleep(pause) {
            let failed = self.requests.flush().is_err() | self.deliveries.flush().is_err();
            pause = if failed { (pause * 2).min(LONGEST) } else { EVERY };
        }
    }

    /// Waits for rows and then for `pause`, which many rows cut short unless it is one after a failure. False: the
    /// store is being closed.
    fn sleep(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut state = lock(&self.state);
        while !state.closed {
            let waiting = self.requests.waiting() + self.deliveries.waiting();
            let left = until.saturating_duration_since(Instant::now());
            if waiting > 0 && (left.is_zero() || (state.hurry && pause == EVERY)) {
                break;
            }
            // Without rows there is nothing to look for until somebody calls.
            let left = if waiting == 0 { LONGEST } else { left };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.hurry = false;
        !state.closed
    }
}

impl Store {
    pub(super) fn log_request_later(&self, row: ApiKeyLog) -> Result<()> {
        self.inner.logbook.add(|shared| &shared.requests, row)
    }

    pub(super) fn log_delivery_later(&self, row: WebhookLog) -> Result<()> {
        self.inner.logbook.add(|shared| &shared.deliveries, row)
    }

    /// Before a log is read: what waits belongs to it. A database that cannot be reached says so to the read.
    pub(super) fn settle_requests(&self) {
        let _ = self.inner.logbook.shared.requests.flush();
    }

    /// As [`settle_requests`](Self::settle_requests), for deliveries.
    pub(super) fn settle_deliveries(&self) {
        let _ = self.inner.logbook.shared.deliveries.flush();
    }

    /// Writes what the verbs `log_later` of webhooks and API keys have left in memory. The store does so by itself within
    /// a second, before a log is read, and when it is closed.
    ///
    /// # Errors
    /// Those of the databases; what could not be written waits on.
    pub fn flush_logs(&self) -> Result<()> {
        self.database(crate::entity::Database::Main)
            .usable()
            .and_then(|()| self.inner.logbook.flush())
            .map_err(|e| e.during("flush_logs"))
    }

    /// How many rows wait in memory to be written to the logs of requests and deliveries, and how many were lost.
    ///
    /// # Errors
    /// `Closed`.
    pub fn log_buffer(&self) -> Result<LogBuffer> {
        self.database(crate::entity::Database::Main).usable().map_err(|e| e.during("log_buffer"))?;
        let shared = &self.inner.logbook.shared;
        let (a, b) = (shared.requests.state(), shared.deliveries.state());
        Ok(LogBuffer { waiting: a.waiting + b.waiting, dropped: a.dropped + b.dropped })
    }
}
