//! A store that starts its own server, through the public face. How the server is started is tested beside the code.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use openwa_store::{Config, DataDatabase, Postgres, Store};
use openwa_tests::conformance::{incoming, new_session};
use openwa_tests::server::free_port;

#[test]
fn a_store_brings_its_server_along() {
    // The server does not run as root, so others must be able to enter.
    let dir = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
    let postgres = Postgres { builtin: true, port: free_port(), ..Postgres::default() };
    let open = || {
        let data = DataDatabase::Postgres(postgres.clone());
        Store::open_with(Config { data, ..Config::new(dir.path()) }).unwrap()
    };
    let running = || dir.path().join("postgres/data/postmaster.pid").exists();
    let one = open();
    let session = new_session(&one, "shop-1");
    let two = open();
    one.messages().save(session, incoming("A", "x")).wait().unwrap();
    one.close().unwrap();
    assert!(running(), "another store uses it");
    assert!(two.messages().find(session, "A").unwrap().is_some());
    two.close().unwrap();
    assert!(!running(), "the last one stops it");
    let again = open();
    assert!(again.messages().find(session, "A").unwrap().is_some());
    drop(again);
    assert!(!running());
}
