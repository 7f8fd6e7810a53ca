//! Writing: one `save` per message, durable, in the ways in which gateways call it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use openwa_store::{Config, NewMessage, NewSession, Store, Timestamp};
use uuid::Uuid;

use crate::yardstick::{Sample, Yardstick};
use crate::{Folder, Options, Random, quantile, rate, single, versus};

/// Messages of 300 bytes in 500 chats, one a second.
pub fn samples(count: usize) -> Vec<Sample> {
    let mut random = Random(88_172_645_463_325_252);
    let body = "x".repeat(300);
    (0..count)
        .map(|i| Sample {
            wa_message_id: format!("3EB0{:016X}", random.draw()),
            chat_id: format!("1202555{:04}@s.whatsapp.net", random.draw() % 500),
            body: body.clone(),
            at: Timestamp::from_millis(1_767_600_000_000 + i as i64 * 1000).expect("time"),
        })
        .collect()
}

pub fn message(m: &Sample) -> NewMessage {
    NewMessage {
        wa_message_id: Some(m.wa_message_id.as_str().into()),
        chat_id: m.chat_id.as_str().into(),
        from_number: m.chat_id.as_str().into(),
        r#type: "text".into(),
        body: Some(m.body.as_str().into()),
        wa_timestamp: Some(m.at),
        ..NewMessage::default()
    }
}

pub fn open(folder: &Folder) -> (Store, Uuid) {
    let store = Store::open_with(Config::new(folder.path())).expect("open");
    let new = NewSession { name: "bench".into(), ..NewSession::default() };
    let session = store.sessions().create(new).wait().expect("session").id;
    (store, session)
}

fn tickets(messages: &[Sample], outstanding: usize) -> f64 {
    let folder = Folder::new("tickets");
    let (store, session) = open(&folder);
    rate(|| {
        let mut window = VecDeque::with_capacity(outstanding);
        for m in messages {
            if window.len() == outstanding {
                let ticket: openwa_store::Ticket<_> = window.pop_front().expect("full");
                ticket.wait().expect("saved");
            }
            window.push_back(store.messages().save(session, message(m)).submit().expect("queued"));
        }
        window.into_iter().for_each(|t| {
            t.wait().expect("saved");
        });
        messages.len()
    })
}

fn threads(messages: &[Sample], count: usize) -> f64 {
    let folder = Folder::new("threads");
    let (store, session) = open(&folder);
    rate(|| save(&store, session, messages, count))
}

/// Saves them from so many threads at once; says how many they are.
pub fn save(store: &Store, session: Uuid, messages: &[Sample], threads: usize) -> usize {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(m) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    store.messages().save(session, message(m)).wait().expect("saved");
                }
            });
        }
    });
    messages.len()
}

fn one_by_one(messages: &[Sample], latencies: &mut Vec<Duration>) -> f64 {
    let folder = Folder::new("single");
    let (store, session) = open(&folder);
    rate(|| {
        for m in messages {
            let start = Instant::now();
            store.messages().save(session, message(m)).wait().expect("saved");
            latencies.push(start.elapsed());
        }
        messages.len()
    })
}

fn acks(messages: &[Sample]) -> f64 {
    let folder = Folder::new("acks");
    let (store, session) = open(&folder);
    let all = messages.iter().map(message).collect();
    store.messages().save_many(session, all).wait().expect("saved");
    let next = AtomicUsize::new(0);
    rate(|| {
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    while let Some(m) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                        store.messages().ack(session, m.wa_message_id.as_str(), 3).wait().expect("acked");
                    }
                });
            }
        });
        messages.len()
    })
}

fn yardstick(messages: &[Sample], batch: usize) -> f64 {
    let folder = Folder::new("yardstick");
    let y = Yardstick::open(folder.path());
    rate(|| y.insert_batches(messages, batch))
}

fn yardstick_acks(messages: &[Sample], some: usize) -> f64 {
    let folder = Folder::new("yardstick-acks");
    let y = Yardstick::open(folder.path());
    y.insert_batches(messages, 1000);
    rate(|| {
        messages.iter().take(some).for_each(|m| {
            y.ack(&m.wa_message_id, 3);
        });
        some
    })
}

pub fn run(options: &Options) {
    let messages = samples(options.rows);
    let few = &messages[..(options.rows / 10).max(1)];
    versus(
        options,
        "save, 1,024 tickets / batches of 500",
        1.6,
        || tickets(&messages, 1024),
        || yardstick(&messages, 500),
    );
    versus(
        options,
        "save, 1,024 tickets / one transaction each",
        6.0,
        || tickets(&messages, 1024),
        || yardstick(few, 1),
    );
    versus(
        options,
        "save, 64 threads / batches of 500",
        1.2,
        || threads(&messages, 64),
        || yardstick(&messages, 500),
    );
    versus(
        options,
        "save, 64 threads / one transaction each",
        4.5,
        || threads(&messages, 64),
        || yardstick(few, 1),
    );
    let mut latencies = Vec::new();
    versus(
        options,
        "save, one at a time / one transaction each",
        1.2,
        || one_by_one(few, &mut latencies),
        || yardstick(few, 1),
    );
    if !latencies.is_empty() {
        single(options, "  p99.9 of such a save", "ms", "< 20 ms", || {
            quantile(&mut latencies.clone(), 0.999)
        });
    }
    versus(
        options,
        "ack, 64 threads / one transaction each",
        3.0,
        || acks(&messages),
        || yardstick_acks(&messages, few.len()),
    );
}
