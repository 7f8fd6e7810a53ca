//! neonize (whatsmeow for Python): the classes of `neonize.events`, through `MessageToDict`, and `Device`, the
//! class of `client.me`, for hosts that pass it along.
//!
//! Live messages have whatsmeow's own frame (`Info`, `MessageSource`), history has WhatsApp's.

use serde_json::Value;

use super::change::{AddressedTo, Change, ContactChange};
use super::content::{self, Content};
use super::envelope::{Envelope, Stub};
use super::web_message::{self, Key};
use super::{field, people};
use crate::entity::SessionStatus;
use crate::policy::address;
use crate::time::Timestamp;

/// Where an own message starts: neonize reports it only once the server has it.
const OWN_ACK: i64 = 1;

/// What an event means; false if its name is unknown.
pub(super) fn changes(event: &str, data: &Value, out: &mut Vec<Change>) -> bool {
    match event {
        "MessageEv" => message(data, None, out),
        "UndecryptableMessageEv" => message(data, Some(Stub::Ciphertext), out),
        "HistorySyncEv" => history(&data["Data"], out),
        "ReceiptEv" => receipt(data, out),
        "JoinedGroupEv" => participants(&data["GroupInfo"], out),
        "BlocklistEv" => field::list(&data["Changes"]).iter().for_each(|c| blocklist_change(c, out)),
        "BlocklistChangeEv" => blocklist_change(data, out),
        "Device" => people::account(&data["JID"], &data["LID"], field::filled_text(&data["PushName"]), out),
        "PairStatusEv" => pair_status(data, out),
        "QREv" => status(SessionStatus::QrReady, &Value::Null, out),
        "ConnectedEv" => status(SessionStatus::Ready, &Value::Null, out),
        "DisconnectedEv" | "StreamReplacedEv" => status(SessionStatus::Disconnected, &Value::Null, out),
        "ConnectFailureEv" => status(SessionStatus::Disconnected, &data["Reason"], out),
        "TemporaryBanEv" => status(SessionStatus::Disconnected, &data["Code"], out),
        "ClientOutdatedEv" => status(SessionStatus::Failed, &Value::from("client outdated"), out),
        "LoggedOutEv" => status(SessionStatus::Failed, &data["Reason"], out),
        _ => return is_without_effect(event),
    }
    true
}

/// Events that are known and change nothing here.
fn is_without_effect(event: &str) -> bool {
    matches!(
        event,
        "CallOfferEv"
            | "CallAcceptEv"
            | "CallPreAcceptEv"
            | "CallTransportEv"
            | "CallOfferNoticeEv"
            | "CallRelayLatencyEv"
            | "CallRelayLatencyEV"
            | "CallTerminateEv"
            | "UnknownCallEventEv"
            | "UnknownCallEventEV"
            | "ChatPresenceEv"
            | "PresenceEv"
            | "GroupInfoEv"
            | "IdentityChangeEv"
            | "KeepAliveTimeoutEv"
            | "KeepAliveRestoredEv"
            | "NewsLetterMessageMetaEv"
            | "NewsletterJoinEv"
            | "NewsletterLeaveEv"
            | "NewsletterMuteChangeEv"
            | "NewsletterLiveUpdateEv"
            | "NewsletterLiveUpdateEV"
            | "OfflineSyncCompletedEv"
            | "OfflineSyncPreviewEv"
            | "PictureEv"
            | "PrivacySettingsEv"
            | "StreamErrorEv"
    )
}

fn status(status: SessionStatus, reason: &Value, out: &mut Vec<Change>) {
    out.push(Change::Status { status, reason: field::filled_text(reason) });
}

fn blocklist_change(change: &Value, out: &mut Vec<Change>) {
    let is_blocked = match change["BlockAction"].as_str() {
        Some("BLOCK") => true,
        Some("UNBLOCK") => false,
        _ => return,
    };
    people::blocked(std::slice::from_ref(&change["JID"]), is_blocked, out);
}

fn pair_status(data: &Value, out: &mut Vec<Change>) {
    if data["Status"] == "SUCCESS" {
        people::account(&data["ID"], &Value::Null, None, out);
        status(SessionStatus::Authenticating, &Value::Null, out);
    } else {
        status(SessionStatus::Failed, field::either(data, &["Error", "Status"]), out);
    }
}

fn message(data: &Value, stub: Option<Stub>, out: &mut Vec<Change>) {
    let info = &data["Info"];
    let source = &info["MessageSource"];
    source_people(source, &info["Pushname"], out);
    let Some(envelope) = live_envelope(info, source, stub) else { return };
    let content = content::read(&data["Message"]);
    match content {
        Content::Control(control) => apply_control(control, envelope.time, out),
        Content::Reaction(reaction) => out.extend(live_reaction(reaction, &envelope)),
        _ => {}
    }
    envelope.deliver(content, out);
}

/// The two addresses of whoever wrote, and the name that came with them. In the account's own messages the
/// sender is the account, and the other address of a direct chat stands elsewhere.
fn source_people(source: &Value, push_name: &Value, out: &mut Vec<Change>) {
    let sender = &source["Sender"];
    if !field::flag(&source["IsFromMe"]) {
        people::pair(sender, &source["SenderAlt"], out);
        if let Some(push_name) = field::filled_text(push_name) {
            let what = ContactChange { push_name: Some(push_name), ..ContactChange::default() };
            people::contact(sender, what, out);
        }
        return;
    }
    people::account(sender, &source["SenderAlt"], None, out);
    people::pair(&source["Chat"], &source["RecipientAlt"], out);
}

fn live_envelope(info: &Value, source: &Value, stub: Option<Stub>) -> Option<Envelope> {
    let from_me = field::flag(&source["IsFromMe"]);
    // Milliseconds here, though a message's time has whole seconds everywhere else.
    let seconds = field::integer(&info["Timestamp"]).map(|ms| ms.div_euclid(1000));
    Some(Envelope {
        id: field::filled_text(&info["ID"])?,
        chat: field::address(&source["Chat"])?,
        from_me,
        sender: field::address(&source["Sender"]),
        time: seconds.and_then(Timestamp::from_secs),
        ack: from_me.then_some(OWN_ACK),
        stub,
        history: false,
        raw: None,
    })
}

/// Deletions and edits come only as the stanza that asks for them.
fn apply_control(control: &Value, time: Option<Timestamp>, out: &mut Vec<Change>) {
    let Some(id) = Key(&control["key"]).id() else { return };
    match control["type"].as_str() {
        Some("REVOKE") => out.push(Change::Revoke { wa_message_id: id, at: time }),
        Some("MESSAGE_EDIT") => {
            let at = field::millis(field::either(control, &["timestampMS", "timestampMs"])).or(time);
            let body = content::body(&control["editedMessage"]);
            out.push(Change::Edit { wa_message_id: id, body, at });
        }
        _ => {}
    }
}

fn live_reaction(reaction: &Value, envelope: &Envelope) -> Option<Change> {
    let sender = match &envelope.sender {
        _ if envelope.from_me => AddressedTo::Me,
        Some(sender) => AddressedTo::Other(sender.clone()),
        None => AddressedTo::Other(envelope.chat.clone()),
    };
    Some(Change::Reaction {
        wa_message_id: Key(&reaction["key"]).id()?,
        sender,
        emoji: field::text(&reaction["text"]).unwrap_or_default(),
        at: field::millis(field::either(reaction, &["senderTimestampMS", "senderTimestampMs"]))
            .or(envelope.time),
    })
}

fn history(data: &Value, out: &mut Vec<Change>) {
    for conversation in field::list(&data["conversations"]) {
        let id = &conversation["ID"];
        people::pair(id, &conversation["pnJID"], out);
        people::pair(id, &conversation["lidJID"], out);
        let name = field::filled_text(field::either(conversation, &["name", "displayName"]));
        people::contact(id, ContactChange { name, ..ContactChange::default() }, out);
        for item in field::list(&conversation["messages"]) {
            history_message(&item["message"], out);
        }
    }
}

fn history_message(info: &Value, out: &mut Vec<Change>) {
    let Some(mut envelope) = web_message::envelope(info, true) else { return };
    if envelope.from_me {
        envelope.ack = envelope.ack.or(Some(OWN_ACK));
    }
    if envelope.deliver(content::read(&info["message"]), out) {
        web_message::reactions(info, out);
    }
}

/// Only a receipt of the other side of a direct chat tells about the message; in a group it tells about one
/// reader, and the account's own receipts (`READ_SELF`, `SENDER` …) tell nothing new.
fn receipt(data: &Value, out: &mut Vec<Change>) {
    let chat = field::address(&data["MessageSource"]["Chat"]);
    if !chat.is_some_and(|chat| address::is_person(chat.as_stored())) {
        return;
    }
    let ack = match data["Type"].as_str() {
        Some("DELIVERED") => 2,
        Some("READ") => 3,
        Some("PLAYED") => 4,
        _ => return,
    };
    let ids = field::list(&data["MessageIDs"]).iter().filter_map(field::filled_text);
    out.extend(ids.map(|wa_message_id| Change::Ack { wa_message_id, ack }));
}

fn participants(group: &Value, out: &mut Vec<Change>) {
    for participant in field::list(&group["Participants"]) {
        people::pair(&participant["LID"], &participant["PhoneNumber"], out);
        people::pair(&participant["JID"], &participant["PhoneNumber"], out);
    }
}
