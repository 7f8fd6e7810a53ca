//! Making, changing and deleting API keys, their whitelists, and the log of their use.

use openwa_store::entity::ApiKey;
use openwa_store::{
    ApiKeyUpdate, Ask, Json, Kind, NewApiKey, NewApiKeyLog, NewWhitelistEntry, PageRequest, Store,
};
use uuid::Uuid;

use super::{Case, Context, all_pages, at, cases, in_threads, refused, refused_for};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    a_key_is_shown_once_and_never_stored,
    any_string_can_be_registered_once,
    a_bad_key_names_its_column,
    an_update_changes_what_it_names,
    keys_are_listed_in_order_and_paged,
    the_last_full_access_key_cannot_be_lost,
    a_limited_key_does_not_count_as_full_access,
    of_two_full_access_keys_one_can_go,
    many_threads_cannot_remove_the_last_key,
    force_removes_even_the_last_key,
    a_whitelist_takes_addresses_and_networks_only,
    an_entry_is_listed_once,
    requests_are_logged,
    requests_are_logged_later,
    the_log_outlives_its_key,
    what_does_not_exist_is_not_found,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![];

fn named(name: &str) -> NewApiKey {
    NewApiKey { name: name.into(), ..Default::default() }
}

fn create(store: &Store, new: NewApiKey) -> ApiKey {
    store.api_keys().create(new).wait().unwrap().api_key
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn a_key_is_shown_once_and_never_stored(cx: &Context) {
    let store = cx.store();
    let made = store.api_keys().create(named("till")).wait().unwrap();
    assert!(made.key.starts_with("owa_k1_") && made.key.len() == 71);
    let row = store.api_keys().get(made.api_key.id).unwrap();
    assert_eq!((row.key_prefix.as_stored(), row.key_hash.chars()), (&made.key[..12], 64));
    assert_eq!((row.active, row.usage_count, row.created_at), (true, 0, at(0)));
    assert_eq!(row.permissions, json(r#"["*"]"#));
    assert_eq!((row.allowed_sessions.clone(), row.allowed_chats.clone(), row.expires_at), (None, None, None));
    let printed = format!("{row:?} {made:?}");
    assert!(!printed.contains(&made.key) && !printed.contains(row.key_hash.as_stored()));
    assert_eq!(store.api_keys().find(&made.key).unwrap(), Some(row));
    assert_eq!(store.api_keys().find("other").unwrap(), None);
}

fn any_string_can_be_registered_once(cx: &Context) {
    let store = cx.store();
    let made = store.api_keys().register("bootstrap secret", named("admin")).wait().unwrap();
    assert!(store.api_keys().authorize("bootstrap secret", &Ask::default()).unwrap().is_allowed());
    assert_eq!(made.key, "bootstrap secret");
    let again = store.api_keys().register(" bootstrap secret ", named("admin 2"));
    refused(again.wait(), Kind::AlreadyExists);
    for empty in ["", " \n"] {
        refused_for(store.api_keys().register(empty, named("x")).wait(), "key");
    }
}

fn a_bad_key_names_its_column(cx: &Context) {
    let store = cx.store();
    let base = || named("x");
    for (column, bad) in [
        ("name", named("")),
        ("name", named(" ")),
        ("name", named(&"x".repeat(101))),
        ("permissions", NewApiKey { permissions: Some(json(r#"["messages:*"]"#)), ..base() }),
        ("permissions", NewApiKey { permissions: Some(json(r#"["admin"]"#)), ..base() }),
        ("permissions", NewApiKey { permissions: Some(json("{}")), ..base() }),
        ("allowed_sessions", NewApiKey { allowed_sessions: Some(json("[1]")), ..base() }),
        ("allowed_chats", NewApiKey { allowed_chats: Some(json(r#""x""#)), ..base() }),
    ] {
        refused_for(store.api_keys().create(bad).wait(), column);
    }
    assert_eq!(store.api_keys().list(&PageRequest::default()).unwrap().items, []);
}

fn an_update_changes_what_it_names(cx: &Context) {
    let store = cx.store();
    create(&store, named("admin"));
    let id = create(&store, named("till")).id;
    let all = ApiKeyUpdate {
        name: Some("renamed".into()),
        permissions: Some(json(r#"["messages:send"]"#)),
        allowed_sessions: Some(Some(json(r#"["shop-1"]"#))),
        allowed_chats: Some(Some(json(r#"["12025550143@c.us"]"#))),
        active: Some(true),
        expires_at: Some(Some(at(60))),
    };
    let row = store.api_keys().update(id, all).wait().unwrap();
    assert_eq!((row.name.as_stored(), row.expires_at), ("renamed", Some(at(60))));
    assert_eq!(row.allowed_chats, Some(json(r#"["12025550143@s.whatsapp.net"]"#)), "as chats are stored");
    assert_eq!(store.api_keys().update(id, ApiKeyUpdate::default()).wait().unwrap(), row);
    let wide = ApiKeyUpdate {
        allowed_sessions: Some(None),
        allowed_chats: Some(None),
        expires_at: Some(None),
        ..Default::default()
    };
    let row = store.api_keys().update(id, wide).wait().unwrap();
    assert_eq!((row.allowed_sessions, row.allowed_chats, row.expires_at), (None, None, None));
    let unknown = ApiKeyUpdate { permissions: Some(json(r#"["x"]"#)), ..Default::default() };
    refused_for(store.api_keys().update(id, unknown).wait(), "permissions");
}

fn keys_are_listed_in_order_and_paged(cx: &Context) {
    let store = cx.store();
    let made: Vec<Uuid> = (0..5).map(|i| create(&store, named(&format!("k{i}"))).id).collect();
    for limit in [2, 100] {
        let rows = all_pages(limit, |request| store.api_keys().list(request));
        assert_eq!(rows.iter().map(|k| k.id).collect::<Vec<_>>(), made);
    }
}

fn the_last_full_access_key_cannot_be_lost(cx: &Context) {
    let store = cx.store();
    let id = create(&store, named("admin")).id;
    let base = ApiKeyUpdate::default;
    for narrowed in [
        ApiKeyUpdate { active: Some(false), ..base() },
        ApiKeyUpdate { permissions: Some(json(r#"["messages:read"]"#)), ..base() },
        ApiKeyUpdate { permissions: Some(json("[]")), ..base() },
        ApiKeyUpdate { allowed_sessions: Some(Some(json("[]"))), ..base() },
        ApiKeyUpdate { allowed_chats: Some(Some(json("[]"))), ..base() },
        ApiKeyUpdate { expires_at: Some(Some(at(-1))), ..base() },
    ] {
        refused(store.api_keys().update(id, narrowed).wait(), Kind::LastFullAccessKey);
    }
    refused(store.api_keys().revoke(id, false).wait(), Kind::LastFullAccessKey);
    refused(store.api_keys().delete(id, false).wait(), Kind::LastFullAccessKey);
    let renamed = ApiKeyUpdate { name: Some("root".into()), ..base() };
    assert_eq!(store.api_keys().update(id, renamed).wait().unwrap().name, "root");
}

fn a_limited_key_does_not_count_as_full_access(cx: &Context) {
    let store = cx.store();
    let id = create(&store, named("admin")).id;
    create(&store, NewApiKey { permissions: Some(json(r#"["messages:read"]"#)), ..named("reader") });
    create(&store, NewApiKey { allowed_sessions: Some(json(r#"["a"]"#)), ..named("scoped") });
    create(&store, NewApiKey { expires_at: Some(at(-1)), ..named("expired") });
    let off = create(&store, named("off")).id;
    store.api_keys().revoke(off, false).wait().unwrap();
    refused(store.api_keys().revoke(id, false).wait(), Kind::LastFullAccessKey);
}

fn of_two_full_access_keys_one_can_go(cx: &Context) {
    let store = cx.store();
    let (one, two) = (create(&store, named("one")).id, create(&store, named("two")).id);
    assert!(store.api_keys().delete(one, false).wait().unwrap());
    assert!(!store.api_keys().delete(one, false).wait().unwrap());
    refused(store.api_keys().delete(two, false).wait(), Kind::LastFullAccessKey);
}

fn many_threads_cannot_remove_the_last_key(cx: &Context) {
    let store = cx.store();
    let keys: Vec<Uuid> = (0..8).map(|i| create(&store, named(&format!("k{i}"))).id).collect();
    let revoked = in_threads(8, |i| store.api_keys().revoke(keys[i], false).wait().is_ok());
    assert_eq!(revoked.into_iter().filter(|ok| *ok).count(), 7);
}

fn force_removes_even_the_last_key(cx: &Context) {
    let store = cx.store();
    let id = create(&store, named("admin")).id;
    assert!(!store.api_keys().revoke(id, true).wait().unwrap().active);
    let id = create(&store, named("admin")).id;
    assert!(store.api_keys().delete(id, true).wait().unwrap());
}

fn a_whitelist_takes_addresses_and_networks_only(cx: &Context) {
    let store = cx.store();
    let key = create(&store, named("till")).id;
    let add = |ip: &str, cidr: Option<&str>| {
        let cidr_range = cidr.map(Into::into);
        let entry = NewWhitelistEntry { ip_address: ip.into(), cidr_range, ..Default::default() };
        store.api_keys().allow_address(key, entry).wait()
    };
    for ip in ["", "010.0.0.1", "10.0.0", "10.0.0.1/8", "localhost", "1.2.3.4 "] {
        refused_for(add(ip, None), "ip_address");
    }
    for cidr in ["", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/0x10", "10.0.0.0/-1", "::/129"] {
        refused_for(add("10.0.0.0", Some(cidr)), "cidr_range");
    }
    assert_eq!(store.api_keys().whitelist(key).unwrap(), []);
}

fn an_entry_is_listed_once(cx: &Context) {
    let store = cx.store();
    let key = create(&store, named("till")).id;
    let entry = |cidr: Option<&str>| NewWhitelistEntry {
        ip_address: "10.0.0.0".into(),
        cidr_range: cidr.map(Into::into),
        description: Some("office".into()),
        active: None,
    };
    let add = |cidr| store.api_keys().allow_address(key, entry(cidr)).wait();
    for cidr in [None, Some("10.0.0.0/8"), Some("10.0.0.0/24")] {
        add(cidr).unwrap();
        refused(add(cidr), Kind::AlreadyExists);
    }
    let rows = store.api_keys().whitelist(key).unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|r| r.active && *r.description.as_ref().unwrap() == "office"));
    assert!(!store.api_keys().set_address_active(Uuid::from_u128(7), true).wait().unwrap());
    refused(store.api_keys().allow_address(Uuid::from_u128(7), entry(None)).wait(), Kind::NotFound);
}

fn request(key: Option<Uuid>, endpoint: &str) -> NewApiKeyLog {
    NewApiKeyLog {
        api_key_id: key,
        endpoint: endpoint.into(),
        method: "GET".into(),
        status_code: 200,
        response_time: Some(3),
        ..Default::default()
    }
}

fn requests_are_logged(cx: &Context) {
    let store = cx.store();
    let key = create(&store, named("till")).id;
    for (owner, endpoint) in [(Some(key), "/a"), (None, "/b"), (Some(key), "/c")] {
        cx.pass(1);
        store.api_keys().log(request(owner, endpoint)).wait().unwrap();
    }
    let read = |owner| {
        let rows = all_pages(1, |r| store.api_keys().logs(owner, r));
        rows.into_iter().map(|l| l.endpoint.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(read(None), ["/c", "/b", "/a"]);
    assert_eq!(read(Some(key)), ["/c", "/a"]);
    let long = store.api_keys().log(request(None, &"x".repeat(300))).wait().unwrap();
    assert_eq!(long.endpoint.chars(), 255, "a stranger's path is cut, not refused");
}

fn requests_are_logged_later(cx: &Context) {
    let store = cx.store();
    create(&store, named("admin"));
    let key = create(&store, named("till")).id;
    for (owner, endpoint) in [(Some(key), "/a"), (None, "/b"), (Some(Uuid::from_u128(7)), "/c")] {
        cx.pass(1);
        store.api_keys().log_later(&request(owner, endpoint)).unwrap();
    }
    store.api_keys().log_later(&request(None, &"x".repeat(300))).unwrap();
    let rows = store.api_keys().logs(None, &PageRequest::default()).unwrap().items;
    let owners: Vec<_> = rows.iter().map(|row| (row.endpoint.chars(), row.api_key_id)).collect();
    assert_eq!(
        owners,
        [(255, None), (2, None), (2, None), (2, Some(key))],
        "a key that is gone leaves its entry"
    );
    assert_eq!(store.log_buffer().unwrap(), openwa_store::LogBuffer::default());
}

fn the_log_outlives_its_key(cx: &Context) {
    let store = cx.store();
    create(&store, named("admin"));
    let key = create(&store, named("till")).id;
    store.api_keys().log(request(Some(key), "/a")).wait().unwrap();
    store.api_keys().delete(key, false).wait().unwrap();
    let rows = store.api_keys().logs(None, &PageRequest::default()).unwrap().items;
    assert_eq!((rows.len(), rows[0].api_key_id), (1, None));
}

fn what_does_not_exist_is_not_found(cx: &Context) {
    let store = cx.store();
    let none = Uuid::from_u128(7);
    refused(store.api_keys().get(none), Kind::NotFound);
    refused(store.api_keys().update(none, ApiKeyUpdate::default()).wait(), Kind::NotFound);
    refused(store.api_keys().revoke(none, false).wait(), Kind::NotFound);
    assert!(!store.api_keys().delete(none, false).wait().unwrap());
    refused(store.api_keys().log(request(Some(none), "/a")).wait(), Kind::NotFound);
}
