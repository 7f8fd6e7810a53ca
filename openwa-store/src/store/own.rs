//! Which files belong to a store, so that nothing else is written over them.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::db::SqliteFile;
use crate::error::{Error, Kind, Result};

/// What stands beside a database: its log, the index of the log, a journal.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// What begins the name of a file that a restore set aside.
const SET_ASIDE: &str = ".before-restore-";
/// The folder of the built-in PostgreSQL server.
const SERVER: &str = "postgres";
/// What a backup repository is made of.
const REPOSITORY: [&str; 4] = ["config", "keys", "snapshots", "index"];

/// Fails when writing to `path` would write over a file of the store, one of `others`, or into the folder of a backup
/// repository or of the built-in server. Files are the same by device and number, whatever link leads to them; those that
/// are not there at the moment, a log of a closed database for instance, by folder and name.
pub(crate) fn refuse_own(config: &Config, others: &[PathBuf], path: &Path) -> Result<()> {
    let refuse = |what: &str| Err(refused(what, path));
    let databases: Vec<PathBuf> = [config.main_path(), config.data_path()].into_iter().flatten().collect();
    let ends = followed(path);
    if ends.iter().any(|end| databases.iter().any(|database| is_beside(end, database))) {
        return refuse("this is a file of the store itself");
    }
    refuse_same(config, others, identity(path), path)?;
    let server = config.dir.as_ref().and_then(|dir| dir.join(SERVER).canonicalize().ok());
    for folder in ends.iter().filter_map(|end| end.parent()).flat_map(Path::ancestors) {
        if server.as_deref() == Some(folder) {
            return refuse("this is in the folder of the store's PostgreSQL server");
        }
        if REPOSITORY.iter().all(|name| folder.join(name).exists()) {
            return refuse("this is in a backup repository");
        }
    }
    Ok(())
}

/// The same for what is open already, under whatever name.
pub(crate) fn refuse_same(
    config: &Config,
    others: &[PathBuf],
    target: Option<Identity>,
    path: &Path,
) -> Result<()> {
    let same = |other: &Path| target.is_some() && identity(other) == target;
    let databases = [config.main_path(), config.data_path()].into_iter().flatten();
    if databases.flat_map(|database| of_database(&database)).any(|file| same(&file)) {
        return Err(refused("this is a file of the store itself", path));
    }
    if others.iter().any(|other| same(other)) {
        return Err(refused("this is a key, or a file that the command reads", path));
    }
    Ok(())
}

fn refused(what: &str, path: &Path) -> Error {
    Error::new(Kind::InvalidArgument, format!("{what}; write to another place"))
        .with("column", "path")
        .with("path", path.display())
}

/// The path, and where the links at its end lead, each in a folder without links.
fn followed(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut next = Some(path.to_owned());
    // As many links as Linux follows.
    while let Some(path) = next.take().filter(|_| found.len() < 40) {
        let (folder, Some(name)) = (folder_of(&path), path.file_name()) else { break };
        let Ok(folder) = folder.canonicalize() else { break };
        let whole = folder.join(name);
        next = std::fs::read_link(&whole).ok().map(|to| folder.join(to));
        found.push(whole);
    }
    found
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a path, which is canonical but for links at its end, has the place of a database or of what belongs to it.
fn is_beside(path: &Path, database: &Path) -> bool {
    let folder = folder_of(database).canonicalize().ok();
    let (Some(folder), Some(name)) = (folder, path.file_name()) else { return false };
    if path.parent() != Some(&folder) {
        return false;
    }
    let Some(database) = database.file_name().map(|name| name.to_string_lossy()) else { return false };
    let name = name.to_string_lossy();
    let lock = || {
        let stem = Path::new(&*database).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        name.ends_with(".lock") && stem.is_some_and(|stem| name.starts_with(&format!("{stem}.")))
    };
    let mark = SqliteFile::restore_mark(Path::new(&*database));
    let beside = |end: &str| BESIDE.contains(&end) || end.starts_with(SET_ASIDE);
    name.strip_prefix(&*database).is_some_and(beside) || Path::new(&*name) == mark || lock()
}

/// The files of a database that are there.
fn of_database(database: &Path) -> Vec<PathBuf> {
    let Ok(folder) = folder_of(database).canonicalize() else { return vec![database.to_owned()] };
    let mut files = vec![database.to_owned()];
    files.extend(BESIDE.iter().map(|end| {
        let mut name = database.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    }));
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files.extend(entries.filter(|path| is_beside(path, database)));
    files
}

/// What makes a file the same one: device and number.
#[cfg(unix)]
pub(crate) type Identity = (u64, u64);
#[cfg(not(unix))]
pub(crate) type Identity = PathBuf;

#[cfg(unix)]
pub(crate) fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|found| identity_of(&found))
}

#[cfg(unix)]
pub(crate) fn identity_of(found: &std::fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (found.dev(), found.ino())
}

#[cfg(not(unix))]
pub(crate) fn identity(path: &Path) -> Option<Identity> {
    path.canonicalize().ok()
}
