//! One row of a document as values for a database.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::canonical::Canonical;
use super::lexer::{Lexer, Malformed, Quoted};
use crate::entity::{ColumnDef, TABLES, Table};
use crate::error::{Error, Kind, Result};
use crate::json;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{ColumnKind, Value};

/// Columns of the widest table.
pub(super) const MAX_COLUMNS: usize = {
    let (mut most, mut i) = (0, 0);
    while i < TABLES.len() {
        if TABLES[i].columns.len() > most {
            most = TABLES[i].columns.len();
        }
        i += 1;
    }
    most
};

/// Reads the rows of one table; keeps its working space from one to the next.
pub(super) struct RowParser {
    table: &'static Table,
    cells: [Option<Cell>; MAX_COLUMNS],
    /// What the row's own text does not hold as it is: decoded strings, documents in canonical form, bytes.
    made: Vec<u8>,
    canonical: Canonical,
}

/// The value of a column, before its place in memory is fixed.
#[derive(Clone)]
enum Cell {
    Null,
    Int(i64),
    Bool(bool),
    Time(Timestamp),
    Uuid(Uuid),
    /// Text that stands in the row as it is.
    Here(Range<usize>),
    /// Text that was made.
    Made(Range<usize>),
    /// Bytes that were made.
    Bytes(Range<usize>),
}

/// A row as it was read.
pub(super) struct ParsedRow<'a> {
    table: &'static Table,
    text: Cow<'a, str>,
    made: &'a [u8],
    cells: &'a [Option<Cell>],
}

impl ParsedRow<'_> {
    /// The values in the table's order; columns that the table does not have are null.
    pub(super) fn values(&self) -> [Value<'_>; MAX_COLUMNS] {
        let mut values = [Value::Null; MAX_COLUMNS];
        let text = |kind, s| if kind == ColumnKind::Json { Value::Json(s) } else { Value::Text(s) };
        for ((value, cell), column) in values.iter_mut().zip(self.cells).zip(self.table.columns) {
            *value = match cell {
                None | Some(Cell::Null) => Value::Null,
                Some(Cell::Int(n)) => Value::Int(*n),
                Some(Cell::Bool(b)) => Value::Bool(*b),
                Some(Cell::Time(t)) => Value::Time(*t),
                Some(Cell::Uuid(u)) => Value::Uuid(*u),
                Some(Cell::Here(at)) => text(column.kind, &self.text[at.clone()]),
                // Made of text, so it is UTF-8.
                Some(Cell::Made(at)) => {
                    text(column.kind, std::str::from_utf8(&self.made[at.clone()]).unwrap_or_default())
                }
                Some(Cell::Bytes(at)) => Value::Bytes(&self.made[at.clone()]),
            };
        }
        values
    }
}

impl RowParser {
    pub(super) fn new(table: &'static Table) -> Self {
        RowParser {
            table,
            cells: [const { None }; MAX_COLUMNS],
            made: Vec::new(),
            canonical: Canonical::default(),
        }
    }

    /// Reads one row and checks it against the table's descriptor: names, kinds, nulls, limits.
    ///
    /// Fails with `InvalidData` naming the column.
    pub(super) fn parse<'a>(&'a mut self, row: &'a [u8]) -> Result<ParsedRow<'a>> {
        let text = json::to_stored(row).map_err(|e| Error::new(Kind::InvalidData, e.message()))?;
        self.made.clear();
        self.cells.fill(None);
        self.members(&text)?;
        for (column, cell) in self.table.columns.iter().zip(&self.cells) {
            if cell.is_none() && !column.nullable {
                return Err(wrong(column, "is missing"));
            }
        }
        Ok(ParsedRow {
            table: self.table,
            text,
            made: &self.made,
            cells: &self.cells[..self.table.columns.len()],
        })
    }

    fn members(&mut self, text: &str) -> Result<()> {
        let mut from = Lexer::new(text);
        from.expect(b'{').map_err(malformed)?;
        if !from.accept(b'}') {
            // Columns mostly come in the table's order.
            let mut expected = 0;
            loop {
                let key = from.string().and_then(|key| key.decode()).map_err(malformed)?;
                from.expect(b':').map_err(malformed)?;
                let index = self.column(&key, expected)?;
                let column = &self.table.columns[index];
                if self.cells[index].is_some() {
                    return Err(wrong(column, "stands twice in one row"));
                }
                self.cells[index] = Some(self.cell(column, &mut from)?);
                expected = index + 1;
                if !from.accept(b',') {
                    break;
                }
            }
            from.expect(b'}').map_err(malformed)?;
        }
        from.end().map_err(malformed)
    }

    fn column(&self, name: &str, expected: usize) -> Result<usize> {
        if self.table.columns.get(expected).is_some_and(|c| c.name == name) {
            return Ok(expected);
        }
        self.table.index_of(name).ok_or_else(|| {
            let text = format!("{} has no column {name:?}; a newer version may have", self.table.name);
            Error::new(Kind::InvalidData, text).with("column", name)
        })
    }

    fn cell(&mut self, column: &'static ColumnDef, from: &mut Lexer<'_>) -> Result<Cell> {
        let next = from.peek();
        if next == Some(b'n') && !matches!(column.kind, ColumnKind::Json) {
            return match from.scalar() {
                Ok("null") if column.nullable => Ok(Cell::Null),
                Ok("null") => Err(wrong(column, "may not be null")),
                _ => Err(wrong(column, "is not JSON")),
            };
        }
        match column.kind {
            ColumnKind::Json => self.document(column, from),
            ColumnKind::Int => {
                let number = from.scalar().ok().and_then(|n| n.parse().ok());
                number.map(Cell::Int).ok_or_else(|| wrong(column, "is not a 64-bit integer"))
            }
            ColumnKind::Bool => match from.scalar() {
                Ok("true") => Ok(Cell::Bool(true)),
                Ok("false") => Ok(Cell::Bool(false)),
                _ => Err(wrong(column, "is not true or false")),
            },
            _ => match from.string() {
                Ok(string) => self.string(column, string),
                Err(_) if next == Some(b'"') => Err(wrong(column, "is not a JSON string")),
                Err(_) => Err(wrong(column, "is not a string")),
            },
        }
    }

    fn document(&mut self, column: &'static ColumnDef, from: &mut Lexer<'_>) -> Result<Cell> {
        let start = self.made.len();
        self.canonical.value(from, &mut self.made).map_err(|_| wrong(column, "is not JSON"))?;
        Ok(Cell::Made(start..self.made.len()))
    }

    fn string(&mut self, column: &'static ColumnDef, string: Quoted<'_>) -> Result<Cell> {
        let decoded = string.decode().map_err(|_| wrong(column, "is not a JSON string"))?;
        let s = decoded.as_ref();
        match column.kind {
            ColumnKind::Uuid => {
                Uuid::try_parse(s).map(Cell::Uuid).map_err(|_| wrong(column, "is not a UUID"))
            }
            ColumnKind::Time if s.is_empty() && column.nullable => Ok(Cell::Null),
            ColumnKind::Time => {
                Timestamp::parse(s).map(Cell::Time).map_err(|_| wrong(column, "is not a time"))
            }
            ColumnKind::Bytes => {
                let start = self.made.len();
                STANDARD.decode_vec(s, &mut self.made).map_err(|_| wrong(column, "is not base64"))?;
                Ok(Cell::Bytes(start..self.made.len()))
            }
            ColumnKind::Enum(names) if !names.contains(&s) => {
                Err(wrong(column, &format!("is not one of: {}", names.join(", "))))
            }
            _ => {
                check_limit(column, s)?;
                Ok(match string.plain_range() {
                    Some(here) => Cell::Here(here),
                    None => {
                        let start = self.made.len();
                        self.made.extend_from_slice(s.as_bytes());
                        Cell::Made(start..self.made.len())
                    }
                })
            }
        }
    }
}

/// Counts characters only when the bytes alone do not tell: an escape is longer than what it stands for.
fn check_limit(column: &'static ColumnDef, stored: &str) -> Result<()> {
    let Some(limit) = column.limit else { return Ok(()) };
    if stored.len() <= limit {
        return Ok(());
    }
    let chars = Text::from_stored(stored).chars();
    if chars <= limit {
        return Ok(());
    }
    Err(wrong(column, &format!("has {chars} characters; at most {limit} are allowed")))
}

/// What is wrong with a column. The value is never shown: it may be secret.
fn wrong(column: &'static ColumnDef, what: &str) -> Error {
    Error::new(Kind::InvalidData, format!("{} {what}", column.name)).with("column", column.name)
}

fn malformed(at: Malformed) -> Error {
    Error::new(Kind::InvalidData, format!("not JSON at byte {} of the row", at.0))
}
