//! Backups and restores that are killed.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::hash::{BuildHasher, RandomState};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use openwa_store::{BackupOptions, Config, Store, VerifyOptions, compare, verify_backups};
use openwa_tests::backups::Backups;
use openwa_tests::full::full;
use openwa_tests::postgres::{Place, Way};
use openwa_tests::process::{program, setting, text};

/// Runs the program and kills it after a part of the time that it needed once. Answers whether it came to its end.
fn killed(args: &[&str], whole: Duration) -> bool {
    let mut child = Command::new(program("backer"))
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = RandomState::new().hash_one(0) % 1000;
    std::thread::sleep(whole * u32::try_from(part).unwrap() / 1000);
    child.kill().unwrap();
    child.wait().unwrap().success()
}

fn run(args: &[&str]) -> Duration {
    let started = Instant::now();
    let out = Command::new(program("backer")).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    started.elapsed()
}

fn nothing_left(at: &Backups) {
    let left = std::fs::read_dir(at.store()).unwrap().flatten().map(|e| e.file_name().into_string().unwrap());
    let left: Vec<String> =
        left.filter(|name| name.starts_with(".openwa") || name.ends_with(".restoring")).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_killed_backup_is_none_and_the_next_one_is_whole() {
    let at = Backups::default();
    full(Config::new(at.store())).close().unwrap();
    let store = text(&at.store()).to_owned();
    // One repository for all rounds, and a new one every few of them: making it may be killed as well.
    let mut whole = Duration::from_secs(2);
    for round in 0..setting("OPENWA_BACKUP_KILLS", 6) {
        let place = at.path(&format!("repo-{}", round / 5));
        let repo = text(&place).to_owned();
        let ended = killed(&["backup", &store, &repo], whole);
        whole = run(&["backup", &store, &repo]);
        let options = VerifyOptions { repo: openwa_tests::backups::repo(&repo), backup: None };
        let found = verify_backups(&options, None).unwrap();
        assert_eq!(found.problems, Vec::<String>::new(), "round {round}");
        assert_eq!(found.damaged, Vec::<String>::new());
        // A killed one may have come to its end just before, without having told.
        let least = usize::from(ended) + 1;
        assert!(found.sound.len() >= least, "round {round}");
        nothing_left(&at);
    }
    // The store never noticed.
    assert_eq!(Store::open(at.store()).unwrap().check().unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_killed_restore_into_a_server_is_completed_by_the_next() {
    let (at, from) = (Backups::default(), Place::empty(Way::Partitioned));
    let source = full(from.config(&at.path("source")));
    let forms = [None, Some("none")].into_iter().cycle();
    for (round, form) in (0..setting("OPENWA_BACKUP_KILLS", 6) / 3).zip(forms) {
        let pg_dump = form.map(str::to_owned);
        source.backup(&BackupOptions { repo: at.repo(), pg_dump, ..Default::default() }, None).unwrap();
        let (to, dir) = (Place::empty(Way::Partitioned), at.path(&format!("new-{round}")));
        let restore = || {
            let mut command = Command::new(program("backer"));
            command.args(["restore", text(&dir), text(&at.path("repo"))]).envs(to.environment());
            command.stderr(Stdio::null()).stdout(Stdio::piped());
            command
        };
        let mut child = restore().spawn().unwrap();
        std::thread::sleep(Duration::from_millis(RandomState::new().hash_one(round) % 1500));
        child.kill().unwrap();
        let mut said = String::new();
        if !child.wait().unwrap().success() {
            let out = restore().output().unwrap();
            // It may have come to its end without having told; then all of it is there.
            said = String::from_utf8_lossy(&out.stdout).into_owned();
            assert!(out.status.success() || said.contains("CONFLICT"), "round {round}: {said}");
        }
        let there = Store::open_with(to.config(&dir));
        let there = there.unwrap_or_else(|e| panic!("round {round}: {e}; the second restore said {said}"));
        assert_eq!(compare(&source, &there).unwrap(), [], "round {round}");
        there.close().unwrap();
    }
}

#[test]
fn a_killed_restore_leaves_the_old_store_or_asks_to_be_repeated() {
    let at = Backups::default();
    let source = full(Config::new(at.path("source")));
    at.create(&source).unwrap();
    let (store, repo) = (text(&at.store()).to_owned(), text(&at.path("repo")).to_owned());
    let mut whole = run(&["restore", &store, &repo]);
    let mut half = 0;
    for round in 0..setting("OPENWA_BACKUP_KILLS", 6) {
        killed(&["restore", &store, &repo], whole);
        match Store::open(at.store()) {
            Ok(there) => {
                assert_eq!(compare(&source, &there).unwrap(), [], "round {round}: neither old nor new");
                there.close().unwrap();
            }
            Err(e) => {
                assert!(e.context("mark").is_some(), "round {round}: {e}");
                half += 1;
            }
        }
        whole = run(&["restore", &store, &repo]);
        nothing_left(&at);
        let there = Store::open(at.store()).unwrap();
        assert_eq!(compare(&source, &there).unwrap(), []);
        there.close().unwrap();
    }
    eprintln!("{half} restores were killed while files were being exchanged");
}
