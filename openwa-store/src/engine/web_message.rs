//! WhatsApp's stored form of a message (`proto.WebMessageInfo`), which Baileys gives for every delivery and
//! neonize for history.

use serde_json::Value;

use super::change::{AddressedTo, Change};
use super::envelope::{Envelope, Stub};
use super::field;
use crate::text::Text;

/// The names of `proto.WebMessageInfo.Status`, from 0.
const STATUSES: [&str; 6] = ["ERROR", "PENDING", "SERVER_ACK", "DELIVERY_ACK", "READ", "PLAYED"];

/// The fields of a `proto.MessageKey`, as Baileys (`remoteJid`) or neonize (`remoteJID`) spells them.
pub(super) struct Key<'a>(pub &'a Value);

impl<'a> Key<'a> {
    /// The message's id.
    pub fn id(&self) -> Option<Text> {
        field::filled_text(field::either(self.0, &["id", "ID"]))
    }

    /// The field that holds the chat's address.
    pub fn remote_jid(&self) -> &'a Value {
        field::either(self.0, &["remoteJid", "remoteJID"])
    }

    /// Whether the account wrote the message.
    pub fn is_own(&self) -> bool {
        field::flag(&self.0["fromMe"])
    }

    /// The writer in a group; Baileys gives an empty text in a direct chat.
    pub fn participant(&self) -> Option<Text> {
        field::address(&self.0["participant"])
    }

    /// Who sent what this key belongs to.
    pub fn sender(&self) -> Option<AddressedTo> {
        if self.is_own() {
            return Some(AddressedTo::Me);
        }
        self.participant().or_else(|| field::address(self.remote_jid())).map(AddressedTo::Other)
    }
}

/// The ack that a `status` stands for: ERROR is −1, PLAYED is 4.
pub(super) fn ack(status: &Value) -> Option<i64> {
    field::enumerated(status, &STATUSES).map(|n| n - 1).filter(|ack| (-1..=4).contains(ack))
}

/// Everything about a delivery but its content; `None` for one without chat or id. `raw`, the encoded `proto.Message` in
/// base64, is not the engine's: a host adds it to keep what a retry needs.
pub(super) fn envelope(info: &Value, history: bool) -> Option<Envelope> {
    let key = Key(&info["key"]);
    Some(Envelope {
        id: key.id()?,
        chat: field::address(key.remote_jid())?,
        from_me: key.is_own(),
        sender: key.participant().or_else(|| field::address(&info["participant"])),
        time: field::seconds(&info["messageTimestamp"]),
        ack: ack(&info["status"]),
        stub: Stub::read(&info["messageStubType"]),
        history,
        raw: field::bytes(&info["raw"]),
    })
}

/// The reactions that a delivery brings along.
pub(super) fn reactions(info: &Value, out: &mut Vec<Change>) {
    let Some(target) = Key(&info["key"]).id() else { return };
    out.extend(field::list(&info["reactions"]).iter().filter_map(|r| reaction(&target, r)));
}

/// A `proto.Reaction`; no text withdraws an earlier one.
pub(super) fn reaction(target: &Text, reaction: &Value) -> Option<Change> {
    Some(Change::Reaction {
        wa_message_id: target.clone(),
        sender: Key(&reaction["key"]).sender()?,
        emoji: field::text(&reaction["text"]).unwrap_or_default(),
        at: field::millis(field::either(reaction, &["senderTimestampMs", "senderTimestampMS"])),
    })
}
