//! A store in which every table has rows, with everything that is hard to carry, and what is exported of it.

use openwa_store::engine::ContactChange;
use openwa_store::{
    AuthEntry, Config, ExportOptions, ImportOptions, Json, ManualClock, Missing, Mode, NewApiKey,
    NewApiKeyLog, NewAuditLog, NewBatch, NewBatchMessage, NewDelivery, NewMessage, NewSession, NewWebhook,
    NewWhitelistEntry, SessionUpdate, Store, TakeoverOptions, Text, Timestamp,
};

/// The export of both databases.
pub const EVERYTHING: ExportOptions =
    ExportOptions { main: true, tables: None, redact: false, compress: false };
/// The import that replaces what is there.
pub const REPLACE: ImportOptions =
    ImportOptions { mode: Mode::Replace, missing: Missing::Keep, dry_run: false };
/// A JSON value.
#[must_use]
pub fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

/// A store in which every table has rows, with everything that is hard to carry.
#[must_use]
pub fn full(config: Config) -> Store {
    let clock = ManualClock::new("2026-01-05T08:01:23.456Z".parse().unwrap());
    let store = Store::open_with(Config { clock, ..config }).unwrap();
    let strange =
        Text::from_utf16(&[0x61, 0, 0xD83D, 0x241B, 0x22, 0x5C, 0x0A, 0xD83D, 0xDE00, 0xDE00, 0x1F]);
    let tricky = json(
        r#"{"z":[1.10,1e2,-0,18446744073709551617,0.1e-7],"a":{"\u0000":"\ud83d ␛ \u00e9","":null},"a2":"\/"}"#,
    );

    let session = |name: &str| {
        let new = NewSession { name: name.into(), config: Some(tricky.clone()), ..Default::default() };
        store.sessions().create(new).wait().unwrap().id
    };
    let (first, second) = (session("shop-1"), session("shop-2"));
    let auth_state =
        SessionUpdate { auth_state: Some(Some(json(r#"{"sealed":"x"}"#))), ..Default::default() };
    store.sessions().update(first, auth_state).wait().unwrap();
    store.sessions().log(first, "null.document", Some(json("null"))).wait().unwrap();
    store.sessions().log(first, "no.document", None).wait().unwrap();

    let save = |message: NewMessage| {
        let whole = NewMessage {
            chat_id: "12025550143@s.whatsapp.net".into(),
            from_number: "12025550143@s.whatsapp.net".into(),
            r#type: "text".into(),
            ..message
        };
        store.messages().save(first, whole).wait().unwrap();
    };
    save(NewMessage { wa_message_id: Some("A1".into()), body: Some(strange.clone()), ..Default::default() });
    save(NewMessage {
        wa_message_id: Some("A2".into()),
        body: Some("".into()),
        raw: Some(vec![]),
        ..Default::default()
    });
    save(NewMessage {
        wa_message_id: Some("A3".into()),
        body: None,
        raw: Some((0..=255).collect()),
        ..Default::default()
    });
    save(NewMessage {
        body: Some("é😀".repeat(11_000).into()),
        raw: Some(vec![7; 70_001]),
        ..Default::default()
    });
    save(NewMessage {
        wa_timestamp: at("0000-01-01T00:00:00Z"),
        media: Some(tricky.clone()),
        ..Default::default()
    });
    save(NewMessage {
        wa_timestamp: at("1969-12-31T23:59:59.999Z"),
        edited_at: at("9999-12-31T23:59:59.999Z"),
        ..Default::default()
    });
    store.messages().react(first, "A1", "12025550199@s.whatsapp.net", "👍", None).wait().unwrap();
    store.messages().ack(first, "not here yet", 3).wait().unwrap();

    store.contacts().learn_identity(first, "99887766@lid", "12025550143@s.whatsapp.net").wait().unwrap();
    let contact = ContactChange {
        wa_contact_id: "12025550143@s.whatsapp.net".into(),
        name: Some(strange.clone()),
        ..Default::default()
    };
    store.contacts().upsert(first, contact).wait().unwrap();

    let new = NewWebhook {
        url: "https://example.com/hook".into(),
        secret: Some("hook-secret".into()),
        headers: Some(json(r#"{"X-Key":"header-secret"}"#)),
        ..Default::default()
    };
    let webhook = store.webhooks().create(first, new).wait().unwrap().id;
    let delivery = NewDelivery {
        event: "message.received".into(),
        status_code: None,
        attempt: None,
        payload: tricky.clone(),
        response: Some(json("null")),
        error: Some(strange.clone()),
    };
    store.webhooks().log(webhook, delivery).wait().unwrap();
    store.webhooks().begin(webhook, strange.clone(), "message.received").wait().unwrap();
    store.webhooks().begin(webhook, "plain", "message.received").wait().unwrap();
    store.webhooks().finish(webhook, "plain", Some(200), Some(json("[1, 2]"))).wait().unwrap();

    let message = NewBatchMessage {
        chat_id: "1@s.whatsapp.net".into(),
        message_type: "text".into(),
        content: tricky.clone(),
        variables: None,
    };
    let batch = NewBatch { batch_id: "spring".into(), messages: vec![message; 3], options: None };
    let job = store.batches().create(second, batch).wait().unwrap().id;
    store.batches().claim_next(job).wait().unwrap();

    let entry = |category: &str, key: &str, value: Vec<u8>| AuthEntry {
        category: category.into(),
        key_id: key.into(),
        value: Some(value),
    };
    let entries = vec![
        entry("creds", "", vec![0, 255]),
        entry("pre-key", "10", vec![]),
        entry("pre-key", "9", b"auth-secret".to_vec()),
    ];
    store.auth().set(second, entries).wait().unwrap();

    let new = NewApiKey {
        name: "admin".into(),
        allowed_sessions: Some(json(r#"["shop-1"]"#)),
        ..Default::default()
    };
    let key = store.api_keys().create(new).wait().unwrap().api_key.id;
    let address = NewWhitelistEntry { ip_address: "10.0.0.1".into(), ..Default::default() };
    store.api_keys().allow_address(key, address).wait().unwrap();
    let log = |api_key_id| NewApiKeyLog {
        api_key_id,
        endpoint: "/x".into(),
        method: "GET".into(),
        status_code: 200,
        ..Default::default()
    };
    store.api_keys().log(log(Some(key))).wait().unwrap();
    store.api_keys().log(log(None)).wait().unwrap();
    let audit =
        NewAuditLog { action: "session.created".into(), metadata: Some(tricky), ..Default::default() };
    store.audit().log(audit).wait().unwrap();

    extra(&store);
    for database in store.status().unwrap().databases {
        assert!(database.rows.iter().all(|(_, rows)| *rows > 0), "a table without rows: {:?}", database.rows);
    }
    store
}

/// A row that only a takeover makes.
fn extra(store: &Store) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("export.json");
    let row = r#"{"id":"l-1","label":"\u0000 \ud83d ␛","n":1.5,"none":null}"#;
    std::fs::write(&path, format!(r#"{{"tables":{{"chatLabels":[{row}]}}}}"#)).unwrap();
    let sources = [path.to_str().unwrap().to_owned()];
    store.takeover(&sources, &TakeoverOptions::default(), None).unwrap();
}

/// A store's export.
#[must_use]
pub fn document(store: &Store, options: &ExportOptions) -> String {
    let mut out = Vec::new();
    store.export(&mut out, options, None).unwrap();
    String::from_utf8(out).unwrap()
}

/// The document's tables as they stand in it.
#[must_use]
pub fn tables(document: &str) -> &str {
    let start = document.find("\"tables\":").unwrap() + "\"tables\":".len();
    &document[start..document.rfind(",\"counts\":").unwrap()]
}
