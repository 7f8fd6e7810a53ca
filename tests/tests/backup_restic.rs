//! An independent program reads what backups wrote: Debian's `restic`.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::process::Command;

use openwa_store::{Config, Store, compare};
use openwa_tests::backups::{Backups, PASSWORD};
use openwa_tests::full::full;
use openwa_tests::process::text;
use openwa_tests::server::find;

#[test]
fn restic_lists_checks_and_restores_a_backup() {
    let at = Backups::default();
    let store = full(Config::new(at.store()));
    at.create(&store).unwrap();
    let backup = at.create(&store).unwrap();
    let restic = |args: &[&str]| {
        let mut command = Command::new(find("restic"));
        command
            .args(["--repo", text(&at.path("repo")), "--no-cache"])
            .args(args)
            .env("RESTIC_PASSWORD", PASSWORD);
        let out = command.output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let listed: serde_json::Value = serde_json::from_str(&restic(&["snapshots", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let ours =
        listed.as_array().unwrap().iter().find(|snapshot| snapshot["id"] == backup.id.as_str()).unwrap();
    assert_eq!((&ours["tags"][0], &ours["paths"][0]), (&"openwa".into(), &"/openwa".into()));
    assert!(restic(&["check", "--read-data"]).contains("no errors were found"));
    restic(&["restore", "latest", "--target", text(&at.path("there"))]);
    let again = Store::open(at.path("there").join("openwa")).unwrap();
    assert_eq!(compare(&store, &again).unwrap(), []);
    again.close().unwrap();
    // It leaves no lock that would stand in our way.
    at.create(&store).unwrap();
}
