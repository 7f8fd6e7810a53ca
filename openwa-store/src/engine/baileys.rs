//! Baileys: the events of `sock.ev`.
//!
//! Everything that changes a message comes twice, as a stanza in `messages.upsert` and digested in
//! `messages.update` or `messages.reaction`; only the digested one is applied.

use serde_json::Value;

use super::change::{Change, ContactChange};
use super::web_message::{self, Key};
use super::{content, field, people};
use crate::entity::SessionStatus;
use crate::text::Text;

/// Disconnect reasons after which only a new login helps: logged out, and banned.
const FINAL_REASONS: [i64; 2] = [401, 403];

/// What an event means; false if its name is unknown.
pub(super) fn changes(event: &str, data: &Value, out: &mut Vec<Change>) -> bool {
    match event {
        "messages.upsert" => messages_upsert(data, out),
        "messages.update" => each(data, messages_update, out),
        "messages.reaction" => each(data, messages_reaction, out),
        "messaging-history.set" => history(data, out),
        "contacts.upsert" => each(data, contacts_upsert, out),
        "contacts.update" => each(data, contacts_update, out),
        "lid-mapping.update" => each(data, lid_mapping, out),
        // Until 6.7; later versions say it with `lid-mapping.update`.
        "chats.phoneNumberShare" => people::pair(&data["lid"], &data["jid"], out),
        "groups.upsert" => each(data, participants, out),
        "group-participants.update" => participants(data, out),
        "call" => each(data, |call, out| people::pair(&call["from"], &call["callerPn"], out), out),
        "blocklist.set" => people::blocked(field::list(&data["blocklist"]), true, out),
        "blocklist.update" => blocklist_update(data, out),
        "connection.update" => connection_update(data, out),
        "creds.update" => creds_update(data, out),
        _ => return is_without_effect(event),
    }
    true
}

/// Events that are known and change nothing here. What `chats.*` repeats came as a message before; receipts in
/// groups say who read, which no column holds; `messages.delete` clears a message on the account's own devices.
fn is_without_effect(event: &str) -> bool {
    matches!(
        event,
        "messaging-history.status"
            | "chats.upsert"
            | "chats.update"
            | "chats.delete"
            | "chats.lock"
            | "presence.update"
            | "messages.delete"
            | "messages.media-update"
            | "message-receipt.update"
            | "groups.update"
            | "group.join-request"
            | "group.member-tag.update"
            | "labels.edit"
            | "labels.association"
            | "newsletter.reaction"
            | "newsletter.view"
            | "newsletter-participants.update"
            | "newsletter-settings.update"
            | "settings.update"
    )
}

fn each(data: &Value, apply: impl Fn(&Value, &mut Vec<Change>), out: &mut Vec<Change>) {
    field::one_or_many(data).iter().for_each(|item| apply(item, out));
}

fn messages_upsert(data: &Value, out: &mut Vec<Change>) {
    for info in field::list(&data["messages"]) {
        key_pairs(&info["key"], out);
        delivery(info, false, out);
    }
}

/// The other address of the chat and of the writer. In keys of the account's own messages the other address may
/// be the account's, so nothing is learnt from those.
fn key_pairs(key: &Value, out: &mut Vec<Change>) {
    if !Key(key).is_own() {
        people::pair(&key["remoteJid"], &key["remoteJidAlt"], out);
        people::pair(&key["participant"], &key["participantAlt"], out);
    }
}

fn delivery(info: &Value, history: bool, out: &mut Vec<Change>) {
    let Some(envelope) = web_message::envelope(info, history) else { return };
    if envelope.deliver(content::read(&info["message"]), out) {
        web_message::reactions(info, out);
    }
}

fn history(data: &Value, out: &mut Vec<Change>) {
    each(&data["lidPnMappings"], lid_mapping, out);
    for chat in field::list(&data["chats"]) {
        people::pair(&chat["id"], &chat["pnJid"], out);
        people::pair(&chat["id"], &chat["lidJid"], out);
    }
    each(&data["contacts"], contacts_update, out);
    for info in field::list(&data["messages"]) {
        delivery(info, true, out);
    }
}

/// Acks, edits and deletions; an update may hold several of them.
fn messages_update(item: &Value, out: &mut Vec<Change>) {
    let Some(id) = Key(&item["key"]).id() else { return };
    let update = &item["update"];
    let at = field::seconds(&update["messageTimestamp"]);
    if let Some(ack) = web_message::ack(&update["status"]) {
        out.push(Change::Ack { wa_message_id: id.clone(), ack });
    }
    let edit = &update["message"]["editedMessage"]["message"];
    if edit.is_object() {
        out.push(Change::Edit { wa_message_id: id.clone(), body: content::body(edit), at });
    }
    let is_revoke = update["messageStubType"] == 1 || update["messageStubType"] == "REVOKE";
    if is_revoke && update["message"].is_null() {
        out.push(Change::Revoke { wa_message_id: id, at });
    }
}

fn messages_reaction(item: &Value, out: &mut Vec<Change>) {
    let Some(target) = Key(&item["key"]).id() else { return };
    out.extend(web_message::reaction(&target, &item["reaction"]));
}

/// Comes from the phone's address book, so a name in it is the one that the phone's owner gave.
fn contacts_upsert(contact: &Value, out: &mut Vec<Change>) {
    let is_my_contact = field::filled(&contact["name"]).map(|_| true);
    push_contact(contact, is_my_contact, out);
}

fn contacts_update(contact: &Value, out: &mut Vec<Change>) {
    push_contact(contact, None, out);
}

fn push_contact(contact: &Value, is_my_contact: Option<bool>, out: &mut Vec<Change>) {
    for alias in ["lid", "phoneNumber"] {
        people::pair(&contact["id"], &contact[alias], out);
    }
    let what = ContactChange {
        name: field::filled_text(&contact["name"]),
        push_name: field::filled_text(field::either(contact, &["notify", "verifiedName"])),
        is_my_contact,
        // Besides an address it may say "changed" or "removed", which tells nothing to keep.
        profile_pic_url: field::filled(&contact["imgUrl"])
            .filter(|url| url.starts_with("http"))
            .map(Text::from_stored),
        ..ContactChange::default()
    };
    people::contact(&contact["id"], what, out);
}

fn lid_mapping(mapping: &Value, out: &mut Vec<Change>) {
    people::pair(&mapping["lid"], &mapping["pn"], out);
}

fn participants(group: &Value, out: &mut Vec<Change>) {
    for participant in field::list(&group["participants"]) {
        for alias in ["lid", "phoneNumber"] {
            people::pair(&participant["id"], &participant[alias], out);
        }
    }
}

fn blocklist_update(data: &Value, out: &mut Vec<Change>) {
    let is_blocked = match data["type"].as_str() {
        Some("add") => true,
        Some("remove") => false,
        _ => return,
    };
    people::blocked(field::list(&data["blocklist"]), is_blocked, out);
}

fn creds_update(data: &Value, out: &mut Vec<Change>) {
    let me = &data["me"];
    people::account(&me["id"], &me["lid"], field::filled_text(&me["name"]), out);
}

fn connection_update(data: &Value, out: &mut Vec<Change>) {
    let mut push = |status, reason| out.push(Change::Status { status, reason });
    match data["connection"].as_str() {
        Some("connecting") => push(SessionStatus::Initializing, None),
        Some("open") => push(SessionStatus::Ready, None),
        Some("close") => {
            let (status, reason) = closed(&data["lastDisconnect"]["error"]);
            push(status, reason);
        }
        _ => {}
    }
    if field::filled(&data["qr"]).is_some() {
        push(SessionStatus::QrReady, None);
    }
    if field::flag(&data["isNewLogin"]) {
        push(SessionStatus::Authenticating, None);
    }
}

/// The error is a Boom; one that the host turned into JSON by `message` alone is taken as well.
fn closed(error: &Value) -> (SessionStatus, Option<Text>) {
    let output = &error["output"];
    let code = field::integer(&output["statusCode"]);
    let message = field::filled(&output["payload"]["message"]).or_else(|| field::filled(&error["message"]));
    let reason = match (code, message) {
        (Some(code), Some(message)) => Some(format!("{code} {message}")),
        (Some(code), None) => Some(code.to_string()),
        (None, message) => message.map(str::to_owned),
    };
    let is_final = code.is_some_and(|code| FINAL_REASONS.contains(&code));
    let status = if is_final { SessionStatus::Failed } else { SessionStatus::Disconnected };
    (status, reason.map(Text::from_stored))
}
