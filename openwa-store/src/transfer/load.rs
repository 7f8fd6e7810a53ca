//! The rows of a document on their way into one table.

use std::collections::HashSet;

use uuid::Uuid;

use super::parse::{ParsedRow, RowParser};
use super::{ImportedTable, Mode};
use crate::db::{Bulk, Conn};
use crate::entity::{Database, TABLES, Table, tables_of};
use crate::error::{Error, Kind, Result};
use crate::repo::retention::Moving;
use crate::seal::Target;
use crate::value::Value;

/// Parents that are remembered as being there.
const PARENTS_KEPT: usize = 10_000;

/// Fills one table.
pub(super) struct Load<'a> {
    bulk: &'a mut dyn Bulk,
    table: &'static Table,
    parser: RowParser,
    references: Vec<Reference>,
    /// How the table's secrets are written.
    target: Target,
    pub(super) done: ImportedTable,
    /// The column that tells how old a message is, and what is known of those so far.
    created_at: Option<usize>,
    moving: Moving,
}

impl<'a> Load<'a> {
    /// Empties the table if it is to be replaced.
    pub(super) fn start(bulk: &'a mut dyn Bulk, table: &'static Table, mode: Mode) -> Result<Self> {
        let removed = bulk.start(table, mode == Mode::Replace)?;
        let references = table.references.iter().filter_map(|r| Reference::new(table, r)).collect();
        let done = ImportedTable { table: table.name, rows: 0, inserted: 0, removed };
        let target = if table.is_sealed() { bulk.conn()?.target()? } else { Target::Clear };
        let created_at = if table.name == "messages" { table.index_of("created_at") } else { None };
        let (parser, moving) = (RowParser::new(table), Moving::default());
        Ok(Load { bulk, table, parser, references, target, done, created_at, moving })
    }

    /// Adds one row. An error names table, row and column.
    pub(super) fn row(&mut self, row: &[u8]) -> Result<()> {
        self.done.rows += 1;
        let number = self.done.rows;
        self.add(row).map_err(|e| told(self.table, e).with("row", number))
    }

    fn add(&mut self, row: &[u8]) -> Result<()> {
        let row: ParsedRow<'_> = self.parser.parse(row)?;
        let values = row.values();
        for reference in &mut self.references {
            reference.check(self.bulk.conn()?, values[reference.index])?;
        }
        let values = &values[..self.table.columns.len()];
        if let Some(Value::Time(at)) = self.created_at.map(|i| values[i]) {
            self.moving.add(at);
        }
        let sealed = self.target.seal(self.table, values)?;
        self.bulk.add(&sealed.over(values))
    }

    /// What was done, and which messages were added: the oldest may be one that was there.
    pub(super) fn finish(mut self) -> Result<(ImportedTable, Moving)> {
        self.done.inserted = self.bulk.finish().map_err(|e| told(self.table, e))?;
        Ok((self.done, Moving { messages: self.done.inserted, ..self.moving }))
    }
}

/// An error of the database as one of the document.
fn told(table: &Table, e: Error) -> Error {
    let row = e.context("row").map(str::to_owned);
    let told = match e.kind() {
        Kind::AlreadyExists => {
            let columns = e.context("column").unwrap_or_default();
            let columns = columns.replace(&format!("{}.", table.name), "");
            let text = format!("an earlier row has the same {columns}");
            Error::new(Kind::InvalidData, text).with("column", columns)
        }
        Kind::InvalidArgument => Error::new(Kind::InvalidData, e.message()).caused_by(e),
        _ => e,
    };
    let told = told.with("table", table.name);
    match row {
        Some(row) => told.with("row", row),
        None => told,
    }
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
pub(super) fn check_left_alone(bulk: &dyn Bulk, database: Database, touched: &[ImportedTable]) -> Result<()> {
    let touched = |name: &str| touched.iter().any(|t| t.table == name);
    for table in tables_of(database).filter(|t| !touched(t.name)) {
        for (column, parent) in table.references.iter().filter(|(_, parent)| touched(parent)) {
            let Some(parent) = TABLES.iter().find(|t| t.name == *parent) else { continue };
            let orphans = bulk.orphans(table, column, parent)?;
            if orphans > 0 {
                let text = format!(
                    "{} is not in the document, and {orphans} of its rows would belong to rows of {} that the \
                     document does not have; clear what is missing, or merge",
                    table.name, parent.name
                );
                let e = Error::new(Kind::InvalidData, text);
                return Err(e.with("table", table.name).with("column", column));
            }
        }
    }
    Ok(())
}
