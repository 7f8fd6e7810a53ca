//! How JavaScript asks for a store.

use std::path::PathBuf;

use napi_derive::napi;
use openwa_store::{Config, DataDatabase, Durability, Error, Result};

/// What `openStore` takes; `ts/open.ts` has the documentation.
#[napi(object)]
pub struct Options {
    /// Ask the environment first.
    pub from_env: bool,
    /// The folder.
    pub dir: Option<String>,
    /// File of the Main database.
    pub main: Option<String>,
    /// File or URL of the Data database.
    pub data: Option<String>,
    /// Key of the hash of API keys.
    pub api_key_pepper: Option<String>,
    /// Whether messages are kept.
    pub history: Option<bool>,
    /// `full` or `normal`.
    pub durability: Option<String>,
    /// Writes that may wait.
    pub queue: Option<u32>,
    /// Writes that may share a commit.
    pub group: Option<u32>,
}

impl Options {
    /// The configuration they make.
    pub fn config(self) -> Result<Config> {
        let mut config = match (self.from_env, self.dir) {
            (true, dir) => Config::from_env(dir.unwrap_or_else(|| ".".to_owned()))?,
            (false, Some(dir)) => Config::new(dir),
            (false, None) => Config::in_memory(),
        };
        config.main = self.main.map(PathBuf::from).or(config.main);
        if let Some(data) = self.data {
            config.data = database(data)?;
        }
        config.api_key_pepper = self.api_key_pepper.map(String::into_bytes).or(config.api_key_pepper);
        config.history = self.history.unwrap_or(config.history);
        config.durability = match self.durability.as_deref() {
            None => config.durability,
            Some("full") => Durability::Full,
            Some("normal") => Durability::Normal,
            Some(other) => {
                let text = format!("durability must be \"full\" or \"normal\", not {other:?}");
                return Err(Error::invalid("durability", text));
            }
        };
        config.queue = self.queue.map_or(config.queue, |n| n as usize);
        config.group = self.group.map_or(config.group, |n| n as usize);
        Ok(config)
    }
}

fn database(data: String) -> Result<DataDatabase> {
    if data.starts_with("postgres://") || data.starts_with("postgresql://") {
        return Err(Error::new(openwa_store::Kind::Unsupported, "this build keeps the Data database in SQLite only"));
    }
    Ok(DataDatabase::SqliteFile(data.into()))
}
