//! Climbing the ladder of migrations, and who is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::path::Path;

use openwa_store::entity::Database;
use openwa_store::{Config, Kind, NewSession, Store, migrations};
use openwa_tests::conformance::{in_threads, refused};
use openwa_tests::process::{Program, text};
use openwa_tests::raw;
use tempfile::TempDir;

const DATABASES: [Database; 2] = [Database::Main, Database::Data];

/// A folder with a closed, empty store.
fn store() -> (TempDir, Config) {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap().close().unwrap();
    let config = Config::new(dir.path());
    (dir, config)
}

fn versions(config: &Config, database: Database) -> (usize, usize) {
    let steps = migrations::status(config, database).unwrap();
    (steps.iter().filter(|s| s.applied_at.is_some()).count(), steps.len())
}

/// Changes the ledger by SQL.
fn tamper(dir: &Path, database: Database, sql: &str) {
    assert_eq!(raw::open(dir, database).execute(sql, []).unwrap(), 1);
}

#[test]
fn every_step_goes_down_and_up_to_the_same_schema() {
    for database in DATABASES {
        let (dir, config) = store();
        let read = || raw::schema(&raw::open(dir.path(), database));
        let (latest, _) = versions(&config, database);
        // The schema at each version, noted on the way down and compared on the way up.
        let mut schemas = vec![read()];
        for version in (0..latest).rev() {
            assert_eq!(migrations::migrate(&config, database, Some(version as i64)).unwrap(), 1);
            schemas.push(read());
        }
        assert_eq!(schemas.pop().unwrap(), Vec::<String>::new(), "version 0 is the empty database");
        assert_eq!(versions(&config, database).0, 0);
        for version in 1..=latest {
            assert_eq!(migrations::migrate(&config, database, Some(version as i64)).unwrap(), 1);
            assert_eq!(read(), schemas.pop().unwrap());
        }
        assert_eq!(migrations::migrate(&config, database, None).unwrap(), 0, "nothing is left to do");
        Store::open(dir.path()).unwrap();
    }
}

#[test]
fn a_version_that_does_not_exist_is_refused() {
    let (_dir, config) = store();
    for version in [-1, 99] {
        refused(migrations::migrate(&config, Database::Data, Some(version)), Kind::InvalidArgument);
    }
}

#[test]
fn an_older_database_is_brought_up_at_open() {
    let (dir, config) = store();
    for database in DATABASES {
        migrations::migrate(&config, database, Some(0)).unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    store.sessions().create(NewSession { name: "s".into(), ..Default::default() }).wait().unwrap();
}

#[test]
fn rows_survive_opening_again() {
    let (dir, _) = store();
    let store = Store::open(dir.path()).unwrap();
    let new = NewSession { name: "s".into(), ..Default::default() };
    let session = store.sessions().create(new).wait().unwrap();
    drop(store);
    assert_eq!(Store::open(dir.path()).unwrap().sessions().get(session.id).unwrap(), session);
}

#[test]
fn a_newer_database_is_refused() {
    for database in DATABASES {
        let (dir, config) = store();
        let next = versions(&config, database).1 + 1;
        let sql = format!(
            "INSERT INTO openwa_migrations VALUES ({next}, '{}', 'x', 'x', '2030-01-01T00:00:00.000Z')",
            database.name()
        );
        tamper(dir.path(), database, &sql);
        let e = refused(Store::open(dir.path()), Kind::SchemaTooNew);
        assert!(
            e.message().contains(&next.to_string()) && e.message().contains(&(next - 1).to_string()),
            "{e}"
        );
        assert!(e.context("path").unwrap().ends_with(".sqlite"));
        refused(migrations::migrate(&config, database, Some(0)), Kind::SchemaTooNew);
    }
}

#[test]
fn an_edited_step_is_refused() {
    for database in DATABASES {
        for change in ["checksum = 'edited'", "name = 'renamed'"] {
            let (dir, _) = store();
            tamper(dir.path(), database, &format!("UPDATE openwa_migrations SET {change} WHERE version = 1"));
            refused(Store::open(dir.path()), Kind::SchemaChanged);
        }
    }
}

#[test]
fn a_foreign_database_is_refused_and_left_alone() {
    for database in DATABASES {
        let dir = tempfile::tempdir().unwrap();
        let foreign = raw::open(dir.path(), database);
        foreign.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").unwrap();
        drop(foreign);
        let path = dir.path().join(format!("{}.sqlite", database.name()));
        let before = std::fs::read(&path).unwrap();
        refused(Store::open(dir.path()), Kind::ForeignDatabase);
        assert!(std::fs::read(&path).unwrap() == before, "not one byte of it changed");
    }
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.sqlite");
    let text = "A text file, by accident under this name. ".repeat(100);
    std::fs::write(&path, &text).unwrap();
    refused(Store::open(dir.path()), Kind::ForeignDatabase);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn main_and_data_are_not_taken_for_each_other() {
    for (from, to) in [("main.sqlite", "data.sqlite"), ("data.sqlite", "main.sqlite")] {
        let (dir, _) = store();
        std::fs::copy(dir.path().join(from), dir.path().join(to)).unwrap();
        refused(Store::open(dir.path()), Kind::ForeignDatabase);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_told_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let e = Store::open(file.join("store")).unwrap_err();
    assert_eq!((e.operation(), e.context("path").is_some()), (Some("open"), true), "{e:?}");
}

#[test]
fn many_openers_of_an_empty_folder_all_succeed() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let open = |_| Program::saver(&["open", text(dir.path())]);
        let children: Vec<_> = (0..2).map(open).collect();
        in_threads(8, |i| {
            let store = Store::open(dir.path()).unwrap();
            let name = format!("s{i}").into();
            store.sessions().create(NewSession { name, ..Default::default() }).wait().unwrap();
        });
        for child in children {
            assert_eq!(child.finish(), ["opened"]);
        }
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.sessions().list(&Default::default(), &Default::default()).unwrap().items.len(), 8);
        drop(store);
        raw::assert_sound(dir.path());
    }
}
