//! How the getters of `columns.rs` read a column. A page of fifty rows calls them some nine hundred times, so they are part of
//! the exported functions themselves.

use std::borrow::Cow;

use ::openwa_store::Result;
use ::openwa_store::face::{Type, Value};

use super::body::{Body, Derived};
use super::openwa_record;
use crate::handle;
use crate::rows::{self, openwa_rows};
use crate::text::{openwa_bytes, openwa_str};

#[inline(always)]
pub(crate) fn is_null(body: &Body, index: usize) -> Result<bool> {
    Ok(matches!(body.value(index), Value::Null))
}

#[inline(always)]
pub(crate) fn text(body: &Body, index: usize) -> Result<openwa_str> {
    match body.value(index) {
        Value::Text(text) => match text.decode() {
            Cow::Borrowed(plain) => Ok(openwa_str::of(plain)),
            Cow::Owned(plain) => Ok(derived_text(body, index, || Derived::Text(plain.into()))),
        },
        Value::Uuid(_) => Ok(body.id(index)),
        Value::Null if is(body, index, |t| matches!(t, Type::Text | Type::Enum(_) | Type::Uuid)) => {
            Ok(openwa_str::NONE)
        }
        _ => body.wrong(index, "openwa_record_text"),
    }
}

#[cold]
fn derived_text(body: &Body, index: usize, make: impl FnOnce() -> Derived) -> openwa_str {
    match body.derived(index, make) {
        Derived::Text(text) => openwa_str::of(text),
        Derived::Record(_) => openwa_str::NONE,
    }
}

#[inline(always)]
pub(crate) fn json(body: &Body, index: usize) -> Result<openwa_str> {
    match body.value(index) {
        Value::Json(document) => match document.to_json() {
            Cow::Borrowed(plain) => Ok(openwa_str::of(plain)),
            Cow::Owned(plain) => Ok(derived_text(body, index, || Derived::Text(plain.into()))),
        },
        Value::Null if is(body, index, |t| matches!(t, Type::Json)) => Ok(openwa_str::NONE),
        _ => body.wrong(index, "openwa_record_json"),
    }
}

#[inline(always)]
pub(crate) fn bytes(body: &Body, index: usize) -> Result<openwa_bytes> {
    match body.value(index) {
        Value::Bytes(bytes) => Ok(openwa_bytes::of(bytes)),
        Value::Null if is(body, index, |t| matches!(t, Type::Bytes)) => Ok(openwa_bytes::NONE),
        _ => body.wrong(index, "openwa_record_bytes"),
    }
}

#[inline(always)]
pub(crate) fn i64(body: &Body, index: usize) -> Result<i64> {
    match body.value(index) {
        Value::Int(n) => Ok(*n),
        Value::Null if is(body, index, |t| matches!(t, Type::Int | Type::Duration)) => Ok(0),
        _ => body.wrong(index, "openwa_record_i64"),
    }
}

#[inline(always)]
pub(crate) fn bool(body: &Body, index: usize) -> Result<bool> {
    match body.value(index) {
        Value::Bool(b) => Ok(*b),
        Value::Null if is(body, index, |t| matches!(t, Type::Bool)) => Ok(false),
        _ => body.wrong(index, "openwa_record_bool"),
    }
}

#[inline(always)]
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
