//! Checks of JSON columns that have a schema: a known key must have the right type, an unknown one is kept.
//!
//! A known key whose value is `null` counts as absent, because hosts write `null` for "not set". Errors name
//! the column and the path inside it and never show what is there: it may be a secret.

use std::str::FromStr;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::json::Json;

/// The parsed document of a JSON column.
pub(crate) fn value(json: &Json, column: &'static str) -> Result<Value> {
    json.value().map_err(|e| Error::invalid(column, format!("{column} is not valid JSON")).caused_by(e))
}

/// A column that holds an array of strings.
pub(crate) fn strings(json: &Json, column: &'static str) -> Result<Vec<String>> {
    let items = match value(json, column)? {
        Value::Array(items) => items,
        other => {
            let message = format!("{column} must be an array of strings, not {}", kind(&other));
            return Err(Error::invalid(column, message));
        }
    };
    let string = |(i, item)| match item {
        Value::String(s) => Ok(s),
        other => Err(Error::invalid(column, format!("{column}[{i}] must be a string, not {}", kind(&other)))
            .with("path", format_args!("[{i}]"))),
    };
    items.into_iter().enumerate().map(string).collect()
}

/// A column that holds an array of names of a closed list; a repeated name counts once, at its first place.
pub(crate) fn names<T: FromStr<Err = Error> + PartialEq>(
    json: &Json,
    column: &'static str,
) -> Result<Vec<T>> {
    let mut out = Vec::new();
    for (i, name) in strings(json, column)?.iter().enumerate() {
        let name: T =
            name.parse().map_err(|e: Error| e.with("column", column).with("path", format_args!("[{i}]")))?;
        if !out.contains(&name) {
            out.push(name);
        }
    }
    Ok(out)
}

/// The fields of one JSON object, with the way to it.
pub(crate) struct Fields<'a> {
    column: &'static str,
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The fields of a whole column.
    pub(crate) fn of(column: &'static str, value: &'a Value) -> Result<Self> {
        match value {
            Value::Object(map) => Ok(Fields { column, path: String::new(), map }),
            other => Err(Error::invalid(column, format!("{column} must be an object, not {}", kind(other)))),
        }
    }

    /// What a field holds; absent and `null` are the same.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.raw(name).filter(|v| !v.is_null())
    }

    /// What a field holds, `null` included.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name)
    }

    /// All fields, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.map.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// The error for a field of the wrong type or size.
    pub(crate) fn wrong(&self, name: &str, expected: &str) -> Error {
        let path = self.path_of(name);
        Error::invalid(self.column, format!("{path} must be {expected}")).with("path", path)
    }

    /// Checks that a field is true or false.
    pub(crate) fn boolean(&self, name: &str) -> Result<()> {
        self.check(name, "true or false", Value::is_boolean)
    }

    /// Checks that a field is a string.
    pub(crate) fn text(&self, name: &str) -> Result<()> {
        self.check(name, "a string", Value::is_string)
    }

    /// Checks that a field is a whole number from `min` to `max`.
    pub(crate) fn integer(&self, name: &str, min: u64, max: u64) -> Result<()> {
        let expected = match max {
            u64::MAX => format!("a whole number, at least {min}"),
            _ => format!("a whole number from {min} to {max}"),
        };
        self.check(name, &expected, |v| whole(v).is_some_and(|n| (min..=max).contains(&n)))
    }

    /// Checks that a field is a number that is not negative.
    pub(crate) fn size(&self, name: &str) -> Result<()> {
        self.check(name, "a number, at least 0", |v| v.as_f64().is_some_and(|n| n >= 0.0))
    }

    /// Checks that a field is an array of strings.
    pub(crate) fn texts(&self, name: &str) -> Result<()> {
        self.check(name, "an array of strings", |v| {
            v.as_array().is_some_and(|a| a.iter().all(Value::is_string))
        })
    }

    /// The fields of an object inside this one.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Fields<'a>>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(map)) => {
                Ok(Some(Fields { column: self.column, path: format!("{}.", self.path_of(name)), map }))
            }
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }

    /// Checks a field with a rule of the caller's own.
    pub(crate) fn check(&self, name: &str, expected: &str, good: impl Fn(&Value) -> bool) -> Result<()> {
        match self.get(name) {
            Some(v) if !good(v) => Err(self.wrong(name, expected)),
            _ => Ok(()),
        }
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }
}

/// A whole number that is not negative, whether written `5` or `5.0`: some languages write the second.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    // Every whole number up to 2^53 is exact as a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..=EXACT).contains(n)).map(|n| n as u64)
    })
}

/// The type of a value, for people.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
