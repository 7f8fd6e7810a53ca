//! What `inspect.signature` and `help` say about methods and classes.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyEllipsis};

/// How a parameter is given.
#[derive(Clone, Copy)]
pub enum Kind {
    /// The object or class itself.
    Own,
    Any,
    ByName,
}

/// What stands in for an argument that is not given.
#[derive(Clone, Copy)]
pub enum Default {
    Required,
    None,
    /// The column stays as it is; `None` would empty it.
    Left,
}

/// A signature in the making.
pub struct Signature<'py> {
    inspect: Bound<'py, PyModule>,
    parameters: Vec<Bound<'py, PyAny>>,
}

impl<'py> Signature<'py> {
    pub fn new(py: Python<'py>) -> PyResult<Self> {
        Ok(Signature { inspect: py.import("inspect")?, parameters: Vec::new() })
    }

    pub fn add(&mut self, name: &str, kind: Kind, default: Default) -> PyResult<()> {
        let py = self.inspect.py();
        let class = self.inspect.getattr("Parameter")?;
        let kind = class.getattr(match kind {
            Kind::Own => "POSITIONAL_ONLY",
            Kind::Any => "POSITIONAL_OR_KEYWORD",
            Kind::ByName => "KEYWORD_ONLY",
        })?;
        let options = PyDict::new(py);
        match default {
            Default::Required => {}
            Default::None => options.set_item("default", py.None())?,
            Default::Left => options.set_item("default", PyEllipsis::get(py))?,
        }
        self.parameters.push(class.call((name, kind), Some(&options))?);
        Ok(())
    }

    pub fn done(self) -> PyResult<Py<PyAny>> {
        Ok(self.inspect.getattr("Signature")?.call1((self.parameters,))?.unbind())
    }
}
