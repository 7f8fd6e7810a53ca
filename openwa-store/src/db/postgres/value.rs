//! Column values in PostgreSQL's binary form.

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::time::Timestamp;
use crate::value::{ColumnKind, Row, Value};

pub(super) type Fault = Box<dyn std::error::Error + Sync + Send>;

/// Milliseconds between the epoch of Unix and that of PostgreSQL, 2000-01-01.
const EPOCH_MS: i64 = 946_684_800_000;

/// A value on its way to the server.
#[derive(Debug)]
pub(super) struct Bound<'a>(pub(super) Value<'a>);

/// The type that a value is sent as. The type of a bare NULL follows from where it stands.
pub(super) fn type_of(value: Value<'_>) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Bool(_) => Type::BOOL,
        Value::Real(_) => Type::FLOAT8,
        Value::Text(_) => Type::TEXT,
        Value::Json(_) => Type::JSONB,
        Value::Bytes(_) => Type::BYTEA,
        Value::Time(_) => Type::TIMESTAMPTZ,
        Value::Uuid(_) => Type::UUID,
        Value::List(kind, _) => list_type(kind),
    }
}

/// The type of a list.
pub(super) fn list_type(kind: ColumnKind) -> Type {
    match kind {
        ColumnKind::Uuid => Type::UUID_ARRAY,
        ColumnKind::Text | ColumnKind::Enum(_) => Type::TEXT_ARRAY,
        ColumnKind::Json => Type::JSONB_ARRAY,
        ColumnKind::Time => Type::TIMESTAMPTZ_ARRAY,
        ColumnKind::Int => Type::INT8_ARRAY,
        ColumnKind::Bool => Type::BOOL_ARRAY,
        ColumnKind::Bytes => Type::BYTEA_ARRAY,
    }
}

/// The type of a list's elements.
pub(super) fn element(kind: ColumnKind) -> Type {
    match kind {
        ColumnKind::Uuid => Type::UUID,
        ColumnKind::Text | ColumnKind::Enum(_) => Type::TEXT,
        ColumnKind::Json => Type::JSONB,
        ColumnKind::Time => Type::TIMESTAMPTZ,
        ColumnKind::Int => Type::INT8,
        ColumnKind::Bool => Type::BOOL,
        ColumnKind::Bytes => Type::BYTEA,
    }
}

/// Appends a value that is not NULL.
fn put(value: Value<'_>, out: &mut BytesMut) -> Result<(), Fault> {
    match value {
        Value::Null => {}
        Value::Int(n) => out.extend_from_slice(&n.to_be_bytes()),
        Value::Bool(b) => out.extend_from_slice(&[b.into()]),
        Value::Real(x) => out.extend_from_slice(&x.to_be_bytes()),
        Value::Text(s) => out.extend_from_slice(s.as_bytes()),
        Value::Json(s) => {
            // The version of jsonb's binary form.
            out.extend_from_slice(&[1]);
            out.extend_from_slice(s.as_bytes());
        }
        Value::Bytes(b) => out.extend_from_slice(b),
        Value::Time(t) => out.extend_from_slice(&((t.millis() - EPOCH_MS) * 1000).to_be_bytes()),
        Value::Uuid(u) => out.extend_from_slice(u.as_bytes()),
        Value::List(kind, items) => {
            list_header(&element(kind), items.contains(&Value::Null), items.len(), out)?;
            items.iter().try_for_each(|item| field(*item, out))?;
        }
    }
    Ok(())
}

/// The beginning of a list: one dimension, whether there are NULLs, the elements' type and number, counted from one.
/// Behind it comes each element with its length before it.
pub(super) fn list_header(of: &Type, nulls: bool, len: usize, out: &mut BytesMut) -> Result<(), Fault> {
    let header = [1, i32::from(nulls), of.oid() as i32, i32::try_from(len)?, 1];
    header.iter().for_each(|n: &i32| out.extend_from_slice(&n.to_be_bytes()));
    Ok(())
}

/// Appends a value with its length before it, as lists and COPY want it.
pub(super) fn field(value: Value<'_>, out: &mut BytesMut) -> Result<(), Fault> {
    let at = out.len();
    out.extend_from_slice(&(-1i32).to_be_bytes());
    if value != Value::Null {
        put(value, out)?;
        let len = i32::try_from(out.len() - at - 4)?;
        out[at..at + 4].copy_from_slice(&len.to_be_bytes());
    }
    Ok(())
}

impl ToSql for Bound<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        put(self.0, out)?;
        Ok(if self.0 == Value::Null { IsNull::Yes } else { IsNull::No })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value as the server sent it.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(Raw(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A row of a result.
pub(super) struct PgRow(pub(super) tokio_postgres::Row);

impl Row for PgRow {
    fn get(&self, index: usize) -> Value<'_> {
        let Some(column) = self.0.columns().get(index) else { return Value::Null };
        match self.0.try_get::<_, Option<Raw<'_>>>(index) {
            Ok(Some(Raw(bytes))) => read(column.type_(), bytes).unwrap_or(Value::Bytes(bytes)),
            _ => Value::Null,
        }
    }
}

/// `None`: a type that no column of this library has.
fn read<'a>(kind: &Type, bytes: &'a [u8]) -> Option<Value<'a>> {
    let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok().map(Value::Text);
    Some(match *kind {
        Type::UUID => Value::Uuid(uuid::Uuid::from_slice(bytes).ok()?),
        Type::TEXT | Type::VARCHAR | Type::NAME | Type::BPCHAR | Type::UNKNOWN | Type::JSON => text(bytes)?,
        Type::JSONB => Value::Json(std::str::from_utf8(bytes.get(1..)?).ok()?),
        Type::TIMESTAMPTZ => {
            let micros = i64::from_be_bytes(bytes.try_into().ok()?);
            Value::Time(Timestamp::from_millis(micros.div_euclid(1000) + EPOCH_MS)?)
        }
        Type::INT8 => Value::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
        Type::INT4 => Value::Int(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::INT2 => Value::Int(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::OID => Value::Int(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::BOOL => Value::Bool(bytes != [0]),
        Type::FLOAT8 => Value::Real(f64::from_be_bytes(bytes.try_into().ok()?)),
        Type::BYTEA => Value::Bytes(bytes),
        _ => return None,
    })
}
