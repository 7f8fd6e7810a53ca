//! Rows that belong to a row which does not exist. Asked of every reference that the tables have, whether the engine
//! enforces it or not.

use super::{Checker, Counted, Finding, FindingKind, counted, text};
use crate::db::Conn;
use crate::entity::{Database, Table, tables_of};
use crate::error::Result;
use crate::value::Value;

use super::findings::rows;

pub(super) fn check(checker: &mut Checker<'_, '_>, which: Database) -> Result<()> {
    for table in tables_of(which) {
        for (column, parent) in table.references {
            let asked = checker.ask(which, table.name, |conn| orphans(conn, table, column, parent))?;
            let found = asked.unwrap_or_default();
            let n = rows(found.count);
            checker.find(Finding::new(
                FindingKind::Orphan,
                which,
                table.name,
                Some(column),
                found,
                |example| {
                    format!(
                        "{}: {n} whose {column} names no row of {parent}, for instance {example}",
                        table.name
                    )
                },
            ));
        }
    }
    Ok(())
}

/// Walks the different values of the column, not the rows: an index has each of them in one place, and they are as few as
/// there are parents. Only for those without a parent the rows are counted.
fn orphans(conn: &dyn Conn, table: &Table, column: &str, parent: &str) -> Result<Counted> {
    let name = table.name;
    let walk = format!(
        "WITH RECURSIVE walk (value) AS (
           SELECT (SELECT {column} FROM {name} WHERE {column} IS NOT NULL ORDER BY {column} LIMIT 1)
           UNION ALL
           SELECT (SELECT {column} FROM {name} WHERE {column} > walk.value ORDER BY {column} LIMIT 1)
             FROM walk WHERE walk.value IS NOT NULL)
         SELECT CAST(value AS TEXT) FROM walk
          WHERE value IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.id = walk.value)"
    );
    let count = format!(
        "SELECT count(*), min({}) FROM {name} WHERE {column} = {}",
        key(table),
        conn.dialect().id_from_text("?1")
    );
    let lost = conn.all(&walk, &[], |row| Ok(text(row.get(0)).unwrap_or_default()))?;
    let mut found = Counted::default();
    for id in &lost {
        let here = conn.first(&count, &[Value::Text(id.as_stored())], |row| Ok(counted(row, 0)))?;
        let here = here.unwrap_or_default();
        found.count += here.count;
        found.example = found.example.or(here.example);
    }
    Ok(found)
}

/// The key of a row, as SQL that gives text.
pub(super) fn key(table: &Table) -> String {
    let parts: Vec<String> = table.key.iter().map(|column| format!("CAST({column} AS TEXT)")).collect();
    parts.join(" || '/' || ")
}
