//! Rust types and the values they become.

use std::time::Duration;

use uuid::Uuid;

use super::{Page, Record, Shape, Type, Value};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::seal::StoreKey;
use crate::text::Text;
use crate::time::Timestamp;

/// A Rust type that a field, a parameter or a result can have.
pub(crate) trait Described {
    const TYPE: Type;
    /// Null is a value of it.
    const NULLABLE: bool = false;
    /// It tells "null" from "not given".
    const EMPTIES: bool = false;
    /// Never to be shown; see [`Secret`].
    const SECRET: bool = false;
}

/// A value that is given in or out, but not shown.
pub(crate) struct Secret<T>(pub(crate) T);

impl<T: Described> Described for Secret<T> {
    const TYPE: Type = T::TYPE;
    const NULLABLE: bool = T::NULLABLE;
    const SECRET: bool = true;
}

impl<T: IntoValue> IntoValue for Secret<T> {
    fn into_value(self) -> Value {
        self.0.into_value()
    }
}

/// One that can be given out.
pub(crate) trait IntoValue: Described {
    fn into_value(self) -> Value;
}

/// One that can be taken in.
pub(crate) trait FromValue: Described + Sized {
    /// Whether it must be given.
    const REQUIRED: bool = true;
    /// What stands in when it is not given.
    fn absent(field: &'static str) -> Result<Self> {
        Err(Error::invalid(field, format!("{field} is missing; it must be {}", Self::TYPE)))
    }
    /// From a value that is given.
    fn given(value: Value, field: &'static str) -> Result<Self>;

    fn from_value(value: Value, field: &'static str) -> Result<Self> {
        match value {
            Value::Absent => Self::absent(field),
            Value::Null if !Self::REQUIRED && !Self::NULLABLE => Self::absent(field),
            value => Self::given(value, field),
        }
    }
}

impl<T: FromValue> FromValue for Secret<T> {
    const REQUIRED: bool = T::REQUIRED;
    fn absent(field: &'static str) -> Result<Self> {
        T::absent(field).map(Secret)
    }
    fn given(value: Value, field: &'static str) -> Result<Self> {
        T::given(value, field).map(Secret)
    }
}

/// One that is a record.
pub(crate) trait Shaped {
    const SHAPE: &'static Shape;
}

/// One that can be given out as a record.
pub(crate) trait IntoRecord: Shaped {
    fn into_record(self) -> Record;
}

/// The next field of a record, or the next argument of a verb.
pub(crate) fn next_field<T: FromValue>(
    values: &mut std::vec::IntoIter<Value>,
    field: &'static str,
) -> Result<T> {
    T::from_value(values.next().unwrap_or(Value::Absent), field)
}

macro_rules! scalar {
    ($($type:ty = $variant:ident;)+) => { $(
        impl Described for $type {
            const TYPE: Type = Type::$variant;
        }
        impl IntoValue for $type {
            fn into_value(self) -> Value { Value::$variant(self) }
        }
        impl FromValue for $type {
            fn given(value: Value, field: &'static str) -> Result<Self> {
                match value {
                    Value::$variant(it) => Ok(it),
                    other => Err(other.refused(field, &Self::TYPE)),
                }
            }
        }
    )+ };
}

scalar! {
    i64 = Int;
    Text = Text;
    Json = Json;
    Timestamp = Time;
    Uuid = Uuid;
    Vec<u8> = Bytes;
}

impl Described for bool {
    const TYPE: Type = Type::Bool;
}

impl IntoValue for bool {
    fn into_value(self) -> Value {
        Value::Bool(self)
    }
}

impl FromValue for bool {
    const REQUIRED: bool = false;
    fn absent(_: &'static str) -> Result<Self> {
        Ok(false)
    }
    fn given(value: Value, field: &'static str) -> Result<Self> {
        match value {
            Value::Bool(it) => Ok(it),
            other => Err(other.refused(field, &Self::TYPE)),
        }
    }
}

/// As text; see [`StoreKey`]'s `FromStr`.
impl Described for StoreKey {
    const TYPE: Type = Type::Text;
    const SECRET: bool = true;
}

impl FromValue for StoreKey {
    fn given(value: Value, field: &'static str) -> Result<Self> {
        let text = String::given(value, field)?;
        text.parse().map_err(|e: Error| Error::invalid(field, e.message()))
    }
}

impl Described for () {
    const TYPE: Type = Type::Unit;
}

impl IntoValue for () {
    fn into_value(self) -> Value {
        Value::Null
    }
}

impl Described for f64 {
    const TYPE: Type = Type::Float;
}

impl FromValue for f64 {
    fn given(value: Value, field: &'static str) -> Result<Self> {
        match value {
            Value::Float(x) => Ok(x),
            Value::Int(n) => Ok(n as f64),
            other => Err(other.refused(field, &Self::TYPE)),
        }
    }
}

macro_rules! whole {
    ($($type:ty),+) => { $(
        impl Described for $type {
            const TYPE: Type = Type::Int;
        }
        impl IntoValue for $type {
            fn into_value(self) -> Value { Value::Int(i64::try_from(self).unwrap_or(i64::MAX)) }
        }
        impl FromValue for $type {
            fn given(value: Value, field: &'static str) -> Result<Self> {
                let n = i64::given(value, field)?;
                <$type>::try_from(n).map_err(|_| {
                    Error::invalid(field, format!("{field} must be from 0 to {}, not {n}", <$type>::MAX))
                })
            }
        }
    )+ };
}

whole!(u32, u64);

impl Described for Duration {
    const TYPE: Type = Type::Duration;
}

impl FromValue for Duration {
    fn given(value: Value, field: &'static str) -> Result<Self> {
        u64::given(value, field).map(Duration::from_millis)
    }
}

impl IntoValue for Duration {
    fn into_value(self) -> Value {
        Value::Int(i64::try_from(self.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Described for String {
    const TYPE: Type = Type::Text;
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::Text(self.into())
    }
}

impl FromValue for String {
    fn given(value: Value, field: &'static str) -> Result<Self> {
        let text = Text::given(value, field)?;
        let plain = text.decode().into_owned();
        // A lone surrogate would silently become another character.
        if text != plain.as_str() {
            return Err(Error::invalid(field, format!("{field} has half of a UTF-16 surrogate pair")));
        }
        Ok(plain)
    }
}

impl Described for &'static str {
    const TYPE: Type = Type::Text;
}

impl IntoValue for &'static str {
    fn into_value(self) -> Value {
        Value::Text(self.into())
    }
}

impl<T: Described> Described for Option<T> {
    const TYPE: Type = T::TYPE;
    const NULLABLE: bool = true;
    const EMPTIES: bool = T::NULLABLE;
    const SECRET: bool = T::SECRET;
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const REQUIRED: bool = false;
    fn absent(_: &'static str) -> Result<Self> {
        Ok(None)
    }
    fn given(value: Value, field: &'static str) -> Result<Self> {
        match value {
            Value::Null if !T::NULLABLE => Ok(None),
            value => T::given(value, field).map(Some),
        }
    }
}

impl<T: Described> Described for Vec<T> {
    const TYPE: Type = Type::List(&T::TYPE);
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn given(value: Value, field: &'static str) -> Result<Self> {
        match value {
            Value::List(items) => {
                let item = |(i, v)| T::from_value(v, field).map_err(|e| e.with("index", i));
                items.into_iter().enumerate().map(item).collect()
            }
            other => Err(other.refused(field, &Self::TYPE)),
        }
    }
}

impl<T: Described> Described for Box<T> {
    const TYPE: Type = T::TYPE;
    const NULLABLE: bool = T::NULLABLE;
}

impl<T: IntoValue> IntoValue for Box<T> {
    fn into_value(self) -> Value {
        (*self).into_value()
    }
}

impl<T: Described> Described for std::sync::Arc<T> {
    const TYPE: Type = T::TYPE;
    const NULLABLE: bool = T::NULLABLE;
}

impl<T: IntoValue + Clone> IntoValue for std::sync::Arc<T> {
    fn into_value(self) -> Value {
        T::clone(&self).into_value()
    }
}

impl<T: Shaped> Described for Page<T> {
    const TYPE: Type = Type::Page(T::SHAPE);
}

impl Value {
    /// The values of a record of this shape.
    pub(crate) fn fields_of(self, shape: &'static Shape, field: &'static str) -> Result<Vec<Value>> {
        match self {
            Value::Record(record) if std::ptr::eq(record.shape(), shape) => Ok(record.into_values()),
            other => Err(other.refused(field, &Type::Record(shape))),
        }
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Self {
        Value::Record(record)
    }
}
