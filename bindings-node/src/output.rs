//! Values of the face become what JavaScript decodes.
//!
//! Putting one element into a JavaScript array costs more than making a string, so a list is handed over as the
//! arguments of one call of JavaScript's `pack = (...items) => items`: a record of seventeen fields in 2 instead of 12
//! microseconds.

use napi::bindgen_prelude::{
    BigInt, BufferSlice, Function, FunctionRef, JsObjectValue, JsValuesTupleIntoVec, Unknown,
};
use napi::{Env, JsValue, sys};
use openwa_store::face::{Record, Value};
use openwa_store::{Error, Result, Text, Uuid};

/// Whole numbers up to here are exact as JavaScript's numbers.
const EXACT: i64 = 9_007_199_254_740_991;
/// The most items of one call; an argument takes room on the stack.
const ARGUMENTS: usize = 4096;

/// JavaScript values on their way, alive until the addon returns.
pub struct Items(Vec<sys::napi_value>);

impl JsValuesTupleIntoVec for Items {
    fn into_vec(self, _: sys::napi_env) -> napi::Result<Vec<sys::napi_value>> {
        Ok(self.0)
    }
}

/// JavaScript's `pack`.
pub type Pack = FunctionRef<Items, Unknown<'static>>;

/// Makes JavaScript values, during one call of the addon.
pub struct Output<'env> {
    env: &'env Env,
    pack: Function<'env, Items, Unknown<'static>>,
    null: sys::napi_value,
}

impl<'env> Output<'env> {
    pub fn new(env: &'env Env, pack: &'env Pack) -> napi::Result<Self> {
        let null = raw(env, None::<bool>)?;
        Ok(Output { env, pack: pack.borrow_back(env)?, null })
    }

    /// Anything that napi can convert.
    pub fn any(&self, value: impl JsValuesTupleIntoVec) -> napi::Result<sys::napi_value> {
        raw(self.env, value)
    }

    /// An array.
    pub fn list(&self, mut items: Vec<sys::napi_value>) -> napi::Result<Unknown<'static>> {
        if items.len() <= ARGUMENTS {
            return self.pack.call(Items(items));
        }
        let rest = items.split_off(ARGUMENTS);
        let mut parts = self.env.create_array(0)?;
        parts.insert(self.pack.call(Items(items))?)?;
        for part in rest.chunks(ARGUMENTS) {
            parts.insert(self.pack.call(Items(part.to_vec()))?)?;
        }
        let parts = parts.coerce_to_object()?;
        parts.get_named_property::<Function<'_, (), Unknown<'static>>>("flat")?.apply(parts, ())
    }

    /// `[0, value]` or `[1, error]`.
    pub fn outcome(&self, result: Result<Value>) -> napi::Result<Unknown<'static>> {
        let pair = self.result(result)?;
        self.list(pair.to_vec())
    }

    /// 0 and the value, or 1 and the error.
    pub fn result(&self, result: Result<Value>) -> napi::Result<[sys::napi_value; 2]> {
        Ok(match result {
            Ok(value) => [self.any(0)?, self.value(value)?],
            Err(e) => [self.any(1)?, self.failure(&e)?.raw()],
        })
    }

    /// `[code, message, retryable, operation, [name, value, …], [cause, …]]`.
    pub fn failure(&self, error: &Error) -> napi::Result<Unknown<'static>> {
        let context = error.contexts().flat_map(|(name, value)| [name, value]);
        let context = context.map(|text| self.any(text)).collect::<napi::Result<_>>()?;
        let causes = std::iter::successors(std::error::Error::source(error), |e| e.source());
        let causes = causes.map(|e| self.any(e.to_string())).collect::<napi::Result<_>>()?;
        self.list(vec![
            self.any(error.kind().name())?,
            self.any(error.message())?,
            self.any(error.retryable())?,
            self.any(error.operation())?,
            self.list(context)?.raw(),
            self.list(causes)?.raw(),
        ])
    }

    fn value(&self, value: Value) -> napi::Result<sys::napi_value> {
        match value {
            Value::Absent | Value::Null => Ok(self.null),
            Value::Bool(b) => self.any(b),
            Value::Int(n) => match i32::try_from(n) {
                Ok(small) => Ok(self.env.create_int32(small)?.raw()),
                Err(_) if n.abs() <= EXACT => Ok(self.env.create_double(n as f64)?.raw()),
                Err(_) => self.any(BigInt::from(n)),
            },
            Value::Float(x) => Ok(self.env.create_double(x)?.raw()),
            Value::Text(t) => self.text(&t),
            Value::Json(document) => self.string(&document.to_json()),
            Value::Time(t) => Ok(self.env.create_double(t.millis() as f64)?.raw()),
            Value::Uuid(id) => self.uuid(id),
            Value::Bytes(bytes) => Ok(BufferSlice::copy_from(self.env, bytes)?.raw()),
            Value::Record(record) => Ok(self.record(record)?.raw()),
            Value::List(items) => Ok(self.values(items)?.raw()),
            Value::Page(page) => {
                Ok(self.list(vec![self.records(page.items)?.raw(), self.any(page.next)?])?.raw())
            }
        }
    }

    /// The records of a page. Those of one chat or session name it again and again: a text that the record before has in
    /// the same field is not made twice.
    fn records(&self, records: Vec<Record>) -> napi::Result<Unknown<'static>> {
        let mut before: Vec<(Value, sys::napi_value)> = Vec::new();
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            let values = record.into_values();
            before.resize_with(values.len(), || (Value::Null, self.null));
            let mut fields = Vec::with_capacity(values.len());
            for (value, last) in values.into_iter().zip(&mut before) {
                let made = match &value {
                    Value::Text(_) | Value::Uuid(_) if last.0 == value => last.1,
                    Value::Text(t) => self.text(t)?,
                    Value::Uuid(id) => self.uuid(*id)?,
                    _ => {
                        fields.push(self.value(value)?);
                        continue;
                    }
                };
                fields.push(made);
                *last = (value, made);
            }
            rows.push(self.list(fields)?.raw());
        }
        self.list(rows)
    }

    /// A record: the list of its fields.
    pub fn record(&self, record: Record) -> napi::Result<Unknown<'static>> {
        self.values(record.into_values())
    }

    fn values(&self, values: Vec<Value>) -> napi::Result<Unknown<'static>> {
        let items = values.into_iter().map(|v| self.value(v)).collect::<napi::Result<_>>()?;
        self.list(items)
    }

    fn uuid(&self, id: Uuid) -> napi::Result<sys::napi_value> {
        let mut buffer = Uuid::encode_buffer();
        self.string(id.hyphenated().encode_lower(&mut buffer))
    }

    fn text(&self, text: &Text) -> napi::Result<sys::napi_value> {
        // U+241B marks what UTF-8 or a database cannot hold; hardly any text has it.
        if !text.as_stored().is_ascii() && text.as_stored().contains('\u{241B}') {
            return Ok(self.env.create_string_utf16(text.to_utf16())?.raw());
        }
        self.string(text.as_stored())
    }

    fn string(&self, s: &str) -> napi::Result<sys::napi_value> {
        // V8 copies one byte per character without looking at them.
        let made =
            if s.is_ascii() { self.env.create_string_latin1(s)? } else { self.env.create_string(s)? };
        Ok(made.raw())
    }
}

fn raw(env: &Env, value: impl JsValuesTupleIntoVec) -> napi::Result<sys::napi_value> {
    let made = value.into_vec(env.raw())?.pop();
    made.ok_or_else(|| napi::Error::from_reason("napi made nothing of a value"))
}
