//! Closed lists of names, as enums whose members are strings.

use std::collections::HashMap;

use openwa_store::face::{self, EnumDef};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::once::Once;
use crate::surface;

struct List {
    class: Py<PyType>,
    members: HashMap<&'static str, Py<PyAny>>,
}

fn lists(py: Python<'_>) -> PyResult<&HashMap<&'static str, List>> {
    static LISTS: Once<HashMap<&'static str, List>> = Once::new();
    LISTS.get_or_try_init(py, || {
        face::enums().into_iter().map(|list| Ok((list.name, new_list(py, list)?))).collect()
    })
}

fn new_list(py: Python<'_>, list: &'static EnumDef) -> PyResult<List> {
    let base = py.import("openwa_store._enum")?.getattr("StrEnum")?;
    let pairs: Vec<(String, &str)> = list.values.iter().map(|v| (surface::member(v), *v)).collect();
    let options = PyDict::new(py);
    options.set_item("module", "openwa_store")?;
    let class = base.call((list.name, pairs), Some(&options))?.cast_into::<PyType>()?;
    class.setattr("__doc__", face::prose(list.doc))?;
    let member = |value: &&'static str| Ok((*value, class.call1((*value,))?.unbind()));
    let members = list.values.iter().map(member).collect::<PyResult<_>>()?;
    Ok(List { class: class.unbind(), members })
}

/// One member, by its value.
pub fn member<'py>(py: Python<'py>, list: &'static EnumDef, value: &str) -> PyResult<Bound<'py, PyAny>> {
    let found = lists(py)?.get(list.name).and_then(|l| l.members.get(value));
    let found = found.ok_or_else(|| PyValueError::new_err(format!("{value:?} is no {}", list.name)))?;
    Ok(found.bind(py).clone())
}

/// Every enum class, by name.
pub fn members(py: Python<'_>) -> PyResult<Vec<(String, Py<PyAny>)>> {
    Ok(lists(py)?.iter().map(|(name, l)| ((*name).to_owned(), l.class.clone_ref(py).into_any())).collect())
}
