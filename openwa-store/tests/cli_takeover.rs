//! `openwa takeover` and `openwa export --format openwa`, run as people and programs run them.

// A test may panic: that is how it fails.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
    path.to_str().unwrap().to_owned()
}

struct Openwa(tempfile::TempDir);

impl Openwa {
    fn new() -> Self {
        Openwa(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run_in(&self, store: &str, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openwa"));
        command.env_clear().env("OPENWA_DIR", self.path(store)).args(args);
        command.output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let out = self.run_in("store", args);
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }
}

#[test]
fn a_gateway_moves_in_and_can_go_back() {
    let openwa = Openwa::new();
    let (keys, export) = (fixture("openwa/main.sqlite"), fixture("openwa/export-sqlite.json.gz"));

    let plan = openwa.ok(&["takeover", &keys, &export, "--plan"]);
    assert!(plan.contains("Every row can be taken over"), "{plan}");
    assert!(!openwa.path("store").exists(), "a plan makes nothing");

    let told = openwa.ok(&["takeover", &keys, &export]);
    for part in ["SQLite database of OpenWA", "export of OpenWA", "3,000", "openwa_extra", "Taken over."] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(openwa.ok(&["sessions", "list"]).contains("shop-main"));
    assert!(openwa.ok(&["db", "check"]).contains("sound"));

    let again: Value = serde_json::from_str(&openwa.ok(&["takeover", &keys, &export, "--json"])).unwrap();
    assert!(again["written"].as_array().unwrap().iter().all(|w| w["inserted"] == 0), "{again}");
    assert_eq!((&again["problem_count"], &again["plan"]), (&Value::from(0), &Value::from(false)));

    let back = openwa.path("back.json.zst");
    let back = back.to_str().unwrap();
    let told: Value =
        serde_json::from_str(&openwa.ok(&["export", "--format", "openwa", back, "--json"])).unwrap();
    assert_eq!(told["tables"]["messages"], 3000);
    let other = openwa.run_in("other", &["takeover", &keys, back]);
    assert!(other.status.success(), "{}", String::from_utf8_lossy(&other.stderr));
    openwa.ok(&["db", "compare", openwa.path("other").to_str().unwrap()]);
}

#[test]
fn exit_codes_and_errors() {
    let openwa = Openwa::new();
    let code = |args: &[&str]| openwa.run_in("store", args).status.code().unwrap();
    assert_eq!(code(&["takeover"]), 2);
    assert_eq!(code(&["takeover", "/no/such/file"]), 3);
    assert_eq!(code(&["takeover", "postgres://h"]), 2);
    assert_eq!(code(&["takeover", &fixture("README.md")]), 5);

    // One bad row.
    let bad = openwa.path("bad.json");
    let text = r#"{"tables":{"sessions":[{"id":"a20fcbd4-af0c-4ed7-a618-30593e0ec863","name":"a","status":"created","createdAt":"2026-05-04 07:30:00","updatedAt":"2026-05-04 07:30:00"},{"id":"x","name":"b","status":"created"}]}}"#;
    std::fs::write(&bad, text).unwrap();
    let bad = bad.to_str().unwrap();
    let strict = openwa.run_in("store", &["takeover", bad]);
    let told = String::from_utf8_lossy(&strict.stderr).into_owned();
    assert_eq!(strict.status.code(), Some(5), "{told}");
    for part in ["nothing was taken over", "table: sessions", "row: x", "column: id"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let skipping = openwa.run_in("store", &["takeover", bad, "--skip-bad-rows"]);
    let told = String::from_utf8_lossy(&skipping.stdout).into_owned();
    assert_eq!(skipping.status.code(), Some(1), "something is wrong, and it is told: {told}");
    assert!(told.contains("bad: sessions x, id: is not a UUID"), "{told}");
    assert!(openwa.ok(&["sessions", "list"]).contains('a'));
}

#[test]
fn a_pairing_moves_in() {
    let openwa = Openwa::new();
    let told = openwa.ok(&["takeover", &fixture("baileys-auth/folder"), "--session", "shop-1"]);
    assert!(
        told.contains("auth folder of Baileys") && told.contains("a new session called \"shop-1\""),
        "{told}"
    );
    assert!(openwa.ok(&["sessions", "list"]).contains("shop-1"));
}
