//! From Python.

use std::fmt;

use openwa_store::face::{Record as Values, Shape, Type, Value};
use openwa_store::{Error, Json, Text};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyMapping, PyMemoryView,
    PyString,
};

use super::scalars;
use crate::errors::{self, OrRaise};
use crate::record::Record;

/// Where a value was given, for error messages.
#[derive(Clone, Copy)]
pub struct Place {
    /// The verb or record.
    pub of: &'static str,
    /// The argument or field.
    pub name: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.of, self.name)
    }
}

impl Place {
    fn wrong_type(&self, wanted: &str, value: &Bound<'_, PyAny>) -> PyErr {
        let given = value.get_type().name().map_or_else(|_| "something else".to_owned(), |n| n.to_string());
        PyTypeError::new_err(format!("{self} must be {wanted}, not {given}"))
    }

    fn refused(&self, py: Python<'_>, message: &str) -> PyErr {
        errors::raised(py, &Error::invalid(self.name, format!("{} {message}", self.name)).during(self.of))
    }
}

/// A value for a parameter or field of type `ty`.
///
/// Errors: `TypeError` for another type, `InvalidArgumentError` for a value that is not acceptable.
pub fn given(value: &Bound<'_, PyAny>, ty: &Type, place: Place) -> PyResult<Value> {
    let py = value.py();
    let wrong = |wanted: &str| place.wrong_type(wanted, value);
    Ok(match ty {
        Type::Unit => Value::Null,
        Type::Bool => Value::Bool(value.cast::<PyBool>().map_err(|_| wrong("bool"))?.is_true()),
        Type::Int => Value::Int(int(value, place)?),
        Type::Float => {
            let number = value
                .cast::<PyFloat>()
                .map(PyFloatMethods::value)
                .or_else(|_| int(value, place).map(|n| n as f64));
            Value::Float(number.map_err(|_: PyErr| wrong("float"))?)
        }
        Type::Text => Value::Text(text(value, place)?),
        Type::Enum(list) => {
            let name = text(value, place)?;
            if !list.values.contains(&name.as_stored()) {
                return Err(errors::raised(py, &Value::Text(name).refused(place.name, ty).during(place.of)));
            }
            Value::Text(name)
        }
        // No JSON value is bytes in Python, so bytes are JSON as it is.
        Type::Json => match bytes(value) {
            Some(json) => Value::Json(Json::parse(json).or_raise(py)?),
            None => Value::Json(scalars::json_from_python(value)?),
        },
        Type::Time => Value::Time(time(value, place)?),
        Type::Duration => {
            let length = value.cast::<PyDelta>().map_err(|_| wrong("datetime.timedelta"))?;
            Value::Int(scalars::length_from_python(length))
        }
        Type::Uuid => match scalars::uuid_from_python(value)? {
            Some(uuid) => Value::Uuid(uuid),
            None if value.is_instance_of::<PyString>() => {
                return Err(place.refused(py, "is not the text of a UUID"));
            }
            None => return Err(wrong("uuid.UUID or its text")),
        },
        Type::Bytes => Value::Bytes(bytes(value).ok_or_else(|| wrong("bytes"))?),
        Type::Record(shape) => Value::Record(record(value, shape, place)?),
        Type::List(item) => {
            if value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>() {
                return Err(wrong("a list"));
            }
            let items = value.try_iter().map_err(|_| wrong("a list"))?;
            Value::List(items.map(|i| given(&i?, item, place)).collect::<PyResult<_>>()?)
        }
        Type::Page(shape) => return Err(wrong(&format!("a page of {}", shape.name))),
    })
}

fn text(value: &Bound<'_, PyAny>, place: Place) -> PyResult<Text> {
    scalars::text_from_python(value.cast::<PyString>().map_err(|_| place.wrong_type("str", value))?)
}

/// The text of an `os.PathLike`; anything else as it is.
pub fn path<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match value.getattr_opt(intern!(value.py(), "__fspath__"))? {
        Some(_) => value.py().import("os")?.call_method1("fsdecode", (value,)),
        None => Ok(value.clone()),
    }
}

fn int(value: &Bound<'_, PyAny>, place: Place) -> PyResult<i64> {
    if !value.is_instance_of::<PyInt>() || value.is_instance_of::<PyBool>() {
        return Err(place.wrong_type("int", value));
    }
    value.extract().map_err(|e: PyErr| {
        if e.is_instance_of::<PyOverflowError>(value.py()) {
            return place.refused(value.py(), "does not fit into 64 bits");
        }
        e
    })
}

fn time(value: &Bound<'_, PyAny>, place: Place) -> PyResult<openwa_store::Timestamp> {
    let py = value.py();
    let time = value.cast::<PyDateTime>().map_err(|_| place.wrong_type("datetime.datetime", value))?;
    match scalars::time_from_python(time) {
        Ok(time) => time.ok_or_else(|| place.refused(py, "is not in the years 0 to 9999 in UTC")),
        Err(_) if time.call_method0(intern!(py, "utcoffset"))?.is_none() => Err(place.refused(
            py,
            "has no time zone, which may mean any of 24 hours; use datetime.now(timezone.utc), or give it its zone \
             with .replace(tzinfo=...)",
        )),
        Err(e) => Err(e),
    }
}

fn bytes(value: &Bound<'_, PyAny>) -> Option<Vec<u8>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Some(bytes.as_bytes().to_vec());
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Some(bytes.to_vec());
    }
    let view = value.cast::<PyMemoryView>().ok()?;
    Some(view.call_method0("tobytes").ok()?.cast::<PyBytes>().ok()?.as_bytes().to_vec())
}

/// A record, or a mapping with its fields.
fn record(value: &Bound<'_, PyAny>, shape: &'static Shape, place: Place) -> PyResult<Values> {
    if let Ok(record) = value.cast::<Record>()
        && let Some(values) = record.get().as_input(shape)
    {
        return Ok(values);
    }
    let wrong = || place.wrong_type(&format!("{} or a mapping of its fields", shape.name), value);
    let mut out = Values::empty(shape);
    let mut set = |name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>| {
        put(&mut out, shape, name.cast::<PyString>().map_err(|_| wrong())?.to_str()?, value)
    };
    if let Ok(fields) = value.cast::<PyDict>() {
        for (name, value) in fields {
            set(&name, &value)?;
        }
    } else {
        for item in value.cast::<PyMapping>().map_err(|_| wrong())?.items()?.iter() {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            set(&name, &value)?;
        }
    }
    require(&out)?;
    Ok(out)
}

/// Sets a field by its name.
pub fn put(record: &mut Values, shape: &'static Shape, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = value.py();
    let index = shape
        .fields
        .iter()
        .position(|f| f.name == name)
        // `from_` for `from`
        .or_else(|| shape.fields.iter().position(|f| crate::surface::safe(f.name) == name))
        .map_or_else(|| shape.index_of(name), Ok)
        .map_err(|e| PyTypeError::new_err(e.message().to_owned()))?;
    let field = &shape.fields[index];
    let value = optional(
        value,
        &field.ty,
        field.nullable,
        field.required,
        Place { of: shape.name, name: field.name },
    )?;
    record.set(index, value).map_err(|e| errors::raised(py, &e))
}

/// A value that may be `None`: that is "nothing" where nothing is a value, and else the default.
pub fn optional(
    value: &Bound<'_, PyAny>,
    ty: &Type,
    nullable: bool,
    required: bool,
    place: Place,
) -> PyResult<Value> {
    if !value.is_none() {
        return given(value, ty, place);
    }
    match ty {
        _ if nullable => Ok(Value::Null),
        _ if !required => Ok(Value::Absent),
        Type::Json => given(value, ty, place),
        _ => Err(place.wrong_type("given", value)),
    }
}

/// Checks that what must be given is given.
pub fn require(record: &Values) -> PyResult<()> {
    let missing = record.shape().fields.iter().zip(record.values());
    match missing.into_iter().find(|(field, value)| field.required && matches!(value, Value::Absent)) {
        Some((field, _)) => {
            Err(PyTypeError::new_err(format!("{}: {} is missing", record.shape().name, field.name)))
        }
        None => Ok(()),
    }
}
