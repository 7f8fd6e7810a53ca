//! Retention: what goes, what stays, and what does not come back.

use std::ops::ControlFlow;
use std::time::Duration;

use openwa_store::entity::PendingKind;
use openwa_store::policy::retention::Windows;
use openwa_store::{
    AuditFilter, BatchResult, Json, Kind, MessageFilter, MovedBy, NewApiKey, NewApiKeyLog, NewBatch,
    NewBatchMessage, NewDelivery, NewMessage, NewSession, NewWebhook, Outcome, PageRequest, RetentionOptions,
    Store, Timestamp,
};
use uuid::Uuid;

use super::{ALICE, Case, Context, at, cases, incoming, new_session, refused};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    messages_go_when_their_window_is_over,
    a_preview_deletes_nothing_and_counts_what_a_run_deletes,
    a_message_that_claims_a_later_time_goes_by_when_it_was_stored,
    an_old_message_that_came_late_stays,
    reactions_go_with_their_message,
    a_session_may_keep_its_messages_longer,
    windows_may_be_off,
    every_log_has_its_window,
    a_finished_job_goes_with_its_messages_an_open_one_stays,
    history_sync_does_not_bring_back_what_went,
    a_store_that_never_cleaned_takes_all_history,
    a_clock_that_jumped_is_refused_unless_forced,
    jumps_of_the_clock_add_up_over_runs,
    a_store_that_was_off_for_months_runs_after_a_yes,
    a_backfill_of_old_messages_waits_for_a_yes,
    a_backfill_of_recent_messages_does_not_wait,
    a_run_can_be_stopped,
    a_run_is_audited,
    the_file_gets_smaller,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![of_two_processes_one_runs];

const DAY: u64 = 86_400;

fn days(n: u64) -> Duration {
    Duration::from_secs(n * DAY)
}

fn options() -> RetentionOptions {
    RetentionOptions::default()
}

/// A message that was stored `days_ago` days before the beginning.
fn old(id: &str, days_ago: i64) -> NewMessage {
    let then = at(-days_ago * DAY as i64);
    NewMessage { wa_timestamp: Some(then), created_at: Some(then), ..incoming(id, "old") }
}

fn save(store: &Store, session: Uuid, message: NewMessage) {
    assert_eq!(store.messages().save(session, message).wait().unwrap().outcome, Outcome::Inserted);
}

fn kept(store: &Store, session: Uuid) -> Vec<String> {
    let all = store.messages().iterate(session, MessageFilter::default());
    let mut ids: Vec<String> = all.map(|m| m.unwrap().wa_message_id.unwrap().to_string()).collect();
    ids.sort();
    ids
}

fn run(store: &Store) -> Vec<(&'static str, u64)> {
    let report = store.run_retention(&options(), None).unwrap();
    report.tables.into_iter().filter(|(_, n)| *n > 0).collect()
}

fn messages_go_when_their_window_is_over(cx: &Context) {
    let (store, session) = cx.session();
    for (id, age) in [("A", 31), ("B", 30), ("C", 29), ("D", 0)] {
        save(&store, session, old(id, age));
    }
    assert_eq!(run(&store), [("messages", 1)], "a row of exactly 30 days stays");
    assert_eq!(kept(&store, session), ["B", "C", "D"]);
    assert_eq!(run(&store), []);
}

fn a_preview_deletes_nothing_and_counts_what_a_run_deletes(cx: &Context) {
    let (store, session) = cx.session();
    (0..250).for_each(|i| save(&store, session, old(&format!("A{i}"), 40)));
    let late = NewMessage { wa_timestamp: Some(at(500)), ..old("LATE", 35) };
    save(&store, session, late);
    let preview = store.retention_preview(&options()).unwrap();
    assert_eq!((preview.rows(), kept(&store, session).len()), (251, 251));
    assert_eq!(store.run_retention(&options(), None).unwrap().rows(), 251);
}

fn a_message_that_claims_a_later_time_goes_by_when_it_was_stored(cx: &Context) {
    let (store, session) = cx.session();
    save(&store, session, NewMessage { wa_timestamp: Some(Timestamp::MAX), ..old("A", 40) });
    assert_eq!(run(&store), [("messages", 1)]);
}

fn an_old_message_that_came_late_stays(cx: &Context) {
    let (store, session) = cx.session();
    save(&store, session, NewMessage { created_at: None, ..old("A", 400) });
    (0..300).for_each(|i| save(&store, session, old(&format!("B{i}"), 40)));
    assert_eq!(run(&store), [("messages", 300)]);
    assert_eq!(kept(&store, session), ["A"]);
}

fn reactions_go_with_their_message(cx: &Context) {
    let (store, session) = cx.session();
    save(&store, session, old("A", 40));
    save(&store, session, old("B", 1));
    for id in ["A", "B"] {
        store.messages().react(session, id, ALICE, "👍", None).wait().unwrap();
    }
    run(&store);
    assert_eq!(store.messages().reactions(session, "A").unwrap(), []);
    assert_eq!(store.messages().reactions(session, "B").unwrap().len(), 1);
}

fn a_session_may_keep_its_messages_longer(cx: &Context) {
    let store = cx.store();
    let with = |name: &str, config: &str| {
        let config = Some(Json::parse(config).unwrap());
        let new = NewSession { name: name.into(), config, ..NewSession::default() };
        let id = store.sessions().create(new).wait().unwrap().id;
        save(&store, id, old("A", 60));
        save(&store, id, old("B", 10));
        id
    };
    let usual = with("usual", "{}");
    let longer = with("longer", r#"{"retention":{"messages":90}}"#);
    let shorter = with("shorter", r#"{"retention":{"messages":5}}"#);
    let forever = with("forever", r#"{"retention":{"messages":null}}"#);
    assert_eq!(run(&store), [("messages", 3)]);
    for (session, left) in [(usual, 1), (longer, 2), (shorter, 0), (forever, 2)] {
        assert_eq!(kept(&store, session).len(), left);
    }
}

fn windows_may_be_off(cx: &Context) {
    let (store, session) = cx.session();
    save(&store, session, old("A", 4000));
    let off = RetentionOptions { windows: Windows { messages: None, ..Windows::default() }, ..options() };
    assert_eq!(store.run_retention(&off, None).unwrap().rows(), 0);
    assert_eq!(kept(&store, session), ["A"]);
}

fn every_log_has_its_window(cx: &Context) {
    let (store, session) = cx.session();
    let hook = NewWebhook { url: "https://example.com/hook".into(), ..NewWebhook::default() };
    let hook = store.webhooks().create(session, hook).wait().unwrap().id;
    store
        .webhooks()
        .log(hook, NewDelivery { event: "message.received".into(), ..NewDelivery::default() })
        .wait()
        .unwrap();
    store.webhooks().begin(hook, "key", "message.received").wait().unwrap();
    store.messages().ack(session, "NOT HERE", 2).wait().unwrap();
    let key = NewApiKey { name: "ci".into(), ..NewApiKey::default() };
    let key = store.api_keys().create(key).wait().unwrap().api_key.id;
    let request = NewApiKeyLog {
        api_key_id: Some(key),
        endpoint: "/".into(),
        method: "GET".into(),
        status_code: 200,
        ..NewApiKeyLog::default()
    };
    store.api_keys().log(request).wait().unwrap();

    cx.pass(DAY - 1);
    assert_eq!(run(&store), []);
    cx.pass(2);
    assert_eq!(run(&store), [("webhook_idempotency", 1)]);
    cx.pass(6 * DAY);
    assert_eq!(run(&store), [("session_logs", 1), ("webhook_logs", 1), ("pending_changes", 1)]);
    assert_eq!(store.messages().waiting(session, PendingKind::Ack).unwrap(), 0);
    cx.pass(23 * DAY);
    assert_eq!(run(&store), [("api_key_logs", 1)]);
    assert!(store.api_keys().get(key).is_ok(), "keys are kept");
}

fn a_finished_job_goes_with_its_messages_an_open_one_stays(cx: &Context) {
    let (store, session) = cx.session();
    let job = |name: &str| {
        let message = NewBatchMessage {
            chat_id: ALICE.into(),
            message_type: "text".into(),
            ..NewBatchMessage::default()
        };
        let new = NewBatch { batch_id: name.into(), messages: vec![message; 3], options: None };
        store.batches().create(session, new).wait().unwrap().id
    };
    let (done, open) = (job("done"), job("open"));
    while let Some(next) = store.batches().claim_next(done).wait().unwrap() {
        store.batches().record(next.id, BatchResult::Sent { wa_message_id: None }).wait().unwrap();
    }
    cx.pass(31 * DAY);
    let deleted = run(&store);
    assert!(deleted.contains(&("batch_jobs", 1)), "{deleted:?}");
    refused(store.batches().get(done), Kind::NotFound);
    assert_eq!(store.batches().messages(done, 0).unwrap(), []);
    assert_eq!(store.batches().messages(open, 0).unwrap().len(), 3);
}

fn history_sync_does_not_bring_back_what_went(cx: &Context) {
    let (store, session) = cx.session();
    save(&store, session, old("A", 40));
    run(&store);
    let answers =
        store.messages().backfill(session, vec![old("A", 40), old("B", 31), old("C", 29)]).wait().unwrap();
    let outcomes: Vec<Outcome> = answers.into_iter().map(|a| a.unwrap().outcome).collect();
    let gone = Outcome::NotStored { new: false };
    assert_eq!(outcomes, [gone, gone, Outcome::Inserted]);
    assert_eq!(kept(&store, session), ["C"]);
}

fn a_store_that_never_cleaned_takes_all_history(cx: &Context) {
    let (store, session) = cx.session();
    let answers = store.messages().backfill(session, vec![old("A", 4000)]).wait().unwrap();
    assert_eq!(answers[0].as_ref().unwrap().outcome, Outcome::Inserted);
}

fn a_clock_that_jumped_is_refused_unless_forced(cx: &Context) {
    let (store, session) = cx.session();
    save(&store, session, incoming("A", "x"));
    run(&store);
    cx.pass(400 * DAY);
    let e = refused(store.run_retention(&options(), None), Kind::ClockJump);
    assert_eq!(e.operation(), Some("retention.run"));
    assert_eq!(kept(&store, session), ["A"]);
    let forced = RetentionOptions { force: true, ..options() };
    assert!(store.run_retention(&forced, None).unwrap().rows() > 0);
    assert!(kept(&store, session).is_empty());
}

fn jumps_of_the_clock_add_up_over_runs(cx: &Context) {
    let (store, session) = cx.session();
    save(&store, session, incoming("A", "x"));
    run(&store);
    // Each jump is one that the guard allows; no time has passed.
    cx.pass(20 * DAY);
    run(&store);
    cx.pass(20 * DAY);
    refused(store.run_retention(&options(), None), Kind::ClockJump);
    refused(store.run_retention(&options(), None), Kind::ClockJump);
    assert_eq!(kept(&store, session), ["A"]);
    assert_eq!(store.accept_retention().unwrap(), []);
    assert_eq!(run(&store).first(), Some(&("messages", 1)));

    // Time that did pass makes up for a jump.
    save(&store, session, incoming("B", "x"));
    cx.pass(20 * DAY);
    run(&store);
    for _ in 0..10 {
        cx.pass(DAY);
        run(&store);
    }
    cx.pass(20 * DAY);
    assert!(run(&store).contains(&("messages", 1)));
}

fn a_store_that_was_off_for_months_runs_after_a_yes(cx: &Context) {
    let (store, session) = cx.session();
    save(&store, session, incoming("A", "x"));
    run(&store);
    cx.pass(92 * DAY);
    let e = refused(store.run_retention(&options(), None), Kind::ClockJump);
    assert!(e.to_string().contains("openwa retention accept"), "{e}");
    store.accept_retention().unwrap();
    assert_eq!(store.retention_status(&options()).unwrap().accepted_at, Some(at(92 * DAY as i64)));
    assert_eq!(run(&store).first(), Some(&("messages", 1)));
}

fn a_backfill_of_old_messages_waits_for_a_yes(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().backfill(session, vec![old("A", 40), old("B", 400), old("C", 1)]).wait().unwrap();
    store.messages().backfill(session, vec![old("D", 50)]).wait().unwrap();
    let hook = NewWebhook { url: "https://example.com/hook".into(), ..NewWebhook::default() };
    let hook = store.webhooks().create(session, hook).wait().unwrap().id;
    store.webhooks().begin(hook, "key", "message.received").wait().unwrap();
    cx.pass(DAY + 1);

    let status = store.retention_status(&options()).unwrap();
    let [moved] = &status.moved[..] else { panic!("{status:?}") };
    assert_eq!((moved.by, moved.at, moved.messages), (MovedBy::Backfill, at(0), 4));
    assert_eq!((moved.oldest, status.oldest), (at(-400 * DAY as i64), Some(at(-400 * DAY as i64))));
    assert!(status.tables.contains(&("webhook_idempotency", 1)), "{status:?}");
    let messages: u64 = status.tables.iter().filter(|(t, _)| *t == "messages").map(|(_, n)| n).sum();
    assert_eq!(messages, 3);
    let problems = store.overview(&Default::default()).unwrap().problems;
    assert!(problems.iter().any(|p| p.starts_with("retention waits: ")), "{problems:?}");

    let preview = store.retention_preview(&options()).unwrap();
    let report = store.run_retention(&options(), None).unwrap();
    assert_eq!((preview.rows(), report.rows()), (1, 1), "the rest does not wait");
    assert_eq!((&preview.waiting, &report.waiting), (&status.waiting, &status.waiting));
    assert!(report.waiting.unwrap().contains("openwa retention accept"));
    // Nothing went, so nothing is kept out.
    store.messages().backfill(session, vec![old("E", 60)]).wait().unwrap();
    assert_eq!(kept(&store, session), ["A", "B", "C", "D", "E"]);
    // A window that all of them are within: nothing to wait for.
    let years = RetentionOptions {
        windows: Windows { messages: Some(days(4000)), ..Windows::default() },
        ..options()
    };
    assert_eq!(store.run_retention(&years, None).unwrap().waiting, None);

    let accepted = store.accept_retention().unwrap();
    assert_eq!(accepted.iter().map(|m| m.messages).collect::<Vec<_>>(), [5]);
    let trail = store.audit().list(&AuditFilter::Action("retention.accept".into()), &PageRequest::default());
    assert_eq!(trail.unwrap().items.len(), 1);
    let report = store.run_retention(&options(), None).unwrap();
    assert_eq!((report.rows(), report.waiting), (4, None));
    assert_eq!(kept(&store, session), ["C"]);
}

fn a_backfill_of_recent_messages_does_not_wait(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().backfill(session, vec![old("A", 29), old("B", 1)]).wait().unwrap();
    cx.pass(2 * DAY);
    let report = store.run_retention(&options(), None).unwrap();
    assert_eq!((report.rows(), report.waiting), (1, None));
    assert_eq!(kept(&store, session), ["B"]);
    // History that is as old as the last run left it, in a session that retention cleans every day.
    let edge = at(-28 * DAY as i64);
    let edge = NewMessage { wa_timestamp: Some(edge), created_at: Some(edge), ..incoming("C", "old") };
    cx.pass(DAY / 2);
    store.messages().backfill(session, vec![edge]).wait().unwrap();
    assert_eq!(store.retention_status(&options()).unwrap().waiting, None);
    assert_eq!(kept(&store, session), ["B", "C"]);
}

fn a_run_can_be_stopped(cx: &Context) {
    let (store, session) = cx.session();
    (0..250).for_each(|i| save(&store, session, old(&format!("A{i}"), 40)));
    let report = store.run_retention(&options(), Some(&mut |_, _| ControlFlow::Break(()))).unwrap();
    assert!(report.stopped && report.rows() < 250, "{report:?}");
    assert_eq!(kept(&store, session).len() as u64, 250 - report.rows());
    run(&store);
    assert!(kept(&store, session).is_empty(), "the next run does the rest");
}

fn a_run_is_audited(cx: &Context) {
    let (store, session) = cx.session();
    save(&store, session, old("A", 40));
    run(&store);
    let trail =
        store.audit().list(&AuditFilter::Action("retention.run".into()), &PageRequest::default()).unwrap();
    assert_eq!(trail.items.len(), 1);
    let metadata = trail.items[0].metadata.as_ref().unwrap().value().unwrap();
    assert_eq!(metadata["rows"]["messages"], 1);
}

fn the_file_gets_smaller(cx: &Context) {
    let (store, session) = cx.session();
    // Nothing that can be compressed.
    let body: String = (0..1250u32).map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761))).collect();
    // A whole month's worth: PostgreSQL gives back the space of tables that go, and keeps that of rows for new ones.
    let many = (0..300)
        .map(|i| NewMessage { body: Some(body.as_str().into()), ..old(&format!("A{i}"), 70) })
        .collect();
    store.messages().save_many(session, many).wait().unwrap();
    let report = store.run_retention(&options(), None).unwrap();
    assert_eq!(report.rows(), 300);
    assert!(report.bytes_freed > 2_000_000 || cx.keeps_space(), "{report:?}");
}

fn of_two_processes_one_runs(cx: &Context) {
    let store = cx.store();
    let other = cx.store();
    let session = new_session(&store, "shop-1");
    (0..250).for_each(|i| save(&store, session, old(&format!("A{i}"), 40)));
    let mut seen = None;
    let report = store
        .run_retention(
            &options(),
            Some(&mut |_, _| {
                seen.get_or_insert_with(|| other.run_retention(&options(), None).unwrap());
                ControlFlow::Continue(())
            }),
        )
        .unwrap();
    assert_eq!(report.rows(), 250);
    let seen = seen.unwrap();
    assert!(seen.already_running && seen.rows() == 0, "{seen:?}");
}
