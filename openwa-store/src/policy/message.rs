//! How deliveries, acks, edits and revokes of one message come together.
//!
//! Whatever the order in which they arrive, the row ends the same: an ack only rises, a revoke is final, the
//! edit with the latest time wins, and a second delivery fills gaps but never overwrites.

use crate::entity::Message;
use crate::json::Json;
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;

/// The type of a message that could not be decrypted (yet); its content may still come.
pub const PLACEHOLDER: &str = "ciphertext";

shape! { input of Message:
/// A message to be saved. `chat_id`, `from_number`, `type` and `wa_timestamp` are needed; the rest has defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewMessage {
    /// WhatsApp's id; `None` for a send that is queued or failed. Without one there is no deduplication.
    pub wa_message_id: Option<Text>,
    /// Address of the chat, in any form: phone or LID, with or without device.
    pub chat_id: Text,
    /// Address of the sender, in any form.
    pub from_number: Text,
    /// Address of the recipient, in any form.
    pub to_number: Option<Text>,
    /// `text`, `image` …; an open list.
    pub r#type: Text,
    /// Text or caption.
    pub body: Option<Text>,
    /// A JSON object about the attached file.
    pub media: Option<Json>,
    /// Delivery state if the message carries one. An own message without one starts at 0.
    pub ack: Option<i64>,
    /// Whether the session's own account wrote it.
    pub from_me: bool,
    /// WhatsApp's time of the message; `None`: now.
    pub wa_timestamp: Option<Timestamp>,
    /// When the row was made; `None`: now. History gives the message's own time here.
    pub created_at: Option<Timestamp>,
    /// When it was last edited, if it arrives edited.
    pub edited_at: Option<Timestamp>,
    /// When it was deleted for everyone, if it arrives deleted.
    pub revoked_at: Option<Timestamp>,
    /// The engine's own encoded message, to be kept.
    pub raw: Option<Vec<u8>>,
}
}

/// What a repeated delivery changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Nothing.
    Unchanged,
    /// A gap was filled or the ack rose.
    Filled,
    /// A placeholder got its content.
    Upgraded,
}

/// The place of an ack on its way up: none < 0 < −1 < 1 < 2 < 3 < 4 < 5.
#[must_use]
pub fn ack_rank(ack: Option<i64>) -> i64 {
    match ack {
        None => -1,
        Some(0) => 0,
        Some(-1) => 1,
        Some(n) => n + 1,
    }
}

/// The ack that is further up. An ack never falls, so −1 (error) replaces 0 or nothing and is replaced by 1.
#[must_use]
pub fn raise_ack(current: Option<i64>, new: Option<i64>) -> Option<i64> {
    if ack_rank(new) > ack_rank(current) { new } else { current }
}

/// Merges a repeated delivery into the stored row. `incoming` is a complete row made from the delivery.
pub fn deliver(row: &mut Message, incoming: &Message) -> Merged {
    let before = row.clone();
    // The account's own sender may be known by number only later, so for own messages the flag decides.
    let same_sender = row.from_number == incoming.from_number || (row.from_me && incoming.from_me);
    let same_people = row.chat_id == incoming.chat_id && same_sender;
    // The notice of a deletion is no content: a placeholder that is deleted stays a placeholder.
    let has_content = incoming.r#type != PLACEHOLDER && incoming.revoked_at.is_none();
    let upgrade = row.r#type == PLACEHOLDER && has_content && same_people;
    row.ack = raise_ack(row.ack, incoming.ack);
    if upgrade {
        row.r#type = incoming.r#type.clone();
        row.to_number = row.to_number.take().or_else(|| incoming.to_number.clone());
        if row.revoked_at.is_none() && row.edited_at.is_none() {
            row.body = incoming.body.clone();
        }
    }
    let edited_later = incoming.edited_at.is_some() && incoming.edited_at > row.edited_at;
    match incoming.revoked_at {
        Some(at) => {
            revoke(row, at);
        }
        None if row.revoked_at.is_some() || incoming.r#type == PLACEHOLDER => {}
        None => {
            if edited_later && same_people {
                row.body = incoming.body.clone();
                row.edited_at = incoming.edited_at;
            }
            if same_people {
                if row.edited_at.is_none() {
                    fill(&mut row.body, &incoming.body);
                }
                fill(&mut row.media, &incoming.media);
                fill(&mut row.raw, &incoming.raw);
                fill(&mut row.to_number, &incoming.to_number);
            }
        }
    }
    match () {
        () if upgrade => Merged::Upgraded,
        () if *row != before => Merged::Filled,
        () => Merged::Unchanged,
    }
}

fn fill<T: Clone>(gap: &mut Option<T>, with: &Option<T>) {
    if gap.is_none() {
        gap.clone_from(with);
    }
}

/// Applies an ack; says whether the row changed.
pub fn ack(row: &mut Message, ack: i64) -> bool {
    let raised = raise_ack(row.ack, Some(ack));
    std::mem::replace(&mut row.ack, raised) != raised
}

/// Applies an edit; says whether the row changed. The edit with the latest time wins, and of two with the same
/// time the one that came last. A revoked message stays empty.
pub fn edit(row: &mut Message, body: Option<&Text>, at: Timestamp) -> bool {
    if row.revoked_at.is_some() || row.edited_at.is_some_and(|t| t > at) {
        return false;
    }
    let changed = row.edited_at != Some(at) || row.body.as_ref() != body;
    row.body = body.cloned();
    row.edited_at = Some(at);
    changed
}

/// Applies a deletion for everyone; says whether the row changed. It is final, and the first one's time stays.
pub fn revoke(row: &mut Message, at: Timestamp) -> bool {
    if row.revoked_at.is_some() {
        return false;
    }
    row.revoked_at = Some(at);
    row.body = None;
    row.media = None;
    row.raw = None;
    // Else the row would tell in which order an edit and the deletion came.
    row.edited_at = None;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(r#type: &str) -> Message {
        Message {
            id: uuid::Uuid::nil(),
            session_id: uuid::Uuid::nil(),
            wa_message_id: Some("A".into()),
            chat_id: "1@lid".into(),
            from_number: "1@lid".into(),
            to_number: None,
            r#type: r#type.into(),
            body: None,
            media: None,
            ack: None,
            from_me: false,
            is_group: false,
            wa_timestamp: Timestamp::EPOCH,
            created_at: Timestamp::EPOCH,
            edited_at: None,
            revoked_at: None,
            raw: None,
        }
    }

    #[test]
    fn a_deleted_placeholder_is_not_upgraded_by_its_deletion() {
        let mut kept = row(PLACEHOLDER);
        let notice = Message { revoked_at: Some(Timestamp::EPOCH), ..row("revoked") };
        assert_eq!(deliver(&mut kept, &notice), Merged::Filled);
        assert_eq!((kept.r#type.as_stored(), kept.revoked_at), (PLACEHOLDER, Some(Timestamp::EPOCH)));
        let content = Message { body: Some("late".into()), ..row("text") };
        assert_eq!(deliver(&mut kept, &content), Merged::Upgraded);
        assert_eq!((kept.r#type.as_stored(), kept.body), ("text", None));
    }
}
