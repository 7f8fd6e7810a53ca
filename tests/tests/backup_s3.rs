//! Backups into S3-compatible storage.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::process::Command;

use openwa_store::{Config, Store, compare};
use openwa_tests::backups::Backups;
use openwa_tests::full::full;
use openwa_tests::process::{program, text};
use openwa_tests::s3::{Road, S3};

/// Runs the program with credentials for the server and answers what it says.
fn backer(s3: &S3, args: &[&str], other: &[(&str, &str)]) -> Result<String, String> {
    let mut command = Command::new(program("backer"));
    let out = command.args(args).envs(s3.environment()).envs(other.iter().copied()).output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap().trim().to_owned();
    let noise = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(noise, "", "{said}");
    if out.status.success() { Ok(said) } else { Err(said) }
}

#[test]
fn a_bucket_holds_backups_and_says_what_is_wrong() {
    let (at, s3) = (Backups::default(), S3::start());
    let source = full(Config::new(at.store()));
    source.close().unwrap();
    let (dir, new, repo) =
        (text(&at.store()).to_owned(), text(&at.path("new")).to_owned(), s3.repo(s3.port()));
    let refused = |e: Result<String, String>, kind: &str, word: &str| {
        let said = e.unwrap_err();
        assert!(said.starts_with(&format!("error {kind}: ")) && said.contains(word), "{said}");
    };
    refused(backer(&s3, &["restore", &new, &repo], &[]), "NOT_FOUND", "no repository");
    backer(&s3, &["backup", &dir, &repo], &[]).unwrap();
    backer(&s3, &["backup", &dir, &repo], &[]).unwrap();
    backer(&s3, &["restore", &new, &repo], &[]).unwrap();
    let (a, b) = (Store::open(&dir).unwrap(), Store::open(&new).unwrap());
    assert_eq!(compare(&a, &b).unwrap(), []);
    a.close().unwrap();
    b.close().unwrap();

    let wrong = [("AWS_SECRET_ACCESS_KEY", "wrong")];
    refused(backer(&s3, &["backup", &dir, &repo], &wrong), "PERMISSION_DENIED", "credentials");
    let unknown = [("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN")];
    refused(backer(&s3, &["backup", &dir, &repo], &unknown), "PERMISSION_DENIED", "credentials");
    let missing = repo.replace("/backups/", "/other/");
    refused(backer(&s3, &["backup", &dir, &missing], &[]), "NOT_FOUND", "bucket");

    // Cut in the middle of the writing; repaired, the next one is whole.
    let road = Road::to(s3.port(), 30_000);
    let cut = s3.repo(road.port).replace("/openwa", "/cut");
    refused(backer(&s3, &["backup", &dir, &cut], &[]), "UNAVAILABLE", "storage");
    road.repair();
    backer(&s3, &["backup", &dir, &cut], &[]).unwrap();
    let again = text(&at.path("again")).to_owned();
    backer(&s3, &["restore", &again, &cut], &[]).unwrap();

    s3.vanish();
    refused(backer(&s3, &["backup", &dir, &repo], &[]), "NOT_FOUND", "bucket");
    refused(backer(&s3, &["restore", &again, &repo], &[]), "NOT_FOUND", "");
    let there = Store::open(&again).unwrap();
    assert!(there.sessions().find("shop-1").unwrap().is_some(), "what was restored before is untouched");
}
