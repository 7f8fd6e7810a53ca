//! Webhooks, their delivery log, and idempotency.

use uuid::Uuid;

use super::paging::{Listing, Page, PageRequest, Way};
use super::{Ids, insert, sql, update};
use crate::db::Conn;
use crate::entity::{Entity, Webhook, WebhookIdempotency, WebhookLog};
use crate::error::{Error, Kind, Result};
use crate::json::Json;
use crate::policy::webhook::{self as rules, UrlPolicy, WebhookEvent};
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

shape! { input of Webhook:
/// A webhook to be created. Only the URL is needed.
#[derive(Clone, Default, PartialEq)]
pub struct NewWebhook {
    /// Where deliveries go, http or https, at most 2,048 characters.
    pub url: Text,
    /// A JSON array of event names; default `["message.received"]`.
    pub events: Option<Json>,
    /// Signs deliveries, at most 255 characters.
    pub secret: Option<Text>,
    /// A JSON object of extra request headers; default `{}`.
    pub headers: Option<Json>,
    /// How often a failed delivery is tried again, 0 to 20; default 3.
    pub retry_count: Option<i64>,
    /// Whether it gets deliveries; default true.
    pub active: Option<bool>,
    /// Allows loopback, private and link-local addresses, which are refused by default.
    pub allow_private: bool,
}
}

shape! { update of Webhook:
/// What to change of a webhook; `None` leaves a field as it is.
#[derive(Clone, Default, PartialEq)]
pub struct WebhookUpdate {
    /// Where deliveries go.
    pub url: Option<Text>,
    /// A JSON array of event names.
    pub events: Option<Json>,
    /// Signs deliveries; `Some(None)` removes it.
    pub secret: Option<Option<Text>>,
    /// A JSON object of extra request headers.
    pub headers: Option<Json>,
    /// How often a failed delivery is tried again, 0 to 20.
    pub retry_count: Option<i64>,
    /// Whether it gets deliveries.
    pub active: Option<bool>,
    /// Allows loopback, private and link-local addresses for a new URL.
    pub allow_private: bool,
}
}

impl std::fmt::Debug for NewWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewWebhook")
            .field("url", &self.url)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WebhookUpdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookUpdate")
            .field("url", &self.url)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

fn check(webhook: &Webhook) -> Result<()> {
    rules::parse_events(&webhook.events)?;
    rules::check_headers(&webhook.headers)?;
    if !(0..=i64::from(rules::MAX_RETRIES)).contains(&webhook.retry_count) {
        let text = format!("retry_count is 0 to {}, not {}", rules::MAX_RETRIES, webhook.retry_count);
        return Err(Error::invalid("retry_count", text));
    }
    Ok(())
}

fn check_url(url: &Text, allow_private: bool) -> Result<()> {
    rules::check_url(&url.decode(), UrlPolicy { allow_private })
}

pub(crate) fn create(
    conn: &dyn Conn,
    ids: &Ids,
    session: Uuid,
    new: &NewWebhook,
    now: Timestamp,
) -> Result<Webhook> {
    check_url(&new.url, new.allow_private)?;
    let webhook = Webhook {
        id: ids.mint(now),
        session_id: session,
        url: new.url.clone(),
        events: new.events.clone().unwrap_or_else(|| Json::from_stored(r#"["message.received"]"#)),
        secret: new.secret.clone(),
        headers: new.headers.clone().unwrap_or_default(),
        active: new.active.unwrap_or(true),
        retry_count: new.retry_count.unwrap_or(3),
        last_triggered_at: None,
        created_at: now,
        updated_at: now,
    };
    check(&webhook)?;
    insert(conn, &webhook)?;
    Ok(webhook)
}

pub(crate) fn get(conn: &dyn Conn, id: Uuid) -> Result<Webhook> {
    conn.one(sql!(Webhook, "SELECT {} FROM webhooks WHERE id = ?1"), &[Value::Uuid(id)])?
        .ok_or_else(|| Error::not_found("webhook", id))
}

fn locked(conn: &dyn Conn, id: Uuid) -> Result<Webhook> {
    conn.locked(sql!(Webhook, "SELECT {} FROM webhooks WHERE id = ?1"), &[Value::Uuid(id)])?
        .ok_or_else(|| Error::not_found("webhook", id))
}

pub(crate) fn list(conn: &dyn Conn, session: Uuid, request: &PageRequest) -> Result<Page<Webhook>> {
    let after = request.keyset()?;
    let mut listing = Listing::default();
    listing.and("session_id = {}", Value::Uuid(session));
    listing.by_creation(conn, Way::Rising, request, after.as_ref(), |w: &Webhook| (w.created_at, w.id))
}

/// The active webhooks of a session that want to hear of an event: one indexed read.
pub(crate) fn subscribed(conn: &dyn Conn, session: Uuid, event: WebhookEvent) -> Result<Vec<Webhook>> {
    let sql = sql!(Webhook, "SELECT {} FROM webhooks WHERE session_id = ?1 AND active");
    let values = [Value::Uuid(session)];
    // A webhook whose list a foreign writer broke, or whose secret is damaged, hears nothing; it does not silence the
    // others.
    let mut rows: Vec<Webhook> = match conn.rows(sql, &values) {
        Err(e) if e.kind() == Kind::Unreadable => conn.readable_rows(sql, &values)?,
        rows => rows?,
    };
    rows.retain(|w| rules::parse_events(&w.events).is_ok_and(|events| rules::hears(&events, event)));
    Ok(rows)
}

pub(crate) fn change(conn: &dyn Conn, id: Uuid, with: &WebhookUpdate, now: Timestamp) -> Result<Webhook> {
    let mut webhook = locked(conn, id)?;
    if let Some(url) = &with.url {
        check_url(url, with.allow_private)?;
        webhook.url = url.clone();
    }
    if let Some(events) = &with.events {
        webhook.events = events.clone();
    }
    if let Some(secret) = &with.secret {
        webhook.secret.clone_from(secret);
    }
    if let Some(headers) = &with.headers {
        webhook.headers = headers.clone();
    }
    webhook.retry_count = with.retry_count.unwrap_or(webhook.retry_count);
    webhook.active = with.active.unwrap_or(webhook.active);
    webhook.updated_at = now;
    check(&webhook)?;
    update(conn, &webhook)?;
    Ok(webhook)
}

pub(crate) fn delete(conn: &dyn Conn, id: Uuid) -> Result<bool> {
    Ok(conn.execute("DELETE FROM webhooks WHERE id = ?1", &[Value::Uuid(id)])? > 0)
}

shape! { input of WebhookLog:
/// One attempt to deliver, to be logged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewDelivery {
    /// The event's name.
    pub event: Text,
    /// HTTP status of the answer; `None`: none came.
    pub status_code: Option<i64>,
    /// 1 for the first try; default 1.
    pub attempt: Option<i64>,
    /// What was sent.
    pub payload: Json,
    /// What came back.
    pub response: Option<Json>,
    /// Why it failed.
    pub error: Option<Text>,
}
}

/// The row of an attempt.
pub(crate) fn delivery_row(
    ids: &Ids,
    webhook: Uuid,
    new: &NewDelivery,
    now: Timestamp,
) -> Result<WebhookLog> {
    let row = WebhookLog {
        id: ids.mint(now),
        webhook_id: webhook,
        event: new.event.clone(),
        status_code: new.status_code,
        attempt: new.attempt.unwrap_or(1),
        payload: new.payload.clone(),
        response: new.response.clone(),
        error: new.error.clone(),
        created_at: now,
    };
    if row.attempt < 1 {
        return Err(Error::invalid("attempt", "attempts are counted from 1"));
    }
    row.check()?;
    Ok(row)
}

/// Logs an attempt and notes when the webhook was last used.
pub(crate) fn log(
    conn: &dyn Conn,
    ids: &Ids,
    webhook: Uuid,
    new: &NewDelivery,
    now: Timestamp,
) -> Result<WebhookLog> {
    let row = delivery_row(ids, webhook, new, now)?;
    let sql = "UPDATE webhooks SET last_triggered_at = ?1 WHERE id = ?2";
    if conn.execute(sql, &[Value::Time(now), Value::Uuid(webhook)])? == 0 {
        return Err(Error::not_found("webhook", webhook));
    }
    insert(conn, &row)?;
    Ok(row)
}

/// Whether an event may go to a webhook.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// It is new: deliver it, then call `finish`.
    New,
    /// It was taken up before. The stored answer, if that delivery has finished.
    Duplicate {
        /// HTTP status of the stored answer.
        response_status: Option<i64>,
        /// The stored answer.
        response_data: Option<Json>,
    },
}

pub(crate) fn begin(
    conn: &dyn Conn,
    webhook: Uuid,
    key: &Text,
    event: &Text,
    now: Timestamp,
    live: std::time::Duration,
) -> Result<Begin> {
    if key.is_empty() {
        return Err(Error::invalid("idempotency_key", "an idempotency key may not be empty"));
    }
    let row = WebhookIdempotency {
        webhook_id: webhook,
        idempotency_key: key.clone(),
        event_type: event.clone(),
        processed_at: now,
        response_status: None,
        response_data: None,
    };
    row.check()?;
    static BEGIN: crate::fork::Lazy<String> = crate::fork::Lazy::new(|| {
        format!(
            "{} ON CONFLICT (webhook_id, idempotency_key) DO UPDATE SET event_type = excluded.event_type,
               processed_at = excluded.processed_at, response_status = NULL, response_data = NULL
             WHERE webhook_idempotency.processed_at < ?7",
            WebhookIdempotency::TABLE.insert()
        )
    });
    let mut values = row.values();
    values.push(Value::Time(now.minus(live)));
    if conn.execute(&BEGIN, &values)? > 0 {
        return Ok(Begin::New);
    }
    let known = conn.one::<WebhookIdempotency>(
        sql!(
            WebhookIdempotency,
            "SELECT {} FROM webhook_idempotency WHERE webhook_id = ?1 AND idempotency_key = ?2"
        ),
        &[Value::Uuid(webhook), key.bind()],
    )?;
    let known = known.ok_or_else(|| Error::not_found("idempotency key", key))?;
    Ok(Begin::Duplicate { response_status: known.response_status, response_data: known.response_data })
}

pub(crate) fn finish(
    conn: &dyn Conn,
    webhook: Uuid,
    key: &Text,
    status: Option<i64>,
    data: Option<&Json>,
) -> Result<()> {
    let changed = conn.execute(
        "UPDATE webhook_idempotency SET response_status = ?3, response_data = ?4
          WHERE webhook_id = ?1 AND idempotency_key = ?2",
        &[
            Value::Uuid(webhook),
            key.bind(),
            status.map_or(Value::Null, Value::Int),
            data.map_or(Value::Null, Json::bind),
        ],
    )?;
    if changed == 0 {
        return Err(Error::not_found("idempotency key", key));
    }
    Ok(())
}

/// Takes an entry back, so that a delivery that failed for good may be begun again.
pub(crate) fn forget(conn: &dyn Conn, webhook: Uuid, key: &Text) -> Result<bool> {
    let sql = "DELETE FROM webhook_idempotency WHERE webhook_id = ?1 AND idempotency_key = ?2";
    Ok(conn.execute(sql, &[Value::Uuid(webhook), key.bind()])? > 0)
}
