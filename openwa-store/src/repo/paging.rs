//! Pages by keyset: a cursor names the last row of a page, so rows that come or go meanwhile neither shift nor
//! repeat anything.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use uuid::Uuid;

use crate::db::Conn;
use crate::entity::Entity;
use crate::error::{Error, Result};
pub use crate::record::Page;
use crate::record::shape;
use crate::time::Timestamp;
use crate::value::Value;

/// Rows of a page unless the caller says otherwise.
pub const DEFAULT_LIMIT: u32 = 50;
/// The most rows of a page.
pub const MAX_LIMIT: u32 = 1000;

shape! { input:
/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Rows of the page, 1 to 1,000; default 50.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}
}

/// The place behind a row: its time and what tells rows of the same time apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keyset {
    pub(crate) at: Timestamp,
    pub(crate) key: String,
}

impl PageRequest {
    pub(crate) fn limit(&self) -> Result<u32> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            n @ 1..=MAX_LIMIT => Ok(n),
            n => Err(Error::invalid("limit", format!("a page has 1 to {MAX_LIMIT} rows, not {n}"))),
        }
    }

    pub(crate) fn keyset(&self) -> Result<Option<Keyset>> {
        self.after.as_deref().map(Keyset::decode).transpose()
    }
}

impl Keyset {
    /// The key of a list whose rows are told apart by their id.
    pub(crate) fn id(&self) -> Result<Uuid> {
        Uuid::try_parse(&self.key).map_err(|_| bad())
    }

    fn decode(cursor: &str) -> Result<Self> {
        let text =
            String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?).map_err(|_| bad())?;
        let (ms, key) = text.split_once('/').ok_or_else(bad)?;
        let at = ms.parse().ok().and_then(Timestamp::from_millis).ok_or_else(bad)?;
        Ok(Keyset { at, key: key.to_owned() })
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}/{}", self.at.millis(), self.key))
    }
}

fn bad() -> Error {
    Error::invalid("after", "not a cursor of this library; give back `next` as it came")
}

/// Cuts a list of up to `limit + 1` rows to a page; the row too many says that there is a next page.
pub(crate) fn page<T>(mut items: Vec<T>, limit: u32, place: impl Fn(&T) -> Keyset) -> Page<T> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = if more { items.last().map(|row| place(row).encode()) } else { None };
    Page { items, next }
}

/// A listing under construction: its conditions and their values.
#[derive(Default)]
pub(crate) struct Listing<'a> {
    conditions: String,
    values: Vec<Value<'a>>,
}

impl<'a> Listing<'a> {
    /// Adds a condition, where `{}` is the place of the value; gives the number of that place.
    pub(crate) fn and(&mut self, condition: &str, value: Value<'a>) -> usize {
        self.values.push(value);
        let place = self.values.len();
        let (before, after) = condition.split_once("{}").unwrap_or((condition, ""));
        let word = if place == 1 { "WHERE" } else { "AND" };
        // Writing to a string does not fail.
        let _ = write!(self.conditions, " {word} {before}?{place}{after}");
        place
    }

    /// Adds the condition that a column has one of some values.
    pub(crate) fn one_of(&mut self, column: &str, values: impl Iterator<Item = Value<'a>>) {
        let word = if self.values.is_empty() { "WHERE" } else { "AND" };
        let first = self.values.len() + 1;
        self.values.extend(values);
        let places: Vec<String> = (first..=self.values.len()).map(|place| format!("?{place}")).collect();
        let _ = match places.as_slice() {
            [one] => write!(self.conditions, " {word} {column} = {one}"),
            many => write!(self.conditions, " {word} {column} IN ({})", many.join(", ")),
        };
    }

    /// Only rows behind a cursor over time of creation and id.
    pub(crate) fn behind(&mut self, after: Option<&'a Keyset>, way: Way) -> Result<()> {
        if let Some(k) = after {
            let sign = if way == Way::Rising { '>' } else { '<' };
            let at = self.and(&format!("created_at {sign}= {{}}"), Value::Time(k.at));
            self.and(&format!("(created_at {sign} ?{at} OR id {sign} {{}})"), Value::Uuid(k.id()?));
        }
        Ok(())
    }

    /// The WHERE clause and its values.
    pub(crate) fn parts(&self) -> (&str, &[Value<'a>]) {
        (&self.conditions, &self.values)
    }

    /// Runs the listing for one page.
    pub(crate) fn page<E: Entity>(
        mut self,
        conn: &dyn Conn,
        order: &str,
        limit: u32,
        place: impl Fn(&E) -> Keyset,
    ) -> Result<Page<E>> {
        // The limit is a value, so that pages of every size share one prepared statement.
        self.values.push(Value::Int(i64::from(limit) + 1));
        let last = self.values.len();
        let text = format!("{}{} ORDER BY {order} LIMIT ?{last}", E::sql().select, self.conditions);
        Ok(page(conn.rows(&text, &self.values)?, limit, place))
    }

    /// [`page`](Self::page) in the order of creation.
    pub(crate) fn by_creation<E: Entity>(
        mut self,
        conn: &dyn Conn,
        way: Way,
        request: &'a PageRequest,
        after: Option<&'a Keyset>,
        place: impl Fn(&E) -> (Timestamp, Uuid),
    ) -> Result<Page<E>> {
        let limit = request.limit()?;
        self.behind(after, way)?;
        let order = if way == Way::Rising { "created_at, id" } else { "created_at DESC, id DESC" };
        self.page(conn, order, limit, |row| {
            let (at, id) = place(row);
            Keyset { at, key: id.to_string() }
        })
    }
}

/// Which way a listing runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Oldest first.
    Rising,
    /// Newest first.
    Falling,
}
