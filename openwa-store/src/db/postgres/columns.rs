//! Many rows as a list per column, in the binary form in which they go to the server.

use bytes::BytesMut;
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

    /// The value that starts at `at`, which moves on to the next.
    fn one(&self, at: &mut usize) -> Self {
        let head: [u8; 4] = self.data.get(*at..*at + 4).and_then(|b| b.try_into().ok()).unwrap_or([0xff; 4]);
        let len = i32::from_be_bytes(head);
        let end = (*at + 4 + usize::try_from(len).unwrap_or(0)).min(self.data.len());
        let data = BytesMut::from(&self.data[(*at).min(end)..end]);
        *at = end;
        Column { kind: self.kind, len: 1, nulls: len < 0, data }
    }

    fn push(&mut self, value: Value<'_>) -> Result<()> {
        self.len += 1;
        self.nulls |= value == Value::Null;
        field(value, &mut self.data)
            .map_err(|e| Error::new(Kind::InvalidArgument, "a value is too long").caused_by(e))
    }
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
