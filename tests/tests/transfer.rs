//! Export, import and comparison, through the public verbs only.

#![allow(clippy::unwrap_used)] // a test may fail

use std::ops::ControlFlow;
use std::sync::Arc;

use openwa_store::entity::{Database, TABLES, tables_of};
use openwa_store::{
    Config, Differing, Error, ExportOptions, ImportOptions, ImportReport, Kind, MigrateOptions, Missing,
    Mode, MovedBy, NewApiKey, NewMessage, NewSession, NewWebhook, Progress, RetentionOptions, Store,
    Timestamp, compare,
};
use openwa_tests::conformance::incoming;
use openwa_tests::full::{EVERYTHING, REPLACE, document, full, json, tables};
use openwa_tests::postgres::{Place, Way};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const MERGE: ImportOptions = ImportOptions { mode: Mode::Merge, missing: Missing::Keep, dry_run: false };

fn empty() -> Store {
    Store::in_memory().unwrap()
}

fn full_in_memory() -> Store {
    full(Config::in_memory())
}

fn import(store: &Store, document: impl AsRef<[u8]>, options: &ImportOptions) -> Result<ImportReport, Error> {
    store.import(document.as_ref(), options, None)
}

/// Gives a changed document the checksum that fits it, so that only the change itself is wrong.
fn rehash(document: &str) -> String {
    let hash: String = Sha256::digest(tables(document)).iter().map(|b| format!("{b:02x}")).collect();
    let end = document.rfind(",\"sha256\":").unwrap();
    format!("{},\"sha256\":\"{hash}\"}}", &document[..end])
}

/// Gives a changed document the counts and the checksum that fit it.
fn reseal(document: &str) -> String {
    let parsed = openwa_store::json::parse(tables(document)).unwrap();
    let count =
        |(table, rows): (&String, &serde_json::Value)| (table.clone(), rows.as_array().unwrap().len().into());
    let counts: serde_json::Map<_, _> = parsed.as_object().unwrap().iter().map(count).collect();
    let end = document.rfind(",\"counts\":").unwrap();
    rehash(&format!("{},\"counts\":{},\"sha256\":\"\"}}", &document[..end], serde_json::Value::from(counts)))
}

/// Imports a wrong document into a store that has something in it, and makes sure that it keeps it.
fn refused(document: impl AsRef<[u8]>) -> Error {
    let store = full_in_memory();
    let before = self::document(&store, &EVERYTHING);
    let error = import(&store, document, &REPLACE).unwrap_err();
    assert_eq!(error.operation(), Some("import"));
    assert_eq!(tables(&self::document(&store, &EVERYTHING)), tables(&before), "{error}");
    assert!(store.check().unwrap().problems.is_empty());
    // The store goes on working, foreign keys and all.
    let orphan = store
        .webhooks()
        .create(Uuid::nil(), NewWebhook { url: "https://example.com".into(), ..Default::default() });
    assert_eq!(orphan.wait().unwrap_err().kind(), Kind::NotFound);
    error
}

/// What an error says about the place: table, row, column.
fn place(error: &Error) -> [Option<&str>; 3] {
    assert_eq!(error.kind(), Kind::InvalidData, "{error}");
    ["table", "row", "column"].map(|name| error.context(name))
}

#[test]
fn every_table_comes_back_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    for original in [full_in_memory(), full(Config::new(folder.path().join("a")))] {
        let exported = document(&original, &EVERYTHING);
        for copy in [empty(), Store::open(folder.path().join("b")).unwrap()] {
            let report = import(&copy, &exported, &REPLACE).unwrap();
            assert_eq!(report.tables.len(), TABLES.len());
            assert!(report.tables.iter().all(|t| t.rows > 0 && t.inserted == t.rows));
            assert_eq!(compare(&original, &copy).unwrap(), []);
            assert_eq!(tables(&document(&copy, &EVERYTHING)), tables(&exported));
            assert!(copy.check().unwrap().problems.is_empty());
            let session = copy.sessions().find("shop-1").unwrap().unwrap().id;
            let message = copy.messages().find(session, "A1").unwrap().unwrap();
            let units = [0x61, 0, 0xD83D, 0x241B, 0x22, 0x5C, 0x0A, 0xD83D, 0xDE00, 0xDE00, 0x1F];
            assert_eq!(message.body.unwrap().to_utf16(), units);
            let logs = copy.sessions().logs(session, None, &Default::default()).unwrap().items;
            let data = |event: &str| logs.iter().find(|l| l.event == *event).unwrap().data.clone();
            assert_eq!((data("null.document"), data("no.document")), (Some(json("null")), None));
        }
    }
}

#[test]
fn the_document_is_what_it_is_documented_to_be() {
    let store = full_in_memory();
    let mut out = Vec::new();
    let report = store.export(&mut out, &EVERYTHING, None).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(report.bytes, text.len() as u64);
    assert_eq!(reseal(&text), text.trim_end());
    assert!(text.starts_with(r#"{"format":"openwa-store","version":1,"exportedAt":"2026-01-05T08:01:23.456Z","dataDbType":"sqlite","redacted":[],"tables":{"#));
    assert!(text.contains(r#""body":"a\u0000\ud83d␛\"\\\n😀\ude00\u001f""#));
    assert!(text.contains(r#""config":{"a":{"":null,"\u0000":"\ud83d ␛ é"},"a2":"/","z":[1.10,100,0,18446744073709551617,0.00000001]}"#));
    assert!(text.contains(r#""wa_timestamp":"0000-01-01T00:00:00.000Z""#));
    let value = openwa_store::json::parse(&text).unwrap();
    let names: Vec<&str> = value["tables"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, TABLES.iter().map(|t| t.name).collect::<Vec<_>>());
    assert_eq!(value["tables"]["api_keys"][0]["created_at"], "2026-01-05T08:01:23.456Z");
    assert_eq!(value["tables"]["api_keys"][0]["active"], true);
    assert_eq!(value["tables"]["session_auth"][0]["value"], "AP8=");
}

#[test]
fn only_what_is_asked_for_is_exported() {
    let store = full_in_memory();
    let names = |options: &ExportOptions| {
        let value = openwa_store::json::parse(document(&store, options)).unwrap();
        value["tables"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        names(&ExportOptions::default()),
        tables_of(Database::Data).map(|t| t.name).collect::<Vec<_>>()
    );
    let some =
        ExportOptions { tables: Some(vec!["messages".into(), "audit_logs".into()]), ..Default::default() };
    assert_eq!(names(&some), ["audit_logs", "messages"]);
    let unknown = ExportOptions { tables: Some(vec!["massages".into()]), ..Default::default() };
    assert_eq!(store.export(std::io::sink(), &unknown, None).unwrap_err().kind(), Kind::InvalidArgument);
}

#[test]
fn replacing_one_table_leaves_its_children_alone() {
    let store = full_in_memory();
    let before = document(&store, &EVERYTHING);
    let sessions = ExportOptions { tables: Some(vec!["sessions".into()]), ..Default::default() };
    let sessions = document(&store, &sessions);
    let report = import(&store, &sessions, &REPLACE).unwrap();
    assert_eq!((report.tables[0].rows, report.tables[0].removed), (2, 2));
    assert_eq!(tables(&document(&store, &EVERYTHING)), tables(&before));

    // Without the sessions that they belong to, the other tables may not stay.
    let none = r#"{"format":"openwa-store","version":1,"exportedAt":"2026-01-05","tables":{"sessions":[]},"counts":{},"sha256":""}"#;
    let none = reseal(none);
    let error = import(&store, &none, &REPLACE).unwrap_err();
    assert_eq!(place(&error), [Some("webhooks"), None, Some("session_id")]);
    assert_eq!(tables(&document(&store, &EVERYTHING)), tables(&before));

    // Unless they are cleared, and then only in the database that the document is about.
    import(&store, &none, &ImportOptions { missing: Missing::Clear, ..REPLACE }).unwrap();
    for database in store.status().unwrap().databases {
        let kept = database.database == Database::Main;
        assert!(database.rows.iter().all(|(_, rows)| (*rows > 0) == kept), "{:?}", database.rows);
    }
}

#[test]
fn a_merge_adds_what_is_new_and_keeps_what_is_there() {
    let store = full_in_memory();
    let exported = document(&store, &EVERYTHING);
    let session = store.sessions().find("shop-1").unwrap().unwrap().id;
    store.messages().edit(session, "A1", Some("edited here".into()), None).wait().unwrap();
    let a2 = store.messages().find(session, "A2").unwrap().unwrap().id;
    let without = document(&store, &EVERYTHING);
    let start = without.find(&format!("{{\"id\":\"{a2}\"")).unwrap();
    let row = &without[start..start + without[start..].find("},\n").unwrap() + 3];
    import(&store, reseal(&without.replace(row, "")), &REPLACE).unwrap();
    assert!(store.messages().get(a2).unwrap().is_none());

    let report = import(&store, &exported, &MERGE).unwrap();
    let added: Vec<_> =
        report.tables.iter().filter(|t| t.inserted > 0).map(|t| (t.table, t.inserted)).collect();
    assert_eq!(added, [("messages", 1)]);
    assert!(report.tables.iter().all(|t| t.removed == 0));
    assert!(store.messages().get(a2).unwrap().is_some());
    let kept = store.messages().find(session, "A1").unwrap().unwrap();
    assert_eq!(kept.body.unwrap(), "edited here");

    let clear = ImportOptions { missing: Missing::Clear, ..MERGE };
    assert_eq!(import(&store, &exported, &clear).unwrap_err().kind(), Kind::InvalidArgument);
}

#[test]
fn a_merge_refuses_children_of_a_row_that_it_did_not_take() {
    let store = empty();
    store.sessions().create(NewSession { name: "shop-1".into(), ..Default::default() }).wait().unwrap();
    let before = document(&store, &EVERYTHING);
    let error = import(&store, document(&full_in_memory(), &EVERYTHING), &MERGE).unwrap_err();
    assert_eq!(place(&error), [Some("webhooks"), Some("1"), Some("session_id")]);
    assert_eq!(tables(&document(&store, &EVERYTHING)), tables(&before));
}

#[test]
fn a_merge_of_a_wrong_document_changes_nothing() {
    let store = empty();
    store.sessions().create(NewSession { name: "here".into(), ..Default::default() }).wait().unwrap();
    let before = document(&store, &EVERYTHING);
    let good = document(&full_in_memory(), &EVERYTHING);
    let wrong = [
        good[..good.len() - 9].to_owned(),
        good.replace("hook-secret", "hook-secreT"),
        good.replace("\"session_auth\":3", "\"session_auth\":4"),
        reseal(&good.replace("\"AP8=\"", "\"AP8\"")),
    ];
    for document in wrong {
        assert_eq!(import(&store, &document, &MERGE).unwrap_err().kind(), Kind::InvalidData);
        assert_eq!(tables(&self::document(&store, &EVERYTHING)), tables(&before));
    }
    import(&store, &good, &MERGE).unwrap();
    assert!(
        store.sessions().find("here").unwrap().is_some()
            && store.sessions().find("shop-2").unwrap().is_some()
    );
}

#[test]
fn a_dry_run_reports_and_changes_nothing() {
    let store = empty();
    let exported = document(&full_in_memory(), &EVERYTHING);
    let dry = import(&store, &exported, &ImportOptions { dry_run: true, ..REPLACE }).unwrap();
    assert!(store.status().unwrap().databases.iter().flat_map(|d| &d.rows).all(|(_, rows)| *rows == 0));
    let real = import(&store, &exported, &REPLACE).unwrap();
    assert_eq!((dry.dry_run, dry.tables), (true, real.tables));
}

#[test]
fn a_document_that_is_cut_off_anywhere_is_refused() {
    let document = document(&full_in_memory(), &EVERYTHING);
    let store = full_in_memory();
    let before = self::document(&store, &EVERYTHING);
    let whole = document.trim_end().len();
    let cuts = (0..whole).step_by(1499).chain(0..200).chain(whole - 400..whole);
    for cut in cuts {
        let error = import(&store, &document.as_bytes()[..cut], &REPLACE).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidData, "cut at {cut}: {error}");
    }
    assert_eq!(tables(&self::document(&store, &EVERYTHING)), tables(&before));
    let error = refused(&document[..document.find("\"pre-key\",\"key_id\":\"9\"").unwrap()]);
    assert_eq!(place(&error), [Some("session_auth"), Some("3"), None]);
}

#[test]
fn a_changed_byte_is_noticed() {
    let document = document(&full_in_memory(), &EVERYTHING);
    let store = empty();
    let start = document.find("\"tables\":").unwrap() + 9;
    let end = document.rfind(",\"counts\"").unwrap();
    for place in (start..end).step_by(997).chain(end..document.trim_end().len()) {
        let mut bytes = document.clone().into_bytes();
        bytes[place] ^= 1;
        let error = import(&store, &bytes, &REPLACE).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidData, "byte {place}: {error}");
    }
    assert!(store.status().unwrap().databases.iter().flat_map(|d| &d.rows).all(|(_, rows)| *rows == 0));
    let changed = document.replace("hook-secret", "hook-secreT");
    assert!(refused(changed).message().contains("checksum"));
}

#[test]
fn wrong_counts_are_refused() {
    let document = document(&full_in_memory(), &EVERYTHING);
    let more = document.replace("\"session_auth\":3", "\"session_auth\":4");
    assert_eq!(place(&refused(more)), [Some("session_auth"), None, None]);
    let missing = document.replace("\"session_auth\":3,", "");
    assert_eq!(place(&refused(missing)), [Some("session_auth"), None, None]);
    let extra = document.replace("\"session_auth\":3,", "\"session_auth\":3,\"secrets\":1,");
    assert_eq!(place(&refused(extra)), [Some("secrets"), None, None]);
}

#[test]
fn bad_rows_are_named_with_table_row_and_column() {
    let store = full_in_memory();
    let document = document(&store, &EVERYTHING);
    let second = store.sessions().find("shop-2").unwrap().unwrap().id.to_string();
    let long = "x".repeat(101);
    let bad = |from: &str, to: &str| {
        assert!(document.contains(from), "{from}");
        refused(rehash(&document.replacen(from, to, 1)))
    };
    let at = |table, row, column| [Some(table), Some(row), Some(column)];
    assert_eq!(place(&bad("\"name\":\"shop-2\"", "\"name\":null")), at("sessions", "2", "name"));
    assert_eq!(place(&bad("\"name\":\"shop-2\"", "\"name\":7")), at("sessions", "2", "name"));
    assert_eq!(place(&bad("\"name\":\"shop-2\"", "\"name\":\"shop-1\"")), at("sessions", "2", "name"));
    assert_eq!(
        place(&bad("\"name\":\"shop-2\"", &format!("\"name\":\"{long}\""))),
        at("sessions", "2", "name")
    );
    assert_eq!(place(&bad("\"name\":\"shop-2\",", "")), at("sessions", "2", "name"));
    assert_eq!(
        place(&bad("\"name\":\"shop-2\"", "\"name\":\"shop-2\",\"name\":\"x\"")),
        at("sessions", "2", "name")
    );
    assert_eq!(place(&bad("\"name\":\"shop-2\"", "\"nom\":\"shop-2\"")), at("sessions", "2", "nom"));
    assert_eq!(
        place(&bad("\"status\":\"created\"", "\"status\":\"Created\"")),
        at("sessions", "1", "status")
    );
    assert_eq!(place(&bad(&format!("\"id\":\"{second}\""), "\"id\":\"x\"")), at("sessions", "2", "id"));
    assert_eq!(
        place(&bad("\"0000-01-01T00:00:00.000Z\"", "\"10000-01-01\"")),
        at("messages", "5", "wa_timestamp")
    );
    assert_eq!(place(&bad("\"from_me\":false", "\"from_me\":0")), at("messages", "1", "from_me"));
    assert_eq!(place(&bad("\"position\":2", "\"position\":2.5")), at("batch_job_messages", "3", "position"));
    assert_eq!(
        place(&bad("\"position\":2", "\"position\":1")),
        at("batch_job_messages", "3", "batch_job_id, position")
    );
    assert_eq!(place(&bad("\"AP8=\"", "\"AP8\"")), at("session_auth", "1", "value"));
    assert_eq!(
        place(&bad("\"session_id\"", "\"session_id\":null,\"session_id\"")),
        at("audit_logs", "1", "session_id")
    );
    assert_eq!(place(&bad("\"headers\":{", "\"headers\":{,")), at("webhooks", "1", "headers"));
    let error = bad("\"AP8=\"", "\"####\"");
    assert!(!error.to_string().contains("####"), "a secret is shown: {error}");
}

#[test]
fn what_this_version_does_not_know_is_refused_by_name() {
    let document = document(&full_in_memory(), &EVERYTHING);
    let table = document.replace("\"pending_changes\":[", "\"polls\":[");
    assert_eq!(place(&refused(reseal(&table))), [Some("polls"), None, None]);
    let newer = refused(document.replacen("\"version\":1", "\"version\":2", 1));
    assert!(newer.kind() == Kind::InvalidData && newer.message().contains("version 2"), "{newer}");
    for foreign in
        ["", "[]", "{}", "null", "hello", r#"{"tables":{}}"#, r#"{"format":"other","version":1,"tables":{}}"#]
    {
        assert_eq!(refused(foreign).kind(), Kind::InvalidData, "{foreign}");
    }
    assert_eq!(refused(document.clone() + "x").kind(), Kind::InvalidData);
    let order = reseal(&document.replace("\n\"identities\":[", "\n\"sessions\":["));
    assert_eq!(place(&refused(order))[0], Some("sessions"));
}

#[test]
fn a_broken_reference_is_named() {
    let store = full_in_memory();
    let document = document(&store, &EVERYTHING);
    let session = store.sessions().find("shop-1").unwrap().unwrap().id;
    let contact = store.contacts().get(session, "12025550143@s.whatsapp.net").unwrap().unwrap().id;
    let from = format!("{{\"id\":\"{contact}\",\"session_id\":\"{session}\"");
    assert!(document.contains(&from));
    let to = format!("{{\"id\":\"{contact}\",\"session_id\":\"{}\"", Uuid::nil());
    let error = refused(reseal(&document.replace(&from, &to)));
    assert_eq!(place(&error), [Some("contacts"), Some("1"), Some("session_id")]);
}

#[test]
fn the_callback_hears_of_every_table_and_may_stop() {
    let store = full_in_memory();
    let mut heard: Vec<Progress> = Vec::new();
    let mut listen = |p| {
        heard.push(p);
        ControlFlow::Continue(())
    };
    let mut out = Vec::new();
    let report = store.export(&mut out, &EVERYTHING, Some(&mut listen)).unwrap();
    for (table, rows) in &report.tables {
        let last = heard.iter().rfind(|p| p.table == *table).unwrap();
        assert_eq!((last.rows, last.total), (*rows, Some(*rows)));
    }
    let mut stop =
        |p: Progress| if p.table == "messages" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let error = store.export(std::io::sink(), &EVERYTHING, Some(&mut stop)).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);

    let copy = empty();
    let error = copy.import(&out[..], &REPLACE, Some(&mut stop)).unwrap_err();
    assert_eq!((error.kind(), error.context("table")), (Kind::Cancelled, Some("messages")));
    assert!(copy.status().unwrap().databases.iter().flat_map(|d| &d.rows).all(|(_, rows)| *rows == 0));
    import(&copy, &out, &REPLACE).unwrap();
}

#[test]
fn a_callback_that_panics_leaves_everything_as_it_was() {
    let store = full_in_memory();
    let exported = document(&store, &EVERYTHING);
    let mut panic = |p: Progress| -> ControlFlow<()> {
        assert_ne!(p.table, "contacts");
        ControlFlow::Continue(())
    };
    let run = || store.import(exported.as_bytes(), &REPLACE, Some(&mut panic));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
    assert_eq!(tables(&document(&store, &EVERYTHING)), tables(&exported));
    let orphan = NewWebhook { url: "https://example.com".into(), ..Default::default() };
    assert_eq!(store.webhooks().create(Uuid::nil(), orphan).wait().unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn files_are_private_whole_and_compressed_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = full(Config::new(folder.path().join("store")));
    let (plain, packed) = (folder.path().join("out.json"), folder.path().join("out.json.zst"));
    let report = store.export_file(&plain, &EVERYTHING, None).unwrap();
    store.export_file(&packed, &EVERYTHING, None).unwrap();
    let bytes = std::fs::read(&packed).unwrap();
    assert_eq!(std::fs::metadata(&plain).unwrap().len(), report.bytes);
    assert!(bytes.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) && (bytes.len() as u64) < report.bytes / 2);
    #[cfg(unix)]
    for path in [&plain, &packed] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    for path in [&plain, &packed] {
        let copy = empty();
        copy.import_file(path, &REPLACE, None).unwrap();
        assert_eq!(compare(&store, &copy).unwrap(), []);
    }
    for cut in [5, 100, bytes.len() / 2, bytes.len() - 1] {
        assert_eq!(refused(&bytes[..cut]).kind(), Kind::InvalidData, "cut at {cut}");
    }

    // A failed export leaves the old file, and nothing beside it.
    let mut stop = |_| ControlFlow::Break(());
    let error = store.export_file(&plain, &EVERYTHING, Some(&mut stop)).unwrap_err();
    assert_eq!((error.kind(), error.context("path")), (Kind::Cancelled, plain.to_str()));
    assert_eq!(std::fs::metadata(&plain).unwrap().len(), report.bytes);
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["out.json", "out.json.zst", "store"]);

    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, b"{}").unwrap();
    let error = store.import(&gz.finish().unwrap()[..], &REPLACE, None).unwrap_err();
    assert!(error.kind() == Kind::Unsupported && error.message().contains("gzip"));
}

#[test]
fn a_redacted_export_holds_no_secret_and_can_be_imported() {
    let store = full_in_memory();
    let redacted = document(&store, &ExportOptions { redact: true, ..EVERYTHING });
    let value = openwa_store::json::parse(&redacted).unwrap();
    for secret in [
        "hook-secret",
        "header-secret",
        "sealed",
        "key_hash",
        "session_auth\":[",
        "18446744073709551617,0.00000001]}}",
    ] {
        assert!(!redacted.contains(secret), "{secret}");
    }
    let list: Vec<&str> = value["redacted"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    let expected = [
        "api_keys",
        "ip_whitelist",
        "api_key_logs.api_key_id",
        "sessions.config",
        "sessions.auth_state",
        "webhooks.secret",
        "webhooks.headers",
        "session_auth",
        "openwa_extra.data",
    ];
    assert_eq!(list, expected);
    let copy = empty();
    let report = import(&copy, &redacted, &REPLACE).unwrap();
    assert_eq!(report.redacted, expected);
    let session = copy.sessions().find("shop-1").unwrap().unwrap();
    assert_eq!((session.config, session.auth_state), (json("{}"), None));
    assert!(copy.check().unwrap().problems.is_empty());
}

#[test]
fn a_table_of_many_rows_keeps_its_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("a")).unwrap();
    let session =
        store.sessions().create(NewSession { name: "s".into(), ..Default::default() }).wait().unwrap().id;
    for chunk in 0..12 {
        let message = |i: usize| NewMessage {
            wa_message_id: Some(format!("{chunk}-{i}").into()),
            chat_id: format!("{}@s.whatsapp.net", i % 7).into(),
            from_number: "1@s.whatsapp.net".into(),
            r#type: "text".into(),
            ..Default::default()
        };
        store.messages().save_many(session, (0..1000).map(message).collect()).wait().unwrap();
    }
    let exported = document(&store, &EVERYTHING);
    let copy = Store::open(folder.path().join("b")).unwrap();
    import(&copy, &exported, &REPLACE).unwrap();
    assert_eq!(compare(&store, &copy).unwrap(), []);
    // Again, over what is there, and once taken back.
    import(&copy, &exported, &REPLACE).unwrap();
    import(&copy, &exported.as_bytes()[..exported.len() - 9], &REPLACE).unwrap_err();
    assert_eq!(compare(&store, &copy).unwrap(), []);
    assert!(copy.check().unwrap().problems.is_empty());
    let indexes = |name: &str| {
        let file = rusqlite::Connection::open(folder.path().join(name).join("data.sqlite")).unwrap();
        let mut rows = file.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
        let rows = rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        rows.collect::<Result<Vec<(String, Option<String>)>, _>>().unwrap()
    };
    assert_eq!(indexes("a"), indexes("b"));
}

#[test]
fn a_comparison_names_what_differs() {
    let (a, b) = (full_in_memory(), empty());
    import(&b, document(&a, &EVERYTHING), &REPLACE).unwrap();
    let session = a.sessions().find("shop-1").unwrap().unwrap().id;
    b.messages().edit(session, "A1", Some("other".into()), None).wait().unwrap();
    a.auth().clear(a.sessions().find("shop-2").unwrap().unwrap().id, Some("creds".into())).wait().unwrap();
    a.sessions().log(session, "only.here", None).wait().unwrap();
    let found = compare(&a, &b).unwrap();
    let what: Vec<_> = found.iter().map(|d| (d.table, d.what.clone())).collect();
    let columns = Differing::Columns(vec!["body", "edited_at"]);
    assert_eq!(
        what,
        [
            ("messages", columns),
            ("session_logs", Differing::OnlyInFirst),
            ("session_auth", Differing::OnlyInSecond)
        ]
    );
    assert_eq!(found[0].key, a.messages().find(session, "A1").unwrap().unwrap().id.to_string());
}

#[test]
fn an_import_of_keys_counts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for store in [empty(), Store::open(folder.path()).unwrap()] {
        let none = document(&store, &EVERYTHING);
        let key = store
            .api_keys()
            .create(NewApiKey { name: "admin".into(), ..Default::default() })
            .wait()
            .unwrap()
            .key;
        let ask = openwa_store::Ask::default();
        assert!(store.api_keys().authorize(&key, &ask).unwrap().is_allowed());
        import(&store, &none, &REPLACE).unwrap();
        assert!(!store.api_keys().authorize(&key, &ask).unwrap().is_allowed());
    }
}

#[test]
fn writers_wait_for_an_import_and_are_not_lost() {
    let store = Arc::new(empty());
    let exported = document(&full_in_memory(), &EVERYTHING);
    let (theirs, mut thread) = (Arc::clone(&store), None);
    let mut start_a_writer = |_| {
        let theirs = Arc::clone(&theirs);
        thread.get_or_insert_with(|| {
            std::thread::spawn(move || {
                theirs.sessions().create(NewSession { name: "meanwhile".into(), ..Default::default() }).wait()
            })
        });
        ControlFlow::Continue(())
    };
    store.import(exported.as_bytes(), &REPLACE, Some(&mut start_a_writer)).unwrap();
    thread.unwrap().join().unwrap().unwrap();
    assert!(store.sessions().find("meanwhile").unwrap().is_some());
    assert!(store.sessions().find("shop-1").unwrap().is_some());
}

/// The document of a store with a message that is two years old, and the store.
fn old_document() -> (Store, Vec<u8>) {
    let from = empty();
    let session = NewSession { name: "old".into(), ..NewSession::default() };
    let session = from.sessions().create(session).wait().unwrap().id;
    let then = Timestamp::parse("2024-01-05").ok();
    let message = NewMessage { created_at: then, wa_timestamp: then, ..incoming("A", "old") };
    from.messages().save(session, message).wait().unwrap();
    let mut document = Vec::new();
    from.export(&mut document, &ExportOptions::default(), None).unwrap();
    (from, document)
}

/// What moved in with a document or from a store waits for a yes; what was not kept leaves no mark.
fn old_history_waits(store: &Store) {
    let (from, document) = old_document();
    let retention = RetentionOptions { force: true, ..RetentionOptions::default() };
    let moved = || store.retention_status(&retention).unwrap().moved;
    let dry = ImportOptions { dry_run: true, ..ImportOptions::default() };
    assert_eq!(import(store, &document, &dry).unwrap().notes.len(), 1);
    assert!(import(store, &document[..document.len() - 10], &REPLACE).is_err());
    assert_eq!(moved(), []);
    for how in [MERGE, REPLACE] {
        let notes = import(store, &document, &how).unwrap().notes;
        assert!(notes[0].contains("openwa retention accept"), "{notes:?}");
        let waiting = store.run_retention(&retention, None).unwrap().waiting.unwrap();
        assert!(waiting.contains("import of "), "{waiting}");
        assert_eq!(store.accept_retention().unwrap()[0].messages, 1);
    }
    assert_eq!(import(store, &document, &MERGE).unwrap().tables.iter().map(|t| t.inserted).sum::<u64>(), 0);
    assert_eq!(moved(), [], "nothing moved in");
    let report = store.run_retention(&retention, None).unwrap();
    assert_eq!((report.waiting, report.tables.contains(&("messages", 1))), (None, true));
    from.migrate_to(store, &MigrateOptions { replace: true, ..MigrateOptions::default() }, None).unwrap();
    assert_eq!(moved()[0].by, MovedBy::Migration);
    assert!(store.run_retention(&retention, None).unwrap().waiting.is_some());
}

#[test]
fn old_history_waits_for_a_yes() {
    old_history_waits(&empty());
}

#[test]
fn old_history_waits_for_a_yes_on_postgres() {
    let (place, dir) = (Place::migrated(Way::Partitioned), tempfile::tempdir().unwrap());
    old_history_waits(&Store::open_with(place.config(dir.path())).unwrap());
}
