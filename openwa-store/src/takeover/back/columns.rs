//! Rows of ours in OpenWA's columns, the other way round of the mappings in [`map`](super::super::map).

use serde_json::Value as Json;

use super::Fields;
use crate::entity::{BatchJob, BatchJobMessage, Identity, Message, Session, SessionStatus, Webhook};
use crate::json;
use crate::takeover::map::{self, LID_SERVER};
use crate::text::Text;
use crate::time::Timestamp;

fn opt(text: Option<&Text>) -> Json {
    text.map_or(Json::Null, |t| t.as_stored().into())
}

fn time(at: Option<Timestamp>) -> Json {
    at.map_or(Json::Null, |at| at.to_string().into())
}

/// A document as text, the way OpenWA's columns hold it.
fn document(json: &json::Json) -> Json {
    Text::from(json.to_json().as_ref()).as_stored().into()
}

/// A parsed document as text.
fn as_text(value: Json) -> Json {
    if value.is_null() {
        return value;
    }
    document(&json::Json::from(value))
}

/// Puts columns in front of what was kept; a column that is given wins.
fn row<const N: usize>(columns: [(&str, Json); N], kept: Fields) -> Fields {
    let mut row: Fields = columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    for (name, value) in kept {
        row.entry(name).or_insert(value);
    }
    row
}

/// Columns that OpenWA has and that only `openwa_extra` can fill.
fn filled(mut row: Fields, columns: &[&str]) -> Fields {
    for column in columns {
        row.entry((*column).to_owned()).or_insert(Json::Null);
    }
    row
}

pub(super) fn session(s: &Session, mut kept: Fields) -> Fields {
    // What it was before counts as long as nothing has happened since.
    let before = kept.remove("status").filter(|_| s.status == SessionStatus::Disconnected);
    let row = row(
        [
            ("id", s.id.to_string().into()),
            ("name", s.name.as_stored().into()),
            ("status", before.unwrap_or_else(|| s.status.name().into())),
            ("phone", opt(s.phone.as_ref())),
            ("pushName", opt(s.push_name.as_ref())),
            ("config", document(&s.config)),
            ("connectedAt", time(s.connected_at)),
            ("createdAt", time(Some(s.created_at))),
            ("updatedAt", time(Some(s.updated_at))),
        ],
        kept,
    );
    filled(row, &["proxyUrl", "proxyType", "lastActiveAt"])
}

pub(super) fn webhook(w: &Webhook, kept: Fields) -> Fields {
    let row = row(
        [
            ("id", w.id.to_string().into()),
            ("sessionId", w.session_id.to_string().into()),
            ("url", w.url.as_stored().into()),
            ("events", document(&w.events)),
            ("secret", opt(w.secret.as_ref())),
            ("headers", document(&w.headers)),
            ("active", w.active.into()),
            ("retryCount", w.retry_count.into()),
            ("lastTriggeredAt", time(w.last_triggered_at)),
            ("createdAt", time(Some(w.created_at))),
            ("updatedAt", time(Some(w.updated_at))),
        ],
        kept,
    );
    filled(row, &["filters"])
}

pub(super) fn message(m: &Message, mut kept: Fields) -> Fields {
    let mut metadata = match kept.remove("metadata") {
        Some(Json::Object(fields)) => Some(fields),
        _ => None,
    };
    if let Some(media) = &m.media {
        metadata.get_or_insert_default().insert("media".to_owned(), media.value().unwrap_or_default());
    }
    // OpenWA has whole seconds; a message without a time of its own has none there either.
    let own = m.wa_timestamp != m.created_at || m.wa_timestamp.millis() % 1000 == 0;
    let timestamp = if own { m.wa_timestamp.millis().div_euclid(1000).into() } else { Json::Null };
    let status = match m.ack {
        Some(..=-1) => "failed",
        Some(0) => "pending",
        Some(2) => "delivered",
        Some(3..) => "read",
        Some(1) | None => "sent",
    };
    let row = row(
        [
            ("id", m.id.to_string().into()),
            ("sessionId", m.session_id.to_string().into()),
            ("waMessageId", opt(m.wa_message_id.as_ref())),
            ("chatId", m.chat_id.as_stored().into()),
            ("from", m.from_number.as_stored().into()),
            ("to", m.to_number.as_ref().map_or("", |t| t.as_stored()).into()),
            ("body", opt(m.body.as_ref())),
            ("type", m.r#type.as_stored().into()),
            ("direction", if m.from_me { "outgoing" } else { "incoming" }.into()),
            ("timestamp", timestamp),
            ("metadata", metadata.map_or(Json::Null, |fields| as_text(Json::Object(fields)))),
            ("status", status.into()),
            ("createdAt", time(Some(m.created_at))),
        ],
        kept,
    );
    filled(row, &["chatName", "author", "mediaPath", "mediaMimetype"])
}

pub(super) fn batch(job: &BatchJob, messages: &[BatchJobMessage], mut kept: Fields) -> Fields {
    // What was kept counts as long as the job has not gone on.
    let as_of = kept.remove("as_of");
    let same = as_of.as_ref().and_then(Json::as_str) == Some(&job.updated_at.to_string());
    let mut whole = |name: &str, now: Json| match kept.remove(name) {
        Some(before) if same => before,
        _ => now,
    };
    let entries = whole("messages", messages.iter().map(map::entry).collect());
    let results = whole("results", messages.iter().map_while(map::result).collect());
    let progress = whole("progress", map::progress(job));
    let index = whole("current_index", map::current_index(messages).into());
    row(
        [
            ("id", job.id.to_string().into()),
            ("batch_id", job.batch_id.as_stored().into()),
            ("session_id", job.session_id.to_string().into()),
            ("status", job.status.name().into()),
            ("messages", as_text(entries)),
            ("options", document(&job.options)),
            ("progress", as_text(progress)),
            ("results", as_text(results)),
            ("current_index", index),
            ("created_at", time(Some(job.created_at))),
            ("updated_at", time(Some(job.updated_at))),
            ("started_at", time(job.started_at)),
            ("completed_at", time(job.completed_at)),
        ],
        kept,
    )
}

pub(super) fn lid_mapping(pair: &Identity) -> Fields {
    let user = |address: &str| address.split('@').next().unwrap_or_default().to_owned();
    let lid = pair.lid.as_stored();
    row(
        [
            ("lid", lid.strip_suffix(LID_SERVER).unwrap_or(lid).into()),
            ("phone", pair.pn.as_ref().map_or(Json::Null, |pn| user(pn.as_stored()).into())),
            ("sessionId", pair.session_id.to_string().into()),
            ("updatedAt", time(Some(pair.updated_at))),
        ],
        Fields::new(),
    )
}
