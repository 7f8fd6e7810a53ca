//! One delivery of a message: who, where, when, and what becomes of it.

use serde_json::Value;

use super::change::{Change, Skipped};
use super::content::{Content, Said};
use super::field;
use crate::policy::address::{self, ME, STATUS_BROADCAST};
use crate::policy::message::NewMessage;
use crate::text::Text;
use crate::time::Timestamp;

/// Everything about a delivery but its content.
pub(super) struct Envelope {
    /// The message's id.
    pub id: Text,
    /// The chat's address.
    pub chat: Text,
    /// Whether the account wrote it.
    pub from_me: bool,
    /// The sender's address, if it is not the account.
    pub sender: Option<Text>,
    /// WhatsApp's time; `None` where it is missing or outside the years 0000 to 9999.
    pub time: Option<Timestamp>,
    /// The delivery state it carries.
    pub ack: Option<i64>,
    /// What stands in place of the content.
    pub stub: Option<Stub>,
    /// Whether it is backfill.
    pub history: bool,
    /// The engine's own encoded message, if the host passes it along.
    pub raw: Option<Vec<u8>>,
}

/// What may stand in place of a message's content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stub {
    /// It was deleted for everyone.
    Revoke,
    /// It could not be decrypted.
    Ciphertext,
    /// Any notice of the system.
    System,
}

impl Stub {
    /// Reads a `messageStubType`, by number or by name.
    pub fn read(v: &Value) -> Option<Self> {
        match field::enumerated(v, &["UNKNOWN", "REVOKE", "CIPHERTEXT"]) {
            Some(0) => None,
            Some(1) => Some(Stub::Revoke),
            Some(2) => Some(Stub::Ciphertext),
            Some(_) => Some(Stub::System),
            None => v.is_string().then_some(Stub::System),
        }
    }
}

impl Envelope {
    /// What the delivery means, by the first rule that fits. Says whether it is a message to keep.
    pub fn deliver(self, content: Content<'_>, out: &mut Vec<Change>) -> bool {
        let said = match content {
            _ if self.chat == STATUS_BROADCAST => Err(Skipped::StatusBroadcast),
            Content::Control(_) => Err(Skipped::Control),
            Content::Reaction(_) => Err(Skipped::ReactionCarriers),
            Content::PollVote => Err(Skipped::PollVotes),
            Content::Said(said) => Ok(said),
            Content::Nothing => match self.stub {
                Some(Stub::Ciphertext) => Ok(Said::placeholder()),
                Some(Stub::Revoke) => Ok(Said::revoked()),
                Some(Stub::System) => Err(Skipped::SystemStubs),
                None => Err(Skipped::Empty),
            },
        };
        match said {
            Ok(said) => {
                self.keep(said, out);
                true
            }
            Err(reason) => {
                out.push(Change::Skipped { wa_message_id: self.id, reason });
                false
            }
        }
    }

    fn keep(self, said: Said, out: &mut Vec<Change>) {
        let to_person = self.from_me && address::is_person(self.chat.as_stored());
        let sender = if self.from_me { Some(Text::from_stored(ME)) } else { self.sender };
        let message = NewMessage {
            wa_message_id: Some(self.id.clone()),
            from_number: sender.unwrap_or_else(|| self.chat.clone()),
            to_number: to_person.then(|| self.chat.clone()),
            chat_id: self.chat,
            r#type: said.r#type,
            body: said.body,
            media: said.media,
            ack: self.ack,
            from_me: self.from_me,
            wa_timestamp: self.time,
            created_at: self.time.filter(|t| self.history && field::is_plausible(*t)),
            edited_at: self.time.filter(|_| said.edited),
            // When it was deleted is nowhere said; the message's own time stands in for it.
            revoked_at: self.time.filter(|_| said.revoked),
            raw: self.raw,
        };
        let revoked_at_no_time = said.revoked && message.revoked_at.is_none();
        out.push(Change::Message { message: Box::new(message), history: self.history });
        if revoked_at_no_time {
            out.push(Change::Revoke { wa_message_id: self.id, at: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::content;
    use serde_json::json;

    fn envelope(stub: &Value, time: Option<Timestamp>) -> Envelope {
        Envelope {
            id: "A".into(),
            chat: "12025550101@s.whatsapp.net".into(),
            from_me: false,
            sender: None,
            time,
            ack: None,
            stub: Stub::read(stub),
            history: true,
            raw: None,
        }
    }

    #[test]
    fn stubs_by_name_and_by_number() {
        for (stub, expected) in [
            (json!(2), "ciphertext"),
            (json!("CIPHERTEXT"), "ciphertext"),
            (json!(1), "revoked"),
            (json!("REVOKE"), "revoked"),
            (json!(20), "system_stubs"),
            (json!("GROUP_CREATE"), "system_stubs"),
            (json!("SOMETHING_NEW"), "system_stubs"),
            (json!(0), "empty"),
            (json!(null), "empty"),
        ] {
            let mut out = Vec::new();
            let kept = envelope(&stub, Timestamp::from_secs(9)).deliver(Content::Nothing, &mut out);
            let name = match &out[0] {
                Change::Message { message, .. } => message.r#type.as_stored(),
                Change::Skipped { reason, .. } => reason.name(),
                other => panic!("{other:?}"),
            };
            assert_eq!(
                (name, out.len(), kept),
                (expected, 1, !name.contains('_') && name != "empty"),
                "{stub}"
            );
        }
    }

    #[test]
    fn a_deletion_without_a_time_is_still_one() {
        let mut out = Vec::new();
        envelope(&json!(1), None).deliver(Content::Nothing, &mut out);
        assert_eq!(out[1], Change::Revoke { wa_message_id: "A".into(), at: None });
    }

    #[test]
    fn who_wrote_to_whom() {
        let message = json!({"conversation": "hi"});
        let delivered = |e: Envelope| {
            let mut out = Vec::new();
            e.deliver(content::read(&message), &mut out);
            let Some(Change::Message { message, .. }) = out.pop() else { panic!("no message") };
            (message.from_number.to_string(), message.to_number.map(|t| t.to_string()), message.created_at)
        };
        let chat = "12025550101@s.whatsapp.net".to_owned();
        let at = Timestamp::from_secs(9);
        assert_eq!(delivered(envelope(&Value::Null, at)), (chat.clone(), None, at));
        let own = Envelope { from_me: true, ..envelope(&Value::Null, Timestamp::from_secs(-9)) };
        assert_eq!(delivered(own), (ME.to_owned(), Some(chat), None));
        let group =
            Envelope { chat: "1@g.us".into(), sender: Some("2@lid".into()), ..envelope(&Value::Null, at) };
        assert_eq!(delivered(group), ("2@lid".to_owned(), None, at));
    }
}
