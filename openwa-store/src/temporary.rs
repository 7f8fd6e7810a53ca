//! Files and folders with content that nobody is to find later. They are removed when they are dropped, and by the command
//! line when a signal ends it.

use std::collections::BTreeSet;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static ALL: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file or folder that goes with this value. One that was given another name stays.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// Notes what `make` makes at `path`.
    pub(crate) fn make<T>(path: PathBuf, make: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<(Self, T)> {
        let mut all = all();
        let made = make(&path)?;
        // A signal may come when the command is in another folder.
        all.insert(std::path::absolute(&path)?);
        Ok((Temporary(path), made))
    }
}

impl Deref for Temporary {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Temporary {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        remove(&self.0);
        if let Ok(path) = std::path::absolute(&self.0) {
            all().remove(&path);
        }
    }
}

fn all() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove(path: &Path) {
    // The error that brought us here is the one to report.
    if std::fs::remove_file(path).is_err() && path.is_dir() {
        let _ = std::fs::remove_dir_all(path);
    }
}

/// Removes all of them. As long as the answer is kept none is made.
#[cfg(all(feature = "cli-slim", unix))]
pub(crate) fn remove_all() -> impl Sized {
    let all = all();
    all.iter().for_each(|path| remove(path));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_temporary_goes_with_its_value_and_what_was_renamed_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (at, to) = (dir.path().join("file"), dir.path().join("kept"));
        let (file, _) = Temporary::make(at.clone(), |path| std::fs::write(path, b"x")).unwrap();
        let taken = Temporary::make(at.clone(), |path| std::fs::File::create_new(path).map(drop));
        assert!(taken.is_err() && at.exists(), "what somebody else made is not removed");
        std::fs::rename(&file, &to).unwrap();
        drop(file);
        let (folder, ()) = Temporary::make(at.clone(), |path| std::fs::create_dir(path)).unwrap();
        std::fs::write(folder.join("in it"), b"x").unwrap();
        drop(folder);
        assert!(!at.exists() && to.exists());
    }
}
