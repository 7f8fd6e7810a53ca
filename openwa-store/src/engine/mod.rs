//! Engine events to changes: what Baileys, whatsapp-web.js and neonize emit, as JSON, becomes a list of
//! [`Change`]s. Pure: no database, no clock. One mapping, so that every language ingests the same way.
//!
//! The JSON must come from [`crate::json::parse`], so that its strings are in the stored form of
//! [`Text`](crate::Text). Nothing in an event is an error: what is missing or misshapen is left out.

mod baileys;
mod change;
mod content;
mod envelope;
mod field;
mod neonize;
mod people;
mod web_message;
mod wwebjs;

use serde_json::Value;

pub use change::{AddressedTo, Change, ContactChange, Skipped};

use crate::error::{Error, Result};
use crate::value::names;

names! {
    /// The library that speaks to WhatsApp.
    pub enum Engine {
        /// Baileys, for Node.
        Baileys = "baileys",
        /// whatsapp-web.js, for Node, through a browser.
        Wwebjs = "wwebjs" | "whatsapp-web.js",
        /// neonize, for Python, over whatsmeow.
        Neonize = "neonize" | "whatsmeow",
    }
}

/// One event of an engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'a> {
    /// The engine's name for it.
    pub name: &'a str,
    /// What came with it: the payload, or (whatsapp-web.js) the list of the listener's arguments.
    pub data: &'a Value,
}

/// Appends what an event means for the store to `out`, in the order in which it is to be applied. False if the
/// engine's event is unknown to this version of the library.
pub fn changes(engine: Engine, event: &str, data: &Value, out: &mut Vec<Change>) -> bool {
    match engine {
        Engine::Baileys => baileys::changes(event, data, out),
        Engine::Wwebjs => wwebjs::changes(event, data, out),
        Engine::Neonize => neonize::changes(event, data, out),
    }
}

/// The events in what a host hands over at once, in their order: an object `{"event": …, "data": …}`, an event
/// map as Baileys' `sock.ev.process` gives it (`{"messages.upsert": …, "creds.update": …}`), or an array of
/// either. Other fields beside `event` and `data` are left alone.
///
/// # Errors
/// `InvalidArgument` when `json` is none of these.
pub fn events(json: &Value) -> Result<Vec<Event<'_>>> {
    let mut out = Vec::new();
    match json {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                events_of(item, &mut out).map_err(|e| e.with("index", i))?;
            }
        }
        _ => events_of(json, &mut out)?,
    }
    Ok(out)
}

fn events_of<'a>(item: &'a Value, out: &mut Vec<Event<'a>>) -> Result<()> {
    let Some(fields) = item.as_object() else {
        return Err(Error::invalid("events", format!("an event must be an object; {HELP}")));
    };
    if let Some(name) = fields.get("event") {
        let name = name
            .as_str()
            .ok_or_else(|| Error::invalid("events", format!("`event` must be the event's name; {HELP}")))?;
        out.push(Event { name, data: &item["data"] });
        return Ok(());
    }
    // Every name in an event map of Baileys has a dot, but for one.
    if let Some(other) = fields.keys().find(|name| !name.contains('.') && *name != "call") {
        return Err(Error::invalid(
            "events",
            format!("the object has no field `event`, and {other:?} is no event of an event map; {HELP}"),
        ));
    }
    out.extend(fields.iter().map(|(name, data)| Event { name, data }));
    Ok(())
}

const HELP: &str = "pass {\"event\": name, \"data\": payload}, an array of such objects, or the event map of \
                    Baileys' sock.ev.process";

#[cfg(test)]
mod tests;
