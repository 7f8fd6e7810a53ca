//! Records: rows and whatever else verbs take and answer, as frozen Python objects.
//!
//! A record keeps the library's own values and makes Python's when a field is read: a page of fifty messages is fifty
//! objects, not fifty times twenty.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use openwa_store::face::{self, Field, Record as Values, Shape, Value};
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::sync::MutexExt;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use crate::answers::lock;
use crate::convert;
use crate::once::Once;
use crate::signature::{Default, Kind, Signature};
use crate::surface;

/// A frozen record. Its fields are attributes; `as_dict()` gives them all.
#[pyclass(frozen, subclass, module = "openwa_store")]
pub struct Record {
    shape: &'static Shape,
    values: Vec<Held>,
}

/// The value of one field.
enum Held {
    Value(Value),
    /// A record or list in a record, which becomes an object of its own when it is first read, and stays that.
    Nested(Box<Mutex<Nested>>),
}

enum Nested {
    Unread(Value),
    Made(Py<PyAny>),
}

/// Values on their way into a new record.
#[pyclass(frozen)]
struct Filled(Mutex<Option<Filling>>);

enum Filling {
    /// From a verb.
    Answer(Values),
    /// From Python, to be given to a verb.
    Given(Values),
}

/// A new object of a record's class, past the class's own constructor.
fn fill<'py>(class: &Bound<'py, PyType>, values: Filling) -> PyResult<Bound<'py, PyAny>> {
    static NEW: Once<Py<PyAny>> = Once::new();
    let py = class.py();
    let new = NEW.get_or_try_init(py, || py.get_type::<Record>().getattr("__new__").map(Bound::unbind))?;
    new.bind(py).call1((class, Bound::new(py, Filled(Mutex::new(Some(values))))?))
}

// `Message(...)`: the constructor of a record's class, which takes the fields by name.
#[pyclass(frozen, module = "openwa_store")]
struct Constructor(&'static Shape);

#[pymethods]
impl Constructor {
    #[pyo3(signature = (cls, /, **fields))]
    fn __call__<'py>(
        &self,
        cls: &Bound<'py, PyType>,
        fields: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut values = Values::empty(self.0);
        for (name, value) in fields.into_iter().flatten() {
            convert::put(&mut values, self.0, name.cast::<PyString>()?.to_str()?, &value)?;
        }
        convert::require(&values)?;
        fill(cls, Filling::Given(values))
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        _instance: &Bound<'py, PyAny>,
        _class: Option<&Bound<'py, PyAny>>,
    ) -> Bound<'py, Self> {
        slf.clone()
    }

    #[getter]
    fn __name__(&self) -> &'static str {
        "__new__"
    }

    #[getter]
    fn __signature__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let mut signature = Signature::new(py)?;
        signature.add("cls", Kind::Own, Default::Required)?;
        for field in self.0.fields {
            let default = if field.required { Default::Required } else { Default::None };
            signature.add(&surface::safe(field.name), Kind::ByName, default)?;
        }
        signature.done()
    }
}

#[pymethods]
impl Record {
    /// Made by [`Constructor`] and by answers of verbs.
    #[new]
    #[pyo3(signature = (filled), text_signature = None)]
    fn new(filled: &Bound<'_, Filled>) -> PyResult<Self> {
        match lock(&filled.get().0).take() {
            Some(Filling::Answer(values)) => Ok(Self::of(values)),
            Some(Filling::Given(values)) => Ok(Record {
                shape: values.shape(),
                values: values.into_values().into_iter().map(Held::Value).collect(),
            }),
            None => Err(PyTypeError::new_err("these values are taken")),
        }
    }

    /// The fields as a dictionary; records in it are dictionaries too.
    fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let out = PyDict::new(py);
        for (i, field) in self.shape.fields.iter().enumerate() {
            out.set_item(field.name, plain(&self.read(py, i)?)?)?;
        }
        Ok(out)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut fields = Vec::new();
        for (i, field) in self.shape.fields.iter().enumerate() {
            let value = self.read(py, i)?;
            if !value.is_none() {
                let shown = if field.secret { "<secret>".to_owned() } else { value.repr()?.to_string() };
                fields.push(format!("{}={shown}", surface::safe(field.name)));
            }
        }
        Ok(format!("{}({})", self.shape.name, fields.join(", ")))
    }

    fn __richcmp__(&self, py: Python<'_>, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Py<PyAny>> {
        let same = match other.cast::<Record>() {
            Ok(other) => self.is_equal(py, other.get())?,
            Err(_) => return Ok(py.NotImplemented()),
        };
        Ok(match op {
            CompareOp::Eq => same.into_pyobject(py)?.to_owned().into_any().unbind(),
            CompareOp::Ne => (!same).into_pyobject(py)?.to_owned().into_any().unbind(),
            _ => py.NotImplemented(),
        })
    }

    /// Like a frozen dataclass: a record with a list or dictionary from JSON in it has no hash.
    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        let values = (0..self.values.len()).map(|i| self.read(py, i)).collect::<PyResult<Vec<_>>>()?;
        (self.shape.name, PyTuple::new(py, values)?).into_pyobject(py)?.hash()
    }

    /// For `pickle`, `copy` and `multiprocessing`.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let fields = slf.get().given(py)?;
        let restore = py.import("openwa_store._native")?.getattr("_restore")?;
        Ok((restore, PyTuple::new(py, [slf.get_type().into_any(), fields.into_any()])?))
    }

    /// For `copy.replace`.
    #[pyo3(signature = (**changes))]
    fn __replace__<'py>(
        slf: &Bound<'py, Self>,
        changes: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let fields = slf.get().given(slf.py())?;
        if let Some(changes) = changes {
            fields.update(changes.as_mapping())?;
        }
        slf.get_type().call((), Some(&fields))
    }
}

/// Makes a record again that was pickled.
#[pyfunction]
#[pyo3(name = "_restore")]
pub fn restore<'py>(class: &Bound<'py, PyType>, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    class.call((), Some(fields))
}

fn plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(record) = value.cast::<Record>() {
        return Ok(record.get().as_dict(value.py())?.into_any());
    }
    if let Ok(items) = value.cast::<PyTuple>() {
        let items = items.iter().map(|i| plain(&i)).collect::<PyResult<Vec<_>>>()?;
        return Ok(PyTuple::new(value.py(), items)?.into_any());
    }
    Ok(value.clone())
}

impl Record {
    fn of(values: Values) -> Self {
        let shape = values.shape();
        let hold = |value| match value {
            Value::Record(_) | Value::List(_) => Held::Nested(Box::new(Mutex::new(Nested::Unread(value)))),
            value => Held::Value(value),
        };
        Record { shape, values: values.into_values().into_iter().map(hold).collect() }
    }

    fn read<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        let ty = &self.shape.fields[index].ty;
        let nested = match &self.values[index] {
            Held::Value(value) => return convert::value_to_python(py, value, ty),
            Held::Nested(nested) => nested,
        };
        let mut nested = nested.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let value = match &mut *nested {
            Nested::Made(made) => return Ok(made.bind(py).clone()),
            Nested::Unread(value) => std::mem::replace(value, Value::Null),
        };
        let made = match convert::object(py, value, ty)?.cast_into::<PyList>() {
            Ok(list) => list.to_tuple().into_any(),
            Err(e) => e.into_inner(),
        };
        *nested = Nested::Made(made.clone().unbind());
        Ok(made)
    }

    /// The fields that have a value, by the names that the constructor takes.
    fn given<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let out = PyDict::new(py);
        for (i, field) in self.shape.fields.iter().enumerate() {
            if !matches!(self.values[i], Held::Value(Value::Absent)) {
                out.set_item(surface::safe(field.name), self.read(py, i)?)?;
            }
        }
        Ok(out)
    }

    fn is_equal(&self, py: Python<'_>, other: &Record) -> PyResult<bool> {
        if !std::ptr::eq(self.shape, other.shape) {
            return Ok(false);
        }
        for (i, pair) in self.values.iter().zip(&other.values).enumerate() {
            let same = match pair {
                (Held::Value(a), Held::Value(b)) => a == b || (nothing(a) && nothing(b)),
                _ => self.read(py, i)?.eq(other.read(py, i)?)?,
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The values, for a verb that takes a record of this shape; `None`: it is of another one.
    pub fn as_input(&self, shape: &'static Shape) -> Option<Values> {
        if !std::ptr::eq(self.shape, shape) {
            return None;
        }
        let mut out = Values::empty(shape);
        for (i, held) in self.values.iter().enumerate() {
            let Held::Value(value) = held else { return None };
            out.set(i, value.clone()).ok()?;
        }
        Some(out)
    }
}

fn nothing(value: &Value) -> bool {
    matches!(value, Value::Absent | Value::Null)
}

// The descriptor of one field, in the class of its record.
#[pyclass(frozen, module = "openwa_store")]
struct FieldOf {
    index: usize,
    field: &'static Field,
}

#[pymethods]
impl FieldOf {
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: &Bound<'py, PyAny>,
        _class: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match instance.cast::<Record>() {
            Ok(record) => record.get().read(slf.py(), slf.get().index),
            Err(_) => Ok(slf.clone().into_any()),
        }
    }

    fn __set__(&self, _instance: &Bound<'_, PyAny>, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(self.frozen())
    }

    fn __delete__(&self, _instance: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(self.frozen())
    }

    #[getter]
    fn __name__(&self) -> String {
        surface::safe(self.field.name)
    }

    #[getter]
    fn __doc__(&self) -> String {
        face::prose(self.field.doc)
    }
}

impl FieldOf {
    fn frozen(&self) -> PyErr {
        PyAttributeError::new_err(format!("{} cannot be set: records never change", self.field.name))
    }
}

/// The class of each shape, by the shape's name.
fn classes(py: Python<'_>) -> PyResult<&HashMap<&'static str, Py<PyType>>> {
    static CLASSES: Once<HashMap<&'static str, Py<PyType>>> = Once::new();
    CLASSES.get_or_try_init(py, || {
        let mut classes = HashMap::new();
        for shape in face::shapes() {
            if let Entry::Vacant(entry) = classes.entry(shape.name) {
                entry.insert(new_class(py, shape)?);
            }
        }
        Ok(classes)
    })
}

fn new_class(py: Python<'_>, shape: &'static Shape) -> PyResult<Py<PyType>> {
    let members = PyDict::new(py);
    members.set_item("__module__", "openwa_store")?;
    members.set_item("__doc__", face::prose(shape.doc))?;
    members.set_item("__slots__", PyTuple::empty(py))?;
    members.set_item("__new__", Bound::new(py, Constructor(shape))?)?;
    for (index, field) in shape.fields.iter().enumerate() {
        members.set_item(surface::safe(field.name), Bound::new(py, FieldOf { index, field })?)?;
    }
    let bases = PyTuple::new(py, [py.get_type::<Record>()])?;
    Ok(py.get_type::<PyType>().call1((shape.name, bases, members))?.cast_into::<PyType>()?.unbind())
}

/// A record that a verb answered.
pub fn from_values(py: Python<'_>, values: Values) -> PyResult<Bound<'_, PyAny>> {
    let class = classes(py)?.get(values.shape().name);
    let class =
        class.ok_or_else(|| PyTypeError::new_err(format!("{} is not described", values.shape().name)))?;
    fill(class.bind(py), Filling::Answer(values))
}

/// Every record class, by name.
pub fn members(py: Python<'_>) -> PyResult<Vec<(String, Py<PyAny>)>> {
    let mut members = vec![("Record".to_owned(), py.get_type::<Record>().into_any().unbind())];
    members.extend(
        classes(py)?.iter().map(|(name, class)| ((*name).to_owned(), class.clone_ref(py).into_any())),
    );
    Ok(members)
}
