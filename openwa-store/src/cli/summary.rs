//! What a store has of a session, in numbers.

use crate::entity::PendingKind;
use crate::{ContactFilter, Json, MessageFilter, Result, Store};
use serde_json::json;
use uuid::Uuid;

use super::json::Object;
use super::pages;

pub struct Summary {
    pub messages: u64,
    pub chats: usize,
    pub contacts: usize,
    pub pairs: usize,
    pub waiting: u64,
}

impl Summary {
    pub fn of(store: &Store, session: Uuid) -> Result<Self> {
        let (mut chats, mut contacts) = (0, 0);
        pages::every(|page| store.messages().chats(session, page), |_| chats += 1)?;
        let all = ContactFilter::default();
        pages::every(|page| store.contacts().list(session, &all, page), |_| contacts += 1)?;
        let changes = PendingKind::ALL.iter().filter(|kind| **kind != PendingKind::Seen);
        Ok(Summary {
            messages: store.messages().count(session, &MessageFilter::default())?,
            chats,
            contacts,
            pairs: store.contacts().identities(session)?.iter().filter(|pair| pair.pn.is_some()).count(),
            waiting: changes.map(|kind| store.messages().waiting(session, *kind)).sum::<Result<u64>>()?,
        })
    }

    pub fn document(&self) -> Json {
        Object::new()
            .put("messages", json!(self.messages))
            .put("chats", json!(self.chats))
            .put("contacts", json!(self.contacts))
            .put("lid_pn_pairs", json!(self.pairs))
            .put("waiting_changes", json!(self.waiting))
            .done()
    }
}
