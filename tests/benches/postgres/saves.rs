//! Writing: one `save` per message, each durable when it is answered.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use openwa_store::{NewMessage, Ticket};
use openwa_tests::cluster::Cluster;

use crate::yardstick::{Sample, insert_batches, samples};
use crate::{Bench, Options, rate, versus};

pub fn message(m: &Sample) -> NewMessage {
    NewMessage {
        wa_message_id: Some(m.wa_message_id.as_str().into()),
        chat_id: m.chat_id.as_str().into(),
        from_number: m.chat_id.as_str().into(),
        r#type: "text".into(),
        body: Some(m.body.as_str().into()),
        wa_timestamp: Some(m.at),
        created_at: Some(m.at),
        ..NewMessage::default()
    }
}

fn threads(cluster: &Cluster, messages: &[Sample], count: usize) -> f64 {
    let bench = Bench::new(cluster, "threads");
    let next = AtomicUsize::new(0);
    rate(|| {
        std::thread::scope(|scope| {
            for _ in 0..count {
                scope.spawn(|| {
                    while let Some(m) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                        bench.store.messages().save(bench.session, message(m)).wait().expect("saved");
                    }
                });
            }
        });
        messages.len()
    })
}

/// Callers as a runtime has them: tasks, each of which awaits the answer to one save before it makes the next.
fn tasks(cluster: &Cluster, messages: &[Sample], count: usize) -> f64 {
    let bench = Bench::new(cluster, "tasks");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let (bench, next) = (&bench, &Cell::new(0));
    let caller = async || {
        while let Some(m) = messages.get(next.replace(next.get() + 1)) {
            bench.store.messages().save(bench.session, message(m)).await.expect("saved");
        }
    };
    rate(|| {
        runtime.block_on(join_all((0..count).map(|_| caller())));
        messages.len()
    })
}

fn tickets(cluster: &Cluster, messages: &[Sample], outstanding: usize) -> f64 {
    let bench = Bench::new(cluster, "tickets");
    rate(|| {
        let mut window: VecDeque<Ticket<_>> = VecDeque::with_capacity(outstanding);
        for m in messages {
            if window.len() == outstanding {
                window.pop_front().expect("full").wait().expect("saved");
            }
            window
                .push_back(bench.store.messages().save(bench.session, message(m)).submit().expect("queued"));
        }
        window.into_iter().for_each(|t| {
            t.wait().expect("saved");
        });
        messages.len()
    })
}

fn by_hand(cluster: &Cluster, messages: &[Sample], batch: usize) -> f64 {
    let bench = Bench::new(cluster, "by-hand");
    let mut sql = bench.database.sql();
    rate(|| insert_batches(&mut sql, bench.session, messages, batch))
}

pub fn run(options: &Options, cluster: &Cluster) {
    let messages = samples(options.rows);
    let few = &messages[..(options.rows / 20).max(1)];
    versus(
        options,
        "save, 64 callers that await / multi-row inserts of 500",
        0.6,
        || tasks(cluster, &messages, 64),
        || by_hand(cluster, &messages, 500),
    );
    versus(
        options,
        "save, 64 callers that block / multi-row inserts of 500",
        0.6,
        || threads(cluster, &messages, 64),
        || by_hand(cluster, &messages, 500),
    );
    for (outstanding, name) in [
        (64, "save, 64 tickets of one caller / multi-row inserts of 500"),
        (1024, "save, 1,024 tickets / multi-row inserts of 500"),
    ] {
        let ours = || tickets(cluster, &messages, outstanding);
        versus(options, name, 0.6, ours, || by_hand(cluster, &messages, 500));
    }
    versus(
        options,
        "save, 64 callers that block / one insert each",
        3.0,
        || threads(cluster, &messages, 64),
        || by_hand(cluster, few, 1),
    );
    versus(
        options,
        "save, one at a time / one insert each",
        0.5,
        || threads(cluster, few, 1),
        || by_hand(cluster, few, 1),
    );
}
