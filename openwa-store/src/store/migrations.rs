//! Moving the schema of one database, up or down, without opening a store (which always moves it up).

use std::path::PathBuf;

use super::sqlite_file;
use crate::config::Config;
#[cfg(feature = "postgres")]
use crate::config::DataDatabase;
use crate::db::{Dialect, SqliteFile};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::folder;
use crate::schema::{self, Layout};

pub use crate::schema::Applied;

/// The version that this library brings a database to.
#[must_use]
#[cfg_attr(not(feature = "postgres"), allow(unused_variables))]
pub fn latest(config: &Config, database: Database) -> i64 {
    #[cfg(feature = "postgres")]
    if let (Database::Data, DataDatabase::Postgres(options)) = (database, &config.data) {
        return schema::latest(database, Dialect::Postgres { partitioned: options.partitioned });
    }
    schema::latest(database, Dialect::Sqlite)
}

/// Every step that this library knows, and whether it is applied. Creates nothing.
///
/// # Errors
/// `NotFound` when there is no such database; `ForeignDatabase`, `SchemaTooNew`, `SchemaChanged`; those of a server.
pub fn status(config: &Config, database: Database) -> Result<Vec<Applied>> {
    let during = |e: Error| e.during("migrations.status");
    let missing = || Error::new(Kind::NotFound, format!("there is no {} database", database.name()));
    #[cfg(feature = "postgres")]
    if let (Database::Data, DataDatabase::Postgres(options)) = (database, &config.data) {
        return super::postgres::steps(config, options).and_then(|s| s.ok_or_else(missing)).map_err(during);
    }
    let (file, path) = on_disk(config, database)?;
    let at = |e: Error| during(e.with("path", path.display()));
    file.refuse_lost().map_err(at)?;
    if !path.exists() {
        return Err(at(missing()));
    }
    let conn = file.open_reader().map_err(at)?;
    schema::status(&conn, database).map_err(at)
}

/// Brings a database to version `target`; `None`: the latest. Going down drops tables with what is in them;
/// version 0 is the empty database. Says how many steps it took. Each is one transaction.
///
/// # Errors
/// `InvalidArgument` for a version that does not exist; those of [`Store::open_with`](crate::Store::open_with).
pub fn migrate(config: &Config, database: Database, target: Option<i64>) -> Result<usize> {
    let during = |e: Error| e.during("migrations.migrate");
    #[cfg(feature = "postgres")]
    if let (Database::Data, DataDatabase::Postgres(options)) = (database, &config.data) {
        return super::postgres::migrate(config, options, target).map_err(during);
    }
    let (file, path) = on_disk(config, database)?;
    let at = |e: Error| during(e.with("path", path.display()));
    folder::make(folder::of(&path)).map_err(|e| at(e.into()))?;
    file.among_other_openers(|| {
        let (wait, now) = (config.lock_wait, config.clock.now());
        schema::migrate(&file.open_writer()?, database, Layout::Plain, target, wait, now)
    })
    .map_err(at)
}

fn on_disk(config: &Config, database: Database) -> Result<(SqliteFile, PathBuf)> {
    let file = sqlite_file(config, database);
    let path = file.path.clone();
    let path = path.ok_or_else(|| Error::new(Kind::InvalidArgument, "a store in memory has no file"))?;
    Ok((file, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewSession, Store};

    #[test]
    fn down_and_up_again_gives_an_empty_store() {
        let dir = std::env::temp_dir().join(format!("openwa-migrations-{}", uuid::Uuid::now_v7()));
        let config = Config::new(&dir);
        assert_eq!(status(&config, Database::Data).unwrap_err().kind(), Kind::NotFound);
        assert!(!dir.exists(), "asking creates nothing");
        let store = Store::open(&dir).unwrap();
        store.sessions().create(NewSession { name: "s".into(), ..Default::default() }).wait().unwrap();
        store.close().unwrap();

        let applied = |config| status(config, Database::Data).unwrap().iter().all(|s| s.applied_at.is_some());
        assert!(applied(&config));
        let steps = usize::try_from(latest(&config, Database::Data)).unwrap();
        assert_eq!(migrate(&config, Database::Data, Some(0)).unwrap(), steps);
        assert!(!applied(&config));
        assert_eq!(migrate(&config, Database::Data, None).unwrap(), steps);
        assert_eq!(Store::open(&dir).unwrap().sessions().find("s").unwrap(), None);
        let wrong = migrate(&config, Database::Data, Some(99)).unwrap_err();
        assert_eq!(wrong.kind(), Kind::InvalidArgument);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_log_without_its_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::new(dir.path());
        Store::open(dir.path()).unwrap().close().unwrap();
        let (file, log) = (dir.path().join("data.sqlite"), dir.path().join("data.sqlite-wal"));
        std::fs::write(&log, b"rows").unwrap();
        for empty in [true, false] {
            if empty {
                std::fs::write(&file, b"").unwrap();
            } else {
                std::fs::remove_file(&file).unwrap();
            }
            assert_eq!(status(&config, Database::Data).unwrap_err().kind(), Kind::FileGone);
            assert_eq!(migrate(&config, Database::Data, None).unwrap_err().kind(), Kind::FileGone);
            assert_eq!(std::fs::read(&log).unwrap(), b"rows");
        }
    }
}
