//! The logs: what happened to sessions, what keys were used for, and the audit trail.

use uuid::Uuid;

use super::paging::{Listing, Page, PageRequest, Way};
use super::{Ids, insert};
use crate::db::Conn;
use crate::entity::{ApiKeyLog, AuditLog, Entity, SessionLog, SessionStatus, Severity, WebhookLog};
use crate::error::Result;
use crate::json::Json;
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

/// Writes one line of a session's log.
pub(crate) fn session_event(
    conn: &dyn Conn,
    ids: &Ids,
    session: Uuid,
    event: &str,
    status: Option<SessionStatus>,
    data: Option<Json>,
    now: Timestamp,
) -> Result<SessionLog> {
    let row = SessionLog {
        id: ids.mint(now),
        session_id: session,
        event: event.into(),
        status: status.map(|s| s.name().into()),
        data,
        created_at: now,
    };
    insert(conn, &row)?;
    Ok(row)
}

/// The event of a session's log that tells a step in its life.
pub(crate) const STATUS: &str = "session.status";

/// Whether the session's log has this status at `at`, or any later step.
pub(crate) fn has_status_since(
    conn: &dyn Conn,
    session: Uuid,
    status: SessionStatus,
    at: Timestamp,
) -> Result<bool> {
    let sql = "SELECT 1 FROM session_logs WHERE session_id = ?1 AND event = ?2 AND created_at >= ?3
                  AND (created_at > ?3 OR status = ?4)";
    let params = [Value::Uuid(session), Value::Text(STATUS), Value::Time(at), status.bind()];
    Ok(conn.first(sql, &params, |_| Ok(()))?.is_some())
}

shape! { input of ApiKeyLog:
/// A request made with an API key, to be logged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewApiKeyLog {
    /// The key, if one was recognised.
    pub api_key_id: Option<Uuid>,
    /// Path of the request; cut to 255 characters.
    pub endpoint: Text,
    /// HTTP method.
    pub method: Text,
    /// Address of the client.
    pub ip_address: Option<Text>,
    /// The client's own description.
    pub user_agent: Option<Text>,
    /// HTTP status of the answer.
    pub status_code: i64,
    /// How long the answer took, in milliseconds.
    pub response_time: Option<i64>,
}
}

shape! { input of AuditLog:
/// Something to be audited. Only the action is needed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewAuditLog {
    /// What was done, for instance `session.created`.
    pub action: Text,
    /// How grave it is; default `info`.
    pub severity: Option<Severity>,
    /// The key that did it.
    pub api_key_id: Option<Uuid>,
    /// The key's name; copied, so that the entry outlives the key.
    pub api_key_name: Option<Text>,
    /// The session it was done to.
    pub session_id: Option<Uuid>,
    /// The session's name; copied.
    pub session_name: Option<Text>,
    /// Address of the client.
    pub ip_address: Option<Text>,
    /// The client's own description.
    pub user_agent: Option<Text>,
    /// HTTP method.
    pub method: Option<Text>,
    /// Path of the request.
    pub path: Option<Text>,
    /// HTTP status of the answer.
    pub status_code: Option<i64>,
    /// Anything else.
    pub metadata: Option<Json>,
    /// What went wrong, if anything.
    pub error_message: Option<Text>,
}
}

/// Which audit entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AuditFilter {
    /// All.
    #[default]
    All,
    /// Those of one action.
    Action(Text),
    /// Those about one session.
    Session(Uuid),
    /// Those made with one key.
    ApiKey(Uuid),
}

/// An endpoint longer than its column is cut, not refused: a log must not fail on what a stranger requests.
fn cut(text: &Text, most: usize) -> Text {
    if text.chars() <= most {
        text.clone()
    } else {
        Text::from(text.decode().chars().take(most).collect::<String>())
    }
}

/// The row of a request.
pub(crate) fn request_row(ids: &Ids, new: &NewApiKeyLog, now: Timestamp) -> Result<ApiKeyLog> {
    let row = ApiKeyLog {
        id: ids.mint(now),
        api_key_id: new.api_key_id,
        endpoint: cut(&new.endpoint, 255),
        method: cut(&new.method, 10),
        ip_address: new.ip_address.clone(),
        user_agent: new.user_agent.clone(),
        status_code: new.status_code,
        response_time: new.response_time,
        created_at: now,
    };
    row.check()?;
    Ok(row)
}

pub(crate) fn api_key_request(
    conn: &dyn Conn,
    ids: &Ids,
    new: &NewApiKeyLog,
    now: Timestamp,
) -> Result<ApiKeyLog> {
    let row = request_row(ids, new, now)?;
    insert(conn, &row)?;
    Ok(row)
}

pub(crate) fn audit(conn: &dyn Conn, ids: &Ids, new: &NewAuditLog, now: Timestamp) -> Result<AuditLog> {
    if new.action.is_empty() {
        return Err(crate::error::Error::invalid("action", "an audit entry needs an action"));
    }
    let new = new.clone();
    let row = AuditLog {
        id: ids.mint(now),
        action: new.action,
        severity: new.severity.unwrap_or(Severity::Info),
        api_key_id: new.api_key_id,
        api_key_name: new.api_key_name,
        session_id: new.session_id,
        session_name: new.session_name,
        ip_address: new.ip_address,
        user_agent: new.user_agent,
        method: new.method,
        path: new.path,
        status_code: new.status_code,
        metadata: new.metadata,
        error_message: new.error_message,
        created_at: now,
    };
    insert(conn, &row)?;
    Ok(row)
}

/// One page of a log, newest first. `filter` is a list of equalities that the log has an index for.
fn newest<E: Entity>(
    conn: &dyn Conn,
    filter: &[(&str, Value<'_>)],
    request: &PageRequest,
    place: impl Fn(&E) -> (Timestamp, Uuid),
) -> Result<Page<E>> {
    let after = request.keyset()?;
    let mut listing = Listing::default();
    for (column, value) in filter {
        listing.and(&format!("{column} = {{}}"), *value);
    }
    listing.by_creation(conn, Way::Falling, request, after.as_ref(), place)
}

pub(crate) fn of_session(
    conn: &dyn Conn,
    session: Uuid,
    event: Option<&Text>,
    request: &PageRequest,
) -> Result<Page<SessionLog>> {
    let mut filter = vec![("session_id", Value::Uuid(session))];
    filter.extend(event.map(|e| ("event", e.bind())));
    newest(conn, &filter, request, |r: &SessionLog| (r.created_at, r.id))
}

pub(crate) fn of_webhook(conn: &dyn Conn, webhook: Uuid, request: &PageRequest) -> Result<Page<WebhookLog>> {
    let filter = [("webhook_id", Value::Uuid(webhook))];
    newest(conn, &filter, request, |r: &WebhookLog| (r.created_at, r.id))
}

pub(crate) fn of_api_key(
    conn: &dyn Conn,
    key: Option<Uuid>,
    request: &PageRequest,
) -> Result<Page<ApiKeyLog>> {
    let filter: Vec<_> = key.map(|k| ("api_key_id", Value::Uuid(k))).into_iter().collect();
    newest(conn, &filter, request, |r: &ApiKeyLog| (r.created_at, r.id))
}

pub(crate) fn audited(conn: &dyn Conn, which: &AuditFilter, request: &PageRequest) -> Result<Page<AuditLog>> {
    let filter = match which {
        AuditFilter::All => vec![],
        AuditFilter::Action(action) => vec![("action", action.bind())],
        AuditFilter::Session(id) => vec![("session_id", Value::Uuid(*id))],
        AuditFilter::ApiKey(id) => vec![("api_key_id", Value::Uuid(*id))],
    };
    newest(conn, &filter, request, |r: &AuditLog| (r.created_at, r.id))
}
