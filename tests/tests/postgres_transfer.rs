//! From SQLite to PostgreSQL and back: whatever is carried, the exports are the same byte for byte.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::fs::File;
use std::path::Path;
use std::process::Command;

use openwa_store::{Config, Store, compare, replay};
use openwa_tests::full::{EVERYTHING, REPLACE, document, full, tables};
use openwa_tests::postgres::{Place, Way};

/// Takes everything from `original` to PostgreSQL, to SQLite again, and compares at every stop.
fn there_and_back(original: &Store, way: Way) {
    let exported = document(original, &EVERYTHING);
    let (there, folder) = (Place::empty(way), tempfile::tempdir().unwrap());
    let postgres = Store::open_with(there.config(&folder.path().join("there"))).unwrap();
    let sqlite = Store::open(folder.path().join("back")).unwrap();
    let mut document = exported.clone();
    for (stop, store) in [("PostgreSQL", &postgres), ("SQLite", &sqlite)] {
        store.import(document.as_bytes(), &REPLACE, None).unwrap();
        document = openwa_tests::full::document(store, &EVERYTHING);
        assert!(tables(&document) == tables(&exported), "{stop}: {}", first_difference(&document, &exported));
        assert_eq!(compare(original, store).unwrap(), [], "{stop}");
        assert_eq!(store.check().unwrap().problems, Vec::<String>::new(), "{stop}");
    }
    // And what PostgreSQL holds is taken by another PostgreSQL.
    let other = Place::empty(Way::Plain);
    let other = Store::open_with(other.config(&folder.path().join("other"))).unwrap();
    other.import(document.as_bytes(), &REPLACE, None).unwrap();
    assert_eq!(compare(&postgres, &other).unwrap(), []);
}

/// Where two documents differ, in a few words.
fn first_difference(one: &str, other: &str) -> String {
    let (one, other) = (tables(one), tables(other));
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let bytes = text.as_bytes();
        String::from_utf8_lossy(&bytes[same.saturating_sub(80)..(same + 80).min(bytes.len())]).into_owned()
    };
    format!("\n{}\n{}", around(one), around(other))
}

#[test]
fn everything_that_is_hard_to_carry() {
    for way in Way::ALL {
        there_and_back(&full(Config::in_memory()), way);
    }
}

#[test]
fn what_was_written_by_postgresql_itself() {
    for way in Way::ALL {
        let (place, dir) = (Place::empty(way), tempfile::tempdir().unwrap());
        let original = full(place.config(dir.path()));
        there_and_back(&original, Way::Partitioned);
    }
}

fn fixture(log: &str) {
    let store = Store::in_memory().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(log);
    replay::run(&store, File::open(path).unwrap()).unwrap();
    there_and_back(&store, Way::Partitioned);
    there_and_back(&store, Way::Plain);
}

#[test]
fn baileys_small() {
    fixture("baileys-small.jsonl");
}

#[test]
fn baileys_medium() {
    fixture("baileys-medium.jsonl.gz");
}

#[test]
fn wwebjs_small() {
    fixture("wwebjs-small.jsonl");
}

#[test]
fn neonize_small() {
    fixture("neonize-small.jsonl");
}

/// The other tests of this file, in a process whose zone is half a day from the server's.
#[test]
fn the_same_in_another_time_zone() {
    for name in ["everything_that_is_hard_to_carry", "what_was_written_by_postgresql_itself", "baileys_small"]
    {
        let mut again = Command::new(std::env::current_exe().unwrap());
        let status = again.args(["--exact", name]).env("TZ", "Pacific/Kiritimati").output().unwrap();
        let said = String::from_utf8_lossy(&status.stdout);
        assert!(status.status.success() && said.contains("1 passed"), "{said}");
    }
}
