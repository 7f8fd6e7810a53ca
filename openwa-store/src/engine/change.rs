//! What an engine's event means for the store.

use crate::entity::{Contact, SessionStatus};
use crate::policy::message::NewMessage;
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::names;

names! {
    /// Why a delivery is no message to keep.
    pub enum Skipped {
        /// A status post.
        StatusBroadcast = "status_broadcast",
        /// A protocol message; what it asks for is applied.
        Control = "control",
        /// A stanza that carries a reaction; the reaction is applied.
        ReactionCarriers = "reaction_carriers",
        /// A vote in a poll.
        PollVotes = "poll_votes",
        /// A notice of the system, such as "created the group".
        SystemStubs = "system_stubs",
        /// Nothing at all.
        Empty = "empty",
    }
}

/// Who reacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressedTo {
    /// The session's own account.
    Me,
    /// Somebody else, by address in any form.
    Other(Text),
}

shape! { input of Contact:
/// What an event says of a contact; `None` says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactChange {
    /// Address of the person, in any form.
    pub wa_contact_id: Text,
    /// The name in the phone's address book.
    pub name: Option<Text>,
    /// The name the person chose.
    pub push_name: Option<Text>,
    /// Whether the person is in the phone's address book.
    pub is_my_contact: Option<bool>,
    /// Whether the account blocks the person.
    pub is_blocked: Option<bool>,
    /// Where the picture is.
    pub profile_pic_url: Option<Text>,
}
}

/// One thing that an event means for the store. The changes of one event map are applied in one commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Who the session's own account is.
    Account {
        /// Its phone address.
        pn: Option<Text>,
        /// Its LID address.
        lid: Option<Text>,
        /// The name it shows.
        push_name: Option<Text>,
    },
    /// The engine's connection moved to this status.
    Status {
        /// The new status.
        status: SessionStatus,
        /// Why, for the session's log.
        reason: Option<Text>,
    },
    /// Two addresses of one person.
    Pair {
        /// The LID address.
        lid: Text,
        /// The phone address.
        pn: Text,
    },
    /// A delivery of a message: new, again, or its content after a placeholder. `history` marks backfill.
    Message {
        /// The message. Its `from_number` is [`ME`](crate::policy::address::ME) when the account wrote it,
        /// whichever of its addresses the event names.
        message: Box<NewMessage>,
        /// Whether it comes from history sync.
        history: bool,
    },
    /// A delivery that is no message to keep.
    Skipped {
        /// Its id.
        wa_message_id: Text,
        /// Why.
        reason: Skipped,
    },
    /// A delivery state.
    Ack {
        /// The message.
        wa_message_id: Text,
        /// −1 to 5.
        ack: i64,
    },
    /// A new body.
    Edit {
        /// The message.
        wa_message_id: Text,
        /// The new body.
        body: Option<Text>,
        /// When it was edited; `None`: the time of the event.
        at: Option<Timestamp>,
    },
    /// A deletion for everyone.
    Revoke {
        /// The message.
        wa_message_id: Text,
        /// When; `None`: the time of the event.
        at: Option<Timestamp>,
    },
    /// A reaction; an empty one withdraws.
    Reaction {
        /// The message reacted to.
        wa_message_id: Text,
        /// Who reacted.
        sender: AddressedTo,
        /// The reaction.
        emoji: Text,
        /// When; `None`: the time of the event.
        at: Option<Timestamp>,
    },
    /// Something about a contact.
    Contact(Box<ContactChange>),
}
