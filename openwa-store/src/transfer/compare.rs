//! Two stores, row by row.

use std::cmp::Ordering;
use std::collections::VecDeque;

use uuid::Uuid;

use super::render::Renderer;
use crate::db::{Conn, Flow};
use crate::entity::{Database, Table, tables_of};
use crate::error::Result;
use crate::store::Store;
use crate::value::{ColumnKind, Row, Value};

/// Differences after which [`compare`] stops: enough to see what is wrong, and a bound for its memory.
pub const MAX_DIFFERENCES: usize = 1000;

/// Rows that are read at once.
const PAGE: usize = 500;

/// One row that is not the same in two stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The row's primary key, its parts separated by `/`.
    pub key: String,
    /// What differs.
    pub what: Differing,
}

/// What is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Differing {
    /// Only the first store has the row.
    OnlyInFirst,
    /// Only the second store has the row.
    OnlyInSecond,
    /// Both have it, with other values in these columns. The values are not told: they may be secret.
    Columns(Vec<&'static str>),
}

/// Compares every row of both databases of two stores, by value, and says what differs: nothing, if the answer
/// is empty. It stops after [`MAX_DIFFERENCES`]. Each database is read as of one moment, in constant memory.
///
/// # Errors
/// Those of the databases; `Unreadable` for a stored value that is none of its column's.
pub fn compare(a: &Store, b: &Store) -> Result<Vec<Difference>> {
    let mut found = Vec::new();
    for database in [Database::Main, Database::Data] {
        let all = a.database(database).snapshot(|a| {
            b.database(database).snapshot(|b| {
                tables_of(database).try_for_each(|table| compare_table(table, a, b, &mut found))
            })
        });
        all.map_err(|e| e.during("compare"))?;
    }
    Ok(found)
}

fn compare_table(
    table: &'static Table,
    a: &dyn Conn,
    b: &dyn Conn,
    found: &mut Vec<Difference>,
) -> Result<()> {
    let (mut a, mut b) = (Rows::new(table, a), Rows::new(table, b));
    let (mut left, mut right) = (a.next()?, b.next()?);
    while found.len() < MAX_DIFFERENCES {
        let order = match (&left, &right) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(l), Some(r)) => l.key.cmp(&r.key),
        };
        let what = match (order, &left, &right) {
            (Ordering::Less, ..) => Some(Differing::OnlyInFirst),
            (Ordering::Greater, ..) => Some(Differing::OnlyInSecond),
            (Ordering::Equal, Some(l), Some(r)) => l.differs(r, table),
            (Ordering::Equal, ..) => None,
        };
        let key = if order == Ordering::Greater { &right } else { &left };
        if let (Some(what), Some(row)) = (what, key) {
            found.push(Difference { table: table.name, key: row.key.join("/"), what });
        }
        if order != Ordering::Greater {
            left = a.next()?;
        }
        if order != Ordering::Less {
            right = b.next()?;
        }
    }
    Ok(())
}

/// A row in the form in which it would be exported.
struct Rendered {
    /// The key's parts, in the stored form: what the databases sort by.
    key: Vec<String>,
    values: Vec<u8>,
    /// Where each column's value ends.
    ends: Vec<usize>,
}

impl Rendered {
    fn column(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.values[start..self.ends[index]]
    }

    fn differs(&self, other: &Rendered, table: &Table) -> Option<Differing> {
        if self.values == other.values && self.ends == other.ends {
            return None;
        }
        let columns = table.columns.iter().enumerate();
        let differing = columns.filter(|(i, _)| self.column(*i) != other.column(*i));
        Some(Differing::Columns(differing.map(|(_, c)| c.name).collect()))
    }
}

/// The rows of one table in the order of its key, fetched page by page.
struct Rows<'a> {
    conn: &'a dyn Conn,
    table: &'static Table,
    renderer: Renderer,
    page: VecDeque<Rendered>,
    /// Key of the last row that was fetched; `None`: none was.
    last: Option<Vec<String>>,
    ended: bool,
}

impl<'a> Rows<'a> {
    fn new(table: &'static Table, conn: &'a dyn Conn) -> Self {
        Rows { conn, table, renderer: Renderer::new(table), page: VecDeque::new(), last: None, ended: false }
    }

    fn next(&mut self) -> Result<Option<Rendered>> {
        if self.page.is_empty() && !self.ended {
            self.fetch()?;
        }
        Ok(self.page.pop_front())
    }

    fn fetch(&mut self) -> Result<()> {
        let (table, key) = (self.table, self.table.key.join(", "));
        let behind = self.last.as_ref().map_or(String::new(), |last| {
            let marks: Vec<String> = (1..=last.len()).map(|i| format!("?{i}")).collect();
            format!(" WHERE ({key}) > ({})", marks.join(", "))
        });
        let sql =
            format!("SELECT {} FROM {}{behind} ORDER BY {key} LIMIT {PAGE}", table.column_list(), table.name);
        let last = self.last.take().unwrap_or_default();
        let kinds = table.key.iter().filter_map(|k| table.index_of(k)).map(|i| table.columns[i].kind);
        let values: Vec<Value<'_>> = last.iter().zip(kinds).map(|(part, kind)| value(part, kind)).collect();
        let (renderer, page) = (&mut self.renderer, &mut self.page);
        self.conn.query_opened(table, &sql, &values, &mut |row| {
            page.push_back(render(table, renderer, row)?);
            Ok(Flow::Continue(()))
        })?;
        self.ended = page.len() < PAGE;
        self.last = page.back().map(|row| row.key.clone());
        Ok(())
    }
}

/// A part of a key in the form in which it is bound.
fn value(part: &str, kind: ColumnKind) -> Value<'_> {
    match kind {
        ColumnKind::Uuid => Uuid::try_parse(part).map_or(Value::Text(part), Value::Uuid),
        _ => Value::Text(part),
    }
}

fn render(table: &'static Table, renderer: &mut Renderer, row: &dyn Row) -> Result<Rendered> {
    let (mut values, mut ends) = (Vec::new(), Vec::with_capacity(table.columns.len()));
    for i in 0..table.columns.len() {
        renderer.column(i, row, &mut values)?;
        ends.push(values.len());
    }
    let part = |i: usize| match row.get(i) {
        Value::Text(s) => s.to_owned(),
        Value::Uuid(u) => u.to_string(),
        _ => String::new(),
    };
    let key = table.key.iter().filter_map(|k| table.index_of(k)).map(part).collect();
    Ok(Rendered { key, values, ends })
}
