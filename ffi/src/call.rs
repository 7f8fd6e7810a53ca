//! How the functions of `verbs.rs` hand their arguments over and their answers back.

use std::ffi::{c_char, c_void};
use std::ops::ControlFlow;

use ::openwa_store::face::{Call, Progress, Rows, VERBS, Value, Verb};
use ::openwa_store::{Error, Kind, Result, Text};

use crate::guard::put;
use crate::handle;
use crate::record::{self, openwa_record};
use crate::rows::{self, openwa_rows};
use crate::store::openwa_store;
use crate::text::{self, openwa_bytes, openwa_str};

/// Hears of the progress of a long call: the table that is being worked on, how many of its rows are done, and how many
/// there are (-1: nobody knows). It is called on the thread that made the call, and must not use the store. Anything but
/// 0 stops the call, which then fails with `OPENWA_ERR_CANCELLED` or, where half the work is worth keeping, says so.
pub type openwa_progress_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, table: openwa_str, rows: i64, total: i64) -> i32>;

/// A verb by its path, while compiling.
pub(crate) const fn verb(path: &str) -> usize {
    let mut i = 0;
    while i < VERBS.len() {
        if same(VERBS[i].path.as_bytes(), path.as_bytes()) {
            return i;
        }
        i += 1;
    }
    panic!("there is no such verb: BLESS=1 cargo test -p openwa-ffi renews src/verbs.rs")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// Runs a rule.
pub(crate) fn rule(verb: usize, args: Vec<Value>) -> Result<Value> {
    VERBS[verb].call_pure(args)
}

/// Runs a verb of a store.
pub(crate) unsafe fn run(store: *const openwa_store, verb: usize, args: Vec<Value>) -> Result<Value> {
    prepare(unsafe { handle::get(store) }?, &VERBS[verb], args)?.run()
}

/// Reads a page.
pub(crate) unsafe fn page(store: *const openwa_store, verb: usize, args: Vec<Value>) -> Result<Rows> {
    VERBS[verb].page(&unsafe { handle::get(store) }?.store, args)
}

fn prepare(store: &crate::store::Body, verb: &'static Verb, args: Vec<Value>) -> Result<Call> {
    verb.call(&store.store, args)
}

/// Runs a verb that tells its progress.
pub(crate) unsafe fn run_long(
    store: *const openwa_store,
    verb: usize,
    args: Vec<Value>,
    progress: openwa_progress_fn,
    user: *mut c_void,
) -> Result<Value> {
    match prepare(unsafe { handle::get(store) }?, &VERBS[verb], args)? {
        Call::Long(run) => run(&mut |Progress { table, rows, total }| {
            let Some(tell) = progress else { return ControlFlow::Continue(()) };
            let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            match unsafe { tell(user, openwa_str::of(table), number(rows), total.map_or(-1, number)) } {
                0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        }),
        other => other.run(),
    }
}

// Arguments.

pub(crate) unsafe fn text(name: &'static str, given: openwa_str) -> Result<Value> {
    Ok(unsafe { given.read(name) }?.map_or(Value::Absent, |text| Value::Text(Text::from(text))))
}

pub(crate) unsafe fn uuid(name: &'static str, given: openwa_str) -> Result<Value> {
    unsafe { given.read(name) }?.map_or(Ok(Value::Absent), |text| record::write::uuid(text, name))
}

pub(crate) unsafe fn json(name: &'static str, given: openwa_str) -> Result<Value> {
    let text = unsafe { given.read(name) }?;
    let Some(text) = text else { return Ok(Value::Absent) };
    ::openwa_store::Json::parse(text).map(Value::Json).map_err(|e| e.with("column", name))
}

pub(crate) unsafe fn bytes(name: &'static str, given: openwa_bytes) -> Result<Value> {
    Ok(unsafe { given.read(name) }?.map_or(Value::Absent, |bytes| Value::Bytes(bytes.to_vec())))
}

pub(crate) fn time(name: &'static str, given: i64) -> Result<Value> {
    let outside = || Error::invalid(name, format!("{name} is outside the years 0000 to 9999"));
    ::openwa_store::Timestamp::from_millis(given).map(Value::Time).ok_or_else(outside)
}

/// A number or time that need not be given.
pub(crate) unsafe fn optional(given: *const i64, make: impl FnOnce(i64) -> Result<Value>) -> Result<Value> {
    if given.is_null() { Ok(Value::Absent) } else { make(unsafe { given.read() }) }
}

pub(crate) unsafe fn record(given: *const openwa_record) -> Result<Value> {
    if given.is_null() {
        return Ok(Value::Absent);
    }
    Ok(Value::Record(unsafe { handle::get(given) }?.record().clone()))
}

pub(crate) unsafe fn records(
    name: &'static str,
    given: *const *const openwa_record,
    len: usize,
) -> Result<Value> {
    let items = unsafe { list(name, given, len) }?;
    let Some(items) = items else { return Ok(Value::Absent) };
    let item = |(i, record): (usize, &*const openwa_record)| {
        let body = unsafe { handle::get(*record) }.map_err(|e| e.with("column", name).with("index", i))?;
        Ok(Value::Record(body.record().clone()))
    };
    items.iter().enumerate().map(item).collect::<Result<_>>().map(Value::List)
}

pub(crate) unsafe fn texts(name: &'static str, given: *const openwa_str, len: usize) -> Result<Value> {
    let items = unsafe { list(name, given, len) }?;
    let Some(items) = items else { return Ok(Value::Absent) };
    let item = |(i, text): (usize, &openwa_str)| {
        let text = unsafe { text.read(name) }.map_err(|e| e.with("index", i))?;
        Ok(Value::Text(Text::from(text.unwrap_or_default())))
    };
    items.iter().enumerate().map(item).collect::<Result<_>>().map(Value::List)
}

unsafe fn list<'a, T>(name: &'static str, given: *const T, len: usize) -> Result<Option<&'a [T]>> {
    if given.is_null() {
        if len > 0 {
            return Err(Error::invalid(name, format!("{name} has a length and no pointer")));
        }
        return Ok(None);
    }
    if len.checked_mul(size_of::<T>()).is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        return Err(Error::invalid(name, format!("{name} is longer than the memory")));
    }
    Ok(Some(unsafe { std::slice::from_raw_parts(given, len) }))
}

// Answers.

fn unexpected<T>(value: &Value) -> Result<T> {
    Err(Error::new(Kind::Internal, format!("an answer of another type than its description: {value:?}")))
}

pub(crate) fn nothing(_: Value) -> Result<()> {
    Ok(())
}

pub(crate) unsafe fn give_bool(out: *mut bool, value: Value) -> Result<()> {
    match value {
        Value::Bool(b) => unsafe { put(out, b) },
        other => return unexpected(&other),
    }
    Ok(())
}

pub(crate) unsafe fn give_i64(out: *mut i64, value: Value) -> Result<()> {
    match value {
        Value::Int(n) => unsafe { put(out, n) },
        Value::Time(t) => unsafe { put(out, t.millis()) },
        other => return unexpected(&other),
    }
    Ok(())
}

/// A number that there may not be.
pub(crate) unsafe fn give_optional(out: *mut i64, is_null: *mut bool, value: Value) -> Result<()> {
    unsafe { put(is_null, value == Value::Null) };
    if value == Value::Null { Ok(()) } else { unsafe { give_i64(out, value) } }
}

pub(crate) unsafe fn give_text(out: *mut *mut c_char, value: Value) -> Result<()> {
    match value {
        Value::Text(text) if !out.is_null() => unsafe { out.write(text::give(&text.decode())?) },
        Value::Text(_) | Value::Null => {}
        other => return unexpected(&other),
    }
    Ok(())
}

/// A name of a closed list, which lives as long as the program.
pub(crate) unsafe fn give_name(out: *mut *const c_char, value: Value) -> Result<()> {
    match value {
        Value::Text(name) => unsafe { put(out, text::static_name(name.as_stored())) },
        other => return unexpected(&other),
    }
    Ok(())
}

pub(crate) unsafe fn give_record(out: *mut *mut openwa_record, value: Value) -> Result<()> {
    match value {
        Value::Record(record) if !out.is_null() => unsafe {
            out.write(handle::create(record::Body::new(record)));
        },
        Value::Record(_) | Value::Null => {}
        other => return unexpected(&other),
    }
    Ok(())
}

pub(crate) unsafe fn give_rows(out: *mut *mut openwa_rows, value: Value) -> Result<()> {
    match value {
        Value::List(_) if out.is_null() => {}
        Value::List(items) => unsafe { out.write(rows::give_list(items)) },
        other => return unexpected(&other),
    }
    Ok(())
}

pub(crate) unsafe fn give_page(out: *mut *mut openwa_rows, page: Rows) -> Result<()> {
    if !out.is_null() {
        unsafe { out.write(rows::give_page(page)) };
    }
    Ok(())
}
