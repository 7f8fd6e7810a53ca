use uuid::Uuid;

use super::verbs;
use crate::engine::ContactChange;
use crate::entity::{Contact, Identity};
use crate::record::Page;
use crate::repo::contacts::ContactFilter;
use crate::repo::paging::PageRequest;
use crate::text::Text;

verbs! { "contacts"(store, progress);
    write upsert("The session." session: Uuid, "What is known of the contact." contact: ContactChange) -> Contact {
        store.contacts().upsert(session, contact)
    }

    read get("The session." session: Uuid, "Any of the person's addresses." address: Text) -> Option<Contact> {
        store.contacts().get(session, address)
    }

    page list(
        "The session." session: Uuid,
        "Which contacts." filter: ContactFilter,
        "Which page." page: PageRequest,
    ) -> Page<Contact> {
        store.contacts().list(session, &filter, &page)
    }

    write delete("The session." session: Uuid, "Any of the person's addresses." address: Text) -> bool {
        store.contacts().delete(session, address)
    }

    write learn_identity(
        "The session." session: Uuid,
        "The LID address." lid: Text,
        "The phone address." pn: Text,
    ) -> bool {
        store.contacts().learn_identity(session, lid, pn)
    }

    read identities("The session." session: Uuid) -> Vec<Identity> { store.contacts().identities(session) }

    read canonical("The session." session: Uuid, "An address in any form." address: Text) -> Text {
        store.contacts().canonical(session, address)
    }
}
