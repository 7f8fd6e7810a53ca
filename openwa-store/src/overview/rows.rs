//! How many rows a table has, without counting many.

use crate::db::Conn;
use crate::entity::Table;
use crate::error::Result;
use crate::record::shape;
use crate::value::Value;

shape! { output:
/// How many rows a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableEstimate {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// Whether they were counted; else there are about as many.
    pub exact: bool,
}
}

/// Rows that are counted; of more, the number is estimated.
const COUNTED: i64 = 20_000;

pub(super) fn estimate(conn: &dyn Conn, table: &Table) -> Result<TableEstimate> {
    let name = table.name;
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {name} LIMIT {}) AS counted", COUNTED + 1);
    let counted = conn.integer(&sql, &[])?;
    let exact = counted <= COUNTED;
    let rows = if exact {
        counted
    } else {
        let numbered = conn.dialect().numbers_rows(conn, name)?;
        conn.integer(&conn.dialect().about_rows(name, numbered), &[])?.max(counted)
    };
    Ok(TableEstimate { table: name, rows: u64::try_from(rows).unwrap_or(0), exact })
}

/// Rows of a large table by a sample of it: the text in one column of each, and for how many rows it stands.
pub(super) fn sample(
    conn: &dyn Conn,
    table: &str,
    column: &str,
    about: u64,
    each: &mut dyn FnMut(Value<'_>),
) -> Result<f64> {
    if let Some(sql) = conn.dialect().sample(table, column) {
        let mut met = 0;
        conn.query(&sql, &[], &mut |row| {
            met += 1;
            each(row.get(0));
            Ok(crate::db::Flow::Continue(()))
        })?;
        return Ok(about as f64 / f64::from(met.max(1)));
    }
    spread(conn, table, column, each)
}

/// Points at which a table is looked at.
const POINTS: i64 = 2000;

/// Looks at evenly spread places of the order in which rows came. Where rows were removed there are none.
fn spread(conn: &dyn Conn, table: &str, column: &str, each: &mut dyn FnMut(Value<'_>)) -> Result<f64> {
    let end = |what| conn.integer(&format!("SELECT {what}(rowid) FROM {table}"), &[]);
    let (first, last) = (end("min")?, end("max")?);
    let step = ((last - first) / POINTS).max(1);
    let sql = format!("SELECT {column} FROM {table} WHERE rowid >= ?1 AND rowid < ?2 ORDER BY rowid LIMIT 1");
    let mut at = first;
    while at <= last {
        conn.query(&sql, &[Value::Int(at), Value::Int(at + step)], &mut |row| {
            each(row.get(0));
            Ok(crate::db::Flow::Break(()))
        })?;
        at += step;
    }
    Ok(step as f64)
}
