//! Opening and closing, and the command line.

use openwa_store::face::{self, Record as Values};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::convert;
use crate::errors::OrRaise;
use crate::handle::Handle;

/// Opens a store; see `openwa_store.open_store`.
#[pyfunction]
#[pyo3(name = "_open", signature = (**options))]
pub fn open(py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Handle> {
    convert::prepare(py)?;
    let mut values = Values::empty(face::open_options());
    for (name, value) in options.into_iter().flatten() {
        convert::put(&mut values, face::open_options(), name.cast::<PyString>()?.to_str()?, &value)?;
    }
    py.detach(|| face::open(values)).or_raise(py).map(Handle)
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
