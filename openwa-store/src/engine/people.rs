//! Pairs of addresses and contacts.

use serde_json::Value;

use super::change::{Change, ContactChange};
use super::field;
use crate::policy::address;
use crate::text::Text;

/// Notes that two addresses belong to one person, if one is a LID and the other a phone address; which is which
/// does not matter.
pub(super) fn pair(a: &Value, b: &Value, out: &mut Vec<Change>) {
    let (Some(a), Some(b)) = (field::address(a), field::address(b)) else { return };
    let (lid, pn) = if address::is_lid(a.as_stored()) { (a, b) } else { (b, a) };
    if address::is_lid(lid.as_stored()) && address::is_phone(pn.as_stored()) {
        out.push(Change::Pair { lid, pn });
    }
}

/// The account itself, if at least one address of it is given; which is which does not matter.
pub(super) fn account(a: &Value, b: &Value, push_name: Option<Text>, out: &mut Vec<Change>) {
    let addresses = [a, b].map(field::address);
    let find = |is: fn(&str) -> bool| addresses.iter().flatten().find(|a| is(a.as_stored())).cloned();
    let (pn, lid) = (find(address::is_phone), find(address::is_lid));
    if pn.is_some() || lid.is_some() {
        out.push(Change::Account { pn, lid, push_name });
    }
}

/// Something about a person; groups and channels, which engines list among the contacts, are left out.
pub(super) fn contact(id: &Value, what: ContactChange, out: &mut Vec<Change>) {
    if let Some(wa_contact_id) = field::address(id).filter(|id| address::is_person(id.as_stored())) {
        out.push(Change::Contact(Box::new(ContactChange { wa_contact_id, ..what })));
    }
}

/// People who are blocked, or no longer.
pub(super) fn blocked(ids: &[Value], is_blocked: bool, out: &mut Vec<Change>) {
    for id in ids {
        contact(id, ContactChange { is_blocked: Some(is_blocked), ..ContactChange::default() }, out);
    }
}
