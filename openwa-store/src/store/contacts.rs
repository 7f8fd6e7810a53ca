use uuid::Uuid;

use super::Store;
use crate::db::Pending;
use crate::engine::ContactChange;
use crate::entity::{Contact, Identity};
use crate::error::Result;
use crate::repo::contacts::{self, ContactFilter};
use crate::repo::paging::{Page, PageRequest};
use crate::repo::{identities, sessions};
use crate::text::Text;

/// Contacts and the two addresses of a person; see [`Store::contacts`].
pub struct Contacts<'a>(pub(super) &'a Store);

impl Contacts<'_> {
    /// Creates a contact, or adds what is known of it; what the change does not say stays.
    ///
    /// Errors: `InvalidArgument` naming the column, `NotFound` for the session.
    pub fn upsert(&self, session: Uuid, contact: ContactChange) -> Pending<Contact> {
        self.0.write("contacts.upsert", move |conn, env| {
            sessions::unopened(conn, session, false)?;
            Ok(contacts::upsert(conn, &env.ids, session, &contact, env.now())?.0)
        })
    }

    /// One contact by any of its addresses.
    ///
    /// # Errors
    /// Those of the database.
    pub fn get(&self, session: Uuid, address: impl Into<Text>) -> Result<Option<Contact>> {
        let address = address.into();
        self.0.data("contacts.get", |conn| contacts::get(conn, session, &address))
    }

    /// One page of a session's contacts, by address.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn list(
        &self,
        session: Uuid,
        filter: &ContactFilter,
        request: &PageRequest,
    ) -> Result<Page<Contact>> {
        self.0.data("contacts.list", |conn| contacts::list(conn, session, filter, request))
    }

    /// Deletes a contact. False: there was none.
    pub fn delete(&self, session: Uuid, address: impl Into<Text>) -> Pending<bool> {
        let address = address.into();
        self.0.write("contacts.delete", move |conn, _| contacts::delete(conn, session, &address))
    }

    /// Learns that a LID and a phone address are one person. What was stored under the LID moves to the phone
    /// address in the same commit. False: that was known, or it is the account's own number.
    pub fn learn_identity(&self, session: Uuid, lid: impl Into<Text>, pn: impl Into<Text>) -> Pending<bool> {
        let (lid, pn) = (lid.into(), pn.into());
        self.0.write("contacts.learn_identity", move |conn, env| {
            let session = sessions::unopened(conn, session, false)?;
            identities::learn(conn, &env.ids, &session, &lid, &pn, env.now())
        })
    }

    /// Every LID-phone pair that a session knows, by LID.
    ///
    /// # Errors
    /// Those of the database.
    pub fn identities(&self, session: Uuid) -> Result<Vec<Identity>> {
        self.0.data("contacts.identities", |conn| identities::pairs(conn, session))
    }

    /// The address under which a person, group or newsletter is kept.
    ///
    /// # Errors
    /// Those of the database.
    pub fn canonical(&self, session: Uuid, address: impl Into<Text>) -> Result<Text> {
        let address = address.into();
        self.0.data("contacts.canonical", |conn| identities::canonical(conn, session, &address))
    }
}
