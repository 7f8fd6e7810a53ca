//! Waiting for other processes.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::db::{Holder, LOCK_WAIT, lock_file};
use crate::error::{Error, Kind, Result};
use crate::folder;
use crate::fork::Private;

thread_local! {
    /// When this thread's present wait for a lock is over.
    static WAITS_UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
    /// When the opening that this thread is at has to be over with waiting.
    static OPENS_UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// No wait for a lock of SQLite in `open` outlasts `until`.
pub(super) fn opening<T>(until: Instant, open: impl FnOnce() -> T) -> T {
    let before = OPENS_UNTIL.replace(Some(until));
    let out = open();
    OPENS_UNTIL.set(before);
    out
}

/// Waits for another process's lock. SQLite's own handler sleeps up to 100 ms between tries and loses against
/// a busy writer, whose gaps are shorter than a millisecond; this one asks every half millisecond. `tries`
/// begins anew with each wait.
pub(super) fn wait_for_lock(tries: i32) -> bool {
    let now = Instant::now();
    let until = WAITS_UNTIL.get().filter(|_| tries > 0).unwrap_or(now + LOCK_WAIT);
    WAITS_UNTIL.set(Some(until));
    if OPENS_UNTIL.get().map_or(until, |opens| opens.min(until)) <= now {
        return false;
    }
    std::thread::sleep(Duration::from_micros(if tries < 20 { 50 } else { 500 }));
    true
}

/// A locked file.
pub(crate) struct Held(pub(super) Private<File>);

impl Drop for Held {
    fn drop(&mut self) {
        // Before it is closed: a program that was started meanwhile may have it open too.
        let _ = self.0.unlock();
    }
}

/// A lock on the folder of a database, which leaves no file behind and which a crash releases. `None`: this
/// system or file system has none; then the repetition has to do. `Busy`: another process held it until
/// `deadline`.
pub(crate) fn turn_in_folder(path: &Path, deadline: Instant) -> Result<Option<Held>> {
    let folder = folder::of(path);
    let Ok(file) = File::open(folder) else { return Ok(None) };
    let file = Private::new(file);
    match lock_file(&file, deadline) {
        Ok(true) => Ok(Some(Held(file))),
        Ok(false) => {
            let text =
                "another process is opening or restoring a store in this folder and does not come to its end";
            let e = Error::new(Kind::Busy, text).with("folder", folder.display());
            Err(Holder::of_lock(&file, e))
        }
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_a_minute_and_not_a_number_of_tries() {
        assert!(wait_for_lock(0), "a wait begins");
        let left = WAITS_UNTIL.get().map(|until| until.saturating_duration_since(Instant::now()));
        assert!(left.is_some_and(|left| left <= LOCK_WAIT && left > LOCK_WAIT / 2), "{left:?}");
        assert!(wait_for_lock(500_000), "as long as it is not over");
        WAITS_UNTIL.set(Some(Instant::now()));
        assert!(!wait_for_lock(1));
        assert!(wait_for_lock(0), "the next wait is another one");
        assert!(!opening(Instant::now(), || wait_for_lock(0)) && wait_for_lock(0));
    }
}
