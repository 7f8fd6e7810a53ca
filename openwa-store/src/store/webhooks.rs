use std::time::Duration;

use uuid::Uuid;

use super::Store;
use crate::db::Pending;
use crate::entity::{Webhook, WebhookLog};
use crate::error::Result;
use crate::json::Json;
use crate::observe;
use crate::policy::webhook::WebhookEvent;
use crate::repo::logs;
use crate::repo::paging::{Page, PageRequest};
use crate::repo::webhooks::{self, Begin, NewDelivery, NewWebhook, WebhookUpdate};
use crate::text::Text;

/// Webhooks, their delivery log, idempotency; see [`Store::webhooks`].
pub struct Webhooks<'a>(pub(super) &'a Store);

/// How long an idempotency entry stops a second delivery.
const LIVE: Duration = Duration::from_secs(24 * 60 * 60);

impl Webhooks<'_> {
    /// Creates a webhook.
    ///
    /// Errors: `InvalidArgument` for URL, events, headers or retry count, `NotFound` for the session.
    pub fn create(&self, session: Uuid, new: NewWebhook) -> Pending<Webhook> {
        self.0.write("webhooks.create", move |conn, env| {
            webhooks::create(conn, &env.ids, session, &new, env.now())
        })
    }

    /// One webhook by id.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn get(&self, id: Uuid) -> Result<Webhook> {
        self.0.data("webhooks.get", |conn| webhooks::get(conn, id))
    }

    /// One page of a session's webhooks, in the order of creation.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn list(&self, session: Uuid, request: &PageRequest) -> Result<Page<Webhook>> {
        self.0.data("webhooks.list", |conn| webhooks::list(conn, session, request))
    }

    /// The active webhooks of a session that want to hear of an event.
    ///
    /// # Errors
    /// Those of the database.
    pub fn subscribed(&self, session: Uuid, event: WebhookEvent) -> Result<Vec<Webhook>> {
        self.0.data("webhooks.subscribed", |conn| webhooks::subscribed(conn, session, event))
    }

    /// Changes a webhook.
    ///
    /// Errors: `NotFound`, `InvalidArgument`.
    pub fn update(&self, id: Uuid, with: WebhookUpdate) -> Pending<Webhook> {
        self.0.write("webhooks.update", move |conn, env| webhooks::change(conn, id, &with, env.now()))
    }

    /// Deletes a webhook with its log. False: there was none.
    pub fn delete(&self, id: Uuid) -> Pending<bool> {
        self.0.write("webhooks.delete", move |conn, _| webhooks::delete(conn, id))
    }

    /// Logs one attempt to deliver.
    ///
    /// Errors: `NotFound` for the webhook, `InvalidArgument`.
    pub fn log(&self, webhook: Uuid, delivery: NewDelivery) -> Pending<WebhookLog> {
        self.0
            .write("webhooks.log", move |conn, env| {
                webhooks::log(conn, &env.ids, webhook, &delivery, env.now())
            })
            .seen_by(|row| observe::attempt(row.status_code))
    }

    /// Logs an attempt without waiting: the row is written within a second, together with others, and before the log is
    /// read or the store closed. While the database cannot be reached rows wait, up to 10,000 or 16 MB; beyond that the
    /// oldest are lost and counted, see [`Store::log_buffer`]. A row whose webhook is deleted by then goes with it.
    ///
    /// # Errors
    /// `InvalidArgument` naming the column, `Closed`. None of the database.
    pub fn log_later(&self, webhook: Uuid, delivery: &NewDelivery) -> Result<()> {
        let env = self.0.env();
        let row = webhooks::delivery_row(&env.ids, webhook, delivery, env.now());
        observe::attempt(delivery.status_code);
        row.and_then(|row| self.0.log_delivery_later(row)).map_err(|e| e.during("webhooks.log_later"))
    }

    /// One page of a webhook's delivery log, newest first.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn logs(&self, webhook: Uuid, request: &PageRequest) -> Result<Page<WebhookLog>> {
        self.0.settle_deliveries();
        self.0.data("webhooks.logs", |conn| logs::of_webhook(conn, webhook, request))
    }

    /// Asks whether an event may be delivered to a webhook; of any number of processes exactly one hears
    /// [`Begin::New`]. Entries live 24 hours.
    pub fn begin(&self, webhook: Uuid, key: impl Into<Text>, event: impl Into<Text>) -> Pending<Begin> {
        let (key, event) = (key.into(), event.into());
        self.0.write("webhooks.begin", move |conn, env| {
            webhooks::begin(conn, webhook, &key, &event, env.now(), LIVE)
        })
    }

    /// Stores the answer of a delivery, for those that come as duplicates.
    ///
    /// Errors: `NotFound` when it was not begun.
    pub fn finish(
        &self,
        webhook: Uuid,
        key: impl Into<Text>,
        status: Option<i64>,
        data: Option<Json>,
    ) -> Pending<()> {
        let key = key.into();
        self.0.write("webhooks.finish", move |conn, _| {
            webhooks::finish(conn, webhook, &key, status, data.as_ref())
        })
    }

    /// Takes a beginning back, so that a delivery that failed for good may be begun again. False: there was none.
    pub fn forget(&self, webhook: Uuid, key: impl Into<Text>) -> Pending<bool> {
        let key = key.into();
        self.0.write("webhooks.forget", move |conn, _| webhooks::forget(conn, webhook, &key))
    }
}
