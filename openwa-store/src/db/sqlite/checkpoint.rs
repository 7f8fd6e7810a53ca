//! Moving the write-ahead log into the database file, beside the writer instead of in its way.
//!
//! SQLite by default checkpoints inside the commit that crosses a threshold, which stalls that writer for
//! milliseconds. Here a thread of its own does it. It cannot finish while a writer keeps appending, so when the
//! log has grown long it holds the writer back for the last pages, which are few by then; after that the log
//! starts over from its beginning and its file is reused instead of growing.
//!
//! A checkpoint that fails, on a full or failing disk, loses nothing: the log keeps all its pages until they are in the
//! file and synced, which takes more than SQLite does by itself (see [`vfs`](super::vfs)). It is tried again, and writes
//! go on until the log has [enough](ENOUGH); then they are refused, because a log that nothing empties takes what is left
//! of the disk, and is read by the next opening.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{SqliteConn, SqliteFile};
use crate::db::lock;
use crate::error::{Error, Kind, Result};
use crate::observe;

/// Pages in the log from which a checkpoint is worth its sync, to begin with. A longer log saves page writes (a page
/// that changed ten times is written once), but SQLite syncs the file only in the pass that catches up, so all its
/// pages are waited for at once. How many that may be depends on the disk and on the work, so it follows from how long
/// the last wait was: 4,000 pages took 1 ms behind a lone saver, and 32 ms behind a run of retention.
const WORTH_IT: u32 = 1500;
/// The bounds of that, about 2 and 12 MB. A log that is written over and over stays in the processor's caches: a lone
/// saver is a tenth faster with 6 MB than with 33.
const LEAST: u32 = 500;
const MOST: u32 = 3000;
/// A writer held back for less than this would not mind a longer log …
const SHORT: Duration = Duration::from_millis(5);
/// … and for more than this needs a shorter one.
const LONG: Duration = Duration::from_millis(18);
/// Pages over what is worth a checkpoint at which work that can wait should, about 10 MB.
const BEHIND: u32 = 2_500;
/// Pages in the log from which the writer is held back however much is left, about 160 MB: only a writer that
/// outruns the disk gets there, and it has to be slowed down.
const FAR_TOO_LONG: u32 = 40_000;
/// Pages in the log from which the writer is held back although everything is in the file: the log starts over only with a
/// transaction that *begins* then, and a writer of large ones has always begun the next. Its log would grow without
/// end, and the first writer after it wait for seconds while gigabytes are cut off. About 50 MB, so that the file is
/// not cut at all, see [`WAL_KEPT_BYTES`](super::WAL_KEPT_BYTES).
const GOES_ON: u32 = 12_000;
/// Rest between a checkpoint that failed and the next try, which copies the whole log.
const RETRY: Duration = Duration::from_millis(250);
/// Pages in the log from which nothing is written while checkpoints fail, about 25 MB.
const ENOUGH: u32 = 6000;
/// Pages left that are worth holding the writer back for.
const FEW: u32 = 1000;
/// How often a checkpoint runs after a writer that goes on, before it stops or holds the writer back.
const ROUNDS: u32 = 4;
/// How long the log may stay unchecked when writes come too slowly to reach the threshold.
const IDLE: Duration = Duration::from_secs(5);

/// A writer that pauses for this long leaves time to finish a long log without holding anybody back. After a burst a
/// hundred megabytes may be left to sync.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Checkpointer {
    state: Arc<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    /// Pages in the log after the last commit.
    pages: AtomicU32,
    /// The length of the log that is worth a checkpoint.
    worth: AtomicU32,
    /// The length at which the next checkpoint is due.
    due: AtomicU32,
    /// Why the last checkpoint failed, if it did.
    failed: Mutex<Option<Error>>,
    wake: Mutex<Wake>,
    signal: Condvar,
}

#[derive(Default)]
struct Wake {
    wanted: bool,
    stop: bool,
}

impl Checkpointer {
    pub(super) fn new() -> Self {
        let state = Arc::new(State {
            pages: AtomicU32::new(0),
            worth: AtomicU32::new(WORTH_IT),
            due: AtomicU32::new(WORTH_IT),
            failed: Mutex::default(),
            wake: Mutex::default(),
            signal: Condvar::new(),
        });
        Checkpointer { state, thread: Mutex::new(None) }
    }

    /// Starts the thread. `hold_back` runs its argument while no write is under way.
    pub(super) fn start(
        &self,
        file: &SqliteFile,
        hold_back: impl Fn(&dyn Fn()) + Send + 'static,
    ) -> Result<()> {
        let (state, file) = (Arc::clone(&self.state), file.clone());
        let thread = std::thread::Builder::new()
            .name("openwa-checkpoint".to_owned())
            .spawn(move || state.work(&file, &hold_back))
            .map_err(Error::from)?;
        *lock(&self.thread) = Some(thread);
        Ok(())
    }

    /// Hears from the writer how long the log is.
    pub(super) fn note(&self, pages: u32) {
        let before = self.state.pages.swap(pages, Ordering::Relaxed);
        let worth = self.state.worth.load(Ordering::Relaxed);
        if pages < worth {
            // The log is short again.
            self.state.due.store(worth, Ordering::Relaxed);
        }
        let due = pages >= self.state.due.load(Ordering::Relaxed);
        // A first commit after a rest starts the idle clock.
        if due || (before == 0 && pages > 0) {
            if due {
                self.state.due.store(pages + worth, Ordering::Relaxed);
            }
            lock(&self.state.wake).wanted = true;
            self.state.signal.notify_one();
        }
    }

    /// Whether the log is longer than the disk keeps up with. Work that can wait should.
    pub(super) fn is_behind(&self) -> bool {
        self.state.pages.load(Ordering::Relaxed) > self.state.worth.load(Ordering::Relaxed) + BEHIND
    }

    /// Why nothing may be written: the log is far too long, and cannot be moved into the file.
    pub(super) fn refuses(&self) -> Option<Error> {
        if self.state.pages.load(Ordering::Relaxed) < ENOUGH {
            return None;
        }
        let failed = lock(&self.state.failed);
        let cause = failed.as_ref()?;
        let text = format!(
            "the write-ahead log cannot be moved into the database file ({cause}); it is tried again four times a second"
        );
        Some(Error::new(cause.kind(), text).caused_by(cause.copy()))
    }

    #[cfg(test)]
    pub(super) fn pretend(&self, pages: u32, failed: Option<Error>) {
        *lock(&self.state.failed) = failed;
        self.state.pages.store(pages, Ordering::Relaxed);
    }

    pub(super) fn stop(&self) {
        lock(&self.state.wake).stop = true;
        self.state.signal.notify_one();
        if let Some(thread) = lock(&self.thread).take() {
            // It holds nothing that its panic could hurt.
            let _ = thread.join();
        }
    }
}

impl State {
    fn work(&self, file: &SqliteFile, hold_back: &dyn Fn(&dyn Fn())) {
        let mut conn = None;
        loop {
            let mut wake = lock(&self.wake);
            while !wake.wanted && !wake.stop {
                let before = self.pages.load(Ordering::Relaxed);
                if before == 0 {
                    wake = self.signal.wait(wake).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                let patience = if before < LEAST { IDLE } else { PAUSE };
                let (next, timeout) =
                    self.signal.wait_timeout(wake, patience).unwrap_or_else(PoisonError::into_inner);
                wake = next;
                let writer_rests = self.pages.load(Ordering::Relaxed) == before;
                if timeout.timed_out() && (patience == IDLE || writer_rests) {
                    break;
                }
            }
            // After a failure the disk gets some time, however much is written meanwhile.
            let rest = Instant::now() + if lock(&self.failed).is_some() { RETRY } else { Duration::ZERO };
            while let Some(left) = rest.checked_duration_since(Instant::now()).filter(|_| !wake.stop) {
                let (next, _) = self.signal.wait_timeout(wake, left).unwrap_or_else(PoisonError::into_inner);
                wake = next;
            }
            if wake.stop {
                return;
            }
            let asked = std::mem::take(&mut wake.wanted);
            drop(wake);
            if asked && self.pages.load(Ordering::Relaxed) < self.worth.load(Ordering::Relaxed) {
                continue;
            }
            let done = match &conn {
                Some(conn) => self.checkpoint(conn, hold_back),
                None => file.open_checkpointer().and_then(|new| self.checkpoint(conn.insert(new), hold_back)),
            };
            self.note_outcome(file, done);
        }
    }

    fn note_outcome(&self, file: &SqliteFile, done: Result<()>) {
        let mut failed = lock(&self.failed);
        // Another process at it, or a schema that changes, is no failure.
        let error = done.err().filter(|e| e.kind() != Kind::Busy);
        if let Some(error) = &error {
            observe::checkpoint_failed(file.database, error.kind(), failed.is_none());
        }
        *failed = error;
    }

    fn checkpoint(&self, conn: &SqliteConn, hold_back: &dyn Fn(&dyn Fn())) -> Result<()> {
        let mut behind = 0;
        for _ in 0..ROUNDS {
            let (_, moved) = conn.checkpoint()?;
            // SQLite answers for the log as it was when it began; the writer has gone on since.
            let pages = self.pages.load(Ordering::Relaxed);
            if moved >= pages && pages < GOES_ON {
                self.pages.store(0, Ordering::Relaxed);
                return Ok(());
            }
            behind = pages.saturating_sub(moved);
            if behind < FEW {
                break;
            }
        }
        let pages = self.pages.load(Ordering::Relaxed);
        if behind < FEW || pages >= FAR_TOO_LONG {
            let out = Cell::new(Ok(()));
            hold_back(&|| {
                let start = Instant::now();
                out.set(conn.checkpoint().map(|_| {
                    self.pages.store(0, Ordering::Relaxed);
                    self.learn(start.elapsed());
                }));
            });
            return out.into_inner();
        }
        Ok(())
    }

    /// Adapts the length of the log to how long the writer was held back.
    fn learn(&self, held: Duration) {
        let worth = self.worth.load(Ordering::Relaxed);
        let next = match held {
            h if h < SHORT => (worth + worth / 4).min(MOST),
            h if h > LONG => (worth / 2).max(LEAST),
            _ => worth,
        };
        self.worth.store(next, Ordering::Relaxed);
    }
}
