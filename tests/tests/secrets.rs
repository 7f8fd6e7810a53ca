//! What lies on the disk of a sealed store, and what becomes of it when it is damaged, moved, or a process dies.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use openwa_store::entity::Database;
use openwa_store::policy::webhook::WebhookEvent;
use openwa_store::{
    AuthEntry, AuthValue, Config, ExportOptions, Json, Kind, NewSession, NewWebhook, SecretsState,
    SessionUpdate, Store, Uuid,
};
use openwa_tests::conformance::{beside, incoming, refused, store_key};
use openwa_tests::postgres::{Place, Way};
use openwa_tests::process::{Program, program, setting, text};
use openwa_tests::{openwa, raw};

fn open(dir: &Path, key: u8) -> Store {
    Store::open_with(Config { store_key: Some(store_key(key)), ..Config::new(dir) }).unwrap()
}

/// The `n`th secret: unlike anything else in a store.
fn secret(n: usize) -> String {
    format!("S3cr3t{n:05}Value")
}

/// Writes 20 secrets per session, numbered from `first` on, and says how many.
fn fill(store: &Store, sessions: usize, first: usize) -> usize {
    let mut next = first..;
    let mut secret = || secret(next.next().unwrap());
    for i in 0..sessions {
        let config = format!(
            r#"{{"proxy":{{"password":"{}"}},"proxyUrl":"http://user:{}@proxy.example.com"}}"#,
            secret(),
            secret()
        );
        let name = format!("session {first} {i}");
        let config = Some(Json::parse(config).unwrap());
        let new = NewSession { name: name.as_str().into(), config, ..NewSession::default() };
        let session = store.sessions().create(new).wait().unwrap().id;
        let state = Json::parse(format!(r#"{{"state":"{}"}}"#, secret())).unwrap();
        let update = SessionUpdate { auth_state: Some(Some(state)), ..SessionUpdate::default() };
        store.sessions().update(session, update).wait().unwrap();
        let headers = Json::parse(format!(r#"{{"Authorization":"{}"}}"#, secret())).unwrap();
        let webhook = NewWebhook {
            url: "https://example.com/hook".into(),
            secret: Some(secret().as_str().into()),
            headers: Some(headers),
            ..NewWebhook::default()
        };
        store.webhooks().create(session, webhook).wait().unwrap();
        for key in 0..15 {
            put(store, session, &key.to_string(), secret().as_bytes());
        }
        store.messages().save(session, incoming(&format!("M{first}-{i}"), "hello")).wait().unwrap();
    }
    sessions * 20
}

fn put(store: &Store, session: Uuid, key_id: &str, value: &[u8]) {
    let entry = AuthEntry { category: "k".into(), key_id: key_id.into(), value: Some(value.to_vec()) };
    store.auth().set(session, vec![entry]).wait().unwrap();
}

/// Every secret of the first `count` that is in a file of the folder, with the file.
fn found(dir: &Path, count: usize) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&content);
        for (at, mark) in text.match_indices("S3cr3t") {
            let digits = text[at + mark.len()..].chars().take(5).collect::<String>();
            if digits.parse::<usize>().is_ok_and(|n| n < count) {
                out.insert(format!("{digits} in {}", path.display()));
            }
        }
    }
    out
}

#[test]
fn no_file_of_a_sealed_store_has_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1);
    let count = fill(&store, 50, 0);
    assert_eq!(count, 1000);
    // While it is open, with its log, and after it was closed.
    assert!(dir.path().join("data.sqlite-wal").exists());
    assert_eq!(found(dir.path(), count), BTreeSet::new());
    let options = ExportOptions { redact: true, main: true, ..ExportOptions::default() };
    store.export_file(dir.path().join("redacted.json"), &options, None).unwrap();
    store.rotate_store_key(&store_key(2), true, None).unwrap();
    assert_eq!(found(dir.path(), count), BTreeSet::new());
    store.close().unwrap();
    assert_eq!(found(dir.path(), count), BTreeSet::new());
    // The search itself works: an export that is not redacted has all of them.
    let store = open(dir.path(), 2);
    store.export_file(dir.path().join("export.json"), &ExportOptions::default(), None).unwrap();
    let credentials = 750; // as base64
    assert_eq!(found(dir.path(), count).len(), count - credentials);
}

#[test]
fn a_store_that_was_in_clear_keeps_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let count = fill(&store, 50, 0);
    // Deleted and changed before the seal: only free space has them.
    for session in
        store.sessions().list(&Default::default(), &Default::default()).unwrap().items.iter().take(20)
    {
        store.sessions().delete(session.id).wait().unwrap();
    }
    store.close().unwrap();
    assert!(found(dir.path(), count).len() > 600, "there was something to get rid of");
    let store = open(dir.path(), 1);
    assert_eq!(found(dir.path(), count), BTreeSet::new());
    assert!(store.secrets_status().unwrap().clean);
    store.close().unwrap();
    assert_eq!(found(dir.path(), count), BTreeSet::new());
    raw::assert_sound(dir.path());
}

/// What a takeover keeps of sessions and webhooks is sealed too, and the way back has it again.
#[test]
fn a_takeover_is_sealed_and_goes_back() {
    let export = |store: &Store| {
        let mut document = Vec::new();
        store.export_openwa(&mut document, None).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
        document["tables"].clone()
    };
    let dir = tempfile::tempdir().unwrap();
    let data = openwa::unpacked("openwa.sqlite.gz", dir.path());
    let (plain, sealed) = (Store::in_memory().unwrap(), open(&dir.path().join("store"), 1));
    for store in [&plain, &sealed] {
        openwa::take(store, &[&openwa::fixture("main.sqlite"), &data]).unwrap();
    }
    assert_eq!(export(&sealed), export(&plain));
    assert_eq!(openwa::tables(&sealed)["webhooks"], openwa::tables(&plain)["webhooks"]);
    sealed.close().unwrap();
    for file in ["data.sqlite", "main.sqlite"] {
        let content = std::fs::read(dir.path().join("store").join(file)).unwrap();
        let content = String::from_utf8_lossy(&content);
        assert!(!content.contains("p%40ss"), "the password of a proxy is in {file}");
    }
    refused(
        Store::open(dir.path().join("store")).unwrap().export_openwa(std::io::sink(), None),
        Kind::StoreKeyMissing,
    );
}

/// A store in files with one session, one webhook and two credentials.
fn one_of_each(dir: &Path) -> (Store, Uuid, Uuid) {
    let store = open(dir, 1);
    fill(&store, 2, 0);
    let session = store.sessions().find("session 0 0").unwrap().unwrap().id;
    let webhook = store.webhooks().list(session, &Default::default()).unwrap().items[0].id;
    (store, session, webhook)
}

#[test]
fn a_flipped_byte_is_unreadable_and_never_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, session, webhook) = one_of_each(dir.path());
    let conn = raw::open(dir.path(), Database::Data);
    let stored: Vec<u8> = conn
        .query_row(
            "SELECT value FROM session_auth WHERE session_id = ?1 AND key_id = '0'",
            [session.to_string()],
            |r| r.get(0),
        )
        .unwrap();
    let update = "UPDATE session_auth SET value = ?1 WHERE session_id = ?2 AND key_id = '0'";
    for at in 0..stored.len() {
        let mut damaged = stored.clone();
        damaged[at] ^= 0x20;
        conn.execute(update, rusqlite::params![damaged, session.to_string()]).unwrap();
        let read = store.auth().get(session, "k", "0").unwrap();
        let AuthValue::Unreadable(why) = read else { panic!("byte {at}: {read:?}") };
        assert!(why.contains("session_auth") && !why.contains("S3cr3t"), "{why}");
    }
    for short in [&b""[..], b"openwa-sealed:1:", &stored[..40]] {
        conn.execute(update, rusqlite::params![short, session.to_string()]).unwrap();
        assert!(matches!(store.auth().get(session, "k", "0").unwrap(), AuthValue::Unreadable(_)));
    }
    conn.execute(update, rusqlite::params![stored, session.to_string()]).unwrap();
    assert!(matches!(store.auth().get(session, "k", "0").unwrap(), AuthValue::Found(_)));

    conn.execute("UPDATE webhooks SET secret = replace(secret, ':1:', ':2:')", []).unwrap();
    let e = refused(store.webhooks().get(webhook), Kind::Unreadable);
    let webhook = webhook.to_string();
    let told = [e.context("table"), e.context("column"), e.context("row")];
    assert_eq!(told, [Some("webhooks"), Some("secret"), Some(webhook.as_str())]);
    // The damaged one hears nothing, the others do.
    let other = NewWebhook {
        url: "https://example.com/other".into(),
        secret: Some("x".into()),
        ..NewWebhook::default()
    };
    let other = store.webhooks().create(session, other).wait().unwrap().id;
    let hear = store.webhooks().subscribed(session, WebhookEvent::MessageReceived).unwrap();
    assert_eq!(hear.iter().map(|w| w.id).collect::<Vec<_>>(), [other]);
    store.webhooks().delete(other).wait().unwrap();
    // In clear where everything is sealed: somebody else wrote that.
    conn.execute("UPDATE webhooks SET secret = 'known to the attacker'", []).unwrap();
    refused(store.webhooks().list(session, &Default::default()), Kind::Unreadable);
    // Changing the key loses nothing: it is not finished while something cannot be read.
    let e = refused(store.rotate_store_key(&store_key(2), true, None), Kind::Unreadable);
    assert_eq!(e.context("unreadable"), Some("2"));
    assert_eq!(store.secrets_status().unwrap().state, SecretsState::Rotating);
    for page in store.sessions().list(&Default::default(), &Default::default()).unwrap().items {
        for hook in
            raw::rows(&conn, &format!("SELECT id FROM webhooks WHERE session_id = '{}'", page.id)).concat()
        {
            store.webhooks().delete(hook.parse().unwrap()).wait().unwrap();
        }
    }
    store.rotate_store_key(&store_key(2), true, None).unwrap();
    assert_eq!(store.secrets_status().unwrap().state, SecretsState::Sealed);
    assert!(matches!(store.auth().get(session, "k", "0").unwrap(), AuthValue::Found(_)));
}

#[test]
fn a_sealed_value_opens_in_its_own_place_only() {
    let dir = tempfile::tempdir().unwrap();
    let (store, session, webhook) = one_of_each(dir.path());
    let conn = raw::open(dir.path(), Database::Data);
    let copy = |sql: &str| {
        conn.execute_batch("SAVEPOINT here").unwrap();
        assert!(conn.execute(sql, []).unwrap() > 0, "{sql}");
        conn.execute_batch("RELEASE here").unwrap();
    };
    // To another row.
    copy(
        "UPDATE session_auth SET value = (SELECT value FROM session_auth WHERE key_id = '1') WHERE key_id = '0'",
    );
    assert!(matches!(store.auth().get(session, "k", "0").unwrap(), AuthValue::Unreadable(_)));
    assert!(matches!(store.auth().get(session, "k", "2").unwrap(), AuthValue::Found(_)));
    copy("UPDATE session_auth SET key_id = 'moved' WHERE key_id = '3'");
    assert!(matches!(store.auth().get(session, "k", "moved").unwrap(), AuthValue::Unreadable(_)));
    // To another column, and to another place in a document.
    copy("UPDATE webhooks SET headers = json_quote(secret)");
    refused(store.webhooks().get(webhook), Kind::Unreadable);
    copy("UPDATE sessions SET auth_state = json_quote(config ->> 'proxyUrl')");
    refused(store.sessions().get(session), Kind::Unreadable);
    copy("UPDATE sessions SET auth_state = NULL");
    copy("UPDATE sessions SET config = json_replace(config, '$.proxyUrl', config ->> '$.proxy.password')");
    refused(store.sessions().get(session), Kind::Unreadable);
}

#[test]
fn the_same_on_a_server() {
    let place = Place::migrated(Way::Partitioned);
    let config = |key| Config {
        data: openwa_store::DataDatabase::Postgres(place.postgres()),
        store_key: key,
        ..Config::in_memory()
    };
    let store = Store::open_with(config(None)).unwrap();
    let count = fill(&store, 3, 0);
    let sql = place.sql();
    let dump = || {
        ["sessions", "webhooks", "session_auth"]
            .map(|table| {
                sql.column(&format!("SELECT encode(convert_to(t::text, 'UTF8'), 'escape') FROM {table} t"))
                    .concat()
            })
            .concat()
    };
    let in_clear = |dump: &str| {
        let hex = |s: &str| s.bytes().map(|b| format!("{b:02x}")).collect::<String>();
        (0..count).map(secret).filter(|s| dump.contains(s.as_str()) || dump.contains(&hex(s))).count()
    };
    assert_eq!(in_clear(&dump()), count);
    store.close().unwrap();
    let store = Store::open_with(config(Some(store_key(1)))).unwrap();
    assert_eq!(in_clear(&dump()), 0);
    assert!(!store.secrets_status().unwrap().clean, "dead rows are still in the server's files");
    assert_eq!(store.seal_secrets(None).unwrap(), 0);
    assert!(store.secrets_status().unwrap().clean);
    let session = store.sessions().find("session 0 0").unwrap().unwrap().id;
    sql.run("UPDATE session_auth SET value = (SELECT value FROM session_auth WHERE key_id = '1' LIMIT 1) WHERE key_id = '0'");
    assert!(matches!(store.auth().get(session, "k", "0").unwrap(), AuthValue::Unreadable(_)));
    sql.run("UPDATE webhooks SET headers = to_jsonb(secret)");
    refused(store.webhooks().list(session, &Default::default()), Kind::Unreadable);
}

/// Changes the key again and again while four threads of two stores set and read credentials; nothing may be left with an
/// old key.
fn change_beside(open: &(dyn Fn(u8) -> Store + Sync)) {
    let stores = [open(1), open(1)];
    fill(&stores[0], 20, 0);
    let name = |i: usize| format!("session 0 {i}");
    let sessions: Vec<Uuid> =
        (0..4).map(|i| stores[0].sessions().find(name(i).as_str()).unwrap().unwrap().id).collect();
    let work = |thread: usize, turn: usize| {
        let (store, session) = (&stores[thread % 2], sessions[thread]);
        let (key, value) = (format!("w{}", turn % 10), format!("{thread}-{turn}").into_bytes());
        put(store, session, &key, &value);
        assert_eq!(store.auth().get(session, "k", key.as_str()).unwrap(), AuthValue::Found(value));
        assert!(store.auth().all(session).unwrap().len() >= 15);
    };
    let last = u8::try_from(setting("OPENWA_KEY_CHANGES", 6)).unwrap();
    beside(4, work, || {
        for key in 2..=last {
            stores[usize::from(key) % 2].rotate_store_key(&store_key(key), false, None).unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    stores[0].rotate_store_key(&store_key(last), true, None).unwrap();
    for store in &stores {
        store.close().unwrap();
    }
    let store = open(last);
    assert_eq!(store.seal_secrets(None).unwrap(), 0, "something was left with an old key");
    for session in sessions {
        assert_eq!(store.auth().all(session).unwrap().len(), 25);
    }
}

#[test]
fn the_key_changes_while_others_work() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), 1).close().unwrap();
    let mut other = Command::new(program("sealer"));
    other.args(["work", text(dir.path()), "1", "other"]).stdin(Stdio::piped());
    let other = Program::start(&mut other);
    let _ = other.read_until(|line| line == "working");
    change_beside(&|key| open(dir.path(), key));
    // It has met every key, the last one too: it never rests.
    let done: u32 = other.finish_input().pop().unwrap().parse().unwrap();
    assert!(done > 10, "the other process did {done}");
}

#[test]
fn the_key_changes_on_a_server_while_others_work() {
    for way in [Way::Partitioned, Way::Bouncer] {
        let place = Place::migrated(way);
        change_beside(&|key| {
            let data = openwa_store::DataDatabase::Postgres(place.postgres());
            Store::open_with(Config { data, store_key: Some(store_key(key)), ..Config::in_memory() }).unwrap()
        });
    }
}

/// Everything secret in a store, by where it is.
fn everything(store: &Store) -> BTreeMap<String, String> {
    let tables = openwa::tables(store);
    let mut out = BTreeMap::new();
    for table in ["sessions", "webhooks", "session_auth"] {
        for row in tables[table].as_array().unwrap() {
            let key = ["id", "session_id", "category", "key_id"].map(|k| row[k].to_string()).concat();
            out.insert(format!("{table} {key}"), row.to_string());
        }
    }
    out
}

/// Kills a process while it changes the key, or seals for the first time, and lets the next one finish.
#[test]
fn a_crash_while_the_key_changes_loses_nothing() {
    let rounds = setting("OPENWA_SEAL_CRASHES", 6);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    fill(&store, if rounds > 20 { 200 } else { 40 }, 0);
    let before = everything(&store);
    store.close().unwrap();
    let kill = |args: &[&str], most: u64| {
        let child = Program::start(Command::new(program("sealer")).args(args));
        let _ = child.read_until(|line| line == "opening");
        std::thread::sleep(Duration::from_micros(RandomState::new().hash_one(0) % most));
        child.kill().last().is_some_and(|line| line == "rotated" || line == "sealed")
    };
    let (mut whole, mut broken) = (0, 0);
    let mut most = 60_000;
    let mut count = |done: bool| if done { whole += 1 } else { broken += 1 };
    for _ in 0..rounds / 3 {
        count(kill(&["seal", text(dir.path()), "1"], most));
    }
    assert_eq!(everything(&open(dir.path(), 1)), before);
    let mut key = 1;
    for round in 0..rounds {
        let (from, to) = (key.to_string(), (key + 1).to_string());
        let done = kill(&["rotate", text(dir.path()), &from, &to], most);
        // So that kills fall into the work and not behind it, however fast the machine is.
        most = if done { most * 3 / 4 } else { most * 5 / 4 };
        count(done);
        // Whatever is there can be read with the old key and, if the change has begun, with the new one.
        let store = open(dir.path(), key);
        assert_eq!(everything(&store), before, "round {round}");
        assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
        store.rotate_store_key(&store_key(key + 1), true, None).unwrap();
        assert_eq!(store.seal_secrets(None).unwrap(), 0);
        store.close().unwrap();
        key += 1;
        assert_eq!(everything(&open(dir.path(), key)), before, "round {round}");
    }
    raw::assert_sound(dir.path());
    assert!(broken > 0, "no kill fell into the work; {whole} came to its end");
}
