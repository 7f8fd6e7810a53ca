//! Many processes on one PostgreSQL database.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::HashSet;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openwa_store::Store;
use openwa_tests::conformance::new_session;
use openwa_tests::postgres::{Place, Way, disagreements};
use openwa_tests::process::{Program, program, setting};

const PROCESSES: usize = 8;

fn eight_processes_save_the_same(way: Way) {
    let count = setting("OPENWA_SAME_MESSAGES", 1500) as usize;
    let (place, dir) = (Place::empty(way), tempfile::tempdir().unwrap());
    let store = Store::open_with(place.config(dir.path())).unwrap();
    let session = new_session(&store, "shared");
    store.close().unwrap();

    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_millis(1500);
    let run = |number: usize| {
        let folder = dir.path().join(number.to_string());
        let mut worker = Command::new(program("worker"));
        let numbers = [number.to_string(), count.to_string(), start.as_millis().to_string()];
        Program::start(worker.arg(folder).args(numbers).envs(place.environment()))
    };
    let workers: Vec<Program> = (0..PROCESSES).map(run).collect();
    // A worker that meets any error fails, and so does `finish`.
    let new: Vec<Vec<String>> = workers.into_iter().map(Program::finish).collect();
    assert!(new.iter().filter(|of_one| !of_one.is_empty()).count() > 1, "they did not work at the same time");
    let told = new.concat();
    let once: HashSet<&String> = told.iter().collect();
    assert_eq!((told.len(), once.len()), (count, count), "each message is new exactly once");

    let sql = place.sql();
    assert_eq!(sql.number("SELECT count(*) FROM messages"), count as i64);
    let ids = sql.column(&format!("SELECT wa_message_id FROM messages WHERE session_id = '{session}'"));
    assert_eq!(ids.iter().collect::<HashSet<_>>(), once);
    assert_eq!(disagreements(&sql), Vec::<Vec<String>>::new());
    if way != Way::Plain {
        let months = sql.column("SELECT DISTINCT tableoid::regclass::text FROM messages ORDER BY 1");
        for month in ["messages_y2024m12", "messages_y2025m01", "messages_y2025m02"] {
            assert!(months.iter().any(|name| name == month), "{month} is not among {months:?}");
        }
        assert!(!months.iter().any(|name| name == "messages_default"), "{months:?}");
    }
}

#[test]
fn eight_processes_save_the_same_messages_into_partitions() {
    eight_processes_save_the_same(Way::Partitioned);
}

#[test]
fn eight_processes_save_the_same_messages_into_one_table() {
    eight_processes_save_the_same(Way::Plain);
}

#[test]
fn eight_processes_save_the_same_messages_behind_pgbouncer() {
    eight_processes_save_the_same(Way::Bouncer);
}
