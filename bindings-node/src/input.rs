//! What JavaScript hands over becomes values of the face.

use napi::ValueType;
use napi::bindgen_prelude::{Array, BigInt, FromNapiValue, Uint8Array, Unknown, Utf16String};
use openwa_store::face::{Record, Shape, Type, Value, Verb};
use openwa_store::{Error, Json, Result, Text, Timestamp, Uuid};

/// The arguments of a verb. Each arrives in the simple form of its type: see `ts/codec.ts`.
pub fn arguments(verb: &Verb, given: &Array<'_>) -> Result<Vec<Value>> {
    let params = verb.params.iter().zip(0..);
    params.map(|(param, at)| value(given, at, &param.ty, param.name)).collect()
}

/// A record from the list of its fields.
pub fn record(fields: &Array<'_>, shape: &'static Shape) -> Result<Record> {
    let mut record = Record::empty(shape);
    for (i, field) in shape.fields.iter().enumerate() {
        record.set(i, value(fields, i as u32, &field.ty, field.name)?)?;
    }
    Ok(record)
}

fn value(from: &Array<'_>, at: u32, ty: &Type, field: &'static str) -> Result<Value> {
    let wrong = |what: &str| Error::invalid(field, format!("{field} must be {ty}, not {what}"));
    let given = from.get::<Unknown<'_>>(at).ok().flatten();
    let kind = given.map_or(Ok(ValueType::Undefined), |v| v.get_type());
    match (kind.unwrap_or(ValueType::Unknown), ty) {
        (ValueType::Undefined, _) => Ok(Value::Absent),
        (ValueType::Null, _) => Ok(Value::Null),
        (ValueType::Boolean, Type::Bool) => read(from, at, field).map(Value::Bool),
        (ValueType::Number, Type::Int | Type::Duration) => {
            whole(read(from, at, field)?).map(Value::Int).ok_or_else(|| wrong("a fraction"))
        }
        (ValueType::BigInt, Type::Int | Type::Duration) => {
            let (n, lossless) = read::<BigInt>(from, at, field)?.get_i64();
            if lossless { Ok(Value::Int(n)) } else { Err(wrong("one of more than 64 bits")) }
        }
        (ValueType::Number, Type::Float) => read(from, at, field).map(Value::Float),
        (ValueType::Number, Type::Time) => {
            let ms = whole(read(from, at, field)?).and_then(Timestamp::from_millis);
            ms.map(Value::Time).ok_or_else(|| wrong("one outside the years 0000 to 9999"))
        }
        (ValueType::String, Type::Text | Type::Enum(_)) => text(from, at, field).map(Value::Text),
        (ValueType::String, Type::Uuid) => {
            let id = Uuid::try_parse(&read::<String>(from, at, field)?);
            id.map(Value::Uuid).map_err(|_| wrong("a text of another form"))
        }
        // JSON.stringify writes lone surrogates as escapes, so nothing is lost in UTF-8.
        (ValueType::String, Type::Json) => {
            let json = Json::parse(read::<String>(from, at, field)?);
            json.map(Value::Json).map_err(|e| e.with("column", field))
        }
        (ValueType::Object, Type::Bytes) => {
            let bytes: Uint8Array = read(from, at, field).map_err(|_| wrong("an object"))?;
            Ok(Value::Bytes(bytes.to_vec()))
        }
        (ValueType::Object, Type::Record(shape)) => record(&read(from, at, field)?, shape).map(Value::Record),
        (ValueType::Object, Type::List(item)) => {
            let items: Array<'_> = read(from, at, field)?;
            let each = |i| value(&items, i, item, field).map_err(|e| e.with("index", i));
            (0..items.len()).map(each).collect::<Result<_>>().map(Value::List)
        }
        (other, _) => Err(wrong(&format!("a {}", other.to_string().to_lowercase()))),
    }
}

fn read<T: FromNapiValue>(from: &Array<'_>, at: u32, field: &'static str) -> Result<T> {
    let found = from.get::<T>(at).map_err(|e| Error::invalid(field, format!("{field}: {}", e.reason)))?;
    found.ok_or_else(|| Error::invalid(field, format!("{field} is missing")))
}

/// A number without a fraction, where JavaScript's numbers are exact.
fn whole(n: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    (n.fract() == 0.0 && n.abs() <= EXACT).then_some(n as i64)
}

/// Text as JavaScript has it, lone surrogates included.
fn text(from: &Array<'_>, at: u32, field: &'static str) -> Result<Text> {
    let units: Utf16String = read(from, at, field)?;
    // Nearly all ids, and most texts, are ASCII: one pass without decoding.
    if units.iter().all(|u| (1..0x80).contains(u)) {
        return Ok(Text::from_stored(units.iter().map(|u| *u as u8 as char).collect::<String>()));
    }
    Ok(Text::from_utf16(&units))
}
