//! Maintenance: each slot once, whatever was missed once, and nothing that fails keeps the rest from running.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use openwa_store::entity::Database;
use openwa_store::{
    Config, Job, Kind, MaintenanceJob, MaintenanceOptions, MaintenanceOutcome, MaintenanceRun, NewApiKey,
    NewMessage, NewWebhook, Store,
};

use super::{Case, Context, at, cases, in_threads, incoming, new_session, refused, refused_for};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    what_is_due_runs_once,
    what_deletes_waits_for_its_first_slot_and_tells_how_much,
    what_was_missed_is_made_up_for_once,
    a_clock_set_back_repeats_nothing,
    a_failure_is_shown_and_keeps_nothing_else_from_running,
    one_that_is_asked_for_runs_due_or_not,
    a_job_without_schedule_never_runs,
    what_is_no_schedule_is_refused_by_the_jobs_name,
    a_job_that_was_stopped_goes_on,
    old_idempotency_keys_go_hourly,
    uses_of_keys_are_written,
    a_thread_runs_what_comes_due,
    a_store_is_closed_while_a_job_runs,
    the_last_user_ends_the_thread,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] =
    cases![of_three_stores_one_runs_a_slot, others_see_who_is_at_it, a_reopened_store_knows_its_slots];

const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

fn options() -> MaintenanceOptions {
    MaintenanceOptions::default()
}

/// Runs what is due, all of which must succeed, and answers the jobs and their places.
fn run(store: &Store) -> Vec<(Job, Option<Database>)> {
    let mut runs = store.run_maintenance(&options(), None, None).unwrap();
    runs.retain(|run| run.outcome != MaintenanceOutcome::Scheduled);
    assert!(runs.iter().all(|run| run.outcome == MaintenanceOutcome::Done), "{runs:?}");
    let mut jobs: Vec<_> = runs.iter().map(|run| (run.job, run.database)).collect();
    // Only PostgreSQL has months to be made.
    jobs.retain(|(job, _)| *job != Job::Partitions);
    jobs.sort();
    jobs
}

fn job(store: &Store, job: Job, database: Option<Database>) -> MaintenanceJob {
    let all = store.maintenance().unwrap();
    all.into_iter().find(|j| (j.job, j.database) == (job, database)).unwrap()
}

/// Waits until something has happened in another thread.
#[track_caller]
fn until(mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !happened() {
        assert!(Instant::now() < deadline, "it did not happen");
        std::thread::yield_now();
    }
}

const MAIN: Option<Database> = Some(Database::Main);
const DATA: Option<Database> = Some(Database::Data);
/// What never ran is due, but for what deletes.
const FIRST: [(Job, Option<Database>); 3] =
    [(Job::Usage, None), (Job::Optimize, MAIN), (Job::Optimize, DATA)];
const DAILY: [(Job, Option<Database>); 6] = [
    (Job::Retention, MAIN),
    (Job::Retention, DATA),
    (Job::Idempotency, DATA),
    (Job::Usage, None),
    (Job::Optimize, MAIN),
    (Job::Optimize, DATA),
];

fn what_is_due_runs_once(cx: &Context) {
    let store = cx.store();
    assert_eq!(job(&store, Job::Retention, DATA).slot, None);
    assert_eq!(run(&store), FIRST, "what never ran is due");
    let noted = job(&store, Job::Retention, DATA);
    assert_eq!((noted.slot, noted.attempt, noted.started_at, noted.ended_at), (None, 0, None, None));
    assert_eq!((noted.error, noted.next), (None, Some(at(12 * HOUR as i64))));
    assert_eq!(noted.schedule.as_deref(), Some("0 0 * * *"));
    assert_eq!(run(&store), [(Job::Usage, None)], "what each process does for itself each call does");
    cx.pass(HOUR);
    assert_eq!(run(&store), [(Job::Idempotency, DATA), (Job::Usage, None)]);
    cx.pass(11 * HOUR);
    assert_eq!(
        run(&store),
        [(Job::Retention, MAIN), (Job::Retention, DATA), (Job::Idempotency, DATA), (Job::Usage, None)]
    );
    let (done, then) = (job(&store, Job::Retention, DATA), Some(at(12 * HOUR as i64)));
    assert_eq!((done.slot, done.attempt, done.running), (then, 1, false));
    assert_eq!((done.started_at, done.ended_at, done.succeeded_at), (then, then, then));
    assert_eq!(done.next, Some(at(36 * HOUR as i64)));
    assert!(done.runner.unwrap().ends_with(&format!(":{}", std::process::id())));
}

fn what_deletes_waits_for_its_first_slot_and_tells_how_much(cx: &Context) {
    let store = cx.store();
    old_messages(&store, 30);
    let messages = || {
        let rows = store.status().unwrap().databases.into_iter().flat_map(|d| d.rows);
        rows.into_iter().find(|(table, _)| *table == "messages").unwrap().1
    };
    store.start_maintenance(&options()).unwrap();
    // Behind retention in the same turn of the thread.
    until(|| job(&store, Job::Optimize, MAIN).succeeded_at.is_some());
    store.stop_maintenance().unwrap();
    assert_eq!((messages(), job(&store, Job::Retention, DATA).slot), (30, None));
    let other = Store::open_with(Config { clock: cx.config().clock, ..Config::in_memory() }).unwrap();
    old_messages(&other, 7);
    let data = |runs: Vec<MaintenanceRun>| {
        runs.into_iter().find(|run| (run.job, run.database) == (Job::Retention, DATA)).unwrap()
    };
    let first = data(other.run_maintenance(&options(), None, None).unwrap());
    let noon = Some(at(12 * HOUR as i64));
    assert_eq!((first.outcome, first.slot, first.due), (MaintenanceOutcome::Scheduled, noon, Some(7)));
    assert_eq!(first.deleted, None);

    cx.pass(12 * HOUR);
    let mut told = Vec::new();
    let tell = &mut |at: openwa_store::Progress| {
        told.extend(at.total.filter(|_| at.rows == 0).map(|total| (at.table, total, messages())));
        ControlFlow::Continue(())
    };
    let run = data(store.run_maintenance(&options(), None, Some(tell)).unwrap());
    assert_eq!((run.outcome, run.due, run.deleted), (MaintenanceOutcome::Done, Some(30), Some(30)));
    assert!(told.contains(&("retention", 30, 30)), "told before: {told:?}");
    assert_eq!(messages(), 0);
}

fn what_was_missed_is_made_up_for_once(cx: &Context) {
    let store = cx.store();
    run(&store);
    cx.pass(5 * DAY + 10);
    assert_eq!(run(&store), DAILY);
    assert_eq!(job(&store, Job::Retention, MAIN).slot, Some(at(4 * DAY as i64 + 12 * HOUR as i64)));
    assert_eq!(run(&store), [(Job::Usage, None)]);
}

fn a_clock_set_back_repeats_nothing(cx: &Context) {
    let store = cx.store();
    run(&store);
    for back in [1, 600, 20 * HOUR as i64] {
        cx.clock.set(at(-back));
        assert_eq!(run(&store), [(Job::Usage, None)], "{back}");
    }
    // Ten years ahead, and back again: what ran then does not count.
    cx.clock.set(at(3650 * DAY as i64));
    assert_eq!(store.run_maintenance(&options(), Some(Job::Optimize), None).unwrap().len(), 2);
    cx.clock.set(at(DAY as i64));
    assert!(run(&store).contains(&(Job::Optimize, DATA)));
    assert_eq!(run(&store), [(Job::Usage, None)]);
}

fn a_failure_is_shown_and_keeps_nothing_else_from_running(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    run(&store);
    store.run_maintenance(&options(), Some(Job::Retention), None).unwrap();
    cx.pass(400 * DAY);
    let runs = store.run_maintenance(&options(), None, None).unwrap();
    let failed: Vec<&MaintenanceRun> =
        runs.iter().filter(|r| r.outcome != MaintenanceOutcome::Done).collect();
    assert_eq!(
        failed.iter().map(|r| (r.job, r.database)).collect::<Vec<_>>(),
        [(Job::Retention, DATA), (Job::Retention, MAIN)]
    );
    assert!(failed.iter().all(|r| r.error.as_ref().unwrap().starts_with("CLOCK_JUMP: ")), "{failed:?}");
    let shown = job(&store, Job::Retention, DATA);
    assert_eq!((&shown.error, shown.error_at), (&failed[0].error, Some(at(400 * DAY as i64))));
    assert_eq!(shown.succeeded_at, Some(at(0)));
    assert_eq!(shown.next, Some(at(400 * DAY as i64 + 12 * HOUR as i64)), "it does not help to repeat it");
    assert_eq!(run(&store), [(Job::Usage, None)]);
}

fn one_that_is_asked_for_runs_due_or_not(cx: &Context) {
    let store = cx.store();
    run(&store);
    let runs = store.run_maintenance(&options(), Some(Job::Retention), None).unwrap();
    let done: Vec<_> = runs.iter().map(|r| (r.job, r.attempt, r.outcome)).collect();
    assert_eq!(done, [(Job::Retention, 1, MaintenanceOutcome::Done); 2]);
    cx.pass(DAY);
    store.run_maintenance(&options(), Some(Job::Retention), None).unwrap();
    assert!(!run(&store).contains(&(Job::Retention, DATA)), "it took the place of the slot's own run");
}

fn a_job_without_schedule_never_runs(cx: &Context) {
    let store = cx.store();
    let only = MaintenanceOptions { retention: None, optimize: None, usage: None, ..options() };
    let runs = store.run_maintenance(&only, None, None).unwrap();
    assert!(runs.iter().all(|r| matches!(r.job, Job::Idempotency | Job::Partitions)), "{runs:?}");
    refused_for(store.run_maintenance(&only, Some(Job::Optimize), None), "job");
}

fn what_is_no_schedule_is_refused_by_the_jobs_name(cx: &Context) {
    let store = cx.store();
    for expression in ["nonsense", "0 0 30 2 *", "* * * * * *"] {
        let bad = MaintenanceOptions { optimize: Some(expression.into()), ..options() };
        let e = refused(store.start_maintenance(&bad), Kind::InvalidArgument);
        assert_eq!((e.context("column"), e.context("job")), (Some("schedule"), Some("optimize")));
        refused_for(store.run_maintenance(&bad, None, None), "schedule");
    }
    let bad = MaintenanceOptions { timezone: "Nowhere".into(), ..options() };
    refused_for(store.start_maintenance(&bad), "timezone");
    assert_eq!(store.maintenance().unwrap().iter().filter(|job| job.schedule.is_some()).count(), 0);
}

/// A session with `count` messages that are forty days old.
fn old_messages(store: &Store, count: usize) {
    let session = new_session(store, "old");
    let then = Some(at(-40 * DAY as i64));
    let old = (0..count).map(|i| NewMessage {
        wa_timestamp: then,
        created_at: then,
        ..incoming(&format!("A{i}"), "old")
    });
    store.messages().save_many(session, old.collect()).wait().unwrap();
}

fn a_job_that_was_stopped_goes_on(cx: &Context) {
    let store = cx.store();
    old_messages(&store, 500);
    let stop = &mut |_| ControlFlow::Break(());
    let runs = store.run_maintenance(&options(), Some(Job::Retention), Some(stop)).unwrap();
    let ends: Vec<_> = runs.iter().map(|r| (r.database, r.attempt, r.outcome)).collect();
    assert_eq!(ends, [(DATA, 1, MaintenanceOutcome::Stopped)]);
    let runs = store.run_maintenance(&options(), None, None).unwrap();
    let data = runs.iter().find(|r| (r.job, r.database) == (Job::Retention, DATA)).unwrap();
    assert_eq!((data.attempt, data.outcome), (2, MaintenanceOutcome::Done), "the same slot");
}

fn old_idempotency_keys_go_hourly(cx: &Context) {
    let (store, session) = cx.session();
    let hook = NewWebhook { url: "https://example.com/hook".into(), ..NewWebhook::default() };
    let hook = store.webhooks().create(session, hook).wait().unwrap().id;
    store.webhooks().begin(hook, "key", "message.received").wait().unwrap();
    run(&store);
    cx.pass(25 * HOUR);
    let keys = || {
        let rows = store.status().unwrap().databases.into_iter().flat_map(|d| d.rows);
        rows.into_iter().find(|(table, _)| *table == "webhook_idempotency").unwrap().1
    };
    assert_eq!(keys(), 1);
    store.run_maintenance(&options(), Some(Job::Idempotency), None).unwrap();
    assert_eq!(keys(), 0);
}

fn uses_of_keys_are_written(cx: &Context) {
    let store = cx.store();
    let created =
        store.api_keys().create(NewApiKey { name: "ci".into(), ..NewApiKey::default() }).wait().unwrap();
    for _ in 0..3 {
        assert!(store.api_keys().authorize(&created.key, &Default::default()).unwrap().is_allowed());
    }
    store.run_maintenance(&options(), None, None).unwrap();
    // `find` shows what is written; the other reads write first.
    assert_eq!(store.api_keys().find(&created.key).unwrap().unwrap().usage_count, 3);
}

fn a_thread_runs_what_comes_due(cx: &Context) {
    let store = cx.store();
    store.start_maintenance(&options()).unwrap();
    refused(store.start_maintenance(&options()), Kind::Conflict);
    let ran = |j, database, slot: i64| {
        move |store: &Store| {
            let job = job(store, j, database);
            job.slot == Some(at(slot)) && job.succeeded_at.is_some() && job.ended_at >= job.started_at
        }
    };
    until(|| ran(Job::Optimize, MAIN, -(8 * HOUR as i64) - 900)(&store));
    for day in 1..=20 {
        cx.pass(DAY);
        until(|| ran(Job::Retention, DATA, (day * DAY) as i64 - 12 * HOUR as i64)(&store));
        until(|| ran(Job::Usage, None, (day * DAY) as i64)(&store));
    }
    store.stop_maintenance().unwrap();
    store.stop_maintenance().unwrap();
    let before = job(&store, Job::Retention, DATA).slot;
    cx.pass(DAY);
    assert_eq!(job(&store, Job::Retention, DATA).slot, before);
    store.start_maintenance(&options()).unwrap();
    until(|| job(&store, Job::Retention, DATA).slot > before);
}

fn a_store_is_closed_while_a_job_runs(cx: &Context) {
    let store = cx.store();
    old_messages(&store, 20_000);
    run(&store);
    cx.pass(12 * HOUR);
    store.start_maintenance(&options()).unwrap();
    until(|| job(&store, Job::Retention, DATA).started_at.is_some());
    let start = Instant::now();
    store.close().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    refused(store.start_maintenance(&options()), Kind::Closed);
    refused(store.maintenance(), Kind::Closed);
    refused(store.run_maintenance(&options(), None, None), Kind::Closed);
}

fn the_last_user_ends_the_thread(cx: &Context) {
    let store = cx.store();
    store.start_maintenance(&options()).unwrap();
    let (other, clock) = (store.clone(), std::sync::Arc::downgrade(&cx.clock));
    drop(store);
    until(|| job(&other, Job::Optimize, MAIN).succeeded_at.is_some());
    let holders = clock.strong_count();
    drop(other);
    // The configuration holds the clock; it is gone when everything of the store is.
    assert!(clock.strong_count() < holders, "the store's thread keeps it alive");
}

fn of_three_stores_one_runs_a_slot(cx: &Context) {
    let stores = [cx.store(), cx.store(), cx.store()];
    let mut runs = Vec::new();
    for _ in 0..24 {
        cx.pass(HOUR);
        runs.extend(in_threads(3, |i| stores[i].run_maintenance(&options(), None, None).unwrap()).concat());
    }
    let other = [MaintenanceOutcome::Elsewhere, MaintenanceOutcome::Scheduled];
    runs.retain(|run| run.job != Job::Usage && !other.contains(&run.outcome));
    assert!(runs.iter().all(|run| run.outcome == MaintenanceOutcome::Done && run.attempt == 1), "{runs:?}");
    for (job, database, slots) in [
        (Job::Idempotency, DATA, 23),
        (Job::Retention, DATA, 1),
        (Job::Retention, MAIN, 1),
        (Job::Optimize, DATA, 2),
        (Job::Optimize, MAIN, 2),
    ] {
        let of: Vec<_> = runs.iter().filter(|r| (r.job, r.database) == (job, database)).collect();
        assert_eq!(of.len(), slots, "{job} {database:?}: {of:?}");
    }
}

fn others_see_who_is_at_it(cx: &Context) {
    let (store, other) = (cx.store(), cx.store());
    old_messages(&store, 300);
    let mut seen = None;
    let look = &mut |_| {
        seen.get_or_insert_with(|| {
            let shown = job(&other, Job::Retention, DATA);
            let runs = other.run_maintenance(&options(), Some(Job::Retention), None).unwrap();
            (shown, runs)
        });
        ControlFlow::Continue(())
    };
    store.run_maintenance(&options(), Some(Job::Retention), Some(look)).unwrap();
    let (shown, runs) = seen.unwrap();
    assert!(shown.running && shown.ended_at.is_none(), "{shown:?}");
    let data = runs.iter().find(|run| run.database == DATA).unwrap();
    assert_eq!((data.outcome, data.slot), (MaintenanceOutcome::Elsewhere, None));
    assert!(!job(&other, Job::Retention, DATA).running);
}

fn a_reopened_store_knows_its_slots(cx: &Context) {
    run(&cx.store());
    assert_eq!(run(&cx.store()), [(Job::Usage, None)]);
    let shown = job(&cx.store(), Job::Optimize, MAIN);
    assert_eq!(shown.schedule.as_deref(), Some("45 3 * * *"), "that of who ran it last");
    assert!(shown.next.is_some());
}
