//! The native half of the Python package `openwa_store`.
//!
//! Classes, methods and their documentation are made when the module is loaded, from the library's own description of
//! itself ([`openwa_store::face`]); the stubs are generated from the same (`tests/stubs`).

mod aio;
mod answers;
mod convert;
mod enums;
mod errors;
mod handle;
mod method;
mod once;
mod open;
mod page;
mod record;
mod signature;
mod surface;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use handle::Handle;
use method::{Flavour, Method};

/// The native half of `openwa_store`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Handle>()?;
    for function in [
        wrap_pyfunction!(open::open, module)?,
        wrap_pyfunction!(open::close, module)?,
        wrap_pyfunction!(open::run_command, module)?,
        wrap_pyfunction!(record::restore, module)?,
        wrap_pyfunction!(answers::stop, module)?,
        wrap_pyfunction!(blocking, module)?,
        wrap_pyfunction!(aio_classes, module)?,
        wrap_pyfunction!(rules, module)?,
    ] {
        module.add_function(function)?;
    }
    // Nothing in here is public.
    module.delattr("__all__")?;
    py.import("atexit")?.call_method1("register", (module.getattr("_stop")?,))?;
    Ok(())
}

/// What the module `openwa_store` is made of: records, enums, errors, and the classes of an open store.
#[pyfunction]
#[pyo3(name = "_blocking")]
fn blocking(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let all = PyDict::new(py);
    all.set_item("Page", py.get_type::<page::Page>())?;
    for (name, member) in
        errors::members(py)?.into_iter().chain(enums::members(py)?).chain(record::members(py)?)
    {
        all.set_item(name, member)?;
    }
    for (name, class) in handle::classes(py, Flavour::Blocking)? {
        all.set_item(name, class)?;
    }
    Ok(all)
}

/// What the module `openwa_store.aio` is made of.
#[pyfunction]
#[pyo3(name = "_aio")]
fn aio_classes(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let all = PyDict::new(py);
    for (name, class) in handle::classes(py, Flavour::Aio)? {
        all.set_item(name, class)?;
    }
    Ok(all)
}

/// What the module `openwa_store.policy` is made of.
#[pyfunction]
#[pyo3(name = "_rules")]
fn rules(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let all = PyDict::new(py);
    for verb in surface::rules() {
        let rule = Method::new(py, verb, Flavour::Blocking, None);
        all.set_item(rule.name().to_owned(), Bound::new(py, rule)?)?;
    }
    Ok(all)
}
