//! Crashes, competition between processes, and a full disk.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openwa_store::entity::Database;
use openwa_store::{Config, ImportOptions, Mode, NewApiKey, NewSession, PageRequest, Store};
use openwa_tests::full::{EVERYTHING, REPLACE, document, full, tables};
use openwa_tests::openwa::{self, fixture, unpacked};
use openwa_tests::postgres::{Place, Way};
use openwa_tests::process::{Program, program, setting, text};
use openwa_tests::raw;

/// Id and body of every message in the file.
fn messages(dir: &Path) -> HashMap<String, String> {
    let rows = raw::rows(&raw::open(dir, Database::Data), "SELECT wa_message_id, body FROM messages");
    rows.into_iter().map(|mut row| (row.remove(0), row.pop().unwrap())).collect()
}

fn random_millis(below: u64) -> Duration {
    Duration::from_millis(RandomState::new().hash_one(0) % below)
}

#[test]
fn what_was_acknowledged_survives_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = HashSet::new();
    for round in 0..setting("OPENWA_CRASH_ROUNDS", 8) {
        let child = Program::saver(&["crash", text(dir.path()), &round.to_string()]);
        // From before the store is open to well into its work.
        std::thread::sleep(random_millis(400));
        acknowledged.extend(child.kill());

        // Opening must repair what the crash left.
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.check().unwrap().problems, Vec::<String>::new(), "round {round}");
        drop(store);
        raw::assert_sound(dir.path());
        let kept = messages(dir.path());
        let torn = kept.iter().find(|(id, body)| !body.replace(id.as_str(), "").is_empty());
        assert_eq!(torn, None, "round {round}: a message is there in part");
        let batches =
            raw::rows(&raw::open(dir.path(), Database::Data), "SELECT 'batch ' || batch_id FROM batch_jobs");
        let batches: HashSet<String> = batches.concat().into_iter().collect();
        let lost = acknowledged.iter().find(|id| !kept.contains_key(*id) && !batches.contains(*id));
        assert_eq!(lost, None, "round {round}: an acknowledged write is gone");
    }
    assert!(!acknowledged.is_empty(), "no round came far enough to prove anything");
}

#[test]
fn two_processes_of_eight_threads_share_one_folder() {
    let dir = tempfile::tempdir().unwrap();
    let seconds = setting("OPENWA_STRESS_SECONDS", 5).to_string();
    let start = |name, other| Program::saver(&["compete", text(dir.path()), name, other, &seconds]);
    let children = [start("one", "two"), start("two", "one")];
    // A child that meets any error fails, and so does `finish`.
    let new: Vec<String> = children.into_iter().flat_map(Program::finish).collect();
    let kept = messages(dir.path());
    let once: HashSet<&String> = new.iter().collect();
    assert_eq!(once.len(), new.len(), "a message was new in both processes");
    assert_eq!(once.len(), kept.len());
    assert!(once.iter().all(|id| kept.contains_key(*id)), "an acknowledged row is not there");
    assert!(kept.keys().any(|id| id.starts_with("both-")));
    assert_eq!(Store::open(dir.path()).unwrap().check().unwrap().problems, Vec::<String>::new());
    raw::assert_sound(dir.path());
}

#[test]
fn a_full_disk_loses_nothing_and_writing_resumes() {
    let dir = tempfile::tempdir().unwrap();
    // A file size limit is a full disk that needs no root. The signal that comes with it is ignored, as a host
    // with other large files would; what is ignored stays so in the program.
    let limited = "trap '' XFSZ; ulimit -S -f 1500; exec \"$0\" fill \"$1\"";
    let child =
        Program::start(Command::new("bash").args(["-c", limited, text(&program("saver")), text(dir.path())]));
    let mut lines = child.read_until(|line| line.starts_with("error"));
    assert_eq!(lines.pop().unwrap(), "error DISK_FULL messages.save");
    assert!(lines.len() > 10, "the limit came too early to prove anything");
    let read = child.read_until(|line| line.starts_with("read")).pop().unwrap();
    assert_eq!(read, format!("read {}", lines.len()), "reads go on, and see what was acknowledged");

    let raised = ["--pid", &child.id().to_string(), "--fsize=unlimited:"];
    assert!(Command::new("prlimit").args(raised).status().unwrap().success());
    lines.extend(child.finish());
    assert_eq!(lines.last().unwrap(), "after-499", "writing resumed");
    let kept = messages(dir.path());
    assert_eq!(lines.len(), kept.len());
    assert!(lines.iter().all(|id| kept.contains_key(id)), "an acknowledged row is not there");
    raw::assert_sound(dir.path());
}

#[test]
#[cfg(unix)]
fn nothing_is_acknowledged_into_a_file_that_is_gone() {
    use openwa_store::{Kind, NewApiKey, NewMessage, NewSession};
    for name in [
        "main.sqlite",
        "main.sqlite-wal",
        "main.sqlite-shm",
        "data.sqlite",
        "data.sqlite-wal",
        "data.sqlite-shm",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let session = NewSession { name: "shop-1".into(), ..Default::default() };
        let id = store.sessions().create(session).wait().unwrap().id;
        let n = std::cell::Cell::new(0u32);
        let write = || {
            n.set(n.get() + 1);
            if name.starts_with("main") {
                let key = NewApiKey { name: format!("bot-{}", n.get()).into(), ..Default::default() };
                store.api_keys().create(key).wait().map(|_| ())
            } else {
                let chat = "12025550143@s.whatsapp.net";
                let message = NewMessage {
                    wa_message_id: Some(format!("3EB0{:016X}", n.get()).into()),
                    chat_id: chat.into(),
                    from_number: chat.into(),
                    r#type: "text".into(),
                    ..Default::default()
                };
                store.messages().save(id, message).wait().map(|_| ())
            }
        };
        write().unwrap();
        let (file, aside) = (dir.path().join(name), dir.path().join("aside"));

        std::fs::rename(&file, &aside).unwrap();
        let error = write().expect_err(name);
        assert_eq!(error.kind(), Kind::FileGone, "{name}: {error}");
        assert!(error.to_string().contains("removed") && error.to_string().contains(name), "{error}");

        std::fs::copy(&aside, &file).unwrap();
        let error = write().expect_err(name);
        assert_eq!(error.kind(), Kind::FileGone, "{name}: {error}");
        assert!(error.to_string().contains("replaced"), "{error}");

        std::fs::rename(&aside, &file).unwrap();
        write().unwrap();
    }
}

/// Runs `work` on a store of its own and ends it, as if the process died, before the statement that begins
/// with `sql` in one of the databases.
fn ends_before<T>(config: &Config, which: Database, sql: &'static str, work: impl FnOnce(&Store) -> T) {
    let armed = Arc::new(AtomicBool::new(false));
    let trace: openwa_store::Trace = {
        let armed = Arc::clone(&armed);
        Arc::new(move |database, text| {
            assert!(
                database != which || !text.starts_with(sql) || !armed.swap(false, Ordering::Relaxed),
                "the end"
            );
        })
    };
    let store = Store::open_with(Config { trace: Some(trace), ..config.clone() }).unwrap();
    armed.store(true, Ordering::Relaxed);
    let _ = catch_unwind(AssertUnwindSafe(|| work(&store)));
    assert!(!armed.load(Ordering::Relaxed), "it never came to {sql} in {}", which.name());
}

const NOTE: &str = "INSERT INTO openwa_maintenance";

fn key(store: &Store, name: &str) {
    store.api_keys().create(NewApiKey { name: name.into(), ..Default::default() }).wait().unwrap();
}

fn keys(store: &Store) -> Vec<String> {
    let keys = store.api_keys().list(&PageRequest::default()).unwrap().items;
    let mut names: Vec<String> = keys.iter().map(|key| key.name.to_string()).collect();
    names.sort();
    names
}

fn left_behind(dir: &Path) -> bool {
    dir.join("main.sqlite.importing").exists()
}

/// A store on each engine with a session and a key of its own.
fn with_own_rows(test: impl Fn(&Path, &Config)) {
    for way in [None, Some(Way::Partitioned), Some(Way::Bouncer)] {
        let (dir, place) = (tempfile::tempdir().unwrap(), way.map(Place::migrated));
        let config = place.as_ref().map_or_else(|| Config::new(dir.path()), |place| place.config(dir.path()));
        let store = Store::open_with(config.clone()).unwrap();
        key(&store, "own");
        store.sessions().create(NewSession { name: "own".into(), ..Default::default() }).wait().unwrap();
        drop(store);
        test(dir.path(), &config);
    }
}

#[test]
fn an_import_that_ends_between_its_two_commits_is_finished_at_opening() {
    let whole = full(Config::in_memory());
    let (exported, imported) = (document(&whole, &EVERYTHING), keys(&whole));
    let mut all = [imported, vec!["own".to_owned()]].concat();
    all.sort();
    with_own_rows(|dir, config| {
        ends_before(config, Database::Data, NOTE, |store| store.import(exported.as_bytes(), &REPLACE, None));
        assert!(left_behind(dir));
        let store = Store::open_with(config.clone()).unwrap();
        assert!(!left_behind(dir));
        assert_eq!(keys(&store), ["own"], "nothing was committed, so nothing is finished");
        assert!(store.sessions().find("own").unwrap().is_some());
        drop(store);

        let merge = ImportOptions { mode: Mode::Merge, ..REPLACE };
        ends_before(config, Database::Main, NOTE, |store| store.import(exported.as_bytes(), &merge, None));
        let store = Store::open_with(config.clone()).unwrap();
        assert!(!left_behind(dir));
        assert_eq!(keys(&store), all);
        assert!(["own", "shop-1"].into_iter().all(|name| store.sessions().find(name).unwrap().is_some()));
        drop(store);

        ends_before(config, Database::Main, NOTE, |store| store.import(exported.as_bytes(), &REPLACE, None));
        let store = Store::open_with(config.clone()).unwrap();
        assert!(!left_behind(dir));
        assert_eq!(tables(&document(&store, &EVERYTHING)), tables(&exported));
    });
}

#[test]
fn what_is_written_after_an_import_is_not_replaced_by_it_again() {
    let exported = document(&full(Config::in_memory()), &EVERYTHING);
    with_own_rows(|dir, config| {
        // All is committed, only the file is still there.
        ends_before(config, Database::Data, "DELETE FROM openwa_maintenance", |store| {
            drop(catch_unwind(AssertUnwindSafe(|| store.import(exported.as_bytes(), &REPLACE, None))));
            assert!(left_behind(dir));
            key(store, "later");
        });
        let store = Store::open_with(config.clone()).unwrap();
        assert!(!left_behind(dir) && keys(&store).contains(&"later".to_owned()), "{:?}", keys(&store));
        assert!(!keys(&store).contains(&"own".to_owned()));
    });
}

#[test]
fn a_takeover_that_ends_between_its_two_commits_is_finished_at_opening() {
    let files = tempfile::tempdir().unwrap();
    let (main, data) = (fixture("main.sqlite"), unpacked("openwa.sqlite.gz", files.path()));
    let expected = Store::in_memory().unwrap();
    openwa::take(&expected, &[&main, &data]).unwrap();
    let mut expected = [vec!["own".to_owned()], keys(&expected)].concat();
    expected.sort();
    with_own_rows(|dir, config| {
        ends_before(config, Database::Main, NOTE, |store| openwa::take(store, &[&main, &data]));
        let store = Store::open_with(config.clone()).unwrap();
        assert!(!left_behind(dir));
        assert_eq!(keys(&store), expected);
        assert!(store.sessions().find("shop-main").unwrap().is_some());
    });
}
