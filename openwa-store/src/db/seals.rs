//! What a process knows of the keys of a database, and where the database says which one holds.
//!
//! The row of `openwa_seal` names the key that secrets are written with. A write looks at it inside its transaction and
//! keeps it from changing until that ends, so that nothing is written in clear, or with a key of before, once another
//! process has sealed the store or changed its key. A read goes by what it knows, and looks only when a value does not
//! fit that.
//!
//! While a key is changed the row has each of the two keys sealed with the other one: who was opened with either goes
//! on with both.

use std::sync::{Arc, PoisonError, RwLock};

use super::Conn;
use crate::error::{Error, Kind, Result};
use crate::seal::{KeyId, Keys, SealKey, StoreKey, Target};
use crate::time::Timestamp;
use crate::value::{Column, Value};

/// The row of `openwa_seal`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SealState {
    /// The key that secrets are written with; `None`: in clear.
    pub(crate) key: Option<KeyId>,
    /// The key that some may still be sealed with, or that still opens the store.
    pub(crate) old: Option<KeyId>,
    pub(crate) new_by_old: Option<Vec<u8>>,
    pub(crate) old_by_new: Option<Vec<u8>>,
    /// Every secret is as `key` says.
    pub(crate) finished: bool,
    /// No secret in clear is left in free space.
    pub(crate) clean: bool,
    pub(crate) changed_at: Option<Timestamp>,
}

impl SealState {
    fn read(conn: &dyn Conn, hold: bool) -> Result<Self> {
        let sql =
            "SELECT key_id, old_key_id, new_by_old, old_by_new, finished, clean, changed_at FROM openwa_seal
                    WHERE id = 1";
        let sql = if hold { conn.dialect().sharing(sql) } else { sql.into() };
        let found = conn.first(&sql, &[], |row| {
            let key = |i| if let Value::Text(s) = row.get(i) { KeyId::parse(s) } else { None };
            let flag = |i| bool::read(row.get(i)).unwrap_or(false);
            Ok(SealState {
                key: key(0),
                old: key(1),
                new_by_old: Option::read(row.get(2)).flatten(),
                old_by_new: Option::read(row.get(3)).flatten(),
                finished: flag(4),
                clean: flag(5),
                changed_at: Option::read(row.get(6)).flatten(),
            })
        })?;
        found.ok_or_else(|| Error::new(Kind::Unreadable, "the table openwa_seal has lost its row"))
    }

    /// Puts this in place of what the row says.
    pub(crate) fn write(&self, conn: &dyn Conn) -> Result<()> {
        conn.held().take();
        let (key, old) = (self.key.map(|k| k.to_string()), self.old.map(|k| k.to_string()));
        let text = |key: &Option<String>| key.clone().map(crate::text::Text::from_stored);
        conn.execute(
            "UPDATE openwa_seal SET key_id = ?1, old_key_id = ?2, new_by_old = ?3, old_by_new = ?4, finished = ?5,
                    clean = ?6, changed_at = ?7 WHERE id = 1",
            &[
                text(&key).bind(),
                text(&old).bind(),
                self.new_by_old.bind(),
                self.old_by_new.bind(),
                Value::Bool(self.finished),
                Value::Bool(self.clean),
                self.changed_at.bind(),
            ],
        )
        .map(drop)
    }
}

/// The keys of one database that this process has, and what the database said last.
pub(crate) struct Ring {
    pub(crate) state: SealState,
    keys: Vec<Arc<SealKey>>,
    given: Option<KeyId>,
}

impl Ring {
    /// How secrets are to be written.
    ///
    /// Fails with `StoreKeyMissing` or `WrongStoreKey` if the key for it is not there.
    pub(crate) fn target(&self) -> Result<Target> {
        match self.state.key {
            None => Ok(Target::Clear),
            Some(id) => self.key(id).map(Target::Sealed).ok_or_else(|| self.lacking(id)),
        }
    }

    pub(crate) fn key(&self, id: KeyId) -> Option<Arc<SealKey>> {
        self.keys.iter().find(|k| k.id() == id).cloned()
    }

    /// The key that the store was opened with.
    pub(crate) fn given(&self) -> Option<Arc<SealKey>> {
        self.given.and_then(|id| self.key(id))
    }
}

impl Keys for Ring {
    fn find(&self, id: KeyId) -> Option<&SealKey> {
        self.keys.iter().find(|k| k.id() == id).map(|k| &**k)
    }

    fn is_given(&self) -> bool {
        self.given.is_some()
    }

    fn is_all_sealed(&self) -> bool {
        // A change of the key begins when everything is sealed, and goes from the one to the other.
        self.state.key.is_some() && (self.state.finished || self.state.old.is_some())
    }

    fn lacking(&self, id: KeyId) -> Error {
        let Some(given) = self.given else {
            let text = "the secrets of this store are sealed; open it with its store key (OPENWA_STORE_KEY)";
            return Error::new(Kind::StoreKeyMissing, text).with("key", id);
        };
        if self.state.key.is_some_and(|key| self.key(key).is_some()) {
            // Nothing else is sealed with another key.
            let text = "the sealed value is damaged, or comes from another store: it names a key that is unknown here";
            return Error::new(Kind::Unreadable, text).with("key", id);
        }
        let text = "the secrets of this store are sealed with another key than the one that was given";
        Error::new(Kind::WrongStoreKey, text).with("key", id).with("given", given)
    }
}

/// The keys of one database, for all of its connections.
pub(crate) struct Seals {
    ring: RwLock<Arc<Ring>>,
}

impl Seals {
    pub(crate) fn new(given: Option<&StoreKey>) -> Arc<Self> {
        let key = given.map(|key| Arc::new(SealKey::of(key)));
        let given = key.as_ref().map(|key| key.id());
        let ring = Ring { state: SealState::default(), keys: key.into_iter().collect(), given };
        Arc::new(Seals { ring: RwLock::new(Arc::new(ring)) })
    }

    /// What is known.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the database says now. With `hold` it says so until the transaction ends.
    pub(crate) fn look(&self, conn: &dyn Conn, hold: bool) -> Result<Arc<Ring>> {
        let state = SealState::read(conn, hold)?;
        let known = self.ring();
        if known.state == state {
            return Ok(known);
        }
        let mut keys = known.keys.clone();
        let mut learn = |by: Option<KeyId>, id: Option<KeyId>, wrapped: &Option<Vec<u8>>| {
            let (Some(by), Some(id), Some(wrapped)) = (by, id, wrapped) else { return };
            let find = |keys: &[Arc<SealKey>], id| keys.iter().find(|k| k.id() == id).cloned();
            if let (Some(by), None) = (find(&keys, by), find(&keys, id)) {
                keys.extend(by.unwrap(id, wrapped).map(Arc::new));
            }
        };
        learn(state.old, state.key, &state.new_by_old);
        learn(state.key, state.old, &state.old_by_new);
        let ring = Arc::new(Ring { state, keys, given: known.given });
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&ring);
        Ok(ring)
    }

    /// Adds a key that this process is about to use.
    pub(crate) fn add(&self, key: Arc<SealKey>) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if ring.key(key.id()).is_none() {
            let mut keys = ring.keys.clone();
            keys.push(key);
            *ring = Arc::new(Ring { state: ring.state.clone(), keys, given: ring.given });
        }
    }
}
