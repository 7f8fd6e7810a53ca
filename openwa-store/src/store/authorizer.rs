//! The check of API keys, and the counting of their use.
//!
//! Rules of keys are compiled once and kept. Before each answer one question goes to SQLite: has anybody
//! changed the database since? (`PRAGMA data_version`, about a microsecond.) If so everything kept is
//! dropped, so a revocation, by this process or another, takes effect on the next call. Uses are counted in
//! memory and written every few seconds, by increment.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use uuid::Uuid;

use super::Env;
use super::api_keys::{Ask, Authorization};
use crate::db::{Database, SqliteConn, lock};
use crate::entity::ApiKey;
use crate::error::{Kind, Result};
use crate::fork::used_in_child;
use crate::policy::address;
use crate::policy::authorize::{self, Decision, KeyRules, Request};
use crate::policy::keys as rules;
use crate::repo::keys;
use crate::time::Timestamp;

/// Keys whose rules are kept. Enough for any gateway; a bound, so that guessing keys does not fill memory.
const KEPT: usize = 10_000;
/// How long uses are added up before they are written.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Authorizer {
    main: Arc<Database>,
    env: Arc<Env>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    watch: Option<SqliteConn>,
    version: i64,
    known: HashMap<[u8; 32], Known, BuildHasherDefault<Digests>>,
    uses: HashMap<Uuid, (i64, Timestamp)>,
    flushed: Option<Timestamp>,
}

/// A digest is as good as random: its first bytes will do as its hash.
#[derive(Default)]
struct Digests(u64);

impl Hasher for Digests {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    /// The length, which is the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Known {
    key: Arc<ApiKey>,
    rules: KeyRules,
    uses: i64,
    last: Timestamp,
}

impl Authorizer {
    pub(super) fn new(main: Arc<Database>, env: Arc<Env>) -> Self {
        Authorizer { main, env, state: Mutex::default() }
    }

    pub(super) fn authorize(&self, key: &str, ask: &Ask<'_>) -> Result<Authorization> {
        let now = self.env.now();
        let digest = rules::digest(key, self.env.config.api_key_pepper.as_deref());
        self.main.usable()?;
        let mut state = lock(&self.state);
        self.follow(&mut state)?;
        if !state.known.contains_key(&digest) {
            match self.load(key)? {
                Some(known) => {
                    if state.known.len() >= KEPT {
                        state.forget();
                    }
                    state.known.insert(digest, known);
                }
                None => return Ok(Authorization { decision: Decision::UnknownKey, api_key: None }),
            }
        }
        let due = state.flushed.is_none_or(|at| now >= at.plus(FLUSH_EVERY) || now < at);
        let Some(known) = state.known.get_mut(&digest) else {
            return Ok(Authorization { decision: Decision::UnknownKey, api_key: None });
        };
        // Scopes hold addresses in their stored form. LIDs are not resolved: keys work without the Data database.
        let chat = ask.chat.map(address::normalize);
        let request = Request {
            permission: ask.permission,
            ip: ask.ip,
            session: ask.session,
            session_alias: ask.session_alias,
            chat: chat.as_deref(),
            now,
        };
        let decision = authorize::decide(&known.rules, &request);
        if decision.is_allowed() {
            known.uses += 1;
            known.last = now;
        }
        let api_key = Some(Arc::clone(&known.key));
        if due {
            state.flushed = Some(now);
            let uses = state.take_uses();
            drop(state);
            self.write_later(uses);
        }
        Ok(Authorization { decision, api_key })
    }

    /// Drops what is kept if anybody has changed the database.
    fn follow(&self, state: &mut State) -> Result<()> {
        // Main is always on SQLite.
        let Some(main) = self.main.as_sqlite() else { return Ok(()) };
        let version = if main.file().in_memory() {
            // One connection does everything, so its own count of changes tells.
            main.writer().with_conn(|conn| Ok(conn.total_changes() as i64))?
        } else {
            if state.watch.is_none() {
                state.watch = Some(main.file().open_reader()?);
            }
            match &state.watch {
                Some(conn) => conn.data_version()?,
                None => 0,
            }
        };
        if version != state.version {
            state.forget();
            state.version = version;
        }
        Ok(())
    }

    /// Looks a key up. One that still has its plain hash though a pepper is set is found too, and re-hashed.
    fn load(&self, key: &str) -> Result<Option<Known>> {
        let pepper = self.env.config.api_key_pepper.as_deref();
        let wanted = rules::hash(key, pepper);
        let plain = pepper.map(|_| rules::hash(key, None));
        let found = self.main.read(|conn| {
            let mut found = keys::by_hash(conn, &wanted)?;
            if let (None, Some(plain)) = (&found, &plain) {
                found = keys::by_hash(conn, plain)?;
            }
            let Some(key) = found else { return Ok(None) };
            let rules = KeyRules::compile(&key, &keys::whitelist(conn, key.id)?)?;
            Ok(Some(Known { key: Arc::new(key), rules, uses: 0, last: Timestamp::EPOCH }))
        })?;
        if let (Some(known), Some(plain)) = (&found, plain)
            && known.key.key_hash == plain.as_str()
        {
            let id = known.key.id;
            let write =
                self.main.write("api_keys.rehash", move |conn| keys::rehash(conn, id, &plain, &wanted));
            // If there is no room now, the next use tries again.
            drop(write.try_submit());
        }
        Ok(found)
    }

    fn write_later(&self, uses: HashMap<Uuid, (i64, Timestamp)>) {
        if uses.is_empty() {
            return;
        }
        let lost = uses.clone();
        let write = self.main.write("api_keys.usage", move |conn| keys::add_usage(conn, &uses));
        if write.try_submit().is_err() {
            lock(&self.state).add_uses(lost);
        }
    }

    /// Writes the uses that were counted so far.
    pub(super) fn flush(&self) -> Result<()> {
        if self.main.is_forked() {
            return Err(used_in_child());
        }
        let uses = lock(&self.state).take_uses();
        if uses.is_empty() {
            return Ok(());
        }
        let again = uses.clone();
        let written = self.main.write("api_keys.usage", move |conn| keys::add_usage(conn, &uses)).wait();
        if written.as_ref().is_err_and(|e| e.kind() != Kind::Closed) {
            lock(&self.state).add_uses(again);
        }
        written
    }

    /// Writes the uses, and closes the connection that watches the database.
    pub(super) fn close(&self) -> Result<()> {
        let written = self.flush();
        lock(&self.state).watch = None;
        written
    }
}

impl State {
    /// Forgets the rules, but not the uses that were counted beside them.
    fn forget(&mut self) {
        let uses = self.take_uses();
        self.add_uses(uses);
        self.known.clear();
    }

    fn take_uses(&mut self) -> HashMap<Uuid, (i64, Timestamp)> {
        let mut uses = std::mem::take(&mut self.uses);
        for known in self.known.values_mut().filter(|k| k.uses > 0) {
            add(&mut uses, known.key.id, std::mem::take(&mut known.uses), known.last);
        }
        uses
    }

    fn add_uses(&mut self, uses: HashMap<Uuid, (i64, Timestamp)>) {
        for (id, (count, last)) in uses {
            add(&mut self.uses, id, count, last);
        }
    }
}

fn add(uses: &mut HashMap<Uuid, (i64, Timestamp)>, id: Uuid, count: i64, last: Timestamp) {
    let entry = uses.entry(id).or_insert((0, last));
    entry.0 += count;
    entry.1 = entry.1.max(last);
}
