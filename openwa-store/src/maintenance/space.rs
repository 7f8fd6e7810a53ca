//! Work in small steps, so that no writer waits long for it, and pages that are given back.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::entity::Database;
use crate::error::Result;
use crate::store::Store;

/// How long one transaction should take: a writer that comes just behind it waits that long, plus its own commit.
const SLICE: Duration = Duration::from_millis(8);
/// How long a run waits for the disk before its next transaction.
const PATIENCE: Duration = Duration::from_millis(250);
/// Pages of the first transaction.
const FIRST_PAGES: u64 = 100;
/// The most rows or pages of one transaction.
const MOST: u64 = 5000;

/// The size of the next transaction, given how long one of this size took.
pub(super) fn pace(size: u64, took: Duration) -> u64 {
    let wanted = size as f64 * SLICE.as_secs_f64() / took.as_secs_f64().max(1e-6);
    // At most double: one quick transaction proves little.
    (wanted as u64).clamp(10, size * 2).min(MOST)
}

/// Waits a little while the log grows faster than the disk takes it, but never for ever: a reader that stays open may
/// hold the log.
pub(super) fn let_the_disk_catch_up(store: &Store, which: Database) {
    let start = Instant::now();
    while store.database(which).is_behind() && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Gives free pages back to the file system, a few at a time. `tell` may stop it.
pub(super) fn give_back(
    store: &Store,
    which: Database,
    tell: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    if !store.database(which).dialect().gives_pages_back() {
        return Ok(ControlFlow::Continue(()));
    }
    let mut pages = FIRST_PAGES;
    loop {
        let_the_disk_catch_up(store, which);
        let (start, this) = (Instant::now(), pages);
        let left = store.write_to(which, "give_back", move |conn, _| {
            // Every step of this statement gives one page back.
            conn.all(&format!("PRAGMA incremental_vacuum({this})"), &[], |_| Ok(()))?;
            conn.integer("PRAGMA freelist_count", &[])
        });
        if left.wait()? == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        pages = pace(pages, start.elapsed());
        if tell().is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
}
