//! Large sources, and processes that are killed while they take one over.
//!
//! `OPENWA_TAKEOVER_MB` is the size of the large export; `make crash` takes over 1 GB.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use openwa_store::{Store, compare};
use openwa_tests::openwa::{rows, tables, take};
use openwa_tests::process::{Program, program, text};
use openwa_tests::raw;

/// Memory that a large export may take beyond a small one: what SQLite's caches fill up to.
const GROWTH_KIB: u64 = 24 << 10;

/// Writes an export of about this size, and answers how many messages it has.
fn export(path: &Path, megabytes: u64) -> u64 {
    let mut to = BufWriter::new(std::fs::File::create(path).unwrap());
    let session = "a20fcbd4-af0c-4ed7-a618-30593e0ec863";
    write!(
        to,
        r#"{{"exportedAt":"2026-07-03T07:30:00.000Z","dataDbType":"sqlite","tables":{{"sessions":[{{"id":"{session}","name":"large","status":"ready","config":"{{}}","createdAt":"2026-05-04 07:30:00","updatedAt":"2026-05-04 07:30:00"}}],"messages":["#
    )
    .unwrap();
    let media = "QUJD".repeat(400);
    let (mut written, mut n) = (0, 0_u64);
    while written < megabytes << 20 {
        let at = 1_770_000_000 + n;
        let comma = if n == 0 { "" } else { "," };
        let metadata = if n.is_multiple_of(4) {
            format!(r#""{{\"media\":{{\"mimetype\":\"image/jpeg\",\"data\":\"{media}\"}}}}""#)
        } else {
            "null".to_owned()
        };
        let row = format!(
            r#"{comma}{{"id":"00000000-0000-4000-8000-{n:012x}","sessionId":"{session}","waMessageId":"3EB0{n:X}","chatId":"{chat}@c.us","from":"{chat}@c.us","to":"12025550100@c.us","body":"message number {n}, with some text in it","type":"text","direction":"incoming","timestamp":{at},"metadata":{metadata},"status":"sent","createdAt":"2026-05-10 20:39:02","chatName":"Somebody","author":null}}"#,
            chat = 12_025_550_100 + n % 90,
        );
        to.write_all(row.as_bytes()).unwrap();
        written += row.len() as u64;
        n += 1;
    }
    write!(to, r#"]}},"counts":{{"sessions":1,"messages":{n}}}}}"#).unwrap();
    to.into_inner().unwrap().sync_all().unwrap();
    n
}

fn mover(store: &Path, source: &Path) -> Program {
    Program::start(Command::new(program("mover")).args([text(store), text(source)]))
}

/// Rows and peak memory of a takeover in a process of its own.
fn moved(store: &Path, source: &Path) -> (u64, u64) {
    let mover = mover(store, source);
    let lines = mover.finish();
    let numbers = lines.last().unwrap().strip_prefix("done ").unwrap().split_once(' ').unwrap();
    (numbers.0.parse().unwrap(), numbers.1.parse().unwrap())
}

#[test]
fn a_large_export_takes_no_more_memory_than_a_small_one() {
    let megabytes = std::env::var("OPENWA_TAKEOVER_MB").map_or(48, |mb| mb.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let peak = |megabytes, name: &str| {
        let path = dir.path().join(format!("{name}.json"));
        let rows = export(&path, megabytes);
        let (moved, peak) = moved(&dir.path().join(name), &path);
        assert_eq!(moved, rows);
        peak
    };
    // Both fill the caches.
    let (small, large) = (peak(16, "small"), peak(megabytes, "large"));
    println!("16 MB took {small} KiB, {megabytes} MB took {large} KiB");
    assert!(large <= small + GROWTH_KIB, "16 MB took {small} KiB, {megabytes} MB took {large} KiB");
}

/// Killed anywhere, reading or writing: nothing of it is there, and the next run does it all.
#[test]
fn a_killed_takeover_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("export.json");
    let rows_there = export(&path, 8);
    let whole = Store::in_memory().unwrap();
    take(&whole, &[&path]).unwrap();
    let at = dir.path().join("store");
    let half = |phase: &str, share: u64| {
        let from = rows_there * share / 10;
        let phase = phase.to_owned();
        move |line: &str| {
            line.split_once(' ').is_some_and(|(p, n)| p == phase && n.parse::<u64>().is_ok_and(|n| n >= from))
        }
    };
    for (phase, share) in [("read", 2), ("read", 9), ("write", 0), ("write", 3), ("write", 6), ("write", 9)] {
        let mover = mover(&at, &path);
        let _ = mover.read_until(half(phase, share));
        let lines = mover.kill();
        assert!(!lines.iter().any(|l| l.starts_with("done")), "it was killed too late to tell anything");
        raw::assert_sound(&at);
        let store = Store::open(&at).unwrap();
        let tables = tables(&store);
        for table in ["sessions", "messages", "openwa_extra"] {
            assert!(rows(&tables, table).is_empty(), "killed at {phase} {share}/10: {table} has rows");
        }
        store.close().unwrap();
    }
    assert_eq!(moved(&at, &path).0, rows_there);
    let store = Store::open(&at).unwrap();
    assert_eq!(compare(&whole, &store).unwrap(), vec![]);
}
