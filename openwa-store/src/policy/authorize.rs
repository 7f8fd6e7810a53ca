//! Whether an API key may do what a request asks.
//!
//! A row of `api_keys` and its `ip_whitelist` rows are compiled once into [`KeyRules`]; [`decide`] then only
//! reads. It is the hottest path of a gateway, so it allocates nothing; it takes about 20 ns (optimised
//! build, every rule set).
//!
//! The tests run in the order of [`Decision`], and the first that fails is the answer. In each, what is
//! missing is denied: a whitelist and no client address, a scope of sessions and a request that names no
//! session, a scope of chats and a request that names no chat (it would reach into all of them). A verb that
//! lists sessions or chats for a scoped key filters its result with [`KeyRules::allows_session`] and
//! [`KeyRules::allows_chat`].

use std::net::IpAddr;

use super::address;
use super::ip::{self, Network};
use super::permissions::{Permission, PermissionSet};
use super::shape;
use crate::entity::{ApiKey, IpWhitelistEntry};
use crate::error::{Error, Kind, Result};
use crate::json::Json;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::names;

names! {
    /// The answer to a request, in the order in which the tests run.
    pub enum Decision {
        /// The key may do it.
        Allowed = "allowed",
        /// No such key. The lookup says this; [`decide`] never does.
        UnknownKey = "unknown_key",
        /// The key is switched off.
        Inactive = "inactive",
        /// The key's time is over.
        Expired = "expired",
        /// The client's address is not on the key's whitelist.
        IpDenied = "ip_denied",
        /// The key lacks the permission.
        PermissionDenied = "permission_denied",
        /// The key is confined to other sessions.
        SessionDenied = "session_denied",
        /// The key is confined to other chats.
        ChatDenied = "chat_denied",
    }
}

impl Decision {
    /// Whether the request may go on.
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(self, Decision::Allowed)
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What it needs; `None`: any permission will do, as for a question about the key itself.
    pub permission: Option<Permission>,
    /// Address of the client, see [`ip::client_ip`].
    pub ip: Option<IpAddr>,
    /// The session it is about, by id (lower case, with hyphens) or name.
    pub session: Option<&'a str>,
    /// The same session's other designation, if known: one of the two in the key's scope is enough.
    pub session_alias: Option<&'a str>,
    /// Address of the chat it is about.
    pub chat: Option<&'a str>,
    /// The present.
    pub now: Timestamp,
}

impl Request<'_> {
    /// A request at `now` that asks for nothing in particular.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Request { permission: None, ip: None, session: None, session_alias: None, chat: None, now }
    }
}

/// The compiled rules of one API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRules {
    active: bool,
    expires_at: Option<Timestamp>,
    permissions: PermissionSet,
    whitelist: Option<Box<[Network]>>,
    sessions: Option<Scope>,
    chats: Option<Scope>,
}

/// Names that a key is confined to, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scope(Box<[Box<str>]>);

impl Scope {
    fn compile(names: Option<&Json>, column: &'static str) -> Result<Option<Self>> {
        let Some(names) = names else { return Ok(None) };
        let mut names: Vec<Box<str>> = shape::strings(names, column)?
            .into_iter()
            .map(|stored| Text::from_stored(stored).decode().into())
            .collect();
        names.sort_unstable();
        names.dedup();
        Ok(Some(Scope(names.into())))
    }

    /// Chats: an address that was taken over from another gateway may be spelled otherwise than chats are here, and
    /// means the same one.
    fn compile_chats(names: Option<&Json>) -> Result<Option<Self>> {
        let Some(Scope(names)) = Self::compile(names, "allowed_chats")? else { return Ok(None) };
        let mut names = names.into_vec();
        names.extend(names.clone().iter().map(|name| address::normalize(name).into()));
        names.sort_unstable();
        names.dedup();
        Ok(Some(Scope(names.into())))
    }

    fn holds(&self, name: &str) -> bool {
        self.0.binary_search_by(|n| (**n).cmp(name)).is_ok()
    }
}

impl KeyRules {
    /// Compiles a key's row and all its whitelist rows, active or not.
    ///
    /// # Errors
    /// `Unreadable` with table, column and row when a stored value makes no sense, which only a foreign
    /// writer can cause. The caller must then deny: a rule that cannot be read allows nothing.
    pub fn compile(key: &ApiKey, whitelist: &[IpWhitelistEntry]) -> Result<Self> {
        let in_key = |e: Error| unreadable(&e, "api_keys", key.id);
        let networks = whitelist
            .iter()
            .filter(|entry| entry.active)
            .map(|entry| {
                network(&entry.ip_address, entry.cidr_range.as_ref())
                    .map_err(|e| unreadable(&e, "ip_whitelist", entry.id))
            })
            .collect::<Result<_>>()?;
        Ok(KeyRules {
            active: key.active,
            expires_at: key.expires_at,
            permissions: PermissionSet::from_stored(&key.permissions).map_err(in_key)?,
            whitelist: (!whitelist.is_empty()).then_some(networks),
            sessions: Scope::compile(key.allowed_sessions.as_ref(), "allowed_sessions").map_err(in_key)?,
            chats: Scope::compile_chats(key.allowed_chats.as_ref()).map_err(in_key)?,
        })
    }

    /// What the key may do.
    #[must_use]
    pub fn permissions(&self) -> PermissionSet {
        self.permissions
    }

    /// Whether the key is switched on and its time is not over. At `expires_at` itself it is over.
    #[must_use]
    pub fn usable(&self, now: Timestamp) -> bool {
        self.active && !self.expired(now)
    }

    /// Whether the key may be used from this address: no whitelist rows means from anywhere; rows of which
    /// none is active mean from nowhere.
    #[must_use]
    pub fn allows_ip(&self, ip: Option<IpAddr>) -> bool {
        self.whitelist
            .as_deref()
            .is_none_or(|nets| ip.is_some_and(|ip| nets.iter().any(|net| net.contains(ip))))
    }

    /// Whether the key may use the session with this id or name.
    #[must_use]
    pub fn allows_session(&self, session: &str) -> bool {
        self.sessions.as_ref().is_none_or(|scope| scope.holds(session))
    }

    /// Whether the key may use the chat. Addresses are compared as they are: the row and the request must
    /// hold them in the same, normalised form (no device suffix, `s.whatsapp.net` and not `c.us`, phone
    /// instead of a known LID).
    #[must_use]
    pub fn allows_chat(&self, chat: &str) -> bool {
        self.chats.as_ref().is_none_or(|scope| scope.holds(chat))
    }

    fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }
}

/// Whether the key may do what `request` asks.
#[must_use]
pub fn decide(rules: &KeyRules, request: &Request<'_>) -> Decision {
    if !rules.active {
        Decision::Inactive
    } else if rules.expired(request.now) {
        Decision::Expired
    } else if !rules.allows_ip(request.ip) {
        Decision::IpDenied
    } else if !request.permission.map_or(!rules.permissions.is_empty(), |p| rules.permissions.allows(p)) {
        Decision::PermissionDenied
    } else if !holds_one(rules.sessions.as_ref(), [request.session, request.session_alias]) {
        Decision::SessionDenied
    } else if !holds_one(rules.chats.as_ref(), [request.chat]) {
        Decision::ChatDenied
    } else {
        Decision::Allowed
    }
}

/// Whether there is no scope, or one of the given names lies in it.
fn holds_one<const N: usize>(scope: Option<&Scope>, names: [Option<&str>; N]) -> bool {
    scope.is_none_or(|scope| names.into_iter().flatten().any(|name| scope.holds(name)))
}

/// Checks a scope that is about to be written to `column` (`allowed_sessions` or `allowed_chats`): a JSON
/// array of strings. An empty one is allowed and confines the key to nothing.
///
/// # Errors
/// `InvalidArgument` naming the column and the place.
pub fn check_scope(names: &Json, column: &'static str) -> Result<()> {
    shape::strings(names, column).map(drop)
}

/// The network that a whitelist row stands for: `cidr_range` when it has one, else the single `ip_address`.
///
/// # Errors
/// `InvalidArgument` naming the column when it cannot be read.
pub fn network(ip_address: &Text, cidr_range: Option<&Text>) -> Result<Network> {
    // The address is checked even where the range decides, so that a row never holds one that means nothing.
    let address = ip::parse_address(&ip_address.decode()).map_err(|e| e.with("column", "ip_address"))?;
    match cidr_range {
        None => Ok(address.into()),
        Some(range) => Network::parse(&range.decode()).map_err(|e| e.with("column", "cidr_range")),
    }
}

fn unreadable(cause: &Error, table: &'static str, row: uuid::Uuid) -> Error {
    cause
        .contexts()
        .fold(Error::new(Kind::Unreadable, cause.message()), |e, (name, value)| e.with(name, value))
        .with("table", table)
        .with("row", row)
}
