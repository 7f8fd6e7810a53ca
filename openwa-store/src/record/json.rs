//! The JSON form of records: their fields as keys, times as ISO text, UUIDs as text, bytes as base64, documents as
//! they are. Fields that are not given are left out.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::{Page, Record, Shape, Type, Value};
use crate::error::{Error, Kind, Result};
use crate::json::{self, Json};
use crate::text::Text;
use crate::time::Timestamp;
use uuid::Uuid;

impl Record {
    /// Reads a record from a JSON object.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no JSON object, a field that does not exist, or a value that does not fit, naming
    /// the field.
    pub fn from_json(shape: &'static Shape, json: impl AsRef<[u8]>) -> Result<Self> {
        let stored = json::to_stored(json.as_ref())?;
        let raw: &RawValue = serde_json::from_str(&stored).map_err(|e| not_json(&e))?;
        Record::from_raw(shape, raw)
    }

    fn from_raw(shape: &'static Shape, raw: &RawValue) -> Result<Self> {
        let object = || Error::new(Kind::InvalidArgument, format!("a {} must be a JSON object", shape.name));
        let fields: HashMap<String, &RawValue> = serde_json::from_str(raw.get()).map_err(|_| object())?;
        let mut record = Record::empty(shape);
        for (name, raw) in fields {
            let index = shape.index_of(&name)?;
            let field = &shape.fields[index];
            // Where null is no value of a document's field, it is the document `null`.
            let none = field.nullable || !matches!(field.ty, Type::Json);
            let value =
                if none && raw.get() == "null" { Value::Null } else { read(&field.ty, raw, field.name)? };
            record.set(index, value)?;
        }
        Ok(record)
    }

    /// The record as a JSON object; secret fields are in it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut out = String::new();
        write_record(&mut out, self);
        Json::from_stored(out)
    }
}

impl Value {
    /// Reads a value of a known type from JSON.
    ///
    /// # Errors
    /// `InvalidArgument` naming `field` when it does not fit.
    pub fn from_json(ty: &Type, json: impl AsRef<[u8]>, field: &'static str) -> Result<Self> {
        let stored = json::to_stored(json.as_ref())?;
        let raw: &RawValue = serde_json::from_str(&stored).map_err(|e| not_json(&e))?;
        if raw.get() == "null" && !matches!(ty, Type::Json) { Ok(Value::Null) } else { read(ty, raw, field) }
    }

    /// The value as JSON; what is absent is `null`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut out = String::new();
        write(&mut out, self);
        Json::from_stored(out)
    }
}

fn not_json(e: &serde_json::Error) -> Error {
    Error::new(Kind::InvalidArgument, format!("not valid JSON: {e}"))
}

fn read(ty: &Type, raw: &RawValue, field: &'static str) -> Result<Value> {
    let wrong = |given: &str| Error::invalid(field, format!("{field} must be {ty}, not {given}"));
    let text = || serde_json::from_str::<String>(raw.get()).map_err(|_| wrong("another kind of JSON value"));
    match ty {
        Type::Unit => Ok(Value::Null),
        Type::Json => Ok(Value::Json(Json::from_stored(raw.get()))),
        Type::Bool => typed(raw, Value::Bool).ok_or_else(|| wrong("another kind of JSON value")),
        Type::Int | Type::Duration => {
            typed(raw, Value::Int).ok_or_else(|| wrong("another kind of JSON value"))
        }
        Type::Float => typed(raw, Value::Float).ok_or_else(|| wrong("another kind of JSON value")),
        Type::Text | Type::Enum(_) => Ok(Value::Text(Text::from_stored(text()?))),
        Type::Time => Timestamp::parse(&text()?).map(Value::Time).map_err(|e| e.with("column", field)),
        Type::Uuid => Uuid::try_parse(&text()?).map(Value::Uuid).map_err(|_| wrong("a text of another form")),
        Type::Bytes => {
            STANDARD.decode(text()?).map(Value::Bytes).map_err(|_| wrong("a text that is not base64"))
        }
        Type::Record(shape) => {
            Record::from_raw(shape, raw).map(Value::Record).map_err(|e| e.with("column", field))
        }
        Type::List(item) => {
            let items: Vec<&RawValue> =
                serde_json::from_str(raw.get()).map_err(|_| wrong("another kind of JSON value"))?;
            let each = |(i, raw)| read(item, raw, field).map_err(|e: Error| e.with("index", i));
            Ok(Value::List(items.into_iter().enumerate().map(each).collect::<Result<_>>()?))
        }
        Type::Page(shape) => {
            #[derive(serde::Deserialize)]
            struct Raw<'a> {
                #[serde(borrow)]
                items: Vec<&'a RawValue>,
                next: Option<String>,
            }
            let page: Raw<'_> =
                serde_json::from_str(raw.get()).map_err(|_| wrong("another kind of JSON value"))?;
            let items =
                page.items.into_iter().map(|raw| Record::from_raw(shape, raw)).collect::<Result<_>>()?;
            Ok(Value::Page(Box::new(Page { items, next: page.next })))
        }
    }
}

fn typed<T: serde::de::DeserializeOwned>(raw: &RawValue, make: impl Fn(T) -> Value) -> Option<Value> {
    serde_json::from_str(raw.get()).ok().map(make)
}

fn write_record(out: &mut String, record: &Record) {
    out.push('{');
    let given =
        record.shape().fields.iter().zip(record.values()).filter(|(_, v)| !matches!(v, Value::Absent));
    for (i, (field, value)) in given.enumerate() {
        if i > 0 {
            out.push(',');
        }
        json::quote(out, field.name);
        out.push(':');
        write(out, value);
    }
    out.push('}');
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Absent | Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => out.push_str(&n.to_string()),
        Value::Float(x) => out.push_str(&serde_json::Value::from(*x).to_string()),
        Value::Text(t) => json::quote(out, t.as_stored()),
        Value::Json(document) => out.push_str(document.as_stored()),
        Value::Time(t) => json::quote(out, t.iso().as_str()),
        Value::Uuid(id) => json::quote(out, &id.to_string()),
        Value::Bytes(bytes) => json::quote(out, &STANDARD.encode(bytes)),
        Value::Record(record) => write_record(out, record),
        Value::List(items) => write_list(out, items.iter(), write),
        Value::Page(page) => {
            out.push_str("{\"items\":");
            write_list(out, page.items.iter(), write_record);
            out.push_str(",\"next\":");
            match &page.next {
                Some(cursor) => json::quote(out, cursor),
                None => out.push_str("null"),
            }
            out.push('}');
        }
    }
}

fn write_list<T>(out: &mut String, items: impl Iterator<Item = T>, each: impl Fn(&mut String, T)) {
    out.push('[');
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        each(out, item);
    }
    out.push(']');
}
