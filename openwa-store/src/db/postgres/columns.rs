//! Many rows as a list per column, in the binary form in which they go to the server.

use bytes::{Bytes, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::PgConn;
use super::value::{Fault, element, field, list_header, list_type};
use crate::entity::Table;
use crate::error::{Error, Kind, Result};
use crate::value::{ColumnKind, Value};

/// One column of some rows.
#[derive(Debug)]
pub(super) struct Column {
    kind: ColumnKind,
    len: usize,
    nulls: bool,
    data: BytesMut,
}

impl Column {
    fn new(kind: ColumnKind) -> Self {
        Column { kind, len: 0, nulls: false, data: BytesMut::new() }
    }

    /// The value that starts at `at`, with its length before it; `at` moves on to the next.
    fn next(&self, at: &mut usize) -> &[u8] {
        let head: [u8; 4] = self.data.get(*at..*at + 4).and_then(|b| b.try_into().ok()).unwrap_or([0xff; 4]);
        let len = usize::try_from(i32::from_be_bytes(head)).unwrap_or(0);
        let end = (*at + 4 + len).min(self.data.len());
        let value = &self.data[(*at).min(end)..end];
        *at = end;
        value
    }

    /// A column of the one value that starts at `at`, which moves on to the next.
    fn one(&self, at: &mut usize) -> Self {
        let data = BytesMut::from(self.next(at));
        Column { kind: self.kind, len: 1, nulls: is_null(&data), data }
    }

    fn push(&mut self, value: Value<'_>) -> Result<()> {
        self.len += 1;
        self.nulls |= value == Value::Null;
        field(value, &mut self.data)
            .map_err(|e| Error::new(Kind::InvalidArgument, "a value is too long").caused_by(e))
    }
}

/// Whether a value with its length before it is NULL: its length is -1.
fn is_null(value: &[u8]) -> bool {
    value.first() == Some(&0xff)
}

impl ToSql for Column {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Fault> {
        list_header(&element(self.kind), self.nulls, self.len, out)?;
        out.extend_from_slice(&self.data);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Some rows of a table.
pub(super) struct Columns(pub(super) Vec<Column>);

impl Columns {
    pub(super) fn of(table: &Table) -> Self {
        Columns(table.columns.iter().map(|c| Column::new(c.kind)).collect())
    }

    pub(super) fn push(&mut self, values: &[Value<'_>]) -> Result<()> {
        self.0.iter_mut().zip(values).try_for_each(|(column, value)| column.push(*value))
    }

    /// The rows as `COPY … (FORMAT binary)` reads them, of these columns only, and without those that have NULL in the
    /// column `needed`.
    pub(super) fn to_copy(&self, columns: &[usize], needed: Option<usize>) -> Bytes {
        // A signature, no flags, no extension; at the end a row of -1 columns.
        let mut out = BytesMut::with_capacity(self.bytes() + self.rows() * 2 + 32);
        out.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        let columns: Vec<&Column> = columns.iter().filter_map(|i| self.0.get(*i)).collect();
        let needed = needed.and_then(|i| self.0.get(i));
        let (mut at, mut at_needed) = (vec![0; columns.len()], 0);
        for _ in 0..self.rows() {
            let start = out.len();
            out.extend_from_slice(&(columns.len() as i16).to_be_bytes());
            for (column, at) in columns.iter().zip(&mut at) {
                out.extend_from_slice(column.next(at));
            }
            if needed.is_some_and(|column| is_null(column.next(&mut at_needed))) {
                out.truncate(start);
            }
        }
        out.extend_from_slice(&(-1i16).to_be_bytes());
        out.freeze()
    }

    /// Each row by itself.
    pub(super) fn apart(&self) -> impl Iterator<Item = Columns> {
        let mut at = vec![0; self.0.len()];
        (0..self.rows()).map(move |_| {
            let row = self.0.iter().zip(&mut at).map(|(column, at)| column.one(at));
            Columns(row.collect())
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.0.first().map_or(0, |c| c.len)
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|c| c.data.len()).sum()
    }
}

impl PgConn {
    /// Runs a statement that takes a list per column.
    pub(super) fn execute_columns(&self, sql: &str, rows: &Columns) -> Result<u64> {
        self.execute_with(sql, rows.0.iter().map(|column| (column, list_type(column.kind))))
    }
}
