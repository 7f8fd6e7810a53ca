//! One runner at a time.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::entity::Database;
use crate::error::{Error, Result};
use crate::store::Store;

/// The right to run, held by one process at a time: a file lock, which a crash releases.
pub(super) enum Turn<'a> {
    File(#[allow(dead_code)] File),
    Memory(&'a AtomicBool),
}

impl<'a> Turn<'a> {
    /// `None`: another process, or another thread, is at it.
    pub(super) fn take(store: &'a Store) -> Result<Option<Self>> {
        let Some(path) = &store.database(Database::Data).file().path else {
            let taken = store.retention_turn().swap(true, Ordering::AcqRel);
            return Ok((!taken).then(|| Turn::Memory(store.retention_turn())));
        };
        let path = path.with_extension("retention.lock");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(|e| Error::from(e).with("path", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Turn::File(file))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(Error::from(e).with("path", path.display())),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Turn::Memory(flag) = self {
            flag.store(false, Ordering::Release);
        }
    }
}
