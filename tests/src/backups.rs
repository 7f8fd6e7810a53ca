//! Repositories of backups for tests.

use std::ops::Range;
use std::path::{Path, PathBuf};

use openwa_store::{
    Backup, BackupOptions, BackupRepo, Config, NewMessage, RestoreOptions, Store, Uuid, backups,
    restore_backup,
};

use crate::conformance::incoming;

/// The password of every repository.
pub const PASSWORD: &str = "password";

/// A repository and its password.
#[must_use]
pub fn repo(place: &str) -> BackupRepo {
    BackupRepo { repo: Some(place.to_owned()), password: Some(PASSWORD.into()), ..Default::default() }
}

/// A folder for a store, one for a repository, and room for what is restored.
pub struct Backups {
    dir: tempfile::TempDir,
}

impl Default for Backups {
    fn default() -> Self {
        Backups { dir: tempfile::tempdir().unwrap() }
    }
}

impl Backups {
    /// A place in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The folder of the store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// The repository.
    #[must_use]
    pub fn repo(&self) -> BackupRepo {
        repo(self.path("repo").to_str().unwrap())
    }

    /// Makes a backup into it.
    pub fn create(&self, store: &Store) -> openwa_store::Result<Backup> {
        let options = BackupOptions { repo: self.repo(), ..Default::default() };
        store.backup(&options, None).map(|report| report.backup)
    }

    /// Those that are in it.
    #[must_use]
    pub fn list(&self) -> Vec<Backup> {
        backups(&self.repo()).unwrap()
    }

    /// The latest one, restored into a new folder.
    #[must_use]
    pub fn restored(&self, name: &str) -> PathBuf {
        let to = self.path(name);
        let options = RestoreOptions { repo: self.repo(), ..Default::default() };
        restore_backup(&Config::new(&to), &options, None).unwrap();
        to
    }
}

/// Every file below a folder.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let to = if entry.path().is_dir() { &mut folders } else { &mut out };
            to.push(entry.path());
        }
    }
    out.sort();
    out
}

/// Every file below a folder and its bytes.
#[must_use]
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    };
    paths(folder).into_iter().map(read).collect()
}

/// Bytes of all files below a folder.
#[must_use]
pub fn size(folder: &Path) -> u64 {
    paths(folder).iter().map(|path| std::fs::metadata(path).unwrap().len()).sum()
}

/// Saves messages whose ids and texts follow from their numbers.
pub fn fill(store: &Store, session: Uuid, numbers: Range<u64>, body: impl Fn(u64) -> String) {
    let all: Vec<NewMessage> = numbers.map(|i| incoming(&format!("3EB0{i:016X}"), &body(i))).collect();
    for some in all.chunks(1000) {
        store.messages().save_many(session, some.to_vec()).wait().unwrap();
    }
}
