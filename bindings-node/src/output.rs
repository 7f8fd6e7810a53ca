//! Values of the face become what JavaScript decodes.

use napi::Env;
use napi::bindgen_prelude::{Array, BigInt, BufferSlice, Null};
use openwa_store::face::{Record, Value};
use openwa_store::{Error, Result, Text, Uuid};

use crate::failure;

/// Whole numbers up to here are exact as JavaScript's numbers.
const EXACT: i64 = 9_007_199_254_740_991;

/// `[0, value]` or `[1, error]`.
pub fn outcome<'env>(env: &'env Env, result: Result<Value, Error>) -> napi::Result<Array<'env>> {
    let mut out = env.create_array(2)?;
    result_at(env, &mut out, 0, result)?;
    Ok(out)
}

/// Puts 0 and the value, or 1 and the error, at `at` and behind it.
pub fn result_at(env: &Env, out: &mut Array<'_>, at: u32, result: Result<Value, Error>) -> napi::Result<()> {
    match result {
        Ok(value) => {
            out.set(at, 0)?;
            put(env, out, at + 1, value)
        }
        Err(e) => {
            out.set(at, 1)?;
            out.set(at + 1, failure::to_js(env, &e)?)
        }
    }
}

fn put(env: &Env, out: &mut Array<'_>, at: u32, value: Value) -> napi::Result<()> {
    match value {
        Value::Absent => out.set(at, ()),
        Value::Null => out.set(at, Null),
        Value::Bool(b) => out.set(at, b),
        Value::Int(n) => match i32::try_from(n) {
            Ok(small) => out.set(at, small),
            Err(_) if n.abs() <= EXACT => out.set(at, n as f64),
            Err(_) => out.set(at, BigInt::from(n)),
        },
        Value::Float(x) => out.set(at, x),
        Value::Text(t) => text(env, out, at, &t),
        Value::Json(document) => string(env, out, at, &document.to_json()),
        Value::Time(t) => out.set(at, t.millis() as f64),
        Value::Uuid(id) => {
            let mut buffer = Uuid::encode_buffer();
            let id: &str = id.hyphenated().encode_lower(&mut buffer);
            string(env, out, at, id)
        }
        Value::Bytes(bytes) => out.set(at, &BufferSlice::copy_from(env, bytes)?),
        Value::Record(r) => out.set(at, record(env, r)?),
        Value::List(items) => out.set(at, list(env, items)?),
        Value::Page(page) => {
            let items = page.items.into_iter().map(Value::Record).collect();
            let mut pair = env.create_array(2)?;
            pair.set(0, list(env, items)?)?;
            pair.set(1, page.next)?;
            out.set(at, pair)
        }
    }
}

fn record(env: &Env, record: Record) -> napi::Result<Array<'_>> {
    list(env, record.into_values())
}

fn list(env: &Env, items: Vec<Value>) -> napi::Result<Array<'_>> {
    let mut out = env.create_array(items.len() as u32)?;
    for (at, item) in (0..).zip(items) {
        put(env, &mut out, at, item)?;
    }
    Ok(out)
}

fn text(env: &Env, out: &mut Array<'_>, at: u32, text: &Text) -> napi::Result<()> {
    // U+241B marks what UTF-8 or a database cannot hold; hardly any text has it.
    if text.as_stored().contains('\u{241B}') {
        return out.set(at, &env.create_string_utf16(text.to_utf16())?);
    }
    string(env, out, at, text.as_stored())
}

fn string(env: &Env, out: &mut Array<'_>, at: u32, s: &str) -> napi::Result<()> {
    // V8 copies one byte per character without looking at them.
    if s.is_ascii() { out.set(at, &env.create_string_latin1(s)?) } else { out.set(at, s) }
}
