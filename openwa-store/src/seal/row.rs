//! The sealed values of a row.

use std::borrow::Cow;
use std::sync::Arc;

use super::form::{self, Form, MARK};
use super::{KeyId, SealKey, inside};
use crate::entity::{ColumnDef, Sealing, Table};
use crate::error::{Error, Kind, Result};
use crate::value::{Column, ColumnKind, Row, Value};

/// Rows of `openwa_extra` that stay in clear, by the table they are about: they say of messages and people what our own
/// tables say of them in clear, and there may be millions.
const IN_CLEAR: [&str; 5] =
    ["messages", "baileys_stored_messages", "lid_mappings", "message_batches", "chat_states"];

/// How values are to be written.
#[derive(Clone)]
pub(crate) enum Target {
    Clear,
    Sealed(Arc<SealKey>),
}

impl Target {
    /// The key; `None`: in clear.
    pub(crate) fn id(&self) -> Option<KeyId> {
        match self {
            Target::Clear => None,
            Target::Sealed(key) => Some(key.id()),
        }
    }

    /// What takes the place of a row's values when it is written. They stand in the order of the table's columns.
    pub(crate) fn seal(&self, table: &Table, values: &[Value<'_>]) -> Result<Replaced> {
        let key = key_of(table, |i| values[i]);
        let mut out = Replaced::default();
        if stays_open(table, &key) {
            return Ok(out);
        }
        for (i, column) in sealed_columns(table) {
            let Some(value) = bytes(values[i]) else { continue };
            let at = |path: &str| place(table, column, &key, path);
            let new = match column.sealing {
                Sealing::Inside => self.seal_inside(value, &at)?,
                _ => self.put(column.kind, &|| at(""), value)?,
            };
            out.add(i, column.kind, new);
        }
        Ok(out)
    }

    fn put(&self, kind: ColumnKind, place: &dyn Fn() -> Vec<u8>, value: &[u8]) -> Result<Option<Vec<u8>>> {
        match self {
            Target::Clear => Ok(form::clear(kind, value)),
            Target::Sealed(_) if is_nothing(kind, value) => Ok(None),
            Target::Sealed(key) => form::sealed(kind, key, &place(), value).map(Some),
        }
    }

    fn seal_inside(&self, document: &[u8], at: &dyn Fn(&str) -> Vec<u8>) -> Result<Option<Vec<u8>>> {
        let Ok(document) = std::str::from_utf8(document) else { return Ok(None) };
        let new = inside::replace(document, &mut |place, token| {
            if !to_be_sealed(&place.name(), token) {
                return Ok(None);
            }
            let new = self.put(ColumnKind::Json, &|| at(&place.path()), token.as_bytes())?;
            Ok(new.and_then(|new| String::from_utf8(new).ok()))
        });
        Ok(new?.map(String::into_bytes))
    }
}

/// Whether a text inside a document is sealed: a secret, and what would be taken for one that is sealed.
fn to_be_sealed(name: &str, token: &str) -> bool {
    let text: Cow<'_, str> = match serde_json::from_str::<String>(token) {
        Ok(text) => text.into(),
        Err(_) => token.trim_matches('"').into(),
    };
    text.starts_with(MARK) || inside::is_secret(name, &text)
}

/// Whether a value hides nothing: the empty object is what a column has by default.
fn is_nothing(kind: ColumnKind, value: &[u8]) -> bool {
    kind == ColumnKind::Json && value == b"{}"
}

/// The keys that a reader has.
pub(crate) trait Keys {
    fn find(&self, id: KeyId) -> Option<&SealKey>;
    /// Whether a key was given at all.
    fn is_given(&self) -> bool;
    /// Whether everything in the database is sealed, so that a value in clear was put there by somebody else.
    fn is_all_sealed(&self) -> bool;
    /// Why a value that is sealed with a key that is not there cannot be read.
    fn lacking(&self, id: KeyId) -> Error;
}

/// A value that takes the place of a stored one.
#[derive(PartialEq, Eq)]
pub(crate) enum Own {
    Text(String),
    Json(String),
    Bytes(Vec<u8>),
}

impl Own {
    fn new(kind: ColumnKind, bytes: Vec<u8>) -> Option<Self> {
        Some(match kind {
            ColumnKind::Bytes => Own::Bytes(bytes),
            ColumnKind::Json => Own::Json(String::from_utf8(bytes).ok()?),
            _ => Own::Text(String::from_utf8(bytes).ok()?),
        })
    }

    /// A copy of a value of a column; `None`: it is NULL.
    pub(crate) fn of(kind: ColumnKind, value: Value<'_>) -> Option<Self> {
        Own::new(kind, bytes(value)?.to_vec())
    }

    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Own::Text(s) => Value::Text(s),
            Own::Json(s) => Value::Json(s),
            Own::Bytes(b) => Value::Bytes(b),
        }
    }
}

/// Values that take the place of some of a row's own.
#[derive(Default)]
pub(crate) struct Replaced(Vec<(usize, Own)>);

impl Replaced {
    fn add(&mut self, index: usize, kind: ColumnKind, new: Option<Vec<u8>>) {
        self.0.extend(new.and_then(|new| Own::new(kind, new)).map(|own| (index, own)));
    }

    pub(crate) fn get(&self, index: usize) -> Option<Value<'_>> {
        self.0.iter().find(|(i, _)| *i == index).map(|(_, own)| own.value())
    }

    pub(crate) fn indexes(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(i, _)| *i)
    }

    /// A row's values with these in their place.
    pub(crate) fn over<'a>(&'a self, values: &[Value<'a>]) -> Vec<Value<'a>> {
        let value = |(i, value): (usize, &Value<'a>)| self.get(i).unwrap_or(*value);
        values.iter().enumerate().map(value).collect()
    }
}

/// A row with its sealed values opened.
pub(crate) struct OpenedRow<'a> {
    row: &'a dyn Row,
    opened: Replaced,
}

impl<'a> OpenedRow<'a> {
    /// Opens a row that was selected with [`Table::column_list`].
    pub(crate) fn new(table: &Table, row: &'a dyn Row, keys: &dyn Keys) -> Result<Self> {
        let key = key_of(table, |i| row.get(i));
        let mut opened = Replaced::default();
        for (i, _) in sealed_columns(table) {
            if let Some(own) = open_value(table, i, &key, row.get(i), keys)? {
                opened.0.push((i, own));
            }
        }
        Ok(OpenedRow { row, opened })
    }

    /// All values of the row.
    pub(crate) fn values(&self, table: &Table) -> Vec<Value<'_>> {
        (0..table.columns.len()).map(|i| self.get(i)).collect()
    }
}

impl Row for OpenedRow<'_> {
    fn get(&self, index: usize) -> Value<'_> {
        self.opened.get(index).unwrap_or_else(|| self.row.get(index))
    }
}

/// What a stored value says, if that is not what is stored. `key` are the values of the row's primary key.
pub(crate) fn open_value(
    table: &Table,
    index: usize,
    key: &[String],
    stored: Value<'_>,
    keys: &dyn Keys,
) -> Result<Option<Own>> {
    let column = &table.columns[index];
    let Some(bytes) = bytes(stored).filter(|_| !stays_open(table, key)) else { return Ok(None) };
    let open = |kind, stored: &[u8], path: &str| -> Result<Option<Vec<u8>>> {
        let unreadable = |text| at(Error::new(Kind::Unreadable, text), table, column, key);
        match form::read(kind, stored) {
            Form::Clear(clear) => Ok((clear.len() != stored.len()).then(|| clear.into_owned())),
            Form::Sealed { .. } if column.sealing != Sealing::Whole && !keys.is_given() => Ok(None),
            Form::Sealed { key: id, body } => {
                let with = keys.find(id).ok_or_else(|| at(keys.lacking(id), table, column, key))?;
                let opened = with.open(&place(table, column, key, path), &body);
                opened.map(Some).ok_or_else(|| unreadable("the sealed value is damaged, or was moved here"))
            }
            Form::Broken => Err(unreadable("the sealed value is damaged")),
        }
    };
    let new = if column.sealing == Sealing::Inside {
        open_inside(bytes, &open)?
    } else {
        let new = open(column.kind, bytes, "")?;
        let in_clear = || matches!(form::read(column.kind, bytes), Form::Clear(_));
        if keys.is_all_sealed() && !is_nothing(column.kind, bytes) && in_clear() {
            let text = "the value is not sealed, although everything is: somebody else put it there";
            return Err(at(Error::new(Kind::Unreadable, text), table, column, key));
        }
        new
    };
    Ok(new.and_then(|new| Own::new(column.kind, new)))
}

type Open<'a> = &'a dyn Fn(ColumnKind, &[u8], &str) -> Result<Option<Vec<u8>>>;

fn open_inside(document: &[u8], open: Open<'_>) -> Result<Option<Vec<u8>>> {
    if memchr::memmem::find(document, MARK.as_bytes()).is_none() {
        return Ok(None);
    }
    let Ok(document) = std::str::from_utf8(document) else { return Ok(None) };
    let new = inside::replace(document, &mut |place, token| {
        let new = open(ColumnKind::Json, token.as_bytes(), &place.path())?;
        Ok(new.and_then(|new| String::from_utf8(new).ok()))
    });
    Ok(new?.map(String::into_bytes))
}

/// Whether the stored values of a row are as they would be written now.
pub(crate) fn is_as_wanted(table: &Table, row: &dyn Row, target: &Target) -> bool {
    if stays_open(table, &key_of(table, |i| row.get(i))) {
        return true;
    }
    let wanted = target.id();
    let id = |kind, stored: &[u8]| match form::read(kind, stored) {
        Form::Clear(_) => Some(None),
        Form::Sealed { key, .. } => Some(Some(key)),
        Form::Broken => None,
    };
    sealed_columns(table).all(|(i, column)| {
        let Some(stored) = bytes(row.get(i)) else { return true };
        if column.sealing != Sealing::Inside {
            return is_nothing(column.kind, stored) || id(column.kind, stored) == Some(wanted);
        }
        let mut good = true;
        let look = inside::replace(std::str::from_utf8(stored).unwrap_or_default(), &mut |place, token| {
            good &= match id(ColumnKind::Json, token.as_bytes()) {
                Some(None) => wanted.is_none() || !to_be_sealed(&place.name(), token),
                sealed => sealed == Some(wanted),
            };
            Ok(None)
        });
        look.is_ok() && good
    })
}

/// What is lost of a row with keys that are lost.
#[derive(Default)]
pub(crate) struct Dropped {
    /// Columns whose value is lost.
    pub(crate) columns: Vec<usize>,
    /// Documents with `null` in place of the texts that are lost.
    pub(crate) documents: Replaced,
}

/// Finds the values of a row that no key opens.
pub(crate) fn drop_lost(table: &Table, row: &dyn Row, keys: &dyn Keys) -> Dropped {
    let is_lost = |kind, stored: &[u8]| matches!(form::read(kind, stored), Form::Sealed { key, .. } if keys.find(key).is_none());
    let mut out = Dropped::default();
    for (i, column) in sealed_columns(table) {
        let Some(stored) = bytes(row.get(i)) else { continue };
        if column.sealing != Sealing::Inside {
            out.columns.extend(is_lost(column.kind, stored).then_some(i));
            continue;
        }
        let document = std::str::from_utf8(stored).unwrap_or_default();
        let null = &mut |_: &inside::Place<'_>, token: &str| {
            Ok(is_lost(ColumnKind::Json, token.as_bytes()).then(|| "null".to_owned()))
        };
        if let Ok(Some(new)) = inside::replace(document, null) {
            out.documents.add(i, column.kind, Some(new.into_bytes()));
        }
    }
    out
}

fn sealed_columns(table: &Table) -> impl Iterator<Item = (usize, &ColumnDef)> {
    table.columns.iter().enumerate().filter(|(_, c)| c.sealing != Sealing::None)
}

/// Whether a row is one that is never sealed.
fn stays_open(table: &Table, key: &[String]) -> bool {
    table.name == "openwa_extra" && key.first().is_some_and(|about| IN_CLEAR.contains(&about.as_str()))
}

/// The values of a row's primary key, the same from both engines.
fn key_of<'v>(table: &Table, value: impl Fn(usize) -> Value<'v>) -> Vec<String> {
    let part = |i: usize| match (table.columns[i].kind, value(i)) {
        (ColumnKind::Uuid, value) => uuid::Uuid::read(value).unwrap_or_default().to_string(),
        (_, Value::Text(s)) => s.to_owned(),
        (_, other) => format!("{other:?}"),
    };
    table.key.iter().filter_map(|k| table.index_of(k)).map(part).collect()
}

/// The place that a value is bound to: each part with its length before it, so that no two are the same.
fn place(table: &Table, column: &ColumnDef, key: &[String], path: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let parts = [table.name, column.name].into_iter().chain(key.iter().map(String::as_str)).chain([path]);
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part.as_bytes());
    }
    out
}

fn at(e: Error, table: &Table, column: &ColumnDef, key: &[String]) -> Error {
    e.with("table", table.name).with("column", column.name).with("row", key.join("/"))
}

fn bytes(value: Value<'_>) -> Option<&[u8]> {
    match value {
        Value::Text(s) | Value::Json(s) => Some(s.as_bytes()),
        Value::Bytes(b) => Some(b),
        _ => None,
    }
}
