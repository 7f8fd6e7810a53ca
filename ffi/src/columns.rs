//! Getters and setters of columns, by name and by position. Generated; `BLESS=1 cargo test -p openwa-tests --test
//! c_interface` renews it.

use std::ffi::c_char;

use crate::error::openwa_error;
use crate::record::{self, openwa_record};
use crate::rows::openwa_rows;
use crate::text::{openwa_bytes, openwa_str};

/// Reads a column of text, of names or of UUIDs (36 characters). No copy is made: the text is valid until the
/// record is changed, stepped or freed. `NULL, 0` when there is nothing.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_text(
    record: *const openwa_record,
    column: *const c_char,
    out: *mut openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::text) }
}

/// `openwa_record_text` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_text_at(
    record: *const openwa_record,
    column: usize,
    out: *mut openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::text) }
}

/// Reads a column of whole numbers or of milliseconds. 0 when there is nothing; ask `openwa_record_is_null` where
/// that makes a difference.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_i64(
    record: *const openwa_record,
    column: *const c_char,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::i64) }
}

/// `openwa_record_i64` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_i64_at(
    record: *const openwa_record,
    column: usize,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::i64) }
}

/// Reads a column of truth values. False when there is nothing.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_bool(
    record: *const openwa_record,
    column: *const c_char,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::bool) }
}

/// `openwa_record_bool` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_bool_at(
    record: *const openwa_record,
    column: usize,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::bool) }
}

/// Reads a column of times: milliseconds since 1970-01-01T00:00:00Z. 0 when there is nothing; ask
/// `openwa_record_is_null` where that makes a difference.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_time_ms(
    record: *const openwa_record,
    column: *const c_char,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::time_ms) }
}

/// `openwa_record_time_ms` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_time_ms_at(
    record: *const openwa_record,
    column: usize,
    out: *mut i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::time_ms) }
}

/// Reads a column of JSON documents, as text that is valid until the record is changed, stepped or freed. `NULL,
/// 0` when there is nothing.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_json(
    record: *const openwa_record,
    column: *const c_char,
    out: *mut openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::json) }
}

/// `openwa_record_json` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_json_at(
    record: *const openwa_record,
    column: usize,
    out: *mut openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::json) }
}

/// Reads a column of bytes. No copy is made: they are valid until the record is changed, stepped or freed. `NULL,
/// 0` when there is nothing.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_bytes(
    record: *const openwa_record,
    column: *const c_char,
    out: *mut openwa_bytes,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::bytes) }
}

/// `openwa_record_bytes` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_bytes_at(
    record: *const openwa_record,
    column: usize,
    out: *mut openwa_bytes,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::bytes) }
}

/// Whether there is nothing in a column of any type.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_is_null(
    record: *const openwa_record,
    column: *const c_char,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::is_null) }
}

/// `openwa_record_is_null` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_is_null_at(
    record: *const openwa_record,
    column: usize,
    out: *mut bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::is_null) }
}

/// Reads a column that holds a record, for instance `message` of a `Saved`. It belongs to this record and is
/// valid until that is changed, stepped or freed. NULL when there is nothing.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_record(
    record: *const openwa_record,
    column: *const c_char,
    out: *mut *const openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::record) }
}

/// `openwa_record_record` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_record_at(
    record: *const openwa_record,
    column: usize,
    out: *mut *const openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::record) }
}

/// Reads a column that holds a list, for instance `messages` of an `Ingested`, into a cursor of its own. Free
/// that with `openwa_rows_free`. NULL when there is nothing.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_rows(
    record: *const openwa_record,
    column: *const c_char,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::rows) }
}

/// `openwa_record_rows` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_rows_at(
    record: *const openwa_record,
    column: usize,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::get(record, column, out, err, record::read::rows) }
}

/// Sets a column of text, of names or of UUIDs. The text is copied. `NULL, 0` sets null.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
/// not be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_text(
    record: *mut openwa_record,
    column: *const c_char,
    value: openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::text) }
}

/// `openwa_record_set_text` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_text_at(
    record: *mut openwa_record,
    column: usize,
    value: openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::text) }
}

/// Sets a column of whole numbers or of milliseconds.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
/// not be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_i64(
    record: *mut openwa_record,
    column: *const c_char,
    value: i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::i64) }
}

/// `openwa_record_set_i64` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_i64_at(
    record: *mut openwa_record,
    column: usize,
    value: i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::i64) }
}

/// Sets a column of truth values.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
/// not be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_bool(
    record: *mut openwa_record,
    column: *const c_char,
    value: bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::bool) }
}

/// `openwa_record_set_bool` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_bool_at(
    record: *mut openwa_record,
    column: usize,
    value: bool,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::bool) }
}

/// Sets a column of times: milliseconds since 1970-01-01T00:00:00Z, years 0000 to 9999.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
/// not be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_time_ms(
    record: *mut openwa_record,
    column: *const c_char,
    value: i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::time_ms) }
}

/// `openwa_record_set_time_ms` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_time_ms_at(
    record: *mut openwa_record,
    column: usize,
    value: i64,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::time_ms) }
}

/// Sets a column of JSON documents. The text is checked and copied. `NULL, 0` sets null.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
/// not be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_json(
    record: *mut openwa_record,
    column: *const c_char,
    value: openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::json) }
}

/// `openwa_record_set_json` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_json_at(
    record: *mut openwa_record,
    column: usize,
    value: openwa_str,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::json) }
}

/// Sets a column of bytes, which are copied. `NULL, 0` sets null.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
/// not be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_bytes(
    record: *mut openwa_record,
    column: *const c_char,
    value: openwa_bytes,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::bytes) }
}

/// `openwa_record_set_bytes` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_bytes_at(
    record: *mut openwa_record,
    column: usize,
    value: openwa_bytes,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::bytes) }
}

/// Sets a column that holds a record, which is copied. NULL sets null.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may
/// not be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_record(
    record: *mut openwa_record,
    column: *const c_char,
    value: *const openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::record) }
}

/// `openwa_record_set_record` by the position of the column.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_record_set_record_at(
    record: *mut openwa_record,
    column: usize,
    value: *const openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe { record::set(record, column, value, err, record::write::record) }
}
