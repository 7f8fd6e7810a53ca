use super::verbs;
use crate::entity::{Message, MessageReaction, PendingKind};
use crate::error::Result;
use crate::policy::message::NewMessage;
use crate::record::Page;
use crate::repo::chats::Chat;
use crate::repo::message_reads::MessageFilter;
use crate::repo::messages::{Changed, Saved};
use crate::repo::paging::PageRequest;
use crate::text::Text;
use crate::time::Timestamp;
use uuid::Uuid;

verbs! { "messages"(store, progress);
    write save("The session." session: Uuid, "The message." message: NewMessage) -> Saved {
        store.messages().save(session, message)
    }

    write save_many("The session." session: Uuid, "The messages." messages: Vec<NewMessage>) -> Vec<Result<Saved>> {
        store.messages().save_many(session, messages)
    }

    write backfill("The session." session: Uuid, "The messages." messages: Vec<NewMessage>) -> Vec<Result<Saved>> {
        store.messages().backfill(session, messages)
    }

    write ack(
        "The session." session: Uuid,
        "WhatsApp's id of the message." wa_message_id: Text,
        "The delivery state, -1 to 5." ack: i64,
    ) -> Changed {
        store.messages().ack(session, wa_message_id, ack)
    }

    write edit(
        "The session." session: Uuid,
        "WhatsApp's id of the message." wa_message_id: Text,
        "The new body." body: Option<Text>,
        "When it was edited; default now." at: Option<Timestamp>,
    ) -> Changed {
        store.messages().edit(session, wa_message_id, body, at)
    }

    write revoke(
        "The session." session: Uuid,
        "WhatsApp's id of the message." wa_message_id: Text,
        "When it was deleted; default now." at: Option<Timestamp>,
    ) -> Changed {
        store.messages().revoke(session, wa_message_id, at)
    }

    write react(
        "The session." session: Uuid,
        "WhatsApp's id of the message." wa_message_id: Text,
        "Address of the person, or `me`." sender: Text,
        "The reaction; empty withdraws." emoji: Text,
        "When it was; default now." at: Option<Timestamp>,
    ) -> Changed {
        store.messages().react(session, wa_message_id, sender, emoji, at)
    }

    read get("Id of the row." id: Uuid) -> Option<Message> { store.messages().get(id) }

    read find("The session." session: Uuid, "WhatsApp's id of the message." wa_message_id: Text) -> Option<Message> {
        store.messages().find(session, wa_message_id)
    }

    page list(
        "The session." session: Uuid,
        "Which messages." filter: MessageFilter,
        "Which page." page: PageRequest,
    ) -> Page<Message> {
        store.messages().list(session, &filter, &page)
    }

    read count("The session." session: Uuid, "Which messages." filter: MessageFilter) -> u64 {
        store.messages().count(session, &filter)
    }

    page chats("The session." session: Uuid, "Which page." page: PageRequest) -> Page<Chat> {
        store.messages().chats(session, &page)
    }

    read reactions(
        "The session." session: Uuid,
        "WhatsApp's id of the message." wa_message_id: Text,
    ) -> Vec<MessageReaction> {
        store.messages().reactions(session, wa_message_id)
    }

    read waiting("The session." session: Uuid, "The kind of change." kind: PendingKind) -> u64 {
        store.messages().waiting(session, kind)
    }
}
