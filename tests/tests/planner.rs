//! Every statement that the library issues is answered by an index: what the conformance cases make it say is
//! collected and put to SQLite's planner.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};

use openwa_store::Store;
use openwa_store::entity::{Database, tables_of};
use openwa_tests::conformance::{Configuration, Context, GROUPS};
use openwa_tests::raw;

/// Tables that a person's gateway has a handful of rows in, however long it runs; and what is no table: a row of constants,
/// and the rows that a query (`recent`), or a recursive one (`chats`, or `c` for short, `walk`), has made itself.
const SMALL: [&str; 14] = [
    "sessions",
    "webhooks",
    "api_keys",
    "ip_whitelist",
    "openwa_migrations",
    "openwa_maintenance",
    "openwa_moved",
    "openwa_retention",
    "sqlite_schema",
    "CONSTANT",
    "chats",
    "c",
    "walk",
    "recent",
];

/// Statements that may read a whole table or session, and why.
const ALLOWED: [(&str, &str); 10] = [
    (
        "SELECT count(*) FROM",
        "`status` counts every table along its smallest index; a filter may match anything",
    ),
    (
        "SELECT count(DISTINCT wa_message_id) FROM pending_changes",
        "a report about what waits, which is little",
    ),
    ("SELECT j.id, j.batch_id FROM batch_jobs j", "`check` recounts every job"),
    ("SELECT name, key_prefix, expires_at FROM api_keys", "`overview` sorts a handful of keys"),
    (
        "SELECT count(*), min(CAST(session_id AS TEXT) || '/' || CAST(wa_message_id AS TEXT) || '/' || CAST(sender AS TEXT)) \
         FROM message_reactions WHERE NOT EXISTS",
        "`check` looks for the message of every reaction",
    ),
    ("SELECT session_id, lid, pn, updated_at, ?1 FROM identities", "`check` reads every value"),
    ("SELECT session_id, wa_message_id, sender, emoji, reacted_at, ?1 FROM message_reactions", "the same"),
    (
        "SELECT webhook_id, idempotency_key, event_type, processed_at, response_status, response_data, ?1 FROM",
        "the same",
    ),
    (
        "WITH RECURSIVE walk (value) AS ( SELECT (SELECT session_id FROM message_reactions",
        "the first row of a table that is its own index",
    ),
    ("WITH RECURSIVE walk (value) AS ( SELECT (SELECT webhook_id FROM webhook_idempotency", "the same"),
];

/// Every distinct statement that the conformance cases cause: the database's name, and the SQL in one line.
static STATEMENTS: LazyLock<BTreeSet<(&str, String)>> = LazyLock::new(|| {
    let heard = Arc::new(Mutex::new(BTreeSet::new()));
    let ears = Arc::clone(&heard);
    let trace: openwa_store::Trace = Arc::new(move |database, sql| {
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        ears.lock().unwrap().insert((database.name(), sql));
    });
    for group in GROUPS {
        for (_, case) in group.cases {
            case(&Context::traced(Configuration::SqliteFile, Arc::clone(&trace) as _));
        }
    }
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    let planned = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    heard.into_iter().filter(|(_, sql)| planned.iter().any(|verb| sql.starts_with(verb))).collect()
});

/// What is wrong with one step of a plan.
fn fault(sql: &str, step: &str) -> Option<&'static str> {
    if step.contains("USE TEMP B-TREE FOR ORDER BY") || step.contains("USE TEMP B-TREE FOR LAST") {
        return Some("sorts instead of reading in order");
    }
    let mut words = step.split_whitespace();
    let (how, table) = (words.next()?, words.next()?);
    // What SQLite tells about itself is no table either.
    if SMALL.contains(&table) || table.starts_with("pragma_") || !matches!(how, "SCAN" | "SEARCH") {
        return None;
    }
    // A parent whose key is written, even with the same value, has its children looked up.
    if sql.strip_prefix("UPDATE ").is_some_and(|rest| !rest.starts_with(table)) {
        return Some("reads what belongs to the row");
    }
    if how == "SCAN" {
        return match () {
            () if !step.contains(" INDEX ") => Some("reads the whole table"),
            // Walking an index in order is how a page of a whole table is read.
            () if !sql.contains("LIMIT") => Some("reads a whole index"),
            () => None,
        };
    }
    let whole_session = step.ends_with("(session_id=?)") && sql.contains("WHERE session_id = ?1 AND");
    match () {
        () if whole_session && !sql.contains("ORDER BY") => Some("reads a whole session"),
        // Walking a session in order until a page is full is fine, but not past an index on what is asked for.
        () if whole_session && sql.contains("phone =") => Some("misses the index on phone numbers"),
        () => None,
    }
}

#[test]
fn every_statement_is_answered_by_an_index() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap().close().unwrap();
    let mut faults = Vec::new();
    for database in [Database::Main, Database::Data] {
        let conn = raw::open(dir.path(), database);
        for (_, sql) in STATEMENTS.iter().filter(|(name, _)| *name == database.name()) {
            if ALLOWED.iter().any(|(start, _)| sql.starts_with(start)) {
                continue;
            }
            for step in raw::plan(&conn, sql) {
                faults.extend(fault(sql, &step).map(|why| format!("{why}: {step}\n    {sql}")));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Of two bounds on one side the planner seeks to either one, so the farther must not be said.
#[test]
fn a_page_seeks_to_one_place() {
    let (lower, upper) = ("AND wa_timestamp >", "AND wa_timestamp <");
    for (_, sql) in STATEMENTS.iter() {
        assert!(sql.matches(lower).count() <= 1 && sql.matches(upper).count() <= 1, "{sql}");
    }
}

/// The tests above are worth something only if the cases reach the whole library.
#[test]
fn the_cases_write_and_read_every_table() {
    for table in [Database::Main, Database::Data].into_iter().flat_map(tables_of) {
        for verb in ["INSERT INTO", "FROM"] {
            let said = format!("{verb} {} ", table.name);
            assert!(
                STATEMENTS.iter().any(|(_, sql)| format!("{sql} ").contains(&said)),
                "nothing says {said}"
            );
        }
    }
}
