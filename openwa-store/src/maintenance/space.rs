//! What upkeep shares: transactions so short that no writer waits long for one, and free pages given back.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::entity::Database;
use crate::error::Result;
use crate::store::Store;

/// How long one transaction should take: a writer that comes just behind it waits that long, plus its own commit.
const SLICE: Duration = Duration::from_millis(8);
/// How long upkeep waits for the disk before its next transaction.
const PATIENCE: Duration = Duration::from_millis(250);
/// Rows or pages of the first transaction; later ones follow from how long it took.
const FIRST: u64 = 100;
/// The most of one transaction.
const MOST: u64 = 5000;

/// How much each transaction takes on.
pub(super) struct Pace(u64);

impl Default for Pace {
    fn default() -> Self {
        Pace(FIRST)
    }
}

impl Pace {
    /// How much the next transaction takes on.
    pub(super) fn next(&self) -> u64 {
        self.0
    }

    /// Learns from how long that took. At most double: one quick transaction proves little.
    pub(super) fn took(&mut self, took: Duration) {
        let wanted = self.0 as f64 * SLICE.as_secs_f64() / took.as_secs_f64().max(1e-6);
        self.0 = (wanted as u64).clamp(10, self.0 * 2).min(MOST);
    }
}

/// Waits a little while the log grows faster than the disk takes it, but never for ever: a reader that stays open may
/// hold the log.
pub(super) fn let_the_disk_catch_up(store: &Store, which: Database) {
    let start = Instant::now();
    while store.database(which).is_behind() && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Bytes of one database.
pub(super) fn bytes_of(store: &Store, which: Database) -> Result<u64> {
    let bytes = store.database(which).read(|conn| conn.integer(conn.dialect().bytes(), &[]))?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Gives free pages back to the file system, a few at a time, where that has to be done by hand. `tell` hears how many
/// are back and how many there are to give.
pub(super) fn give_back(
    store: &Store,
    which: Database,
    operation: &'static str,
    tell: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    if !store.database(which).dialect().gives_pages_back() {
        return Ok(ControlFlow::Continue(()));
    }
    let free = |n: i64| u64::try_from(n).unwrap_or(0);
    let (mut pace, mut done) = (Pace::default(), 0);
    let mut left = free(store.database(which).read(|conn| conn.integer("PRAGMA freelist_count", &[]))?);
    while left > 0 {
        let_the_disk_catch_up(store, which);
        let (start, pages) = (Instant::now(), pace.next());
        let now = store.write_to(which, operation, move |conn, _| {
            // Every step of this statement gives one page back.
            conn.all(&format!("PRAGMA incremental_vacuum({pages})"), &[], |_| Ok(()))?;
            conn.integer("PRAGMA freelist_count", &[])
        });
        let now = free(now.wait()?);
        // A file that was made without room for this has only the whole rebuild; writers may free pages meanwhile.
        if now >= left && now > 0 {
            break;
        }
        done += left.saturating_sub(now);
        left = now;
        pace.took(start.elapsed());
        if tell(done, done + left).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
