//! Secrets at rest: sealed, opened, sealed with another key, lost. Which bytes lie on the disk is another test's matter.

use openwa_store::{
    AuthEntry, AuthValue, Config, ExportOptions, ImportOptions, Json, Kind, MigrateOptions, NewApiKey,
    NewSession, NewWebhook, PageRequest, SecretsState, SessionUpdate, Store, StoreKey, Text, Uuid,
    WebhookUpdate, compare,
};

use super::{Case, Context, cases, incoming, refused, store_key};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    secrets_read_as_they_were_written,
    a_store_without_a_key_is_in_clear,
    what_looks_sealed_is_a_value_like_any_other,
    a_store_that_is_not_sealed_has_no_key_to_change,
    a_key_is_not_printed,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![
    without_the_key_what_needs_no_secret_goes_on,
    a_wrong_key_is_refused_at_once,
    a_key_for_a_store_in_clear_seals_it,
    who_was_there_before_the_seal_overwrites_nothing,
    a_changed_key_reaches_those_who_are_at_work,
    the_old_key_opens_for_a_day,
    a_retired_key_opens_nothing,
    a_key_may_be_changed_again_and_back,
    opened_secrets_are_in_clear,
    a_lost_key_costs_the_secrets_only,
    documents_move_between_keys,
    a_store_moves_between_keys,
    a_merge_seals_what_it_adds,
];

fn with(cx: &Context, key: Option<StoreKey>) -> Config {
    Config { store_key: key, ..cx.config() }
}

fn open(cx: &Context, key: u8) -> Store {
    Store::open_with(with(cx, Some(store_key(key)))).unwrap()
}

fn open_without(cx: &Context) -> Store {
    Store::open_with(with(cx, None)).unwrap()
}

const CONFIG: &str = r#"{"storeHistory":true,"n":18446744073709551617,"proxy":{"host":"proxy.example.com","password":"pr0xy-pass"},"urls":["http://user:url-pass@proxy.example.com:8080",1.10]}"#;

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// A session with one secret of each kind, and its webhook.
fn fill(store: &Store) -> (Uuid, Uuid) {
    let new = NewSession { name: "shop-1".into(), config: Some(json(CONFIG)), ..NewSession::default() };
    let session = store.sessions().create(new).wait().unwrap().id;
    let state =
        SessionUpdate { auth_state: Some(Some(json(r#"{"blob":"st4te"}"#))), ..SessionUpdate::default() };
    store.sessions().update(session, state).wait().unwrap();
    let webhook = NewWebhook {
        url: "https://example.com/hook".into(),
        secret: Some("h00k-secret".into()),
        headers: Some(json(r#"{"Authorization":"Bearer t0ken"}"#)),
        ..NewWebhook::default()
    };
    let webhook = store.webhooks().create(session, webhook).wait().unwrap().id;
    set(store, session, "me", b"cr3ds").unwrap();
    (session, webhook)
}

fn set(store: &Store, session: Uuid, key_id: &str, value: &[u8]) -> openwa_store::Result<()> {
    let entry = AuthEntry { category: "creds".into(), key_id: key_id.into(), value: Some(value.to_vec()) };
    store.auth().set(session, vec![entry]).wait()
}

fn get(store: &Store, session: Uuid) -> openwa_store::Result<AuthValue> {
    store.auth().get(session, "creds", "me")
}

/// Checks that every secret of [`fill`] reads as it was written.
#[track_caller]
fn assert_filled(store: &Store, (session, webhook): (Uuid, Uuid)) {
    let row = store.sessions().get(session).unwrap();
    assert_eq!(row.config, json(CONFIG));
    assert_eq!(row.auth_state, Some(json(r#"{"blob":"st4te"}"#)));
    assert_eq!(get(store, session).unwrap(), AuthValue::Found(b"cr3ds".to_vec()));
    assert!(store.auth().all(session).unwrap().iter().any(|row| row.value == b"cr3ds"));
    let hook = store.webhooks().get(webhook).unwrap();
    assert_eq!(hook.secret.unwrap(), "h00k-secret");
    assert_eq!(hook.headers, json(r#"{"Authorization":"Bearer t0ken"}"#));
    assert_eq!(store.webhooks().list(session, &PageRequest::default()).unwrap().items.len(), 1);
}

fn state(store: &Store) -> SecretsState {
    store.secrets_status().unwrap().state
}

fn secrets_read_as_they_were_written(cx: &Context) {
    let store = open(cx, 1 - u8::from(cx.config().store_key.is_some()));
    let ids = fill(&store);
    let status = store.secrets_status().unwrap();
    assert_eq!((status.state, status.usable, status.old_key), (SecretsState::Sealed, true, None));
    assert_eq!(status.key, store.config().store_key.as_ref().map(StoreKey::id));
    let row = store.sessions().get(ids.0).unwrap();
    assert_eq!(row.config, json(CONFIG));
    assert_eq!(store.sessions().find("shop-1").unwrap(), Some(row));
    assert_eq!(get(&store, ids.0).unwrap(), AuthValue::Found(b"cr3ds".to_vec()));
    let hooks =
        store.webhooks().subscribed(ids.0, openwa_store::policy::webhook::WebhookEvent::MessageReceived);
    assert_eq!(hooks.unwrap()[0].secret.as_ref().unwrap(), "h00k-secret");
    // A change of something else leaves the secrets, and a secret can be changed and taken away.
    let update = WebhookUpdate { secret: Some(Some("other".into())), ..WebhookUpdate::default() };
    assert_eq!(store.webhooks().update(ids.1, update).wait().unwrap().secret.unwrap(), "other");
    let update = WebhookUpdate { secret: Some(None), ..WebhookUpdate::default() };
    store.webhooks().update(ids.1, update).wait().unwrap();
    let hook = store.webhooks().get(ids.1).unwrap();
    assert_eq!((hook.secret, hook.headers), (None, json(r#"{"Authorization":"Bearer t0ken"}"#)));
    let long = "x".repeat(255);
    let update = WebhookUpdate { secret: Some(Some(long.as_str().into())), ..WebhookUpdate::default() };
    store.webhooks().update(ids.1, update).wait().unwrap();
    assert_eq!(store.webhooks().get(ids.1).unwrap().secret.unwrap(), long.as_str());
    for value in [&b""[..], b"\0\xff", b"openwa-sealed:1:", &[7; 100_000]] {
        set(&store, ids.0, "me", value).unwrap();
        assert_eq!(get(&store, ids.0).unwrap(), AuthValue::Found(value.to_vec()));
    }
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

fn a_store_without_a_key_is_in_clear(cx: &Context) {
    let store = open_without(cx);
    let status = store.secrets_status().unwrap();
    assert_eq!((status.state, status.key, status.usable), (SecretsState::Clear, None, true));
    refused(store.seal_secrets(None), Kind::StoreKeyMissing);
    refused(store.forget_secrets(None), Kind::Conflict);
    assert_eq!(store.unseal_secrets(None).unwrap(), 0);
}

/// Texts and documents that begin like a sealed value, or are one.
fn what_looks_sealed_is_a_value_like_any_other(cx: &Context) {
    let marked = format!("openwa-sealed:1:{}:AAAA", "0".repeat(16));
    let documents =
        [format!("\"{marked}\""), r#""openwa-sealed:0:""#.to_owned(), "\"openwa-sealed:\"".to_owned()];
    for store in [
        open_without(cx),
        Store::open_with(Config { store_key: Some(store_key(1)), ..Config::in_memory() }).unwrap(),
    ] {
        let (session, webhook) = fill(&store);
        for document in &documents {
            let config = json(&format!(r#"{{"password":{document},"other":[{document}]}}"#));
            let update = SessionUpdate {
                auth_state: Some(Some(json(document))),
                config: Some(config.clone()),
                ..SessionUpdate::default()
            };
            store.sessions().update(session, update).wait().unwrap();
            let row = store.sessions().get(session).unwrap();
            assert_eq!((row.auth_state, row.config), (Some(json(document)), config));
            let text = Text::from(&document[1..document.len() - 1]);
            let update = WebhookUpdate { secret: Some(Some(text.clone())), ..WebhookUpdate::default() };
            store.webhooks().update(webhook, update).wait().unwrap();
            assert_eq!(store.webhooks().get(webhook).unwrap().secret, Some(text.clone()));
            let bytes = text.as_stored().as_bytes();
            set(&store, session, "me", bytes).unwrap();
            assert_eq!(get(&store, session).unwrap(), AuthValue::Found(bytes.to_vec()));
        }
    }
}

fn a_store_that_is_not_sealed_has_no_key_to_change(cx: &Context) {
    let store = open_without(cx);
    refused(store.rotate_store_key(&store_key(2), false, None), Kind::Conflict);
}

fn a_key_is_not_printed(cx: &Context) {
    let store = open(cx, 0);
    let digits = store_key(0).to_hex();
    assert!(!format!("{store:?} {:?} {:?}", store.config(), store_key(0)).contains(&digits));
    let e = Config::from_vars(".", |name| (name == "OPENWA_STORE_KEY").then(|| digits[1..].to_owned()));
    assert!(!format!("{:?}", e.unwrap_err()).contains(&digits[1..]));
}

fn without_the_key_what_needs_no_secret_goes_on(cx: &Context) {
    let store = open(cx, 0);
    let ids @ (session, webhook) = fill(&store);
    let key = store.api_keys().create(NewApiKey { name: "k".into(), ..NewApiKey::default() }).wait().unwrap();
    store.messages().save(session, incoming("M1", "hello")).wait().unwrap();
    store.close().unwrap();

    let store = open_without(cx);
    let status = store.secrets_status().unwrap();
    assert_eq!((status.state, status.usable), (SecretsState::Sealed, false));
    // Authentication, sessions and history go on.
    assert!(store.api_keys().find(&key.key).unwrap().is_some());
    store.messages().save(session, incoming("M2", "hello")).wait().unwrap();
    let messages = store.messages().list(session, &Default::default(), &PageRequest::default()).unwrap();
    assert_eq!(messages.items.len(), 2);
    let row = store.sessions().get(session).unwrap();
    assert_eq!(store.sessions().find("shop-1").unwrap(), Some(row.clone()));
    let shown = format!("{} {}", row.config.to_json(), row.auth_state.unwrap().to_json());
    assert!(shown.contains("openwa-sealed:1:") && shown.contains("proxy.example.com"), "{shown}");
    assert!(!["pr0xy-pass", "url-pass", "st4te"].iter().any(|secret| shown.contains(secret)), "{shown}");
    // Secrets do not, and nothing is overwritten.
    refused(get(&store, session), Kind::StoreKeyMissing);
    refused(store.auth().all(session), Kind::StoreKeyMissing);
    refused(set(&store, session, "me", b"new"), Kind::StoreKeyMissing);
    refused(store.webhooks().get(webhook), Kind::StoreKeyMissing);
    refused(store.webhooks().list(session, &PageRequest::default()), Kind::StoreKeyMissing);
    let update = SessionUpdate { push_name: Some(Some("Shop".into())), ..SessionUpdate::default() };
    refused(store.sessions().update(session, update).wait(), Kind::StoreKeyMissing);
    refused(store.seal_secrets(None), Kind::StoreKeyMissing);
    refused(store.unseal_secrets(None), Kind::StoreKeyMissing);
    refused(store.rotate_store_key(&store_key(2), false, None), Kind::StoreKeyMissing);
    refused(store.export(std::io::sink(), &ExportOptions::default(), None), Kind::StoreKeyMissing);
    let redacted = ExportOptions { redact: true, ..ExportOptions::default() };
    store.export(std::io::sink(), &redacted, None).unwrap();
    store.close().unwrap();
    assert_filled(&open(cx, 0), ids);
}

fn a_wrong_key_is_refused_at_once(cx: &Context) {
    let store = open(cx, 0);
    let ids = fill(&store);
    store.close().unwrap();
    let e = refused(Store::open_with(with(cx, Some(store_key(9)))), Kind::WrongStoreKey);
    assert_eq!(e.context("given"), Some(store_key(9).id().as_str()), "{e:?}");
    assert_eq!(e.context("key"), Some(store_key(0).id().as_str()), "{e:?}");
    assert_filled(&open(cx, 0), ids);
}

fn a_key_for_a_store_in_clear_seals_it(cx: &Context) {
    if cx.config().store_key.is_some() {
        // This one has been sealed from its beginning.
        return assert_eq!(state(&cx.store()), SecretsState::Sealed);
    }
    let store = cx.store();
    let ids = fill(&store);
    for i in 0..450 {
        set(&store, ids.0, &format!("k{i}"), format!("value {i}").as_bytes()).unwrap();
    }
    assert_filled(&store, ids);
    store.close().unwrap();
    let store = open(cx, 0);
    assert_eq!(state(&store), SecretsState::Sealed);
    assert_filled(&store, ids);
    assert_eq!(store.seal_secrets(None).unwrap(), 0, "nothing was left in clear");
    assert!(store.secrets_status().unwrap().clean);
    store.close().unwrap();
    let store = open_without(cx);
    refused(get(&store, ids.0), Kind::StoreKeyMissing);
}

fn who_was_there_before_the_seal_overwrites_nothing(cx: &Context) {
    if cx.config().store_key.is_some() {
        return assert_eq!(state(&cx.store()), SecretsState::Sealed);
    }
    let before = cx.store();
    let ids = fill(&before);
    assert_filled(&before, ids);
    let after = open(cx, 0);
    refused(set(&before, ids.0, "me", b"in clear"), Kind::StoreKeyMissing);
    refused(get(&before, ids.0), Kind::StoreKeyMissing);
    before.messages().save(ids.0, incoming("M1", "hello")).wait().unwrap();
    assert_filled(&after, ids);
}

fn a_changed_key_reaches_those_who_are_at_work(cx: &Context) {
    let (one, other) = (open(cx, 0), open(cx, 0));
    let ids = fill(&one);
    assert_filled(&other, ids);
    let mut tables = Vec::new();
    let mut progress = |p: openwa_store::Progress| {
        tables.push(p.table);
        std::ops::ControlFlow::Continue(())
    };
    assert_eq!(one.rotate_store_key(&store_key(2), false, Some(&mut progress)).unwrap(), 3);
    assert!(tables.contains(&"session_auth"), "{tables:?}");
    let status = one.secrets_status().unwrap();
    assert_eq!((status.state, status.key), (SecretsState::Sealed, Some(store_key(2).id())));
    assert_eq!(status.old_key, Some(store_key(0).id()));
    for store in [&one, &other, &open(cx, 2)] {
        assert_filled(store, ids);
        set(store, ids.0, "new", b"new").unwrap();
        assert_eq!(store.auth().get(ids.0, "creds", "new").unwrap(), AuthValue::Found(b"new".to_vec()));
    }
    assert_eq!(one.rotate_store_key(&store_key(2), false, None).unwrap(), 0, "all has the new key");
}

fn the_old_key_opens_for_a_day(cx: &Context) {
    let store = open(cx, 0);
    let ids = fill(&store);
    store.rotate_store_key(&store_key(2), false, None).unwrap();
    store.close().unwrap();
    cx.pass(23 * 3600);
    assert_filled(&open(cx, 0), ids);
    cx.pass(2 * 3600);
    assert_filled(&open(cx, 2), ids);
    refused(Store::open_with(with(cx, Some(store_key(0)))), Kind::WrongStoreKey);
    assert_eq!(open(cx, 2).secrets_status().unwrap().old_key, None);
}

fn a_retired_key_opens_nothing(cx: &Context) {
    let (store, asleep) = (open(cx, 0), open(cx, 0));
    let ids = fill(&store);
    store.rotate_store_key(&store_key(2), true, None).unwrap();
    assert_filled(&store, ids);
    refused(Store::open_with(with(cx, Some(store_key(0)))), Kind::WrongStoreKey);
    refused(get(&asleep, ids.0), Kind::WrongStoreKey);
    refused(set(&asleep, ids.0, "me", b"with the old key"), Kind::WrongStoreKey);
    assert_filled(&open(cx, 2), ids);
}

fn a_key_may_be_changed_again_and_back(cx: &Context) {
    let store = open(cx, 0);
    let ids = fill(&store);
    for key in [2, 3, 2, 0] {
        assert_eq!(store.rotate_store_key(&store_key(key), false, None).unwrap(), 3);
        assert_filled(&store, ids);
        assert_filled(&open(cx, key), ids);
    }
}

fn opened_secrets_are_in_clear(cx: &Context) {
    let (store, other) = (open(cx, 0), open(cx, 0));
    let ids = fill(&store);
    assert_filled(&other, ids);
    assert_eq!(store.unseal_secrets(None).unwrap(), 3);
    assert_eq!(state(&store), SecretsState::Clear);
    let without = open_without(cx);
    for store in [&store, &other, &without] {
        assert_filled(store, ids);
        set(store, ids.0, "new", b"new").unwrap();
    }
    assert_eq!(store.seal_secrets(None).unwrap(), 4);
    assert_filled(&store, ids);
    refused(get(&without, ids.0), Kind::StoreKeyMissing);
}

fn a_lost_key_costs_the_secrets_only(cx: &Context) {
    let store = open(cx, 0);
    let (session, webhook) = fill(&store);
    let bare = NewSession { name: "bare".into(), ..NewSession::default() };
    let bare = store.sessions().create(bare).wait().unwrap();
    store.sessions().transition(session, openwa_store::entity::SessionStatus::Initializing).wait().unwrap();
    store.messages().save(session, incoming("M1", "hello")).wait().unwrap();
    refused(store.forget_secrets(None), Kind::Conflict);
    store.close().unwrap();

    let store = open_without(cx);
    assert_eq!(store.forget_secrets(None).unwrap(), 3);
    assert_eq!(state(&store), SecretsState::Clear);
    let row = store.sessions().get(session).unwrap();
    assert_eq!((row.status.name(), row.auth_state), ("created", None));
    let kept = r#"{"storeHistory":true,"n":18446744073709551617,"proxy":{"host":"proxy.example.com","password":null},"urls":[null,1.10]}"#;
    assert_eq!(row.config, json(kept));
    assert_eq!(store.sessions().get(bare.id).unwrap(), bare);
    assert_eq!(get(&store, session).unwrap(), AuthValue::Missing);
    let hook = store.webhooks().get(webhook).unwrap();
    assert_eq!((hook.active, hook.secret, hook.headers), (false, None, json("{}")));
    let messages = store.messages().list(session, &Default::default(), &PageRequest::default()).unwrap();
    assert_eq!(messages.items.len(), 1);
    refused(store.forget_secrets(None), Kind::Conflict);
    store.close().unwrap();
    let store = open(cx, 5);
    set(&store, session, "me", b"cr3ds").unwrap();
    assert_eq!(get(&store, session).unwrap(), AuthValue::Found(b"cr3ds".to_vec()));
}

fn documents_move_between_keys(cx: &Context) {
    let export = |store: &Store| {
        let mut document = Vec::new();
        let report = store.export(&mut document, &ExportOptions::default(), None).unwrap();
        (document, report.sha256)
    };
    let import = |store: &Store, document: &[u8]| store.import(document, &ImportOptions::default(), None);
    let store = open(cx, 0);
    let ids = fill(&store);
    let (document, sha256) = export(&store);
    // A document holds secrets as they are, whatever the store: so it can be read without any key.
    let text = String::from_utf8(document.clone()).unwrap();
    assert!(
        text.contains("h00k-secret") && text.contains("pr0xy-pass") && !text.contains("openwa-sealed"),
        "{text}"
    );
    for key in [None, Some(store_key(7))] {
        let other = Store::open_with(Config { store_key: key, ..Config::in_memory() }).unwrap();
        import(&other, &document).unwrap();
        assert_filled(&other, ids);
        assert_eq!(export(&other).1, sha256);
        assert_eq!(compare(&store, &other).unwrap(), []);
    }
    // Into a store that has other things sealed.
    let update = WebhookUpdate { secret: Some(Some("newer".into())), ..WebhookUpdate::default() };
    store.webhooks().update(ids.1, update).wait().unwrap();
    import(&store, &document).unwrap();
    assert_filled(&store, ids);
    store.close().unwrap();
    let e = import(&open_without(cx), &document);
    refused(e, Kind::StoreKeyMissing);
    assert_filled(&open(cx, 0), ids);
}

fn a_store_moves_between_keys(cx: &Context) {
    let store = open(cx, 0);
    let ids = fill(&store);
    let dir = tempfile::tempdir().unwrap();
    for (i, key) in [None, Some(store_key(7)), Some(store_key(0))].into_iter().enumerate() {
        let config = Config { store_key: key, ..Config::new(dir.path().join(i.to_string())) };
        let target = Store::open_with(config).unwrap();
        store.migrate_to(&target, &MigrateOptions::default(), None).unwrap();
        assert_filled(&target, ids);
        // And back, over what is there.
        target.migrate_to(&store, &MigrateOptions { replace: true, ..Default::default() }, None).unwrap();
        assert_filled(&store, ids);
    }
}

fn a_merge_seals_what_it_adds(cx: &Context) {
    let source = Store::in_memory().unwrap();
    let ids = fill(&source);
    let mut document = Vec::new();
    source.export(&mut document, &ExportOptions::default(), None).unwrap();
    let store = open(cx, 0);
    let merge = ImportOptions { mode: openwa_store::Mode::Merge, ..ImportOptions::default() };
    for _ in 0..2 {
        store.import(&document[..], &merge, None).unwrap();
        assert_filled(&store, ids);
    }
    store.close().unwrap();
    refused(get(&open_without(cx), ids.0), Kind::StoreKeyMissing);
}
