//! A repository: opened, made, and what is in it.

use std::path::Path;
use std::sync::Arc;

use rustic_core::repofile::SnapshotFile;
use rustic_core::{
    ConfigOptions, Credentials, FileType, IndexedFull, IndexedFullStatus, KeyOptions, OpenStatus,
    ReadBackend, RepositoryBackends, RepositoryOptions, RusticResult, WriteBackend,
};

use super::lock::Lock;
use super::manifest::{FOLDER, Manifest};
use super::objects::Objects;
use super::place::{Place, nothing_at};
use super::watch::Counter;
use super::{Backup, BackupRepo, password};
use crate::error::{Error, Kind, Result};

/// An open repository.
pub(super) struct Repository {
    pub(super) objects: Arc<Objects>,
    pub(super) inner: rustic_core::Repository<OpenStatus>,
    /// Bytes of files that were read while they were written to it.
    pub(super) counter: Counter,
    place: Place,
}

/// How files are cut into the chunks that are stored once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// At fixed places, which are those where the pages of a SQLite file begin.
    Fixed(u32),
    /// Where their content says so, about this long: what is inserted into a dump moves what follows.
    ByContent(u32),
}

impl Chunks {
    fn options(self) -> ConfigOptions {
        let size = |bytes: u32| bytes.to_string().parse().ok();
        let mut options = ConfigOptions::default();
        match self {
            Chunks::Fixed(bytes) => {
                options.set_chunker = "fixed_size".parse().ok();
                options.set_chunk_size = size(bytes);
            }
            Chunks::ByContent(bytes) => {
                options.set_chunker = "rabin".parse().ok();
                options.set_chunk_size = size(bytes);
                options.set_chunk_min_size = size(bytes / 4);
                options.set_chunk_max_size = size(bytes * 8);
            }
        }
        options.set_datapack_size = size(PACK);
        options
    }
}

/// Packs of data are about this long: each is synced at once, and a writer's own sync may have to wait for it.
const PACK: u32 = 16 << 20;

impl Repository {
    /// Opens a repository that is there.
    pub(super) fn open(repo: &BackupRepo) -> Result<Self> {
        let credentials = password::of(repo)?;
        let place = Place::of(repo)?;
        if let Place::Folder(folder) = &place
            && !folder.is_dir()
        {
            return Err(nothing_at(&place));
        }
        let objects = Arc::new(Objects::new(&place)?);
        let counter = Counter::default();
        let closed = closed(&objects, &counter)?;
        let there = closed.config_id().map_err(|e| objects.failure(&e))?;
        if there.is_none() {
            return Err(nothing_at(&place));
        }
        let inner = closed.open(&credentials).map_err(|e| objects.failure(&e))?;
        Ok(Repository { objects, inner, counter, place })
    }

    /// Opens a repository to write to it, and makes it if it is missing.
    pub(super) fn open_or_make(repo: &BackupRepo, chunks: Chunks) -> Result<(Self, Lock)> {
        let credentials = password::of(repo)?;
        let place = Place::of(repo)?;
        place.make()?;
        let objects = Arc::new(Objects::new(&place)?);
        let lock = Lock::take(&objects, &place)?;
        let counter = Counter::default();
        let closed = closed(&objects, &counter)?;
        let opened = match closed.config_id().map_err(|e| objects.failure(&e))? {
            Some(_) => closed.open(&credentials),
            None => make(closed, &objects, &credentials, chunks),
        };
        let inner = opened.map_err(|e| objects.failure(&e))?;
        Ok((Repository { objects, inner, counter, place }, lock))
    }

    /// The same repository once more, since what has its index is of another type.
    pub(super) fn again(&self) -> RusticResult<rustic_core::Repository<OpenStatus>> {
        let repository = rustic_core::Repository::new_with_progress(
            &options(),
            &backends(&self.objects),
            self.counter.clone(),
        );
        repository?.open(&Credentials::Masterkey(self.inner.key()))
    }

    /// With its index, which knows where each chunk is.
    pub(super) fn indexed(&self) -> Result<rustic_core::Repository<IndexedFullStatus>> {
        self.again().and_then(rustic_core::Repository::to_indexed).map_err(|e| self.objects.failure(&e))
    }

    /// Takes the right to write to it.
    pub(super) fn lock(&self) -> Result<Lock> {
        Lock::take(&self.objects, &self.place)
    }

    /// The snapshots that are ours, with their manifests, the oldest first.
    pub(super) fn snapshots(&self) -> Result<Vec<(SnapshotFile, Manifest)>> {
        let snapshots = self.inner.get_all_snapshots().map_err(|e| self.objects.failure(&e))?;
        let mut out = Vec::new();
        for snapshot in snapshots {
            if let Some(manifest) = Manifest::of(&snapshot)? {
                out.push((snapshot, manifest));
            }
        }
        let made =
            |snapshot: &SnapshotFile| snapshot.summary.as_ref().map(|summary| summary.backup_end.timestamp());
        out.sort_by_cached_key(|(snapshot, manifest)| (manifest.data.at, made(snapshot)));
        Ok(out)
    }

    pub(super) fn backups(&self) -> Result<Vec<Backup>> {
        self.snapshots()?.iter().map(|(snapshot, manifest)| manifest.backup(snapshot)).collect()
    }

    /// The one that is meant: the beginning of an id, or the latest one, of one store or of any.
    pub(super) fn find(&self, id: Option<&str>, name: Option<&str>) -> Result<(SnapshotFile, Manifest)> {
        let id = id.filter(|id| *id != "latest");
        let mut found = self.snapshots()?;
        found.retain(|(snapshot, _)| {
            id.is_none_or(|id| snapshot.id.to_hex().as_str().starts_with(id))
                && name.is_none_or(|name| snapshot.label == name)
        });
        match (id, found.len()) {
            (Some(id), 2..) => Err(Error::invalid(
                "backup",
                format!("{id:?} is the beginning of several ids; give more of it"),
            )),
            (_, 0) => {
                let of = name.map_or_else(String::new, |name| format!(" of a store {name:?}"));
                let text = id.map_or_else(
                    || format!("there is no backup{of} yet"),
                    |id| format!("there is no backup {id}{of}"),
                );
                Err(Error::new(Kind::NotFound, text).with("repo", self.objects.shown()))
            }
            _ => found.pop().ok_or_else(|| Error::new(Kind::Internal, "the list of backups is empty")),
        }
    }
}

fn closed(objects: &Arc<Objects>, counter: &Counter) -> Result<rustic_core::Repository<()>> {
    let made = rustic_core::Repository::new_with_progress(&options(), &backends(objects), counter.clone());
    made.map_err(|e| objects.failure(&e))
}

fn options() -> RepositoryOptions {
    let mut options = RepositoryOptions::default();
    // A cache would keep what it knows of a repository in the user's home.
    options.no_cache = true;
    options
}

fn backends(objects: &Arc<Objects>) -> RepositoryBackends {
    let backend: Arc<dyn WriteBackend> = Arc::clone(objects) as _;
    RepositoryBackends::new(backend, None)
}

/// A repository without a configuration was not made to its end. Its key would stand in the way of the next one.
fn make(
    closed: rustic_core::Repository<()>,
    objects: &Objects,
    credentials: &Credentials,
    chunks: Chunks,
) -> RusticResult<rustic_core::Repository<OpenStatus>> {
    for id in objects.list(FileType::Key)? {
        objects.remove(FileType::Key, &id, false)?;
    }
    closed.init(credentials, &KeyOptions::default(), &chunks.options())
}

/// The entry of a file of a backup.
pub(super) fn node<S: IndexedFull>(
    repository: &rustic_core::Repository<S>,
    snapshot: &SnapshotFile,
    file: &str,
) -> RusticResult<rustic_core::repofile::Node> {
    repository.node_from_path(snapshot.tree, &Path::new(FOLDER).join(file))
}

#[cfg(test)]
mod tests {
    use rustic_core::repofile::ConfigFile;

    use super::*;
    use crate::{BackupOptions, Config, Store, backups};

    /// A repository with one backup, in a folder of its own.
    fn made(folder: &Path) -> BackupRepo {
        let place = folder.join("repo").display().to_string();
        let repo = BackupRepo { repo: Some(place), password: Some("password".into()), ..Default::default() };
        let store = Store::open_with(Config::in_memory()).unwrap();
        let temp_dir = Some(folder.display().to_string());
        let options = BackupOptions { repo: repo.clone(), temp_dir, ..Default::default() };
        store.backup(&options, None).unwrap();
        repo
    }

    #[test]
    fn a_repository_of_a_newer_format_is_not_taken_for_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        let repo = made(folder.path());
        let opened = Repository::open(&repo).unwrap();
        let newer = ConfigFile { version: 3, ..opened.inner.config().clone() };
        std::fs::remove_file(folder.path().join("repo/config")).unwrap();
        let (key, again) =
            (Credentials::Masterkey(opened.inner.key()), closed(&opened.objects, &opened.counter).unwrap());
        assert!(
            again.init_with_config(&key, &KeyOptions::default(), newer).is_err(),
            "it was written, but not opened"
        );
        let e = backups(&repo).unwrap_err();
        assert_eq!((e.kind(), e.operation()), (Kind::SchemaTooNew, Some("backup.list")), "{e}");
        assert!(e.context("cause").is_some_and(|cause| cause.contains('3')), "{e}");
    }

    #[test]
    fn a_backup_of_a_newer_format_is_told_by_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let repo = made(folder.path());
        let opened = Repository::open(&repo).unwrap();
        let (mut snapshot, _) = opened.find(None, None).unwrap();
        let newer = snapshot.description.as_ref().unwrap().replacen("\"version\":1", "\"version\":2", 1);
        assert_ne!(snapshot.description.as_deref(), Some(&*newer));
        snapshot.description = Some(newer);
        opened.inner.save_snapshots(vec![snapshot]).unwrap();
        let e = backups(&repo).unwrap_err();
        assert_eq!(e.kind(), Kind::SchemaTooNew, "{e}");
        assert!(e.message().contains("format 2") && e.context("backup").is_some(), "{e}");
    }
}
