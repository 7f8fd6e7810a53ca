//! Space comes back, in small steps or all at once, and nothing is lost by it.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use openwa_store::entity::Database;
use openwa_store::{NewMessage, Store, Uuid, VacuumOptions, VacuumReport};
use openwa_tests::conformance::{incoming, new_session};
use openwa_tests::postgres::{Place, Way};
use openwa_tests::process::{Program, program, setting, text};
use openwa_tests::raw;

const STEPS: VacuumOptions = VacuumOptions { full: false };
const FULL: VacuumOptions = VacuumOptions { full: true };

fn message(i: usize) -> NewMessage {
    NewMessage { body: Some(format!("{i} ").repeat(100).into()), ..incoming(&format!("M{i}"), "") }
}

fn fill(store: &Store, rows: usize) -> Uuid {
    let session = new_session(store, "shared");
    store.messages().save_many(session, (0..rows).map(message).collect()).wait().unwrap();
    session
}

/// A store whose file is half empty.
fn half_empty(dir: &Path, rows: usize) -> (Store, Uuid) {
    let store = Store::open(dir).unwrap();
    let session = fill(&store, rows);
    let conn = raw::open(dir, Database::Data);
    conn.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    conn.execute("DELETE FROM messages WHERE rowid % 10 < 5", []).unwrap();
    conn.execute("DELETE FROM messages WHERE rowid < ?1", [i64::try_from(rows / 2).unwrap()]).unwrap();
    (store, session)
}

fn free_pages(dir: &Path) -> u64 {
    raw::rows(&raw::open(dir, Database::Data), "PRAGMA freelist_count")[0][0].parse().unwrap()
}

fn bodies(dir: &Path) -> HashMap<String, String> {
    let rows = raw::rows(&raw::open(dir, Database::Data), "SELECT wa_message_id, body FROM messages");
    rows.into_iter().map(|mut row| (row.remove(0), row.remove(0))).collect()
}

#[track_caller]
fn data(report: &VacuumReport) -> (u64, u64) {
    let part = report.parts.iter().find(|p| p.database == "data").unwrap();
    (part.bytes_before, part.bytes_after)
}

#[test]
fn free_pages_go_back_and_rows_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = half_empty(dir.path(), 4000);
    let (free, kept) = (free_pages(dir.path()), bodies(dir.path()));
    assert!(free > 100);
    let mut told = Vec::new();
    let report = store
        .vacuum(
            &STEPS,
            Some(&mut |at| {
                told.push((at.table, at.rows, at.total));
                ControlFlow::Continue(())
            }),
        )
        .unwrap();
    assert_eq!(free_pages(dir.path()), 0);
    let (before, after) = data(&report);
    assert!(before - after >= free * 4096 && report.bytes_freed() >= before - after);
    assert_eq!(told.last(), Some(&("data", free, Some(free))));
    // Pages that are half empty are joined only by writing everything anew.
    let (before, full) = data(&store.vacuum(&FULL, None).unwrap());
    assert_eq!(before, after);
    assert!(full < after * 9 / 10, "{full} of {after}");
    assert_eq!(bodies(dir.path()), kept);
    store.close().unwrap();
    assert_eq!(std::fs::metadata(dir.path().join("data.sqlite")).unwrap().len(), full);
    raw::assert_sound(dir.path());
    assert_eq!(raw::rows(&raw::open(dir.path(), Database::Data), "PRAGMA auto_vacuum"), [["2"]]);
}

#[test]
fn a_stopped_vacuum_keeps_what_it_gave_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = half_empty(dir.path(), 4000);
    let free = free_pages(dir.path());
    let report = store.vacuum(&STEPS, Some(&mut |_| ControlFlow::Break(()))).unwrap();
    assert!(report.stopped);
    let left = free_pages(dir.path());
    assert!(left > 0 && left < free);
    assert!(!store.vacuum(&STEPS, None).unwrap().stopped);
    assert_eq!(free_pages(dir.path()), 0);
}

#[test]
fn a_rebuild_can_be_stopped_and_leaves_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (store, session) = half_empty(dir.path(), 20_000);
    let kept = bodies(dir.path());
    let report = store.vacuum(&FULL, Some(&mut |_| ControlFlow::Break(()))).unwrap();
    let (before, after) = data(&report);
    // A machine that does it in less than a tenth of a second is not asked.
    assert!(report.stopped && before == after || before > after, "{report:?}");
    store.messages().save(session, message(1)).wait().unwrap();
    assert!(bodies(dir.path()).len() >= kept.len());
    raw::assert_sound(dir.path());
}

#[test]
fn two_at_once_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = half_empty(dir.path(), 4000);
    let other = Store::open(dir.path()).unwrap();
    let mut met = None;
    store
        .vacuum(
            &STEPS,
            Some(&mut |_| {
                met.get_or_insert_with(|| other.vacuum(&STEPS, None).unwrap().already_running);
                ControlFlow::Continue(())
            }),
        )
        .unwrap();
    assert_eq!(met, Some(true));
    assert!(!other.vacuum(&STEPS, None).unwrap().already_running);
}

#[test]
fn writers_go_on_while_pages_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, session) = half_empty(dir.path(), 20_000);
    let (done, saved) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let n = saved.fetch_add(1, Ordering::AcqRel);
                store.messages().save(session, message(1_000_000 + n)).wait().unwrap();
            }
        });
        let mut steps = Vec::new();
        let report = store.vacuum(
            &STEPS,
            Some(&mut |_| {
                // Between two steps there is time for a save.
                std::thread::sleep(std::time::Duration::from_millis(20));
                steps.push(saved.load(Ordering::Acquire));
                ControlFlow::Continue(())
            }),
        );
        done.store(true, Ordering::Release);
        assert!(report.unwrap().bytes_freed() > 0);
        assert!(steps.len() > 1 && steps.last() > steps.first(), "{steps:?}");
    });
    assert_eq!(store.check().unwrap().findings, []);
}

#[test]
fn tables_of_a_server_are_gone_through_one_by_one() {
    for way in Way::ALL {
        let (dir, place) = (tempfile::tempdir().unwrap(), Place::migrated(way));
        let store = Store::open_with(place.config(dir.path())).unwrap();
        fill(&store, 4000);
        let (sql, month) = (place.sql(), if way == Way::Plain { "messages" } else { "messages_y2025m01" });
        sql.run("CREATE TABLE somebody_elses (x int)");
        sql.run("DELETE FROM messages");
        let mut told = Vec::new();
        let report = store
            .vacuum(
                &STEPS,
                Some(&mut |at| {
                    told.push(at.total);
                    ControlFlow::Continue(())
                }),
            )
            .unwrap();
        assert!(
            told.len() > 15 && told.iter().all(|total| total.is_some_and(|n| n >= told.len() as u64)),
            "{told:?}"
        );
        let names: Vec<_> = report.parts.iter().filter_map(|p| p.table.as_deref()).collect();
        assert!(names.contains(&month) && names.contains(&"message_ids"), "{names:?}");
        assert_eq!(sql.value("SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'message_ids' AND last_vacuum IS NOT NULL"), "1");
        let full = store.vacuum(&FULL, None).unwrap();
        assert_eq!(full.parts.len(), report.parts.len());
        assert!(report.bytes_freed() + full.bytes_freed() > 1 << 20, "{report:?} {full:?}");
        let stopped = store.vacuum(
            &STEPS,
            Some(&mut |at| {
                if at.rows == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }),
        );
        assert!(stopped.unwrap().stopped);
    }
}

#[test]
fn a_vacuum_that_is_killed_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    half_empty(dir.path(), 6_000).0.close().unwrap();
    let before = bodies(dir.path());
    let (mut acknowledged, mut interrupted) = (Vec::new(), 0);
    for round in 0..setting("OPENWA_VACUUM_KILLS", 6) {
        let how = if round % 2 == 0 { "steps" } else { "full" };
        let child = Program::saver(&["vacuum", text(dir.path()), how, &round.to_string()]);
        let _ = child.read_until(|line| line == "begun");
        std::thread::sleep(std::time::Duration::from_millis(round * 37 % 150));
        let lines = child.kill();
        interrupted += u64::from(!lines.iter().any(|line| line == "done"));
        acknowledged.extend(lines.into_iter().filter(|line| line.starts_with("round-")));

        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.check().unwrap().findings, [], "round {round}");
        store.close().unwrap();
        let kept = bodies(dir.path());
        assert!(
            before.iter().all(|(id, body)| kept.get(id) == Some(body)),
            "round {round}: a row is gone or changed"
        );
        let lost = acknowledged.iter().find(|id| !kept.contains_key(*id));
        assert_eq!(lost, None, "round {round}: an acknowledged write is gone");
        // There is something to give back again.
        raw::open(dir.path(), Database::Data)
            .execute("DELETE FROM messages WHERE wa_message_id LIKE 'filler-%'", [])
            .unwrap();
    }
    assert!(interrupted > 0, "no round was killed in the middle");
    let store = Store::open(dir.path()).unwrap();
    store.vacuum(&FULL, None).unwrap();
    assert_eq!(free_pages(dir.path()), 0);
}

#[test]
fn a_full_disk_stops_a_rebuild_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    half_empty(dir.path(), 6_000).0.close().unwrap();
    let before = bodies(dir.path());
    let size = std::fs::metadata(dir.path().join("data.sqlite")).unwrap().len();
    // A file size limit below what the copy takes.
    let limited = format!("trap '' XFSZ; ulimit -S -f {}; exec \"$0\" vacuum \"$1\" full 0", size / 1024 / 6);
    let child = Program::start(Command::new("bash").args([
        "-c",
        &limited,
        text(&program("saver")),
        text(dir.path()),
    ]));
    let lines = child.read_until(|line| line.starts_with("error") || line == "done");
    assert_eq!(lines.last().unwrap(), "error DISK_FULL vacuum");
    drop(child.kill());
    let kept = bodies(dir.path());
    assert!(before.iter().all(|(id, body)| kept.get(id) == Some(body)));
    raw::assert_sound(dir.path());
}
