//! Values that cannot be read.
//!
//! SQLite keeps whatever it is given as text, so every row is read and every value put to the codec. A server has checked
//! times, UUIDs and JSON when it took them; there only names of closed lists and times out of range are asked for.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::references::key;
use super::{Checker, Counted, Finding, FindingKind, text};
use crate::db::{Conn, Flow};
use crate::entity::{ColumnDef, ColumnKind, Database, Table, tables_of};
use crate::error::Result;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Row, Value};

use super::findings::rows;

/// Rows of one statement, so that a reader never holds the log for long.
const AT_ONCE: usize = 5000;

pub(super) fn check(checker: &mut Checker<'_, '_>, which: Database) -> Result<()> {
    for table in tables_of(which) {
        let found = if checker.store.database(which).as_sqlite().is_some() {
            scan(checker, which, table)?
        } else {
            ask(checker, which, table)?
        };
        for (column, counted) in found {
            let n = rows(counted.count);
            let kind = table.columns.iter().find(|c| c.name == column).map_or("", |c| wanted(c.kind));
            checker.find(Finding::new(
                FindingKind::UnreadableValue,
                which,
                table.name,
                Some(column),
                counted,
                |example| format!("{}: {n} with no {kind} in {column}, for instance {example}", table.name),
            ));
        }
    }
    Ok(())
}

const fn wanted(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Uuid => "UUID",
        ColumnKind::Text => "readable text",
        ColumnKind::Enum(_) => "known name",
        ColumnKind::Json => "JSON",
        ColumnKind::Time => "readable time",
        ColumnKind::Int => "integer",
        ColumnKind::Bool => "true or false",
        ColumnKind::Bytes => "bytes",
    }
}

type Found = BTreeMap<&'static str, Counted>;

/// The columns whose values are looked at. A reference that cannot be read has no parent, which is reported already.
fn columns(table: &'static Table) -> impl Iterator<Item = (usize, &'static ColumnDef)> {
    let is_reference = |c: &ColumnDef| table.references.iter().any(|(column, _)| *column == c.name);
    table.columns.iter().enumerate().filter(move |(_, c)| !is_reference(c))
}

/// Reads every row, some thousand at a time.
fn scan(checker: &mut Checker<'_, '_>, which: Database, table: &'static Table) -> Result<Found> {
    let (mut found, mut done) = (Found::new(), 0);
    let mut after = Place::Start;
    loop {
        let part = checker.ask_on(which, table.name, done, |conn| portion(conn, table, &after))?;
        let Some(part) = part else { return Ok(found) };
        done += part.rows;
        for (column, counted) in part.found {
            let sum = found.entry(column).or_default();
            sum.count += counted.count;
            sum.example = sum.example.take().or(counted.example);
        }
        match part.next {
            Some(next) => after = next,
            None => return Ok(found),
        }
    }
}

/// Where a scan has come to.
enum Place {
    Start,
    /// Behind this rowid.
    Row(i64),
}

struct Portion {
    rows: u64,
    found: Found,
    next: Option<Place>,
}

fn portion(conn: &dyn Conn, table: &'static Table, after: &Place) -> Result<Portion> {
    // A table without rowids is read in one go: those are small.
    let is_plain = conn.dialect().numbers_rows(conn, table.name)?;
    let list = table.column_list();
    let sql = if is_plain {
        format!("SELECT {list}, rowid FROM {} WHERE rowid > ?1 ORDER BY rowid LIMIT {AT_ONCE}", table.name)
    } else {
        format!("SELECT {list}, ?1 FROM {}", table.name)
    };
    let from = if let Place::Row(rowid) = after { *rowid } else { i64::MIN };
    let (mut found, mut rows, mut last) = (Found::new(), 0, from);
    conn.query(&sql, &[Value::Int(from)], &mut |row| {
        rows += 1;
        for (i, column) in columns(table) {
            if !is_readable(column, row.get(i)) {
                found.entry(column.name).or_default().add(|| Some(key_of(table, row)));
            }
        }
        last = i64::read(row.get(table.columns.len())).unwrap_or(last);
        Ok(Flow::Continue(()))
    })?;
    let more = is_plain && rows == AT_ONCE as u64;
    Ok(Portion { rows, found, next: more.then_some(Place::Row(last)) })
}

fn key_of(table: &Table, row: &dyn Row) -> Text {
    let part = |column: &&str| table.index_of(column).and_then(|i| text(row.get(i))).unwrap_or_default();
    let parts: Vec<String> = table.key.iter().map(|c| part(c).as_stored().to_owned()).collect();
    Text::from_stored(parts.join("/"))
}

fn is_readable(column: &ColumnDef, value: Value<'_>) -> bool {
    if value == Value::Null {
        return column.nullable;
    }
    match column.kind {
        ColumnKind::Uuid => uuid::Uuid::read(value).is_some(),
        ColumnKind::Text => Text::read(value).is_some(),
        ColumnKind::Enum(names) => matches!(value, Value::Text(s) if names.contains(&s)),
        ColumnKind::Json => matches!(value, Value::Text(s) if serde_json::from_str::<IgnoredAny>(s).is_ok()),
        ColumnKind::Time if column.nullable => Option::<Timestamp>::read(value).is_some(),
        ColumnKind::Time => Timestamp::read(value).is_some(),
        ColumnKind::Int => i64::read(value).is_some(),
        ColumnKind::Bool => bool::read(value).is_some(),
        ColumnKind::Bytes => Vec::<u8>::read(value).is_some(),
    }
}

/// Has the server look.
fn ask(checker: &mut Checker<'_, '_>, which: Database, table: &'static Table) -> Result<Found> {
    let mut found = Found::new();
    for (_, column) in columns(table) {
        let name = column.name;
        let bad = match column.kind {
            ColumnKind::Enum(names) => {
                let names: Vec<String> = names.iter().map(|n| format!("'{n}'")).collect();
                format!("{name} NOT IN ({})", names.join(", "))
            }
            ColumnKind::Time => {
                format!("({name} < '0001-01-01 00:00:00+00 BC' OR {name} >= '10000-01-01 00:00:00+00')")
            }
            _ => continue,
        };
        let sql = format!("SELECT count(*), min({}) FROM {} WHERE {bad}", key(table), table.name);
        let asked = checker.ask(which, table.name, |conn| {
            Ok(conn.first(&sql, &[], |row| Ok(super::counted(row, 0)))?.unwrap_or_default())
        })?;
        found.extend(asked.filter(|c| c.count > 0).map(|counted| (name, counted)));
    }
    Ok(found)
}
