//! Few connections for many callers, and a pooler that hands each transaction another one.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openwa_store::{AuthEntry, MessageFilter, NewSession, Outcome, Postgres, SessionUpdate, Store, Tls};
use openwa_tests::bouncer::{Bouncer, Neighbour, POOL};
use openwa_tests::cluster::{self, Cluster};
use openwa_tests::conformance::{ALICE, in_threads, incoming, new_session, page_of};
use openwa_tests::postgres::{Place, Way, config, disagreements};
use openwa_tests::process::setting;
use openwa_tests::{liar, referee};
use uuid::Uuid;

const TASKS: usize = 32;

/// One task: what it wrote it remembers, and every answer is compared with that.
struct Task<'a> {
    store: &'a Store,
    session: Uuid,
    number: usize,
    bodies: Vec<String>,
    auth: HashMap<String, Vec<u8>>,
}

impl Task<'_> {
    fn id(&self, n: usize) -> String {
        format!("{}-{n}", self.number)
    }

    fn step(&mut self, n: usize) {
        let (store, session) = (self.store, self.session);
        match n % 8 {
            0..3 => {
                let body = format!("{} says {n}", self.number);
                let id = self.id(self.bodies.len());
                let saved = store.messages().save(session, incoming(&id, &body)).wait().unwrap();
                assert_eq!(saved.outcome, Outcome::Inserted);
                assert_eq!(saved.message.wa_message_id.unwrap().to_string(), id);
                self.bodies.push(body);
            }
            3 => {
                let i = n * 7 % self.bodies.len();
                let found = store.messages().find(session, self.id(i)).unwrap().unwrap();
                assert_eq!(found.body.unwrap().to_string(), self.bodies[i]);
                assert_eq!(store.messages().find(session, self.id(usize::MAX)).unwrap(), None);
            }
            4 => {
                let filter = MessageFilter::default();
                let page = store.messages().list(session, &filter, &page_of(3, None)).unwrap();
                assert_eq!(page.items.len(), self.bodies.len().min(3));
                assert!(page.items.iter().all(|m| m.session_id == session));
            }
            5 => {
                let entry = vec![n as u8; 1 + n % 50];
                let key = format!("key-{}", n % 5);
                let set = AuthEntry {
                    category: "pre-key".into(),
                    key_id: key.as_str().into(),
                    value: Some(entry.clone()),
                };
                store.auth().set(session, vec![set]).wait().unwrap();
                self.auth.insert(key, entry);
            }
            6 => {
                let all = store.auth().all(session).unwrap();
                let all: HashMap<String, Vec<u8>> =
                    all.into_iter().map(|a| (a.key_id.to_string(), a.value)).collect();
                assert_eq!(all, self.auth);
            }
            _ => {
                let count = store.messages().count(session, &MessageFilter::default()).unwrap();
                assert_eq!(count, self.bodies.len() as u64);
            }
        }
    }
}

fn checked_operations(place: &Place) {
    checked_operations_at(place, place.postgres());
}

fn checked_operations_at(place: &Place, server: Postgres) {
    let operations = setting("OPENWA_POOLED_OPERATIONS", 120) as usize;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with(config(server, dir.path())).unwrap();
    let sessions: Vec<Uuid> = (0..TASKS).map(|n| new_session(&store, &format!("shop-{n}"))).collect();
    in_threads(TASKS, |number| {
        let session = sessions[number];
        let mut task = Task { store: &store, session, number, bodies: Vec::new(), auth: HashMap::new() };
        (0..operations).for_each(|n| task.step(n));
    });
    assert_eq!(disagreements(&place.sql()), Vec::<Vec<String>>::new());
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

#[test]
fn every_answer_is_right_behind_pgbouncer() {
    checked_operations(&Place::empty(Way::Bouncer));
}

#[test]
fn every_answer_is_right_beside_a_neighbour_who_leaves_statements_behind() {
    let place = Place::empty(Way::Bouncer);
    let neighbour = Neighbour::new(Place::bouncer(), &place.database);
    checked_operations(&place);
    assert!(neighbour.stop() > 0, "there was no neighbour");
}

/// It would answer somebody else what had come by then.
#[test]
fn a_pooler_gets_no_request_before_the_last_one_is_answered() {
    let place = Place::empty(Way::Bouncer);
    let (port, score) = referee::before(Place::bouncer().port());
    let server = Postgres { port, ..place.postgres() };
    checked_operations_at(&place, server.clone());
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with(config(server, dir.path())).unwrap();
    let session = new_session(&store, "again");
    // The same messages over and over: those that are there are asked for along with the next group.
    in_threads(TASKS, |_| {
        for n in 0..50 {
            store.messages().save(session, incoming(&format!("again-{n}"), "the same")).wait().unwrap();
        }
    });
    // What fails is answered before its request has ended.
    place.sql().run("ALTER TABLE contacts RENAME TO elsewhere");
    in_threads(TASKS, |_| {
        for _ in 0..50 {
            store.contacts().get(session, ALICE).unwrap_err();
            assert_eq!(store.messages().count(session, &MessageFilter::default()).unwrap(), 50);
        }
    });
    let requests = score.requests();
    assert!(requests > 1000, "only {requests} requests");
    assert_eq!(score.fouls(), 0, "of {requests} requests");
}

/// What is prepared on one connection to the server is not there on the next, or something else is.
#[test]
fn a_pooler_that_looks_like_the_server_is_found_out() {
    let place = Place::empty(Way::Bouncer);
    let neighbour = Neighbour::new(Place::bouncer(), &place.database);
    let port = liar::before(Place::bouncer().port());
    checked_operations_at(&place, Postgres { port, ..place.postgres() });
    assert!(neighbour.stop() > 0, "there was no neighbour");
}

#[test]
fn statements_stay_prepared_where_nothing_is_in_between() {
    let settings = vec![("log_min_duration_statement", "0".to_owned())];
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = Some((signed.cert.pem(), signed.signing_key.serialize_pem()));
    let cluster = Cluster::new(&cluster::Options { settings, certificate, ..cluster::Options::default() });
    let bouncer = Bouncer::new(&cluster);
    let database = cluster.database();
    let tcp = database.postgres();
    let ways = [
        (true, Postgres { host: cluster.socket(), ..tcp.clone() }),
        (true, Postgres { tls: Tls::Prefer, ..tcp.clone() }),
        (true, Postgres { tls: Tls::Require, ..tcp.clone() }),
        (false, bouncer.postgres(&database)),
        (true, tcp),
    ];
    for (n, (direct, server)) in ways.into_iter().enumerate() {
        let (shown, dir) = (format!("way {n}, {server:?}"), tempfile::tempdir().unwrap());
        let store = Store::open_with(config(server, dir.path())).unwrap();
        let session = new_session(&store, &format!("shop-{n}"));
        let before = cluster.log().len();
        for n in 0..3 {
            store.messages().save(session, incoming(&format!("A-{n}"), "x")).wait().unwrap();
            let page = store.messages().list(session, &MessageFilter::default(), &page_of(5, None)).unwrap();
            assert_eq!(page.items.len(), n + 1);
        }
        let log = cluster.log().split_off(before);
        assert!(log.contains("execute <unnamed>: "), "{shown}: the first use of a statement\n{log}");
        // The client library counts its names.
        for statement in ["SELECT id, session_id", "SELECT * FROM \"public\".save_new_messages"] {
            let prepared = log.lines().any(|line| {
                line.split_once(&format!(": {statement}"))
                    .and_then(|(head, _)| head.rsplit_once(" execute s"))
                    .is_some_and(|(_, name)| name.parse::<u64>().is_ok())
            });
            assert_eq!(prepared, direct, "{shown}: {statement}\n{log}");
        }
    }
}

/// The tables may change beneath what is prepared.
#[test]
fn a_statement_that_its_tables_have_left_behind_is_prepared_again() {
    let (place, dir) = (Place::empty(Way::Plain), tempfile::tempdir().unwrap());
    let store = Store::open_with(place.config(dir.path())).unwrap();
    let session = new_session(&store, "shop-1");
    let read = || store.sessions().get(session).unwrap();
    for _ in 0..3 {
        assert_eq!(read().name.to_string(), "shop-1");
    }
    place.sql().run("ALTER TABLE sessions ALTER COLUMN name TYPE varchar(200)");
    assert_eq!(read().name.to_string(), "shop-1");
    let renamed = SessionUpdate { name: Some("shop-2".into()), ..SessionUpdate::default() };
    store.sessions().update(session, renamed).wait().unwrap();
    assert_eq!(read().name.to_string(), "shop-2");
}

#[test]
fn a_thousand_sessions_need_ten_connections() {
    let (place, dir) = (Place::empty(Way::Partitioned), tempfile::tempdir().unwrap());
    assert_eq!(place.postgres().max_connections, 10, "the default");
    let store = Store::open_with(place.config(dir.path())).unwrap();
    let over = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let sql = Cluster::shared().sql("postgres");
            let database = place.database.name();
            let count = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'");
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                most = most.max(sql.number(&count));
                std::thread::sleep(Duration::from_millis(1));
            }
            most
        });
        in_threads(64, |thread| {
            for n in (thread..1000).step_by(64) {
                let name = format!("shop-{n}");
                let new = NewSession { name: name.as_str().into(), ..NewSession::default() };
                let session = store.sessions().create(new).wait().unwrap().id;
                store.messages().save(session, incoming("A", &name)).wait().unwrap();
                let page =
                    store.messages().list(session, &MessageFilter::default(), &page_of(5, None)).unwrap();
                assert_eq!(page.items[0].body.as_ref().unwrap().to_string(), name);
                assert_eq!(page.items[0].chat_id.to_string(), ALICE);
            }
        });
        over.store(true, Ordering::Relaxed);
        watch.join().unwrap()
    });
    assert!((2..=10).contains(&most), "{most} connections");
    assert_eq!(place.sql().number("SELECT count(DISTINCT session_id) FROM messages"), 1000);
}

/// The pool's size is what the store makes do with there.
#[test]
fn many_stores_share_the_poolers_few_connections() {
    let place = Place::empty(Way::Bouncer);
    let dirs: Vec<_> = (0..8).map(|_| tempfile::tempdir().unwrap()).collect();
    let stores: Vec<Store> =
        dirs.iter().map(|dir| Store::open_with(place.config(dir.path())).unwrap()).collect();
    let session = new_session(&stores[0], "shop-1");
    in_threads(32, |thread| {
        for n in 0..20 {
            let store = &stores[(thread + n) % stores.len()];
            let id = format!("{thread}-{n}");
            store.messages().save(session, incoming(&id, "x")).wait().unwrap();
            let other = &stores[(thread + n + 1) % stores.len()];
            assert!(other.messages().find(session, id).unwrap().is_some(), "another store sees it at once");
        }
    });
    let database = place.database.name();
    let backends = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'");
    assert!(Cluster::shared().sql("postgres").number(&backends) <= i64::from(POOL));
}
