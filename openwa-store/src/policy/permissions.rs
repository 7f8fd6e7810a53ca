//! What an API key may do.
//!
//! `[]` denies everything, `*` allows everything, and there is no other wildcard. A name that is not known is
//! refused on write. One that stands in a stored row all the same (a newer version wrote it) grants nothing.

use std::fmt;

use serde_json::Value;

use super::shape;
use crate::error::Result;
use crate::json::Json;
use crate::value::names;

names! {
    /// One thing that an API key may be allowed to do.
    pub enum Permission {
        /// Full access: every permission there is, now and later.
        All = "*",
        /// See sessions.
        SessionsRead = "sessions:read",
        /// Create, start, stop and delete sessions.
        SessionsWrite = "sessions:write",
        /// Send messages.
        MessagesSend = "messages:send",
        /// Read the message history.
        MessagesRead = "messages:read",
        /// Create, change and delete webhooks.
        WebhooksManage = "webhooks:manage",
        /// See contacts.
        ContactsRead = "contacts:read",
        /// See groups.
        GroupsRead = "groups:read",
        /// Create and change groups.
        GroupsWrite = "groups:write",
    }
}

/// A set of permissions; a test is one machine instruction or two.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PermissionSet(u16);

impl PermissionSet {
    /// No permission at all: denies everything.
    pub const NONE: PermissionSet = PermissionSet(0);
    /// `["*"]`: allows everything. The default of a new key.
    pub const FULL: PermissionSet = PermissionSet(Self::bit(Permission::All));

    const fn bit(permission: Permission) -> u16 {
        1 << permission as u16
    }

    /// Adds one permission.
    pub fn insert(&mut self, permission: Permission) {
        self.0 |= Self::bit(permission);
    }

    /// Whether the set allows `permission`. [`Permission::All`] is allowed by `*` only, not by the sum of the
    /// others.
    #[must_use]
    pub const fn allows(self, permission: Permission) -> bool {
        self.0 & (Self::bit(Permission::All) | Self::bit(permission)) != 0
    }

    /// Whether the set is full access.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.allows(Permission::All)
    }

    /// Whether the set allows nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The permissions that were put in, in the order of [`Permission::ALL`]; full access gives `*`, not what
    /// it means.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |p| self.0 & Self::bit(*p) != 0)
    }

    /// The set that a stored array of names stands for; names that are not known grant nothing.
    ///
    /// # Errors
    /// `InvalidArgument` when it is no array of strings, which only a foreign writer can cause.
    pub fn from_stored(permissions: &Json) -> Result<Self> {
        let names = shape::strings(permissions, "permissions")?;
        Ok(names.iter().filter_map(|name| name.parse::<Permission>().ok()).collect())
    }

    /// The set as the JSON array that the database keeps.
    #[must_use]
    pub fn to_json(self) -> Json {
        self.iter().map(|p| Value::from(p.name())).collect::<Value>().into()
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        let mut set = PermissionSet::NONE;
        permissions.into_iter().for_each(|p| set.insert(p));
        set
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::name)).finish()
    }
}

/// Reads a JSON array of permission names that is about to be written. Repeated names count once, order is
/// kept.
///
/// # Errors
/// `InvalidArgument` naming the column `permissions` and the place when it is no array of names, or when a
/// name is not known; the message lists the names there are.
pub fn parse(permissions: &Json) -> Result<Vec<Permission>> {
    shape::names(permissions, "permissions")
}
