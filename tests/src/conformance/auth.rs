//! An engine's credentials: many keys in one commit, and never "missing" for "unreadable".

use openwa_store::{AuthEntry, AuthValue, Kind, Text};
use uuid::Uuid;

use super::{Case, Context, at, cases, in_threads, new_session, refused, refused_for};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    many_keys_are_set_in_one_commit,
    no_value_deletes,
    all_or_none,
    found_and_missing,
    keys_are_read_in_the_order_asked_for,
    keys_are_listed_by_category,
    keys_are_cleared_by_category_or_all,
    each_session_has_its_own_keys,
    any_bytes_and_any_key_id,
    the_last_of_repeated_keys_counts,
    readers_never_see_half_a_set,
    a_secret_is_not_printed,
    credentials_need_a_session_and_a_category,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![credentials_outlive_the_store];

fn put(category: &str, key_id: &str, value: &[u8]) -> AuthEntry {
    AuthEntry { category: category.into(), key_id: key_id.into(), value: Some(value.to_vec()) }
}

fn gone(category: &str, key_id: &str) -> AuthEntry {
    AuthEntry { value: None, ..put(category, key_id, b"") }
}

fn found(value: &[u8]) -> AuthValue {
    AuthValue::Found(value.to_vec())
}

fn many_keys_are_set_in_one_commit(cx: &Context) {
    let (store, session) = cx.session();
    cx.pass(2);
    let entries = (0..100).map(|i| put("pre-key", &i.to_string(), &[i])).collect();
    store.auth().set(session, entries).wait().unwrap();
    let all = store.auth().all(session).unwrap();
    assert_eq!(all.len(), 100);
    assert!(all.iter().all(|row| row.updated_at == at(2)));
    store.auth().set(session, vec![put("pre-key", "5", b"new")]).wait().unwrap();
    assert_eq!(store.auth().get(session, "pre-key", "5").unwrap(), found(b"new"));
    assert_eq!(store.auth().all(session).unwrap().len(), 100);
}

fn no_value_deletes(cx: &Context) {
    let (store, session) = cx.session();
    store.auth().set(session, vec![put("a", "1", b"x"), put("a", "2", b"y")]).wait().unwrap();
    store.auth().set(session, vec![gone("a", "1"), gone("a", "never"), put("a", "3", b"z")]).wait().unwrap();
    assert_eq!(store.auth().list(session, "a").unwrap(), ["2", "3"]);
}

fn all_or_none(cx: &Context) {
    let (store, session) = cx.session();
    store.auth().set(session, vec![put("a", "1", b"old")]).wait().unwrap();
    let long = "x".repeat(513);
    for (column, bad) in [
        ("category", put("", "k", b"")),
        ("key_id", put("a", &long, b"")),
        ("category", put(&long, "k", b"")),
    ] {
        let entries = vec![put("a", "1", b"new"), gone("a", "1"), bad, put("a", "2", b"new")];
        refused_for(store.auth().set(session, entries).wait(), column);
        assert_eq!(store.auth().get(session, "a", "1").unwrap(), found(b"old"));
        assert_eq!(store.auth().get(session, "a", "2").unwrap(), AuthValue::Missing);
    }
}

fn found_and_missing(cx: &Context) {
    let (store, session) = cx.session();
    store.auth().set(session, vec![put("creds", "", b"{}")]).wait().unwrap();
    assert_eq!(store.auth().get(session, "creds", "").unwrap(), found(b"{}"));
    assert_eq!(store.auth().get(session, "creds", "other").unwrap(), AuthValue::Missing);
    assert_eq!(store.auth().get(session, "pre-key", "").unwrap(), AuthValue::Missing);
}

fn keys_are_read_in_the_order_asked_for(cx: &Context) {
    let (store, session) = cx.session();
    store.auth().set(session, vec![put("a", "1", b"x"), put("a", "2", b"y")]).wait().unwrap();
    let wanted: Vec<Text> = ["2", "none", "1", "2"].map(Text::from).to_vec();
    let values = store.auth().get_many(session, "a", &wanted).unwrap();
    assert_eq!(values, [found(b"y"), AuthValue::Missing, found(b"x"), found(b"y")]);
}

fn keys_are_listed_by_category(cx: &Context) {
    let (store, session) = cx.session();
    let entries = vec![put("b", "2", b""), put("a", "9", b""), put("b", "10", b""), put("b", "1", b"")];
    store.auth().set(session, entries).wait().unwrap();
    assert_eq!(store.auth().list(session, "b").unwrap(), ["1", "10", "2"]);
    assert_eq!(store.auth().list(session, "none").unwrap(), Vec::<Text>::new());
}

fn keys_are_cleared_by_category_or_all(cx: &Context) {
    let (store, session) = cx.session();
    let entries = vec![put("a", "1", b""), put("a", "2", b""), put("b", "1", b"")];
    store.auth().set(session, entries).wait().unwrap();
    assert_eq!(store.auth().clear(session, Some("a".into())).wait().unwrap(), 2);
    assert_eq!(store.auth().all(session).unwrap().len(), 1);
    assert_eq!(store.auth().clear(session, None).wait().unwrap(), 1);
    assert_eq!(store.auth().clear(session, None).wait().unwrap(), 0);
}

fn each_session_has_its_own_keys(cx: &Context) {
    let (store, one) = cx.session();
    let two = new_session(&store, "shop-2");
    store.auth().set(one, vec![put("a", "1", b"one")]).wait().unwrap();
    store.auth().set(two, vec![put("a", "1", b"two")]).wait().unwrap();
    assert_eq!(store.auth().get(one, "a", "1").unwrap(), found(b"one"));
    store.auth().clear(one, None).wait().unwrap();
    assert_eq!(store.auth().get(two, "a", "1").unwrap(), found(b"two"));
}

fn any_bytes_and_any_key_id(cx: &Context) {
    let (store, session) = cx.session();
    let everything: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let odd = "a\0b␛'\";--%/😀";
    store.auth().set(session, vec![put("a", odd, &everything), put("a", "empty", b"")]).wait().unwrap();
    assert_eq!(store.auth().get(session, "a", odd).unwrap(), found(&everything));
    assert_eq!(store.auth().get(session, "a", "empty").unwrap(), found(b""));
    assert!(store.auth().list(session, "a").unwrap().contains(&odd.into()));
}

fn the_last_of_repeated_keys_counts(cx: &Context) {
    let (store, session) = cx.session();
    let entries = vec![put("a", "1", b"x"), put("a", "1", b"y"), put("a", "2", b"x"), gone("a", "2")];
    store.auth().set(session, entries).wait().unwrap();
    assert_eq!(store.auth().get(session, "a", "1").unwrap(), found(b"y"));
    assert_eq!(store.auth().get(session, "a", "2").unwrap(), AuthValue::Missing);
}

fn readers_never_see_half_a_set(cx: &Context) {
    let (store, session) = cx.session();
    let write = |n: u8| store.auth().set(session, (0..20).map(|i| put("a", &i.to_string(), &[n])).collect());
    write(0).wait().unwrap();
    in_threads(3, |i| {
        for n in 0..30 {
            if i == 0 {
                write(n).wait().unwrap();
            } else {
                let rows = store.auth().all(session).unwrap();
                assert!(rows.len() == 20 && rows.iter().all(|row| row.value == rows[0].value));
            }
        }
    });
}

fn a_secret_is_not_printed(cx: &Context) {
    let (store, session) = cx.session();
    let entry = put("a", "1", b"hush");
    store.auth().set(session, vec![entry.clone()]).wait().unwrap();
    let (value, rows) = (store.auth().get(session, "a", "1").unwrap(), store.auth().all(session).unwrap());
    let printed = format!("{entry:?} {value:?} {rows:?}");
    assert!(!printed.contains("hush") && !printed.contains("104, 117"), "{printed}");
}

fn credentials_need_a_session_and_a_category(cx: &Context) {
    let store = cx.store();
    let set = store.auth().set(Uuid::from_u128(7), vec![put("a", "1", b"")]);
    refused(set.wait(), Kind::NotFound);
    refused(store.auth().set(Uuid::from_u128(7), vec![]).wait(), Kind::NotFound);
}

fn credentials_outlive_the_store(cx: &Context) {
    let (store, session) = cx.session();
    store.auth().set(session, vec![put("creds", "", b"pairing")]).wait().unwrap();
    store.close().unwrap();
    assert_eq!(cx.store().auth().get(session, "creds", "").unwrap(), found(b"pairing"));
}
