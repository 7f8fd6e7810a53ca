//! Who may do what with an API key.

use std::net::IpAddr;

use openwa_store::policy::authorize::Decision;
use openwa_store::policy::permissions::Permission;
use openwa_store::{ApiKeyUpdate, Ask, Config, CreatedKey, Json, NewApiKey, NewWhitelistEntry, Store};

use super::{ALICE, BOB, Case, Context, at, cases, in_threads, page_of};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    a_new_key_opens_everything,
    white_space_around_a_key_does_not_count,
    an_unknown_key_is_denied,
    each_reason_is_told_in_its_order,
    permissions_are_exact_and_star_allows_all,
    no_permissions_deny_everything,
    a_key_expires_at_its_time,
    a_scope_confines_to_sessions,
    a_scope_confines_to_chats_in_any_spelling,
    a_whitelist_restricts_the_address,
    a_whitelist_without_active_rows_denies,
    a_network_stands_beside_an_address,
    a_change_takes_effect_on_the_next_call,
    every_thread_gets_the_right_answer,
    uses_are_counted,
    a_refused_use_is_not_counted,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![
    a_revocation_by_another_store_is_seen_at_the_next_call,
    uses_survive_close,
    uses_survive_the_last_clone,
    counting_uses_does_not_undo_a_revocation,
    switching_a_pepper_on_locks_nobody_out,
    another_pepper_knows_no_key,
];

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn create(store: &Store, new: NewApiKey) -> CreatedKey {
    store.api_keys().create(NewApiKey { name: "key".into(), ..new }).wait().unwrap()
}

#[track_caller]
fn decide(store: &Store, key: &str, ask: &Ask<'_>) -> Decision {
    store.api_keys().authorize(key, ask).unwrap().decision
}

fn ask_for(permission: Permission) -> Ask<'static> {
    Ask { permission: Some(permission), ..Ask::default() }
}

fn from(ip: &str) -> Ask<'static> {
    Ask { ip: Some(ip.parse::<IpAddr>().unwrap()), ..Ask::default() }
}

fn allow(store: &Store, key: &CreatedKey, ip: &str, cidr: Option<&str>) -> uuid::Uuid {
    let entry =
        NewWhitelistEntry { ip_address: ip.into(), cidr_range: cidr.map(Into::into), ..Default::default() };
    store.api_keys().allow_address(key.api_key.id, entry).wait().unwrap().id
}

fn off() -> ApiKeyUpdate {
    ApiKeyUpdate { active: Some(false), ..Default::default() }
}

fn a_new_key_opens_everything(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey::default());
    for permission in Permission::ALL {
        let answer = store.api_keys().authorize(&key.key, &ask_for(*permission)).unwrap();
        assert!(answer.is_allowed(), "{permission}");
        assert_eq!(answer.api_key.unwrap().id, key.api_key.id);
    }
}

fn white_space_around_a_key_does_not_count(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey::default()).key;
    assert_eq!(decide(&store, &format!(" {key}\r\n"), &Ask::default()), Decision::Allowed);
}

fn an_unknown_key_is_denied(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey::default()).key;
    for wrong in ["", " ", "owa_k1_", &key[..70], &key.to_uppercase(), &format!("{key}0")] {
        let answer = store.api_keys().authorize(wrong, &Ask::default()).unwrap();
        assert_eq!((answer.decision, answer.api_key), (Decision::UnknownKey, None), "{wrong:?}");
    }
}

fn each_reason_is_told_in_its_order(cx: &Context) {
    let store = cx.store();
    create(&store, NewApiKey::default());
    let key = create(
        &store,
        NewApiKey {
            permissions: Some(json(r#"["messages:read"]"#)),
            allowed_sessions: Some(json(r#"["shop-1"]"#)),
            allowed_chats: Some(json(&format!("[\"{ALICE}\"]"))),
            expires_at: Some(at(100)),
            ..Default::default()
        },
    );
    allow(&store, &key, "203.0.113.7", None);
    let id = key.api_key.id;
    store.api_keys().update(id, off()).wait().unwrap();
    cx.pass(200);
    let mut ask = Ask {
        permission: Some(Permission::MessagesSend),
        ip: Some("198.51.100.1".parse().unwrap()),
        session_alias: None,
        session: Some("shop-2"),
        chat: Some(BOB),
    };
    // Everything is wrong at first; each step puts the reason right that was just told.
    assert_eq!(decide(&store, "unknown", &ask), Decision::UnknownKey);
    assert_eq!(decide(&store, &key.key, &ask), Decision::Inactive);
    let on = ApiKeyUpdate { active: Some(true), ..Default::default() };
    store.api_keys().update(id, on).wait().unwrap();
    assert_eq!(decide(&store, &key.key, &ask), Decision::Expired);
    cx.clock.set(at(0));
    assert_eq!(decide(&store, &key.key, &ask), Decision::IpDenied);
    ask.ip = Some("203.0.113.7".parse().unwrap());
    assert_eq!(decide(&store, &key.key, &ask), Decision::PermissionDenied);
    ask.permission = Some(Permission::MessagesRead);
    assert_eq!(decide(&store, &key.key, &ask), Decision::SessionDenied);
    ask.session = Some("shop-1");
    assert_eq!(decide(&store, &key.key, &ask), Decision::ChatDenied);
    ask.chat = Some(ALICE);
    assert_eq!(decide(&store, &key.key, &ask), Decision::Allowed);
}

fn permissions_are_exact_and_star_allows_all(cx: &Context) {
    let store = cx.store();
    let key = create(
        &store,
        NewApiKey { permissions: Some(json(r#"["messages:read","sessions:write"]"#)), ..Default::default() },
    );
    for permission in Permission::ALL {
        let has = matches!(permission, Permission::MessagesRead | Permission::SessionsWrite);
        let expected = if has { Decision::Allowed } else { Decision::PermissionDenied };
        assert_eq!(decide(&store, &key.key, &ask_for(*permission)), expected, "{permission}");
    }
}

fn no_permissions_deny_everything(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey { permissions: Some(json("[]")), ..Default::default() });
    assert_eq!(decide(&store, &key.key, &Ask::default()), Decision::PermissionDenied);
    assert_eq!(decide(&store, &key.key, &ask_for(Permission::GroupsRead)), Decision::PermissionDenied);
}

fn a_key_expires_at_its_time(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey { expires_at: Some(at(10)), ..Default::default() });
    cx.pass(9);
    assert_eq!(decide(&store, &key.key, &Ask::default()), Decision::Allowed);
    cx.pass(1);
    assert_eq!(decide(&store, &key.key, &Ask::default()), Decision::Expired);
}

fn a_scope_confines_to_sessions(cx: &Context) {
    let store = cx.store();
    let scoped =
        |names: &str| create(&store, NewApiKey { allowed_sessions: Some(json(names)), ..Default::default() });
    let key = scoped(r#"["shop-1"]"#).key;
    let about = |session| Ask { session, ..Ask::default() };
    assert_eq!(decide(&store, &key, &about(Some("shop-1"))), Decision::Allowed);
    assert_eq!(decide(&store, &key, &about(Some("shop-2"))), Decision::SessionDenied);
    assert_eq!(decide(&store, &key, &about(None)), Decision::SessionDenied);
    assert_eq!(decide(&store, &scoped("[]").key, &about(Some("shop-1"))), Decision::SessionDenied);
}

fn a_scope_confines_to_chats_in_any_spelling(cx: &Context) {
    let store = cx.store();
    for written in [ALICE, "12025550143@c.us", "+12025550143"] {
        let scope = Some(json(&format!("[\"{written}\"]")));
        let key = create(&store, NewApiKey { allowed_chats: scope, ..Default::default() }).key;
        for asked in [ALICE, "12025550143@c.us", "12025550143:7@s.whatsapp.net"] {
            let ask = Ask { chat: Some(asked), ..Ask::default() };
            assert_eq!(decide(&store, &key, &ask), Decision::Allowed, "{written} {asked}");
        }
        assert_eq!(decide(&store, &key, &Ask { chat: Some(BOB), ..Ask::default() }), Decision::ChatDenied);
        assert_eq!(decide(&store, &key, &Ask::default()), Decision::ChatDenied);
    }
}

fn a_whitelist_restricts_the_address(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey::default());
    assert_eq!(decide(&store, &key.key, &Ask::default()), Decision::Allowed, "no rows: from anywhere");
    allow(&store, &key, "203.0.113.7", None);
    assert_eq!(decide(&store, &key.key, &from("203.0.113.7")), Decision::Allowed);
    assert_eq!(decide(&store, &key.key, &from("::ffff:203.0.113.7")), Decision::Allowed);
    assert_eq!(decide(&store, &key.key, &from("203.0.113.8")), Decision::IpDenied);
    assert_eq!(decide(&store, &key.key, &Ask::default()), Decision::IpDenied, "no address");
}

fn a_whitelist_without_active_rows_denies(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey::default());
    let entry = allow(&store, &key, "203.0.113.7", None);
    assert!(store.api_keys().set_address_active(entry, false).wait().unwrap());
    assert_eq!(decide(&store, &key.key, &from("203.0.113.7")), Decision::IpDenied);
    assert!(store.api_keys().remove_address(entry).wait().unwrap());
    assert!(!store.api_keys().remove_address(entry).wait().unwrap());
    assert_eq!(decide(&store, &key.key, &from("203.0.113.7")), Decision::Allowed, "no rows again");
}

fn a_network_stands_beside_an_address(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey::default());
    allow(&store, &key, "10.0.0.0", Some("10.0.0.0/8"));
    allow(&store, &key, "10.0.0.0", Some("10.0.0.0/24"));
    allow(&store, &key, "2001:db8::1", None);
    for (ip, expected) in [
        ("10.255.1.1", Decision::Allowed),
        ("11.0.0.1", Decision::IpDenied),
        ("2001:db8::1", Decision::Allowed),
        ("2001:db8::2", Decision::IpDenied),
    ] {
        assert_eq!(decide(&store, &key.key, &from(ip)), expected, "{ip}");
    }
}

fn a_change_takes_effect_on_the_next_call(cx: &Context) {
    let store = cx.store();
    create(&store, NewApiKey::default());
    let key = create(&store, NewApiKey::default());
    let id = key.api_key.id;
    assert_eq!(decide(&store, &key.key, &ask_for(Permission::MessagesSend)), Decision::Allowed);
    let narrowed = ApiKeyUpdate { permissions: Some(json(r#"["groups:read"]"#)), ..Default::default() };
    store.api_keys().update(id, narrowed).wait().unwrap();
    assert_eq!(decide(&store, &key.key, &ask_for(Permission::MessagesSend)), Decision::PermissionDenied);
    store.api_keys().revoke(id, false).wait().unwrap();
    assert_eq!(decide(&store, &key.key, &Ask::default()), Decision::Inactive);
    store.api_keys().delete(id, false).wait().unwrap();
    assert_eq!(decide(&store, &key.key, &Ask::default()), Decision::UnknownKey);
}

fn every_thread_gets_the_right_answer(cx: &Context) {
    let store = cx.store();
    let keys: Vec<_> = (0..8).map(|_| create(&store, NewApiKey::default())).collect();
    in_threads(8, |i| {
        for _ in 0..50 {
            let answer = store.api_keys().authorize(&keys[i].key, &Ask::default()).unwrap();
            assert_eq!(answer.api_key.unwrap().id, keys[i].api_key.id);
        }
    });
    let counted: i64 =
        store.api_keys().list(&page_of(100, None)).unwrap().items.iter().map(|key| key.usage_count).sum();
    assert_eq!(counted, 8 * 50);
}

fn uses_are_counted(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey::default());
    for _ in 0..5 {
        cx.pass(1);
        decide(&store, &key.key, &Ask::default());
    }
    let row = store.api_keys().get(key.api_key.id).unwrap();
    assert_eq!((row.usage_count, row.last_used_at), (5, Some(at(5))));
}

fn a_refused_use_is_not_counted(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey { permissions: Some(json("[]")), ..Default::default() });
    decide(&store, &key.key, &Ask::default());
    let row = store.api_keys().get(key.api_key.id).unwrap();
    assert_eq!((row.usage_count, row.last_used_at), (0, None));
}

fn a_revocation_by_another_store_is_seen_at_the_next_call(cx: &Context) {
    let (one, two) = (cx.store(), cx.store());
    create(&one, NewApiKey::default());
    let key = create(&one, NewApiKey::default());
    for round in 0..10 {
        assert_eq!(decide(&two, &key.key, &Ask::default()), Decision::Allowed, "{round}");
        one.api_keys().revoke(key.api_key.id, false).wait().unwrap();
        assert_eq!(decide(&two, &key.key, &Ask::default()), Decision::Inactive, "{round}");
        let on = ApiKeyUpdate { active: Some(true), ..Default::default() };
        one.api_keys().update(key.api_key.id, on).wait().unwrap();
    }
    allow(&one, &key, "203.0.113.7", None);
    assert_eq!(decide(&two, &key.key, &Ask::default()), Decision::IpDenied);
}

fn used_twice(store: &Store) -> uuid::Uuid {
    let key = create(store, NewApiKey::default());
    for _ in 0..2 {
        decide(store, &key.key, &Ask::default());
    }
    key.api_key.id
}

fn uses_survive_close(cx: &Context) {
    let store = cx.store();
    let id = used_twice(&store);
    store.close().unwrap();
    assert_eq!(cx.store().api_keys().get(id).unwrap().usage_count, 2);
}

fn uses_survive_the_last_clone(cx: &Context) {
    let store = cx.store();
    let id = used_twice(&store);
    drop(store.clone());
    drop(store);
    assert_eq!(cx.store().api_keys().get(id).unwrap().usage_count, 2);
}

fn counting_uses_does_not_undo_a_revocation(cx: &Context) {
    let (one, two) = (cx.store(), cx.store());
    create(&one, NewApiKey::default());
    let key = create(&one, NewApiKey::default());
    for _ in 0..3 {
        decide(&two, &key.key, &Ask::default());
    }
    one.api_keys().revoke(key.api_key.id, false).wait().unwrap();
    two.close().unwrap();
    let row = one.api_keys().get(key.api_key.id).unwrap();
    assert_eq!((row.active, row.usage_count), (false, 3));
}

fn peppered(cx: &Context, pepper: &str) -> Store {
    Store::open_with(Config { api_key_pepper: Some(pepper.into()), ..cx.config() }).unwrap()
}

fn switching_a_pepper_on_locks_nobody_out(cx: &Context) {
    let store = cx.store();
    let key = create(&store, NewApiKey::default());
    store.close().unwrap();
    let store = peppered(cx, "pepper");
    assert_eq!(decide(&store, &key.key, &Ask::default()), Decision::Allowed);
    assert_eq!(store.api_keys().find(&key.key).unwrap().unwrap().id, key.api_key.id);
    store.close().unwrap();
    let store = peppered(cx, "pepper");
    let row = store.api_keys().get(key.api_key.id).unwrap();
    assert_ne!(row.key_hash, key.api_key.key_hash, "its hash was replaced at the first use");
    assert_eq!(decide(&store, &key.key, &Ask::default()), Decision::Allowed);
    store.close().unwrap();
    assert_eq!(
        decide(&cx.store(), &key.key, &Ask::default()),
        Decision::UnknownKey,
        "the pepper is needed now"
    );
}

fn another_pepper_knows_no_key(cx: &Context) {
    let store = peppered(cx, "pepper");
    let key = create(&store, NewApiKey::default()).key;
    store.close().unwrap();
    assert_eq!(decide(&peppered(cx, "salt"), &key, &Ask::default()), Decision::UnknownKey);
}
