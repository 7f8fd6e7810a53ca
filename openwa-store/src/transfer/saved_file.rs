//! A file that is there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

/// A new file beside its final place, which takes that place when it is complete. Only its owner may read it.
/// Dropped before that, it is removed.
pub(crate) struct SavedFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    kept: bool,
}

impl SavedFile {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let name =
            path.file_name().ok_or_else(|| Error::new(Kind::InvalidArgument, "the path names no file"))?;
        // Two exports to one path at once must not write into one file.
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|e| Error::new(Kind::Internal, format!("no random numbers: {e}")))?;
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{:016x}.tmp", u64::from_le_bytes(random)));
        let temporary = path.with_file_name(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&temporary)?;
        Ok(SavedFile { file, temporary, path: path.to_owned(), kept: false })
    }

    /// Makes the content durable and gives the file its name, in place of what had it.
    pub(crate) fn keep(mut self) -> Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.temporary, &self.path)?;
        self.kept = true;
        #[cfg(unix)]
        {
            let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl io::Write for SavedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for SavedFile {
    fn drop(&mut self) {
        if !self.kept {
            // The error that brought us here is the one to report.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}
