//! Backups of stores whose Data is on PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openwa_store::{
    BackupOptions, Config, Form, Kind, MessageFilter, NewSession, PageRequest, Postgres, RestoreOptions,
    Store, Uuid, compare, restore_backup,
};
use openwa_tests::backups::Backups;
use openwa_tests::conformance::{in_threads, incoming};
use openwa_tests::full::full;
use openwa_tests::postgres::{Place, Way};

fn options(at: &Backups, pg_dump: Option<&str>) -> BackupOptions {
    BackupOptions { repo: at.repo(), pg_dump: pg_dump.map(str::to_owned), ..Default::default() }
}

fn restore(at: &Backups, to: &Config) -> openwa_store::Result<()> {
    let options = RestoreOptions { repo: at.repo(), ..Default::default() };
    restore_backup(to, &options, None).map(|_| ())
}

#[test]
fn a_restored_database_has_every_row_of_every_table() {
    for (way, program, form) in [
        (Way::Partitioned, None, Form::PgDump),
        (Way::Plain, None, Form::PgDump),
        (Way::Bouncer, None, Form::PgDump),
        (Way::Partitioned, Some("none"), Form::Document),
    ] {
        let (at, from, to) = (Backups::default(), Place::empty(way), Place::empty(way));
        let store = full(from.config(&at.store()));
        let report = store.backup(&options(&at, program), None).unwrap();
        assert_eq!(report.backup.data_form, form, "{way:?}");
        let target = to.config(&at.path("new"));
        restore(&at, &target).unwrap();
        let again = Store::open_with(target.clone()).unwrap();
        assert_eq!(compare(&store, &again).unwrap(), [], "{way:?}");
        assert_eq!(again.check().unwrap().problems, Vec::<String>::new(), "{way:?}");
        again.close().unwrap();
        // Where something is, nothing is restored; with a new folder and the same schema as well.
        for taken in [target, to.config(&at.path("another"))] {
            let e = restore(&at, &taken).unwrap_err();
            assert_eq!(e.kind(), Kind::Conflict, "{way:?}: {e}");
        }
        assert!(!at.path("another").join("main.sqlite").exists());
    }
}

#[test]
fn a_document_goes_into_any_engine_and_a_dump_only_where_it_came_from() {
    let (at, from) = (Backups::default(), Place::empty(Way::Partitioned));
    let store = full(from.config(&at.store()));
    store.backup(&options(&at, Some("none")), None).unwrap();
    let folder = at.restored("sqlite");
    let again = Store::open(&folder).unwrap();
    assert_eq!(compare(&store, &again).unwrap(), []);
    again.close().unwrap();

    store.backup(&options(&at, None), None).unwrap();
    assert_eq!(restore(&at, &Config::new(at.path("wrong"))).unwrap_err().kind(), Kind::InvalidArgument);
    let empty = Place::empty(Way::Partitioned);
    let other = Config {
        data: openwa_store::DataDatabase::Postgres(Postgres { schema: "other".into(), ..empty.postgres() }),
        ..Config::new(at.path("schema"))
    };
    assert_eq!(
        restore(&at, &other).unwrap_err().kind(),
        Kind::InvalidArgument,
        "a dump keeps its schema's name"
    );
    let other = store.backup(&options(&at, Some("/bin/sh")), None).unwrap_err();
    assert_eq!(other.kind(), Kind::NotFound, "{other}");
}

fn ids(dir: &Path, place: &Place, session: Uuid) -> HashSet<String> {
    let store = Store::open_with(place.config(dir)).unwrap();
    let mut found = HashSet::new();
    let mut page = PageRequest { limit: Some(500), ..Default::default() };
    loop {
        let some = store.messages().list(session, &MessageFilter::default(), &page).unwrap();
        found.extend(some.items.iter().filter_map(|m| m.wa_message_id.as_ref()).map(ToString::to_string));
        page.after = match some.next {
            Some(next) => Some(next),
            None => break,
        };
    }
    store.close().unwrap();
    found
}

#[test]
fn a_backup_under_load_has_all_that_was_acknowledged_before_it() {
    for program in [None, Some("none")] {
        let (at, from) = (Backups::default(), Place::empty(Way::Partitioned));
        let store = Store::open_with(from.config(&at.store())).unwrap();
        let new = NewSession { name: "shop-1".into(), ..Default::default() };
        let session = store.sessions().create(new).wait().unwrap().id;
        let (acknowledged, stop) = (Mutex::new(HashSet::new()), AtomicBool::new(false));
        let mut before = HashSet::new();
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                in_threads(8, |thread| {
                    for i in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let id = format!("{thread}-{i}");
                        store.messages().save(session, incoming(&id, &id)).wait().unwrap();
                        acknowledged.lock().unwrap().insert(id);
                    }
                });
            });
            while acknowledged.lock().unwrap().len() < 200 {
                std::thread::sleep(Duration::from_millis(5));
            }
            before = acknowledged.lock().unwrap().clone();
            let made = store.backup(&options(&at, program), None);
            stop.store(true, Ordering::Relaxed);
            load.join().unwrap();
            made.unwrap();
        });
        let all = acknowledged.into_inner().unwrap();
        let to = Place::empty(Way::Partitioned);
        restore(&at, &to.config(&at.path("new"))).unwrap();
        let kept = ids(&at.path("new"), &to, session);
        assert!(kept.is_superset(&before), "{program:?}: a message that was acknowledged before is missing");
        assert!(all.is_superset(&kept) && kept.len() < all.len(), "{program:?}: the load went on");
    }
}
