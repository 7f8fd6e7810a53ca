//! Opening and closing, and the command line.

use std::path::PathBuf;

use openwa_store::{Config, DataDatabase, Durability, Error, Kind, Store};
use pyo3::prelude::*;

use crate::errors::OrRaise;
use crate::handle::Handle;

/// In place of a folder: a store that is gone when it is closed.
const IN_MEMORY: &str = ":memory:";

/// Opens a store; see `openwa_store.open_store`, which has the defaults.
#[pyfunction]
#[pyo3(name = "_open", signature = (dir, *, data, main, api_key_pepper, history, durability, queue, group))]
#[allow(clippy::too_many_arguments)] // Python's keyword arguments
pub fn open(
    py: Python<'_>,
    dir: PathBuf,
    data: Option<PathBuf>,
    main: Option<PathBuf>,
    api_key_pepper: Option<Vec<u8>>,
    history: bool,
    durability: &str,
    queue: usize,
    group: usize,
) -> PyResult<Handle> {
    let mut config = if dir.as_os_str() == IN_MEMORY { Config::in_memory() } else { Config::new(dir) };
    if let Some(data) = data {
        config.data = data_database(data).or_raise(py)?;
    }
    config.main = main.or(config.main);
    config.api_key_pepper = api_key_pepper;
    config.history = history;
    config.durability = named_durability(durability).or_raise(py)?;
    config.queue = queue;
    config.group = group;
    start(py, config)
}

/// Opens the store that the gateway's environment names.
#[pyfunction]
#[pyo3(name = "_open_from_env")]
pub fn open_from_env(py: Python<'_>, dir: PathBuf) -> PyResult<Handle> {
    start(py, Config::from_env(dir).or_raise(py)?)
}

fn start(py: Python<'_>, config: Config) -> PyResult<Handle> {
    py.detach(|| Store::open_with(config)).or_raise(py).map(Handle)
}

fn data_database(data: PathBuf) -> openwa_store::Result<DataDatabase> {
    let is_url =
        data.to_str().is_some_and(|s| s.starts_with("postgresql://") || s.starts_with("postgres://"));
    if is_url {
        return Err(Error::new(Kind::Unsupported, "PostgreSQL cannot be named by an address yet"));
    }
    Ok(DataDatabase::SqliteFile(data))
}

fn named_durability(name: &str) -> openwa_store::Result<Durability> {
    match name {
        "full" => Ok(Durability::Full),
        "normal" => Ok(Durability::Normal),
        other => Err(Error::invalid(
            "durability",
            format!("durability must be \"full\" or \"normal\", not {other:?}"),
        )),
    }
}

/// Writes what was submitted and closes the files.
#[pyfunction]
#[pyo3(name = "_close")]
pub fn close(py: Python<'_>, store: &Bound<'_, Handle>) -> PyResult<()> {
    let store = store.get().0.clone();
    py.detach(|| store.close()).or_raise(py)
}

/// Runs the `openwa` command.
#[pyfunction]
#[pyo3(name = "_run_command")]
pub fn run_command(py: Python<'_>, args: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| openwa_store::cli::run(args))
}
