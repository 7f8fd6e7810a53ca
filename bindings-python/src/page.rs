use openwa_store::face::{Page as Rows, Record as Values};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyTuple};

use crate::record;

/// One page of a longer list: `items`, and `next`, the cursor to give as `after` to get the page behind it, or `None`.
#[pyclass(frozen, generic, module = "openwa_store")]
pub struct Page {
    #[pyo3(get)]
    items: Py<PyTuple>,
    #[pyo3(get)]
    next: Option<String>,
}

#[pymethods]
impl Page {
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.items.bind(py).try_iter()
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.items.bind(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let more = if self.next.is_some() { ", and more" } else { "" };
        format!("<Page of {}{more}>", self.__len__(py))
    }
}

pub fn from_values(py: Python<'_>, page: Rows<Values>) -> PyResult<Bound<'_, PyAny>> {
    let items =
        page.items.into_iter().map(|values| record::from_values(py, values)).collect::<PyResult<Vec<_>>>()?;
    Ok(Bound::new(py, Page { items: PyTuple::new(py, items)?.unbind(), next: page.next })?.into_any())
}
