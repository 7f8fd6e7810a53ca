//! Backups that fail: damaged repositories and stores, and a disk without room.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use openwa_store::{
    Config, Kind, RestoreOptions, Store, VerifyOptions, backups, restore_backup, verify_backups,
};
use openwa_tests::backups::{Backups, files, fill};
use openwa_tests::conformance::new_session;
use openwa_tests::full::full;
use openwa_tests::process::{program, text};
use sha2::{Digest, Sha256};

/// Every pack of data in a repository.
fn packs(repo: &Path) -> Vec<PathBuf> {
    files(&repo.join("data")).into_iter().map(|(path, _)| path).collect()
}

#[test]
fn damage_is_found_and_never_restored() {
    let at = Backups::default();
    let store = full(Config::new(at.store()));
    at.create(&store).unwrap();
    let whole: Vec<(PathBuf, Vec<u8>)> = files(&at.path("repo"));
    let heal = || {
        for (path, bytes) in &whole {
            fs::write(path, bytes).unwrap();
        }
    };
    let verify = || verify_backups(&VerifyOptions { repo: at.repo(), backup: None }, None);
    let restore = |name: &str| {
        let options = RestoreOptions { repo: at.repo(), ..Default::default() };
        restore_backup(&Config::new(at.path(name)), &options, None)
    };
    type Harm = (&'static str, fn(&Path));
    let harms: [Harm; 3] = [
        ("a flipped bit", |pack| {
            let mut bytes = fs::read(pack).unwrap();
            let middle = bytes.len() / 3;
            bytes[middle] ^= 1;
            fs::write(pack, bytes).unwrap();
        }),
        ("a cut end", |pack| {
            let bytes = fs::read(pack).unwrap();
            fs::write(pack, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("a lost file", |pack| fs::remove_file(pack).unwrap()),
    ];
    for (name, harm) in harms {
        let pack =
            packs(&at.path("repo")).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
        harm(&pack);
        let found = verify().unwrap();
        assert!(!found.problems.is_empty() && found.sound.is_empty(), "{name}: {found:?}");
        let e = restore("damaged").unwrap_err();
        assert!(matches!(e.kind(), Kind::Corrupt | Kind::NotFound), "{name}: {e}");
        let there: Vec<_> = files(&at.path("damaged")).into_iter().map(|(path, _)| path).collect();
        assert_eq!(there, Vec::<PathBuf>::new(), "{name}: nothing took a place");
        if name != "a flipped bit" {
            let e = at.create(&store).unwrap_err();
            assert_eq!(e.kind(), Kind::Corrupt, "{name}: no backup builds on it: {e}");
            assert_eq!(at.list().len(), 1);
        }
        heal();
        assert_eq!(verify().unwrap().problems, Vec::<String>::new(), "{name}");
    }
    let key = files(&at.path("repo").join("keys")).remove(0).0;
    fs::write(&key, b"{}").unwrap();
    assert!(matches!(backups(&at.repo()).unwrap_err().kind(), Kind::Corrupt | Kind::PermissionDenied));
    heal();
    fs::write(at.path("repo").join("config"), b"nonsense").unwrap();
    assert_eq!(backups(&at.repo()).unwrap_err().kind(), Kind::Corrupt);
}

#[test]
fn a_damaged_store_is_not_backed_up_as_if_it_were_sound() {
    let at = Backups::default();
    let store = Store::open(at.store()).unwrap();
    fill(&store, new_session(&store, "filled"), 0..3000, |i| format!("{i} {}", "x".repeat(300)));
    store.close().unwrap();
    let path = at.store().join("data.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let store = Store::open(at.store()).unwrap();
    assert_eq!(at.create(&store).unwrap_err().kind(), Kind::Corrupt);
    assert!(at.list().is_empty());
}

/// Text that does not get much smaller.
fn unlike_any_other(i: u64) -> String {
    let hashes = (0..16).map(|n| Sha256::digest(format!("{i} {n}")));
    hashes.flatten().map(|byte| format!("{byte:02x}")).collect()
}

/// The disk is full from the moment on at which the copies are made, so that the repository is what finds no room.
#[test]
fn a_full_disk_makes_no_backup_and_harms_none() {
    let at = Backups::default();
    let store = full(Config::new(at.store()));
    let first = at.create(&store).unwrap();
    fill(&store, new_session(&store, "filled"), 0..3000, unlike_any_other);
    let (dir, repo, backer) = (at.store(), at.path("repo"), program("backer"));
    let limited = "trap '' XFSZ; exec \"$0\" full \"$1\" \"$2\" 500000";
    let args = ["-c", limited, text(&backer), text(&dir), text(&repo)];
    let out = Command::new("bash").args(args).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(said.starts_with("error DISK_FULL: ") && said.contains("no space for the repository"), "{said}");
    assert!(!out.status.success());
    assert_eq!(at.list(), [first]);
    let left: Vec<PathBuf> = files(&dir).into_iter().map(|(path, _)| path).collect();
    assert!(!left.iter().any(|path| text(path).contains(".openwa-backup-")), "{left:?}");
    let found = verify_backups(&VerifyOptions { repo: at.repo(), backup: None }, None).unwrap();
    assert_eq!((found.problems, found.sound.len()), (vec![], 1));
    at.create(&store).unwrap();
    assert_eq!(at.list().len(), 2);
}
