//! Every statement of the library finds its rows by an index on a server with many messages over twelve months:
//! the conformance cases run there, and the server writes down how it answered each of their statements.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use openwa_store::entity::{Database, tables_of};
use openwa_store::{Json, MessageFilter, NewSession, PageRequest, Store, Trace, Uuid};
use openwa_tests::cluster::{Cluster, Options, Sql};
use openwa_tests::conformance::{Case, Context, GROUPS, at, incoming};
use openwa_tests::postgres::{Place, Way, fill};
use openwa_tests::process::setting;

/// A table of so many rows is read by an index, and so many rows are not read in vain.
const MANY: u64 = 4000;

/// Statements that may read a whole table or session, and why.
const ALLOWED: [(&str, &str); 7] = [
    ("SELECT count(*) FROM", "`status` counts every table; a filter may match anything"),
    ("SELECT count(DISTINCT wa_message_id) FROM", "a report about what waits, which is little"),
    ("SELECT j.id, j.batch_id FROM batch_jobs j", "`check` recounts every job"),
    ("SELECT DISTINCT p.session_id", "a large group of saves may be cheaper with one look at all that waits"),
    ("SELECT count(*), min(CAST(", "`check` looks at every row"),
    ("WITH RECURSIVE walk (value)", "`check` walks along an index, and once along a small table"),
    ("WITH t AS (SELECT * FROM unnest", "what is inserted is joined to itself"),
];

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let explain = [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_timing", "off"),
        ("auto_explain.log_nested_statements", "on"),
        // As for a server whose data do not fit into its cache many times over.
        ("random_page_cost", "1.1"),
    ];
    let settings = explain.map(|(name, value)| (name, value.to_owned())).to_vec();
    Cluster::new(&Options { fsync: false, settings, ..Options::default() })
});

/// A session that nobody hears.
fn quiet(place: &Place) -> Sql {
    let sql = place.sql();
    sql.run("SET auto_explain.log_min_duration = -1");
    sql
}

/// A database of a gateway that has been busy for a year, and two of its ten sessions.
struct Busy {
    place: Arc<Place>,
    sessions: Vec<Uuid>,
    /// Tables with many rows.
    large: BTreeSet<String>,
}

/// Rows for every table that grows, beside the messages: 20,000 of each in the first session.
const OTHERS: [&str; 8] = [
    "INSERT INTO contacts (id, session_id, wa_contact_id, phone, is_my_contact, is_blocked, created_at, updated_at)
     SELECT gen_random_uuid(), $S, '1202555' || n || '@s.whatsapp.net', '1202555' || n, false, false, now(), now() FROM $N",
    "INSERT INTO session_logs (id, session_id, event, created_at)
     SELECT gen_random_uuid(), $S, 'event.' || n % 9, now() + n * interval '1 s' FROM $N",
    "INSERT INTO batch_jobs (id, batch_id, session_id, status, total_messages, created_at, updated_at)
     SELECT gen_random_uuid(), 'old-' || n, $S, 'pending', 0, now(), now() FROM $N",
    "INSERT INTO batch_job_messages (id, batch_job_id, position, chat_id, message_type, content, created_at)
     SELECT gen_random_uuid(), id, 0, 'x', 'text', '{}', now() FROM batch_jobs",
    "INSERT INTO session_auth (session_id, category, key_id, value, updated_at)
     SELECT $S, 'pre-key', n::text, 'x', now() FROM $N",
    "INSERT INTO identities (session_id, lid, pn, updated_at)
     SELECT $S, n || '@lid', '1202555' || n || '@s.whatsapp.net', now() FROM $N",
    "INSERT INTO message_reactions (session_id, wa_message_id, sender, emoji, reacted_at)
     SELECT $S, '3EB0' || md5(n::text), '1202555' || n || '@s.whatsapp.net', 'x', now() FROM $N",
    "INSERT INTO pending_changes (id, session_id, wa_message_id, kind, payload, created_at)
     SELECT gen_random_uuid(), $S, 'LATER' || n, 'ack', '{}', now() + interval '100 years' FROM $N",
];
const WEBHOOKS: [&str; 3] = [
    "INSERT INTO webhooks (id, session_id, url, created_at, updated_at)
     VALUES (gen_random_uuid(), $S, 'https://example.com', now(), now())",
    "INSERT INTO webhook_logs (id, webhook_id, event, payload, created_at)
     SELECT gen_random_uuid(), (SELECT id FROM webhooks LIMIT 1), 'x', '{}', now() + interval '100 years' FROM $N",
    "INSERT INTO webhook_idempotency (webhook_id, idempotency_key, event_type, processed_at)
     SELECT (SELECT id FROM webhooks LIMIT 1), n::text, 'x', now() + interval '100 years' FROM $N",
];

static BUSY: LazyLock<Busy> = LazyLock::new(|| {
    let place = Arc::new(Place::of(CLUSTER.database(), Way::Partitioned));
    let store = Context::on(Arc::clone(&place), Arc::new(|_, _| ())).store();
    let forever = Json::parse(r#"{"retention":{"messages":null}}"#).unwrap();
    let make = |n: usize| {
        let (name, config) = (format!("busy-{n}").as_str().into(), Some(forever.clone()));
        store.sessions().create(NewSession { name, config, ..NewSession::default() }).wait().unwrap().id
    };
    let sessions: Vec<Uuid> = (0..10).map(make).collect();
    let sql = quiet(&place);
    for session in &sessions {
        fill(
            &sql,
            *session,
            setting("OPENWA_BUSY_MESSAGES", 100_000) / 10,
            "2024-01-21T00:00:00Z",
            "358 days",
        );
    }
    for statement in OTHERS.iter().chain(&WEBHOOKS) {
        let session = format!("'{}'::uuid", sessions[0]);
        sql.run(&statement.replace("$S", &session).replace("$N", "generate_series(1, 20000) n"));
    }
    sql.run("VACUUM ANALYZE");
    let large = format!("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > {MANY}");
    Busy { large: sql.column(&large).into_iter().collect(), place, sessions }
});

/// The server's log is one: who reads it must be alone.
static TURN: Mutex<()> = Mutex::new(());

/// One statement as the server answered it.
struct Answer {
    sql: String,
    /// The plan's lines.
    plan: Vec<String>,
}

/// What the server has written since the log had this length.
fn answers(since: usize) -> Vec<Answer> {
    let log = CLUSTER.log().split_off(since);
    let mut found = Vec::new();
    // An entry goes on in lines that begin with a tab; the statement itself may have several.
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.contains("plan:") {
            continue;
        }
        let mut entry = Vec::new();
        while let Some(more) = lines.next_if(|l| l.starts_with('\t')) {
            entry.push(more.trim_start_matches('\t').to_owned());
        }
        let first = entry.iter().position(|l| l.contains("(cost=")).unwrap_or(entry.len());
        let sql = entry[..first].join(" ").replace("Query Text: ", "").replace("\"public\".", "");
        found.push(Answer { sql: one_line(&sql), plan: entry.split_off(first) });
    }
    found
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn number_after(line: &str, word: &str) -> Option<u64> {
    let rest = line.split_once(word)?.1;
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

/// What is wrong with a plan.
fn faults(answer: &Answer, large: &BTreeSet<String>) -> Vec<String> {
    let mut out = Vec::new();
    if ALLOWED.iter().any(|(start, _)| answer.sql.starts_with(start)) {
        return out;
    }
    for line in answer.plan.iter().filter(|line| !line.contains("never executed")) {
        let table = line.split_once("Seq Scan on ").and_then(|(_, rest)| rest.split_whitespace().next());
        if table.is_some_and(|table| large.contains(table)) {
            out.push(format!("reads a whole table: {}", line.trim()));
        }
        if number_after(line, "Rows Removed by Filter: ").is_some_and(|n| n > MANY) {
            out.push(format!("reads rows in vain: {}", line.trim()));
        }
        if line.contains("Scan") && number_after(line, "(actual rows=").is_some_and(|n| n > 5 * MANY) {
            out.push(format!("reads too much: {}", line.trim()));
        }
    }
    out
}

/// The statements of the planner's kind that a run of these cases causes, as the library says them.
fn heard(context: impl Fn(Trace) -> Context, cases: &[Case], after_each: impl Fn()) -> BTreeSet<String> {
    let statements = Arc::new(Mutex::new(BTreeSet::new()));
    let ears = Arc::clone(&statements);
    let trace: Trace = Arc::new(move |database, sql| {
        if database == Database::Data {
            ears.lock().unwrap().insert(one_line(sql));
        }
    });
    for (_, case) in cases {
        let context = context(Arc::clone(&trace));
        // Some cases count what others' sessions hold too, and stop there. What is said is what matters here.
        let _ = catch_unwind(AssertUnwindSafe(|| case(&context)));
        after_each();
    }
    drop(trace);
    let planned = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    let all = std::mem::take(&mut *statements.lock().unwrap());
    all.into_iter().filter(|sql| planned.iter().any(|verb| sql.starts_with(verb))).collect()
}

#[test]
fn every_statement_is_answered_by_an_index() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let busy = &*BUSY;
    assert!(
        busy.large.iter().filter(|name| name.starts_with("messages_y")).count() >= 11,
        "{:?}",
        busy.large
    );
    let cases: Vec<Case> = GROUPS.iter().flat_map(|g| g.cases.iter().chain(g.persistent)).copied().collect();
    let sql = quiet(&busy.place);
    let clean = || {
        sql.run(
            "CREATE TEMP TABLE IF NOT EXISTS gone (id uuid);
             TRUNCATE gone; INSERT INTO gone SELECT id FROM sessions WHERE name NOT LIKE 'busy-%';
             DELETE FROM messages WHERE session_id = ANY (ARRAY(SELECT id FROM gone));
             DELETE FROM message_ids WHERE session_id = ANY (ARRAY(SELECT id FROM gone));
             DELETE FROM sessions WHERE id IN (SELECT id FROM gone)",
        );
    };
    std::panic::set_hook(Box::new(|_| ()));
    let since = CLUSTER.log().len();
    let here = heard(|trace| Context::on(Arc::clone(&busy.place), trace), &cases, clean);
    let answers = answers(since);
    let _ = std::panic::take_hook();

    // What a takeover leaves over has tests of its own.
    for table in tables_of(Database::Data).filter(|table| table.name != "openwa_extra") {
        for verb in ["INSERT INTO", "FROM"] {
            let said = format!("{verb} {} ", table.name);
            assert!(here.iter().any(|sql| format!("{sql} ").contains(&said)), "nothing says {said}");
        }
    }
    assert!(answers.len() > 1000, "the server wrote down {} answers", answers.len());
    let mut found = BTreeSet::new();
    for answer in &answers {
        found.extend(faults(answer, &busy.large).into_iter().map(|why| format!("{why}\n    {}", answer.sql)));
    }
    let text = found.iter().cloned().collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{} faults:\n{text}", found.len());
}

/// The monthly tables that were looked into since the log had this length.
fn months_read(since: usize) -> BTreeSet<String> {
    let answers = answers(since);
    assert!(!answers.is_empty());
    let lines = answers.iter().flat_map(|a| &a.plan).filter(|line| line.contains("Scan"));
    let lines = lines.filter(|line| !line.contains("never executed"));
    let name = |line: &String| {
        let start = line.find("on messages_y")? + "on ".len();
        line[start..].split_whitespace().next().map(str::to_owned)
    };
    lines.filter_map(name).collect()
}

#[test]
fn a_page_of_a_chat_touches_no_more_months_than_it_must() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let busy = &*BUSY;
    let store: Store = Context::on(Arc::clone(&busy.place), Arc::new(|_, _| ())).store();
    let session = busy.sessions[1];
    let page = |chat: &str, limit: u32, until: Option<openwa_store::Timestamp>| {
        let since = CLUSTER.log().len();
        let filter = MessageFilter { chat: Some(chat.into()), until, ..MessageFilter::default() };
        let request = PageRequest { limit: Some(limit), after: None };
        let page = store.messages().list(session, &filter, &request).unwrap();
        assert_eq!(page.items.len(), limit as usize);
        // The server writes down what it did when the transaction ends. A read does not wait for that, but the next one
        // on the same connection does.
        store.sessions().get(session).unwrap();
        months_read(since)
    };
    let lively = "12025550143@s.whatsapp.net";
    (0..60).for_each(|n| {
        let message = openwa_store::NewMessage { chat_id: lively.into(), ..incoming(&format!("L{n}"), "x") };
        store.messages().save(session, message).wait().unwrap();
    });
    // This month; those made ahead are empty.
    let this_month = page(lively, 50, None);
    assert!(this_month.contains("messages_y2025m01"));
    assert!(this_month.iter().all(|month| month.as_str() >= "messages_y2025m01"), "{this_month:?}");
    // A chat with some messages a month: as many months as fill the page, and a few more.
    let quiet_chat = "12025550007@s.whatsapp.net";
    let few = page(quiet_chat, 3, None);
    assert!(few.iter().all(|month| month.as_str() >= "messages_y2024m10"), "{few:?}");
    let middle = page(quiet_chat, 3, Some(at(-200 * 86_400)));
    assert!(middle.iter().all(|month| month.as_str() >= "messages_y2024m03"), "{middle:?}");
    assert!(!middle.contains("messages_y2024m01"), "{middle:?}");
    // One message is found in its month without a look at any other.
    let since = CLUSTER.log().len();
    assert!(store.messages().find(session, "L7").unwrap().is_some());
    assert_eq!(months_read(since).len(), 1);
}
