//! The server goes away and comes back.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use openwa_store::{
    Ask, AuditFilter, Kind, MessageFilter, NewApiKey, NewAuditLog, NewBatch, NewBatchMessage, NewDelivery,
    NewSession, NewWebhook, PageRequest, Postgres, Store,
};
use openwa_tests::cluster::{Cluster, Database, Options, Stop};
use openwa_tests::conformance::{ALICE, all_pages, beside, in_threads, incoming, new_session, refused};
use openwa_tests::postgres::{config, disagreements};
use openwa_tests::process::{PATIENCE, setting};
use uuid::Uuid;

/// How long a call may wait for the server, and how much later its error may come on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(1);
const BOUND: Duration = Duration::from_secs(10);

fn postgres(database: &Database<'_>) -> Postgres {
    Postgres { timeout: TIMEOUT, wait: TIMEOUT, ..database.postgres() }
}

/// Waits until `work` succeeds again on a store that nobody reopened.
#[track_caller]
fn comes_back<T>(work: impl Fn() -> openwa_store::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match work() {
            Ok(done) => return done,
            Err(e) => {
                assert!(e.kind() == Kind::Unavailable && e.retryable(), "{e:?}");
                assert!(Instant::now() < deadline, "it never came back: {e:?}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// One write of several rows, which must be there whole or not at all.
fn batch(store: &Store, session: Uuid, id: &str) -> openwa_store::Result<()> {
    let messages = vec![NewBatchMessage { chat_id: ALICE.into(), ..Default::default() }; 20];
    store
        .batches()
        .create(session, NewBatch { batch_id: id.into(), messages, options: None })
        .wait()
        .map(drop)
}

#[test]
fn what_was_acknowledged_survives_the_servers_crashes() {
    let cluster = Cluster::new(&Options::default());
    let (database, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let store = Store::open_with(config(postgres(&database), dir.path())).unwrap();
    let session = new_session(&store, "shop-1");
    let acknowledged = Mutex::new(HashSet::new());
    let (failures, slowest) = (AtomicU64::new(0), Mutex::new(Duration::ZERO));
    let attempt = |id: &str, batches: bool| {
        let begun = Instant::now();
        let done = if batches {
            batch(&store, session, id)
        } else {
            store.messages().save(session, incoming(id, &id.repeat(9))).wait().map(drop)
        };
        match done {
            Ok(()) => drop(acknowledged.lock().unwrap().insert(id.to_owned())),
            Err(e) => {
                assert!(e.kind() == Kind::Unavailable && e.retryable(), "{e:?}");
                failures.fetch_add(1, Ordering::Relaxed);
                let mut slowest = slowest.lock().unwrap();
                *slowest = (*slowest).max(begun.elapsed());
            }
        }
    };
    let work = |thread: usize, i: usize| attempt(&format!("{thread}-{i}"), thread == 0);
    beside(8, work, || {
        for round in 0..setting("OPENWA_SERVER_CRASHES", 3) {
            std::thread::sleep(Duration::from_millis(100 + round * 137 % 400));
            cluster.stop(Stop::Immediate);
            // Once for longer than anybody waits, so that everybody notices; else so short that hardly anybody does.
            let gone = if round == 0 { TIMEOUT * 2 } else { Duration::from_millis(round * 61 % 300) };
            std::thread::sleep(gone);
            cluster.start();
            let id = format!("back-{round}");
            comes_back(|| store.messages().save(session, incoming(&id, &id.repeat(9))).wait());
            acknowledged.lock().unwrap().insert(id);

            let known = acknowledged.lock().unwrap().clone();
            let sql = database.sql();
            let mut kept: HashSet<String> =
                sql.column("SELECT wa_message_id FROM messages").into_iter().collect();
            kept.extend(sql.column("SELECT batch_id FROM batch_jobs"));
            let lost: Vec<_> = known.difference(&kept).collect();
            assert!(lost.is_empty(), "round {round}: acknowledged writes are gone: {lost:?}");
            let torn = "SELECT wa_message_id FROM messages WHERE body <> repeat(wa_message_id, 9)";
            assert_eq!(sql.column(torn), Vec::<String>::new());
            let halves = "SELECT batch_id FROM batch_jobs j
                WHERE 20 <> (SELECT count(*) FROM batch_job_messages m WHERE m.batch_job_id = j.id)";
            assert_eq!(sql.column(halves), Vec::<String>::new());
            assert_eq!(disagreements(&sql), Vec::<Vec<String>>::new());
        }
    });
    assert!(failures.load(Ordering::Relaxed) > 0, "nobody noticed that the server was gone");
    assert!(*slowest.lock().unwrap() < BOUND, "an error took {slowest:?}");
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

/// Everything that a gateway needs of Main.
fn main_works(store: &Store, round: &str) {
    let new = NewApiKey { name: round.into(), ..Default::default() };
    let made = store.api_keys().create(new).wait().unwrap();
    assert!(store.api_keys().authorize(&made.key, &Ask::default()).unwrap().is_allowed());
    store.audit().log(NewAuditLog { action: round.into(), ..Default::default() }).wait().unwrap();
    let trail = store.audit().list(&AuditFilter::Action(round.into()), &PageRequest::default()).unwrap();
    assert_eq!(trail.items.len(), 1);
}

/// Every call to Data fails soon, and says that it may be tried again.
fn data_is_unavailable(store: &Store, session: Uuid) {
    let calls: [&(dyn Fn() -> Result<(), openwa_store::Error> + Sync); 4] = [
        &|| store.messages().save(session, incoming("A", "x")).wait().map(drop),
        &|| store.messages().find(session, "A").map(drop),
        &|| store.messages().list(session, &MessageFilter::default(), &PageRequest::default()).map(drop),
        &|| store.sessions().create(NewSession { name: "no".into(), ..Default::default() }).wait().map(drop),
    ];
    in_threads(calls.len(), |i| {
        let begun = Instant::now();
        assert!(refused(calls[i](), Kind::Unavailable).retryable());
        assert!(begun.elapsed() < BOUND, "call {i} took {:?}", begun.elapsed());
    });
}

#[test]
fn keys_and_audit_work_while_the_server_is_down() {
    let cluster = Cluster::new(&Options { fsync: false, ..Options::default() });
    let (database, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let store = Store::open_with(config(postgres(&database), dir.path())).unwrap();
    let session = new_session(&store, "shop-1");
    for (round, how) in [("one", Stop::Fast), ("two", Stop::Immediate)] {
        cluster.stop(how);
        main_works(&store, round);
        data_is_unavailable(&store, session);
        main_works(&store, &format!("{round} again"));
        cluster.start();
        comes_back(|| store.messages().save(session, incoming(round, "x")).wait());
        assert!(store.messages().find(session, round).unwrap().is_some());
    }
}

#[test]
fn a_store_opens_without_the_server_if_it_may() {
    let cluster = Cluster::new(&Options { fsync: false, ..Options::default() });
    let (database, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    cluster.stop(Stop::Fast);
    let begun = Instant::now();
    let e = refused(Store::open_with(config(postgres(&database), dir.path())), Kind::Unavailable);
    assert!(e.retryable() && begun.elapsed() < BOUND, "{e:?} after {:?}", begun.elapsed());

    let optional = Postgres { required: false, ..postgres(&database) };
    let store = Store::open_with(config(optional, dir.path())).unwrap();
    main_works(&store, "without Data");
    data_is_unavailable(&store, Uuid::from_u128(7));
    cluster.start();
    // The database is empty: what opening could not do is done now.
    let name = || NewSession { name: "shop-1".into(), ..Default::default() };
    let session = comes_back(|| store.sessions().create(name()).wait()).id;
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    main_works(&store, "with Data");
    store.close().unwrap();
    let store = Store::open_with(config(postgres(&database), dir.path())).unwrap();
    assert!(store.messages().find(session, "A").unwrap().is_some());
}

#[test]
fn opening_waits_for_a_server_that_comes_later() {
    let cluster = Cluster::new(&Options { fsync: false, ..Options::default() });
    let (database, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    cluster.stop(Stop::Fast);
    let patient = Postgres { wait: PATIENCE, ..postgres(&database) };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(700));
            cluster.start();
        });
        let store = Store::open_with(config(patient, dir.path())).unwrap();
        let _ = new_session(&store, "shop-1");
    });
}

#[test]
fn logging_waits_for_no_server_and_loses_nothing_that_there_is_room_for() {
    let cluster = Cluster::new(&Options::default());
    let (database, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let store = Store::open_with(config(postgres(&database), dir.path())).unwrap();
    let session = new_session(&store, "shop-1");
    let hook = NewWebhook { url: "https://example.com/hook".into(), ..Default::default() };
    let hook = store.webhooks().create(session, hook).wait().unwrap().id;
    let log = |n: usize| {
        let delivery = NewDelivery { event: format!("event {n}").into(), ..Default::default() };
        store.webhooks().log_later(hook, &delivery).unwrap();
    };
    cluster.stop(Stop::Immediate);
    let start = Instant::now();
    (0..10_500).for_each(log);
    // Half a second is what the machine takes on a bad day; a single wait for the server would be one.
    assert!(start.elapsed() < TIMEOUT, "{:?}", start.elapsed());
    refused(store.flush_logs(), Kind::Unavailable);
    let buffer = store.log_buffer().unwrap();
    assert_eq!((buffer.waiting, buffer.dropped), (10_000, 500));
    cluster.start();
    comes_back(|| store.flush_logs());
    let buffer = store.log_buffer().unwrap();
    assert_eq!((buffer.waiting, buffer.dropped), (0, 500));
    let rows = all_pages(1000, |request| store.webhooks().logs(hook, request));
    let events: HashSet<String> = rows.iter().map(|row| row.event.to_string()).collect();
    assert_eq!((rows.len(), events.len()), (10_000, 10_000), "each once");
    assert!(events.contains("event 10499") && !events.contains("event 499"), "the oldest made room");
}
