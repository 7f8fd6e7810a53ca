//! Making a backup.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustic_core::jiff::tz::TimeZone;
use rustic_core::jiff::{Timestamp as Instant, Zoned};
use rustic_core::repofile::SnapshotFile;
use rustic_core::{
    BackupOptions as Archiving, CheckOptions, FileType, IndexedFullStatus, PathList, ReadBackend,
    SnapshotOptions,
};
use sha2::{Digest, Sha256};

use super::lock::Lock;
use super::manifest::{FILE, FOLDER, Manifest};
use super::report::{BackupPhase, BackupReport, OnBackup};
use super::repository::{Chunks, Repository, node};
use super::sources::{self, Teller};
use super::staging::Staging;
use super::verify::{Problem, whole};
use super::watch::watched;
use super::{BackupOptions, prune};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use crate::time::Timestamp;
use crate::transfer::hex;

/// The name of a store that has no other.
const NAME: &str = "openwa";

pub(super) fn create(store: &Store, options: &BackupOptions, progress: OnBackup<'_>) -> Result<BackupReport> {
    let mut teller = Teller(progress);
    let name = options.name.as_deref().unwrap_or(NAME);
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "the name of a store is some letters"));
    }
    let rules = prune::Rules::of(&options.keep)?;
    let Some(_turn) = store.database(Database::Main).turn("backup")? else {
        return Err(Error::new(
            Kind::Busy,
            "another process makes a backup of this store; one at a time is enough",
        ));
    };
    // The repository first: a wrong password shall not cost a copy of the databases.
    let (repository, lock) = Repository::open_or_make(&options.repo, chunks(store)?)?;
    let staging = Staging::new(&folder_for_copies(store, options))?;
    let manifest = sources::copy(store, &staging, options.pg_dump.as_deref(), &mut teller)?;
    let (snapshot, verified) = write(&repository, &lock, &staging, &manifest, options, name, &mut teller)?;
    let backup = manifest.backup(&snapshot)?;
    drop(staging);
    let prune = match options.prune {
        true => Some(prune::run(&repository, &rules)?),
        false => None,
    };
    Ok(BackupReport { backup, tables: manifest.tables(), verified, prune })
}

/// Where the copies of the databases are until they are in the repository.
fn folder_for_copies(store: &Store, options: &BackupOptions) -> PathBuf {
    let beside_main = || {
        let main = store.config().main_path()?;
        Some(main.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned())
    };
    options.temp_dir.as_ref().map(PathBuf::from).or_else(beside_main).unwrap_or_else(std::env::temp_dir)
}

/// How a repository that is made for this store cuts its files. Small chunks make a small difference small: of a SQLite
/// file, pages that changed lie everywhere. But each chunk is named in an index, which every backup reads, and in a list
/// that every backup writes.
fn chunks(store: &Store) -> Result<Chunks> {
    let data = store.database(Database::Data);
    if data.as_sqlite().is_none() {
        return Ok(Chunks::ByContent(32 << 10));
    }
    let dialect = data.dialect();
    let bytes = data.read(|conn| conn.integer(dialect.bytes(), &[]))?;
    Ok(Chunks::Fixed(if bytes < LARGE { 12 << 10 } else { 16 << 10 }))
}

/// Bytes of a database from which its list of chunks costs more than larger chunks do.
const LARGE: i64 = 2 << 30;

/// Writes the files into the repository, reads back what is new, and then makes a backup of it.
fn write(
    repository: &Repository,
    lock: &Lock,
    staging: &Staging,
    manifest: &Manifest,
    options: &BackupOptions,
    name: &str,
    teller: &mut Teller<'_>,
) -> Result<(SnapshotFile, u64)> {
    let objects = &repository.objects;
    objects.hold_snapshot();
    let done = &repository.counter.0;
    done.store(0, Ordering::Relaxed);
    let total = manifest.contents().iter().map(|content| content.bytes).sum();
    let snapshot = watched(objects, teller, BackupPhase::Write, done, Some(total), || {
        let archive = || {
            let snapshot = as_snapshot(manifest, name)?.to_snapshot()?;
            let files = PathList::from_iter([staging.files()]);
            let indexed = repository.again()?.to_indexed_ids()?;
            indexed.backup(&archiving(), &files, snapshot)
        };
        archive().map_err(|e| objects.failure(&e))
    })?;
    let verified = AtomicU64::new(0);
    watched(objects, teller, BackupPhase::Verify, &verified, None, || {
        read_back(repository, &snapshot, manifest, options.read_all, &verified)
    })?;
    lock.still_held()?;
    objects.let_go()?;
    let there =
        repository.inner.get_snapshots(&[snapshot.id.to_hex().as_str()]).map_err(|e| objects.failure(&e))?;
    if there.iter().all(|there| there.tree != snapshot.tree) {
        return Err(Error::new(Kind::Corrupt, "the storage does not give back what was written to it"));
    }
    Ok((snapshot, verified.into_inner()))
}

fn archiving() -> Archiving {
    let mut options = Archiving::default();
    options.as_path = Some(FOLDER.into());
    options.no_scan = true;
    // A file is new each time, so comparing it with that of the last backup would only be a risk.
    options.parent_opts.force = true;
    options
}

fn as_snapshot(manifest: &Manifest, name: &str) -> rustic_core::RusticResult<SnapshotOptions> {
    let mut options = SnapshotOptions::default();
    options.label = Some(name.to_owned());
    options.time = zoned(manifest.data.at);
    // The arguments of this process may hold the password of a server.
    options.command = Some("openwa backup create".to_owned());
    options.description = manifest.text().ok();
    options.add_tags("openwa")
}

pub(super) fn zoned(at: Timestamp) -> Option<Zoned> {
    Instant::from_millisecond(at.millis()).ok().map(|at| at.to_zoned(TimeZone::UTC))
}

/// Fails unless everything that the snapshot needs is in the repository, and what is new in it can be read.
fn read_back(
    repository: &Repository,
    snapshot: &SnapshotFile,
    manifest: &Manifest,
    all: bool,
    verified: &AtomicU64,
) -> Result<()> {
    let objects = &repository.objects;
    let failed = |e: Box<rustic_core::RusticError>| objects.failure(&e);
    for id in objects.take_packs() {
        // A pack is named by its hash, and what was put into it was unpacked once before.
        let bytes = objects.read_full(FileType::Pack, &id).map_err(failed)?;
        verified.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if hex(Sha256::new_with_prefix(&bytes)) != id.to_hex().as_str() {
            return Err(Error::new(Kind::Corrupt, "the storage does not give back what was written to it"));
        }
    }
    let results =
        repository.inner.check_with_trees(CheckOptions::default(), vec![snapshot.tree]).map_err(failed)?;
    // The names of these types are the library's own.
    if let Some((_, problem)) = results.0.iter().find(|(level, _)| format!("{level:?}") == "Error") {
        let text = "the repository is damaged, so no backup can build on it; give another one, and keep this one for the \
                    backups that `openwa backup verify` finds whole";
        return Err(Error::new(Kind::Corrupt, text).with("repo", objects.shown()).with("cause", problem));
    }
    let indexed = repository.indexed()?;
    complete(&indexed, snapshot, manifest).map_err(failed)??;
    if all {
        whole(&indexed, snapshot, manifest, verified).map_err(|problem| match problem {
            Problem::Repository(e) => failed(e),
            Problem::Content(e) => e,
        })?;
    }
    Ok(())
}

/// Fails when a file is missing or too short: one that could not be read is left out of a snapshot without a word.
fn complete(
    indexed: &rustic_core::Repository<IndexedFullStatus>,
    snapshot: &SnapshotFile,
    manifest: &Manifest,
) -> rustic_core::RusticResult<Result<()>> {
    for content in manifest.contents() {
        let there = node(indexed, snapshot, &content.file)?.meta.size;
        if there != content.bytes {
            let text = format!("{} has {there} bytes in the backup, not {}", content.file, content.bytes);
            return Ok(Err(Error::new(Kind::Corrupt, text)));
        }
    }
    node(indexed, snapshot, FILE).map(|_| Ok(()))
}
