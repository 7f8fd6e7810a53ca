//! One row of a database as JSON.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem::find;
use uuid::Uuid;

use super::canonical::{Canonical, push_string};
use crate::entity::Table;
use crate::error::Result;
use crate::json::to_json;
use crate::text::ESC_UTF8;
use crate::time::Timestamp;
use crate::value::{Column, ColumnKind, Row, Value};

/// Writes the rows of one table.
pub(crate) struct Renderer {
    table: &'static Table,
    /// `{"id":`, `,"name":` …
    keys: Vec<String>,
    /// What stands in place of a column's value; nothing at all: the column is left out.
    instead: Vec<Option<&'static str>>,
    canonical: Canonical,
    /// Text in the stored form, before its escapes become JSON's.
    stored: Vec<u8>,
}

impl Renderer {
    /// Rows as they are.
    pub(crate) fn new(table: &'static Table) -> Self {
        Self::replacing(table, vec![None; table.columns.len()])
    }

    /// Rows with something else in place of some values.
    pub(crate) fn replacing(table: &'static Table, instead: Vec<Option<&'static str>>) -> Self {
        let key = |(i, name)| format!("{}\"{name}\":", if i == 0 { '{' } else { ',' });
        let keys = table.columns.iter().map(|c| c.name).enumerate().map(key).collect();
        Renderer { table, keys, instead, canonical: Canonical::default(), stored: Vec::new() }
    }

    /// Appends a row that was selected with [`Table::column_list`].
    ///
    /// Fails with `Unreadable` naming table, column and row for a value that is none of its column's.
    pub(crate) fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        for i in 0..self.keys.len() {
            let before = out.len();
            out.extend_from_slice(self.keys[i].as_bytes());
            let value = out.len();
            match self.instead[i] {
                Some(instead) => out.extend_from_slice(instead.as_bytes()),
                None => self.column(i, row, out)?,
            }
            if out.len() == value {
                out.truncate(before);
            }
        }
        out.push(b'}');
        Ok(())
    }

    /// Appends the value of one column: nothing for a JSON column that is NULL, since `null` is a document.
    pub(super) fn column(&mut self, index: usize, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        self.value(index, row.get(index), out).ok_or_else(|| self.table.unreadable(index, row))
    }

    fn value(&mut self, index: usize, value: Value<'_>, out: &mut Vec<u8>) -> Option<()> {
        let column = &self.table.columns[index];
        match (column.kind, value) {
            (ColumnKind::Json, Value::Null) if column.nullable => {}
            (_, Value::Null) if column.nullable => out.extend_from_slice(b"null"),
            (ColumnKind::Time, Value::Text("")) if column.nullable => out.extend_from_slice(b"null"),
            (ColumnKind::Text, Value::Text(s)) => self.text(s, out),
            (ColumnKind::Enum(names), Value::Text(s)) if names.contains(&s) => push_string(s, out),
            (ColumnKind::Json, Value::Text(s) | Value::Json(s)) => self.json(s, out)?,
            (ColumnKind::Uuid, value) => {
                let mut text = [0; 36];
                Uuid::read(value)?.hyphenated().encode_lower(&mut text);
                push_quoted(&text, out);
            }
            (ColumnKind::Time, value) => push_quoted(Timestamp::read(value)?.iso().as_str().as_bytes(), out),
            (ColumnKind::Int, Value::Int(n)) => write!(out, "{n}").ok()?,
            (ColumnKind::Bool, value) => write!(out, "{}", bool::read(value)?).ok()?,
            (ColumnKind::Bytes, Value::Bytes(bytes)) => push_base64(bytes, out),
            _ => return None,
        }
        Some(())
    }

    fn text(&mut self, s: &str, out: &mut Vec<u8>) {
        if find(s.as_bytes(), ESC_UTF8).is_none() {
            return push_string(s, out);
        }
        self.stored.clear();
        push_string(s, &mut self.stored);
        self.push_stored(out);
    }

    fn json(&mut self, s: &str, out: &mut Vec<u8>) -> Option<()> {
        if find(s.as_bytes(), ESC_UTF8).is_none() && find(s.as_bytes(), b"\\u").is_none() {
            return self.canonical.text(s, out).ok();
        }
        self.stored.clear();
        self.canonical.text(s, &mut self.stored).ok()?;
        self.push_stored(out);
        Some(())
    }

    /// Appends JSON in the stored form as standard JSON.
    fn push_stored(&self, out: &mut Vec<u8>) {
        let stored = std::str::from_utf8(&self.stored).unwrap_or_default();
        out.extend_from_slice(to_json(stored).as_bytes());
    }
}

fn push_quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    // Four characters for every three bytes, the last group filled up.
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    debug_assert_eq!(written, Ok(out.len() - start));
    out.push(b'"');
}
