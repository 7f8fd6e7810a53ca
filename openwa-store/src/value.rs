//! Column values between Rust types and the engines.

use uuid::Uuid;

use crate::json::Json;
use crate::text::Text;
use crate::time::Timestamp;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// A UUID: lower-case hyphenated text in SQLite, `uuid` in PostgreSQL.
    Uuid,
    /// Text in the stored form of [`Text`].
    Text,
    /// One name of a closed list, stored as text.
    Enum(&'static [&'static str]),
    /// A JSON document: text in SQLite, `jsonb` in PostgreSQL.
    Json,
    /// An instant.
    Time,
    /// A 64-bit integer.
    Int,
    /// True or false: 1 or 0 in SQLite.
    Bool,
    /// Bytes.
    Bytes,
}

/// One value on its way to or from an engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Bool(bool),
    Real(f64),
    Text(&'a str),
    /// A JSON document on its way in. SQLite gives it back as text, PostgreSQL with blanks between its parts.
    Json(&'a str),
    Bytes(&'a [u8]),
    Time(Timestamp),
    Uuid(Uuid),
    /// Many values of one kind, for an engine that takes lists.
    List(ColumnKind, &'a [Value<'a>]),
}

/// One row of a result.
pub(crate) trait Row {
    /// The value at a position of the result's columns.
    fn get(&self, index: usize) -> Value<'_>;
}

/// A Rust type that a column can hold.
pub(crate) trait Column: Sized {
    const KIND: ColumnKind;
    const NULLABLE: bool = false;
    fn bind(&self) -> Value<'_>;
    /// `None`: the stored value is not one of this type.
    fn read(value: Value<'_>) -> Option<Self>;
    /// Length in characters, for columns with a limit.
    fn chars(&self) -> usize {
        0
    }
}

impl Column for Uuid {
    const KIND: ColumnKind = ColumnKind::Uuid;
    fn bind(&self) -> Value<'_> {
        Value::Uuid(*self)
    }
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Uuid(u) => Some(u),
            Value::Text(s) => Uuid::try_parse(s).ok(),
            _ => None,
        }
    }
}

impl Column for Text {
    const KIND: ColumnKind = ColumnKind::Text;
    fn bind(&self) -> Value<'_> {
        Value::Text(self.as_stored())
    }
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Text(s) = value { Some(Text::from_stored(s)) } else { None }
    }
    fn chars(&self) -> usize {
        Text::chars(self)
    }
}

impl Column for Json {
    const KIND: ColumnKind = ColumnKind::Json;
    fn bind(&self) -> Value<'_> {
        Value::Json(self.as_stored())
    }
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(s) => Some(Json::from_stored(s)),
            Value::Json(s) => Some(Json::from_stored(crate::json::without_blanks(s))),
            _ => None,
        }
    }
}

impl Column for Timestamp {
    const KIND: ColumnKind = ColumnKind::Time;
    fn bind(&self) -> Value<'_> {
        Value::Time(*self)
    }
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Time(t) => Some(t),
            Value::Text(s) => Timestamp::parse(s).ok(),
            _ => None,
        }
    }
}

impl Column for i64 {
    const KIND: ColumnKind = ColumnKind::Int;
    fn bind(&self) -> Value<'_> {
        Value::Int(*self)
    }
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Int(i) = value { Some(i) } else { None }
    }
}

impl Column for bool {
    const KIND: ColumnKind = ColumnKind::Bool;
    fn bind(&self) -> Value<'_> {
        Value::Bool(*self)
    }
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Bool(b) => Some(b),
            Value::Int(i @ 0..=1) => Some(i == 1),
            _ => None,
        }
    }
}

impl Column for Vec<u8> {
    const KIND: ColumnKind = ColumnKind::Bytes;
    fn bind(&self) -> Value<'_> {
        Value::Bytes(self)
    }
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(b) = value { Some(b.to_vec()) } else { None }
    }
}

impl<T: Column> Column for Option<T> {
    const KIND: ColumnKind = T::KIND;
    const NULLABLE: bool = true;
    fn bind(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, T::bind)
    }
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            // An empty text is how some gateways write "no date".
            Value::Text("") if matches!(T::KIND, ColumnKind::Time) => Some(None),
            other => T::read(other).map(Some),
        }
    }
    fn chars(&self) -> usize {
        self.as_ref().map_or(0, T::chars)
    }
}

/// A closed list of names as a Rust enum, stored as text. `Variant = "name" | "alias"` also reads the alias;
/// `enum Type: default Variant` gives it a default.
macro_rules! names {
    ($(#[doc = $doc:literal])+ $vis:vis enum $type:ident $(: default $default:ident)? {
        $($(#[doc = $vdoc:literal])+ $variant:ident = $name:literal $(| $alias:literal)*,)+
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $type { $($(#[doc = $vdoc])+ $variant,)+ }

        $(impl Default for $type {
            fn default() -> Self { $type::$default }
        })?

        impl $type {
            /// Every value, in its natural order.
            #[allow(dead_code)] // not every list is walked
            pub const ALL: &'static [$type] = &[$($type::$variant),+];
            /// The stored names, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The stored name.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $($type::$variant => $name),+ } }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::error::Error;
            fn from_str(s: &str) -> $crate::error::Result<Self> {
                match s {
                    $($name $(| $alias)* => Ok($type::$variant),)+
                    _ => Err($crate::error::Error::new(
                        $crate::error::Kind::InvalidArgument,
                        format!("unknown {} {s:?}; one of: {}", stringify!($type), Self::NAMES.join(", ")),
                    )),
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.name()) }
        }

        impl $crate::value::Column for $type {
            const KIND: $crate::value::ColumnKind = $crate::value::ColumnKind::Enum(Self::NAMES);
            fn bind(&self) -> $crate::value::Value<'_> { $crate::value::Value::Text(self.name()) }
            fn read(value: $crate::value::Value<'_>) -> Option<Self> {
                if let $crate::value::Value::Text(s) = value { s.parse().ok() } else { None }
            }
        }

        impl $crate::record::Described for $type {
            const TYPE: $crate::record::Type = {
                static LIST: $crate::record::EnumDef = $crate::record::EnumDef {
                    name: stringify!($type),
                    doc: concat!($($doc,)+).trim_ascii(),
                    values: $type::NAMES,
                    docs: &[$(concat!($($vdoc,)+).trim_ascii(),)+],
                };
                $crate::record::Type::Enum(&LIST)
            };
        }

        impl $crate::record::IntoValue for $type {
            fn into_value(self) -> $crate::record::Value { $crate::record::Value::Text(self.name().into()) }
        }

        impl $crate::record::FromValue for $type {
            $(
                const REQUIRED: bool = false;
                fn absent(_: &'static str) -> $crate::error::Result<Self> { Ok($type::$default) }
            )?
            fn given(value: $crate::record::Value, field: &'static str) -> $crate::error::Result<Self> {
                let wanted = <$type as $crate::record::Described>::TYPE;
                match &value {
                    $crate::record::Value::Text(name) => {
                        name.as_stored().parse().map_err(|_| value.refused(field, &wanted))
                    }
                    other => Err(other.refused(field, &wanted)),
                }
            }
        }
    };
}
pub(crate) use names;
