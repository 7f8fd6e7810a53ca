//! The options of every command, and the store they name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::entity::Session;
use crate::{Config, Error, Store};
use clap::{Args, ValueEnum};
use uuid::Uuid;

use super::exit::{Exit, Failure, Result};
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

    /// File of NAME=VALUE lines with the gateway's settings; the environment wins over it
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

    /// The same for another folder; `--data` is not about that one.
    pub fn config_at(&self, other: Option<&Path>) -> Result<Config> {
        let file = self.config.as_deref().map(read_settings).transpose()?.unwrap_or_default();
        let setting = |name: &str| {
            std::env::var(name).ok().filter(|v| !v.is_empty()).or_else(|| file.get(name).cloned())
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
        let files: Vec<PathBuf> = [config.main_path(), config.data_path()].into_iter().flatten().collect();
        let mut missing = Vec::new();
        for path in &files {
            if !is_there(path)? {
                missing.push(path.display().to_string());
            }
        }
        // If some are missing beside others, opening says which.
        if missing.len() == files.len() {
            return Err(Failure::not_found(
                format!("there is no store: {} is missing", missing.join(" and ")),
                "give its folder with --dir, or make a new store with `openwa init`",
            ));
        }
        opened(|| Store::open_with(config))
    }
}

/// Opens a store in some way; what it waited for is said no longer.
pub fn opened(open: impl FnOnce() -> crate::Result<Store>) -> Result<Store> {
    let opened = open();
    waiting::done();
    Ok(opened?)
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

/// Whether a file is there. That it may not be looked at is an error.
pub fn is_there(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|e| unreadable(path, e))
}

/// Opens a file that the user named; its name is in the error.
pub fn open_file(path: &Path) -> Result<std::fs::File> {
    std::fs::File::open(path).map_err(|e| unreadable(path, e))
}

fn unreadable(path: &Path, e: std::io::Error) -> Failure {
    Error::from(e).with("path", path.display()).into()
}

/// Reads NAME=VALUE lines as a shell or a container's env file has them: `#` comments, an optional `export`,
/// quotes around a value.
fn read_settings(path: &Path) -> Result<HashMap<String, String>> {
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, e))?;
    let mut settings = HashMap::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.strip_prefix("export ").unwrap_or(line).split_once('=') else {
            return Err(Failure::Command {
                exit: Exit::Usage,
                message: format!("{}, line {}: not NAME=VALUE", path.display(), i + 1),
                hint: "a settings file has lines such as DATABASE_NAME=data.sqlite",
            });
        };
        settings.insert(name.trim().to_owned(), unquoted(value.trim()).to_owned());
    }
    Ok(settings)
}

fn unquoted(value: &str) -> &str {
    let inside = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}
