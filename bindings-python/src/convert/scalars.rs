//! The types that need more than PyO3 has: text with lone surrogates, instants, lengths of time, UUIDs, JSON.

use crate::errors::OrRaise;
use crate::once::Once;
use openwa_store::{Json, Text, Timestamp, Uuid};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDateTime, PyDelta, PyDeltaAccess, PyString, PyType, PyTzInfo};

const DAY_MS: i64 = 86_400_000;

/// Python's `str` may hold lone surrogates, as JavaScript's strings do; UTF-16 is what both have in common.
pub fn text_from_python(value: &Bound<'_, PyString>) -> PyResult<Text> {
    if let Ok(plain) = value.to_str() {
        return Ok(plain.into());
    }
    let utf16 = value.call_method1(intern!(value.py(), "encode"), ("utf-16-le", "surrogatepass"))?;
    let units: Vec<u16> = utf16
        .cast::<PyBytes>()?
        .as_bytes()
        .chunks_exact(2)
        .map(|b| u16::from_le_bytes([b[0], b[1]]))
        .collect();
    Ok(Text::from_utf16(&units))
}

pub fn text_to_python<'py>(py: Python<'py>, text: &Text) -> PyResult<Bound<'py, PyAny>> {
    let plain = text.decode();
    if !plain.contains(char::REPLACEMENT_CHARACTER) {
        return Ok(PyString::new(py, &plain).into_any());
    }
    let bytes: Vec<u8> = text.to_utf16().into_iter().flat_map(u16::to_le_bytes).collect();
    PyBytes::new(py, &bytes).call_method1(intern!(py, "decode"), ("utf-16-le", "surrogatepass"))
}

fn epoch(py: Python<'_>) -> PyResult<&Bound<'_, PyDateTime>> {
    static EPOCH: Once<Py<PyDateTime>> = Once::new();
    let make = || -> PyResult<_> {
        let utc = PyTzInfo::utc(py)?;
        Ok(PyDateTime::new(py, 1970, 1, 1, 0, 0, 0, 0, Some(&utc))?.unbind())
    };
    Ok(EPOCH.get_or_try_init(py, make)?.bind(py))
}

/// An instant, cut to milliseconds. `None`: not an aware `datetime`, or one whose year in UTC is not 1 to 9999.
pub fn time_from_python(value: &Bound<'_, PyDateTime>) -> PyResult<Option<Timestamp>> {
    let since = value.sub(epoch(value.py())?)?;
    let ms = length_from_python(since.cast::<PyDelta>()?);
    Ok(Timestamp::from_millis(ms))
}

pub fn time_to_python(py: Python<'_>, time: Timestamp) -> PyResult<Bound<'_, PyAny>> {
    let text = time.iso();
    let digits = |from: usize, to: usize| {
        text.as_str().as_bytes()[from..to].iter().fold(0, |n: u32, digit| n * 10 + u32::from(digit - b'0'))
    };
    let small = |from: usize| digits(from, from + 2) as u8;
    let year = digits(0, 4);
    if year == 0 {
        // JavaScript has this year, and Python has not.
        return Err(PyValueError::new_err(format!("{time} is before the first day of datetime")));
    }
    let utc = PyTzInfo::utc(py)?;
    let micros = digits(20, 23) * 1000;
    let made = PyDateTime::new(
        py,
        year as i32,
        small(5),
        small(8),
        small(11),
        small(14),
        small(17),
        micros,
        Some(&utc),
    )?;
    Ok(made.into_any())
}

/// Whole milliseconds, rounded down.
pub fn length_from_python(value: &Bound<'_, PyDelta>) -> i64 {
    let (days, seconds, micros) = (value.get_days(), value.get_seconds(), value.get_microseconds());
    i64::from(days) * DAY_MS + i64::from(seconds) * 1000 + i64::from(micros.div_euclid(1000))
}

pub fn length_to_python(py: Python<'_>, ms: i64) -> PyResult<Bound<'_, PyDelta>> {
    let (days, rest) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let days = i32::try_from(days)?;
    let (seconds, millis) = (i32::try_from(rest / 1000)?, i32::try_from(rest % 1000)?);
    PyDelta::new(py, days, seconds, millis * 1000, false)
}

struct UuidParts {
    class: Py<PyType>,
    new: Py<PyAny>,
    set: Py<PyAny>,
    safety: Py<PyAny>,
}

/// What a UUID is made of. Its own constructor, written in Python, takes longer than reading the row.
fn uuid_parts(py: Python<'_>) -> PyResult<&UuidParts> {
    static PARTS: Once<UuidParts> = Once::new();
    PARTS.get_or_try_init(py, || {
        let module = py.import("uuid")?;
        let object = py.get_type::<PyAny>();
        Ok(UuidParts {
            class: module.getattr("UUID")?.cast_into::<PyType>()?.unbind(),
            new: object.getattr("__new__")?.unbind(),
            set: object.getattr("__setattr__")?.unbind(),
            safety: module.getattr("SafeUUID")?.getattr("unknown")?.unbind(),
        })
    })
}

pub fn uuid_from_python(value: &Bound<'_, PyAny>) -> PyResult<Option<Uuid>> {
    let py = value.py();
    if value.is_instance(uuid_parts(py)?.class.bind(py))? {
        let int: u128 = value.getattr(intern!(py, "int"))?.extract()?;
        return Ok(Some(Uuid::from_u128(int)));
    }
    let Ok(text) = value.cast::<PyString>() else { return Ok(None) };
    Ok(text.to_str().ok().and_then(|s| Uuid::try_parse(s).ok()))
}

pub fn uuid_to_python(py: Python<'_>, uuid: Uuid) -> PyResult<Bound<'_, PyAny>> {
    let parts = uuid_parts(py)?;
    let made = parts.new.bind(py).call1((parts.class.bind(py),))?;
    let set = parts.set.bind(py);
    set.call1((&made, intern!(py, "int"), uuid.as_u128()))?;
    set.call1((&made, intern!(py, "is_safe"), parts.safety.bind(py)))?;
    Ok(made)
}

fn encode(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static ENCODE: Once<Py<PyAny>> = Once::new();
    let made = ENCODE.get_or_try_init(py, || {
        let options = pyo3::types::PyDict::new(py);
        options.set_item("allow_nan", false)?;
        options.set_item("separators", (",", ":"))?;
        let encoder = py.import("json")?.getattr("JSONEncoder")?.call((), Some(&options))?;
        Ok(encoder.getattr("encode")?.unbind())
    })?;
    Ok(made.bind(py))
}

fn decode(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static DECODE: Once<Py<PyAny>> = Once::new();
    Ok(DECODE.get_or_try_init(py, || Ok(py.import("json")?.getattr("loads")?.unbind()))?.bind(py))
}

/// Any value that `json` can write; NaN and infinities, which JSON has not, are refused.
pub fn json_from_python(value: &Bound<'_, PyAny>) -> PyResult<Json> {
    let text = encode(value.py())?.call1((value,))?;
    Json::parse(text.cast::<PyString>()?.to_str()?).or_raise(value.py())
}

pub fn json_to_python<'py>(py: Python<'py>, json: &Json) -> PyResult<Bound<'py, PyAny>> {
    decode(py)?.call1((&*json.to_json(),))
}

/// Loads what values are converted with. A child that was forked while a thread loads a module waits for it for ever.
pub fn prepare(py: Python<'_>) -> PyResult<()> {
    uuid_parts(py)?;
    epoch(py)?;
    encode(py)?;
    decode(py).map(drop)
}
