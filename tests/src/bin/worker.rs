//! One of several gateways that share a PostgreSQL database; where that is, the environment says.
//!
//! `worker DIR NUMBER COUNT START`: at the time START (milliseconds) it saves the messages 0..COUNT, each twice, in an
//! order of its own, from 16 threads; and says the id of each that was new to it. Any error ends it.

#![allow(clippy::unwrap_used, reason = "a test program fails by a panic")]

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openwa_store::{Config, ManualClock, NewMessage, Store, Timestamp};
use openwa_tests::conformance::{in_threads, incoming};

/// Midnight UTC between two months, when half of the processes are still in the old one.
const BORDER: i64 = 1_738_368_000_000;
const DAY: i64 = 86_400_000;

/// Message `n`: some are of this moment, some come late and belong into past months.
fn message(n: usize) -> NewMessage {
    let back = match n % 5 {
        0 => Some(BORDER - 1 - (n as i64 % 150) * DAY),
        1 => Some(BORDER + n as i64 % 2),
        _ => None,
    };
    let time = back.map(|t| Timestamp::from_millis(t).unwrap());
    NewMessage { created_at: time, wa_timestamp: time, ..incoming(&format!("M{n}"), &format!("body of {n}")) }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, number, count, start] = &args[..] else { panic!("unknown arguments {args:?}") };
    let (number, count): (i64, usize) = (number.parse().unwrap(), count.parse().unwrap());
    let mut order: Vec<usize> = (0..count).chain(0..count).collect();
    let place = |n: &usize, hasher: &mut DefaultHasher| (number, n).hash(hasher);
    order.sort_by_cached_key(|n| {
        let mut hasher = DefaultHasher::new();
        place(n, &mut hasher);
        hasher.finish()
    });

    let clock = ManualClock::new(Timestamp::from_millis(BORDER - 1 + number % 2).unwrap());
    let store = Store::open_with(Config { clock, ..Config::from_env(dir).unwrap() }).unwrap();
    let session = store.sessions().find("shared").unwrap().unwrap().id;
    let start = UNIX_EPOCH + Duration::from_millis(start.parse().unwrap());
    std::thread::sleep(start.duration_since(SystemTime::now()).unwrap_or_default());

    let (next, new) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    in_threads(16, |_| {
        while let Some(part) = order.chunks(50).nth(next.fetch_add(1, Ordering::Relaxed)) {
            // Waited for together, so that equal ones may meet in one group.
            let save = |n: &usize| (*n, store.messages().save(session, message(*n)).submit().unwrap());
            for (n, ticket) in part.iter().map(save).collect::<Vec<_>>() {
                let saved = ticket.wait().unwrap();
                assert_eq!(saved.message.body.unwrap().to_string(), format!("body of {n}"));
                if saved.outcome.is_new() {
                    new.lock().unwrap().push(n);
                }
            }
        }
    });
    store.close().unwrap();
    let mut out = std::io::stdout().lock();
    new.into_inner().unwrap().iter().for_each(|n| writeln!(out, "M{n}").unwrap());
}
