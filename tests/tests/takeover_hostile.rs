//! Sources that are not what they should be: a typed error that says what they look like, and nothing written.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::path::{Path, PathBuf};

use openwa_store::{Error, Kind, Store, TakeoverOptions, TakeoverReport};
use openwa_tests::openwa::{content, fixture, rows, source, tables, take, unpacked};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn sqlite(&self, name: &str, sql: &str) -> PathBuf {
        let path = self.0.path().join(name);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    }
}

/// Takes it over and makes sure that nothing came of it.
#[track_caller]
fn refused(path: &Path) -> Error {
    let store = Store::in_memory().unwrap();
    let before = tables(&store);
    let e = take(&store, &[path]).unwrap_err();
    assert_eq!(tables(&store), before, "nothing is written");
    assert!(e.context("source").is_some_and(|s| s == source(path)), "{e}");
    e
}

#[track_caller]
fn says(path: &Path, kind: Kind, what: &str) {
    let e = refused(path);
    assert_eq!(e.kind(), kind, "{e}");
    assert!(e.to_string().contains(what), "{e}");
}

fn small_export() -> Value {
    json!({
        "exportedAt": "2026-07-03T07:30:00.000Z", "dataDbType": "sqlite",
        "tables": {
            "sessions": [{
                "id": "a20fcbd4-af0c-4ed7-a618-30593e0ec863", "name": "shop-main", "status": "created",
                "phone": null, "pushName": null, "config": "{}", "connectedAt": null,
                "createdAt": "2026-05-04 07:30:00", "updatedAt": "2026-05-04 07:30:00",
            }],
            "messages": [message(1), message(2), message(3)],
        },
        "counts": { "sessions": 1, "messages": 3 },
    })
}

fn message(n: u32) -> Value {
    json!({
        "id": format!("00000000-0000-4000-8000-{n:012}"), "sessionId": "a20fcbd4-af0c-4ed7-a618-30593e0ec863",
        "waMessageId": format!("3EB0{n}"), "chatId": "12025550143@c.us", "from": "12025550143@c.us",
        "to": "12025550100@c.us", "body": "hello", "type": "text", "direction": "incoming",
        "timestamp": 1_778_445_542, "metadata": null, "status": "sent", "createdAt": "2026-05-10 20:39:02",
    })
}

fn skipping(path: &Path) -> (Store, TakeoverReport) {
    let store = Store::in_memory().unwrap();
    let options = TakeoverOptions { skip_bad_rows: true, ..TakeoverOptions::default() };
    let report = store.takeover(&[source(path)], &options, None).unwrap();
    (store, report)
}

#[test]
fn empty_files() {
    let at = Place::new();
    says(&at.file("main.sqlite", ""), Kind::InvalidData, "empty");
    says(&at.file("a.json", " \n"), Kind::InvalidData, "empty");
    says(&at.file("a.json.gz", ""), Kind::InvalidData, "empty");
    says(&at.file("z", zstd::encode_all(&b""[..], 1).unwrap()), Kind::InvalidData, "empty");
}

#[test]
fn missing_files_and_folders() {
    let at = Place::new();
    assert_eq!(refused(&at.0.path().join("gone")).kind(), Kind::NotFound);
    says(at.0.path(), Kind::InvalidData, "creds.json");
    at.file("openwa.sqlite", "");
    says(at.0.path(), Kind::InvalidData, "data folder");
}

#[test]
fn foreign_files() {
    let at = Place::new();
    says(&at.file("a", "hello\n"), Kind::InvalidData, "text that is no export");
    says(&at.file("b", "<html>Not found</html>"), Kind::InvalidData, "web page");
    says(&at.file("c", "[1, 2]"), Kind::InvalidData, "list");
    says(&at.file("d", "{\"a\": 1}"), Kind::InvalidData, "no \"tables\"");
    says(&at.file("e", [0u8, 1, 2, 3, 0xFF, 0x80]), Kind::InvalidData, "no file that OpenWA");
    says(&at.file("f.sql", content("openwa-postgres.sql.gz")), Kind::InvalidData, "dump");
    says(&fixture("openwa-postgres.sql.gz"), Kind::InvalidData, "dump");
    says(&fixture("openwa.sqlite.gz"), Kind::InvalidData, "compressed SQLite");
    says(&at.file("g", br#"{"tables":[]}"#), Kind::InvalidData, "no object");
    says(&at.sqlite("h", "CREATE TABLE t (x)"), Kind::ForeignDatabase, "another program; its tables: t");
    says(&at.sqlite("i", "PRAGMA user_version=1"), Kind::ForeignDatabase, "empty SQLite");
    says(
        &at.sqlite("j", "CREATE TABLE sessions (sid TEXT, data TEXT); CREATE TABLE messages (id, text)"),
        Kind::ForeignDatabase,
        "has no column",
    );
    let creds = at.0.path().join("folder");
    std::fs::create_dir(&creds).unwrap();
    std::fs::write(creds.join("creds.json"), br#"{"user":"x"}"#).unwrap();
    says(&creds, Kind::InvalidData, "not what Baileys writes");
}

#[test]
fn our_own_files_are_recognised() {
    let at = Place::new();
    let store = Store::open(at.0.path().join("store")).unwrap();
    let export = at.0.path().join("own.json");
    store.export_file(&export, &openwa_store::ExportOptions::default(), None).unwrap();
    store.close().unwrap();
    says(&export, Kind::InvalidData, "openwa import");
    says(&at.0.path().join("store/data.sqlite"), Kind::ForeignDatabase, "openwa-store itself");
}

#[test]
fn wrongly_encoded_files() {
    let at = Place::new();
    let text = small_export().to_string();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    says(&at.file("a", &utf16), Kind::InvalidData, "UTF-16");
    says(&at.file("b", [&[0xFF, 0xFE], &utf16[..]].concat()), Kind::InvalidData, "UTF-16");
    says(
        &at.file("c", [&[0xEF, 0xBB, 0xBF], text.as_bytes()].concat()),
        Kind::InvalidData,
        "byte order mark",
    );
    // One row in Latin-1.
    let latin: Vec<u8> =
        text.replacen("hello", "gr\u{1}n", 1).bytes().map(|b| if b == 1 { 0xFC } else { b }).collect();
    let e = refused(&at.file("d", latin));
    assert_eq!(
        (e.kind(), e.context("table"), e.context("row")),
        (Kind::InvalidData, Some("messages"), Some("1"))
    );
    assert!(e.message().contains("UTF-8"), "{e}");
}

/// A SQLite file whose text is not UTF-8.
#[test]
fn a_database_with_bytes_that_are_no_text() {
    let at = Place::new();
    let path = unpacked("openwa.sqlite.gz", at.0.path());
    let sql =
        "DROP TRIGGER messages_fts_au; UPDATE messages SET body = CAST(x'67FC6E' AS TEXT) WHERE rowid = 7";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let e = refused(&path);
    assert_eq!(
        (e.kind(), e.context("table"), e.context("column")),
        (Kind::InvalidData, Some("messages"), Some("body"))
    );
}

#[test]
fn truncated_files_wherever_they_end() {
    let at = Place::new();
    let export = content("export-0.2-sqlite.json.gz");
    let packed = std::fs::read(fixture("export-0.2-sqlite.json.gz")).unwrap();
    let zstd = zstd::encode_all(&export[..], 1).unwrap();
    let database = content("openwa.sqlite.gz");
    let zip = wwebjs_zip();
    for part in [1, 20, 50, 90, 99] {
        for (name, whole) in [("a", &export), ("b", &packed), ("c", &zstd), ("d", &database), ("e", &zip)] {
            let e = refused(&at.file(name, &whole[..whole.len() * part / 100]));
            let expected = [Kind::InvalidData, Kind::Corrupt];
            assert!(expected.contains(&e.kind()), "{name} cut at {part} %: {e:?}");
            let text = e.to_string();
            assert!(text.contains("cut off") || text.contains("malformed"), "{name} cut at {part} %: {text}");
        }
    }
    for bytes in 1..32 {
        refused(&at.file("f", &database[..bytes]));
    }
}

/// An archive as RemoteAuth writes it.
fn wwebjs_zip() -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default();
    for name in [
        "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb/000003.log",
        "Default/Local Storage/leveldb/CURRENT",
    ] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(&[7; 5000]).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn documents_of_the_future() {
    let at = Place::new();
    let mut newer = small_export();
    newer.as_object_mut().unwrap().shift_insert(0, "version".to_owned(), json!(3));
    says(&at.file("a", newer.to_string()), Kind::InvalidData, "newer OpenWA: version is 3");
    let path = unpacked("openwa.sqlite.gz", at.0.path());
    Connection::open(&path)
        .unwrap()
        .execute_batch("ALTER TABLE messages RENAME COLUMN direction TO flow")
        .unwrap();
    says(&path, Kind::ForeignDatabase, "messages has no column direction");
    let mut changed = small_export();
    changed["tables"]["messages"][0]["status"] = json!("teleported");
    let e = refused(&at.file("b", changed.to_string()));
    assert_eq!((e.context("table"), e.context("column")), (Some("messages"), Some("status")));
}

#[test]
fn tables_that_nobody_knows_are_kept() {
    let at = Place::new();
    let mut newer = small_export();
    newer["tables"]["chatLabels"] = json!([{ "id": "l-1", "name": "VIP", "weight": 1.5 }]);
    newer["tables"]["messages"][0]["mood"] = json!({ "happy": true });
    let store = Store::in_memory().unwrap();
    take(&store, &[&at.file("a", newer.to_string())]).unwrap();
    let mut back = Vec::new();
    store.export_openwa(&mut back, None).unwrap();
    let back: Value = serde_json::from_slice(&back).unwrap();
    assert_eq!(back["tables"]["chatLabels"], newer["tables"]["chatLabels"]);
    assert_eq!(back["tables"]["messages"][0]["mood"], newer["tables"]["messages"][0]["mood"]);
}

#[test]
fn a_document_that_is_not_whole_or_has_a_tail() {
    let at = Place::new();
    let mut short = small_export();
    short["counts"]["messages"] = json!(4);
    says(&at.file("a", short.to_string()), Kind::InvalidData, "its count says 4");
    says(&at.file("b", format!("{} {{}}", small_export())), Kind::InvalidData, "follows the end");
    says(&at.file("c", r#"{"tables":{"sessions":{}}}"#), Kind::InvalidData, "should be");
    says(&at.file("d", r#"{"tables":{"sessions":[1]}}"#), Kind::InvalidData, "not an object");
}

/// Every way in which a row may be bad, one at a time: strict writes nothing, skipping takes the others.
#[test]
fn bad_rows() {
    let at = Place::new();
    for (place, value, column) in [
        ("/tables/messages/1/id", json!("not-a-uuid"), "id"),
        ("/tables/messages/1/id", json!("00000000-0000-4000-8000-000000000001"), "id"),
        ("/tables/messages/1/waMessageId", json!("3EB01"), ""),
        ("/tables/messages/1/sessionId", json!("a20fcbd4-af0c-4ed7-a618-000000000000"), ""),
        ("/tables/messages/1/chatId", json!(null), "chatId"),
        ("/tables/messages/1/direction", json!("sideways"), "direction"),
        ("/tables/messages/1/timestamp", json!("soon"), "timestamp"),
        ("/tables/messages/1/timestamp", json!(9_000_000_000_000_000_000_i64), "timestamp"),
        ("/tables/messages/1/createdAt", json!("10.05.2026"), "createdAt"),
        ("/tables/messages/1/metadata", json!("{\"media\":"), "metadata"),
        ("/tables/messages/1/metadata", json!("[]"), "metadata"),
        ("/tables/messages/1/type", json!("x".repeat(51)), "type"),
        ("/tables/messages/1/body", json!(7), "body"),
    ] {
        let mut export = small_export();
        *export.pointer_mut(place).unwrap() = value.clone();
        let path = at.file("a", export.to_string());
        let e = refused(&path);
        assert_eq!(e.kind(), Kind::InvalidData, "{place} {value}: {e}");
        assert_eq!(e.context("table"), Some("messages"), "{place} {value}: {e}");
        assert_eq!(e.context("column").unwrap_or_default(), column, "{place} {value}: {e}");

        let (store, report) = skipping(&path);
        let tables = tables(&store);
        assert_eq!(rows(&tables, "messages").len(), 2, "{place} {value}");
        assert_eq!(report.problem_count, 1, "{place} {value}");
        let problem = &report.problems[0];
        assert_eq!((problem.table.as_str(), problem.column.as_str()), ("messages", column));
        assert!(!problem.row.is_empty() && !problem.why.is_empty());
        let messages = report.tables.iter().find(|t| t.table == "messages").unwrap();
        assert_eq!((messages.rows, messages.mapped, messages.bad), (3, 2, 1), "{place} {value}");
    }
}

#[test]
fn a_bad_session_takes_its_rows_with_it() {
    let at = Place::new();
    let mut export = small_export();
    export["tables"]["sessions"][0]["status"] = json!("dreaming");
    let (store, report) = skipping(&at.file("a", export.to_string()));
    let tables = tables(&store);
    assert_eq!((rows(&tables, "sessions").len(), rows(&tables, "messages").len()), (0, 0));
    assert_eq!(rows(&tables, "openwa_extra").len(), 0, "nothing of them is left");
    assert_eq!(report.problem_count, 4);
}

/// A name or hash that the store has under another id is a conflict, not a silent loss.
#[test]
fn what_the_store_has_already_is_not_replaced() {
    let at = Place::new();
    let path = at.file("a", small_export().to_string());
    let store = Store::in_memory().unwrap();
    let new = openwa_store::NewSession { name: "shop-main".into(), ..Default::default() };
    let mine = store.sessions().create(new).wait().unwrap();
    let e = take(&store, &[&path]).unwrap_err();
    assert_eq!((e.kind(), e.context("table")), (Kind::InvalidData, Some("sessions")));
    assert!(e.message().contains("same name"), "{e}");
    assert_eq!(store.sessions().find("shop-main").unwrap().unwrap().id, mine.id);
    assert_eq!(rows(&tables(&store), "messages").len(), 0);
}

#[test]
fn a_batch_id_that_the_store_has_used() {
    let at = Place::new();
    let path = fixture("export-sqlite.json.gz");
    let store = Store::in_memory().unwrap();
    take(&store, &[&at.file("none", r#"{"tables":{}}"#)]).unwrap();
    // The session alone, then a batch of its own.
    let whole = openwa_tests::openwa::json("export-sqlite.json.gz");
    let sessions = json!({ "tables": { "sessions": whole["tables"]["sessions"] } });
    take(&store, &[&at.file("sessions", sessions.to_string())]).unwrap();
    let session = "658bf4ba-d433-4e45-95e9-4af83dcc7a7c".parse().unwrap();
    let batch = openwa_store::NewBatch {
        batch_id: "nightly".into(),
        messages: vec![openwa_store::NewBatchMessage {
            chat_id: "12025550143@c.us".into(),
            ..Default::default()
        }],
        options: None,
    };
    store.batches().create(session, batch).wait().unwrap();
    let e = take(&store, &[&path]).unwrap_err();
    assert_eq!((e.kind(), e.context("table")), (Kind::InvalidData, Some("message_batches")), "{e}");
    let options = TakeoverOptions { skip_bad_rows: true, ..TakeoverOptions::default() };
    let report = store.takeover(&[source(&path)], &options, None).unwrap();
    assert_eq!((report.problem_count, rows(&tables(&store), "batch_jobs").len()), (1, 12));
    assert!(store.check().unwrap().problems.is_empty());
}

/// Keys whose list cannot be carried over exactly are refused, never widened.
#[test]
fn a_key_is_never_widened() {
    let at = Place::new();
    for ips in [",", "10.0.0.0/33", "example.com", "203.0.113.7,nonsense"] {
        let path = at.file("main.sqlite", content("main.sqlite"));
        let conn = Connection::open(&path).unwrap();
        conn.execute("UPDATE api_keys SET allowedIps = ?1 WHERE name = 'owner'", [ips]).unwrap();
        drop(conn);
        let e = refused(&path);
        assert_eq!(
            (e.context("table"), e.context("column")),
            (Some("api_keys"), Some("allowedIps")),
            "{ips}"
        );
        let (store, _) = skipping(&path);
        let tables = tables(&store);
        assert!(rows(&tables, "api_keys").iter().all(|k| k["name"] != "owner"), "{ips}");
        assert_eq!(rows(&tables, "api_keys").len(), 13);
    }
}

/// The source and everything beside it stay byte for byte what they were, whatever state it is in.
#[test]
fn a_database_is_never_changed() {
    let in_wal_mode = |path: &Path| {
        let conn = Connection::open(path).unwrap();
        conn.pragma_update(None, "journal_mode", "wal").unwrap();
        conn
    };
    for state in ["plain", "wal mode", "open with a log", "log left behind"] {
        let at = Place::new();
        let folder = at.0.path().join("data");
        std::fs::create_dir(&folder).unwrap();
        let path = unpacked("openwa.sqlite.gz", &folder);
        let add =
            "INSERT INTO templates SELECT 'new', sessionId, 'new', body, header, footer, createdAt, updatedAt
                     FROM templates LIMIT 1";
        let mut writer = None;
        match state {
            "plain" => {}
            "wal mode" => in_wal_mode(&path).close().unwrap(),
            "open with a log" => {
                let conn = in_wal_mode(&path);
                conn.execute_batch(add).unwrap();
                writer = Some(conn);
            }
            _ => {
                // A gateway that was killed: the newest rows are only in the log.
                let conn = in_wal_mode(&path);
                conn.execute_batch(add).unwrap();
                let copy = at.0.path().join("copy");
                std::fs::create_dir(&copy).unwrap();
                for name in ["openwa.sqlite", "openwa.sqlite-wal"] {
                    std::fs::copy(folder.join(name), copy.join(name)).unwrap();
                }
                conn.close().unwrap();
                std::fs::remove_dir_all(&folder).unwrap();
                std::fs::rename(&copy, &folder).unwrap();
            }
        }
        let look = || {
            let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
                .unwrap()
                .map(|f| f.unwrap())
                // The index of a log belongs to whoever has it open; readers of the log write there.
                .filter(|f| !f.file_name().to_string_lossy().ends_with("-shm"))
                .map(|f| (f.file_name().to_string_lossy().into_owned(), std::fs::read(f.path()).unwrap()))
                .collect();
            files.sort();
            files
        };
        let before = look();
        let store = Store::in_memory().unwrap();
        let report = take(&store, &[&path]).unwrap();
        assert!(look() == before, "{state}: the source changed");
        let shm = folder.join("openwa.sqlite-shm").exists();
        assert_eq!(shm, writer.is_some(), "{state}: no file is made beside it");
        let templates = report.tables.iter().find(|t| t.table == "templates").unwrap();
        let newest = u64::from(!matches!(state, "plain" | "wal mode"));
        assert_eq!(templates.rows, 7 + newest, "{state}: what is in the log counts");
    }
}
