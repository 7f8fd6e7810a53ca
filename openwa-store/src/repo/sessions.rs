//! Sessions and their life.

use uuid::Uuid;

use super::paging::{Listing, Page, PageRequest, Way};
use super::{Ids, insert, logs, sql, update};
use crate::db::Conn;
use crate::entity::{Session, SessionStatus};
use crate::error::{Error, Kind, Result};
use crate::json::Json;
use crate::policy::{config as schemas, session as life};
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

shape! { input of Session:
/// A session to be created. Only the name is needed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewSession {
    /// UUID to use; `None`: one is minted.
    pub id: Option<Uuid>,
    /// What people call it, 1 to 100 characters; unique.
    pub name: Text,
    /// The account's own number, digits only.
    pub phone: Option<Text>,
    /// The name the account shows.
    pub push_name: Option<Text>,
    /// Settings: `autoReconnect`, `maxReconnectAttempts`, `puppeteer`, `proxy`, `history`, `retention` are
    /// checked, anything else is kept as it is. Default `{}`.
    pub config: Option<Json>,
}
}

shape! { update of Session:
/// What to change of a session; `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionUpdate {
    /// A new name.
    pub name: Option<Text>,
    /// The account's own number, digits only.
    pub phone: Option<Option<Text>>,
    /// The name the account shows.
    pub push_name: Option<Option<Text>>,
    /// New settings, replacing the old ones whole.
    pub config: Option<Json>,
    /// The engine's state: an encrypted blob, or where the engine keeps it.
    pub auth_state: Option<Option<Json>>,
}
}

shape! { input of Session:
/// Which sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only those in this status.
    pub status: Option<SessionStatus>,
    /// Only those of this number.
    pub phone: Option<Text>,
}
}

fn check_name(name: &Text) -> Result<()> {
    if name.decode().trim().is_empty() {
        return Err(Error::invalid("name", "a session needs a name of 1 to 100 characters"));
    }
    Ok(())
}

pub(crate) fn create(conn: &dyn Conn, ids: &Ids, new: &NewSession, now: Timestamp) -> Result<Session> {
    check_name(&new.name)?;
    let config = new.config.clone().unwrap_or_default();
    schemas::check_session_config(&config)?;
    let session = Session {
        id: new.id.unwrap_or_else(|| ids.mint(now)),
        name: new.name.clone(),
        status: SessionStatus::Created,
        phone: new.phone.clone(),
        push_name: new.push_name.clone(),
        config,
        auth_state: None,
        connected_at: None,
        retained_from: None,
        created_at: now,
        updated_at: now,
    };
    insert(conn, &session).map_err(|e| taken(e, &new.name))?;
    logs::session_event(conn, ids, session.id, "session.created", Some(session.status), None, now)?;
    Ok(session)
}

/// Says which name is taken.
fn taken(e: Error, name: &Text) -> Error {
    if e.kind() == Kind::AlreadyExists && e.context("column") == Some("sessions.name") {
        return Error::new(Kind::AlreadyExists, format!("a session named {name:?} exists already"))
            .with("column", "name");
    }
    e
}

pub(crate) fn find(conn: &dyn Conn, id: Uuid) -> Result<Option<Session>> {
    conn.one(sql!(Session, "SELECT {} FROM sessions WHERE id = ?1"), &[Value::Uuid(id)])
}

pub(crate) fn get(conn: &dyn Conn, id: Uuid) -> Result<Session> {
    find(conn, id)?.ok_or_else(|| Error::not_found("session", id))
}

/// The session, kept from changing until the transaction ends.
pub(crate) fn locked(conn: &dyn Conn, id: Uuid) -> Result<Session> {
    conn.locked(sql!(Session, "SELECT {} FROM sessions WHERE id = ?1"), &[Value::Uuid(id)])?
        .ok_or_else(|| Error::not_found("session", id))
}

/// The session with its secrets as they are stored; with `lock` it is kept from changing until the transaction ends.
pub(crate) fn unopened(conn: &dyn Conn, id: Uuid, lock: bool) -> Result<Session> {
    let sql = sql!(Session, "SELECT {} FROM sessions WHERE id = ?1");
    let sql = if lock { conn.dialect().locking(sql) } else { sql.into() };
    conn.rows_unopened(&sql, &[Value::Uuid(id)])?.pop().ok_or_else(|| Error::not_found("session", id))
}

/// Every session with its secrets as they are stored.
pub(crate) fn all_unopened(conn: &dyn Conn) -> Result<Vec<Session>> {
    conn.rows_unopened(sql!(Session, "SELECT {} FROM sessions ORDER BY created_at, id"), &[])
}

pub(crate) fn by_name(conn: &dyn Conn, name: &Text) -> Result<Option<Session>> {
    conn.one(sql!(Session, "SELECT {} FROM sessions WHERE name = ?1"), &[name.bind()])
}

/// Every session, in the order of creation. Sessions are few: a gateway drives tens, not thousands.
pub(crate) fn all(conn: &dyn Conn) -> Result<Vec<Session>> {
    conn.rows(sql!(Session, "SELECT {} FROM sessions ORDER BY created_at, id"), &[])
}

pub(crate) fn list(conn: &dyn Conn, filter: &SessionFilter, request: &PageRequest) -> Result<Page<Session>> {
    let after = request.keyset()?;
    let mut listing = Listing::default();
    if let Some(status) = &filter.status {
        listing.and("status = {}", status.bind());
    }
    if let Some(phone) = &filter.phone {
        listing.and("phone = {}", phone.bind());
    }
    listing.by_creation(conn, Way::Rising, request, after.as_ref(), |s: &Session| (s.created_at, s.id))
}

pub(crate) fn change(conn: &dyn Conn, id: Uuid, with: &SessionUpdate, now: Timestamp) -> Result<Session> {
    let mut session = locked(conn, id)?;
    if let Some(name) = &with.name {
        check_name(name)?;
        session.name = name.clone();
    }
    if let Some(config) = &with.config {
        schemas::check_session_config(config)?;
        session.config = config.clone();
    }
    if let Some(phone) = &with.phone {
        session.phone.clone_from(phone);
    }
    if let Some(push_name) = &with.push_name {
        session.push_name.clone_from(push_name);
    }
    if let Some(auth_state) = &with.auth_state {
        session.auth_state.clone_from(auth_state);
    }
    session.updated_at = now;
    update(conn, &session).map_err(|e| taken(e, &session.name))?;
    Ok(session)
}

shape! { output:
/// What a step of a session's life did.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Whether the status changed (or a new QR code came); false for a repeated event.
    pub changed: bool,
    /// The status before.
    pub from: SessionStatus,
    /// The session as it stands now.
    pub session: Session,
}
}

/// Moves a session to a status, if its life allows that, and logs it in the same commit.
pub(crate) fn transition(
    conn: &dyn Conn,
    ids: &Ids,
    id: Uuid,
    to: SessionStatus,
    reason: Option<&Text>,
    now: Timestamp,
) -> Result<Transition> {
    let session = locked(conn, id)?;
    let from = session.status;
    if life::check(from, to)? == life::Step::Same {
        return Ok(Transition { changed: false, from, session });
    }
    let session = put_status(conn, session, to, now)?;
    let data =
        reason.map(|r| Json::from(serde_json::json!({ "from": from.name(), "reason": r.as_stored() })));
    let data = data.or_else(|| Some(Json::from(serde_json::json!({ "from": from.name() }))));
    logs::session_event(conn, ids, id, logs::STATUS, Some(to), data, now)?;
    Ok(Transition { changed: true, from, session })
}

/// A compare-and-set: of two processes only one wins a step.
fn put_status(conn: &dyn Conn, mut session: Session, to: SessionStatus, now: Timestamp) -> Result<Session> {
    let from = session.status;
    session.status = to;
    session.updated_at = now;
    if to == SessionStatus::Ready {
        session.connected_at = Some(now);
    }
    let changed = conn.execute(
        "UPDATE sessions SET status = ?1, connected_at = ?2, updated_at = ?3 WHERE id = ?4 AND status = ?5",
        &[to.bind(), session.connected_at.bind(), Value::Time(now), Value::Uuid(session.id), from.bind()],
    )?;
    if changed == 0 {
        return Err(Error::new(Kind::Conflict, "somebody else changed the session's status; read it again")
            .with("session", session.id));
    }
    Ok(session)
}

/// After a start: flips the states that only a live engine can hold to `disconnected`, and answers every
/// session that should run again.
pub(crate) fn restore(conn: &dyn Conn, ids: &Ids, now: Timestamp) -> Result<Vec<Session>> {
    let mut out = Vec::new();
    for session in all(conn)? {
        if !life::should_restore(session.status) {
            continue;
        }
        if !life::needs_engine(session.status) {
            out.push(session);
            continue;
        }
        let (id, from) = (session.id, session.status);
        let session = put_status(conn, session, SessionStatus::Disconnected, now)?;
        let data = Json::from(serde_json::json!({ "from": from.name(), "reason": "restart" }));
        logs::session_event(conn, ids, id, logs::STATUS, Some(session.status), Some(data), now)?;
        out.push(session);
    }
    Ok(out)
}

/// Takes a session back to `created` with its credentials cleared. The only way out of `failed`.
pub(crate) fn recreate(conn: &dyn Conn, ids: &Ids, id: Uuid, now: Timestamp) -> Result<Session> {
    let mut session = locked(conn, id)?;
    life::check_recreate(session.status)?;
    let from = session.status;
    session.status = SessionStatus::Created;
    session.auth_state = None;
    session.connected_at = None;
    session.updated_at = now;
    update(conn, &session)?;
    conn.execute("DELETE FROM session_auth WHERE session_id = ?1", &[Value::Uuid(id)])?;
    let data = Json::from(serde_json::json!({ "from": from.name() }));
    logs::session_event(conn, ids, id, "session.recreated", Some(session.status), Some(data), now)?;
    Ok(session)
}

/// Deletes a session and, by foreign keys or by hand, all that belongs to it. False: there was none.
pub(crate) fn delete(conn: &dyn Conn, id: Uuid) -> Result<bool> {
    let there = conn.execute("DELETE FROM sessions WHERE id = ?1", &[Value::Uuid(id)])? > 0;
    if there && conn.dialect().has_message_ids() {
        for table in ["messages", "message_ids", "messages_ahead"] {
            conn.execute(&format!("DELETE FROM {table} WHERE session_id = ?1"), &[Value::Uuid(id)])?;
        }
    }
    Ok(there)
}

/// Notes who the account is, as the engine tells.
pub(crate) fn set_account(
    conn: &dyn Conn,
    session: &mut Session,
    phone: Option<Text>,
    push_name: Option<Text>,
    now: Timestamp,
) -> Result<bool> {
    let fits = |t: &Text, most: usize| t.chars() <= most;
    let phone = phone.filter(|p| fits(p, 20)).or_else(|| session.phone.clone());
    let push_name = push_name.filter(|p| fits(p, 100)).or_else(|| session.push_name.clone());
    if phone == session.phone && push_name == session.push_name {
        return Ok(false);
    }
    (session.phone, session.push_name, session.updated_at) = (phone, push_name, now);
    conn.execute(
        "UPDATE sessions SET phone = ?2, push_name = ?3, updated_at = ?4 WHERE id = ?1",
        &[Value::Uuid(session.id), session.phone.bind(), session.push_name.bind(), Value::Time(now)],
    )?;
    Ok(true)
}
