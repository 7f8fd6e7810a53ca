//! What goes in and out of the verbs, described for programs: the types of fields, the shapes of records, and values
//! that carry their type with them. Every binding is made from these descriptions; see [`crate::face`].
//!
//! Rows get theirs from `entity!`, other structs from `shape!`, where the struct itself stands.

mod convert;
mod json;
mod shape;
mod value;
mod view;

pub(crate) use convert::{Described, FromValue, IntoRecord, IntoValue, Secret, Shaped, next_field};
pub(crate) use shape::shape;
pub use value::{Record, Value};
pub(crate) use view::view;

use std::fmt;

use crate::error::{Error, Result};

/// The type of a field, an argument or a result.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Nothing: the verb only succeeds or fails.
    Unit,
    /// True or false.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A number of double precision.
    Float,
    /// Text.
    Text,
    /// A JSON document.
    Json,
    /// An instant.
    Time,
    /// A length of time in milliseconds; its value is a [`Value::Int`].
    Duration,
    /// A UUID.
    Uuid,
    /// Bytes.
    Bytes,
    /// One name of a closed list; its value is a [`Value::Text`].
    Enum(&'static EnumDef),
    /// A record.
    Record(&'static Shape),
    /// Any number of values of one type.
    List(&'static Type),
    /// A page of records and the cursor of the next page.
    Page(&'static Shape),
}

/// One page of a longer list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give this as `after` to get the next page; `None`: there is none.
    pub next: Option<String>,
}

/// A closed list of names.
#[derive(Debug)]
pub struct EnumDef {
    /// The name of the list, for instance `SessionStatus`.
    pub name: &'static str,
    /// What it tells, for people.
    pub doc: &'static str,
    /// The names, in their natural order.
    pub values: &'static [&'static str],
    /// What each name means, in the same order.
    pub docs: &'static [&'static str],
}

/// A field of a record, or a parameter of a verb.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in Rust, Python, C and JSON; Node writes it in camel case.
    pub name: &'static str,
    /// What it holds, for people.
    pub doc: &'static str,
    /// What it holds, for programs.
    pub ty: Type,
    /// An input that must be given.
    pub required: bool,
    /// Null is a value of it: "none" in a result or a new record, "empty it" in an update.
    pub nullable: bool,
    /// The most characters that the library accepts.
    pub limit: Option<usize>,
    /// Never to be shown in a log, an error or a debug print.
    pub secret: bool,
}

/// The fields of a record.
pub struct Shape {
    /// The name of the record, for instance `NewMessage`.
    pub name: &'static str,
    /// What it is, for people.
    pub doc: &'static str,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

/// The shape of a record's Rust type.
#[cfg(test)]
pub(crate) fn shape_of<T: Shaped>() -> &'static Shape {
    T::SHAPE
}

impl Shape {
    /// The position of a field.
    ///
    /// # Errors
    /// `InvalidArgument` naming the fields there are.
    pub fn index_of(&self, field: &str) -> Result<usize> {
        self.fields.iter().position(|f| f.name == field).ok_or_else(|| {
            let known: Vec<&str> = self.fields.iter().map(|f| f.name).collect();
            let text = format!("{} has no field {field:?}; it has: {}", self.name, known.join(", "));
            Error::new(crate::Kind::InvalidArgument, text).with("column", field)
        })
    }

    pub(crate) const fn needs_input(&self) -> bool {
        let mut i = 0;
        while i < self.fields.len() {
            if self.fields[i].required {
                return true;
            }
            i += 1;
        }
        false
    }
}

// The fields' types lead to other shapes; a shape in a message is its name.
impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shape({})", self.name)
    }
}

impl fmt::Display for Type {
    /// The type as an error message names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Unit => f.write_str("nothing"),
            Type::Bool => f.write_str("true or false"),
            Type::Int => f.write_str("a whole number"),
            Type::Float => f.write_str("a number"),
            Type::Text => f.write_str("text"),
            Type::Json => f.write_str("a JSON document"),
            Type::Time => f.write_str("a time"),
            Type::Duration => f.write_str("a number of milliseconds"),
            Type::Uuid => f.write_str("a UUID"),
            Type::Bytes => f.write_str("bytes"),
            Type::Enum(list) => write!(f, "one of {}", list.values.join(", ")),
            Type::Record(shape) => write!(f, "a {}", shape.name),
            Type::List(item) => write!(f, "a list, each {item}"),
            Type::Page(shape) => write!(f, "a page of {}", shape.name),
        }
    }
}
