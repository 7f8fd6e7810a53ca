//! Whether the files of a database are still those that are open. A file that is removed or replaced lives on, without a
//! name, for those who have it open: what they write would be gone with them.

use std::path::{Path, PathBuf};

use super::SqliteFile;
use crate::error::{Error, Kind, Result};

/// What the files were when they were opened.
pub(super) struct Watch {
    files: Vec<(PathBuf, Identity)>,
}

/// Device and number of a file.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|m| (m.dev(), m.ino()))
}

/// Elsewhere a file that is open cannot be removed or replaced.
#[cfg(not(unix))]
fn identity(_: &Path) -> std::io::Result<Identity> {
    Err(std::io::ErrorKind::Unsupported.into())
}

impl Watch {
    /// Remembers the database, its log and the index that the processes share, which exist while it is open.
    pub(super) fn over(file: &SqliteFile) -> Self {
        let paths = file.path.iter().flat_map(|path| {
            ["", "-wal", "-shm"].map(|end| {
                let mut name = path.as_os_str().to_owned();
                name.push(end);
                PathBuf::from(name)
            })
        });
        Watch { files: paths.filter_map(|path| identity(&path).ok().map(|was| (path, was))).collect() }
    }

    /// Fails if one is not there any more, or is another one now.
    pub(super) fn check(&self) -> Result<()> {
        for (path, was) in &self.files {
            let what = match identity(path) {
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
