//! The exceptions: one class per kind of error, made from the library's own table of kinds.

use openwa_store::{Error, Kind};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::once::Once;
use crate::surface;

struct Classes {
    base: Py<PyType>,
    by_kind: Vec<(Kind, Py<PyType>)>,
}

static CLASSES: Once<Classes> = Once::new();

fn make(py: Python<'_>) -> PyResult<Classes> {
    let new_type =
        |name: &str, bases: Bound<'_, PyTuple>, members: Bound<'_, PyDict>| -> PyResult<Py<PyType>> {
            members.set_item("__module__", "openwa_store")?;
            Ok(py.get_type::<PyType>().call1((name, bases, members))?.cast_into::<PyType>()?.unbind())
        };
    let exception = py.get_type::<PyException>();
    let members = PyDict::new(py);
    members.set_item("__doc__", surface::ERROR_DOC)?;
    members.set_item("code", "ERROR")?;
    members.set_item("retryable", false)?;
    members.set_item("operation", py.None())?;
    members.set_item("context", py.get_type::<pyo3::types::PyMappingProxy>().call1((PyDict::new(py),))?)?;
    // KeyError would show the message in quotes, OSError would look for an error number.
    members.set_item("__str__", exception.getattr("__str__")?)?;
    let base = new_type("Error", PyTuple::new(py, [&exception])?, members)?;

    let builtins = py.import("builtins")?;
    let mut by_kind = Vec::new();
    for &kind in Kind::ALL {
        let members = PyDict::new(py);
        members.set_item("__doc__", kind.doc())?;
        members.set_item("code", kind.name())?;
        members.set_item("retryable", kind.retryable())?;
        let mut bases = vec![base.bind(py).clone()];
        if let Some(builtin) = surface::expected_base(kind) {
            bases.push(builtins.getattr(builtin)?.cast_into()?);
        }
        by_kind.push((kind, new_type(&surface::error_class(kind), PyTuple::new(py, bases)?, members)?));
    }
    Ok(Classes { base, by_kind })
}

fn classes(py: Python<'_>) -> PyResult<&Classes> {
    CLASSES.get_or_try_init(py, || make(py))
}

/// The exception for an error.
pub fn raised(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).unwrap_or_else(|e| e)
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let classes = classes(py)?;
    let class =
        classes.by_kind.iter().find(|(kind, _)| *kind == error.kind()).map_or(&classes.base, |(_, c)| c);
    let value = class.bind(py).call1((error.to_string(),))?;
    let context = PyDict::new(py);
    for (name, text) in error.contexts() {
        context.set_item(name, text)?;
    }
    value.setattr("context", context)?;
    value.setattr("operation", error.operation())?;
    Ok(PyErr::from_value(value))
}

/// The library's result as Python's.
pub trait OrRaise<T> {
    /// Raises the error.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for openwa_store::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|e| raised(py, &e))
    }
}

/// Every exception class, by name.
pub fn members(py: Python<'_>) -> PyResult<Vec<(String, Py<PyAny>)>> {
    let classes = classes(py)?;
    let mut members = vec![("Error".to_owned(), classes.base.clone_ref(py).into_any())];
    members.extend(
        classes
            .by_kind
            .iter()
            .map(|(kind, class)| (surface::error_class(*kind), class.clone_ref(py).into_any())),
    );
    Ok(members)
}
