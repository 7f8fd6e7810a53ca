//! To Python.

use openwa_store::face::{Type, Value};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyList, PyTuple};

use super::scalars;
use crate::{enums, page, record};

/// What a verb answers.
pub fn object<'py>(py: Python<'py>, value: Value, ty: &Type) -> PyResult<Bound<'py, PyAny>> {
    match (value, ty) {
        (Value::Record(values), _) => record::from_values(py, values),
        (Value::Page(page), _) => page::from_values(py, *page),
        (Value::List(items), Type::List(item)) => {
            let list = PyList::empty(py);
            for value in items {
                list.append(object(py, value, item)?)?;
            }
            Ok(list.into_any())
        }
        (value, ty) => value_to_python(py, &value, ty),
    }
}

/// What a field of a record holds. Lists are tuples there, because a record never changes.
pub fn value_to_python<'py>(py: Python<'py>, value: &Value, ty: &Type) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Absent | Value::Null => py.None().into_bound(py),
        Value::Bool(b) => PyBool::new(py, *b).to_owned().into_any(),
        Value::Int(ms) if matches!(ty, Type::Duration) => scalars::length_to_python(py, *ms)?.into_any(),
        Value::Int(n) => PyInt::new(py, *n).into_any(),
        Value::Float(x) => PyFloat::new(py, *x).into_any(),
        Value::Text(name) => match ty {
            Type::Enum(list) => enums::member(py, list, name.as_stored())?,
            _ => scalars::text_to_python(py, name)?,
        },
        Value::Json(json) => scalars::json_to_python(py, json)?,
        Value::Time(time) => scalars::time_to_python(py, *time)?,
        Value::Uuid(uuid) => scalars::uuid_to_python(py, *uuid)?,
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Record(values) => record::from_values(py, values.clone())?,
        Value::Page(page) => page::from_values(py, (**page).clone())?,
        Value::List(items) => {
            let item = if let Type::List(item) = ty { item } else { &Type::Unit };
            let items = items.iter().map(|v| value_to_python(py, v, item)).collect::<PyResult<Vec<_>>>()?;
            PyTuple::new(py, items)?.into_any()
        }
    })
}
