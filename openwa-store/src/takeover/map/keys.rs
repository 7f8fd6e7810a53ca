//! API keys with their whitelists, and the audit trail.
//!
//! A key may do what it could do before, never more. What cannot be carried over exactly is an error: a list
//! that is not empty but names nothing would otherwise turn into "unrestricted".

use std::str::FromStr;

use serde_json::Value;

use super::{Out, derived};
use crate::entity::{ApiKey, AuditLog, IpWhitelistEntry, Severity};
use crate::json::Json;
use crate::policy::ip::{Network, parse_address};
use crate::policy::permissions::Permission;
use crate::takeover::row::{Cell, SourceRow, Wrong};
use crate::text::Text;

/// What an operator may do.
const OPERATOR: &[Permission] = &[
    Permission::SessionsRead,
    Permission::SessionsWrite,
    Permission::MessagesSend,
    Permission::MessagesRead,
    Permission::WebhooksManage,
    Permission::ContactsRead,
    Permission::GroupsRead,
    Permission::GroupsWrite,
];

/// What a viewer may do.
const VIEWER: &[Permission] =
    &[Permission::SessionsRead, Permission::MessagesRead, Permission::ContactsRead, Permission::GroupsRead];

pub(super) fn api_key(row: &mut SourceRow, out: &mut Out) -> Result<(), Wrong> {
    let id = row.need_uuid("id")?;
    let key_hash = row.need_text("keyHash")?;
    let hex = |s: &str| s.len() == 64 && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !hex(key_hash.as_stored()) {
        return Err(Wrong::new("keyHash", "is not 64 lower-case hex digits"));
    }
    let role = row.need_text("role")?;
    let permissions = permissions(role.as_stored())?;
    row.keep("role", Cell::Text(role.as_stored().to_owned()));
    let created_at = row.need_time("createdAt")?;
    let allowed_ips = row.text("allowedIps")?;
    let key = ApiKey {
        id,
        key_hash: key_hash.clone(),
        key_prefix: row.need_text("keyPrefix")?,
        name: row.need_text("name")?,
        permissions,
        allowed_sessions: scope(row, "allowedSessions")?,
        allowed_chats: scope(row, "allowedChats")?,
        active: row.bool("isActive")?.unwrap_or(true),
        expires_at: row.time("expiresAt")?,
        last_used_at: row.time("lastUsedAt")?,
        usage_count: row.int("usageCount")?.unwrap_or(0),
        created_at,
    };
    out.put(&key, Some(key_hash.as_stored().to_owned()), None)?;
    for (ip_address, cidr_range) in whitelist(allowed_ips.as_ref())? {
        let network = cidr_range.as_deref().unwrap_or(&ip_address);
        let entry = IpWhitelistEntry {
            id: derived("ip_whitelist", id, network),
            api_key_id: id,
            ip_address: ip_address.into(),
            cidr_range: cidr_range.map(Text::from),
            description: None,
            active: true,
            created_at,
        };
        out.put(&entry, None, Some(id))?;
    }
    Ok(())
}

fn permissions(role: &str) -> Result<Json, Wrong> {
    let list: &[Permission] = match role {
        "admin" => &[Permission::All],
        "operator" => OPERATOR,
        "viewer" => VIEWER,
        _ => return Err(Wrong::new("role", "is no role that this library knows")),
    };
    Ok(Json::from(Value::from(list.iter().map(|p| p.name()).collect::<Vec<_>>())))
}

/// Entries of a list as OpenWA keeps it, joined by commas. NULL and the empty text are unrestricted.
fn entries(list: Option<&Text>) -> Option<Vec<&str>> {
    list.filter(|l| !l.is_empty()).map(|l| l.as_stored().split(',').map(str::trim).collect())
}

fn scope(row: &mut SourceRow, name: &str) -> Result<Option<Json>, Wrong> {
    let list = row.text(name)?;
    Ok(entries(list.as_ref()).map(|entries| Json::from(Value::from(entries))))
}

/// Address and network of each entry of a list, each entry once.
fn whitelist(list: Option<&Text>) -> Result<Vec<(String, Option<String>)>, Wrong> {
    let mut out = Vec::new();
    for entry in entries(list).unwrap_or_default() {
        let wrong = || Wrong::new("allowedIps", format!("{entry:?} is neither an address nor a network"));
        let pair = match entry.split_once('/') {
            Some((address, _)) => {
                Network::parse(entry).map_err(|_| wrong())?;
                (address.to_owned(), Some(entry.to_owned()))
            }
            None => {
                parse_address(entry).map_err(|_| wrong())?;
                (entry.to_owned(), None)
            }
        };
        if !out.contains(&pair) {
            out.push(pair);
        }
    }
    Ok(out)
}

pub(super) fn audit_log(row: &mut SourceRow, out: &mut Out) -> Result<(), Wrong> {
    let severity = row.need_text("severity")?;
    let entry = AuditLog {
        id: row.need_uuid("id")?,
        action: row.need_text("action")?,
        severity: Severity::from_str(severity.as_stored())
            .map_err(|_| Wrong::new("severity", "is none of: info, warn, error"))?,
        api_key_id: row.uuid_or_keep("apiKeyId"),
        api_key_name: row.text("apiKeyName")?,
        session_id: row.uuid_or_keep("sessionId"),
        session_name: row.text("sessionName")?,
        ip_address: row.text("ipAddress")?,
        user_agent: row.text("userAgent")?,
        method: row.text("method")?,
        path: row.text("path")?,
        status_code: row.int("statusCode")?,
        metadata: row.json("metadata")?,
        error_message: row.text("errorMessage")?,
        created_at: row.need_time("createdAt")?,
    };
    out.put(&entry, None, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<(String, Option<String>)>, Wrong> {
        whitelist(Some(&text.into()))
    }

    #[test]
    fn a_list_that_says_something_never_becomes_unrestricted() {
        assert_eq!(list(""), Ok(vec![]));
        assert_eq!(list("203.0.113.7, 10.0.0.0/24,203.0.113.7").unwrap().len(), 2);
        for bad in [",", " ", "203.0.113.7,", "10.0.0.0/", "10.0.0.0/33", "localhost", "*"] {
            assert_eq!(list(bad).unwrap_err().column, "allowedIps", "{bad:?}");
        }
    }

    #[test]
    fn the_network_stays_as_it_was_written() {
        assert_eq!(list("10.0.0.5/24"), Ok(vec![("10.0.0.5".into(), Some("10.0.0.5/24".into()))]));
    }
}
