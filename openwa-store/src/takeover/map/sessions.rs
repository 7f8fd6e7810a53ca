//! Sessions, webhooks, and who is behind a LID.

use serde_json::Value;

use super::Out;
use crate::entity::{Identity, Session, SessionStatus, Webhook};
use crate::json::Json;
use crate::policy::address;
use crate::takeover::row::{Cell, SourceRow, Wrong};
use crate::text::Text;

pub(crate) const LID_SERVER: &str = "@lid";
const PHONE_SERVER: &str = "@s.whatsapp.net";

pub(super) fn session(row: &mut SourceRow, out: &mut Out) -> Result<(), Wrong> {
    let id = row.need_uuid("id")?;
    let name = row.need_text("name")?;
    let stored = row.need_text("status")?;
    let status = status(stored.as_stored())?;
    // Kept in any case: it also tells that the session was taken over.
    row.keep("status", Cell::Text(stored.as_stored().to_owned()));
    let session = Session {
        id,
        name: name.clone(),
        status,
        phone: row.text("phone")?,
        push_name: row.text("pushName")?,
        config: object(row, "config")?.unwrap_or_default(),
        auth_state: None,
        connected_at: row.time("connectedAt")?,
        retained_from: None,
        created_at: row.need_time("createdAt")?,
        updated_at: row.need_time("updatedAt")?,
    };
    out.put(&session, Some(name.as_stored().to_owned()), None)
}

/// States that only a live engine can hold, and one that we do not have, become `disconnected`. OpenWA does the
/// same when it restores them.
fn status(stored: &str) -> Result<SessionStatus, Wrong> {
    Ok(match stored {
        "created" => SessionStatus::Created,
        "failed" => SessionStatus::Failed,
        "ready" | "initializing" | "qr_ready" | "authenticating" | "action_required" | "disconnected" => {
            SessionStatus::Disconnected
        }
        _ => return Err(Wrong::new("status", "is no status of a session")),
    })
}

pub(super) fn webhook(row: &mut SourceRow, out: &mut Out) -> Result<(), Wrong> {
    let session_id = row.need_uuid("sessionId")?;
    let retry_count = row.int("retryCount")?.unwrap_or(3);
    if !(0..=20).contains(&retry_count) {
        return Err(Wrong::new("retryCount", "is not from 0 to 20"));
    }
    let webhook = Webhook {
        id: row.need_uuid("id")?,
        session_id,
        url: row.need_text("url")?,
        events: events(row)?,
        secret: row.text("secret")?,
        headers: object(row, "headers")?.unwrap_or_default(),
        active: row.bool("active")?.unwrap_or(true),
        retry_count,
        last_triggered_at: row.time("lastTriggeredAt")?,
        created_at: row.need_time("createdAt")?,
        updated_at: row.need_time("updatedAt")?,
    };
    out.put(&webhook, None, Some(session_id))
}

fn events(row: &mut SourceRow) -> Result<Json, Wrong> {
    let Some(events) = row.json_value("events")? else {
        return Ok(Json::from(serde_json::json!(["message.received"])));
    };
    let names = events.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    if !names {
        return Err(Wrong::new("events", "is not a list of names"));
    }
    Ok(Json::from(events))
}

/// A column that holds a JSON object.
fn object(row: &mut SourceRow, name: &str) -> Result<Option<Json>, Wrong> {
    let Some(json) = row.json(name)? else { return Ok(None) };
    match json.value() {
        Ok(Value::Object(_)) => Ok(Some(json)),
        _ => Err(Wrong::new(name, "is not a JSON object")),
    }
}

/// A pair that names no session, or no LID that we would keep, stays as it is.
pub(super) fn lid_mapping(row: &mut SourceRow, out: &mut Out) -> Result<(), Wrong> {
    let as_it_is = row.clone();
    let lid = row.need_text("lid")?;
    let phone = row.text("phone")?;
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let Some(session_id) = row.uuid_or_keep("sessionId") else {
        (*row, out.whole) = (as_it_is, true);
        return Ok(());
    };
    let user = lid.as_stored().strip_suffix(LID_SERVER).unwrap_or(lid.as_stored());
    let pn = phone.as_ref().map(|p| p.as_stored().strip_suffix(PHONE_SERVER).unwrap_or(p.as_stored()));
    if !digits(user) || !pn.is_none_or(digits) {
        (*row, out.whole) = (as_it_is, true);
        return Ok(());
    }
    let identity = Identity {
        session_id,
        lid: Text::from_stored(format!("{user}{LID_SERVER}")),
        pn: pn.map(|pn| Text::from_stored(address::normalize(&format!("{pn}{PHONE_SERVER}")))),
        updated_at: row.need_time("updatedAt")?,
    };
    out.put(&identity, None, Some(session_id))
}
