//! One row of a source, whatever the source: names and values.
//!
//! A mapping *takes* the columns it knows; what it leaves goes to `openwa_extra`. So no column can be lost by
//! being forgotten. Text and JSON are in the library's stored form (see [`crate::text`]) throughout.

use serde_json::Value;
use uuid::Uuid;

use crate::json::{self, Json};
use crate::text::Text;
use crate::time::Timestamp;

/// A value as a source holds it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Real(f64),
    Text(String),
    /// An object or a list, where the source has JSON itself and not a text with JSON in it.
    Json(Value),
    Bytes(Vec<u8>),
}

/// What is wrong with a row. Values are not told: they may be secret.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong {
    pub(super) column: String,
    pub(super) why: String,
}

impl Wrong {
    pub(super) fn new(column: &str, why: impl Into<String>) -> Self {
        Wrong { column: column.to_owned(), why: why.into() }
    }
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SourceRow(Vec<(String, Cell)>);

impl SourceRow {
    pub(super) fn push(&mut self, name: impl Into<String>, cell: Cell) {
        self.0.push((name.into(), cell));
    }

    /// Reads a JSON object as a row.
    pub(super) fn from_json(object: &[u8]) -> Result<Self, Wrong> {
        let value = json::parse(object).map_err(|e| Wrong::new("", e.message()))?;
        let Value::Object(members) = value else { return Err(Wrong::new("", "the row is not an object")) };
        let cell = |value: Value| match value {
            Value::Null => Cell::Null,
            Value::Bool(b) => Cell::Bool(b),
            Value::Number(n) => match n.as_i64() {
                Some(n) => Cell::Int(n),
                None => Cell::Real(n.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(s) => Cell::Text(s),
            other => Cell::Json(other),
        };
        Ok(SourceRow(members.into_iter().map(|(name, value)| (name, cell(value))).collect()))
    }

    pub(super) fn peek(&self, name: &str) -> Option<&Cell> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, cell)| cell)
    }

    /// Takes a value out of the row; one that is not there is null.
    pub(super) fn take(&mut self, name: &str) -> Cell {
        let found = self.0.iter_mut().find(|(n, _)| n == name);
        found.map_or(Cell::Null, |(_, cell)| std::mem::replace(cell, Cell::Null))
    }

    /// Puts a value into the row, so that it is kept.
    pub(super) fn keep(&mut self, name: &str, cell: Cell) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, at)) => *at = cell,
            None => self.push(name, cell),
        }
    }

    /// How the row is called in the report and in `openwa_extra`.
    pub(super) fn label(&self, keys: &[&str]) -> Option<String> {
        let part = |key: &&str| match self.peek(key)? {
            Cell::Text(s) => Some(s.clone()),
            Cell::Int(n) => Some(n.to_string()),
            _ => None,
        };
        let parts: Option<Vec<String>> = keys.iter().map(part).collect();
        parts.filter(|p| !p.is_empty()).map(|p| p.join("/"))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<Text>, Wrong> {
        match self.take(name) {
            Cell::Null => Ok(None),
            Cell::Text(s) => Ok(Some(Text::from_stored(s))),
            _ => Err(Wrong::new(name, "is not text")),
        }
    }

    pub(super) fn need_text(&mut self, name: &str) -> Result<Text, Wrong> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A number; PostgreSQL's driver gives a `bigint` as text.
    pub(super) fn int(&mut self, name: &str) -> Result<Option<i64>, Wrong> {
        match self.take(name) {
            Cell::Null => Ok(None),
            Cell::Int(n) => Ok(Some(n)),
            Cell::Text(s) => s.parse().map(Some).map_err(|_| Wrong::new(name, "is not a whole number")),
            _ => Err(Wrong::new(name, "is not a whole number")),
        }
    }

    /// True or false; SQLite has 1 and 0.
    pub(super) fn bool(&mut self, name: &str) -> Result<Option<bool>, Wrong> {
        match self.take(name) {
            Cell::Null => Ok(None),
            Cell::Bool(b) => Ok(Some(b)),
            Cell::Int(n @ 0..=1) => Ok(Some(n == 1)),
            _ => Err(Wrong::new(name, "is neither true nor false")),
        }
    }

    /// A time in any of the forms that OpenWA writes; without a zone it is UTC.
    pub(super) fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Wrong> {
        match self.take(name) {
            Cell::Null => Ok(None),
            Cell::Text(s) if s.is_empty() => Ok(None),
            Cell::Text(s) => Timestamp::parse(&s).map(Some).map_err(|_| Wrong::new(name, "is not a time")),
            _ => Err(Wrong::new(name, "is not a time")),
        }
    }

    pub(super) fn need_time(&mut self, name: &str) -> Result<Timestamp, Wrong> {
        self.time(name)?.ok_or_else(|| missing(name))
    }

    pub(super) fn need_uuid(&mut self, name: &str) -> Result<Uuid, Wrong> {
        let text = self.need_text(name)?;
        Uuid::try_parse(text.as_stored()).map_err(|_| Wrong::new(name, "is not a UUID"))
    }

    /// A UUID where there is one; anything else stays in the row.
    pub(super) fn uuid_or_keep(&mut self, name: &str) -> Option<Uuid> {
        let Some(Cell::Text(s)) = self.peek(name) else { return None };
        let id = Uuid::try_parse(s).ok()?;
        self.take(name);
        Some(id)
    }

    /// A JSON document, as a text with JSON in it or as JSON itself. The digits of its numbers are kept.
    pub(super) fn json(&mut self, name: &str) -> Result<Option<Json>, Wrong> {
        match self.take(name) {
            Cell::Null => Ok(None),
            Cell::Text(s) if s.is_empty() => Ok(None),
            // The text was taken out of a document or a database; its own escapes are still standard ones.
            Cell::Text(s) => {
                let standard = json::to_json(&s);
                Json::parse(standard.as_bytes()).map(Some).map_err(|_| Wrong::new(name, "is not JSON"))
            }
            Cell::Json(value) => Ok(Some(Json::from(value))),
            _ => Err(Wrong::new(name, "is not JSON")),
        }
    }

    /// A JSON document, parsed.
    pub(super) fn json_value(&mut self, name: &str) -> Result<Option<Value>, Wrong> {
        let Some(json) = self.json(name)? else { return Ok(None) };
        json.value().map(Some).map_err(|_| Wrong::new(name, "is not JSON"))
    }

    /// Names of the columns that still hold something.
    pub(super) fn left(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, cell)| *cell != Cell::Null).map(|(name, _)| name.as_str())
    }

    /// What was not taken, as a JSON object; `None`: nothing is left.
    pub(super) fn rest(&self) -> Option<Value> {
        self.left().next()?;
        let held = self.0.iter().filter(|(_, cell)| *cell != Cell::Null);
        Some(Value::Object(held.map(|(name, cell)| (name.clone(), to_value(cell))).collect()))
    }

    /// The whole row as a JSON object.
    pub(super) fn whole(&self) -> Value {
        Value::Object(self.0.iter().map(|(name, cell)| (name.clone(), to_value(cell))).collect())
    }
}

fn missing(name: &str) -> Wrong {
    Wrong::new(name, "is missing")
}

fn to_value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(b) => Value::from(*b),
        Cell::Int(n) => Value::from(*n),
        Cell::Real(x) => Value::from(*x),
        Cell::Text(s) => Value::from(s.as_str()),
        Cell::Json(value) => value.clone(),
        Cell::Bytes(bytes) => {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            serde_json::json!({ "bytes": hex })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> SourceRow {
        SourceRow::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn the_same_value_in_the_forms_of_both_engines() {
        for json in [
            r#"{"n":7,"b":1,"t":"2026-05-04 07:30:00","j":"{\"a\":[1]}"}"#,
            r#"{"n":"7","b":true,"t":"2026-05-04T07:30:00.000Z","j":{"a":[1]}}"#,
        ] {
            let mut r = row(json);
            assert_eq!(r.int("n"), Ok(Some(7)));
            assert_eq!(r.bool("b"), Ok(Some(true)));
            assert_eq!(r.time("t").unwrap().unwrap().to_string(), "2026-05-04T07:30:00.000Z");
            assert_eq!(r.json("j").unwrap().unwrap(), Json::parse(r#"{"a":[1]}"#).unwrap());
            assert_eq!(r.rest(), None, "everything was taken");
        }
    }

    #[test]
    fn what_is_not_taken_is_left() {
        let mut r = row(r#"{"id":"x","proxyUrl":"http://h","nodeId":null}"#);
        assert_eq!(r.label(&["id"]).as_deref(), Some("x"));
        r.take("id");
        assert_eq!(r.rest().unwrap().to_string(), r#"{"proxyUrl":"http://h"}"#);
    }

    #[test]
    fn lone_surrogates_and_nul_survive_in_json_within_text() {
        let mut r = row(r#"{"a":"{\"x\":\"\\ud83d\"}","b":"{\"x\":\"\ud83d\u0000\"}","c":"␛"}"#);
        assert_eq!(r.json("a").unwrap().unwrap().to_json(), r#"{"x":"\ud83d"}"#);
        assert_eq!(r.json("b").unwrap().unwrap().to_json(), r#"{"x":"\ud83d\u0000"}"#);
        assert_eq!(r.text("c").unwrap().unwrap(), "␛");
    }

    #[test]
    fn what_is_wrong_names_its_column() {
        let mut r = row(r#"{"n":"x","b":2,"t":"soon","j":"{","u":"7"}"#);
        for (wrong, column) in [
            (r.int("n").err(), "n"),
            (r.bool("b").err(), "b"),
            (r.time("t").err(), "t"),
            (r.json("j").err(), "j"),
            (r.need_uuid("u").err(), "u"),
            (r.need_text("gone").err(), "gone"),
        ] {
            assert_eq!(wrong.unwrap().column, column);
        }
    }
}
