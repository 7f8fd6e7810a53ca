//! OpenWA's data, taken over: every file of the fixture against what its `expected.json` says.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeMap;
use std::io::Write;

use openwa_store::{Ask, Config, Kind, ManualClock, Store, TakeoverOptions, Timestamp, compare};
use openwa_tests::cluster::{Cluster, Database, PASSWORD, USER};
use openwa_tests::openwa::{self, content, fixture, kept, row, rows, source, tables, take, unpacked};
use openwa_tests::postgres::{Place, Way};
use serde_json::{Map, Value, json};

type Tables = Map<String, Value>;

fn empty() -> Store {
    Store::in_memory().unwrap()
}

/// The columns that `expected` names, compared one by one; a column that a row lacks is null.
fn same(expected: &Value, actual: &Value, what: &str) {
    for (name, value) in expected.as_object().unwrap() {
        if name != "not_in_target_columns" {
            assert_eq!(actual.get(name).unwrap_or(&Value::Null), value, "{what}: {name}");
        }
    }
}

/// What has no column of ours is in `openwa_extra`, by its name in OpenWA.
fn nothing_lost(expected: &Value, kept: &Value, what: &str) {
    for (name, value) in expected["not_in_target_columns"].as_object().unwrap() {
        let name = if name == "metadata_without_media" { "metadata" } else { name };
        let mut found = kept.get(name).cloned().unwrap_or_default();
        if let (Value::String(text), false) = (&found, value.is_string()) {
            // JSON that OpenWA keeps as text stays text.
            found = serde_json::from_str(text).unwrap();
        }
        assert_eq!(found, *value, "{what}: {name}");
    }
}

fn counted(rows: &[Value], key: impl Fn(&Value) -> String) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    rows.iter().for_each(|r| *counts.entry(key(r)).or_default() += 1);
    json!(counts)
}

fn check_messages(expected: &Value, samples: &Value, tables: &Tables) {
    let messages = rows(tables, "messages");
    if let Some(totals) = expected.get("messages") {
        let nulls = |column: &str| messages.iter().filter(|m| m[column].is_null()).count();
        let times = || messages.iter().map(|m| m["wa_timestamp"].as_str().unwrap());
        let actual = json!({
            "rows": messages.len(),
            "ack": counted(messages, |m| m["ack"].to_string()),
            "from_me": counted(messages, |m| m["from_me"].to_string()),
            "is_group": counted(messages, |m| m["is_group"].to_string()),
            "type": counted(messages, |m| m["type"].as_str().unwrap().to_owned()),
            "wa_message_id_null": nulls("wa_message_id"),
            "media_not_null": messages.iter().filter(|m| m.get("media").is_some()).count(),
            "body_null": nulls("body"),
            "min_wa_timestamp": times().min(),
            "max_wa_timestamp": times().max(),
        });
        assert_eq!(actual, *totals);
    }
    let samples = samples.as_array().unwrap();
    assert!(samples.len() >= 15);
    for sample in samples {
        let (expected, why) = (&sample["expect"], sample["why"].as_str().unwrap());
        same(expected, row(tables, "messages", &expected["id"]), why);
        nothing_lost(expected, &kept(tables, "messages", &expected["id"]), why);
    }
}

/// The samples of a file. Some are told as "as …": those of the dump are the export's, with the media that this left out.
fn samples(expected: &Value, name: &str) -> Value {
    let of = |name: &str| expected[name]["message_samples"].clone();
    match (name, of(name)) {
        ("openwa-postgres.sql.gz", Value::String(_)) => {
            let (mut samples, whole) = (of("export-postgres.json.gz"), of("openwa.sqlite.gz"));
            for sample in samples.as_array_mut().unwrap() {
                let here = |s: &&Value| s["expect"]["id"] == sample["expect"]["id"];
                let with_media = whole.as_array().unwrap().iter().find(here).unwrap();
                sample["expect"]["media"] = with_media["expect"]["media"].clone();
            }
            samples
        }
        (_, Value::String(_)) => of("openwa.sqlite.gz"),
        (_, samples) => samples,
    }
}

/// What a database has of webhooks and an export leaves out.
fn check_secrets(expected: &Value, tables: &Tables) {
    for webhook in expected["openwa.sqlite.gz"]["webhooks"].as_array().unwrap() {
        let row = row(tables, "webhooks", &webhook["id"]);
        assert_eq!((&row["secret"], &row["headers"]), (&webhook["secret"], &webhook["headers"]));
    }
}

fn check_rest(expected: &Value, tables: &Tables) {
    for session in expected["sessions"].as_array().unwrap_or(&vec![]) {
        let mut columns = session.clone();
        let fields = columns.as_object_mut().unwrap();
        let stored = fields.remove("status_stored").unwrap();
        let after = fields.remove("status_after_takeover").unwrap();
        fields.insert("status".to_owned(), after.clone());
        same(&columns, row(tables, "sessions", &session["id"]), "session");
        let extra = kept(tables, "sessions", &session["id"]);
        nothing_lost(session, &extra, "session");
        assert_eq!(extra.get("status").unwrap_or(&after), &stored, "what it was is kept");
    }
    for webhook in expected["webhooks"].as_array().unwrap_or(&vec![]) {
        same(webhook, row(tables, "webhooks", &webhook["id"]), "webhook");
        nothing_lost(webhook, &kept(tables, "webhooks", &webhook["id"]), "webhook");
    }
    for batch in expected["batches"].as_array().unwrap_or(&vec![]) {
        let job = &batch["batch_jobs"];
        same(job, row(tables, "batch_jobs", &job["id"]), "batch");
        let mut messages: Vec<&Value> =
            rows(tables, "batch_job_messages").iter().filter(|m| m["batch_job_id"] == job["id"]).collect();
        messages.sort_by_key(|m| m["position"].as_i64());
        let expected = batch["batch_job_messages"].as_array().unwrap();
        assert_eq!(messages.len(), expected.len());
        for (message, expected) in messages.iter().zip(expected) {
            same(expected, message, "batch message");
        }
    }
}

/// Every row of every table of the source is accounted for.
fn check_counts(expected: &Value, report: &openwa_store::TakeoverReport, tables: &Tables) {
    for (name, count) in expected["row_counts"].as_object().unwrap() {
        let mut table = String::new();
        for c in name.chars() {
            if c.is_ascii_uppercase() {
                table.push('_');
            }
            table.push(c.to_ascii_lowercase());
        }
        if table == "migrations" {
            continue;
        }
        let told = report.tables.iter().find(|t| t.table == table).unwrap();
        assert_eq!(json!(told.rows), *count, "{table}");
        assert_eq!((told.bad, told.repeated), (0, 0), "{table}");
        let here = |name: &str| tables.get(name).map_or(0, |t| t.as_array().unwrap().len() as u64);
        let extra = rows(tables, "openwa_extra").iter().filter(|r| r["table_name"] == *table).count() as u64;
        match table.as_str() {
            "sessions" | "webhooks" | "messages" => assert_eq!(here(&table), told.rows),
            "message_batches" => assert_eq!(here("batch_jobs"), told.rows),
            "lid_mappings" => assert_eq!(here("identities") + extra, told.rows),
            _ => assert_eq!(extra, told.rows, "{table}"),
        }
    }
}

/// Against stores on every engine.
fn check(name: &str, source: &str) {
    check_in(&empty(), name, source);
    for way in [Way::Partitioned, Way::Plain] {
        let (place, dir) = (Place::migrated(way), tempfile::tempdir().unwrap());
        let store = Store::open_with(place.config(dir.path())).unwrap();
        check_in(&store, name, source);
        store.close().unwrap();
        let sql = place.sql();
        assert_eq!(openwa_tests::postgres::disagreements(&sql), Vec::<Vec<String>>::new());
    }
}

fn check_in(store: &Store, name: &str, source: &str) {
    let expected = &openwa::json("expected.json")["sources"];
    let report = store.takeover(&[source.to_owned()], &TakeoverOptions::default(), None).unwrap();
    let tables = tables(store);
    check_counts(&expected[name], &report, &tables);
    check_messages(&expected[name], &samples(expected, name), &tables);
    if name == "openwa-postgres.sql.gz" {
        check_secrets(expected, &tables);
    } else {
        check_rest(&expected[name], &tables);
    }
}

#[test]
fn the_data_database() {
    let dir = tempfile::tempdir().unwrap();
    check("openwa.sqlite.gz", &source(&unpacked("openwa.sqlite.gz", dir.path())));
}

#[test]
fn the_export_of_a_sqlite_installation() {
    check("export-sqlite.json.gz", &source(&fixture("export-sqlite.json.gz")));
}

#[test]
fn the_export_of_a_postgres_installation() {
    check("export-postgres.json.gz", &source(&fixture("export-postgres.json.gz")));
}

#[test]
fn an_early_export() {
    check("export-0.2-sqlite.json.gz", &source(&fixture("export-0.2-sqlite.json.gz")));
}

/// A database with the dump of the fixture, and its URL.
fn server_with(schema: &str) -> (Database<'static>, String) {
    let database = Cluster::shared().database();
    let dump = String::from_utf8(content("openwa-postgres.sql.gz"))
        .unwrap()
        .replace("public.", &format!("{schema}."));
    let mut psql = std::process::Command::new(openwa_tests::server::find("psql"))
        .args(["-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", USER, "-d", database.name()])
        .args(["-p", &Cluster::shared().port().to_string()])
        .env("PGPASSWORD", PASSWORD)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut input = psql.stdin.take().unwrap();
    if schema != "public" {
        writeln!(input, "CREATE SCHEMA {schema};").unwrap();
    }
    input.write_all(dump.as_bytes()).unwrap();
    drop(input);
    assert!(psql.wait().unwrap().success());
    let (name, port) = (database.name(), Cluster::shared().port());
    let url = format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{name}?schema={schema}&sslmode=disable");
    (database, url)
}

#[test]
fn the_data_database_on_a_server() {
    for schema in ["public", "gateway"] {
        let (_database, url) = server_with(schema);
        check("openwa-postgres.sql.gz", &url);
    }
}

/// The dump and the export were made of the same database: the same rows, but for what the export left out.
#[test]
fn a_server_and_its_export_are_the_same() {
    let (_database, url) = server_with("public");
    let (server, export) = (empty(), empty());
    let report = server.takeover(std::slice::from_ref(&url), &TakeoverOptions::default(), None).unwrap();
    assert!(!format!("{report:?}").contains(PASSWORD), "the password is not told");
    take(&export, &[&fixture("export-postgres.json.gz")]).unwrap();
    let differing = compare(&server, &export).unwrap();
    let count = |table: &str| differing.iter().filter(|d| d.table == table).count();
    assert_eq!(count("messages"), 92, "media that the export left out");
    assert_eq!(count("batch_job_messages"), 4);
    let others = differing.iter().filter(|d| !["messages", "batch_job_messages"].contains(&d.table));
    // Credentials that the export left out: of webhooks, and of sessions' proxies.
    assert!(others.clone().all(|d| ["webhooks", "openwa_extra"].contains(&d.table)), "{differing:?}");
    assert_eq!(others.count(), 9, "{differing:?}");
}

#[test]
fn servers_that_are_not_what_they_should_be() {
    let store = empty();
    let refused = |url: &str| {
        let e = store.takeover(&[url.to_owned()], &TakeoverOptions::default(), None).unwrap_err();
        assert!(!format!("{e:?}").contains(PASSWORD), "{e:?}");
        assert!(tables(&store)["sessions"].as_array().unwrap().is_empty());
        (e.kind(), e.to_string())
    };
    let (database, url) = server_with("public");
    let (kind, text) = refused(&url.replace("schema=public", "schema=other"));
    assert!(kind == Kind::ForeignDatabase && text.contains("no tables in the schema other"), "{text}");
    let (kind, text) = refused(&url.replace(&format!(":{PASSWORD}@"), ":wrong@"));
    assert_eq!(kind, Kind::PermissionDenied, "{text}");
    let (kind, text) = refused("postgres://nobody@127.0.0.1:1/none?sslmode=disable");
    assert_eq!(kind, Kind::Unavailable, "{text}");
    // A store of our own.
    let (place, dir) = (Place::migrated(Way::Plain), tempfile::tempdir().unwrap());
    Store::open_with(place.config(dir.path())).unwrap().close().unwrap();
    let own = url.replace(&format!("/{}?", database.name()), &format!("/{}?", place.database.name()));
    let (kind, text) = refused(&own);
    assert!(kind == Kind::ForeignDatabase && text.contains("openwa-store itself"), "{text}");
}

#[test]
fn an_export_plain_gzipped_and_with_zstd_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let gzip = empty();
    take(&gzip, &[&fixture("export-sqlite.json.gz")]).unwrap();
    let plain = unpacked("export-sqlite.json.gz", dir.path());
    // Names say nothing.
    let zstd = dir.path().join("export.json");
    std::fs::write(&zstd, zstd::encode_all(&content("export-sqlite.json.gz")[..], 1).unwrap()).unwrap();
    for path in [&plain, &zstd] {
        let store = empty();
        take(&store, &[path]).unwrap();
        assert_eq!(compare(&gzip, &store).unwrap(), vec![]);
    }
}

#[test]
fn engine_messages_go_to_their_messages() {
    let store = empty();
    take(&store, &[&fixture("export-sqlite.json.gz")]).unwrap();
    let with_raw = tables(&store).get("messages").unwrap().as_array().unwrap().clone();
    let with_raw: Vec<&Value> = with_raw.iter().filter(|m| !m["raw"].is_null()).collect();
    assert_eq!(with_raw.len(), 80);
    let id = with_raw[0]["id"].as_str().unwrap().parse().unwrap();
    let raw = store.messages().get(id).unwrap().unwrap().raw.unwrap();
    let raw: Value = serde_json::from_slice(&raw).unwrap();
    assert_eq!(raw["key"]["id"], with_raw[0]["wa_message_id"]);
}

#[test]
fn pairs_become_identities() {
    let store = empty();
    take(&store, &[&fixture("export-sqlite.json.gz")]).unwrap();
    let session = store.sessions().find("shop-main").unwrap().unwrap().id;
    let pairs = store.contacts().identities(session).unwrap();
    let pair = pairs.iter().find(|p| p.lid == "298650363340776@lid").unwrap();
    assert_eq!(pair.pn.as_ref().unwrap(), &"15557065852@s.whatsapp.net");
}

#[test]
fn keys_and_the_audit_trail() {
    let expected = &openwa::json("expected.json")["sources"]["main.sqlite"];
    let store = empty();
    take(&store, &[&fixture("main.sqlite")]).unwrap();
    let tables = tables(&store);
    assert_eq!(rows(&tables, "audit_logs").len(), 500);
    let keys = expected["api_keys"].as_array().unwrap();
    assert_eq!(rows(&tables, "api_keys").len(), keys.len());
    for key in keys {
        let id = &key["api_keys"]["id"];
        same(&key["api_keys"], row(&tables, "api_keys", id), "key");
        let whitelist: Vec<&Value> =
            rows(&tables, "ip_whitelist").iter().filter(|w| w["api_key_id"] == *id).collect();
        let wanted = key["ip_whitelist"].as_array().unwrap();
        assert_eq!(whitelist.len(), wanted.len(), "{id}");
        for entry in wanted {
            let here = |w: &&&Value| w["ip_address"] == entry["ip_address"];
            let found = whitelist.iter().find(here).unwrap();
            assert_eq!(found["cidr_range"], entry["cidr_range"]);
        }
    }
    for entry in expected["audit_log_samples"].as_array().unwrap() {
        same(entry, row(&tables, "audit_logs", &entry["id"]), "audit");
    }
}

/// The key that was allowed is allowed, the one that was refused is refused, for the same address.
#[test]
fn keys_answer_as_before() {
    let file = openwa::json("keys.json");
    let pepper = file["pepper"].as_str().unwrap().to_owned();
    let now: Timestamp = "2026-10-22T12:00:00.000Z".parse().unwrap();
    let clock = ManualClock::new(now);
    let config = Config { api_key_pepper: Some(pepper.into_bytes()), clock, ..Config::in_memory() };
    let store = Store::open_with(config).unwrap();
    take(&store, &[&fixture("main.sqlite")]).unwrap();
    let keys = file["keys"].as_array().unwrap();
    let (mut allowed, mut refused) = (0, 0);
    for key in keys {
        let list = |name: &str| key[name].as_array().cloned();
        let presented = key["presented"].as_str().unwrap();
        let expired = key["expires_at"].as_str().is_some_and(|at| at.parse::<Timestamp>().unwrap() <= now);
        for (ip, inside) in addresses(list("allowed_ips")) {
            let other = "00000000-0000-4000-8000-000000000001";
            for (session, in_scope) in scoped(list("allowed_sessions"), other) {
                for (chat, in_chats) in scoped(list("allowed_chats"), "15550199999@c.us") {
                    for (permission, roles) in [
                        ("messages:read", &["admin", "operator", "viewer"][..]),
                        ("messages:send", &["admin", "operator"][..]),
                        ("*", &["admin"][..]),
                    ] {
                        let role = key["role"].as_str().unwrap();
                        let wanted = key["active"] == true
                            && !expired
                            && inside
                            && in_scope
                            && in_chats
                            && roles.contains(&role);
                        let ask = Ask {
                            permission: Some(permission.parse().unwrap()),
                            ip: Some(ip.parse().unwrap()),
                            session: Some(&session),
                            chat: Some(&chat),
                            session_alias: None,
                        };
                        let answer = store.api_keys().authorize(presented, &ask).unwrap();
                        let (got, why) = (answer.is_allowed(), answer.decision);
                        assert_eq!(
                            got, wanted,
                            "{} {ip} {session} {chat} {permission}: {why:?}",
                            key["name"]
                        );
                        *(if got { &mut allowed } else { &mut refused }) += 1;
                    }
                }
            }
        }
        let other = format!("{}x", presented.trim());
        assert!(!store.api_keys().authorize(&other, &Ask::default()).unwrap().is_allowed());
    }
    assert!(allowed > 10 && refused > 10, "{allowed} allowed, {refused} refused");
}

/// Addresses to ask for, and whether a whitelist allows them.
fn addresses(list: Option<Vec<Value>>) -> Vec<(&'static str, bool)> {
    let Some(list) = list.filter(|l| !l.is_empty()) else {
        return vec![("203.0.113.99", true), ("2001:db8::1", true)];
    };
    let has = |entry: &str| list.iter().any(|e| e == entry);
    let everywhere = has("0.0.0.0/0");
    vec![
        ("203.0.113.7", has("203.0.113.7") || everywhere),
        ("203.0.113.50", has("203.0.113.50") || everywhere),
        ("10.0.0.77", has("10.0.0.0/24") || everywhere),
        ("10.0.1.77", everywhere),
        ("203.0.113.8", everywhere),
    ]
}

/// Something in a scope and something outside it.
fn scoped(list: Option<Vec<Value>>, outside: &str) -> Vec<(String, bool)> {
    match list.filter(|l| !l.is_empty()) {
        None => vec![(outside.to_owned(), true)],
        Some(list) => {
            let inside = list.iter().map(|v| (v.as_str().unwrap().to_owned(), true));
            inside.chain([(outside.to_owned(), false)]).collect()
        }
    }
}
