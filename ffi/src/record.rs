//! Records: rows, inputs and answers, all of one opaque type.

use std::ffi::c_char;
use std::sync::{LazyLock, OnceLock};

use ::openwa_store::face::{self, Record, Shape, Type, Value};
use ::openwa_store::{Error, Json, Kind, Result, Text, Timestamp, Uuid};

use crate::error::openwa_error;
use crate::guard::{clear, guard, put, quiet};
use crate::handle::{self, Handle};
use crate::rows::{self, openwa_rows};
use crate::text::{self, openwa_bytes, openwa_str};

/// A record: a row of a table, an input of a function, an answer. Its columns have names and types; the guide lists
/// them, and `openwa_record_columns` tells them to a program.
///
/// One thread at a time may change a record; any number may read one that nobody changes.
pub struct openwa_record {
    _opaque: [u8; 0],
}

/// What a record holds.
pub(crate) struct Body {
    source: Source,
    /// Texts and records that were asked for and have to stand somewhere, by column.
    derived: OnceLock<Box<[OnceLock<Derived>]>>,
}

enum Source {
    Owned(Record),
    /// A record inside a record, which must stay as it is meanwhile.
    Inner(*const Record),
}

enum Derived {
    Uuid([u8; 36]),
    Text(Box<str>),
    Record(*mut openwa_record),
}

impl Drop for Derived {
    fn drop(&mut self) {
        if let Derived::Record(inner) = self {
            unsafe { handle::free(*inner) };
        }
    }
}

impl Handle for openwa_record {
    type Body = Body;
    const NAME: &'static str = "openwa_record";
    const TAG: u32 = 0x0A0E_0002;
}

/// A column by name or by position.
pub(crate) trait Column {
    unsafe fn index(self, shape: &'static Shape) -> Result<usize>;
}

impl Column for *const c_char {
    unsafe fn index(self, shape: &'static Shape) -> Result<usize> {
        shape.index_of(unsafe { text::name(self, "column") }?)
    }
}

impl Column for usize {
    unsafe fn index(self, shape: &'static Shape) -> Result<usize> {
        if self < shape.fields.len() {
            return Ok(self);
        }
        let text = format!("{} has {} columns; there is no column {self}", shape.name, shape.fields.len());
        Err(Error::invalid("column", text))
    }
}

impl Body {
    pub(crate) fn new(record: Record) -> Self {
        Body { source: Source::Owned(record), derived: OnceLock::new() }
    }

    pub(crate) fn record(&self) -> &Record {
        match &self.source {
            Source::Owned(record) => record,
            // The record around this one outlives it: C was told so.
            Source::Inner(record) => unsafe { &**record },
        }
    }

    /// Puts another record in the place of this one; what was derived from that is gone.
    pub(crate) fn replace(&mut self, record: Record) {
        self.forget();
        self.source = Source::Owned(record);
    }

    fn forget(&mut self) {
        if let Some(slots) = self.derived.get_mut() {
            slots.iter_mut().for_each(|slot| drop(slot.take()));
        }
    }

    /// Ends the life of records that were given out from inside this one, without touching its memory.
    fn derived(&self, index: usize, make: impl FnOnce() -> Derived) -> &Derived {
        let slots = self.derived.get_or_init(|| {
            let columns = self.record().values().len();
            (0..columns).map(|_| OnceLock::new()).collect()
        });
        slots[index].get_or_init(make)
    }

    fn set(&mut self, index: usize, value: Value) -> Result<()> {
        match &mut self.source {
            Source::Owned(record) => record.set(index, value)?,
            Source::Inner(_) => {
                let text = "a record inside another one cannot be changed; set it as a whole";
                return Err(Error::new(Kind::InvalidArgument, text));
            }
        }
        self.forget();
        Ok(())
    }

    /// The value of a column; `Null` when nothing is given.
    fn value(&self, index: usize) -> &Value {
        match &self.record().values()[index] {
            Value::Absent => &Value::Null,
            value => value,
        }
    }

    fn wrong<T>(&self, index: usize, getter: &str) -> Result<T> {
        let field = &self.record().shape().fields[index];
        let text = format!("{} is {}; {getter} cannot read it", field.name, field.ty);
        Err(Error::invalid(field.name, text))
    }
}

/// How the getters of `columns.rs` read a column.
pub(crate) mod read {
    use super::{Body, Derived, Result, Type, Value, openwa_bytes, openwa_record, openwa_rows, openwa_str};
    use super::{handle, rows};

    pub(crate) fn is_null(body: &Body, index: usize) -> Result<bool> {
        Ok(matches!(body.value(index), Value::Null))
    }

    pub(crate) fn text(body: &Body, index: usize) -> Result<openwa_str> {
        match body.value(index) {
            Value::Text(text) => match text.decode() {
                std::borrow::Cow::Borrowed(plain) => Ok(openwa_str::of(plain)),
                std::borrow::Cow::Owned(plain) => {
                    Ok(derived_text(body, index, || Derived::Text(plain.into())))
                }
            },
            Value::Uuid(id) => Ok(derived_text(body, index, || {
                let mut text = [0; 36];
                id.hyphenated().encode_lower(&mut text);
                Derived::Uuid(text)
            })),
            Value::Null if is(body, index, |t| matches!(t, Type::Text | Type::Enum(_) | Type::Uuid)) => {
                Ok(openwa_str::NONE)
            }
            _ => body.wrong(index, "openwa_record_text"),
        }
    }

    fn derived_text(body: &Body, index: usize, make: impl FnOnce() -> Derived) -> openwa_str {
        match body.derived(index, make) {
            Derived::Uuid(text) => openwa_str::of(std::str::from_utf8(text).unwrap_or_default()),
            Derived::Text(text) => openwa_str::of(text),
            Derived::Record(_) => openwa_str::NONE,
        }
    }

    pub(crate) fn json(body: &Body, index: usize) -> Result<openwa_str> {
        match body.value(index) {
            Value::Json(document) => match document.to_json() {
                std::borrow::Cow::Borrowed(plain) => Ok(openwa_str::of(plain)),
                std::borrow::Cow::Owned(plain) => {
                    Ok(derived_text(body, index, || Derived::Text(plain.into())))
                }
            },
            Value::Null if is(body, index, |t| matches!(t, Type::Json)) => Ok(openwa_str::NONE),
            _ => body.wrong(index, "openwa_record_json"),
        }
    }

    pub(crate) fn bytes(body: &Body, index: usize) -> Result<openwa_bytes> {
        match body.value(index) {
            Value::Bytes(bytes) => Ok(openwa_bytes::of(bytes)),
            Value::Null if is(body, index, |t| matches!(t, Type::Bytes)) => Ok(openwa_bytes::NONE),
            _ => body.wrong(index, "openwa_record_bytes"),
        }
    }

    pub(crate) fn i64(body: &Body, index: usize) -> Result<i64> {
        match body.value(index) {
            Value::Int(n) => Ok(*n),
            Value::Null if is(body, index, |t| matches!(t, Type::Int | Type::Duration)) => Ok(0),
            _ => body.wrong(index, "openwa_record_i64"),
        }
    }

    pub(crate) fn bool(body: &Body, index: usize) -> Result<bool> {
        match body.value(index) {
            Value::Bool(b) => Ok(*b),
            Value::Null if is(body, index, |t| matches!(t, Type::Bool)) => Ok(false),
            _ => body.wrong(index, "openwa_record_bool"),
        }
    }

    pub(crate) fn time_ms(body: &Body, index: usize) -> Result<i64> {
        match body.value(index) {
            Value::Time(t) => Ok(t.millis()),
            Value::Null if is(body, index, |t| matches!(t, Type::Time)) => Ok(0),
            _ => body.wrong(index, "openwa_record_time_ms"),
        }
    }

    pub(crate) fn record(body: &Body, index: usize) -> Result<*const openwa_record> {
        match body.value(index) {
            Value::Record(inner) => {
                let make = || Derived::Record(handle::create(Body::inner(inner)));
                match body.derived(index, make) {
                    Derived::Record(inner) => Ok(inner.cast_const()),
                    _ => Ok(std::ptr::null()),
                }
            }
            Value::Null if is(body, index, |t| matches!(t, Type::Record(_))) => Ok(std::ptr::null()),
            _ => body.wrong(index, "openwa_record_record"),
        }
    }

    pub(crate) fn rows(body: &Body, index: usize) -> Result<*mut openwa_rows> {
        match body.value(index) {
            Value::List(items) => Ok(rows::give_list(items.clone())),
            Value::Null if is(body, index, |t| matches!(t, Type::List(_))) => Ok(std::ptr::null_mut()),
            _ => body.wrong(index, "openwa_record_rows"),
        }
    }

    fn is(body: &Body, index: usize, wanted: impl Fn(&Type) -> bool) -> bool {
        wanted(&body.record().shape().fields[index].ty)
    }
}

/// How the setters of `columns.rs` make values.
pub(crate) mod write {
    use super::{Error, Json, Result, Text, Timestamp, Type, Uuid, Value};
    use super::{handle, openwa_bytes, openwa_record, openwa_str};

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
}

impl Body {
    fn inner(record: &Record) -> Self {
        Body { source: Source::Inner(record), derived: OnceLock::new() }
    }
}

/// Reads a column.
pub(crate) unsafe fn get<C: Column, T: crate::guard::Output>(
    record: *const openwa_record,
    column: C,
    out: *mut T,
    err: *mut *mut openwa_error,
    read: impl FnOnce(&Body, usize) -> Result<T>,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let body = handle::get(record)?;
            let index = column.index(body.record().shape())?;
            put(out, read(body, index)?);
            Ok(())
        })
    }
}

/// Writes a column.
pub(crate) unsafe fn set<C: Column, T>(
    record: *mut openwa_record,
    column: C,
    value: T,
    err: *mut *mut openwa_error,
    make: unsafe fn(T, &Type, &'static str) -> Result<Value>,
) -> i32 {
    unsafe {
        guard(err, || {
            let body = handle::get_mut(record)?;
            let shape = body.record().shape();
            let index = column.index(shape)?;
            let field = &shape.fields[index];
            let value = make(value, &field.ty, field.name)?;
            body.set(index, value)
        })
    }
}

/// A shape by name.
pub(crate) fn shape(name: &str) -> Result<&'static Shape> {
    static SHAPES: LazyLock<Vec<&'static Shape>> = LazyLock::new(|| {
        let mut shapes = face::shapes();
        shapes.sort_unstable_by_key(|shape| shape.name);
        shapes
    });
    let found = SHAPES.binary_search_by_key(&name, |shape| shape.name);
    found.map(|i| SHAPES[i]).map_err(|_| Error::invalid("type", format!("there is no record type {name:?}")))
}

/// Makes a record with nothing in it, to be filled by setters: `openwa_record_new("NewMessage", &message, &err)`. Columns
/// that are not set have their default. Free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for an unknown type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_new(
    r#type: *const c_char,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let shape = shape(text::name(r#type, "type")?)?;
            put(out, handle::create(Body::new(Record::empty(shape))));
            Ok(())
        })
    }
}

/// Makes a record from a JSON object with the columns as keys: times as ISO text, bytes as base64, documents as they
/// are. Free it with `openwa_record_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for an unknown type or key, or a value of another type, naming the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_from_json(
    r#type: *const c_char,
    json: openwa_str,
    out: *mut *mut openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let shape = shape(text::name(r#type, "type")?)?;
            let json = json.read("json")?.unwrap_or_default();
            put(out, handle::create(Body::new(Record::from_json(shape, json)?)));
            Ok(())
        })
    }
}

/// The record as a JSON object, in the form that `openwa_record_from_json` reads; secret columns are in it. Free it with
/// `openwa_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_to_json(
    record: *const openwa_record,
    out: *mut *mut c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let json = handle::get(record)?.record().to_json();
            put(out, text::give(&json.to_json())?);
            Ok(())
        })
    }
}

/// The name of the record's type, for instance `Message`: static, as UTF-8; `NULL, 0` for what is no record.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_type(record: *const openwa_record) -> openwa_str {
    quiet(openwa_str::NONE, || {
        unsafe { handle::get(record) }.map_or(openwa_str::NONE, |r| openwa_str::of(r.record().shape().name))
    })
}

/// How many columns the record has; 0 for what is no record.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_columns(record: *const openwa_record) -> usize {
    quiet(0, || unsafe { handle::get(record) }.map_or(0, |r| r.record().values().len()))
}

/// The name of a column by position: static, as UTF-8; `NULL, 0` when there is no such column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_column_name(
    record: *const openwa_record,
    column: usize,
) -> openwa_str {
    quiet(openwa_str::NONE, || {
        let body = unsafe { handle::get(record) }.ok();
        let field = body.and_then(|body| body.record().shape().fields.get(column));
        field.map_or(openwa_str::NONE, |field| openwa_str::of(field.name))
    })
}

/// The position of a column by name, for the functions that end in `_at`. Positions are those of this version of the
/// library: ask once and keep them as long as the program runs.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the columns there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_column(
    record: *const openwa_record,
    name: *const c_char,
    out: *mut usize,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            put(out, name.index(handle::get(record)?.record().shape())?);
            Ok(())
        })
    }
}

/// Sets a column that holds a list of records, for instance `messages` of a `NewBatch`. The records are copied.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_records(
    record: *mut openwa_record,
    column: *const c_char,
    values: *const *const openwa_record,
    len: usize,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let list = crate::call::records("values", values, len)?;
            let body = handle::get_mut(record)?;
            let index = column.index(body.record().shape())?;
            body.set(index, list)
        })
    }
}

/// Sets a column that holds a list of texts, for instance `tables` of `ExportOptions`. The texts are copied.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_texts(
    record: *mut openwa_record,
    column: *const c_char,
    values: *const openwa_str,
    len: usize,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let list = crate::call::texts("values", values, len)?;
            let body = handle::get_mut(record)?;
            let index = column.index(body.record().shape())?;
            body.set(index, list)
        })
    }
}

/// Takes back what a column was set to: it has its default again.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the columns there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_unset(
    record: *mut openwa_record,
    column: *const c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        guard(err, || {
            let body = handle::get_mut(record)?;
            let index = column.index(body.record().shape())?;
            body.set(index, Value::Absent)
        })
    }
}

/// Frees a record. NULL is allowed. Records that belong to a cursor or to another record are freed by those.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_free(record: *mut openwa_record) {
    quiet((), || unsafe { handle::free(record) });
}
