//! How the setters of `columns.rs` make values.

use ::openwa_store::face::{Type, Value};
use ::openwa_store::{Error, Json, Result, Text, Timestamp, Uuid};

use super::openwa_record;
use crate::handle;
use crate::text::{openwa_bytes, openwa_str};

/// Text for a column of text, a UUID for a column of UUIDs.
pub(crate) unsafe fn text(given: openwa_str, ty: &Type, name: &'static str) -> Result<Value> {
    let text = unsafe { given.read(name) }?;
    let Some(text) = text else { return Ok(Value::Null) };
    match ty {
        Type::Uuid => uuid(text, name),
        _ => Ok(Value::Text(Text::from(text))),
    }
}

pub(crate) fn uuid(text: &str, name: &'static str) -> Result<Value> {
    Uuid::try_parse(text)
        .map(Value::Uuid)
        .map_err(|_| Error::invalid(name, format!("{name} is not a UUID: {text:?}")))
}

pub(crate) unsafe fn json(given: openwa_str, _: &Type, name: &'static str) -> Result<Value> {
    let text = unsafe { given.read(name) }?;
    let Some(text) = text else { return Ok(Value::Null) };
    Json::parse(text).map(Value::Json).map_err(|e| e.with("column", name))
}

pub(crate) unsafe fn bytes(given: openwa_bytes, _: &Type, name: &'static str) -> Result<Value> {
    Ok(unsafe { given.read(name) }?.map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec())))
}

pub(crate) unsafe fn i64(given: i64, _: &Type, _: &'static str) -> Result<Value> {
    Ok(Value::Int(given))
}

pub(crate) unsafe fn bool(given: bool, _: &Type, _: &'static str) -> Result<Value> {
    Ok(Value::Bool(given))
}

pub(crate) unsafe fn time_ms(given: i64, _: &Type, name: &'static str) -> Result<Value> {
    let outside = || Error::invalid(name, format!("{name} is outside the years 0000 to 9999"));
    Timestamp::from_millis(given).map(Value::Time).ok_or_else(outside)
}

pub(crate) unsafe fn record(given: *const openwa_record, _: &Type, _: &'static str) -> Result<Value> {
    if given.is_null() {
        return Ok(Value::Null);
    }
    Ok(Value::Record(unsafe { handle::get(given) }?.record().clone()))
}
