//! The write queue: back-pressure, groups, futures, and a host whose code panics.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use futures::executor::block_on;
use futures::future::join_all;
use openwa_store::entity::Database;
use openwa_store::{
    Clock, Config, Kind, MessageFilter, NewBatch, NewBatchMessage, Pending, Saved, Store, Timestamp, Writing,
};
use openwa_tests::conformance::{ALICE, in_threads, incoming, new_session, refused};
use openwa_tests::raw;
use tempfile::TempDir;
use uuid::Uuid;

/// A store whose queue holds `queue` writes and whose commits take up to `group`.
fn store(queue: usize, group: usize) -> (TempDir, Store, Uuid) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with(Config { queue, group, ..Config::new(dir.path()) }).unwrap();
    let session = new_session(&store, "shop-1");
    (dir, store, session)
}

fn save(store: &Store, session: Uuid, id: &str) -> Pending<Saved> {
    store.messages().save(session, incoming(id, "x"))
}

fn kept(store: &Store, session: Uuid) -> u64 {
    store.messages().count(session, &MessageFilter::default()).unwrap()
}

/// Holds the database's write lock, as another process would, so that every write has to wait.
fn while_locked<T>(dir: &Path, work: impl FnOnce() -> T) -> T {
    let other = raw::open(dir, Database::Data);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let out = work();
    other.execute_batch("ROLLBACK").unwrap();
    out
}

#[test]
fn sixteen_threads_get_through_a_tiny_queue() {
    let (_dir, store, session) = store(4, 2);
    in_threads(16, |thread| {
        let submit = |i: usize| save(&store, session, &format!("{thread}-{i}")).submit().unwrap();
        let tickets: Vec<_> = (0..30).map(submit).collect();
        assert!(tickets.into_iter().all(|ticket| ticket.wait().unwrap().outcome.is_new()));
    });
    assert_eq!(kept(&store, session), 16 * 30);
}

#[test]
fn a_full_queue_says_so_and_takes_more_later() {
    let (dir, store, session) = store(4, 2);
    let tickets = while_locked(dir.path(), || {
        let mut tickets = Vec::new();
        loop {
            match save(&store, session, &tickets.len().to_string()).try_submit() {
                Ok(ticket) => tickets.push(ticket),
                Err(e) => {
                    assert_eq!((e.kind(), e.operation()), (Kind::QueueFull, Some("messages.save")));
                    assert!(e.retryable());
                    break tickets;
                }
            }
        }
    });
    assert!((4..=6).contains(&tickets.len()), "four in the queue, up to two under way: {}", tickets.len());
    assert!(tickets.into_iter().all(|ticket| ticket.wait().unwrap().outcome.is_new()));
    save(&store, session, "later").try_submit().unwrap().wait().unwrap();
}

#[test]
fn reads_do_not_wait_for_writes() {
    let (dir, store, session) = store(4, 2);
    save(&store, session, "A").wait().unwrap();
    let ticket = while_locked(dir.path(), || {
        let ticket = save(&store, session, "B").submit().unwrap();
        assert_eq!(kept(&store, session), 1);
        assert!(!ticket.is_done());
        ticket
    });
    ticket.wait().unwrap();
    assert_eq!(kept(&store, session), 2);
}

#[test]
fn in_one_group_a_bad_write_fails_alone() {
    let (dir, store, session) = store(100, 100);
    let long = "x".repeat(256);
    let chats = [ALICE, long.as_str(), ALICE];
    let messages = chats.map(|chat| NewBatchMessage { chat_id: chat.into(), ..Default::default() }).to_vec();
    let half_bad = NewBatch { batch_id: "b".into(), messages, options: None };
    let (good, half_way, at_once) = while_locked(dir.path(), || {
        // The first may be taken alone; all the others are in the queue when the lock is given back.
        let mut good: Vec<_> =
            (0..10).map(|i| save(&store, session, &i.to_string()).submit().unwrap()).collect();
        let half_way = store.batches().create(session, half_bad).submit().unwrap();
        let at_once = save(&store, Uuid::from_u128(7), "A").submit().unwrap();
        good.extend((10..20).map(|i| save(&store, session, &i.to_string()).submit().unwrap()));
        (good, half_way, at_once)
    });
    assert!(good.into_iter().all(|ticket| ticket.wait().unwrap().outcome.is_new()));
    refused(half_way.wait(), Kind::InvalidArgument);
    refused(at_once.wait(), Kind::NotFound);
    assert_eq!((kept(&store, session), store.batches().find(session, "b").unwrap()), (20, None));
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_thousand_futures_share_a_small_queue() {
    let (_dir, store, session) = store(8, 4);
    let futures = (0..1000).map(|i| save(&store, session, &i.to_string()).into_future());
    let saved = block_on(join_all(futures));
    assert!(saved.into_iter().all(|saved| saved.unwrap().outcome.is_new()));
    assert_eq!(kept(&store, session), 1000);
}

#[test]
fn a_future_that_waits_for_room_can_be_dropped() {
    let (dir, store, session) = store(2, 1);
    let poll = |future: &mut Writing<Saved>| Pin::new(future).poll(&mut Context::from_waker(Waker::noop()));
    let (tickets, mut waiting) = while_locked(dir.path(), || {
        let mut tickets = Vec::new();
        while let Ok(ticket) = save(&store, session, &tickets.len().to_string()).try_submit() {
            tickets.push(ticket);
        }
        let mut waiting: Vec<_> =
            (0..4).map(|i| save(&store, session, &format!("w{i}")).into_future()).collect();
        assert!(waiting.iter_mut().all(|future| poll(future).is_pending()));
        (tickets, waiting)
    });
    waiting.truncate(2);
    assert!(tickets.into_iter().all(|ticket| ticket.wait().is_ok()));
    assert!(block_on(join_all(waiting)).into_iter().all(|saved| saved.is_ok()));
    for (id, there) in [("w0", true), ("w1", true), ("w2", false), ("w3", false)] {
        assert_eq!(store.messages().find(session, id).unwrap().is_some(), there, "{id}");
    }
}

#[test]
fn a_future_that_was_answered_says_so_when_it_is_polled_again() {
    let (_dir, store, session) = store(8, 4);
    let mut future = save(&store, session, "A").into_future();
    block_on(&mut future).unwrap();
    let Poll::Ready(again) = Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it is answered")
    };
    refused(again, Kind::Internal);
}

#[test]
fn futures_that_wait_for_room_hear_of_the_end() {
    let (dir, store, session) = store(2, 1);
    let futures: Vec<_> = (0..20).map(|i| save(&store, session, &i.to_string()).into_future()).collect();
    let saved = std::thread::scope(|scope| {
        let waiter = while_locked(dir.path(), || {
            let waiter = scope.spawn(|| block_on(join_all(futures)));
            while save(&store, session, "filler").try_submit().is_ok() {}
            scope.spawn(|| store.close().unwrap());
            waiter
        });
        waiter.join().unwrap()
    });
    for saved in saved {
        assert!(
            saved.as_ref().is_ok_and(|s| s.outcome.is_new())
                || saved.is_err_and(|e| e.kind() == Kind::Closed)
        );
    }
}

#[test]
fn a_thread_that_panics_beside_the_store_hurts_nobody() {
    let (_dir, store, session) = store(8, 4);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ticket = save(&store, session, "A").submit().unwrap();
        let _scan = store.messages().iterate(session, MessageFilter::default());
        panic!("the host's own defect");
    }));
    assert!(panicked.is_err());
    save(&store, session, "B").wait().unwrap();
    assert_eq!(kept(&store, session), 2);
}

/// A clock that panics when it is told to.
#[derive(Default)]
struct BrokenClock(AtomicBool);

impl Clock for BrokenClock {
    fn now(&self) -> Timestamp {
        assert!(!self.0.load(Ordering::Acquire), "the host's own defect");
        Timestamp::EPOCH
    }
}

#[test]
fn a_clock_that_panics_fails_its_write_and_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(BrokenClock::default());
    let config = Config { clock: Arc::<BrokenClock>::clone(&clock), ..Config::new(dir.path()) };
    let store = Store::open_with(config).unwrap();
    let session = new_session(&store, "shop-1");
    clock.0.store(true, Ordering::Release);
    refused(save(&store, session, "A").wait(), Kind::Internal);
    refused(save(&store, session, "B").submit().unwrap().wait(), Kind::Internal);
    clock.0.store(false, Ordering::Release);
    save(&store, session, "C").wait().unwrap();
    save(&store, session, "D").submit().unwrap().wait().unwrap();
    assert_eq!(kept(&store, session), 2);
}

/// Large transactions one right behind the other leave no moment in which the log would start over by itself.
#[test]
fn a_writer_of_large_transactions_does_not_grow_the_log_without_end() {
    let (dir, store, session) = store(1024, 1000);
    let log = dir.path().join("data.sqlite-wal");
    let (mut longest, mut written) = (0, 0);
    let padding = "x".repeat(3000);
    for batch in 0..80 {
        let message = |i| incoming(&format!("3EB0{batch:04}{i:04}"), &padding);
        store.messages().save_many(session, (0..1000).map(message).collect()).wait().unwrap();
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
        written += 1000 * padding.len() as u64;
    }
    assert!(written > 200 << 20, "too little to prove anything");
    // A writer that outruns the disk is stopped at 160 MB.
    assert!(longest < 180 << 20, "the log has {} MB", longest >> 20);
}
