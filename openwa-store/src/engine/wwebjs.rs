//! whatsapp-web.js: the events of `Client`, with the list of the listener's arguments as data, and two results
//! of its methods, `@getContacts` and `@getContactLidAndPhone`.

use serde_json::Value;

use super::change::{AddressedTo, Change, ContactChange, Skipped};
use super::content::{MediaFields, REVOKED, Said};
use super::envelope::{Envelope, Stub};
use super::{content::Content, field, people};
use crate::entity::SessionStatus;
use crate::json::Json;
use crate::policy::message::PLACEHOLDER;
use crate::text::Text;
use crate::time::Timestamp;

/// Messages that WhatsApp Web makes itself.
const SYSTEM_TYPES: [&str; 4] = ["gp2", "e2e_notification", "notification_template", "call_log"];
/// Disconnect reasons after which only a new login helps.
const FINAL_REASONS: [&str; 3] = ["LOGOUT", "UNPAIRED", "UNPAIRED_IDLE"];

/// What an event means; false if its name is unknown.
pub(super) fn changes(event: &str, data: &Value, out: &mut Vec<Change>) -> bool {
    let arg = |n: usize| argument(data, n);
    match event {
        "message" | "message_create" | "message_ciphertext" | "message_ciphertext_failed" => {
            delivery(arg(0), out);
        }
        "message_ack" => ack(arg(0), arg(1), out),
        "message_edit" => edit(arg(0), arg(1), out),
        "message_revoke_everyone" => revoke(arg(0), out),
        "message_reaction" => reaction(arg(0), out),
        "group_join"
        | "group_leave"
        | "group_admin_changed"
        | "group_membership_request"
        | "group_update" => notice(arg(0), out),
        "@getContacts" => results(data).iter().for_each(|c| contact(c, out)),
        "@getContactLidAndPhone" => {
            results(data).iter().for_each(|p| people::pair(&p["lid"], &p["pn"], out));
        }
        "qr" | "code" => status(SessionStatus::QrReady, &Value::Null, out),
        "authenticated" => status(SessionStatus::Authenticating, &Value::Null, out),
        "auth_failure" => status(SessionStatus::Failed, arg(0), out),
        "ready" => ready(arg(0), out),
        "disconnected" => disconnected(arg(0), out),
        _ => return is_without_effect(event),
    }
    true
}

/// Events that are known and change nothing here.
fn is_without_effect(event: &str) -> bool {
    matches!(
        event,
        "message_revoke_me"
            | "media_uploaded"
            | "unread_count"
            | "vote_update"
            | "chat_archived"
            | "chat_removed"
            | "call"
            | "incoming_call"
            | "change_state"
            | "change_battery"
            | "contact_changed"
            | "loading_screen"
            | "remote_session_saved"
    )
}

/// The n-th argument of the listener. A host that passes the only argument by itself is understood too.
fn argument(data: &Value, n: usize) -> &Value {
    match data {
        Value::Array(_) => &data[n],
        _ if n == 0 => data,
        _ => &Value::Null,
    }
}

/// The list that a method returned, as it is or as the only argument.
fn results(data: &Value) -> &[Value] {
    if data[0].is_array() { field::list(&data[0]) } else { field::list(data) }
}

fn status(status: SessionStatus, reason: &Value, out: &mut Vec<Change>) {
    out.push(Change::Status { status, reason: field::filled_text(reason) });
}

/// The event itself carries nothing; a host may pass `client.info` along.
fn ready(info: &Value, out: &mut Vec<Change>) {
    people::account(&info["wid"], &info["lid"], field::filled_text(&info["pushname"]), out);
    status(SessionStatus::Ready, &Value::Null, out);
}

fn disconnected(reason: &Value, out: &mut Vec<Change>) {
    let is_final = reason.as_str().is_some_and(|r| FINAL_REASONS.contains(&r));
    status(if is_final { SessionStatus::Failed } else { SessionStatus::Disconnected }, reason, out);
}

fn id(message: &Value) -> Option<Text> {
    field::filled_text(&message["id"]["id"])
}

fn delivery(message: &Value, out: &mut Vec<Change>) {
    let Some(envelope) = envelope(message) else { return };
    if envelope.from_me {
        people::account(&message["from"], &Value::Null, None, out);
    }
    envelope.deliver(content(message), out);
}

fn envelope(message: &Value) -> Option<Envelope> {
    let key = &message["id"];
    let r#type = message["type"].as_str().unwrap_or_default();
    let sender = field::address(&message["author"]).or_else(|| field::address(&key["participant"]));
    Some(Envelope {
        id: id(message)?,
        chat: field::address(&key["remote"])?,
        from_me: field::flag(&message["fromMe"]) || field::flag(&key["fromMe"]),
        sender,
        time: field::seconds(field::either(message, &["timestamp", "t"])),
        ack: ack_value(&message["ack"]),
        stub: match r#type {
            PLACEHOLDER => Some(Stub::Ciphertext),
            REVOKED => Some(Stub::Revoke),
            _ if SYSTEM_TYPES.contains(&r#type) => Some(Stub::System),
            _ => None,
        },
        history: false,
        raw: None,
    })
}

fn content(message: &Value) -> Content<'_> {
    let r#type = match message["type"].as_str() {
        None | Some("" | PLACEHOLDER | REVOKED) => return Content::Nothing,
        Some(t) if SYSTEM_TYPES.contains(&t) => return Content::Nothing,
        Some(t) => own_type(t),
    };
    let body = if r#type == "location" { &message["location"]["name"] } else { &message["body"] };
    Content::Said(Said {
        r#type: Text::from_stored(r#type),
        body: field::text(body),
        media: media(message),
        edited: edited_at(message).is_some(),
        revoked: false,
    })
}

/// WhatsApp Web's type in the library's words; what it does not know is kept as it came.
fn own_type(r#type: &str) -> &str {
    match r#type {
        "chat" => "text",
        "ptt" => "voice",
        "ptv" => "video",
        "vcard" | "multi_vcard" => "contact",
        "poll_creation" => "poll",
        "event_creation" => "event",
        "groups_v4_invite" => "group_invite",
        "template_button_reply" => "button_reply",
        t if t.ends_with("_response") => "button_reply",
        t => t,
    }
}

fn media(message: &Value) -> Option<Json> {
    if !field::flag(&message["hasMedia"]) {
        return None;
    }
    let data = &message["_data"];
    let mut file = MediaFields::default();
    file.text("mimetype", &data["mimetype"]);
    file.text("filename", &data["filename"]);
    file.integer("filesize", &data["size"]);
    file.text("url", &data["deprecatedMms3Url"]);
    file.text("caption", &data["caption"]);
    file.integer("seconds", &message["duration"]);
    file.integer("width", &data["width"]);
    file.integer("height", &data["height"]);
    Some(file.into_json())
}

fn ack_value(v: &Value) -> Option<i64> {
    field::integer(v).filter(|ack| (-1..=5).contains(ack))
}

fn ack(message: &Value, ack: &Value, out: &mut Vec<Change>) {
    if let (Some(wa_message_id), Some(ack)) = (id(message), ack_value(ack)) {
        out.push(Change::Ack { wa_message_id, ack });
    }
}

fn edited_at(message: &Value) -> Option<Timestamp> {
    let field_name = "latestEditSenderTimestampMs";
    field::millis(&message[field_name]).or_else(|| field::millis(&message["_data"][field_name]))
}

fn edit(message: &Value, body: &Value, out: &mut Vec<Change>) {
    if let Some(wa_message_id) = id(message) {
        out.push(Change::Edit { wa_message_id, body: field::text(body), at: edited_at(message) });
    }
}

/// The first argument is the message as it looks after the deletion. Its own id may be the deletion's; then
/// `protocolMessageKey` names the message.
fn revoke(after: &Value, out: &mut Vec<Change>) {
    let deleted = field::filled_text(&after["protocolMessageKey"]["id"]).or_else(|| id(after));
    out.extend(deleted.map(|wa_message_id| Change::Revoke { wa_message_id, at: None }));
}

fn reaction(reaction: &Value, out: &mut Vec<Change>) {
    let key = &reaction["id"];
    let sender = if field::flag(&key["fromMe"]) {
        Some(AddressedTo::Me)
    } else {
        field::address(&reaction["senderId"]).map(AddressedTo::Other)
    };
    if let (Some(wa_message_id), Some(sender)) = (field::filled_text(&reaction["msgId"]["id"]), sender) {
        let emoji = field::text(&reaction["reaction"]).unwrap_or_default();
        out.push(Change::Reaction { wa_message_id, sender, emoji, at: reacted_at(reaction) });
    }
    if let Some(wa_message_id) = field::filled_text(&key["id"]) {
        out.push(Change::Skipped { wa_message_id, reason: Skipped::ReactionCarriers });
    }
}

/// Seconds with a fraction.
fn reacted_at(reaction: &Value) -> Option<Timestamp> {
    Timestamp::from_millis((reaction["timestamp"].as_f64()? * 1000.0).round() as i64)
}

fn notice(notification: &Value, out: &mut Vec<Change>) {
    if let Some(wa_message_id) = id(notification) {
        out.push(Change::Skipped { wa_message_id, reason: Skipped::SystemStubs });
    }
}

fn contact(contact: &Value, out: &mut Vec<Change>) {
    let what = ContactChange {
        name: field::filled_text(&contact["name"]),
        push_name: field::filled_text(&contact["pushname"]),
        is_my_contact: contact["isMyContact"].as_bool(),
        is_blocked: contact["isBlocked"].as_bool(),
        ..ContactChange::default()
    };
    people::contact(&contact["id"], what, out);
}
