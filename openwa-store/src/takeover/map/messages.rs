//! Messages, and Baileys' own copies of them.

use serde_json::Value;

use super::{Out, StoredMessage};
use crate::entity::Message;
use crate::json::Json;
use crate::policy::address;
use crate::takeover::row::{Cell, SourceRow, Wrong};
use crate::time::Timestamp;

pub(super) fn message(row: &mut SourceRow, out: &mut Out) -> Result<(), Wrong> {
    let session_id = row.need_uuid("sessionId")?;
    let chat_id = row.need_text("chatId")?;
    let created_at = row.need_time("createdAt")?;
    let sent = match row.int("timestamp")? {
        None => created_at,
        Some(secs) => Timestamp::from_secs(secs)
            .ok_or_else(|| Wrong::new("timestamp", "is outside the years 0 to 9999"))?,
    };
    let wa_message_id = row.text("waMessageId")?.filter(|id| !id.is_empty());
    let unique = wa_message_id.as_ref().map(|id| format!("{session_id}/{}", id.as_stored()));
    let message = Message {
        id: row.need_uuid("id")?,
        session_id,
        wa_message_id,
        is_group: address::is_group(chat_id.as_stored()),
        chat_id,
        from_number: row.need_text("from")?,
        to_number: row.text("to")?,
        r#type: row.need_text("type")?,
        body: row.text("body")?,
        media: media(row)?,
        ack: Some(ack(row.need_text("status")?.as_stored())?),
        from_me: from_me(row.need_text("direction")?.as_stored())?,
        wa_timestamp: sent,
        created_at,
        edited_at: None,
        revoked_at: None,
        raw: None,
    };
    out.put(&message, unique, Some(session_id))
}

fn ack(status: &str) -> Result<i64, Wrong> {
    Ok(match status {
        "failed" => -1,
        "pending" => 0,
        "sent" => 1,
        "delivered" => 2,
        "read" => 3,
        _ => return Err(Wrong::new("status", "is no status of a message")),
    })
}

fn from_me(direction: &str) -> Result<bool, Wrong> {
    match direction {
        "outgoing" => Ok(true),
        "incoming" => Ok(false),
        _ => Err(Wrong::new("direction", "is neither incoming nor outgoing")),
    }
}

/// Takes the media out of the metadata; what else is there stays in the row.
fn media(row: &mut SourceRow) -> Result<Option<Json>, Wrong> {
    let Some(mut metadata) = row.json_value("metadata")? else { return Ok(None) };
    let Value::Object(fields) = &mut metadata else {
        return Err(Wrong::new("metadata", "is not a JSON object"));
    };
    let media = match fields.get("media") {
        Some(Value::Object(_)) => fields.shift_remove("media").map(Json::from),
        _ => None,
    };
    if !(media.is_some() && fields.is_empty()) {
        row.keep("metadata", Cell::Json(metadata));
    }
    Ok(media)
}

pub(super) fn stored(row: &mut SourceRow, out: &mut Out) -> Result<(), Wrong> {
    let (session, id) = (row.need_uuid("sessionId")?, row.need_text("id")?);
    let message = row.need_text("waMessageId")?;
    // The text as it is, in UTF-8: Baileys reads it back with its own reviver.
    let value = row.need_text("serializedMessage")?.decode().into_owned();
    row.keep("waMessageId", Cell::Text(message.as_stored().to_owned()));
    row.keep("sessionId", Cell::Text(session.to_string()));
    out.stored = Some(StoredMessage { session, message, id: id.as_stored().to_owned(), value });
    Ok(())
}
