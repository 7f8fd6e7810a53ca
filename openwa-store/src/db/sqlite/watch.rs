//! Whether the files of a database are there, and still those that are open. A file that is removed or replaced lives on, without a
//! name, for those who have it open: what they write would be gone with them.

use std::path::{Path, PathBuf};

use super::SqliteFile;
use crate::error::{Error, Kind, Result};
use crate::folder;
use crate::fork::{FileId, file_id};

/// What the files were when they were opened.
pub(super) struct Watch {
    files: Vec<(PathBuf, FileId)>,
}

impl Watch {
    /// Remembers the database, its log and the index that the processes share, which exist while it is open.
    pub(super) fn over(file: &SqliteFile) -> Self {
        let paths =
            file.path.iter().flat_map(|path| ["", "-wal", "-shm"].map(|end| folder::beside(path, end)));
        Watch { files: paths.filter_map(|path| file_id(&path).ok().map(|was| (path, was))).collect() }
    }

    /// Fails if one is not there any more, or is another one now.
    pub(super) fn check(&self) -> Result<()> {
        for (path, was) in &self.files {
            let what = match file_id(path) {
                Ok(is) if is == *was => continue,
                Ok(_) => "replaced",
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => "removed",
                // What cannot be looked at is not known to be gone.
                Err(_) => continue,
            };
            let text = format!(
                "a file of the store was {what} while it was open, so what is written now would be lost; put it back as it was, \
                 or close the store and restore a backup"
            );
            return Err(Error::new(Kind::FileGone, text).with("path", path.display()));
        }
        Ok(())
    }
}

/// Bytes of a file; 0: there is none.
pub(crate) fn size(path: &Path) -> Result<u64> {
    match std::fs::metadata(path) {
        Ok(there) => Ok(there.len()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(Error::from(e).with("path", path.display())),
    }
}

/// The error for a file of a store that is missing or empty while others of it are `there`.
pub(crate) fn lost(missing: &Path, there: &[&Path]) -> Error {
    let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let what = if missing.exists() { "empty" } else { "missing" };
    let there: Vec<String> = there
        .iter()
        .map(|path| (name(path), size(path).unwrap_or(0)))
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(name, bytes)| format!("{name} ({bytes} bytes)"))
        .collect();
    let text = format!(
        "{} is {what}, but {} of the same store is there; put the file back, or restore a backup, or move the rest away and \
         make a new store",
        name(missing),
        there.join(" and ")
    );
    Error::new(Kind::FileGone, text).with("path", missing.display())
}
