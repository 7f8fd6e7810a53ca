//! A gateway in miniature, for tests that need a process to crash, to compete with, or to run out of space.
//!
//! * `saver open DIR`: opens the store, says `opened`.
//! * `saver crash DIR ROUND`: writes from 8 threads until it is killed.
//! * `saver compete DIR NAME OTHER SECONDS`: mixed work from 8 threads beside another process.
//! * `saver fill DIR`: writes until there is no space, then until there is again.
//! * `saver vacuum DIR steps|full ROUND`: gives space back while another thread writes.
//!
//! Every acknowledged write is one line, written after the acknowledgement. Any error it does not expect ends it.

#![allow(clippy::unwrap_used, reason = "a test program fails by a panic")]

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use openwa_store::{
    ApiKeyUpdate, Ask, AuthEntry, Kind, MessageFilter, NewApiKey, NewBatch, NewBatchMessage, NewMessage,
    NewSession, PageRequest, Store, VacuumOptions,
};
use openwa_tests::conformance::{ALICE, BOB, in_threads, incoming};
use openwa_tests::process::PATIENCE;
use uuid::Uuid;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let store = Store::open(args[1]).unwrap();
    match args[..] {
        ["open", _] => say("opened"),
        ["crash", _, round] => crash(&store, round),
        ["compete", _, name, other, seconds] => compete(&store, name, other, seconds.parse().unwrap()),
        ["fill", _] => fill(&store),
        ["vacuum", _, how, round] => vacuum(&store, how == "full", round),
        _ => panic!("unknown arguments {args:?}"),
    }
    store.close().unwrap();
}

/// One whole line, at once.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The session that every process works in; whoever is first makes it.
fn session(store: &Store) -> Uuid {
    let new = NewSession { name: "shared".into(), ..Default::default() };
    match store.sessions().create(new).wait() {
        Ok(session) => session.id,
        Err(e) if e.kind() == Kind::AlreadyExists => store.sessions().find("shared").unwrap().unwrap().id,
        Err(e) => panic!("{e:?}"),
    }
}

/// A message whose body follows from its id, so that a reader can tell whether it is whole.
fn message(id: &str) -> NewMessage {
    incoming(id, &id.repeat(1 + id.len() * 7 % 40))
}

fn save(store: &Store, session: Uuid, id: &str) {
    let saved = store.messages().save(session, message(id)).wait().unwrap();
    if saved.outcome.is_new() {
        say(id);
    }
}

fn crash(store: &Store, round: &str) {
    let session = session(store);
    in_threads(8, |thread| {
        for i in 0.. {
            let id = format!("{round}-{thread}-{i}");
            if thread > 0 {
                save(store, session, &id);
            } else {
                let one = |_| NewBatchMessage { chat_id: ALICE.into(), ..Default::default() };
                let messages = (0..20).map(one).collect();
                let batch = NewBatch { batch_id: id.as_str().into(), messages, options: None };
                store.batches().create(session, batch).wait().unwrap();
                say(&format!("batch {id}"));
            }
        }
    });
}

fn compete(store: &Store, name: &str, other: &str, seconds: u64) {
    let session = session(store);
    save(store, session, &format!("hello-{name}"));
    wait_for(store, session, &format!("hello-{other}"));
    let end = Instant::now() + Duration::from_secs(seconds);
    in_threads(8, |thread| {
        for i in 0.. {
            if Instant::now() >= end {
                return;
            }
            let id = format!("{name}-{thread}-{i}");
            match thread {
                0..4 => save(store, session, &id),
                // Both processes save these: each must be new in exactly one of them.
                4 => save(store, session, &format!("both-{i}")),
                5 => change(store, session, &id, i),
                6 => look(store, session),
                _ => keys(store, session, &id),
            }
        }
    });
    save(store, session, &format!("bye-{name}"));
    wait_for(store, session, &format!("bye-{other}"));
}

/// Waits until a row of the other process shows.
fn wait_for(store: &Store, session: Uuid, id: &str) {
    let deadline = Instant::now() + PATIENCE;
    while store.messages().find(session, id).unwrap().is_none() {
        assert!(Instant::now() < deadline, "{id} never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn change(store: &Store, session: Uuid, id: &str, i: i64) {
    store.messages().ack(session, format!("both-{}", i / 2), i % 4).wait().unwrap();
    store.messages().react(session, format!("both-{}", i / 3), BOB, "👍", None).wait().unwrap();
    store.messages().edit(session, id, Some("edited".into()), None).wait().unwrap();
}

fn look(store: &Store, session: Uuid) {
    let page = store.messages().list(session, &MessageFilter::default(), &PageRequest::default()).unwrap();
    assert!(page.items.windows(2).all(|w| w[0].wa_timestamp >= w[1].wa_timestamp));
    assert_eq!(store.messages().chats(session, &PageRequest::default()).unwrap().items.len(), 1);
}

fn keys(store: &Store, session: Uuid, id: &str) {
    let made = store.api_keys().create(NewApiKey { name: id.into(), ..Default::default() }).wait().unwrap();
    assert!(store.api_keys().authorize(&made.key, &Ask::default()).unwrap().is_allowed());
    let off = ApiKeyUpdate { active: Some(false), ..Default::default() };
    match store.api_keys().update(made.api_key.id, off).wait() {
        Ok(_) => assert!(!store.api_keys().authorize(&made.key, &Ask::default()).unwrap().is_allowed()),
        Err(e) => assert_eq!(e.kind(), Kind::LastFullAccessKey, "{e:?}"),
    }
    let entry = AuthEntry { category: "pre-key".into(), key_id: id.into(), value: Some(vec![7; 64]) };
    store.auth().set(session, vec![entry]).wait().unwrap();
}

/// Fillers are rows that the next round deletes, so that it has something to give back.
fn vacuum(store: &Store, full: bool, round: &str) {
    let session = session(store);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0.. {
                if done.load(Ordering::Acquire) {
                    return;
                }
                // On a disk that is full the other thread tells.
                let id = format!("round-{round}-{i}");
                if store.messages().save(session, message(&id)).wait().is_ok() {
                    say(&id);
                }
                let filler = |n: i32| message(&format!("filler-{round}-{i}-{n}"));
                let _ = store.messages().save_many(session, (0..20).map(filler).collect()).wait();
            }
        });
        say("begun");
        match store.vacuum(&VacuumOptions { full }, None) {
            Ok(_) => say("done"),
            Err(e) => say(&format!("error {} {}", e.kind().name(), e.operation().unwrap_or_default())),
        }
        done.store(true, Ordering::Release);
    });
}

fn fill(store: &Store) {
    let session = session(store);
    let padding = "x".repeat(2000);
    let attempt = |id: &str| {
        let message = NewMessage { body: Some(padding.as_str().into()), ..incoming(id, "") };
        store.messages().save(session, message).wait().map(|_| say(id))
    };
    let full = (0..).find_map(|i| attempt(&format!("before-{i}")).err()).unwrap();
    say(&format!("error {} {}", full.kind().name(), full.operation().unwrap_or_default()));
    assert!(full.retryable());
    let kept = store.messages().count(session, &MessageFilter::default()).unwrap();
    assert!(store.messages().find(session, "before-0").unwrap().is_some());
    say(&format!("read {kept}"));
    let deadline = Instant::now() + PATIENCE;
    while let Err(e) = attempt("again") {
        assert_eq!(e.kind(), Kind::DiskFull, "{e:?}");
        assert!(Instant::now() < deadline, "writing never resumed");
        std::thread::sleep(Duration::from_millis(2));
    }
    (0..500).for_each(|i| attempt(&format!("after-{i}")).unwrap());
}
