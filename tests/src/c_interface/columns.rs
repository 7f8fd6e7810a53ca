use super::Generated;

/// Name, type in Rust, and what it reads.
const GETTERS: &[(&str, &str, &str)] = &[
    (
        "text",
        "openwa_str",
        "Reads a column of text, of names or of UUIDs (36 characters). No copy is made: the text is \
      valid until the record is changed, stepped or freed. `NULL, 0` when there is nothing.",
    ),
    (
        "i64",
        "i64",
        "Reads a column of whole numbers or of milliseconds. 0 when there is nothing; ask \
      `openwa_record_is_null` where that makes a difference.",
    ),
    ("bool", "bool", "Reads a column of truth values. False when there is nothing."),
    (
        "time_ms",
        "i64",
        "Reads a column of times: milliseconds since 1970-01-01T00:00:00Z. 0 when there is nothing; ask \
      `openwa_record_is_null` where that makes a difference.",
    ),
    (
        "json",
        "openwa_str",
        "Reads a column of JSON documents, as text that is valid until the record is changed, stepped \
      or freed. `NULL, 0` when there is nothing.",
    ),
    (
        "bytes",
        "openwa_bytes",
        "Reads a column of bytes. No copy is made: they are valid until the record is changed, \
      stepped or freed. `NULL, 0` when there is nothing.",
    ),
    ("is_null", "bool", "Whether there is nothing in a column of any type."),
    (
        "record",
        "*const openwa_record",
        "Reads a column that holds a record, for instance `message` of a `Saved`. It \
      belongs to this record and is valid until that is changed, stepped or freed. NULL when there is nothing.",
    ),
    (
        "rows",
        "*mut openwa_rows",
        "Reads a column that holds a list, for instance `messages` of an `Ingested`, into a \
      cursor of its own. Free that with `openwa_rows_free`. NULL when there is nothing.",
    ),
];

const SETTERS: &[(&str, &str, &str)] = &[
    (
        "text",
        "openwa_str",
        "Sets a column of text, of names or of UUIDs. The text is copied. `NULL, 0` sets null.",
    ),
    ("i64", "i64", "Sets a column of whole numbers or of milliseconds."),
    ("bool", "bool", "Sets a column of truth values."),
    (
        "time_ms",
        "i64",
        "Sets a column of times: milliseconds since 1970-01-01T00:00:00Z, years 0000 to 9999.",
    ),
    (
        "json",
        "openwa_str",
        "Sets a column of JSON documents. The text is checked and copied. `NULL, 0` sets null.",
    ),
    ("bytes", "openwa_bytes", "Sets a column of bytes, which are copied. `NULL, 0` sets null."),
    ("record", "*const openwa_record", "Sets a column that holds a record, which is copied. NULL sets null."),
];

const GETTER_ERRORS: &str =
    "Errors: `OPENWA_ERR_INVALID_ARGUMENT` for a column that does not exist or has another type.";
const SETTER_ERRORS: &str = "Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the column for one that does not exist, has another type, or may not be \
     null.";

pub(super) fn file() -> Generated {
    let mut content = String::from(
        "//! Getters and setters of columns, by name and by position. Generated; `BLESS=1 cargo test -p openwa-tests --test\n\
         //! c_interface` renews it.\n\n\
         use std::ffi::c_char;\n\n\
         use crate::error::openwa_error;\n\
         use crate::record::{self, openwa_record};\n\
         use crate::rows::openwa_rows;\n\
         use crate::text::{openwa_bytes, openwa_str};\n",
    );
    for (name, ty, doc) in GETTERS {
        for at in ["", "_at"] {
            let (doc, column) = variant(&format!("openwa_record_{name}"), doc, GETTER_ERRORS, at);
            content.push_str(&format!(
                "\n{doc}#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn openwa_record_{name}{at}(\n    \
                 record: *const openwa_record,\n    column: {column},\n    out: *mut {ty},\n    \
                 err: *mut *mut openwa_error,\n) -> i32 {{\n    \
                 unsafe {{ record::get(record, column, out, err, record::read::{name}) }}\n}}\n"
            ));
        }
    }
    for (name, ty, doc) in SETTERS {
        for at in ["", "_at"] {
            let (doc, column) = variant(&format!("openwa_record_set_{name}"), doc, SETTER_ERRORS, at);
            content.push_str(&format!(
                "\n{doc}#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn openwa_record_set_{name}{at}(\n    \
                 record: *mut openwa_record,\n    column: {column},\n    value: {ty},\n    \
                 err: *mut *mut openwa_error,\n) -> i32 {{\n    \
                 unsafe {{ record::set(record, column, value, err, record::write::{name}) }}\n}}\n"
            ));
        }
    }
    Generated { path: "ffi/src/columns.rs", content }
}

fn variant(function: &str, doc: &str, errors: &str, at: &str) -> (String, &'static str) {
    if at.is_empty() {
        (super::comment(&format!("{doc}\n\n{errors}")), "*const c_char")
    } else {
        (super::comment(&format!("`{function}` by the position of the column.")), "usize")
    }
}
