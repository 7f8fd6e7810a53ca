//! Restoring a backup: everything is verified beside its place before anything takes its place.

mod credentials;
mod files;
#[cfg(feature = "postgres")]
mod postgres;

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use rustic_core::IndexedFullStatus;
use rustic_core::repofile::SnapshotFile;
use sha2::{Digest, Sha256};

use super::RestoreOptions;
use super::manifest::{Content, Manifest};
use super::report::{BackupPhase, Form, OnBackup, RestoreReport};
use super::repository::Repository;
use super::sources::{Teller, describe, still};
use super::staging::Staging;
use super::verify::{Sink, dump};
use super::watch::watched;
use crate::config::{Config, DataDatabase};
use crate::db::Conn;
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use crate::transfer::{ImportOptions, Missing, Mode};
use crate::value::Value;
use files::{Place, Places};

pub(super) fn restore(
    target: &Config,
    options: &RestoreOptions,
    progress: OnBackup<'_>,
) -> Result<RestoreReport> {
    let mut teller = Teller(progress);
    let repository = Repository::open(&options.repo)?;
    let (snapshot, manifest) = repository.find(options.backup.as_deref(), options.name.as_deref())?;
    refuse_other_engine(target, &manifest)?;
    let places = Places::of(target)?;
    places.refuse_taken(options.replace)?;
    #[cfg(feature = "postgres")]
    if let DataDatabase::Postgres(server) = &target.data {
        postgres::refuse_taken(target, server, &places)?;
    }
    let source = Source { repository: &repository, indexed: repository.indexed()?, snapshot: &snapshot };
    let main = Staged::new(places.main(), &source, &manifest.main, &mut teller)?;
    check_file(Database::Main, &main.path, &manifest.main)?;
    let report = |set_aside: Vec<PathBuf>| -> Result<RestoreReport> {
        Ok(RestoreReport {
            backup: manifest.backup(&snapshot)?,
            tables: manifest.tables(),
            set_aside: set_aside.iter().map(|path| path.display().to_string()).collect(),
            credentials_at: manifest.credentials_at,
        })
    };
    match &target.data {
        DataDatabase::Sqlite | DataDatabase::SqliteFile(_) => {
            let place = places.data().ok_or_else(|| Error::new(Kind::Internal, "Data has no file"))?;
            let mut file = Staged::new(place, &source, &manifest.data, &mut teller)?;
            if manifest.data.form()? == Form::Document {
                file = imported(target, file)?;
            }
            teller.tell(BackupPhase::Check, 0, None)?;
            check_file(Database::Data, &file.path, &manifest.data)?;
            let judge = |old: &Path| {
                if options.allow_old_credentials {
                    Ok(())
                } else {
                    credentials::refuse_older(old, &file.path)
                }
            };
            report(places.take(
                &[(Database::Main, &main.path), (Database::Data, &file.path)],
                options.replace,
                judge,
            )?)
        }
        #[cfg(feature = "postgres")]
        DataDatabase::Postgres(server) => {
            let file = Staged::new(places.main(), &source, &manifest.data, &mut teller)?;
            teller.tell(BackupPhase::Check, 0, None)?;
            let filled = postgres::fill(target, server, &file.path, &manifest.data, &places)?;
            let taken = places.take(&[(Database::Main, &main.path)], options.replace, |_| Ok(()));
            report(taken.inspect_err(|_| filled.take_back())?)
        }
    }
}

/// Fails when the target has an engine that cannot take what is in the backup.
fn refuse_other_engine(target: &Config, manifest: &Manifest) -> Result<()> {
    let refuse = |text: &str| Err(Error::invalid("data", text));
    match (&target.data, manifest.data.form()?) {
        (DataDatabase::Sqlite | DataDatabase::SqliteFile(_), Form::PgDump) => refuse(
            "Data is a dump of PostgreSQL in this backup; restore it into PostgreSQL, then `openwa migrate`",
        ),
        #[cfg(feature = "postgres")]
        (DataDatabase::Postgres(_), Form::Sqlite) => {
            refuse("Data is a SQLite file in this backup; restore it into a folder, then `openwa migrate`")
        }
        _ => Ok(()),
    }
}

type Indexed = rustic_core::Repository<IndexedFullStatus>;

/// Where the files come from.
struct Source<'a> {
    repository: &'a Repository,
    indexed: Indexed,
    snapshot: &'a SnapshotFile,
}

/// A file of the backup beside its place.
struct Staged {
    path: PathBuf,
    folder: Staging,
}

impl Staged {
    /// Takes it out of the repository and compares it with the manifest.
    fn new(place: &Place, source: &Source<'_>, content: &Content, teller: &mut Teller<'_>) -> Result<Self> {
        let folder = Staging::new(&place.folder)?;
        folder.make_room(content.bytes)?;
        let path = folder.files().join(&content.file);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|e| Error::from(e).with("path", path.display()))?;
        let (done, objects) = (AtomicU64::new(0), &source.repository.objects);
        watched(objects, teller, BackupPhase::Write, &done, Some(content.bytes), || {
            let to = BufWriter::with_capacity(1 << 20, file);
            let mut sink = Sink { to, hash: Sha256::new(), bytes: 0, done: &done };
            dump(&source.indexed, source.snapshot, &content.file, &mut sink)
                .map_err(|e| objects.failure(&e))?;
            let mut to = sink.compare(content)?;
            to.flush()?;
            to.get_ref().sync_all()?;
            Ok(())
        })
        .map_err(|e| e.with("backup", source.snapshot.id.to_hex().as_str()))?;
        Ok(Staged { path, folder })
    }
}

/// A document as a SQLite file.
fn imported(target: &Config, document: Staged) -> Result<Staged> {
    let at = |name: &str| document.folder.files().join(name);
    let path = at("data.sqlite");
    let data = DataDatabase::SqliteFile(path.clone());
    let config = Config { main: Some(at("scratch.sqlite")), data, ..target.clone() };
    let store = Store::open_with(config)?;
    let how = ImportOptions { mode: Mode::Replace, missing: Missing::Keep, dry_run: false };
    store.import_file(&document.path, &how, None)?;
    store.close()?;
    drop(store);
    still(&path, Database::Data).make_whole()?;
    Ok(Staged { path, folder: document.folder })
}

/// Checks a SQLite file before it takes its place: whole, of a version that can be used, with the rows that it should have.
fn check_file(which: Database, path: &Path, content: &Content) -> Result<()> {
    let conn = still(path, which).open_still()?;
    check(&conn, which, content)
}

fn check(conn: &dyn Conn, which: Database, content: &Content) -> Result<()> {
    let text = |v: Value<'_>| match v {
        Value::Text(s) => s.to_owned(),
        _ => "something is wrong".to_owned(),
    };
    for sql in conn.dialect().checks() {
        if let Some(problem) = conn.first(sql, &[], |row| Ok(text(row.get(0))))? {
            let text = format!("what was restored of {} is damaged: {problem}", which.name());
            return Err(Error::new(Kind::Corrupt, text));
        }
    }
    content.compare_rows(&describe(conn, which)?.rows)
}
