//! Maintenance by several processes: a year of it with daylight saving time, clocks that jump and nights that nobody was
//! there, and processes that are killed at it.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use openwa_store::policy::schedule::Schedule;
use openwa_store::{Config, Job, ManualClock, NewMessage, NewSession, Store, Timestamp};
use openwa_tests::conformance::incoming;
use openwa_tests::postgres::{Place, Way};
use openwa_tests::process::{Program, program, text};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn t(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn keeper(dir: &Path, data: &str, now: Timestamp) -> Program {
    let mut keeper = Program::start(Command::new(program("keeper")).args([text(dir), data]));
    keeper.tell(&now.to_string());
    let _ = keeper.read_until(|line| line == "open");
    keeper
}

/// What each keeper ran at this time: `retention data 2026-…`.
fn look(keepers: &mut [Program], now: Timestamp) -> Vec<Vec<String>> {
    keepers.iter_mut().for_each(|keeper| keeper.tell(&now.to_string()));
    let ran = |keeper: &mut Program| {
        let lines = keeper.read_until(|line| line == "looked");
        let ran = lines.iter().filter_map(|line| line.strip_prefix("ran "));
        ran.map(|line| line.strip_suffix(" 1 done").expect(line).to_owned()).collect()
    };
    keepers.iter_mut().map(ran).collect()
}

/// The times at which the keepers look during a year: every `step`, but not in the second half of May. At every tenth
/// look the clock is set back by five hours.
fn year(step: Duration) -> Vec<Timestamp> {
    let (mut now, end) = (t("2026-01-02T00:10:00Z"), t("2027-01-01T00:00:00Z"));
    let mut looks = Vec::new();
    while now < end {
        if !(t("2026-05-15")..t("2026-06-01")).contains(&now) {
            looks.push(now);
            if looks.len() % 10 == 0 {
                looks.push(now.minus(HOUR * 5));
            }
        }
        now = now.plus(step);
    }
    looks
}

/// The slots that the looks meet: the latest one at each, once.
fn slots(schedule: &str, looks: &[Timestamp]) -> Vec<Timestamp> {
    let schedule = Schedule::parse(schedule, "Europe/Berlin").unwrap();
    let mut slots: Vec<Timestamp> = looks.iter().map(|now| schedule.latest(*now).unwrap()).collect();
    slots.sort();
    slots.dedup();
    slots
}

/// Three keepers, of which the first two have the same Main, live through a year. Each slot of the Data that all share
/// has to be run once, and each of a Main once for each.
fn a_year(dirs: [&Path; 3], data: &str, step: Duration) {
    let looks = year(step);
    let mut keepers: Vec<Program> = dirs.iter().map(|dir| keeper(dir, data, t("2026-01-02"))).collect();
    let mut ran: BTreeMap<String, usize> = BTreeMap::new();
    for (turn, now) in looks.iter().enumerate() {
        for (number, runs) in look(&mut keepers, *now).into_iter().enumerate() {
            for run in runs {
                // The third keeper's Main is its own where its folder is.
                let host = if run.contains(" main ") && dirs[number] != dirs[0] { "other" } else { "first" };
                *ran.entry(format!("{host} {run}")).or_default() += 1;
            }
        }
        // Whoever was killed is replaced.
        if turn % 200 == 199 {
            let number = turn / 200 % 3;
            let _ = keepers.remove(number).kill();
            keepers.insert(number, keeper(dirs[number], data, *now));
        }
    }
    let twice: Vec<_> = ran.iter().filter(|(_, times)| **times != 1).collect();
    assert_eq!(twice, []);
    let mut expected: Vec<String> = Vec::new();
    for (job, schedule, databases) in [
        ("retention", "30 2 * * *", &["data", "main"][..]),
        ("idempotency", "0 */6 * * *", &["data"]),
        ("optimize", "0 4 * * 0", &["data", "main"]),
    ] {
        for database in databases {
            let hosts: &[&str] =
                if *database == "main" && dirs[2] != dirs[0] { &["first", "other"] } else { &["first"] };
            for host in hosts {
                // What deletes has its first run in the slot after the first look.
                let lines = slots(schedule, &looks).into_iter().skip(usize::from(job != "optimize"));
                expected.extend(lines.map(|slot| format!("{host} {job} {database} {slot}")));
            }
        }
    }
    expected.sort();
    let ran: Vec<&String> = ran.keys().filter(|run| !run.contains(" partitions ")).collect();
    assert_eq!(ran, expected.iter().collect::<Vec<_>>());
    assert!(expected.iter().any(|run| run.contains("retention data 2026-03-29T01:00:00")), "in the gap");
    keepers.into_iter().for_each(|keeper| drop(keeper.finish()));
}

#[test]
fn three_processes_live_through_a_year_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data.sqlite");
    a_year([dir.path(); 3], text(&data), HOUR);
}

#[test]
fn three_processes_of_two_hosts_live_through_a_year_on_postgres() {
    let (place, dirs) =
        (Place::migrated(Way::Partitioned), [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]);
    a_year([dirs[0].path(), dirs[0].path(), dirs[1].path()], &place.url(), HOUR * 6);
}

/// A store with messages that are forty days old, so many that it takes a while to delete them.
fn old_messages(config: Config, now: Timestamp, count: usize) -> Store {
    let store = Store::open_with(Config { clock: ManualClock::new(now), ..config }).unwrap();
    let new = NewSession { name: "old".into(), ..NewSession::default() };
    let session = store.sessions().create(new).wait().unwrap().id;
    let then = Some(now.minus(DAY * 40));
    let old = (0..count).map(|i| NewMessage {
        wa_timestamp: then,
        created_at: then,
        ..incoming(&format!("A{i}"), "old")
    });
    store.messages().save_many(session, old.collect()).wait().unwrap();
    store
}

/// A keeper is killed in the middle of retention; the next one takes the same slot over and ends it.
fn killed(dir: &Path, data: &str, config: Config) {
    let now = t("2026-02-01T12:00:00Z");
    let store = old_messages(config, now, 3000);
    let mut first = keeper(dir, data, now);
    first.tell(&now.minus(DAY).to_string());
    let _ = first.read_until(|line| line == "looked");
    first.tell(&now.to_string());
    let _ = first.read_until(|line| line == "step retention");
    let shown = || {
        let jobs = store.maintenance().unwrap();
        jobs.into_iter()
            .find(|j| j.job == Job::Retention && j.database.is_some_and(|d| d.name() == "data"))
            .unwrap()
    };
    let lines = first.kill();
    assert!(
        !lines.iter().any(|line| line.starts_with("ran retention data")),
        "it was done too soon: {lines:?}"
    );
    let mut second = keeper(dir, data, now);
    second.tell(&now.to_string());
    let lines = second.read_until(|line| line == "looked");
    let slot = t("2026-02-01T01:30:00Z");
    assert!(lines.contains(&format!("ran retention data {slot} 2 done")), "{lines:?}");
    let _ = second.finish();
    let job = shown();
    assert_eq!((job.slot, job.attempt, job.running), (Some(slot), 2, false));
    assert!(job.ended_at.is_some());
    let messages = store.status().unwrap().databases.into_iter().flat_map(|d| d.rows);
    assert_eq!(messages.into_iter().find(|(table, _)| *table == "messages").unwrap().1, 0);
}

#[test]
fn a_killed_keepers_slot_is_taken_over_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), text(&dir.path().join("data.sqlite")), Config::new(dir.path()));
}

#[test]
fn a_killed_keepers_slot_is_taken_over_on_postgres() {
    let (place, dir) = (Place::migrated(Way::Partitioned), tempfile::tempdir().unwrap());
    killed(dir.path(), &place.url(), place.config(dir.path()));
}
