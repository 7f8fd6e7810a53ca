use std::net::IpAddr;

use uuid::Uuid;

use super::Store;
use crate::db::Pending;
use crate::entity::{ApiKey, ApiKeyLog, IpWhitelistEntry};
use crate::error::Result;
use crate::policy::authorize::Decision;
use crate::policy::keys as rules;
use crate::policy::permissions::Permission;
use crate::repo::keys::{self, ApiKeyUpdate, NewApiKey, NewWhitelistEntry};
use crate::repo::logs::{self, NewApiKeyLog};
use crate::repo::paging::{Page, PageRequest};

/// API keys, their whitelists and the log of their use; see [`Store::api_keys`].
pub struct ApiKeys<'a>(pub(super) &'a Store);

/// A new key. The key itself is in here and nowhere else: it is shown once and never stored.
#[derive(Clone)]
pub struct CreatedKey {
    /// The key to hand out.
    pub key: String,
    /// Its record.
    pub api_key: ApiKey,
}

impl std::fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedKey").field("api_key", &self.api_key).finish_non_exhaustive()
    }
}

/// What a request with a key asks for; `Default` asks for nothing in particular.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// The permission it needs.
    pub permission: Option<Permission>,
    /// Address of the client; see [`crate::policy::ip::client_ip`].
    pub ip: Option<IpAddr>,
    /// Id (lower case, with hyphens) or name of the session it is about.
    pub session: Option<&'a str>,
    /// The other one of the two, if known: a key may be confined by either.
    pub session_alias: Option<&'a str>,
    /// Address of the chat it is about.
    pub chat: Option<&'a str>,
}

/// The answer to a request with a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorization {
    /// Allowed, or why not. Tell an outsider only *that* it is not.
    pub decision: Decision,
    /// The key's record, if the key is known.
    pub api_key: Option<std::sync::Arc<ApiKey>>,
}

impl Authorization {
    /// Whether the request may go on.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decision.is_allowed()
    }
}

impl ApiKeys<'_> {
    /// Creates a key of 32 random bytes. The answer holds the only copy of it.
    ///
    /// Errors: `InvalidArgument` naming the column.
    pub fn create(&self, new: NewApiKey) -> Pending<CreatedKey> {
        Pending::checked(
            rules::generate()
                .map(|key| self.store_key(new, key.into_string()))
                .map_err(|e| e.during("api_keys.create")),
        )
    }

    /// Registers a given string as a key, such as a bootstrap secret from the environment.
    ///
    /// Errors: `AlreadyExists` when it is registered, `InvalidArgument`.
    pub fn register(&self, key: impl Into<String>, new: NewApiKey) -> Pending<CreatedKey> {
        let key = key.into();
        let checked = rules::check(&key).map(str::to_owned).map_err(|e| e.during("api_keys.create"));
        Pending::checked(checked.map(|key| self.store_key(new, key)))
    }

    fn store_key(&self, new: NewApiKey, key: String) -> Pending<CreatedKey> {
        self.0.write_main("api_keys.create", move |conn, env| {
            let hash = rules::hash(&key, env.config.api_key_pepper.as_deref());
            let api_key = keys::create(conn, &env.ids, &new, &hash, rules::prefix(&key), env.now())?;
            Ok(CreatedKey { key: key.clone(), api_key })
        })
    }

    /// Decides whether a request with a key may go on. The hottest call of a gateway: it writes nothing in its own
    /// path, and sees a revocation by any process at the next call.
    ///
    /// # Errors
    /// Those of the database; deny then.
    pub fn authorize(&self, key: &str, ask: &Ask<'_>) -> Result<Authorization> {
        self.0.authorizer().authorize(key, ask).map_err(|e| e.during("api_keys.authorize"))
    }

    /// One key's record by id.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn get(&self, id: Uuid) -> Result<ApiKey> {
        self.0.authorizer().flush()?;
        self.0.main("api_keys.get", |conn| keys::get(conn, id))
    }

    /// One page of keys, in the order of creation.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn list(&self, request: &PageRequest) -> Result<Page<ApiKey>> {
        self.0.authorizer().flush()?;
        self.0.main("api_keys.list", |conn| keys::list(conn, request))
    }

    /// Changes a key. The next call with it, in any process, sees that.
    ///
    /// Errors: `LastFullAccessKey` when it is the last one and would lose full access, `NotFound`,
    /// `InvalidArgument`.
    pub fn update(&self, id: Uuid, with: ApiKeyUpdate) -> Pending<ApiKey> {
        self.change(id, with, false)
    }

    /// Switches a key off for good. `force` does so even for the last one with full access.
    ///
    /// Errors: `LastFullAccessKey`, `NotFound`.
    pub fn revoke(&self, id: Uuid, force: bool) -> Pending<ApiKey> {
        self.change(id, ApiKeyUpdate { active: Some(false), ..ApiKeyUpdate::default() }, force)
    }

    fn change(&self, id: Uuid, with: ApiKeyUpdate, force: bool) -> Pending<ApiKey> {
        self.0.write_main("api_keys.update", move |conn, env| keys::change(conn, id, &with, force, env.now()))
    }

    /// Deletes a key's record; its log entries stay. False: there was none.
    ///
    /// Errors: `LastFullAccessKey`.
    pub fn delete(&self, id: Uuid, force: bool) -> Pending<bool> {
        self.0.write_main("api_keys.delete", move |conn, env| keys::delete(conn, id, force, env.now()))
    }

    /// The addresses from which a key may be used. None: from anywhere. Some, but none active: from nowhere.
    ///
    /// # Errors
    /// Those of the database.
    pub fn whitelist(&self, key: Uuid) -> Result<Vec<IpWhitelistEntry>> {
        self.0.main("api_keys.whitelist", |conn| keys::whitelist(conn, key))
    }

    /// Adds an address or network to a key's whitelist.
    ///
    /// Errors: `InvalidArgument` for what is not strictly an address or network, `AlreadyExists`, `NotFound`.
    pub fn allow_address(&self, key: Uuid, entry: NewWhitelistEntry) -> Pending<IpWhitelistEntry> {
        self.0.write_main("api_keys.allow_address", move |conn, env| {
            keys::allow_address(conn, &env.ids, key, &entry, env.now())
        })
    }

    /// Switches a whitelist entry on or off. False: there is none.
    pub fn set_address_active(&self, entry: Uuid, active: bool) -> Pending<bool> {
        self.0.write_main("api_keys.set_address_active", move |conn, _| {
            keys::set_address_active(conn, entry, active)
        })
    }

    /// Removes a whitelist entry. False: there was none.
    pub fn remove_address(&self, entry: Uuid) -> Pending<bool> {
        self.0.write_main("api_keys.remove_address", move |conn, _| keys::remove_address(conn, entry))
    }

    /// Logs a request that was made with a key.
    pub fn log(&self, request: NewApiKeyLog) -> Pending<ApiKeyLog> {
        self.0.write_main("api_keys.log", move |conn, env| {
            logs::api_key_request(conn, &env.ids, &request, env.now())
        })
    }

    /// Logs a request without waiting: the row is written within a second, together with others, and before the log is
    /// read or the store closed. While the database cannot be reached rows wait, up to 10,000 or 16 MB; beyond that the
    /// oldest are lost and counted, see [`Store::log_buffer`].
    ///
    /// # Errors
    /// `InvalidArgument` naming the column, `Closed`. None of the database.
    pub fn log_later(&self, request: &NewApiKeyLog) -> Result<()> {
        let env = self.0.env();
        let row = logs::request_row(&env.ids, request, env.now());
        row.and_then(|row| self.0.log_request_later(row)).map_err(|e| e.during("api_keys.log_later"))
    }

    /// One page of the log of requests, newest first, of one key or of all.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn logs(&self, key: Option<Uuid>, request: &PageRequest) -> Result<Page<ApiKeyLog>> {
        self.0.settle_requests();
        self.0.main("api_keys.logs", |conn| logs::of_api_key(conn, key, request))
    }

    /// A key's record by the key itself, without counting a use.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find(&self, key: &str) -> Result<Option<ApiKey>> {
        let pepper = self.0.config().api_key_pepper.as_deref();
        let hashes = [Some(rules::hash(key, pepper)), pepper.map(|_| rules::hash(key, None))];
        self.0.main("api_keys.find", |conn| {
            for hash in hashes.iter().flatten() {
                if let Some(found) = keys::by_hash(conn, hash)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
    }
}
