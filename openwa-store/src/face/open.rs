//! Opening a store from options, the same in every language.

use crate::config::Config;
use crate::db;
use crate::error::{Error, Result};
use crate::record::{FromValue, Record, Secret, Shape, Shaped, shape};
use crate::seal::StoreKey;
use crate::store::Store;
use crate::value::names;

names! {
    /// How much a commit promises.
    pub(crate) enum Durability: default Full {
        /// Synced: it survives a loss of power.
        Full = "full",
        /// Written: it survives a crash of the program; the last commits may be lost with the power.
        Normal = "normal",
    }
}

shape! { input:
    /// How a store is opened. Every option has a sensible default.
    #[derive(Default)]
    pub(crate) struct OpenOptions {
        /// The folder of the store, made if it is missing. None: everything lives in memory and is gone with the store.
        dir: Option<String>,
        /// File of the Main database; default `main.sqlite` in the folder.
        main: Option<String>,
        /// Where the Data database is: path of a SQLite file, or `postgres://user:password@host:port/database`; default
        /// `data.sqlite` in the folder.
        data: Option<String>,
        /// Starts from what the gateway's environment says (`DATABASE_TYPE`, `DATABASE_NAME`, `API_KEY_PEPPER` …); the
        /// other options go before it.
        from_env: bool,
        /// Keys the hash of API keys; default none.
        api_key_pepper: Option<Secret<String>>,
        /// Seals the secrets of the store: 64 hexadecimal digits, or 32 bytes in base64; default none.
        store_key: Option<StoreKey>,
        /// Whether messages are kept; default true. When off, a save only tells new messages from repeated ones.
        history: Option<bool>,
        /// How much a commit promises; default `full`.
        durability: Option<Durability>,
        /// Writes that may wait before callers have to; default 8,192.
        queue: Option<u32>,
        /// Writes that may share a commit; default 1,024.
        group: Option<u32>,
    }
}

/// The shape of the options of [`open`].
#[must_use]
pub fn open_options() -> &'static Shape {
    OpenOptions::SHAPE
}

/// The configuration that options stand for; see [`open_options`].
///
/// # Errors
/// `InvalidArgument` naming the option, `Unsupported` for an engine that this build lacks.
pub fn config(options: Record) -> Result<Config> {
    OpenOptions::from_value(options.into(), "options")?.config()
}

impl OpenOptions {
    pub(super) fn config(self) -> Result<Config> {
        let options = self;
        let mut config = match options.dir {
            Some(dir) if options.from_env => Config::from_env(dir)?,
            Some(dir) => Config::new(dir),
            None if options.from_env => {
                return Err(Error::invalid("dir", "a store from the environment needs a folder"));
            }
            None => Config::in_memory(),
        };
        if let Some(main) = options.main {
            config.main = Some(main.into());
        }
        if let Some(data) = options.data {
            config.data = data.parse()?;
        }
        if let Some(pepper) = options.api_key_pepper {
            config.api_key_pepper = Some(pepper.0.into_bytes());
        }
        config.store_key = options.store_key.or(config.store_key);
        config.history = options.history.unwrap_or(config.history);
        match options.durability {
            Some(Durability::Full) => config.durability = db::Durability::Full,
            Some(Durability::Normal) => config.durability = db::Durability::Normal,
            None => {}
        }
        config.queue = options.queue.map_or(config.queue, |n| n as usize);
        config.group = options.group.map_or(config.group, |n| n as usize);
        Ok(config)
    }
}

/// Opens a store; see [`open_options`] and [`Store::open_with`].
///
/// # Errors
/// As [`config`] and `Store::open_with`.
pub fn open(options: Record) -> Result<Store> {
    Store::open_with(config(options)?)
}
