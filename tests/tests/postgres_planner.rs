//! Every statement that the library issues on PostgreSQL is answered by an index, and a page of a chat reads no more
//! months than it must.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use openwa_store::{Config, ManualClock, MessageFilter, NewSession, PageRequest, Store, Trace};
use openwa_tests::cluster::Sql;
use openwa_tests::conformance::{Configuration, Context, GROUPS};
use openwa_tests::postgres::{Place, Way};
use serde_json::Value;

/// Tables that a gateway has a handful of rows in, however long it runs; and the server's own.
const SMALL: [&str; 5] = ["sessions", "webhooks", "openwa_migrations", "messages_ahead", "pg_"];

/// Statements that may read a whole table or session, and why.
const ALLOWED: [(&str, &str); 8] = [
    ("SELECT count(*) FROM", "`status` counts every table; a filter may match anything"),
    (
        "SELECT count(DISTINCT wa_message_id) FROM pending_changes",
        "a report about what waits, which is little",
    ),
    ("SELECT 'the counters of bulk job ' || j.batch_id", "`check` recounts every job"),
    ("SELECT 'message ' || m.id", "`check` compares messages with their ids and sessions"),
    ("SELECT 'the id ' || i.wa_message_id", "`check` compares ids with their messages"),
    (
        "DELETE FROM message_ids WHERE created_at",
        "a block range index finds a month's ids, or an empty table has none",
    ),
    ("DELETE FROM message_reactions r USING messages_y", "a month that goes is read once"),
    ("SELECT 1 FROM message_reactions LIMIT 1", "one row, whichever"),
];

/// Every distinct statement about rows that the conformance cases cause.
fn statements() -> BTreeSet<String> {
    let heard = Arc::new(Mutex::new(BTreeSet::new()));
    let ears = Arc::clone(&heard);
    let trace: Trace = Arc::new(move |database, sql| {
        if database.name() == "data" {
            ears.lock().unwrap().insert(sql.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    });
    for group in GROUPS {
        for (_, case) in group.cases {
            case(&Context::traced(Configuration::Postgres(Way::Partitioned), Arc::clone(&trace) as _));
        }
    }
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    let planned = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    let whole_tables = |sql: &String| !sql.contains("WHERE") && sql.contains("ORDER BY");
    heard
        .into_iter()
        .filter(|sql| planned.iter().any(|verb| sql.starts_with(verb)))
        // An export reads everything, in the order of the key.
        .filter(|sql| !whole_tables(sql))
        .collect()
}

/// The plan for any values of the parameters.
fn plan(sql: &Sql, statement: &str) -> Value {
    let text =
        statement.replace('?', "$").replace("in_this_schema", "public").replace("this_schema", "'public'");
    let count = (1..40).rev().find(|n| text.contains(&format!("${n}"))).unwrap_or(0);
    let values = if count == 0 { String::new() } else { format!("({})", vec!["NULL"; count].join(", ")) };
    sql.run(&format!("PREPARE statement AS {text}"));
    let plan = sql.column(&format!("EXPLAIN (FORMAT JSON) EXECUTE statement{values}")).concat();
    sql.run("DEALLOCATE statement");
    serde_json::from_str(&plan).unwrap()
}

/// Calls `each` with every step of a plan.
fn walk(node: &Value, each: &mut dyn FnMut(&Value)) {
    match node {
        Value::Array(list) => list.iter().for_each(|n| walk(n, each)),
        Value::Object(map) => {
            if map.contains_key("Node Type") {
                each(node);
            }
            map.values().for_each(|n| walk(n, each));
        }
        _ => {}
    }
}

/// What is wrong with one step.
fn fault(statement: &str, step: &Value) -> Option<String> {
    let text = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default();
    let table = text("Relation Name");
    if SMALL.iter().any(|small| table.starts_with(small)) {
        return None;
    }
    let how = match text("Node Type") {
        "Seq Scan" => Some("reads the whole table"),
        // Walking an index in order is how a page of a whole table is read.
        "Index Scan" | "Index Only Scan" | "Bitmap Index Scan"
            if text("Index Cond").is_empty() && !statement.contains("LIMIT") =>
        {
            Some("reads a whole index")
        }
        _ => None,
    };
    how.map(|how| format!("{how} {table}{}", text("Index Name")))
}

#[test]
fn every_statement_is_answered_by_an_index() {
    let place = Place::migrated(Way::Partitioned);
    let sql = place.sql();
    sql.run("SELECT create_messages_partition(m) FROM generate_series('2024-01-01Z'::timestamptz, '2024-12-01Z', '1 month') m");
    // What it costs follows from sizes that a test does not have; what is asked here is whether there is an index at all.
    sql.run("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan");
    let statements = statements();
    assert!(statements.len() > 100, "the cases reach the library: {}", statements.len());
    let mut faults = Vec::new();
    for statement in statements.iter().filter(|s| !ALLOWED.iter().any(|(start, _)| s.starts_with(start))) {
        walk(&plan(&sql, statement), &mut |step| {
            faults.extend(fault(statement, step).map(|why| format!("{why}\n    {statement}")));
        });
    }
    faults.dedup();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// The oldest month that was looked into since the counters were reset.
fn oldest_look(sql: &Sql) -> Option<String> {
    let looked = "SELECT coalesce(min(relname), '') FROM pg_stat_user_tables
                   WHERE relname LIKE 'messages_y%' AND coalesce(seq_scan, 0) + coalesce(idx_scan, 0) > 0";
    Some(sql.value(looked)).filter(|name| !name.is_empty())
}

#[test]
fn a_page_reads_no_more_months_than_it_must() {
    let place = Place::migrated(Way::Partitioned);
    let (sql, dir) = (place.sql(), tempfile::tempdir().unwrap());
    let open = || {
        let clock = ManualClock::new("2024-12-20T00:00:00Z".parse().unwrap());
        Store::open_with(Config { clock, ..place.config(dir.path()) }).unwrap()
    };
    let new = NewSession { name: "s".into(), ..Default::default() };
    let session = open().sessions().create(new).wait().unwrap().id;
    sql.run("SELECT create_messages_partition(m) FROM generate_series('2024-01-01Z'::timestamptz, '2024-12-01Z', '1 month') m");
    // About 100 messages a month in one chat, 10 in another.
    sql.run(&format!(
        "INSERT INTO messages (id, session_id, wa_message_id, chat_id, from_number, type, wa_timestamp, created_at)
         SELECT gen_random_uuid(), '{session}', 'M' || n, CASE WHEN n % 11 = 0 THEN 'rare@g.us' ELSE 'busy@g.us' END,
                'x', 'text', t, t
           FROM (SELECT n, '2024-01-02Z'::timestamptz + n * interval '6 hours 30 minutes' AS t
                   FROM generate_series(0, 1300) n) m"
    ));
    // The server's counters are up to date when the connections that counted have ended.
    let page = |chat: &str, after| {
        sql.run("SELECT pg_stat_reset()");
        let filter = MessageFilter { chat: Some(chat.into()), ..Default::default() };
        let request = PageRequest { limit: Some(50), after };
        let store = open();
        let page = store.messages().list(session, &filter, &request).unwrap();
        store.close().unwrap();
        let start = Instant::now();
        while oldest_look(&sql).is_none() && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(50));
        }
        (page, oldest_look(&sql).unwrap())
    };
    let (newest, month) = page("busy@g.us", None);
    assert_eq!((newest.items.len(), month.as_str()), (50, "messages_y2024m12"));
    let (second, month) = page("busy@g.us", newest.next);
    assert_eq!((second.items.len(), month.as_str()), (50, "messages_y2024m09"), "December has not enough");
    assert!(second.items.windows(2).all(|w| w[0].wa_timestamp > w[1].wa_timestamp));
    let (rare, month) = page("rare@g.us", None);
    assert_eq!((rare.items.len(), month.as_str()), (50, "messages_y2024m01"), "fifty are in five months");
}
