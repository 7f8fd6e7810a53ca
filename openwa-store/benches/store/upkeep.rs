//! Opening, and retention and vacuum while a writer is at work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use openwa_store::policy::retention::Windows;
use openwa_store::{NewMessage, RetentionOptions, Store, Timestamp, Uuid, VacuumOptions};

use crate::saves::{message, open, samples};
use crate::yardstick::{Sample, Yardstick};
use crate::{Folder, Options, quantile, rate, single, versus};

pub fn run(options: &Options) {
    opening(options);
    retention(options);
    vacuum(options);
}

fn opening(options: &Options) {
    let folder = Folder::new("open");
    let (store, session) = open(&folder);
    let messages = samples(20_000);
    store.messages().save_many(session, messages.iter().map(message).collect()).wait().expect("saved");
    store.close().expect("closed");
    single(options, "opening an existing store", "ms", "< 20 ms", || {
        let start = Instant::now();
        let store = Store::open(folder.path()).expect("open");
        let took = start.elapsed().as_secs_f64() * 1e3;
        drop(store);
        took
    });
}

/// Ten times `--rows` messages, the older half out of the window.
fn retention(options: &Options) {
    if options.only.as_ref().is_some_and(|only| !"retention".contains(only.as_str())) {
        return;
    }
    let messages = samples(options.rows * 10);
    let cutoff = messages[messages.len() / 2].at;
    let mut waits = Vec::new();
    let once = Options { rounds: 1, rows: options.rows, only: None, long: false };
    versus(
        &once,
        "retention deletes half, beside a writer / one DELETE",
        0.33,
        || ours(&messages, cutoff, &mut waits),
        || theirs(&messages, cutoff),
    );
    tell_waits(&once, "< 50 ms", &mut waits);
}

/// How long the writer waited that something else was done beside; `longest`: what is wanted of its longest wait.
fn tell_waits(options: &Options, longest: &str, waits: &mut [Duration]) {
    single(options, "  p99 of that writer", "ms", "< 50 ms", || quantile(waits, 0.99));
    single(options, "  its longest wait", "ms", longest, || quantile(waits, 1.0));
}

fn ours(messages: &[Sample], cutoff: Timestamp, waits: &mut Vec<Duration>) -> f64 {
    let folder = Folder::new("retention");
    let (store, session) = open(&folder);
    for part in messages.chunks(1000) {
        let rows = part.iter().map(|m| NewMessage { created_at: Some(m.at), ..message(m) }).collect();
        store.messages().save_many(session, rows).wait().expect("saved");
    }
    let size = || std::fs::metadata(folder.path().join("data.sqlite")).expect("file").len();
    let before = size();
    settle();
    let window = Duration::from_secs(30 * 86_400);
    let goes = RetentionOptions {
        windows: Windows { messages: Some(window), ..Windows::default() },
        now: Some(cutoff.plus(window)),
        force: true,
    };
    let speed = beside_a_writer(&store, session, waits, || {
        rate(|| store.run_retention(&goes, None).expect("retention").rows() as usize)
    });
    store.close().expect("closed");
    eprintln!(
        "  file: {} MB before, {} MB after; {} saves meanwhile",
        before >> 20,
        size() >> 20,
        waits.len()
    );
    speed
}

/// Does something while a lone writer saves one message after another, and notes how long each took.
fn beside_a_writer<T>(
    store: &Store,
    session: Uuid,
    waits: &mut Vec<Duration>,
    work: impl FnOnce() -> T,
) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let (fresh, mut waits) = (samples(1), Vec::new());
            for i in 0.. {
                if done.load(Ordering::Acquire) {
                    break;
                }
                let m = NewMessage { wa_message_id: Some(format!("FRESH{i}").into()), ..message(&fresh[0]) };
                let start = Instant::now();
                store.messages().save(session, m).wait().expect("saved");
                waits.push(start.elapsed());
            }
            waits
        });
        let out = work();
        done.store(true, Ordering::Release);
        waits.extend(writer.join().expect("writer"));
        out
    })
}

/// Ten times `--rows` messages, of which every second thousand was deleted by somebody who gave no space back.
fn vacuum(options: &Options) {
    if options.only.as_ref().is_some_and(|only| !"vacuum".contains(only.as_str())) {
        return;
    }
    let folder = Folder::new("vacuum");
    let (store, session) = open(&folder);
    for part in samples(options.rows * 10).chunks(1000) {
        store.messages().save_many(session, part.iter().map(message).collect()).wait().expect("saved");
    }
    let file = rusqlite::Connection::open(folder.path().join("data.sqlite")).expect("file");
    file.busy_timeout(Duration::from_secs(60)).expect("busy");
    file.execute("DELETE FROM messages WHERE rowid / 1000 % 2 = 0", []).expect("delete");
    settle();
    let mut waits = Vec::new();
    let start = Instant::now();
    let given_back = beside_a_writer(&store, session, &mut waits, || {
        store.vacuum(&VacuumOptions::default(), None).expect("vacuum").bytes_freed()
    });
    let took = start.elapsed();
    let once = Options { rounds: 1, rows: options.rows, only: None, long: false };
    let given_back = given_back as f64 / f64::from(1 << 20);
    single(&once, "vacuum, beside a writer", "MB/s", "", || given_back / took.as_secs_f64());
    tell_waits(&once, "", &mut waits);
}

fn theirs(messages: &[Sample], cutoff: Timestamp) -> f64 {
    let folder = Folder::new("retention-yardstick");
    let y = Yardstick::open(folder.path());
    y.insert_batches(messages, 1000);
    rate(|| {
        y.conn.execute("DELETE FROM messages WHERE created_at < ?1", [cutoff.to_string()]).expect("delete")
    })
}

/// Lets the system write out what filling the databases has left behind, a gigabyte: its own stall of seconds would
/// drown what is measured.
fn settle() {
    let _ = std::process::Command::new("sync").status();
}
