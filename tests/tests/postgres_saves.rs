//! Saves on PostgreSQL go out in one round trip, believing what was known. What turns out not to hold is done over again.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::thread::scope;

use openwa_store::{
    Changed, Config, DataDatabase, Json, Kind, NewMessage, Outcome, OverviewOptions, Postgres, SessionUpdate,
    Store, Uuid,
};
use openwa_tests::cluster::{self, Cluster};
use openwa_tests::conformance::{incoming, new_session, outgoing};
use openwa_tests::deaf;
use openwa_tests::postgres::{Place, Way, config};

fn save(store: &Store, session: Uuid, message: NewMessage) -> Outcome {
    store.messages().save(session, message).wait().unwrap().outcome
}

#[test]
fn a_save_is_one_request() {
    let settings = vec![("log_min_duration_statement", "0".to_owned())];
    let cluster = Cluster::new(&cluster::Options { settings, ..cluster::Options::default() });
    let (database, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let store = Store::open_with(config(database.postgres(), dir.path())).unwrap();
    let session = new_session(&store, "shop-1");
    let said = |message: NewMessage| -> Vec<String> {
        let before = cluster.log().len();
        save(&store, session, message);
        let log = cluster.log().split_off(before);
        let requests = log.lines().filter(|line| line.contains("duration:") && !line.contains(" bind "));
        requests.map(ToOwned::to_owned).collect()
    };
    for n in 0..3 {
        said(incoming(&format!("warm-{n}"), "x"));
    }
    let new = said(incoming("A", "x"));
    assert!(new.len() == 1 && new[0].contains("save_new_messages"), "{new:#?}");
    // The first repetition is asked about; from then on the answer comes along.
    for _ in 0..4 {
        said(incoming("A", "x"));
    }
    let again = said(incoming("A", "x"));
    assert!(again.len() == 2 && again[0].contains("save_new_messages"), "{again:#?}");
    assert_eq!(save(&store, session, incoming("A", "x")), Outcome::Unchanged);
    // No transaction: each is one by itself.
    assert!(!again.concat().contains("COMMIT"), "{again:#?}");
}

fn two_stores(place: &Place) -> (Store, Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str| Store::open_with(place.config(&dir.path().join(name))).unwrap();
    (open("a"), open("b"), dir)
}

#[test]
fn what_another_process_changed_about_a_session_counts() {
    for way in [Way::Partitioned, Way::Plain, Way::Bouncer] {
        let place = Place::empty(way);
        let (here, there, _dir) = two_stores(&place);
        let session = new_session(&here, "shop-1");
        for n in 0..3 {
            assert_eq!(save(&here, session, incoming(&format!("A{n}"), "x")), Outcome::Inserted);
        }
        let config = |text: &str| SessionUpdate {
            config: Some(Json::parse(text).unwrap()),
            ..SessionUpdate::default()
        };
        there.sessions().update(session, config(r#"{"storeHistory":false}"#)).wait().unwrap();
        assert_eq!(save(&here, session, incoming("B", "x")), Outcome::NotStored { new: true });
        assert_eq!(save(&here, session, incoming("B", "x")), Outcome::NotStored { new: false });
        there.sessions().update(session, config("{}")).wait().unwrap();
        // It was told as new once already.
        assert_eq!(save(&here, session, incoming("B", "x")), Outcome::Updated { upgraded: false });

        place.sql().run(&format!("UPDATE sessions SET phone = '12025550199' WHERE id = '{session}'"));
        let mine = NewMessage { from_number: "me".into(), ..outgoing("C", "x") };
        let saved = here.messages().save(session, mine).wait().unwrap();
        assert_eq!(saved.message.from_number.to_string(), "12025550199@s.whatsapp.net");

        there.sessions().delete(session).wait().unwrap();
        let gone = here.messages().save(session, incoming("D", "x")).wait().unwrap_err();
        assert_eq!(gone.kind(), Kind::NotFound);
        assert_eq!(place.sql().number("SELECT count(*) FROM message_ids"), 0, "{way:?}");
    }
}

#[test]
fn a_change_and_its_message_at_the_same_time_both_count() {
    for way in [Way::Partitioned, Way::Bouncer] {
        let place = Place::empty(way);
        let (here, there, _dir) = two_stores(&place);
        let session = new_session(&here, "shop-1");
        let mut waited = 0;
        for n in 0..150 {
            let id = format!("A{n}");
            let changed = scope(|scope| {
                let change = scope.spawn(|| there.messages().ack(session, id.as_str(), 3).wait().unwrap());
                // Now one is first, now the other.
                std::thread::sleep(std::time::Duration::from_micros(n * 5));
                assert_eq!(save(&here, session, incoming(&id, "x")), Outcome::Inserted);
                change.join().unwrap()
            });
            waited += u64::from(changed == Changed::Waiting);
            let message = here.messages().find(session, id.as_str()).unwrap().unwrap();
            assert_eq!(message.ack, Some(3), "{id}: {changed:?}");
        }
        assert!(waited > 0, "no change ever came before its message");
        assert_eq!(place.sql().number("SELECT count(*) FROM pending_changes"), 0);
        assert_eq!(place.sql().number("SELECT count(*) FROM messages"), 150);
        assert_eq!(place.sql().number("SELECT count(*) FROM message_ids"), 150);
    }
}

/// 64 callers of one store, two of which save the same messages in opposite order; `rounds` for each.
fn crowd(store: &Store, session: Uuid, rounds: usize) -> usize {
    let inserted = scope(|scope| {
        let callers: Vec<_> = (0..64)
            .map(|caller| {
                scope.spawn(move || {
                    let order = |n: usize| if caller % 2 == 0 { n } else { rounds - 1 - n };
                    let saves = (0..rounds).map(|n| incoming(&format!("P{}-{}", caller / 2, order(n)), "x"));
                    saves.filter(|message| save(store, session, message.clone()) == Outcome::Inserted).count()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    assert_eq!(inserted, 32 * rounds, "one is new once");
    inserted
}

#[test]
fn many_callers_write_on_two_connections_and_cannot_tell() {
    for (way, connections) in
        [(Way::Partitioned, 10), (Way::Plain, 10), (Way::Bouncer, 10), (Way::Partitioned, 3)]
    {
        let (place, dir) = (Place::empty(way), tempfile::tempdir().unwrap());
        let mut config = place.config(dir.path());
        let DataDatabase::Postgres(server) = &mut config.data else { unreachable!() };
        server.max_connections = connections;
        let store = Store::open_with(config).unwrap();
        let session = new_session(&store, "shop-1");
        let inserted = crowd(&store, session, 100);
        let overview = store.overview(&OverviewOptions::default()).unwrap();
        let open = overview.databases.iter().find_map(|database| database.connections).unwrap();
        assert_eq!(open, if connections < 4 { 1 } else { 2 }, "{way:?}");
        assert_eq!(place.sql().number("SELECT count(*) FROM messages") as usize, inserted, "{way:?}");

        // What a caller does not wait for is done before what it asks for next.
        scope(|scope| {
            for caller in 0..64 {
                let store = &store;
                scope.spawn(move || {
                    for n in 0..10 {
                        save(store, session, incoming(&format!("Q{caller}-{n}"), "x"));
                        let id = format!("R{caller}-{n}");
                        let ticket = store.messages().save(session, incoming(&id, "x")).submit().unwrap();
                        let changed = store.messages().ack(session, id.as_str(), 3).wait().unwrap();
                        assert_ne!(changed, Changed::Waiting, "{id}");
                        assert_eq!(ticket.wait().unwrap().outcome, Outcome::Inserted);
                    }
                });
            }
        });
        store.close().unwrap();
    }
}

#[test]
fn a_message_whose_answer_was_lost_is_new_once() {
    let cluster = Cluster::new(&cluster::Options::default());
    let (database, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let server = database.postgres();
    let (port, scissors) = deaf::before(server.port);
    let through = Postgres { host: "127.0.0.1".into(), port, ..server };
    let config = Config { ..config(through, dir.path()) };
    let store = Store::open_with(config).unwrap();
    let session = new_session(&store, "shop-1");
    for n in 0..3 {
        save(&store, session, incoming(&format!("warm-{n}"), "x"));
    }
    for n in 0..5 {
        let id = format!("A{n}");
        scissors.cut();
        assert_eq!(save(&store, session, incoming(&id, "x")), Outcome::Inserted, "{id}");
        assert!(scissors.have_cut());
        assert_eq!(save(&store, session, incoming(&id, "x")), Outcome::Unchanged, "{id}");
        // Without an id of WhatsApp nothing recognises a second one.
        scissors.cut();
        let without = NewMessage { wa_message_id: None, ..outgoing("", "x") };
        assert_eq!(save(&store, session, without), Outcome::Inserted);
        assert!(scissors.have_cut());
    }
    let sql = database.sql();
    assert_eq!(sql.number("SELECT count(*) FROM messages WHERE wa_message_id IS NULL"), 5);
    assert_eq!(sql.number("SELECT count(*) FROM messages"), 13);
}
