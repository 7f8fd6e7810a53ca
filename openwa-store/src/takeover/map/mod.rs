//! From a row of OpenWA to rows of ours: one pure function per table.
//!
//! A mapping takes the columns it has a place for; what it leaves is kept as a row of `openwa_extra`. Tables
//! without a mapping are kept there whole.

mod batches;
mod keys;
mod messages;
mod sessions;

use serde_json::Value as JsonValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::row::{Cell, SourceRow, Wrong};
use super::spool;
use crate::entity::{Database, Entity, OpenwaExtra, TABLES};
use crate::error::{Error, Kind};
use crate::json::Json;
use crate::repo::retention::Moving;
use crate::text::Text;
use crate::time::Timestamp;
use crate::transfer::Renderer;
use crate::value::{Row, Value};

pub(super) use batches::{current_index, entry, progress, result};
pub(super) use sessions::LID_SERVER;

/// A table of OpenWA that has a place in ours.
pub(super) struct Mapping {
    /// Its name in OpenWA's databases.
    pub(super) table: &'static str,
    /// Where its rows go.
    pub(super) to: &'static [&'static str],
    /// What names a row.
    pub(super) keys: &'static [&'static str],
    /// Columns without which it is something else.
    pub(super) columns: &'static [&'static str],
    map: fn(&mut SourceRow, &mut Out) -> Result<(), Wrong>,
}

/// What is mapped, in the order in which it is read from a database.
pub(super) const MAPPINGS: &[Mapping] = &[
    Mapping {
        table: "api_keys",
        to: &["api_keys", "ip_whitelist"],
        keys: &["id"],
        columns: &["id", "keyHash", "role", "allowedIps", "allowedSessions"],
        map: keys::api_key,
    },
    Mapping {
        table: "audit_logs",
        to: &["audit_logs"],
        keys: &["id"],
        columns: &["id", "action", "severity", "createdAt"],
        map: keys::audit_log,
    },
    Mapping {
        table: "sessions",
        to: &["sessions"],
        keys: &["id"],
        columns: &["id", "name", "status", "createdAt"],
        map: sessions::session,
    },
    Mapping {
        table: "webhooks",
        to: &["webhooks"],
        keys: &["id"],
        columns: &["id", "sessionId", "url", "events"],
        map: sessions::webhook,
    },
    Mapping {
        table: "messages",
        to: &["messages"],
        keys: &["id"],
        columns: &["id", "sessionId", "chatId", "direction", "status", "createdAt"],
        map: messages::message,
    },
    Mapping {
        table: "message_batches",
        to: &["batch_jobs", "batch_job_messages"],
        keys: &["id"],
        columns: &["id", "batch_id", "session_id", "messages", "status"],
        map: batches::batch,
    },
    Mapping {
        table: "lid_mappings",
        to: &["identities"],
        keys: &["lid"],
        columns: &["lid", "phone"],
        map: sessions::lid_mapping,
    },
    Mapping {
        table: "baileys_stored_messages",
        to: &["messages.raw"],
        keys: &["id"],
        columns: &["id", "sessionId", "waMessageId", "serializedMessage"],
        map: messages::stored,
    },
];

pub(super) fn mapping(table: &str) -> Option<&'static Mapping> {
    MAPPINGS.iter().find(|m| m.table == table)
}

/// Makes sure that a table is the one that is known under its name.
pub(super) fn check_columns(mapping: &Mapping, there: &[&str]) -> Result<(), Error> {
    match mapping.columns.iter().find(|c| !there.contains(c)) {
        None => Ok(()),
        Some(missing) => {
            let text = format!(
                "this looks like another program's database, or that of a newer OpenWA: {} has no column {missing}",
                mapping.table
            );
            Err(Error::new(Kind::ForeignDatabase, text).with("table", mapping.table).with("column", missing))
        }
    }
}

/// OpenWA's books about its own schema, and what SQLite and its full-text index keep for themselves.
pub(super) fn is_bookkeeping(table: &str) -> bool {
    matches!(table, "migrations" | "typeorm_metadata" | "query-result-cache")
        || table.starts_with("sqlite_")
        || table.contains("_fts")
}

/// What a table is called in an export: `message_batches` is `messageBatches`.
pub(super) fn export_name(table: &str) -> String {
    let mut parts = table.split('_');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        name.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        name.push_str(chars.as_str());
    }
    name
}

/// The table that an export calls so.
pub(super) fn table_name(exported: &str) -> String {
    let mut name = String::new();
    for c in exported.chars() {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// An engine's own message on its way to the row of its message.
pub(super) struct StoredMessage {
    pub(super) session: Uuid,
    pub(super) message: Text,
    pub(super) id: String,
    pub(super) value: String,
}

/// What became of one row.
pub(super) struct Out {
    pub(super) rows: Vec<spool::Row>,
    pub(super) stored: Option<StoredMessage>,
    /// Whether the row goes to `openwa_extra` as it is although its table has a mapping.
    pub(super) whole: bool,
    /// Messages among all rows so far.
    pub(super) moving: Moving,
    renderers: Vec<Option<Renderer>>,
}

/// When a message was stored.
fn created_at<E: Entity>(row: &E) -> Option<Timestamp> {
    let at = Some(E::TABLE).filter(|table| table.name == "messages")?.index_of("created_at")?;
    if let Value::Time(at) = row.values()[at] { Some(at) } else { None }
}

impl Out {
    pub(super) fn new() -> Self {
        let (rows, renderers) = (Vec::new(), TABLES.iter().map(|_| None).collect());
        Out { rows, stored: None, whole: false, moving: Moving::default(), renderers }
    }

    /// Empties it for the next row.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.stored = None;
        self.whole = false;
    }

    /// Adds a row of ours. `unique` is its unique value beside the key.
    fn put<E: Entity>(&mut self, row: &E, unique: Option<String>, owner: Option<Uuid>) -> Result<(), Wrong> {
        row.check().map_err(|e| wrong(&e))?;
        let (owner, bound) = (owner.map(|id| id.to_string()), owner.is_some());
        let created_at = created_at(row);
        let row = self.render(row, unique, owner, bound).map_err(|e| wrong(&e))?;
        if let Some(at) = created_at {
            self.moving.add(at);
        }
        self.rows.push(row);
        Ok(())
    }

    /// Renders a row as a document has it. What the spool adds itself is left out.
    pub(super) fn render<E: Entity>(
        &mut self,
        row: &E,
        unique: Option<String>,
        owner: Option<String>,
        bound: bool,
    ) -> Result<spool::Row, Error> {
        let table = E::TABLE;
        let place = TABLES.iter().position(|t| t.name == table.name).unwrap_or_default();
        let renderer = self.renderers[place].get_or_insert_with(|| {
            let later =
                |name| matches!((table.name, name), ("messages", "raw") | ("openwa_extra", "session_id"));
            Renderer::replacing(table, table.columns.iter().map(|c| later(c.name).then_some("")).collect())
        });
        let values = Values(row.values());
        let mut body = Vec::new();
        renderer.row(&values, &mut body)?;
        let part = |name: &&str| match table.index_of(name).map(|i| values.get(i)) {
            Some(Value::Text(s)) => s.to_owned(),
            Some(Value::Uuid(id)) => id.to_string(),
            _ => String::new(),
        };
        let key = table.key.iter().map(part).collect::<Vec<_>>().join("/");
        Ok(spool::Row { table, key, unique, owner, bound, body })
    }
}

struct Values<'a>(Vec<Value<'a>>);

impl Row for Values<'_> {
    fn get(&self, index: usize) -> Value<'_> {
        match self.0[index] {
            // Documents go in as such and come out as text.
            Value::Json(document) => Value::Text(document),
            value => value,
        }
    }
}

/// Maps one row. Afterwards the row holds what has no place in our tables.
pub(super) fn apply(mapping: &Mapping, row: &mut SourceRow, out: &mut Out) -> Result<(), Wrong> {
    let label = row.label(mapping.keys);
    (mapping.map)(row, out)?;
    let owner = out.rows.first().and_then(|r| r.owner.clone());
    let owner = if mapping.table == "sessions" { label.clone().map(|id| id.to_lowercase()) } else { owner };
    if out.whole {
        let owner = session_of(row);
        extra(mapping.table, label, row.whole(), owner, false, out)
    } else if let (None, Some(rest)) = (&out.stored, row.rest()) {
        let in_main = out.rows.first().is_some_and(|r| r.table.database == Database::Main);
        let bound = owner.is_some() && !in_main;
        extra(mapping.table, label, rest, owner.filter(|_| !in_main), bound, out)
    } else {
        Ok(())
    }
}

/// Keeps a row of a table without a mapping.
pub(super) fn keep(table: &str, row: &SourceRow, out: &mut Out) -> Result<(), Wrong> {
    let label = ["id", "lid"]
        .iter()
        .find_map(|key| row.label(&[key]))
        .or_else(|| row.label(&["sessionId", "chatId"]));
    extra(table, label, row.whole(), session_of(row), false, out)
}

fn session_of(row: &SourceRow) -> Option<String> {
    let Some(Cell::Text(id)) = row.peek("sessionId") else { return None };
    Uuid::try_parse(id).ok().map(|id| id.to_string())
}

fn extra(
    table: &str,
    label: Option<String>,
    data: JsonValue,
    owner: Option<String>,
    bound: bool,
    out: &mut Out,
) -> Result<(), Wrong> {
    // A row that nothing names is named by what it holds, so that a second run finds it again.
    let label = label.unwrap_or_else(|| {
        let hash = Sha256::digest(data.to_string().as_bytes());
        hash[..16].iter().map(|b| format!("{b:02x}")).collect()
    });
    let row = extra_row(table, &label, data);
    row.check().map_err(|e| wrong(&e))?;
    let row = out.render(&row, None, owner, bound).map_err(|e| wrong(&e))?;
    out.rows.push(row);
    Ok(())
}

/// What is wrong with a row of ours is wrong with the one that it was made of.
pub(super) fn wrong(e: &Error) -> Wrong {
    Wrong::new(e.context("column").unwrap_or_default(), e.message())
}

/// A row of `openwa_extra`; whom it belongs to is told when it is written.
pub(super) fn extra_row(table: &str, label: &str, data: JsonValue) -> OpenwaExtra {
    OpenwaExtra {
        table_name: Text::from_stored(table),
        row_id: Text::from_stored(label),
        session_id: None,
        data: Json::from(data),
    }
}

/// An id that follows from what it belongs to, so that a second run finds the same row.
fn derived(kind: &str, of: Uuid, part: &str) -> Uuid {
    let hash = Sha256::new().chain_update(kind).chain_update(of.as_bytes()).chain_update(part).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables_both_ways() {
        for (table, exported) in [
            ("sessions", "sessions"),
            ("message_batches", "messageBatches"),
            ("webhook_outbox_events", "webhookOutboxEvents"),
            ("lid_mappings", "lidMappings"),
        ] {
            assert_eq!(export_name(table), exported);
            assert_eq!(table_name(exported), table);
        }
    }
}
