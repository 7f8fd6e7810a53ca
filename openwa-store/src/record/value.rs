use super::{Field, Page, Shape, Type};
use crate::error::{Error, Kind, Result};
use crate::json::Json;
use crate::text::Text;
use crate::time::Timestamp;
use uuid::Uuid;

/// A value on its way in or out. Text and documents are the library's own types, which keep what JavaScript strings
/// may hold.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Not given: an input takes its default, an update leaves the field as it is.
    Absent,
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number, or a length of time in milliseconds.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text, or a name of a closed list.
    Text(Text),
    /// A JSON document.
    Json(Json),
    /// An instant.
    Time(Timestamp),
    /// A UUID.
    Uuid(Uuid),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A record.
    Record(Record),
    /// Any number of values.
    List(Vec<Value>),
    /// A page of records.
    Page(Box<Page<Record>>),
}

impl Value {
    /// Whether this may stand where `ty` is wanted. Whole numbers may stand for numbers.
    #[must_use]
    pub fn is(&self, ty: &Type) -> bool {
        match (self, ty) {
            (Value::Null | Value::Absent, Type::Unit)
            | (Value::Bool(_), Type::Bool)
            | (Value::Int(_), Type::Int | Type::Duration | Type::Float)
            | (Value::Float(_), Type::Float)
            | (Value::Text(_), Type::Text)
            | (Value::Json(_), Type::Json)
            | (Value::Time(_), Type::Time)
            | (Value::Uuid(_), Type::Uuid)
            | (Value::Bytes(_), Type::Bytes) => true,
            (Value::Text(name), Type::Enum(list)) => list.values.contains(&name.as_stored()),
            (Value::Record(record), Type::Record(shape)) => std::ptr::eq(record.shape, *shape),
            (Value::List(items), Type::List(item)) => items.iter().all(|v| v.is(item)),
            (Value::Page(page), Type::Page(shape)) => {
                page.items.iter().all(|r| std::ptr::eq(r.shape, *shape))
            }
            _ => false,
        }
    }

    /// What this is, for an error message that must not show what may be secret.
    fn kind(&self) -> &'static str {
        match self {
            Value::Absent | Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::Json(_) => "a JSON document",
            Value::Time(_) => "a time",
            Value::Uuid(_) => "a UUID",
            Value::Bytes(_) => "bytes",
            Value::Record(record) => record.shape.name,
            Value::List(_) => "a list",
            Value::Page(_) => "a page",
        }
    }

    /// The error for a value that is not what a field or parameter wants.
    #[must_use]
    pub fn refused(&self, field: &'static str, wanted: &Type) -> Error {
        // A name that is not on the list is worth showing; anything else may be secret.
        let given = match (self, wanted) {
            (Value::Text(name), Type::Enum(_)) => format!("{name:?}"),
            _ => self.kind().to_owned(),
        };
        Error::invalid(field, format!("{field} must be {wanted}, not {given}"))
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Absent => f.write_str("Absent"),
            Value::Null => f.write_str("Null"),
            Value::Bool(b) => b.fmt(f),
            Value::Int(n) => n.fmt(f),
            Value::Float(x) => x.fmt(f),
            Value::Text(t) => t.fmt(f),
            Value::Json(j) => j.fmt(f),
            Value::Time(t) => t.fmt(f),
            Value::Uuid(u) => u.fmt(f),
            Value::Bytes(b) => write!(f, "<{} bytes>", b.len()),
            Value::Record(r) => r.fmt(f),
            Value::List(items) => items.fmt(f),
            Value::Page(page) => page.fmt(f),
        }
    }
}

/// A record of any shape: the values of its fields, in their order. `Debug` leaves secrets out.
#[derive(Clone)]
pub struct Record {
    shape: &'static Shape,
    values: Vec<Value>,
}

impl Record {
    /// A record with nothing in it yet.
    #[must_use]
    pub fn empty(shape: &'static Shape) -> Self {
        Record { shape, values: vec![Value::Absent; shape.fields.len()] }
    }

    /// A record of values that are known to fit.
    pub(crate) fn of(shape: &'static Shape, values: Vec<Value>) -> Self {
        debug_assert_eq!(shape.fields.len(), values.len());
        Record { shape, values }
    }

    /// What the record is.
    #[must_use]
    pub fn shape(&self) -> &'static Shape {
        self.shape
    }

    /// Every value, in the order of the shape's fields.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values themselves, in the order of the shape's fields.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// The value of a field by name; `None`: there is no such field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.shape.fields.iter().position(|f| f.name == field).map(|i| &self.values[i])
    }

    /// Puts a value into a field by position.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field for a value of another type, and for null where that is no value; also for
    /// a position that does not exist.
    pub fn set(&mut self, index: usize, value: Value) -> Result<()> {
        let Some(field) = self.shape.fields.get(index) else {
            let text =
                format!("{} has {} fields; there is no field {index}", self.shape.name, self.values.len());
            return Err(Error::new(Kind::InvalidArgument, text));
        };
        field.check(&value)?;
        self.values[index] = value;
        Ok(())
    }

    /// Puts a value into a field by name.
    ///
    /// # Errors
    /// As [`set`](Self::set), and for a field that does not exist.
    pub fn put(&mut self, field: &str, value: Value) -> Result<()> {
        self.set(self.shape.index_of(field)?, value)
    }
}

impl Field {
    /// Whether a value may stand here.
    pub(crate) fn check(&self, value: &Value) -> Result<()> {
        match value {
            Value::Absent => Ok(()),
            Value::Null if self.nullable => Ok(()),
            value if !matches!(value, Value::Null) && value.is(&self.ty) => Ok(()),
            value => Err(value.refused(self.name, &self.ty)),
        }
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.shape, other.shape) && self.values == other.values
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct(self.shape.name);
        for (field, value) in self.shape.fields.iter().zip(&self.values) {
            match value {
                Value::Absent => {}
                _ if field.secret => {
                    out.field(field.name, &format_args!("<secret>"));
                }
                value => {
                    out.field(field.name, value);
                }
            }
        }
        out.finish()
    }
}
