//! `openwa secrets`, run as people and programs run it.

use std::process::Output;

use openwa_store::{Config, NewSession, NewWebhook, Store, Uuid};
use serde_json::Value;

use crate::openwa::{Openwa, failed, succeeded};

/// Run with the key in a file of the folder, if one is named.
struct Keyed(Openwa);

impl Keyed {
    fn path(&self, name: &str) -> String {
        self.0.path(name)
    }

    fn run(&self, key: &str, args: &[&str]) -> Output {
        let mut command = self.0.command(args);
        if !key.is_empty() {
            command.env("OPENWA_STORE_KEY_FILE", self.path(key));
        }
        command.output().unwrap()
    }

    fn ok(&self, key: &str, args: &[&str]) -> String {
        succeeded(args, self.run(key, args))
    }

    fn status(&self, key: &str) -> Value {
        serde_json::from_str(&self.ok(key, &["secrets", "status", "--json"])).unwrap()
    }

    fn fails(&self, key: &str, args: &[&str]) -> (i32, String) {
        failed(&self.run(key, args))
    }
}

/// A store in clear with one webhook secret.
fn filled(openwa: &Keyed) -> Uuid {
    let store = Store::open_with(Config::new(openwa.path("store"))).unwrap();
    let session =
        store.sessions().create(NewSession { name: "s".into(), ..Default::default() }).wait().unwrap();
    let webhook =
        NewWebhook { url: "https://example.com/".into(), secret: Some("h00k".into()), ..Default::default() };
    store.webhooks().create(session.id, webhook).wait().unwrap().id
}

#[test]
fn a_store_gets_a_key_another_and_none() {
    let openwa = Keyed(Openwa::new());
    let webhook = filled(&openwa);
    let printed = openwa.ok("", &["secrets", "key"]);
    assert_eq!(printed.trim().len(), 64);
    for name in ["one.key", "two.key"] {
        let path = openwa.path(name);
        let told = openwa.ok("", &["secrets", "key", "--out", &path]);
        let key = std::fs::read_to_string(&path).unwrap();
        assert!(!told.contains(key.trim()), "a key in a file is not printed");
        assert_eq!(openwa.fails("", &["secrets", "key", "--out", &path]).0, 7, "a key is never overwritten");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), key);
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777,
            0o600
        );
    }
    assert_eq!(openwa.status("")["state"], "clear");
    assert!(openwa.ok("", &["secrets", "status"]).contains("in clear"));
    // The first open with a key seals.
    let status = openwa.status("one.key");
    assert_eq!(
        (&status["state"], &status["usable"], &status["clean"]),
        (&"sealed".into(), &true.into(), &true.into())
    );
    assert_eq!(openwa.status("")["usable"], false);
    assert!(openwa.ok("one.key", &["secrets", "seal"]).starts_with("0 rows"));
    let (code, told) = openwa.fails("two.key", &["sessions"]);
    assert_eq!(code, 4, "{told}");
    assert!(told.contains("OPENWA_STORE_KEY"), "{told}");
    assert_eq!(openwa.fails("", &["export", &openwa.path("export.json")]).0, 4);
    assert_eq!(openwa.run("", &["sessions"]).status.code(), Some(0), "what needs no secret goes on");

    assert_eq!(openwa.fails("one.key", &["secrets", "rotate"]).0, 2, "no new key");
    let new = openwa.path("two.key");
    let told = openwa.ok("one.key", &["secrets", "rotate", "--new-key-file", &new]);
    assert!(told.starts_with("1 rows"), "{told}");
    assert!(openwa.ok("one.key", &["secrets", "status"]).contains("opens the store as well"));
    openwa.ok("two.key", &["secrets", "rotate", "--new-key-file", &new, "--retire"]);
    assert_eq!(openwa.fails("one.key", &["secrets", "status"]).0, 4);

    let told = openwa.ok("two.key", &["secrets", "unseal"]);
    assert!(told.starts_with("1 rows"), "{told}");
    let store = Store::open_with(Config::new(openwa.path("store"))).unwrap();
    assert_eq!(store.webhooks().get(webhook).unwrap().secret.unwrap(), "h00k");
}

#[test]
fn a_lost_key_is_gotten_over() {
    let openwa = Keyed(Openwa::new());
    let webhook = filled(&openwa);
    openwa.ok("", &["secrets", "key", "--out", &openwa.path("one.key")]);
    openwa.status("one.key");
    assert_eq!(openwa.fails("", &["secrets", "forget"]).0, 2, "only with --yes");
    assert_eq!(openwa.fails("one.key", &["secrets", "forget", "--yes"]).0, 4, "nothing is lost");
    let told = openwa.ok("", &["secrets", "forget", "--yes"]);
    assert!(told.starts_with("1 rows"), "{told}");
    let store = Store::open_with(Config::new(openwa.path("store"))).unwrap();
    let hook = store.webhooks().get(webhook).unwrap();
    assert_eq!((hook.active, hook.secret), (false, None));
}

#[test]
fn a_bad_key_is_told_without_showing_it() {
    let openwa = Keyed(Openwa::new());
    filled(&openwa);
    openwa.0.file("bad.key", b"not quite a key");
    let (code, told) = openwa.fails("bad.key", &["sessions"]);
    assert_eq!(code, 2);
    assert!(told.contains("bad.key") && !told.contains("not quite"), "{told}");
    assert_eq!(openwa.fails("nowhere.key", &["sessions"]).0, 3);
}
