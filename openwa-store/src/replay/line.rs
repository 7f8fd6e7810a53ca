//! One line of a log.

use serde_json::Value;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::json;
use crate::text::Text;
use crate::time::Timestamp;

/// What a line says beside its event.
pub(super) struct Line {
    /// When the event was emitted: it stands for the present.
    pub(super) at: Timestamp,
    /// The session's name.
    pub(super) session: Text,
    pub(super) engine: Engine,
    /// The number of the event map that it is part of.
    pub(super) map: Option<u64>,
    /// The engine's name for the event.
    pub(super) event: String,
    /// What came with it.
    pub(super) data: Value,
}

impl Line {
    /// Reads a line.
    pub(super) fn parse(line: &[u8]) -> Result<Self> {
        let mut value = json::parse(line)?;
        let Some(fields) = value.as_object_mut() else {
            return Err(Error::invalid("line", "the line is no JSON object"));
        };
        let missing =
            |field: &'static str, what: &str| Error::invalid(field, format!("`{field}` must be {what}"));
        let text = |field: &'static str, what| {
            fields.get(field).and_then(Value::as_str).ok_or_else(|| missing(field, what))
        };
        let session = Text::from_stored(text("session", "the session's name")?);
        let engine =
            text("engine", "the engine's name")?.parse().map_err(|e: Error| e.with("column", "engine"))?;
        let event = text("event", "the event's name")?.to_owned();
        let at = fields
            .get("t")
            .and_then(Value::as_i64)
            .and_then(Timestamp::from_millis)
            .ok_or_else(|| missing("t", "the time in milliseconds since 1970"))?;
        let map = match fields.get("map") {
            None | Some(Value::Null) => None,
            Some(n) => Some(n.as_u64().ok_or_else(|| missing("map", "a whole number"))?),
        };
        let data = fields.get_mut("data").map(Value::take).unwrap_or_default();
        Ok(Line { at, session, engine, map, event, data })
    }
}
