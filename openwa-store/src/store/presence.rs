//! Whether the files of a store are there together, before any is opened or made.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::sqlite_file;
use crate::config::Config;
use crate::db::{Conn, SqliteFile, turn_in_folder};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::schema;
use crate::value::Value;

/// A database file, and the write-ahead log beside it.
struct Found {
    file: SqliteFile,
    path: PathBuf,
    bytes: u64,
    log: PathBuf,
    log_bytes: u64,
}

/// Bytes of a file; 0: there is none.
fn size(path: &Path) -> Result<u64> {
    match std::fs::metadata(path) {
        Ok(there) => Ok(there.len()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(Error::from(e).with("path", path.display())),
    }
}

impl Found {
    fn of(config: &Config, database: Database) -> Result<Option<Self>> {
        let file = sqlite_file(config, database);
        let Some(path) = file.path.clone() else { return Ok(None) };
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let (bytes, log_bytes) = (size(&path)?, size(&log)?);
        Ok(Some(Found { file, path, bytes, log, log_bytes }))
    }

    fn is_there(&self) -> bool {
        self.bytes > 0
    }
}

/// Refuses a store of which a part is missing: SQLite would make an empty database in its place, and remove the log that
/// has the rows. `moving`: the Data database is to be made beside a Main one that is there.
///
/// Data is made before Main, so that Main is a proof of Data, and a process that ends in between leaves a Data without
/// sessions, which the next opening goes on with.
pub(super) fn refuse_missing_parts(config: &Config, moving: bool) -> Result<()> {
    // Whoever makes Main has this lock; so while there is none, nobody has written into Data.
    let deadline = Instant::now() + config.lock_wait;
    let _turn = config.main_path().map(|path| turn_in_folder(&path, deadline)).transpose()?;
    let (main, data) = (Found::of(config, Database::Main)?, Found::of(config, Database::Data)?);
    for one in main.iter().chain(&data) {
        if !one.is_there() && one.log_bytes > 0 {
            return Err(gone(&one.path, &[(&one.log, one.log_bytes)]));
        }
    }
    let (Some(main), Some(data)) = (&main, &data) else { return Ok(()) };
    if main.is_there() && !data.is_there() && !moving {
        if !has_row(&main.file, "SELECT 1 FROM sqlite_schema WHERE name = 'openwa_migrations'") {
            schema::refuse_foreign(&main.file).map_err(|e| e.with("path", main.path.display()))?;
        }
        return Err(gone(&data.path, &[(&main.path, main.bytes), (&main.log, main.log_bytes)]));
    }
    if data.is_there() && !main.is_there() && has_row(&data.file, "SELECT 1 FROM sessions LIMIT 1") {
        return Err(gone(&main.path, &[(&data.path, data.bytes), (&data.log, data.log_bytes)]));
    }
    Ok(())
}

/// Whether a query finds something. A database that cannot be read is refused by who opens it.
fn has_row(file: &SqliteFile, sql: &str) -> bool {
    let found = file
        .open_guest()
        .and_then(|conn| (&conn as &dyn Conn).first(sql, &[], |row| Ok(row.get(0) != Value::Null)));
    matches!(found, Ok(Some(true)))
}

fn gone(missing: &Path, there: &[(&PathBuf, u64)]) -> Error {
    let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let what = if missing.exists() { "empty" } else { "missing" };
    let there: Vec<String> = there
        .iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(path, bytes)| format!("{} ({bytes} bytes)", name(path)))
        .collect();
    let text = format!(
        "{} is {what}, but {} of the same store is there; put the file back, or restore a backup, or move the rest away and \
         make a new store",
        name(missing),
        there.join(" and ")
    );
    Error::new(Kind::FileGone, text).with("path", missing.display())
}
