//! The figures of `docs/benchmarks.md` for backups: what a first and a second backup cost in time and space, and how long
//! a writer beside them waits.
//!
//! Arguments: `--rows N` (messages of 300 bytes; default 100,000), `--hours N` (backups after the first; default 3).

#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use openwa_store::{
    BackupOptions, Config, NewMessage, NewSession, RestoreOptions, Store, Uuid, restore_backup,
};
use openwa_tests::backups::{Backups, size};
use openwa_tests::conformance::incoming;

/// One row of so many is new or changed between two backups.
const CHANGED: u64 = 2000;

fn argument(name: &str, default: u64) -> u64 {
    let mut args = std::env::args();
    args.find(|arg| arg == name)
        .map_or(default, |_| args.next().and_then(|n| n.parse().ok()).expect("a number"))
}

/// Numbers without pattern, the same on every run.
fn scattered(n: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) ^ (x >> 31)
}

fn message(i: u64) -> NewMessage {
    // Text as people write it compresses by half; random ids not at all.
    let words =
        ["hello", "order", "tomorrow", "price", "thanks", "delivery", "please", "number", "today", "when"];
    let body: String =
        (0..45).map(|w| words[(scattered(i * 64 + w) % 10) as usize]).collect::<Vec<_>>().join(" ");
    let chat = format!("1202555{:04}@s.whatsapp.net", scattered(i) % 200);
    NewMessage {
        chat_id: chat.as_str().into(),
        from_number: chat.into(),
        ..incoming(&format!("3EB0{:016X}", scattered(i)), &body)
    }
}

fn fill(store: &Store, session: Uuid, ids: std::ops::Range<u64>) {
    let all: Vec<u64> = ids.collect();
    for some in all.chunks(1000) {
        store
            .messages()
            .save_many(session, some.iter().map(|i| message(*i)).collect())
            .wait()
            .expect("saved");
    }
}

/// Saves one by one, as long as `work` runs, and answers how long each took.
fn beside<T>(store: &Store, session: Uuid, next: &mut u64, work: impl FnOnce() -> T) -> (T, Vec<Duration>) {
    let (stop, start) = (AtomicBool::new(false), *next);
    let out = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut waits = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let message = message(start + waits.len() as u64);
                let began = Instant::now();
                store.messages().save(session, message).wait().expect("saved");
                waits.push(began.elapsed());
                // A busy gateway, not a flood.
                std::thread::sleep(Duration::from_millis(1));
            }
            waits
        });
        let out = work();
        stop.store(true, Ordering::Relaxed);
        (out, writer.join().expect("the writer"))
    });
    *next += out.1.len() as u64;
    out
}

fn waits(name: &str, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{name}: {} saves, median {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, longest {:.1} ms",
        waits.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// The most memory that the process ever had, in MB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) >> 10
}

fn main() {
    let (rows, hours) = (argument("--rows", 100_000), argument("--hours", 3));
    let at = Backups::default();
    let store = Store::open(at.store()).expect("open");
    let session = store
        .sessions()
        .create(NewSession { name: "bench".into(), ..Default::default() })
        .wait()
        .expect("session")
        .id;
    fill(&store, session, 0..rows);
    let mut next = rows;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    println!("{rows} messages, {:.0} MB; {} MB of memory before", mb(size(&at.store())), memory());
    let ((), alone) = beside(&store, session, &mut next, || std::thread::sleep(Duration::from_secs(5)));
    waits("a writer alone", alone);
    let options = BackupOptions { repo: at.repo(), ..Default::default() };
    let mut before = 0;
    for hour in 0..=hours {
        let began = Instant::now();
        let (report, saves) = if hour == 0 {
            beside(&store, session, &mut next, || store.backup(&options, None).expect("backup"))
        } else {
            fill(&store, session, next..next + rows / CHANGED);
            next += rows / CHANGED;
            (store.backup(&options, None).expect("backup"), Vec::new())
        };
        let now = size(&at.path("repo"));
        println!(
            "backup {hour}: {:.0} MB in {:.1} s, repository + {:.2} MB, memory {} MB",
            mb(report.backup.bytes),
            began.elapsed().as_secs_f64(),
            mb(now - before),
            memory()
        );
        if !saves.is_empty() {
            waits("  a writer beside it", saves);
        }
        before = now;
    }
    let began = Instant::now();
    let how = RestoreOptions { repo: at.repo(), ..Default::default() };
    restore_backup(&Config::new(at.path("new")), &how, None).expect("restored");
    println!("restore in {:.1} s, memory {} MB", began.elapsed().as_secs_f64(), memory());
}
