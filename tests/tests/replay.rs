//! Replaying the engines' event logs gives exactly what their ground truth says. The rules are numbered as in
//! the fixtures' README.

// A test may panic: that is how it fails.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use openwa_store::engine::Skipped;
use openwa_store::entity::{Message, PendingKind, SessionStatus};
use openwa_store::replay::{self, ReplayReport, SessionReplay};
use openwa_store::{ContactFilter, MessageFilter, PageRequest, Store};
use openwa_tests::postgres::{Place, Way};
use openwa_tests::raw;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn replay_log(store: &Store, log: &str) -> ReplayReport {
    let report = replay::run(store, File::open(fixtures().join(log)).unwrap()).unwrap();
    assert_eq!(report.bad_lines, 0, "{:?}", report.problems);
    report
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// SHA-256 over `id\tvalue\n`, rows sorted by id in UTF-16 code units (rule 17).
fn digest<'a>(rows: impl Iterator<Item = &'a Message>, value: impl Fn(&Message) -> String) -> String {
    let mut lines: Vec<(Vec<u16>, String)> = rows
        .map(|m| {
            let id = m.wa_message_id.as_ref().unwrap();
            (id.to_utf16(), format!("{id}\t{}\n", value(m)))
        })
        .collect();
    lines.sort();
    hex(lines.iter().fold(Sha256::new(), |sha, (_, line)| sha.chain_update(line)).finalize())
}

fn body_hash(m: &Message) -> String {
    m.body.as_ref().map_or_else(
        || "-".to_owned(),
        |body| {
            let bytes: Vec<u8> = body.to_utf16().into_iter().flat_map(u16::to_le_bytes).collect();
            hex(Sha256::digest(bytes))
        },
    )
}

fn tally(keys: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
    keys.fold(BTreeMap::new(), |mut counts, key| {
        *counts.entry(key).or_default() += 1;
        counts
    })
}

/// Everything of a session's ground truth that a store keeps, as the store has it.
fn found(store: &Store, done: &SessionReplay) -> Map<String, Value> {
    let id = done.id;
    let rows: Vec<Message> =
        store.messages().iterate(id, MessageFilter::default()).collect::<Result<_, _>>().unwrap();
    let own = || rows.iter().filter(|m| m.from_me);
    let incoming = || rows.iter().filter(|m| !m.from_me);
    let chats: BTreeSet<&str> = rows.iter().map(|m| m.chat_id.as_stored()).collect();
    let unresolved = rows.iter().filter(|m| m.r#type == "ciphertext").count() as u64;
    let seconds = |m: &Message| m.wa_timestamp.millis().div_euclid(1000);
    let in_range = || rows.iter().map(seconds).filter(|s| *s > 0);
    let waiting = |kind| store.messages().waiting(id, kind).unwrap();
    let reactions: usize = rows
        .iter()
        .map(|m| store.messages().reactions(id, m.wa_message_id.clone().unwrap()).unwrap().len())
        .sum();
    let contacts = |blocked| {
        let (filter, all) =
            (ContactFilter { blocked, ..Default::default() }, PageRequest { limit: Some(1000), after: None });
        let page = store.contacts().list(id, &filter, &all).unwrap();
        assert_eq!(page.next, None, "one page holds every contact of a fixture");
        page.items.len()
    };
    let not_stored: Map<String, Value> =
        Skipped::ALL.iter().map(|reason| (reason.name().to_owned(), json!(done.skipped(*reason)))).collect();
    let truth = json!({
        "deliveries": done.deliveries,
        "distinct_messages": rows.len(),
        "duplicates_dropped": done.unchanged + done.filled,
        "ciphertext": {
            "stubs_seen": done.upgraded + unresolved, "upgraded": done.upgraded, "unresolved": unresolved,
        },
        "from_me": { "true": own().count(), "false": incoming().count() },
        "in_groups": rows.iter().filter(|m| m.is_group).count(),
        "in_newsletters": rows.iter().filter(|m| m.chat_id.as_stored().ends_with("@newsletter")).count(),
        "group_chats": chats.iter().filter(|c| c.ends_with("@g.us")).count(),
        "chats": chats.len(),
        "types": tally(rows.iter().map(|m| m.r#type.to_string())),
        "ack_from_me": tally(own().map(|m| m.ack.unwrap().to_string())),
        "ack_digest": digest(own(), |m| m.ack.unwrap().to_string()),
        "incoming_read": incoming().filter(|m| m.ack.is_some_and(|a| a >= 3)).count(),
        "acks_unknown": waiting(PendingKind::Ack),
        "revoked": rows.iter().filter(|m| m.revoked_at.is_some()).count(),
        "revokes_unknown": waiting(PendingKind::Revoke),
        "edited": rows.iter().filter(|m| m.edited_at.is_some() && m.revoked_at.is_none()).count(),
        "edits_unknown": waiting(PendingKind::Edit),
        "reactions": reactions,
        "reactions_unknown": waiting(PendingKind::Reaction),
        "contacts": contacts(None),
        "blocked": contacts(Some(true)),
        "lid_pn_pairs": store.contacts().identities(id).unwrap().iter().filter(|i| i.pn.is_some()).count(),
        "first_wa_timestamp": in_range().min(),
        "last_wa_timestamp": in_range().max(),
        "timestamps_out_of_range": rows.len() - in_range().count(),
        "timestamp_digest": digest(rows.iter(), |m| seconds(m).to_string()),
        "body_digest": digest(rows.iter(), body_hash),
        "not_stored": not_stored,
    });
    let Value::Object(truth) = truth else { unreachable!("an object was written above") };
    truth
}

/// What the ground truth tells and no table keeps, and what `found` has no use for.
const NOT_KEPT: &[&str] = &[
    "me",
    "distinct_messages_by_key",
    "groups_upserted",
    "group_receipts",
    "deleted_for_me",
    "calls",
    "derived_from_log",
];

/// The differences between truth and store, one line each.
fn differences(session: &str, truth: &Map<String, Value>, found: &Map<String, Value>) -> Vec<String> {
    let mut out = Vec::new();
    for (name, want) in truth.iter().filter(|(name, _)| !NOT_KEPT.contains(&name.as_str())) {
        let have = found.get(name).unwrap_or(&Value::Null);
        let same = match (want, have) {
            // Ground truth leaves zeros of a list out now and then.
            (Value::Object(want), Value::Object(have)) => {
                let keys: BTreeSet<&String> = want.keys().chain(have.keys()).collect();
                let zero = json!(0);
                keys.iter().all(|k| want.get(*k).unwrap_or(&zero) == have.get(*k).unwrap_or(&zero))
            }
            _ => want == have,
        };
        if !same {
            out.push(format!("{session}.{name}: truth {want}, store {have}"));
        }
    }
    out
}

type Rows = BTreeMap<String, Vec<String>>;

/// Every row of every table of Data.
fn dump(table_rows: impl Fn(&str) -> Vec<Vec<String>>) -> Rows {
    let tables = openwa_store::entity::tables_of(openwa_store::entity::Database::Data);
    let rows = |name: &str| {
        let query = format!("SELECT * FROM {name} ORDER BY 1, 2, 3");
        table_rows(&query).into_iter().map(|row| row.join(" | ")).collect()
    };
    tables.map(|table| (table.name.to_owned(), rows(table.name))).collect()
}

fn dump_file(dir: &Path) -> Rows {
    let conn = raw::open(dir, openwa_store::entity::Database::Data);
    dump(|query| {
        let mut statement = conn.prepare(query).unwrap();
        let columns = statement.column_count();
        // With types, so that nothing passes for something else.
        let cells = |row: &rusqlite::Row<'_>| {
            (0..columns).map(|i| row.get_ref(i).map(|v| format!("{v:?}"))).collect()
        };
        statement.query_map([], cells).unwrap().map(Result::unwrap).collect()
    })
}

fn same_rows(before: &Rows, after: &Rows, what: &str) {
    for (table, rows) in before {
        let (old, new): (BTreeSet<_>, BTreeSet<_>) = (rows.iter().collect(), after[table].iter().collect());
        let changed: Vec<_> = old.symmetric_difference(&new).take(4).collect();
        assert!(changed.is_empty(), "{what}: rows of {table} differ: {changed:#?}");
        assert_eq!(rows.len(), after[table].len(), "{what}: {table}");
    }
}

fn verify(store: &Store, log: &str) {
    let report = replay_log(store, log);
    let name = log.split('.').next().unwrap();
    let truth = std::fs::read(fixtures().join(format!("{name}.expected.json"))).unwrap();
    let truth: Value = serde_json::from_slice(&truth).unwrap();
    let sessions = truth["sessions"].as_object().unwrap();
    assert_eq!(report.lines, truth["lines"].as_u64().unwrap());
    assert_eq!(report.sessions.len(), sessions.len());
    let mut wrong = Vec::new();
    for done in &report.sessions {
        let truth = sessions[done.name.as_stored()].as_object().unwrap();
        wrong.extend(differences(done.name.as_stored(), truth, &found(store, done)));
        assert_eq!(done.refused, 0);
        assert!(done.unknown.is_empty(), "{:?}", done.unknown);
    }
    assert!(wrong.is_empty(), "{log}:\n{}", wrong.join("\n"));
}

fn in_memory(log: &str) {
    verify(&Store::in_memory().unwrap(), log);
}

/// Where data persist, and a second time: nothing is inserted, nothing is updated, no row of any table changes.
fn twice(store: &Store, log: &str, dump: impl Fn() -> Rows) {
    verify(store, log);
    let before = dump();
    assert!(!before["messages"].is_empty());
    for done in replay_log(store, log).sessions {
        assert_eq!(
            (done.inserted, done.upgraded, done.filled, done.not_stored),
            (0, 0, 0, 0),
            "{}",
            done.name
        );
        assert_eq!((done.pairs, done.waited), (0, 0), "{}", done.name);
        assert_eq!(done.unchanged, done.deliveries, "{}", done.name);
    }
    same_rows(&before, &dump(), log);
    assert!(store.check().unwrap().problems.is_empty());
}

fn in_file(log: &str) {
    let dir = tempfile::tempdir().unwrap();
    twice(&Store::open(dir.path()).unwrap(), log, || dump_file(dir.path()));
}

fn in_postgres(way: Way, log: &str) {
    let (place, dir) = (Place::empty(way), tempfile::tempdir().unwrap());
    let sql = place.sql();
    twice(&Store::open_with(place.config(dir.path())).unwrap(), log, || dump(|query| sql.rows(query)));
}

/// Engines other than Baileys do not say that they start; their sessions come to life all the same.
#[test]
fn the_last_status_of_every_engine_arrives() {
    let store = Store::in_memory().unwrap();
    for log in ["baileys-small.jsonl", "wwebjs-small.jsonl", "neonize-small.jsonl"] {
        replay_log(&store, log);
    }
    for (name, status) in [
        ("shop-1", SessionStatus::Failed),
        ("shop-2", SessionStatus::Failed),
        ("desk", SessionStatus::Disconnected),
        ("py-1", SessionStatus::Failed),
    ] {
        let session = store.sessions().find(name).unwrap().unwrap();
        assert_eq!(session.status, status, "{name}");
        assert!(session.connected_at.is_some(), "{name}");
    }
}

#[test]
fn a_lone_surrogate_comes_back_as_it_was() {
    let store = Store::in_memory().unwrap();
    let line = r#"{"t":1767600000000,"session":"half \udc00","engine":"wwebjs","event":"message","data":[{"id":{"_serialized":"false_12025550143@c.us_A1","id":"A1","fromMe":false,"remote":"12025550143@c.us"},"from":"12025550143@c.us","fromMe":false,"type":"chat","timestamp":1767600000,"body":"x \ud83d \u0000 \ud83d\ude00"}]}"#;
    let report = replay::run(&store, line.as_bytes()).unwrap();
    let done = &report.sessions[0];
    let name: Vec<u16> = "half ".encode_utf16().chain([0xDC00]).collect();
    assert_eq!(done.name.to_utf16(), name);
    let message = store.messages().find(done.id, "A1").unwrap().unwrap();
    let body: Vec<u16> = "x ".encode_utf16().chain([0xD83D]).chain(" \0 😀".encode_utf16()).collect();
    assert_eq!(message.body.as_ref().unwrap().to_utf16(), body);
    assert!(message.to_json().to_json().contains(r#""body":"x \ud83d \u0000 😀""#));
}

/// Wherever a log is cut, its second replay changes no row.
#[test]
fn a_second_replay_of_the_start_of_a_log_changes_nothing() {
    for (log, lines) in
        [("baileys-small.jsonl", 364), ("wwebjs-small.jsonl", 199), ("neonize-small.jsonl", 193)]
    {
        let text = std::fs::read_to_string(fixtures().join(log)).unwrap();
        for cut in (20..lines).step_by(43) {
            let start: String = text.split_inclusive('\n').take(cut).collect();
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).unwrap();
            replay::run(&store, start.as_bytes()).unwrap();
            let before = dump_file(dir.path());
            replay::run(&store, start.as_bytes()).unwrap();
            same_rows(&before, &dump_file(dir.path()), &format!("{log}, {cut} lines"));
        }
    }
}

macro_rules! logs {
    ($($module:ident($run:expr): $($name:ident)+;)+) => {
        $(mod $module {
            use super::*;
            $(#[test] fn $name() { ($run)(file_of(stringify!($name))); })+
        })+
    };
}

/// `baileys_small` is in `baileys-small.jsonl`; a log that is not small is packed.
fn file_of(name: &str) -> &'static str {
    match name {
        "baileys_small" => "baileys-small.jsonl",
        "baileys_medium" => "baileys-medium.jsonl.gz",
        "wwebjs_small" => "wwebjs-small.jsonl",
        "neonize_small" => "neonize-small.jsonl",
        _ => unreachable!(),
    }
}

logs! {
    memory(in_memory): baileys_small baileys_medium wwebjs_small neonize_small;
    file(in_file): baileys_small baileys_medium wwebjs_small neonize_small;
    postgres_partitioned(|log| in_postgres(Way::Partitioned, log)): baileys_small baileys_medium wwebjs_small neonize_small;
    postgres_plain(|log| in_postgres(Way::Plain, log)): baileys_small wwebjs_small neonize_small;
    postgres_bouncer(|log| in_postgres(Way::Bouncer, log)): baileys_small wwebjs_small neonize_small;
}
