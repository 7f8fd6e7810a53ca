//! Contacts: one row per person and session.

use uuid::Uuid;

use super::identities::canonical;
use super::paging::{Keyset, Listing, Page, PageRequest};
use super::{Ids, insert, sql, update};
use crate::db::Conn;
use crate::engine::ContactChange;
use crate::entity::Contact;
use crate::error::{Error, Result};
use crate::policy::address;
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

shape! { input of Contact:
/// Which contacts of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactFilter {
    /// Only those with this number.
    pub phone: Option<Text>,
    /// Only blocked (`true`) or only not blocked ones.
    pub blocked: Option<bool>,
}
}

pub(crate) fn get(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<Option<Contact>> {
    let id = canonical(conn, session, id)?;
    conn.one(at(), &[Value::Uuid(session), id.bind()])
}

/// The contact, kept from changing until the transaction ends.
fn locked(conn: &dyn Conn, session: Uuid, address: &Text) -> Result<Option<Contact>> {
    conn.locked(at(), &[Value::Uuid(session), address.bind()])
}

fn at() -> &'static str {
    sql!(Contact, "SELECT {} FROM contacts WHERE session_id = ?1 AND wa_contact_id = ?2")
}

fn put<T: PartialEq>(field: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *field = new;
    }
}

/// Creates a contact or adds what is known of it; what is not said stays. True: something changed.
pub(crate) fn upsert(
    conn: &dyn Conn,
    ids: &Ids,
    session: Uuid,
    change: &ContactChange,
    now: Timestamp,
) -> Result<(Contact, bool)> {
    if change.wa_contact_id.is_empty() {
        return Err(Error::invalid("wa_contact_id", "a contact needs an address"));
    }
    let id = canonical(conn, session, &change.wa_contact_id)?;
    let known = locked(conn, session, &id)?;
    let mut contact = known.clone().unwrap_or_else(|| Contact {
        id: ids.mint(now),
        session_id: session,
        phone: address::phone_digits(id.as_stored()).map(Text::from_stored),
        wa_contact_id: id,
        name: None,
        push_name: None,
        is_my_contact: false,
        is_blocked: false,
        profile_pic_url: None,
        created_at: now,
        updated_at: now,
    });
    put(&mut contact.name, change.name.clone().map(Some));
    put(&mut contact.push_name, change.push_name.clone().map(Some));
    put(&mut contact.profile_pic_url, change.profile_pic_url.clone().map(Some));
    put(&mut contact.is_my_contact, change.is_my_contact);
    put(&mut contact.is_blocked, change.is_blocked);
    match known {
        None => insert(conn, &contact)?,
        Some(same) if same == contact => return Ok((contact, false)),
        Some(_) => {
            contact.updated_at = now;
            update(conn, &contact)?;
        }
    }
    Ok((contact, true))
}

/// Makes the contact of a LID and that of its phone address one. A known value is never replaced by an absent
/// one. True: there was something to do.
pub(crate) fn merge(conn: &dyn Conn, session: Uuid, lid: &Text, pn: &Text, now: Timestamp) -> Result<bool> {
    let Some(old) = locked(conn, session, lid)? else { return Ok(false) };
    let Some(mut kept) = locked(conn, session, pn)? else {
        let phone = address::phone_digits(pn.as_stored()).map(Text::from_stored);
        let moved = Contact { wa_contact_id: pn.clone(), phone, updated_at: now, ..old };
        update(conn, &moved)?;
        return Ok(true);
    };
    let newer = old.updated_at > kept.updated_at;
    for (field, other) in [
        (&mut kept.name, old.name),
        (&mut kept.push_name, old.push_name),
        (&mut kept.profile_pic_url, old.profile_pic_url),
    ] {
        if other.is_some() && (newer || field.is_none()) {
            *field = other;
        }
    }
    kept.is_my_contact |= old.is_my_contact;
    kept.is_blocked |= old.is_blocked;
    kept.created_at = kept.created_at.min(old.created_at);
    kept.updated_at = now;
    conn.execute("DELETE FROM contacts WHERE id = ?1", &[Value::Uuid(old.id)])?;
    update(conn, &kept)?;
    Ok(true)
}

/// One page of a session's contacts, by address.
pub(crate) fn list(
    conn: &dyn Conn,
    session: Uuid,
    filter: &ContactFilter,
    request: &PageRequest,
) -> Result<Page<Contact>> {
    let after = request.keyset()?;
    let mut listing = Listing::default();
    listing.and("session_id = {}", Value::Uuid(session));
    if let Some(phone) = &filter.phone {
        listing.and("phone = {}", phone.bind());
    }
    if let Some(blocked) = filter.blocked {
        listing.and("is_blocked = {}", Value::Bool(blocked));
    }
    if let Some(k) = &after {
        listing.and("wa_contact_id > {}", Value::Text(&k.key));
    }
    listing.page(conn, "wa_contact_id", request.limit()?, |c: &Contact| Keyset {
        at: c.created_at,
        key: c.wa_contact_id.as_stored().to_owned(),
    })
}

pub(crate) fn delete(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<bool> {
    let id = canonical(conn, session, id)?;
    let sql = "DELETE FROM contacts WHERE session_id = ?1 AND wa_contact_id = ?2";
    Ok(conn.execute(sql, &[Value::Uuid(session), id.bind()])? > 0)
}
