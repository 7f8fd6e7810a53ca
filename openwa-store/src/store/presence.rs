//! Whether the files of a store are there together, before any is opened or made.

use std::time::Instant;

use super::sqlite_file;
use crate::config::Config;
use crate::db::{Conn, SqliteFile, lost, size, turn_in_folder};
use crate::entity::Database;
use crate::error::Result;
use crate::folder;
use crate::schema;
use crate::value::Value;

/// Refuses a store of which a part is missing: SQLite would make an empty database in its place, and remove the log that
/// has the rows. `moving`: the Data database is to be made beside a Main one that is there.
///
/// Data is made before Main, so that Main is a proof of Data, and a process that ends in between leaves a Data without
/// sessions, which the next opening goes on with.
pub(super) fn refuse_missing_parts(config: &Config, moving: bool) -> Result<()> {
    // Whoever makes Main has this lock; so while there is none, nobody has written into Data.
    let deadline = Instant::now() + config.lock_wait;
    let _turn = config.main_path().map(|path| turn_in_folder(&path, deadline)).transpose()?;
    let (main, data) = (sqlite_file(config, Database::Main), sqlite_file(config, Database::Data));
    main.refuse_lost()?;
    data.refuse_lost()?;
    let (Some(main_path), Some(data_path)) = (&main.path, &data.path) else { return Ok(()) };
    let (has_main, has_data) = (size(main_path)? > 0, size(data_path)? > 0);
    if has_main && !has_data && !moving {
        if !has_row(&main, "SELECT 1 FROM sqlite_schema WHERE name = 'openwa_migrations'") {
            schema::refuse_foreign(&main).map_err(|e| e.with("path", main_path.display()))?;
        }
        return Err(lost(data_path, &[main_path, &folder::beside(main_path, "-wal")]));
    }
    if has_data && !has_main && has_row(&data, "SELECT 1 FROM sessions LIMIT 1") {
        return Err(lost(main_path, &[data_path, &folder::beside(data_path, "-wal")]));
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
