//! The options of every command, and the store they name.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::entity::Session;
use crate::{Config, Store};
use clap::{Args, ValueEnum};
use uuid::Uuid;

use super::exit::{Failure, Result};
use super::input;
use super::waiting;

const DEFAULT_DIR: &str = "./data";

#[derive(Args)]
pub struct Options {
    /// Folder of the store [default: ./data]
    #[arg(long, global = true, env = "OPENWA_DIR", value_name = "DIR", help_heading = "Store")]
    dir: Option<PathBuf>,

    /// Where the Data database is: a SQLite file, or postgres://user:password@host:port/database
    #[arg(
        long,
        global = true,
        env = "OPENWA_DATA",
        value_name = "PLACE",
        hide_env_values = true,
        help_heading = "Store"
    )]
    data: Option<String>,

    /// File of NAME=VALUE lines with the gateway's settings, - for standard input; the environment wins over it
    #[arg(long, global = true, value_name = "FILE", help_heading = "Store")]
    config: Option<PathBuf>,

    /// Write JSON for programs: one document, or one per line where rows are streamed
    #[arg(long, global = true)]
    pub json: bool,

    /// When to use colours; `auto`: on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = true
    )]
    color: Color,

    #[arg(skip)]
    read: OnceCell<HashMap<String, String>>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Options {
    /// Decides about colours.
    pub fn choose_color(&self) {
        match self.color {
            Color::Auto => {}
            Color::Always => console::set_colors_enabled(true),
            Color::Never => console::set_colors_enabled(false),
        }
    }

    /// How the store is opened.
    pub fn store_config(&self) -> Result<Config> {
        let mut config = self.config_at(None)?;
        if let Some(data) = &self.data {
            config.data = data.parse()?;
        }
        config.opening = Some(Arc::new(waiting::tell));
        Ok(config)
    }

    /// What `--config` names, read once: it may be standard input.
    fn settings(&self) -> Result<&HashMap<String, String>> {
        if let Some(read) = self.read.get() {
            return Ok(read);
        }
        let settings = self.config.as_deref().map(read_settings).transpose()?.unwrap_or_default();
        Ok(self.read.get_or_init(|| settings))
    }

    /// The files that the options name: nothing is written over them.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let name = "OPENWA_STORE_KEY_FILE";
        let key = std::env::var(name).ok().filter(|v| !v.is_empty()).or(self.settings()?.get(name).cloned());
        let dir = self.store_config()?.dir.unwrap_or_default();
        Ok(self.config.clone().into_iter().chain(key.map(|key| dir.join(key))).collect())
    }

    /// The same for another folder; `--data` is not about that one.
    pub fn config_at(&self, other: Option<&Path>) -> Result<Config> {
        self.config_by(other, |_| true)
    }

    /// The same without the store's key, which may not be there yet.
    pub fn config_without_key(&self) -> Result<Config> {
        let mut config = self.config_by(None, |name| !name.starts_with("OPENWA_STORE_KEY"))?;
        if let Some(data) = &self.data {
            config.data = data.parse()?;
        }
        Ok(config)
    }

    /// With the settings that `wanted` says yes to.
    fn config_by(&self, other: Option<&Path>, wanted: impl Fn(&str) -> bool) -> Result<Config> {
        let file = self.settings()?;
        let setting = |name: &str| {
            let given =
                std::env::var(name).ok().filter(|v| !v.is_empty()).or_else(|| file.get(name).cloned());
            given.filter(|_| wanted(name))
        };
        let given = other.map(Path::to_owned).or_else(|| self.dir.clone());
        let dir = given.or_else(|| setting("OPENWA_DIR").map(PathBuf::from));
        Ok(Config::from_vars(dir.unwrap_or_else(|| DEFAULT_DIR.into()), setting)?)
    }

    /// Opens the store, which must be there.
    pub fn open(&self) -> Result<Store> {
        Self::open_existing(self.store_config()?)
    }

    /// Opens another store with the same settings, which must be there.
    pub fn open_at(&self, dir: &Path) -> Result<Store> {
        Self::open_existing(self.config_at(Some(dir))?)
    }

    pub fn open_existing(config: Config) -> Result<Store> {
        for path in [config.main_path(), config.data_path()].into_iter().flatten() {
            if !path.exists() {
                return Err(Failure::not_found(
                    format!("there is no store: {} is missing", path.display()),
                    "give its folder with --dir, or make a new store with `openwa init`",
                ));
            }
        }
        let opened = Store::open_with(config);
        waiting::done();
        Ok(opened?)
    }

    /// Opens the store, and makes it if it is missing.
    pub fn open_or_make(&self) -> Result<Store> {
        Ok(Store::open_with(self.store_config()?)?)
    }
}

/// A session by name or id.
pub fn session(store: &Store, wanted: &str) -> Result<Session> {
    if let Some(session) = store.sessions().find(wanted)? {
        return Ok(session);
    }
    match wanted.parse::<Uuid>().map(|id| store.sessions().get(id)) {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(e)) if e.kind() != crate::Kind::NotFound => Err(e.into()),
        _ => Err(Failure::not_found(
            format!("no session {wanted:?}"),
            "`openwa sessions list` shows the sessions of the store",
        )),
    }
}

/// Reads NAME=VALUE lines as a shell or a container's env file has them: `#` comments, an optional `export`,
/// quotes around a value.
fn read_settings(path: &Path) -> Result<HashMap<String, String>> {
    let text = input::text(path)?;
    let mut settings = HashMap::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.strip_prefix("export ").unwrap_or(line).split_once('=') else {
            return Err(Failure::usage(
                format!("{}, line {}: not NAME=VALUE", path.display(), i + 1),
                "a settings file has lines such as DATABASE_NAME=data.sqlite",
            ));
        };
        settings.insert(name.trim().to_owned(), unquoted(value.trim()).to_owned());
    }
    Ok(settings)
}

fn unquoted(value: &str) -> &str {
    let inside = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}
