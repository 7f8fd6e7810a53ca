//! JSON documents made of the library's own, so that text and numbers come out as they were stored.

use crate::Json;
use serde_json::Value;

/// A JSON object under construction.
pub struct Object(String);

impl Object {
    pub fn new() -> Self {
        Object(String::from("{"))
    }

    /// Adds a field. Strings in `value` must be in the stored form (`Text::as_stored`).
    pub fn put(mut self, name: &str, value: impl Into<Json>) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&Value::from(name).to_string());
        self.0.push(':');
        self.0.push_str(value.into().as_stored());
        self
    }

    pub fn done(mut self) -> Json {
        self.0.push('}');
        Json::from_stored(self.0)
    }
}

/// A JSON array.
pub fn array(items: impl IntoIterator<Item = Json>) -> Json {
    let mut out = String::from("[");
    for item in items {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(item.as_stored());
    }
    out.push(']');
    Json::from_stored(out)
}
