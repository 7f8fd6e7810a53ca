//! The objects through which a store is used: the store itself and its groups of verbs, blocking or for asyncio.

use openwa_store::Store;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::method::{Flavour, Method};
use crate::once::Once;
use crate::surface;

/// What `Store` and the groups of verbs have in common. Each is a view of the same open store.
#[pyclass(frozen, subclass, module = "openwa_store", name = "_Handle")]
pub struct Handle(pub Store);

#[pymethods]
impl Handle {
    /// Another view of the same store: `openwa_store.aio.Store(store)`.
    #[new]
    fn new(of: &Bound<'_, Handle>) -> Self {
        Handle(of.get().0.clone())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let config = slf.get().0.config();
        let shown = |path: Option<std::path::PathBuf>| match path {
            Some(path) => path.display().to_string(),
            None => ":memory:".to_owned(),
        };
        let main = shown(config.main_path());
        let data = match &config.data {
            openwa_store::DataDatabase::Postgres(server) => format!("{server:?}"),
            _ => shown(config.data_path()),
        };
        Ok(format!("<{} main={main:?} data={data:?}>", slf.get_type().qualname()?))
    }
}

// The attribute of a store that is a group of verbs: `store.messages`.
#[pyclass(frozen, module = "openwa_store")]
struct Group {
    class: Py<PyType>,
}

#[pymethods]
impl Group {
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: &Bound<'py, PyAny>,
        _class: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match instance.cast::<Handle>() {
            Ok(store) => slf.get().class.bind(slf.py()).call1((store,)),
            Err(_) => Ok(slf.clone().into_any()),
        }
    }

    fn __set__(&self, _instance: &Bound<'_, PyAny>, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(pyo3::exceptions::PyAttributeError::new_err("a group of verbs cannot be set"))
    }

    #[getter]
    fn __doc__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.class.getattr(py, "__doc__")
    }
}

/// The classes of one flavour: `Store` and its groups, by name.
pub fn classes(py: Python<'_>, flavour: Flavour) -> PyResult<&Vec<(String, Py<PyType>)>> {
    static BLOCKING: Once<Vec<(String, Py<PyType>)>> = Once::new();
    static AIO: Once<Vec<(String, Py<PyType>)>> = Once::new();
    let place = match flavour {
        Flavour::Blocking => &BLOCKING,
        Flavour::Aio => &AIO,
    };
    place.get_or_try_init(py, || make(py, flavour))
}

fn make(py: Python<'_>, flavour: Flavour) -> PyResult<Vec<(String, Py<PyType>)>> {
    let mut classes = Vec::new();
    let store_members = PyDict::new(py);
    for (group, verbs) in surface::groups() {
        let (class_name, members) = match group {
            "store" => ("Store".to_owned(), store_members.clone()),
            _ => (surface::pascal(group), PyDict::new(py)),
        };
        for verb in verbs {
            let method = Method::new(py, verb, flavour, Some(&class_name));
            for method in
                [Some(method), Method::iterator(py, verb, flavour, Some(&class_name))].into_iter().flatten()
            {
                members.set_item(method.name().to_owned(), Bound::new(py, method)?)?;
            }
        }
        if group != "store" {
            members.set_item("__doc__", surface::group_doc(group))?;
            let class = new_class(py, &class_name, &members, flavour)?;
            store_members.set_item(group, Bound::new(py, Group { class: class.clone_ref(py) })?)?;
            classes.push((class_name, class));
        }
    }
    let store = new_class(py, "Store", &store_members, flavour)?;
    classes.push(("Store".to_owned(), store));
    Ok(classes)
}

fn new_class(
    py: Python<'_>,
    name: &str,
    members: &Bound<'_, PyDict>,
    flavour: Flavour,
) -> PyResult<Py<PyType>> {
    members.set_item("__module__", flavour.module())?;
    members.set_item("__slots__", PyTuple::empty(py))?;
    let bases = PyTuple::new(py, [py.get_type::<Handle>()])?;
    Ok(py.get_type::<PyType>().call1((name, bases, members))?.cast_into::<PyType>()?.unbind())
}
