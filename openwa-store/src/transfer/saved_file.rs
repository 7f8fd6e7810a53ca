//! A file that is there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::error::{Error, Kind, Result};
use crate::temporary::Temporary;

/// Bytes after which the disk gets what was written, while the next are being made. Otherwise all of it would have to be
/// waited for at the end.
const STRETCH: usize = 8 << 20;

/// A new file beside its final place, which takes that place when it is complete. Only its owner may read it.
/// Dropped before that, it is removed.
pub(crate) struct SavedFile {
    file: Arc<File>,
    temporary: Temporary,
    path: PathBuf,
    kept: bool,
    /// Bytes that the disk was not asked to take yet.
    behind: usize,
    ahead: Option<Ahead>,
}

/// The thread that brings a file to disk while it grows.
struct Ahead {
    ask: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Ahead {
    fn start(file: Arc<File>) -> io::Result<Self> {
        // One question may wait; it covers all that was written before it is taken.
        let (ask, asked) = sync_channel(1);
        let work = move || asked.iter().try_for_each(|()| file.sync_data());
        let thread = std::thread::Builder::new().name("openwa-sync".to_owned()).spawn(work)?;
        Ok(Ahead { ask, thread })
    }

    /// Waits for it. An error of the disk is told to one who asks only once, so it must not get lost here.
    fn end(self) -> io::Result<()> {
        drop(self.ask);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that writes to disk panicked")))
    }
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
        let (temporary, file) = Temporary::make(temporary, |path| options.open(path))?;
        let file = Arc::new(file);
        Ok(SavedFile { file, temporary, path: path.to_owned(), kept: false, behind: 0, ahead: None })
    }

    /// Makes the content durable and gives the file its name, in place of what had it.
    pub(crate) fn keep(mut self) -> Result<()> {
        self.ahead.take().map_or(Ok(()), Ahead::end)?;
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
        let written = (&*self.file).write(bytes)?;
        self.behind += written;
        if self.behind >= STRETCH {
            self.behind = 0;
            if self.ahead.is_none() {
                self.ahead = Some(Ahead::start(Arc::clone(&self.file))?);
            }
            if let Some(ahead) = &self.ahead {
                // If it is busy, or has failed, `keep` sees to the rest.
                let _ = ahead.ask.try_send(());
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.file).flush()
    }
}

impl Drop for SavedFile {
    fn drop(&mut self) {
        if !self.kept {
            // On Windows a file in use cannot be removed.
            let _ = self.ahead.take().map(Ahead::end);
        }
    }
}
