//! Records: rows, inputs and answers, all of one opaque type.

mod body;
pub(crate) mod read;
pub(crate) mod write;

pub(crate) use body::Body;

use std::ffi::c_char;

use ::openwa_store::face::Lazy;
use ::openwa_store::face::{self, Record, Shape, Type, Value};
use ::openwa_store::{Error, Result};

use crate::error::openwa_error;
use crate::guard::{clear, guard, put, quiet};
use crate::handle::{self, Handle};
use crate::text::{self, openwa_str};

/// A record: a row of a table, an input of a function, an answer. Its columns have names and types; the guide lists
/// them, and `openwa_record_columns` tells them to a program.
///
/// One thread at a time may change a record; any number may read one that nobody changes.
pub struct openwa_record {
    _opaque: [u8; 0],
}

impl Handle for openwa_record {
    type Body = Body;
    const NAME: &'static str = "openwa_record";
    const TAG: u32 = 0x0A0E_0002;
}

/// A column by name or by position.
pub(crate) trait Column {
    unsafe fn index(self, record: &Record) -> Result<usize>;
}

impl Column for *const c_char {
    unsafe fn index(self, record: &Record) -> Result<usize> {
        record.shape().index_of(unsafe { text::name(self, "column") }?)
    }
}

impl Column for usize {
    #[inline]
    unsafe fn index(self, record: &Record) -> Result<usize> {
        if self < record.values().len() { Ok(self) } else { Err(no_column(record.shape(), self)) }
    }
}

#[cold]
fn no_column(shape: &Shape, index: usize) -> Error {
    let text = format!("{} has {} columns; there is no column {index}", shape.name, shape.fields.len());
    Error::invalid("column", text)
}

/// Reads a column.
#[inline]
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
            let index = column.index(body.record())?;
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
            let index = column.index(body.record())?;
            let field = &body.record().shape().fields[index];
            let value = make(value, &field.ty, field.name)?;
            body.set(index, value)
        })
    }
}

/// A shape by name.
pub(crate) fn shape(name: &str) -> Result<&'static Shape> {
    static SHAPES: Lazy<Vec<&'static Shape>> = Lazy::new(|| {
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
            put(out, name.index(handle::get(record)?.record())?);
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
            let index = column.index(body.record())?;
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
            let index = column.index(body.record())?;
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
            let index = column.index(body.record())?;
            body.set(index, Value::Absent)
        })
    }
}

/// Frees a record. NULL is allowed. Records that belong to a cursor or to another record are freed by those.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_free(record: *mut openwa_record) {
    quiet((), || unsafe { handle::free(record) });
}
