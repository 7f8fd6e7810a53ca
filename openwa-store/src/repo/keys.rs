//! API keys and their whitelists.

use std::collections::HashMap;

use uuid::Uuid;

use super::paging::{Listing, Page, PageRequest, Way};
use super::{Ids, insert, sql, update};
use crate::db::Conn;
use crate::entity::{ApiKey, IpWhitelistEntry};
use crate::error::{Error, Kind, Result};
use crate::json::Json;
use crate::policy::address;
use crate::policy::authorize;
use crate::policy::permissions::{self, PermissionSet};
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

shape! { input of ApiKey:
/// An API key to be created. Only the name is needed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewApiKey {
    /// What people call it, 1 to 100 characters.
    pub name: Text,
    /// A JSON array of permission names; default `["*"]`, full access.
    pub permissions: Option<Json>,
    /// A JSON array of session ids or names; default all.
    pub allowed_sessions: Option<Json>,
    /// A JSON array of chat addresses; default all.
    pub allowed_chats: Option<Json>,
    /// When it stops working; default never.
    pub expires_at: Option<Timestamp>,
}
}

shape! { update of ApiKey:
/// What to change of an API key; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiKeyUpdate {
    /// What people call it.
    pub name: Option<Text>,
    /// A JSON array of permission names.
    pub permissions: Option<Json>,
    /// A JSON array of session ids or names; `Some(None)`: all.
    pub allowed_sessions: Option<Option<Json>>,
    /// A JSON array of chat addresses; `Some(None)`: all.
    pub allowed_chats: Option<Option<Json>>,
    /// Whether it may be used.
    pub active: Option<bool>,
    /// When it stops working; `Some(None)`: never.
    pub expires_at: Option<Option<Timestamp>>,
}
}

shape! { input of IpWhitelistEntry:
/// An address to be put on a key's whitelist.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewWhitelistEntry {
    /// An IPv4 or IPv6 address.
    pub ip_address: Text,
    /// A network in CIDR notation; when given, it decides instead of the address.
    pub cidr_range: Option<Text>,
    /// What it is for.
    pub description: Option<Text>,
    /// Whether it counts; default true.
    pub active: Option<bool>,
}
}

/// Chat scopes are kept in the form in which chats are stored, so that the check is one comparison.
fn normal_chats(chats: Option<&Json>) -> Result<Option<Json>> {
    let Some(json) = chats else { return Ok(None) };
    authorize::check_scope(json, "allowed_chats")?;
    let serde_json::Value::Array(list) = json.value()? else { return Ok(None) };
    let normal: Vec<_> = list.iter().filter_map(|v| v.as_str()).map(address::normalize).collect();
    Ok(Some(Json::from(serde_json::json!(normal))))
}

fn check(key: &ApiKey) -> Result<()> {
    if key.name.decode().trim().is_empty() {
        return Err(Error::invalid("name", "an API key needs a name of 1 to 100 characters"));
    }
    permissions::parse(&key.permissions)?;
    if let Some(sessions) = &key.allowed_sessions {
        authorize::check_scope(sessions, "allowed_sessions")?;
    }
    Ok(())
}

pub(crate) fn create(
    conn: &dyn Conn,
    ids: &Ids,
    new: &NewApiKey,
    key_hash: &str,
    key_prefix: &str,
    now: Timestamp,
) -> Result<ApiKey> {
    let key = ApiKey {
        id: ids.mint(now),
        key_hash: key_hash.into(),
        key_prefix: key_prefix.into(),
        name: new.name.clone(),
        permissions: new.permissions.clone().unwrap_or_else(|| Json::from_stored(r#"["*"]"#)),
        allowed_sessions: new.allowed_sessions.clone(),
        allowed_chats: normal_chats(new.allowed_chats.as_ref())?,
        active: true,
        expires_at: new.expires_at,
        last_used_at: None,
        usage_count: 0,
        created_at: now,
    };
    check(&key)?;
    insert(conn, &key).map_err(|e| {
        if e.kind() == Kind::AlreadyExists {
            Error::new(Kind::AlreadyExists, "this key is registered already")
        } else {
            e
        }
    })?;
    Ok(key)
}

pub(crate) fn find(conn: &dyn Conn, id: Uuid) -> Result<Option<ApiKey>> {
    conn.one(sql!(ApiKey, "SELECT {} FROM api_keys WHERE id = ?1"), &[Value::Uuid(id)])
}

pub(crate) fn get(conn: &dyn Conn, id: Uuid) -> Result<ApiKey> {
    find(conn, id)?.ok_or_else(|| Error::not_found("API key", id))
}

pub(crate) fn by_hash(conn: &dyn Conn, key_hash: &str) -> Result<Option<ApiKey>> {
    conn.one(sql!(ApiKey, "SELECT {} FROM api_keys WHERE key_hash = ?1"), &[Value::Text(key_hash)])
}

pub(crate) fn list(conn: &dyn Conn, request: &PageRequest) -> Result<Page<ApiKey>> {
    let after = request.keyset()?;
    Listing::default()
        .by_creation(conn, Way::Rising, request, after.as_ref(), |k: &ApiKey| (k.created_at, k.id))
}

/// Whether a key opens everything: usable, all permissions, no scope.
fn opens_everything(key: &ApiKey, now: Timestamp) -> bool {
    key.active
        && key.expires_at.is_none_or(|end| now < end)
        && key.allowed_sessions.is_none()
        && key.allowed_chats.is_none()
        && PermissionSet::from_stored(&key.permissions).is_ok_and(PermissionSet::is_full)
}

/// Refuses a change after which nobody could administer the gateway any more.
fn guard_last(conn: &dyn Conn, before: &ApiKey, after: Option<&ApiKey>, now: Timestamp) -> Result<()> {
    if !opens_everything(before, now) || after.is_some_and(|k| opens_everything(k, now)) {
        return Ok(());
    }
    let others: Vec<ApiKey> = conn.rows(
        sql!(ApiKey, "SELECT {} FROM api_keys INDEXED BY idx_api_keys_active_not_expired WHERE active = 1"),
        &[],
    )?;
    if others.iter().any(|k| k.id != before.id && opens_everything(k, now)) {
        return Ok(());
    }
    Err(Error::new(
        Kind::LastFullAccessKey,
        "this is the last usable key with full access; make another one first, or force it",
    )
    .with("api_key", before.id))
}

pub(crate) fn change(
    conn: &dyn Conn,
    id: Uuid,
    with: &ApiKeyUpdate,
    force: bool,
    now: Timestamp,
) -> Result<ApiKey> {
    let before = get(conn, id)?;
    let mut key = before.clone();
    if let Some(name) = &with.name {
        key.name = name.clone();
    }
    if let Some(permissions) = &with.permissions {
        key.permissions = permissions.clone();
    }
    if let Some(sessions) = &with.allowed_sessions {
        key.allowed_sessions.clone_from(sessions);
    }
    if let Some(chats) = &with.allowed_chats {
        key.allowed_chats = normal_chats(chats.as_ref())?;
    }
    key.active = with.active.unwrap_or(key.active);
    key.expires_at = with.expires_at.unwrap_or(key.expires_at);
    check(&key)?;
    if !force {
        guard_last(conn, &before, Some(&key), now)?;
    }
    update(conn, &key)?;
    Ok(key)
}

pub(crate) fn delete(conn: &dyn Conn, id: Uuid, force: bool, now: Timestamp) -> Result<bool> {
    let Some(key) = find(conn, id)? else { return Ok(false) };
    if !force {
        guard_last(conn, &key, None, now)?;
    }
    conn.execute("DELETE FROM api_keys WHERE id = ?1", &[Value::Uuid(id)])?;
    Ok(true)
}

/// Replaces a plain hash by a peppered one, unless somebody did already.
pub(crate) fn rehash(conn: &dyn Conn, id: Uuid, old: &str, new: &str) -> Result<()> {
    let sql = "UPDATE api_keys SET key_hash = ?3 WHERE id = ?1 AND key_hash = ?2";
    conn.execute(sql, &[Value::Uuid(id), Value::Text(old), Value::Text(new)])?;
    Ok(())
}

/// Adds up uses by increment, never by saving the row: that would undo a revocation made meanwhile.
pub(crate) fn add_usage(conn: &dyn Conn, uses: &HashMap<Uuid, (i64, Timestamp)>) -> Result<()> {
    for (id, (count, last)) in uses {
        conn.execute(
            "UPDATE api_keys SET usage_count = usage_count + ?2,
                    last_used_at = CASE WHEN last_used_at > ?3 THEN last_used_at ELSE ?3 END
              WHERE id = ?1",
            &[Value::Uuid(*id), Value::Int(*count), Value::Time(*last)],
        )?;
    }
    Ok(())
}

pub(crate) fn whitelist(conn: &dyn Conn, key: Uuid) -> Result<Vec<IpWhitelistEntry>> {
    conn.rows(
        sql!(IpWhitelistEntry, "SELECT {} FROM ip_whitelist WHERE api_key_id = ?1 ORDER BY ip_address"),
        &[Value::Uuid(key)],
    )
}

pub(crate) fn allow_address(
    conn: &dyn Conn,
    ids: &Ids,
    key: Uuid,
    new: &NewWhitelistEntry,
    now: Timestamp,
) -> Result<IpWhitelistEntry> {
    authorize::network(&new.ip_address, new.cidr_range.as_ref())?;
    get(conn, key)?;
    let row = IpWhitelistEntry {
        id: ids.mint(now),
        api_key_id: key,
        ip_address: new.ip_address.clone(),
        cidr_range: new.cidr_range.clone(),
        description: new.description.clone(),
        active: new.active.unwrap_or(true),
        created_at: now,
    };
    insert(conn, &row)?;
    Ok(row)
}

pub(crate) fn set_address_active(conn: &dyn Conn, entry: Uuid, active: bool) -> Result<bool> {
    let sql = "UPDATE ip_whitelist SET active = ?2 WHERE id = ?1";
    Ok(conn.execute(sql, &[Value::Uuid(entry), active.bind()])? > 0)
}

pub(crate) fn remove_address(conn: &dyn Conn, entry: Uuid) -> Result<bool> {
    Ok(conn.execute("DELETE FROM ip_whitelist WHERE id = ?1", &[Value::Uuid(entry)])? > 0)
}
