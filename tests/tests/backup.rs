//! Backups of SQLite stores into a folder: made under load, listed, verified, restored, pruned, and what is said when
//! something is wrong.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openwa_store::entity::Database;
use openwa_store::{
    AuthEntry, AuthValue, BackupOptions, BackupPhase, BackupRepo, Config, Form, Job, KeepRules, Kind,
    MaintenanceOptions, MaintenanceOutcome, ManualClock, RestoreOptions, Store, Timestamp, VerifyOptions,
    backups, compare, prune_backups, restore_backup, verify_backups,
};
use openwa_tests::backups::{Backups, files, fill, repo, size};
use openwa_tests::conformance::{incoming, new_session, store_key};
use openwa_tests::full::full;
use openwa_tests::process::{Program, setting, text};
use openwa_tests::raw;

#[test]
fn a_restored_store_has_every_row_of_every_table() {
    let at = Backups::default();
    let store = full(Config::new(at.store()));
    let mut phases = Vec::new();
    let options = BackupOptions { repo: at.repo(), read_all: true, ..Default::default() };
    let report = store
        .backup(
            &options,
            Some(&mut |at| {
                phases.push(at.phase);
                std::ops::ControlFlow::Continue(())
            }),
        )
        .unwrap();
    assert!(phases.contains(&BackupPhase::Copy), "{phases:?}");
    assert_eq!(report.backup.data_form, Form::Sqlite);
    assert_eq!(report.backup.rows, report.tables.iter().map(|(_, n)| n).sum::<u64>());
    assert!(report.verified > report.backup.bytes, "everything was read back, and what is new twice");
    assert_eq!(at.list(), std::slice::from_ref(&report.backup));

    let restored = at.restored("new");
    raw::assert_sound(&restored);
    let again = Store::open(&restored).unwrap();
    assert_eq!(compare(&store, &again).unwrap(), []);
    assert_eq!(again.check().unwrap().problems, Vec::<String>::new());
    // Nothing is left beside the files, and nobody else may read them.
    again.close().unwrap();
    let names: Vec<PathBuf> = files(&restored).into_iter().map(|(path, _)| path).collect();
    assert_eq!(names, [restored.join("data.sqlite"), restored.join("main.sqlite")]);
    #[cfg(unix)]
    for path in names {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let left = files(&at.store()).into_iter().any(|(path, _)| text(&path).contains(".openwa-backup-"));
    assert!(!left, "the copies are gone");
}

#[test]
fn a_backup_tells_whether_its_secrets_are_sealed() {
    let at = Backups::default();
    let config = || Config { store_key: Some(store_key(1)), ..Config::new(at.store()) };
    let store = full(Config::new(at.store()));
    at.create(&store).unwrap();
    store.close().unwrap();
    at.create(&Store::open_with(config()).unwrap()).unwrap();
    assert_eq!(at.list().iter().map(|backup| backup.sealed).collect::<Vec<_>>(), [false, true]);

    // It is as sealed as the store was: the key that held then opens it.
    let restored = at.restored("new");
    assert!(!Store::open(&restored).unwrap().secrets_status().unwrap().usable);
    let again = Store::open_with(Config { store_key: Some(store_key(1)), ..Config::new(&restored) }).unwrap();
    let session = again.sessions().find("shop-2").unwrap().unwrap().id;
    let key = again.auth().get(session, "pre-key", "9").unwrap();
    assert_eq!(key, AuthValue::Found(b"auth-secret".to_vec()));
}

#[test]
fn nothing_of_the_store_can_be_read_in_the_repository() {
    let at = Backups::default();
    full(Config::new(at.store())).close().unwrap();
    at.create(&Store::open(at.store()).unwrap()).unwrap();
    for (path, bytes) in files(&at.path("repo")) {
        for secret in ["hook-secret", "header-secret", "shop-1", "12025550143", "manifest"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
}

/// The messages of a store, whole rows by their ids.
fn messages(dir: &Path) -> BTreeMap<String, Vec<String>> {
    let rows = raw::rows(&raw::open(dir, Database::Data), "SELECT wa_message_id, * FROM messages");
    rows.into_iter().map(|mut row| (row.remove(0), row)).collect()
}

#[test]
fn a_backup_under_load_has_all_that_was_acknowledged_before_it() {
    let at = Backups::default();
    let child = Program::saver(&["crash", text(&at.store()), "load"]);
    let mut acknowledged = child.read_until(|line| line.starts_with("load-7-5"));
    let store = Store::open(at.store()).unwrap();
    let mut made = Vec::new();
    for _ in 0..setting("OPENWA_LOADED_BACKUPS", 3) {
        acknowledged.extend(child.read_until(|line| line.starts_with("load")));
        let before = acknowledged.clone();
        made.push((at.create(&store).unwrap(), before));
    }
    acknowledged.extend(child.kill());
    let last = messages(&at.store());
    for (i, (backup, before)) in made.iter().enumerate() {
        let to = at.path(&format!("restored-{i}"));
        let options =
            RestoreOptions { repo: at.repo(), backup: Some(backup.id.clone()), ..Default::default() };
        restore_backup(&Config::new(&to), &options, None).unwrap();
        raw::assert_sound(&to);
        let kept = messages(&to);
        let lost = before.iter().find(|id| !id.starts_with("batch ") && !kept.contains_key(*id));
        assert_eq!(lost, None, "backup {i} lacks a message that was acknowledged before");
        assert!(kept.iter().all(|(id, row)| last[id] == *row), "backup {i} has a row that never was");
        assert!(kept.len() < last.len() && before.len() > 10, "the load went on");
    }
}

#[test]
fn a_second_backup_costs_what_changed() {
    let at = Backups::default();
    let store = Store::open(at.store()).unwrap();
    let session = new_session(&store, "shop-1");
    let padding = "The quick brown fox jumps over the lazy dog. ".repeat(12);
    let rows = setting("OPENWA_BACKUP_ROWS", 6_000);
    fill(&store, session, 0..rows, |i| format!("{i} {padding}"));
    let first = at.create(&store).unwrap();
    let full = size(&at.path("repo"));
    let hours = setting("OPENWA_BACKUP_HOURS", 4);
    // One row of two thousand is new each hour.
    let fresh = (rows / 2000).max(1);
    for hour in 0..hours {
        let from = rows + hour * fresh;
        fill(&store, session, from..from + fresh, |i| format!("{i} {padding}"));
        at.create(&store).unwrap();
    }
    let all = size(&at.path("repo"));
    eprintln!("store {} bytes; first backup {full}, {hours} more {}", first.bytes, all - full);
    assert!(all < 2 * full, "{hours} backups of 0.05 % changes cost {} beside {full}", all - full);
}

#[test]
fn a_store_in_use_is_not_replaced_and_a_closed_one_is_set_aside() {
    let at = Backups::default();
    let store = full(Config::new(at.store()));
    at.create(&store).unwrap();
    let session = store.sessions().find("shop-1").unwrap().unwrap().id;
    store.messages().save(session, incoming("LATER", "later")).wait().unwrap();
    let restore = |replace| {
        let options = RestoreOptions { repo: at.repo(), replace, ..Default::default() };
        restore_backup(&Config::new(at.store()), &options, None)
    };
    assert_eq!(restore(false).unwrap_err().kind(), Kind::Conflict);
    let busy = restore(true).unwrap_err();
    assert_eq!((busy.kind(), busy.operation()), (Kind::Busy, Some("backup.restore")), "{busy}");
    assert!(store.messages().find(session, "LATER").unwrap().is_some());
    store.close().unwrap();
    drop(store);

    let before = messages(&at.store());
    let report = restore(true).unwrap();
    assert!(!messages(&at.store()).contains_key("LATER"));
    let aside: Vec<&String> = report.set_aside.iter().collect();
    assert_eq!(aside.len(), 2, "{aside:?}");
    let old = at.path("old");
    fs::create_dir(&old).unwrap();
    for path in aside {
        let name = if path.contains("main.sqlite") { "main.sqlite" } else { "data.sqlite" };
        fs::copy(path, old.join(name)).unwrap();
    }
    assert_eq!(messages(&old), before, "what was there is whole");
}

#[test]
fn older_credentials_come_back_only_on_demand() {
    let at = Backups::default();
    let store = Store::open(at.store()).unwrap();
    let (used, other) = (new_session(&store, "used"), new_session(&store, "other"));
    let set = |session, value: u8| {
        let entry =
            AuthEntry { category: "session".into(), key_id: "1".into(), value: Some(vec![value; 64]) };
        store.auth().set(session, vec![entry]).wait().unwrap();
    };
    set(used, 1);
    set(other, 1);
    let backup = at.create(&store).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    set(used, 2);
    store.close().unwrap();
    let restore = |allow_old_credentials| {
        let options =
            RestoreOptions { repo: at.repo(), replace: true, allow_old_credentials, ..Default::default() };
        restore_backup(&Config::new(at.store()), &options, None)
    };
    let keys = || raw::rows(&raw::open(&at.store(), Database::Data), "SELECT * FROM session_auth");
    let before = keys();
    let refused = restore(false).unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
    assert!(refused.message().contains("used") && !refused.message().contains("other"), "{refused}");
    assert_eq!(keys(), before, "nothing was touched");
    let report = restore(true).unwrap();
    assert_eq!(report.backup.id, backup.id);
    assert!(report.credentials_at.unwrap() < backup.data_at);
}

#[test]
fn prune_leaves_what_the_rules_say() {
    let at = Backups::default();
    let clock = ManualClock::new("2026-01-05T21:10:00Z".parse().unwrap());
    let store = Store::open_with(Config { clock: clock.clone(), ..Config::new(at.store()) }).unwrap();
    let mut ids: Vec<(Timestamp, String)> = Vec::new();
    // Two in an hour, one in the next, then over midnight, then two days later.
    for minutes in [0, 20, 45, 70, 100, 170, 200, 60 * 50, 60 * 50 + 10] {
        clock.set(
            "2026-01-05T21:10:00Z".parse::<Timestamp>().unwrap().plus(Duration::from_secs(minutes * 60)),
        );
        let session = new_session(&store, &format!("s-{minutes}"));
        fill(&store, session, 0..20, |i| format!("{i} {}", "x".repeat(3000)));
        let made = at.create(&store).unwrap();
        ids.push((made.data_at, made.id));
    }
    let rules = KeepRules { hourly: Some(4), daily: Some(2), ..Default::default() };
    let report = prune_backups(&at.repo(), &rules).unwrap();
    // The last ones of 23 o'clock on the 7th, 0 o'clock on the 6th, and 22 and 21 o'clock on the 5th. The days are among them.
    let expected: Vec<String> = [2, 4, 6, 8].iter().map(|i| ids[*i].1.clone()).collect();
    let expected_hours: Vec<String> = expected_by_rules(&ids, 4, 2);
    assert_eq!(report.kept, expected_hours);
    assert_eq!(expected, expected_hours, "the rules by hand");
    assert_eq!(report.forgotten.len(), ids.len() - report.kept.len());
    assert!(report.marked > 0, "what only they used is marked");
    assert_eq!(at.list().into_iter().map(|b| b.id).collect::<Vec<_>>(), report.kept);
    let verified = verify_backups(&VerifyOptions { repo: at.repo(), backup: None }, None).unwrap();
    assert_eq!((verified.problems, verified.sound), (vec![], report.kept));
    // A name that nothing has: nothing is forgotten.
    let nobody = KeepRules { last: Some(1), name: Some("nobody".into()), ..Default::default() };
    assert_eq!(prune_backups(&at.repo(), &nobody).unwrap().forgotten, Vec::<String>::new());
}

/// The last backup of each of the latest hours and days that have one, and the newest.
fn expected_by_rules(ids: &[(Timestamp, String)], hourly: usize, daily: usize) -> Vec<String> {
    let mut keep = vec![ids.len() - 1];
    for (length, count) in [(13, hourly), (10, daily)] {
        let mut seen: Vec<String> = Vec::new();
        for (i, (at, _)) in ids.iter().enumerate().rev() {
            let period = at.to_string()[..length].to_owned();
            if seen.len() < count && !seen.contains(&period) {
                seen.push(period);
                keep.push(i);
            }
        }
    }
    keep.sort_unstable();
    keep.dedup();
    keep.into_iter().map(|i| ids[i].1.clone()).collect()
}

#[test]
fn what_is_wrong_with_a_repository_is_told() {
    let at = Backups::default();
    let store = full(Config::new(at.store()));
    let missing = backups(&at.repo()).unwrap_err();
    assert_eq!((missing.kind(), missing.operation()), (Kind::NotFound, Some("backup.list")), "{missing}");
    assert!(!at.path("repo").exists(), "asking makes nothing");
    at.create(&store).unwrap();

    let wrong = BackupRepo { password: Some("wrong".into()), ..at.repo() };
    let refused = backups(&wrong).unwrap_err();
    assert_eq!(refused.kind(), Kind::PermissionDenied, "{refused}");
    assert!(!format!("{refused:?} {wrong:?}").contains("\"wrong\""));
    let create = BackupOptions { repo: wrong, ..Default::default() };
    assert_eq!(store.backup(&create, None).unwrap_err().kind(), Kind::PermissionDenied);
    let none = BackupRepo { password: Some("".into()), ..at.repo() };
    assert_eq!(backups(&none).unwrap_err().kind(), Kind::InvalidArgument);
    for place in ["s3:", "sftp:host:/x", "s3:https://a:b@host/bucket"] {
        assert_eq!(backups(&repo(place)).unwrap_err().kind(), Kind::InvalidArgument, "{place}");
    }
    let unknown = RestoreOptions { repo: at.repo(), backup: Some("ffff".into()), ..Default::default() };
    let e = restore_backup(&Config::new(at.path("new")), &unknown, None).unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound, "{e}");

    let file = BackupRepo { repo: Some(at.store().join("data.sqlite").display().to_string()), ..at.repo() };
    assert_eq!(backups(&file).unwrap_err().kind(), Kind::NotFound);
    let created = store.backup(&BackupOptions { repo: file, ..Default::default() }, None);
    assert!(matches!(created.unwrap_err().kind(), Kind::Io | Kind::AlreadyExists | Kind::NotFound));
    let stopped = store.backup(
        &BackupOptions { repo: at.repo(), ..Default::default() },
        Some(&mut |_| std::ops::ControlFlow::Break(())),
    );
    assert_eq!(stopped.unwrap_err().kind(), Kind::Cancelled);
    assert_eq!(at.list().len(), 1, "nothing of all this made a backup");
}

#[test]
fn one_backup_at_a_time_and_stores_may_share_a_repository() {
    let at = Backups::default();
    let one = full(Config::new(at.store()));
    let two = full(Config::new(at.path("second")));
    let mut refused = None;
    let options =
        |name: &str| BackupOptions { repo: at.repo(), name: Some(name.into()), ..Default::default() };
    one.backup(
        &options("one"),
        Some(&mut |_| {
            refused.get_or_insert_with(|| {
                (one.backup(&options("one"), None), two.backup(&options("two"), None))
            });
            std::ops::ControlFlow::Continue(())
        }),
    )
    .unwrap();
    let (same_store, same_repo) = refused.unwrap();
    assert_eq!((same_store.unwrap_err().kind(), same_repo.unwrap_err().kind()), (Kind::Busy, Kind::Busy));
    two.backup(&options("two"), None).unwrap();
    let names: Vec<String> = at.list().into_iter().map(|backup| backup.name).collect();
    assert_eq!(names.len(), 2);
    let options = RestoreOptions { repo: at.repo(), name: Some("one".into()), ..Default::default() };
    let report = restore_backup(&Config::new(at.path("new")), &options, None).unwrap();
    assert_eq!(report.backup.name, "one");
}

/// Every hour, and only then.
#[test]
fn maintenance_makes_backups() {
    let at = Backups::default();
    let clock = ManualClock::new("2026-03-04T05:30:00Z".parse().unwrap());
    let config = Config { clock: std::sync::Arc::<ManualClock>::clone(&clock), ..Config::new(at.store()) };
    let store = Store::open_with(config).unwrap();
    let backups = BackupOptions { repo: at.repo(), prune: true, ..Default::default() };
    let hourly = MaintenanceOptions { backup: Some("0 * * * *".into()), backups, ..Default::default() };
    let runs = |options: &MaintenanceOptions| -> Vec<_> {
        let runs = store.run_maintenance(options, None, None).unwrap();
        runs.into_iter().filter(|run| run.job == Job::Backup).collect()
    };
    assert_eq!(runs(&MaintenanceOptions::default()), [], "nobody asked for backups");
    let outcomes = |options| runs(options).iter().map(|run| run.outcome).collect::<Vec<_>>();
    assert_eq!(outcomes(&hourly), [MaintenanceOutcome::Done]);
    assert_eq!(outcomes(&hourly), []);
    clock.set("2026-03-04T06:00:00Z".parse().unwrap());
    assert_eq!(outcomes(&hourly), [MaintenanceOutcome::Done]);
    assert_eq!(at.list().len(), 2);

    clock.set("2026-03-04T07:00:00Z".parse().unwrap());
    let repo = BackupRepo { password: Some("wrong".into()), ..at.repo() };
    let wrong =
        MaintenanceOptions { backups: BackupOptions { repo, ..Default::default() }, ..hourly.clone() };
    let failed = runs(&wrong);
    assert_eq!(failed[0].outcome, MaintenanceOutcome::Failed);
    assert!(failed[0].error.as_ref().unwrap().contains("password"), "{failed:?}");
    let jobs = store.maintenance().unwrap();
    let job = jobs.iter().find(|job| job.job == Job::Backup).unwrap();
    assert_eq!(job.error, failed[0].error);
    assert_eq!(job.succeeded_at, Some("2026-03-04T06:00:00Z".parse().unwrap()));
    assert_eq!(at.list().len(), 2);
}
