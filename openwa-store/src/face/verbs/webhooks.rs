use uuid::Uuid;

use super::verbs;
use crate::entity::{Webhook, WebhookLog};
use crate::json::Json;
use crate::policy::webhook::WebhookEvent;
use crate::record::Page;
use crate::repo::paging::PageRequest;
use crate::repo::webhooks::{Begin, NewDelivery, NewWebhook, WebhookUpdate};
use crate::text::Text;

verbs! { "webhooks"(store, progress);
    write create("The session." session: Uuid, "The webhook." webhook: NewWebhook) -> Webhook {
        store.webhooks().create(session, webhook)
    }

    read get("The webhook." id: Uuid) -> Webhook { store.webhooks().get(id) }

    page list("The session." session: Uuid, "Which page." page: PageRequest) -> Page<Webhook> {
        store.webhooks().list(session, &page)
    }

    read subscribed("The session." session: Uuid, "The event." event: WebhookEvent) -> Vec<Webhook> {
        store.webhooks().subscribed(session, event)
    }

    write update("The webhook." id: Uuid, "What to change." update: WebhookUpdate) -> Webhook {
        store.webhooks().update(id, update)
    }

    write delete("The webhook." id: Uuid) -> bool { store.webhooks().delete(id) }

    write log("The webhook." webhook: Uuid, "The attempt." delivery: NewDelivery) -> WebhookLog {
        store.webhooks().log(webhook, delivery)
    }

    read log_later("The webhook." webhook: Uuid, "The attempt." delivery: NewDelivery) -> () {
        store.webhooks().log_later(webhook, &delivery)
    }

    page logs("The webhook." webhook: Uuid, "Which page." page: PageRequest) -> Page<WebhookLog> {
        store.webhooks().logs(webhook, &page)
    }

    write begin(
        "The webhook." webhook: Uuid,
        "What makes the event unique, 1 to 255 characters." key: Text,
        "The event's name." event: Text,
    ) -> Begin {
        store.webhooks().begin(webhook, key, event)
    }

    write finish(
        "The webhook." webhook: Uuid,
        "What makes the event unique." key: Text,
        "HTTP status of the answer." status: Option<i64>,
        "The answer." data: Option<Json>,
    ) -> () {
        store.webhooks().finish(webhook, key, status, data)
    }

    write forget("The webhook." webhook: Uuid, "What makes the event unique." key: Text) -> bool {
        store.webhooks().forget(webhook, key)
    }
}
