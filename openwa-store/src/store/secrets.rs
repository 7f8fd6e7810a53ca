//! The secrets of the Data database: whether they are sealed, and with which key.

use std::sync::Arc;

use super::Store;
use crate::db::{Conn, Ring};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::maintenance::secrets::{self, OLD_KEY_LIVES, TURN, Walked};
use crate::record::shape;
use crate::seal::{Keys, SealKey, StoreKey};
use crate::time::Timestamp;
use crate::transfer::OnProgress;
use crate::value::names;

names! {
    /// How the secrets of a store are kept.
    pub enum SecretsState {
        /// In clear.
        Clear = "clear",
        /// They are being sealed: new ones are, old ones may be in clear.
        Sealing = "sealing",
        /// All of them are sealed.
        Sealed = "sealed",
        /// The key is being changed: some are sealed with the old one.
        Rotating = "rotating",
        /// They are being opened, or those that nobody can open are being dropped.
        Opening = "opening",
    }
}

shape! { output:
/// How the secrets of a store are kept, and whether this process can read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretsStatus {
    /// How they are kept.
    pub state: SecretsState,
    /// The id of the key that they are written with; None: in clear.
    pub key: Option<String>,
    /// The id of the key before, which still opens the store.
    pub old_key: Option<String>,
    /// Until when the old key opens the store; the first open after that takes its right.
    pub old_key_until: Option<Timestamp>,
    /// Since when the key holds.
    pub since: Option<Timestamp>,
    /// Whether this process has the key.
    pub usable: bool,
    /// Whether free space of the database holds no secret of a time when they were in clear; `seal_secrets` sees to it.
    pub clean: bool,
}
}

/// Databases up to this size are rid of what is left in free space when they are opened: less than a second.
const SMALL: i64 = 64 << 20;

impl Store {
    /// How the secrets are kept, and whether this process can read them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn secrets_status(&self) -> Result<SecretsStatus> {
        let ring = self.look().map_err(|e| e.during("secrets_status"))?;
        let s = &ring.state;
        Ok(SecretsStatus {
            state: match (s.key, s.old, s.finished) {
                (None, _, true) => SecretsState::Clear,
                (None, _, false) => SecretsState::Opening,
                (Some(_), _, true) => SecretsState::Sealed,
                (Some(_), None, false) => SecretsState::Sealing,
                (Some(_), Some(_), false) => SecretsState::Rotating,
            },
            key: s.key.map(|key| key.to_string()),
            old_key: s.old.map(|key| key.to_string()),
            old_key_until: s.changed_at.filter(|_| s.old.is_some()).map(|at| at.plus(OLD_KEY_LIVES)),
            since: s.changed_at,
            usable: ring.target().is_ok(),
            clean: s.clean,
        })
    }

    /// Seals every secret that is in clear, and rids free space of what was: on SQLite the database is written anew, which
    /// takes about its size in disk space, and writers wait meanwhile; on PostgreSQL the tables with secrets are locked
    /// while they are. Opening with a key seals as well, but rids only small databases. Says how many rows were sealed.
    /// May be broken off and done again.
    ///
    /// # Errors
    /// `StoreKeyMissing` when the store was opened without a key, `WrongStoreKey`; `Unreadable` naming the first row that
    /// cannot be read, when all others are sealed; `Busy` while another process is at it; `Cancelled`; those of the database.
    pub fn seal_secrets(&self, mut progress: OnProgress<'_>) -> Result<u64> {
        let mut work = || {
            let _turn = self.secrets_turn()?;
            let given = self.look()?.given();
            let given = given.ok_or_else(|| {
                Error::new(Kind::StoreKeyMissing, "there is no key to seal with; open the store with one")
            })?;
            self.change_seal(move |conn, now| {
                secrets::begin_sealing(conn, &given, now)?;
                secrets::begin_again(conn)
            })?;
            let walked = self.walk(&mut progress)?;
            self.clean(true)?;
            Ok(walked.changed)
        };
        work().map_err(|e: Error| e.during("seal_secrets"))
    }

    /// Opens every secret, so that they are in clear again: give the store no key then, or the next open seals them anew.
    /// Says how many rows were opened. May be broken off and done again.
    ///
    /// # Errors
    /// As [`seal_secrets`](Self::seal_secrets).
    pub fn unseal_secrets(&self, mut progress: OnProgress<'_>) -> Result<u64> {
        let mut work = || {
            let _turn = self.secrets_turn()?;
            let ring = self.look()?;
            if let Some(key) = ring.state.key.or(ring.state.old) {
                ring.key(key).ok_or_else(|| ring.lacking(key))?;
            }
            self.change_seal(|conn, _| secrets::begin_opening(conn))?;
            Ok(self.walk(&mut progress)?.changed)
        };
        work().map_err(|e: Error| e.during("unseal_secrets"))
    }

    /// Seals every secret with another key, while this and other processes go on: they learn of the new key by the old
    /// one. Says how many rows were sealed. A run that was broken off is finished by another one with the same key; until
    /// then the store opens with either.
    ///
    /// The old key goes on opening the store for 24 hours, so that gateways can be given the new one, and is then refused
    /// by the first open. With `retire` it is refused at once: processes that have not met the new key by then have to be
    /// opened anew. Calling it again with the same key and `retire` does that later.
    ///
    /// # Errors
    /// `Conflict` for a store that is not sealed; as [`seal_secrets`](Self::seal_secrets).
    pub fn rotate_store_key(
        &self,
        new_key: &StoreKey,
        retire: bool,
        mut progress: OnProgress<'_>,
    ) -> Result<u64> {
        let mut work = || {
            let _turn = self.secrets_turn()?;
            let new = Arc::new(SealKey::of(new_key));
            let ring = self.look()?;
            let mut changed = 0;
            if ring.state.key.is_some_and(|key| key != new.id()) && !ring.state.finished {
                // The change before this one was broken off.
                changed += self.walk(&mut progress)?.changed;
            }
            self.database(Database::Data).seals().add(Arc::clone(&new));
            let key = Arc::clone(&new);
            self.change_seal(move |conn, now| secrets::begin_rotation(conn, &key, now))?;
            changed += self.walk(&mut progress)?.changed;
            self.database(Database::Data).clean(false)?;
            if retire {
                self.change_seal(move |conn, _| secrets::retire(conn, Some(&new)))?;
            }
            Ok(changed)
        };
        work().map_err(|e: Error| e.during("rotate_store_key"))
    }

    /// For a store whose key is lost: drops every secret that this process cannot open. Sessions lose their credentials
    /// and go back to `created`, to be paired anew; webhooks lose secret and headers and are switched off; what a takeover
    /// kept of sessions and webhooks is gone. Messages, contacts and everything else stay. Says how many rows lost
    /// something. Open the store without a key for it; afterwards it may be opened with a new one.
    ///
    /// # Errors
    /// `Conflict` when this process has the key; `Busy`, `Cancelled`, those of the database.
    pub fn forget_secrets(&self, mut progress: OnProgress<'_>) -> Result<u64> {
        let mut work = || {
            let _turn = self.secrets_turn()?;
            let ring = self.look()?;
            let key = ring.state.key.or(ring.state.old.filter(|_| !ring.state.finished));
            if key.is_none_or(|key| ring.key(key).is_some()) {
                let text = "nothing is lost: the secrets are in clear, or this process has their key";
                return Err(Error::new(Kind::Conflict, text));
            }
            self.change_seal(|conn, _| secrets::begin_opening(conn))?;
            let (database, now) = (self.database(Database::Data), self.env().now());
            let lost = secrets::forget(database, self.env(), now, &mut progress)?;
            self.change_seal(|conn, _| secrets::finish(conn))?;
            Ok(lost)
        };
        work().map_err(|e: Error| e.during("forget_secrets"))
    }

    /// Seals what is in clear, after an open with a key.
    pub(super) fn finish_sealing(&self) -> Result<()> {
        if self.config().store_key.is_none() {
            return Ok(());
        }
        let done = self.look().and_then(|ring| {
            if ring.state.finished && ring.state.clean {
                return Ok(());
            }
            match self.database(Database::Data).turn(TURN)? {
                Some(_turn) => self.seal_the_rest(),
                // Another process is at it.
                None => Ok(()),
            }
        });
        match done {
            // A server that is not there yet; or a row that is damaged, which is told by whoever reads it.
            Err(e) if matches!(e.kind(), Kind::Unavailable | Kind::Unreadable) => Ok(()),
            done => done,
        }
    }

    fn seal_the_rest(&self) -> Result<()> {
        let state = self.look()?.state.clone();
        if !state.finished {
            let walked = self.walk(&mut None)?;
            if walked.seen == 0 {
                // Nothing was ever there to be left behind.
                self.change_seal(|conn, _| secrets::note_clean(conn))?;
                return Ok(());
            }
        }
        let small = || {
            let bytes = self.data("open", |conn| conn.integer(conn.dialect().bytes(), &[]))?;
            Ok::<_, Error>(bytes <= SMALL && self.database(Database::Data).as_sqlite().is_some())
        };
        if !state.clean && small()? {
            // A store without room to be rebuilt opens all the same; its status tells, and `seal_secrets` says why.
            let _ = self.clean(true);
        }
        Ok(())
    }

    fn look(&self) -> Result<Arc<Ring>> {
        self.database(Database::Data).read(|conn| conn.seals().look(conn, false))
    }

    fn secrets_turn(&self) -> Result<crate::db::Turn> {
        let turn = self.database(Database::Data).turn(TURN)?;
        turn.ok_or_else(|| {
            Error::new(Kind::Busy, "another process is sealing or opening the secrets of this store")
        })
    }

    fn change_seal(
        &self,
        change: impl Fn(&dyn Conn, Timestamp) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.write("secrets", move |conn, env| change(conn, env.now())).wait()?;
        self.look().map(drop)
    }

    /// Writes every secret as it is to be kept, and says that it is done.
    fn walk(&self, progress: &mut OnProgress<'_>) -> Result<Walked> {
        let walked = secrets::walk(self.database(Database::Data), progress)?;
        if let Some(first) = walked.first {
            return Err(first.with("unreadable", walked.unreadable));
        }
        self.change_seal(|conn, _| secrets::finish(conn))?;
        Ok(walked)
    }

    fn clean(&self, rebuild: bool) -> Result<()> {
        if self.database(Database::Data).clean(rebuild)? {
            self.change_seal(|conn, _| secrets::note_clean(conn))?;
        }
        Ok(())
    }
}
