//! Contacts: one row per person and session, filled as things become known.

use openwa_store::{ContactChange, ContactFilter, Kind, PageRequest, Text};
use uuid::Uuid;

use super::{ALICE, BOB, Case, Context, all_pages, at, cases, new_session, page_of, refused, refused_for};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    a_new_contact_has_its_number_from_its_address,
    what_is_not_said_stays,
    the_same_again_changes_nothing,
    contacts_are_listed_by_address_and_filtered,
    contacts_are_paged,
    a_contact_is_deleted_once,
    a_contact_belongs_to_its_session,
    too_long_values_name_their_column,
    many_threads_make_one_contact,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![];

fn named(address: &str, name: &str) -> ContactChange {
    ContactChange { wa_contact_id: address.into(), name: Some(name.into()), ..Default::default() }
}

fn a_new_contact_has_its_number_from_its_address(cx: &Context) {
    let (store, session) = cx.session();
    let row = store.contacts().upsert(session, named("12025550143:4@c.us", "Alice")).wait().unwrap();
    assert_eq!((row.wa_contact_id.as_stored(), row.phone), (ALICE, Some("12025550143".into())));
    assert_eq!((row.is_my_contact, row.is_blocked, row.push_name), (false, false, None));
    assert_eq!((row.created_at, row.updated_at), (at(0), at(0)));
    assert_eq!(store.contacts().get(session, BOB).unwrap(), None);
}

fn what_is_not_said_stays(cx: &Context) {
    let (store, session) = cx.session();
    store.contacts().upsert(session, named(ALICE, "Alice")).wait().unwrap();
    cx.pass(10);
    let more = ContactChange {
        wa_contact_id: ALICE.into(),
        push_name: Some("al".into()),
        is_blocked: Some(true),
        profile_pic_url: Some("https://example.com/p.jpg".into()),
        ..Default::default()
    };
    store.contacts().upsert(session, more).wait().unwrap();
    let row = store.contacts().get(session, ALICE).unwrap().unwrap();
    assert_eq!((row.name.unwrap(), row.push_name.unwrap()), ("Alice".into(), "al".into()));
    assert_eq!((row.is_blocked, row.is_my_contact), (true, false));
    assert_eq!((row.created_at, row.updated_at), (at(0), at(10)));
}

fn the_same_again_changes_nothing(cx: &Context) {
    let (store, session) = cx.session();
    let first = store.contacts().upsert(session, named(ALICE, "Alice")).wait().unwrap();
    cx.pass(10);
    assert_eq!(store.contacts().upsert(session, named(ALICE, "Alice")).wait().unwrap(), first);
    assert_eq!(store.contacts().get(session, ALICE).unwrap(), Some(first));
}

fn contacts_are_listed_by_address_and_filtered(cx: &Context) {
    let (store, session) = cx.session();
    let blocked = ContactChange { is_blocked: Some(true), ..named(BOB, "Bob") };
    store.contacts().upsert(session, blocked).wait().unwrap();
    store.contacts().upsert(session, named(ALICE, "Alice")).wait().unwrap();
    let list = |filter: ContactFilter| -> Vec<Text> {
        let page = store.contacts().list(session, &filter, &PageRequest::default()).unwrap();
        page.items.into_iter().map(|c| c.wa_contact_id).collect()
    };
    assert_eq!(list(ContactFilter::default()), [ALICE, BOB]);
    assert_eq!(list(ContactFilter { blocked: Some(true), ..Default::default() }), [BOB]);
    assert_eq!(list(ContactFilter { blocked: Some(false), ..Default::default() }), [ALICE]);
    let phone = Some("12025550178".into());
    assert_eq!(list(ContactFilter { phone: phone.clone(), ..Default::default() }), [BOB]);
    assert_eq!(list(ContactFilter { phone, blocked: Some(false) }), Vec::<Text>::new());
}

fn contacts_are_paged(cx: &Context) {
    let (store, session) = cx.session();
    for i in 0..7 {
        let address = format!("1202555{i:04}@s.whatsapp.net");
        store.contacts().upsert(session, named(&address, "x")).wait().unwrap();
    }
    let read = |limit| all_pages(limit, |r| store.contacts().list(session, &Default::default(), r));
    assert_eq!(read(100).len(), 7);
    for limit in [1, 2, 3] {
        assert_eq!(read(limit), read(100), "by {limit}");
    }
    refused_for(store.contacts().list(session, &Default::default(), &page_of(0, None)), "limit");
}

fn a_contact_is_deleted_once(cx: &Context) {
    let (store, session) = cx.session();
    store.contacts().upsert(session, named(ALICE, "Alice")).wait().unwrap();
    assert!(store.contacts().delete(session, ALICE).wait().unwrap());
    assert!(!store.contacts().delete(session, ALICE).wait().unwrap());
    assert_eq!(store.contacts().get(session, ALICE).unwrap(), None);
}

fn a_contact_belongs_to_its_session(cx: &Context) {
    let (store, one) = cx.session();
    let two = new_session(&store, "shop-2");
    store.contacts().upsert(one, named(ALICE, "Alice")).wait().unwrap();
    assert_eq!(store.contacts().get(two, ALICE).unwrap(), None);
    refused(store.contacts().upsert(Uuid::from_u128(7), named(ALICE, "x")).wait(), Kind::NotFound);
}

fn too_long_values_name_their_column(cx: &Context) {
    let (store, session) = cx.session();
    let long: Text = "x".repeat(256).into();
    for (column, change) in [
        ("wa_contact_id", ContactChange { wa_contact_id: long.clone(), ..Default::default() }),
        ("wa_contact_id", ContactChange::default()),
        ("name", ContactChange { name: Some(long.clone()), ..named(ALICE, "") }),
        ("push_name", ContactChange { push_name: Some(long.clone()), ..named(ALICE, "") }),
    ] {
        refused_for(store.contacts().upsert(session, change).wait(), column);
    }
    let just_fits = named(ALICE, &"ä".repeat(255));
    store.contacts().upsert(session, just_fits).wait().unwrap();
}

fn many_threads_make_one_contact(cx: &Context) {
    let (store, session) = cx.session();
    let rows =
        super::in_threads(8, |_| store.contacts().upsert(session, named(ALICE, "Alice")).wait().unwrap());
    assert!(rows.iter().all(|row| row.id == rows[0].id));
}
