//! What a damaged or tampered file looks like to a caller: an error that names the place, never silence.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::path::Path;

use openwa_store::entity::Database;
use openwa_store::{AuthEntry, AuthValue, Kind, PageRequest, Store};
use openwa_tests::conformance::{incoming, new_session, refused};
use openwa_tests::raw;
use tempfile::TempDir;
use uuid::Uuid;

/// Credentials large enough to need pages of their own.
const LARGE: usize = 50_000;

/// A closed store with one session, its credentials and one message.
fn store() -> (TempDir, Uuid) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let session = new_session(&store, "shop-1");
    let entry = |key_id: &str, value| AuthEntry { category: "creds".into(), key_id: key_id.into(), value };
    let entries = vec![entry("small", Some(vec![7; 10])), entry("large", Some(vec![0xA5; LARGE]))];
    store.auth().set(session, entries).wait().unwrap();
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    store.close().unwrap();
    (dir, session)
}

/// Changes a row against the table's STRICT types, as a foreign program or a broken disk could.
fn tamper(dir: &Path, table: &str, sql: &str) {
    let retype = |from: &str, to: &str| {
        let conn = raw::open(dir, Database::Data);
        conn.execute_batch(&format!(
            "PRAGMA writable_schema=ON;
             UPDATE sqlite_schema SET sql = replace(sql, '{from}', '{to}') WHERE name = '{table}'"
        ))
        .unwrap();
    };
    retype(") STRICT", ") /*STRICT*/");
    assert_eq!(raw::open(dir, Database::Data).execute(sql, []).unwrap(), 1);
    retype(") /*STRICT*/", ") STRICT");
}

#[test]
fn a_credential_of_another_type_is_unreadable_not_missing() {
    let (dir, session) = store();
    tamper(dir.path(), "session_auth", "UPDATE session_auth SET value = 'text' WHERE key_id = 'small'");
    let store = Store::open(dir.path()).unwrap();
    let read = |key_id| store.auth().get(session, "creds", key_id).unwrap();
    assert!(matches!(read("small"), AuthValue::Unreadable(_)));
    assert_eq!((read("large"), read("other")), (AuthValue::Found(vec![0xA5; LARGE]), AuthValue::Missing));
    let e = refused(store.auth().all(session), Kind::Unreadable);
    assert_eq!((e.context("table"), e.context("column")), (Some("session_auth"), Some("value")));
}

#[test]
fn a_credential_on_a_damaged_page_is_unreadable_not_missing() {
    let (dir, session) = store();
    let path = dir.path().join("data.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    // The large value is in a chain of pages, each of which begins with the number of the next.
    let page = bytes.chunks(4096).position(|page| page[4..].iter().all(|b| *b == 0xA5)).unwrap();
    bytes[page * 4096..][..4].fill(0xFF);
    std::fs::write(&path, bytes).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let read = |key_id| store.auth().get(session, "creds", key_id).unwrap();
    assert!(matches!(read("large"), AuthValue::Unreadable(_)));
    assert_eq!(read("small"), AuthValue::Found(vec![7; 10]));
    assert!(!store.check().unwrap().problems.is_empty(), "the check finds it too");
}

#[test]
fn a_value_that_makes_no_sense_names_table_column_and_row() {
    for (column, value) in [("created_at", "'yesterday'"), ("from_me", "7"), ("id", "'x'"), ("ack", "'read'")]
    {
        let (dir, session) = store();
        tamper(dir.path(), "messages", &format!("UPDATE messages SET {column} = {value}"));
        let store = Store::open(dir.path()).unwrap();
        let e = refused(
            store.messages().list(session, &Default::default(), &PageRequest::default()),
            Kind::Unreadable,
        );
        assert_eq!((e.context("table"), e.context("column")), (Some("messages"), Some(column)));
        assert!(e.context("row").is_some());
        assert_eq!(e.operation(), Some("messages.list"));
    }
}

#[test]
fn wrong_counters_and_orphans_are_found_by_the_check() {
    let (dir, _) = store();
    let conn = raw::open(dir.path(), Database::Data);
    conn.execute_batch(
        "PRAGMA foreign_keys=OFF;
         UPDATE messages SET session_id = 'nobody';
         INSERT INTO batch_jobs VALUES ('0195d0a0-0000-7000-8000-00000000000b', 'b', (SELECT id FROM sessions), 'pending', 5, 0, 0, 0, '{}', NULL,
           NULL, NULL, '2025-01-01T00:00:00.000Z', '2025-01-01T00:00:00.000Z')",
    )
    .unwrap();
    drop(conn);
    let problems = Store::open(dir.path()).unwrap().check().unwrap().problems;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("messages") && problems[0].contains("sessions"));
    assert!(problems[1].contains("bulk job b"));
}
