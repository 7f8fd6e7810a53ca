//! Every statement that the library issues is answered by an index: what the conformance cases make it say is
//! collected and put to SQLite's planner.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use openwa_store::Store;
use openwa_store::entity::{Database, tables_of};
use openwa_tests::conformance::{Configuration, Context, GROUPS};
use openwa_tests::raw;

/// Tables that a person's gateway has a handful of rows in, however long it runs.
const SMALL: [&str; 4] = ["sessions", "webhooks", "api_keys", "ip_whitelist"];

/// Statements that may read a whole table, and why.
const ALLOWED: [(&str, &str); 2] = [
    ("SELECT count(*) FROM", "`status` counts every table, along its smallest index"),
    ("SELECT j.batch_id FROM batch_jobs j WHERE (total_messages", "`check` recounts every job"),
];

/// Every distinct statement that the conformance cases cause, in one line.
fn statements() -> BTreeSet<(&'static str, String)> {
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
}

/// What is wrong with one line of a plan.
fn fault(sql: &str, line: &str, grows: impl Fn(&str) -> bool) -> Option<&'static str> {
    if line.contains("USE TEMP B-TREE FOR ORDER BY") || line.contains("USE TEMP B-TREE FOR LAST") {
        return Some("sorts instead of reading in order");
    }
    let table = line.strip_prefix("SCAN ")?.split_whitespace().next()?;
    if !grows(table) {
        return None;
    }
    if !line.contains(" INDEX ") {
        return Some("reads the whole table");
    }
    // Walking an index in order is how a page of a whole table is read.
    (!sql.contains("LIMIT")).then_some("reads a whole index")
}

#[test]
fn every_statement_is_answered_by_an_index() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap().close().unwrap();
    let statements = statements();
    let mut faults = Vec::new();
    for database in [Database::Main, Database::Data] {
        let conn = raw::open(dir.path(), database);
        let grows = |table: &str| !SMALL.contains(&table) && table != "sqlite_schema";
        for (_, sql) in statements.iter().filter(|(name, _)| *name == database.name()) {
            if ALLOWED.iter().any(|(start, _)| sql.starts_with(start)) {
                continue;
            }
            for step in raw::plan(&conn, sql) {
                faults.extend(fault(sql, &step, grows).map(|why| format!("{why}: {step}\n    {sql}")));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// The test above is worth something only if the cases reach the whole library.
#[test]
fn the_cases_write_and_read_every_table() {
    let statements = statements();
    for table in [Database::Main, Database::Data].into_iter().flat_map(tables_of) {
        for verb in ["INSERT INTO", "FROM"] {
            let said = format!("{verb} {} ", table.name);
            assert!(statements.iter().any(|(_, sql)| format!("{sql} ").contains(&said)), "nothing says {said}");
        }
    }
}
