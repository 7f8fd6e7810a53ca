//! `openwa takeover` and `openwa export --format openwa`, run as people and programs run them.

use serde_json::Value;

use crate::openwa::{Openwa, code, fixture};

#[test]
fn a_gateway_moves_in_and_can_go_back() {
    let openwa = Openwa::new();
    let (keys, export) = (fixture("openwa/main.sqlite"), fixture("openwa/export-sqlite.json.gz"));

    let plan = openwa.ok(&["takeover", &keys, &export, "--plan"]);
    assert!(plan.contains("Every row can be taken over"), "{plan}");
    assert!(!std::path::Path::new(&openwa.path("store")).exists(), "a plan makes nothing");

    openwa.ok(&["init"]);
    let told = openwa.ok(&["takeover", &keys, &export]);
    for part in ["SQLite database of OpenWA", "export of OpenWA", "3,000", "openwa_extra", "Taken over."] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(openwa.ok(&["sessions", "list"]).contains("shop-main"));
    assert!(openwa.ok(&["db", "check"]).contains("sound"));

    let again = openwa.json(&["takeover", &keys, &export]);
    assert!(again["written"].as_array().unwrap().iter().all(|w| w["inserted"] == 0), "{again}");
    assert_eq!((&again["problem_count"], &again["plan"]), (&Value::from(0), &Value::from(false)));

    let back = openwa.path("back.json.zst");
    let told = openwa.json(&["export", "--format", "openwa", &back]);
    assert_eq!(told["tables"]["messages"], 3000);
    let other = openwa.path("other");
    openwa.ok(&["--dir", &other, "init"]);
    openwa.ok(&["--dir", &other, "takeover", &keys, &back]);
    openwa.ok(&["db", "compare", &other]);
}

#[test]
fn exit_codes_and_errors() {
    let openwa = Openwa::ready();
    assert_eq!(openwa.fails(&["takeover"]).0, 2);
    assert_eq!(openwa.fails(&["takeover", "/no/such/file"]).0, 3);
    assert_eq!(openwa.fails(&["takeover", "postgres://h"]).0, 2);
    assert_eq!(openwa.fails(&["takeover", &fixture("README.md")]).0, 5);

    // One bad row.
    let text = r#"{"tables":{"sessions":[{"id":"a20fcbd4-af0c-4ed7-a618-30593e0ec863","name":"a","status":"created","createdAt":"2026-05-04 07:30:00","updatedAt":"2026-05-04 07:30:00"},{"id":"x","name":"b","status":"created"}]}}"#;
    let bad = openwa.file("bad.json", text.as_bytes());
    let (strict, told) = openwa.fails(&["takeover", &bad]);
    assert_eq!(strict, 5, "{told}");
    for part in ["nothing was taken over", "table: sessions", "row: x", "column: id"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let skipping = openwa.run(&["takeover", &bad, "--skip-bad-rows"]);
    let told = String::from_utf8_lossy(&skipping.stdout).into_owned();
    assert_eq!(code(&skipping), 1, "something is wrong, and it is told: {told}");
    assert!(told.contains("bad: sessions x, id: is not a UUID"), "{told}");
    assert!(openwa.ok(&["sessions", "list"]).contains('a'));
}

#[test]
fn a_pairing_moves_in() {
    let openwa = Openwa::ready();
    let told = openwa.ok(&["takeover", &fixture("baileys-auth/folder"), "--session", "shop-1"]);
    assert!(
        told.contains("auth folder of Baileys") && told.contains("a new session called \"shop-1\""),
        "{told}"
    );
    assert!(openwa.ok(&["sessions", "list"]).contains("shop-1"));
}
