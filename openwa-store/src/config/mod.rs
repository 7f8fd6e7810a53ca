//! How a store is opened.

#[cfg(feature = "postgres")]
mod postgres;

#[cfg(feature = "postgres")]
pub use postgres::{Postgres, Tls};

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::db::{Durability, LOCK_WAIT, Trace};
use crate::error::{Error, Kind, Result};
use crate::seal::StoreKey;
use crate::time::{Clock, SystemClock};

/// Where the Data database is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DataDatabase {
    /// SQLite, in `data.sqlite` of the store's folder.
    #[default]
    Sqlite,
    /// SQLite, in this file.
    SqliteFile(PathBuf),
    /// PostgreSQL, which any number of processes and machines may share.
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

impl std::str::FromStr for DataDatabase {
    type Err = Error;

    /// Reads a `postgres://` URL, or takes the text as the path of a SQLite file.
    fn from_str(text: &str) -> Result<Self> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(DataDatabase::SqliteFile(text.into()));
        }
        #[cfg(feature = "postgres")]
        return Postgres::from_url(text).map(DataDatabase::Postgres);
        #[cfg(not(feature = "postgres"))]
        return Err(without_postgres());
    }
}

#[cfg(not(feature = "postgres"))]
fn without_postgres() -> Error {
    Error::new(Kind::Unsupported, "this build has no PostgreSQL; it needs the feature `postgres`")
}

/// A setting whose value is none of those that it may have.
fn unknown(name: &'static str, value: &str, wanted: &str) -> Error {
    Error::new(Kind::InvalidArgument, format!("{name}={value:?} is not known; use {wanted}"))
        .with("variable", name)
}

/// Hears what an open waits for.
pub type Opening = Arc<dyn Fn(&str) + Send + Sync>;

/// How a store is opened. Every field has a sensible default: `Config::new("./data")` is enough.
#[derive(Clone)]
pub struct Config {
    /// The folder of the store; `None`: everything in memory, gone when the store is closed.
    pub dir: Option<PathBuf>,
    /// File of the Main database; `None`: `main.sqlite` in the folder.
    pub main: Option<PathBuf>,
    /// Where the Data database is.
    pub data: DataDatabase,
    /// Keys the hash of API keys. Without one, plain SHA-256 is used.
    pub api_key_pepper: Option<Vec<u8>>,
    /// Seals the secrets of the Data database: credentials, webhook secrets and headers, proxy passwords. A store that
    /// has secrets in clear has them sealed when it is opened with a key for the first time. Without the key of a sealed
    /// store, what needs no secret goes on.
    pub store_key: Option<StoreKey>,
    /// Whether messages are kept. When off, `save` only tells new messages from repeated ones.
    pub history: bool,
    /// How much a commit promises.
    pub durability: Durability,
    /// Writes that may wait before callers have to; default 8,192.
    pub queue: usize,
    /// Writes that may share a commit; default 1,024.
    pub group: usize,
    /// Where the present comes from.
    pub clock: Arc<dyn Clock>,
    /// Hears of every SQL statement before it runs, for debugging.
    pub trace: Option<Trace>,
    /// Hears what an open waits for: a server that does not answer yet, or one that is being started.
    pub opening: Option<Opening>,
    /// How long opening waits for another process that is opening the same store. For tests.
    #[doc(hidden)]
    pub lock_wait: Duration,
}

/// Room in the write queue: a second or two of work for a durable disk.
const QUEUE: usize = 8192;
/// Writes per commit. A thousand messages in one commit cost half of what 64 do; more gain little and make
/// the first of them wait longer.
const GROUP: usize = 1024;

impl Config {
    /// A store in the folder `dir`, which is made if it is missing.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Config { dir: Some(dir.into()), ..Config::in_memory() }
    }

    /// A store that lives in memory and is gone when it is closed. For tests.
    #[must_use]
    pub fn in_memory() -> Self {
        Config {
            dir: None,
            main: None,
            data: DataDatabase::Sqlite,
            api_key_pepper: None,
            store_key: None,
            history: true,
            durability: Durability::Full,
            queue: QUEUE,
            group: GROUP,
            clock: Arc::new(SystemClock),
            trace: None,
            opening: None,
            lock_wait: LOCK_WAIT,
        }
    }

    /// A store in `dir`, with what the gateway's environment says. Relative paths are relative to `dir`; empty values
    /// count as unset.
    ///
    /// | name | value | default |
    /// |---|---|---|
    /// | `DATABASE_TYPE` | `sqlite` or `postgres` | `sqlite` |
    /// | `DATABASE_NAME` | file of the Data database; with `postgres`, name of the database | `data.sqlite`; `openwa` |
    /// | `DATABASE_HOST`, `DATABASE_PORT` | the server; a host that begins with `/` is the folder of its socket | `localhost`, 5432 |
    /// | `DATABASE_USERNAME`, `DATABASE_PASSWORD` | the role | `postgres`, none |
    /// | `DATABASE_SSL` | `true`, `false`, or a mode of libpq's `sslmode`; `true` is `require` | `prefer` |
    /// | `POSTGRES_SCHEMA` | the schema that holds the tables | `public` |
    /// | `POSTGRES_BUILTIN` | `true`: the store starts a server of its own | `false` |
    /// | `MAIN_DATABASE_NAME` | file of the Main database | `main.sqlite` |
    /// | `API_KEY_PEPPER` | keys the hash of API keys | none |
    /// | `OPENWA_STORE_KEY` | seals the store's secrets: 64 hexadecimal digits, or 32 bytes in base64 | none |
    /// | `OPENWA_STORE_KEY_FILE` | a file with that key | none |
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown value, `Unsupported` for an engine that this build lacks, those of reading the
    /// key's file.
    pub fn from_env(dir: impl Into<PathBuf>) -> Result<Self> {
        Self::from_vars(dir, |name| std::env::var(name).ok())
    }

    /// Like [`from_env`](Self::from_env), from any source of names.
    ///
    /// # Errors
    /// As `from_env`.
    pub fn from_vars(dir: impl Into<PathBuf>, var: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let var = |name: &str| var(name).filter(|v| !v.is_empty());
        let mut config = Config::new(dir);
        let dir = config.dir.clone().unwrap_or_default();
        config.main = var("MAIN_DATABASE_NAME").map(|name| dir.join(name));
        config.api_key_pepper = var("API_KEY_PEPPER").map(String::into_bytes);
        config.store_key = match (var("OPENWA_STORE_KEY"), var("OPENWA_STORE_KEY_FILE")) {
            (None, None) => None,
            (Some(key), None) => {
                Some(key.parse().map_err(|e: Error| e.with("variable", "OPENWA_STORE_KEY"))?)
            }
            (None, Some(file)) => Some(StoreKey::from_file(dir.join(file))?),
            (Some(_), Some(_)) => {
                let text = "OPENWA_STORE_KEY and OPENWA_STORE_KEY_FILE are both set; one of them has to go";
                return Err(Error::new(Kind::InvalidArgument, text).with("variable", "OPENWA_STORE_KEY"));
            }
        };
        match var("DATABASE_TYPE").as_deref() {
            None | Some("sqlite") => {
                if let Some(name) = var("DATABASE_NAME") {
                    config.data = DataDatabase::SqliteFile(dir.join(name));
                }
            }
            #[cfg(feature = "postgres")]
            Some("postgres") => config.data = DataDatabase::Postgres(Postgres::from_vars(var)?),
            #[cfg(not(feature = "postgres"))]
            Some("postgres") => return Err(without_postgres()),
            Some(other) => {
                return Err(unknown("DATABASE_TYPE", other, "\"sqlite\" or \"postgres\""));
            }
        }
        Ok(config)
    }

    /// The file of the Main database; `None`: it is in memory.
    #[must_use]
    pub fn main_path(&self) -> Option<PathBuf> {
        self.main.clone().or_else(|| Some(self.dir.as_ref()?.join("main.sqlite")))
    }

    /// The file of the Data database; `None`: it is in memory.
    #[must_use]
    pub fn data_path(&self) -> Option<PathBuf> {
        match &self.data {
            DataDatabase::SqliteFile(path) => Some(path.clone()),
            DataDatabase::Sqlite => Some(self.dir.as_ref()?.join("data.sqlite")),
            #[cfg(feature = "postgres")]
            DataDatabase::Postgres(_) => None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("main", &self.main_path())
            .field("data", &self.data_path())
            .field("store_key", &self.store_key)
            .field("history", &self.history)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
