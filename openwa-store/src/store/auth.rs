use uuid::Uuid;

use super::Store;
use crate::db::Pending;
use crate::entity::{Database, SessionAuth};
use crate::error::Result;
use crate::repo::auth::{self, AuthEntry, AuthValue};
use crate::repo::sessions;
use crate::text::Text;

/// An engine's credentials; see [`Store::auth`].
pub struct Auth<'a>(pub(super) &'a Store);

impl Auth<'_> {
    /// Sets and deletes any number of keys in one commit: all of them or none.
    ///
    /// Errors: `NotFound` for the session, `InvalidArgument`, `StoreKeyMissing`, `WrongStoreKey`.
    pub fn set(&self, session: Uuid, entries: Vec<AuthEntry>) -> Pending<()> {
        let ring = self.0.database(Database::Data).seals().ring();
        Pending::checked(auth::Change::new(session, entries, &ring).map(|change| {
            self.0.write("auth.set", move |conn, env| {
                sessions::unopened(conn, session, false)?;
                auth::set(conn, &change, env.now())
            })
        }))
    }

    /// One key: found, missing, or unreadable.
    ///
    /// # Errors
    /// Those of the database. An engine must not take an error for a missing key.
    pub fn get(
        &self,
        session: Uuid,
        category: impl Into<Text>,
        key_id: impl Into<Text>,
    ) -> Result<AuthValue> {
        let (category, key_id) = (category.into(), key_id.into());
        self.0.data("auth.get", |conn| auth::get(conn, session, &category, &key_id))
    }

    /// Several keys of a category, in the order asked for.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_many(
        &self,
        session: Uuid,
        category: impl Into<Text>,
        key_ids: &[Text],
    ) -> Result<Vec<AuthValue>> {
        let category = category.into();
        self.0.data("auth.get_many", |conn| {
            key_ids.iter().map(|key_id| auth::get(conn, session, &category, key_id)).collect()
        })
    }

    /// The ids of a category's keys, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn list(&self, session: Uuid, category: impl Into<Text>) -> Result<Vec<Text>> {
        let category = category.into();
        self.0.data("auth.list", |conn| auth::list(conn, session, &category))
    }

    /// Every key of a session.
    ///
    /// # Errors
    /// Those of the database.
    pub fn all(&self, session: Uuid) -> Result<Vec<SessionAuth>> {
        self.0.data("auth.all", |conn| auth::all(conn, session))
    }

    /// Deletes a session's keys, all or those of one category; says how many.
    pub fn clear(&self, session: Uuid, category: Option<Text>) -> Pending<u64> {
        self.0.write("auth.clear", move |conn, _| auth::clear(conn, session, category.as_ref()))
    }
}
