use uuid::Uuid;

use super::verbs;
use crate::entity::SessionAuth;
use crate::repo::auth::{AuthEntry, AuthValue};
use crate::text::Text;

verbs! { "auth"(store, progress);
    write set("The session." session: Uuid, "The keys; one without a value is deleted." entries: Vec<AuthEntry>) -> () {
        store.auth().set(session, entries)
    }

    read get("The session." session: Uuid, "The category." category: Text, "The key's id." key_id: Text) -> AuthValue {
        store.auth().get(session, category, key_id)
    }

    read get_many(
        "The session." session: Uuid,
        "The category." category: Text,
        "The ids of the keys." key_ids: Vec<Text>,
    ) -> Vec<AuthValue> {
        store.auth().get_many(session, category, &key_ids)
    }

    read list("The session." session: Uuid, "The category." category: Text) -> Vec<Text> {
        store.auth().list(session, category)
    }

    read all("The session." session: Uuid) -> Vec<SessionAuth> { store.auth().all(session) }

    write clear("The session." session: Uuid, "Only this category." category: Option<Text>) -> u64 {
        store.auth().clear(session, category)
    }
}
