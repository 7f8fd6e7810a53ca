//! A private folder for files on their way into a repository, or out of it.

use std::fs::{DirBuilder, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::db::{Holder, LOCK_WAIT, lock_file};
use crate::error::{Error, Kind, Result};
use crate::fork::Private;
use crate::transfer::hex;

/// What the names of these folders begin with.
const PREFIX: &str = ".openwa-backup-";
/// The file that is locked as long as the folder is in use.
const LOCK: &str = "lock";

/// A folder that only its owner may enter. It is removed when it is dropped; what a killed process left is removed by the
/// next one.
pub(super) struct Staging {
    folder: PathBuf,
    _lock: Private<File>,
}

impl Staging {
    /// Makes one in `parent`, and removes those that nobody uses any more.
    pub(super) fn new(parent: &Path) -> Result<Self> {
        let told = |e: Error| e.with("path", parent.display());
        let leftovers = std::fs::read_dir(parent).map_err(|e| told(e.into()))?;
        for folder in
            leftovers.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        {
            remove_if_unused(&folder.path());
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|e| Error::new(Kind::Internal, format!("no random numbers: {e}")))?;
        let folder = parent.join(format!("{PREFIX}{:016x}", u64::from_le_bytes(random)));
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let make = || -> Result<Private<File>> {
            builder.create(&folder)?;
            let lock = Private::new(File::create_new(folder.join(LOCK))?);
            // The next one to come may be looking whether it is left over.
            if !lock_file(&lock, Instant::now() + LOCK_WAIT)? {
                let text = "another process looks at a folder for temporary files and does not finish";
                return Err(Holder::of_lock(&lock, Error::new(Kind::Busy, text)));
            }
            builder.create(folder.join("files"))?;
            Ok(lock)
        };
        let lock = make().map_err(told)?;
        Ok(Staging { folder, _lock: lock })
    }

    /// The folder with the files.
    pub(super) fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// Fails when the disk has no room for so many bytes.
    pub(super) fn make_room(&self, bytes: u64) -> Result<()> {
        let Ok(free) = fs4::available_space(&self.folder) else { return Ok(()) };
        if free >= bytes.saturating_add(bytes / 20) {
            return Ok(());
        }
        let text = format!(
            "a copy of the databases takes {} MB and the disk has {} MB left; make room, or give another folder for it",
            bytes.div_ceil(1 << 20),
            free >> 20
        );
        Err(Error::new(Kind::DiskFull, text).with("path", self.folder.display()))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next one.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn remove_if_unused(folder: &Path) {
    let lock = File::open(folder.join(LOCK));
    // A folder without a lock is being made or removed at this moment, or was left there in that moment.
    let unused = match &lock {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => is_old(folder),
    };
    if unused {
        // Somebody else may be removing it as well.
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn is_old(folder: &Path) -> bool {
    let age = std::fs::metadata(folder).and_then(|m| m.modified()).map(|at| at.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age.as_secs() > 60)
}

/// Length and SHA-256 of a file.
pub(super) fn sum(path: &Path) -> Result<(u64, String)> {
    let told = |e: std::io::Error| Error::from(e).with("path", path.display());
    let mut file = File::open(path).map_err(told)?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(told)? {
            0 => break,
            n => {
                hash.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
    Ok((bytes, hex(hash)))
}
