//! The rows of a document on their way into one table.

use std::collections::HashSet;

use uuid::Uuid;

use super::parse::{ParsedRow, RowParser};
use super::{ImportedTable, Mode};
use crate::db::{Bulk, Conn, Indexes};
use crate::entity::{Database, TABLES, Table, tables_of};
use crate::error::{Error, Kind, Result};
use crate::value::Value;

/// Rows from which it pays to fill a table without its indexes and to build these in one go afterwards. With
/// 100,000 messages that saves a little, with 1,000,000 two thirds of the time.
const MANY_ROWS: u64 = 10_000;
/// Parents that are remembered as being there.
const PARENTS_KEPT: usize = 10_000;

/// Fills one table.
pub(super) struct Load<'a> {
    bulk: &'a Bulk<'a>,
    table: &'static Table,
    mode: Mode,
    insert: String,
    parser: RowParser,
    references: Vec<Reference>,
    indexes: Option<Indexes>,
    pub(super) done: ImportedTable,
}

impl<'a> Load<'a> {
    /// Empties the table if it is to be replaced.
    pub(super) fn start(bulk: &'a Bulk<'a>, table: &'static Table, mode: Mode) -> Result<Self> {
        let mut insert = table.insert();
        let mut removed = 0;
        match mode {
            Mode::Replace => removed = clear(bulk.conn(), table)?,
            Mode::Merge => insert.push_str(" ON CONFLICT DO NOTHING"),
        }
        let references = table.references.iter().filter_map(|r| Reference::new(table, r)).collect();
        let done = ImportedTable { table: table.name, rows: 0, inserted: 0, removed };
        Ok(Load { bulk, table, mode, insert, parser: RowParser::new(table), references, indexes: None, done })
    }

    /// Adds one row. An error names table, row and column.
    pub(super) fn row(&mut self, row: &[u8]) -> Result<()> {
        self.done.rows += 1;
        if self.done.rows == MANY_ROWS && self.mode == Mode::Replace {
            self.indexes = Some(self.bulk.drop_indexes(self.table.name)?);
        }
        let number = self.done.rows;
        let added = self.add(row).map_err(|e| e.with("table", self.table.name).with("row", number))?;
        self.done.inserted += added;
        Ok(())
    }

    fn add(&mut self, row: &[u8]) -> Result<u64> {
        let conn = self.bulk.conn();
        let row: ParsedRow<'_> = self.parser.parse(row)?;
        let values = row.values();
        for reference in &mut self.references {
            reference.check(conn, values[reference.index])?;
        }
        conn.execute(&self.insert, &values[..self.table.columns.len()]).map_err(|e| match e.kind() {
            Kind::AlreadyExists => {
                let columns = e.context("column").unwrap_or_default();
                let columns = columns.replace(&format!("{}.", self.table.name), "");
                let text = format!("an earlier row has the same {columns}");
                Error::new(Kind::InvalidData, text).with("column", columns)
            }
            Kind::InvalidArgument => Error::new(Kind::InvalidData, e.message()).caused_by(e),
            _ => e,
        })
    }

    /// Puts the indexes back, now that all rows are there.
    pub(super) fn finish(self) -> Result<ImportedTable> {
        if let Some(indexes) = &self.indexes {
            self.bulk.create_indexes(indexes)?;
        }
        Ok(self.done)
    }
}

/// Removes every row of a table, and says how many there were. Children stay.
pub(super) fn clear(conn: &dyn Conn, table: &Table) -> Result<u64> {
    conn.execute(&format!("DELETE FROM {}", table.name), &[])
}

/// A column that names a row of another table. Parents come before children, so when a row is read its parent
/// must be there.
struct Reference {
    index: usize,
    column: &'static str,
    parent: &'static str,
    find: String,
    there: HashSet<Uuid>,
}

impl Reference {
    fn new(table: &Table, (column, parent): &(&'static str, &'static str)) -> Option<Self> {
        Some(Reference {
            index: table.index_of(column)?,
            column,
            parent,
            find: format!("SELECT 1 FROM {parent} WHERE {} = ?1", key_of(parent)?),
            there: HashSet::new(),
        })
    }

    fn check(&mut self, conn: &dyn Conn, value: Value<'_>) -> Result<()> {
        let Value::Uuid(id) = value else { return Ok(()) };
        if self.there.contains(&id) {
            return Ok(());
        }
        if conn.first(&self.find, &[value], |_| Ok(()))?.is_none() {
            let text = format!("{} names a row of {} that does not exist", self.column, self.parent);
            return Err(Error::new(Kind::InvalidData, text).with("column", self.column));
        }
        if self.there.len() >= PARENTS_KEPT {
            self.there.clear();
        }
        self.there.insert(id);
        Ok(())
    }
}

/// The column that references to a table go to.
fn key_of(table: &str) -> Option<&'static str> {
    TABLES.iter().find(|t| t.name == table)?.key.first().copied()
}

/// Makes sure that the tables that were left alone have all their parents. `touched` says which were not.
pub(super) fn check_left_alone(bulk: &Bulk<'_>, database: Database, touched: &[ImportedTable]) -> Result<()> {
    let touched = |name: &str| touched.iter().any(|t| t.table == name);
    for table in tables_of(database).filter(|t| !touched(t.name)) {
        for (column, parent) in table.references.iter().filter(|(_, parent)| touched(parent)) {
            let Some(key) = key_of(parent) else { continue };
            let orphans = format!(
                "SELECT count(*) FROM {} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT {key} FROM {parent})",
                table.name
            );
            let orphans = bulk.conn().integer(&orphans, &[])?;
            if orphans > 0 {
                let text = format!(
                    "{} is not in the document, and {orphans} of its rows would belong to rows of {parent} that \
                     the document does not have; clear what is missing, or merge",
                    table.name
                );
                let e = Error::new(Kind::InvalidData, text);
                return Err(e.with("table", table.name).with("column", column));
            }
        }
    }
    Ok(())
}
