//! Waiting for other processes.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::db::{Holder, LOCK_WAIT, lock_file};
use crate::error::{Error, Kind, Result};
use crate::folder;

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

/// The lock of a folder, until it is dropped.
pub(crate) struct FolderTurn {
    file: File,
    owner: u32,
}

impl Drop for FolderTurn {
    fn drop(&mut self) {
        // A child forked meanwhile has the file open too, so that closing it would not end the lock; and it
        // must not end ours.
        if std::process::id() == self.owner {
            let _ = self.file.unlock();
        }
    }
}

/// A lock on the folder of a database, which leaves no file behind and which a crash releases. `None`: this
/// system or file system has none; then the repetition has to do. `Busy`: another process held it until
/// `deadline`.
pub(crate) fn turn_in_folder(path: &Path, deadline: Instant) -> Result<Option<FolderTurn>> {
    let folder = folder::of(path);
    let Ok(file) = File::open(folder) else { return Ok(None) };
    match lock_file(&file, deadline) {
        Ok(true) => Ok(Some(FolderTurn { file, owner: std::process::id() })),
        Ok(false) => {
            let text =
                "another process is opening or restoring a store in this folder and does not come to its end";
            let e = Error::new(Kind::Busy, text).with("folder", folder.display());
            Err(Holder::name(Holder::of(&file).as_ref(), e))
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
