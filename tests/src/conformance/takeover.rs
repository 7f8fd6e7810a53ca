//! Another gateway's data moves in.

use openwa_store::{
    Job, Kind, MaintenanceOptions, MaintenanceOutcome, MaintenanceRun, MovedBy, PageRequest,
    RetentionOptions, Store, TakeoverOptions, TakeoverReport,
};

use super::{Case, Context, cases};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    what_has_no_column_is_kept_and_goes_with_its_session,
    what_is_there_stays_as_it_is,
    one_bad_row_and_nothing_is_written,
    what_was_kept_of_a_message_goes_with_it,
    old_history_that_moved_in_waits_for_a_yes,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![];

const EXPORT: &str = r#"{"exportedAt":"2026-07-03T07:30:00.000Z","dataDbType":"sqlite","tables":{
 "sessions":[{"id":"a20fcbd4-af0c-4ed7-a618-30593e0ec863","name":"shop-1","status":"ready","phone":"12025550100",
   "config":"{}","proxyUrl":"http://proxy.example.com:8080","createdAt":"2026-05-04 07:30:00","updatedAt":"2026-05-04 07:30:00"}],
 "messages":[{"id":"6997dc1e-d5cd-4b86-b40f-e80456dbbb3e","sessionId":"a20fcbd4-af0c-4ed7-a618-30593e0ec863",
   "waMessageId":"3EB01","chatId":"120363400000000000@g.us","from":"120363400000000000@g.us","to":"12025550100@c.us",
   "body":"hi","type":"text","direction":"incoming","timestamp":"1767600000","metadata":null,"status":"sent",
   "createdAt":"2026-01-05T08:00:00.000Z","author":"12025550143@c.us"}],
 "chatLabels":[{"id":"l-1","label":"\ud83d\u0000"}]},
 "counts":{"sessions":1,"messages":1,"chatLabels":1}}"#;

fn take(store: &Store, export: &str) -> openwa_store::Result<TakeoverReport> {
    take_with(store, export, &TakeoverOptions::default())
}

fn take_with(store: &Store, export: &str, options: &TakeoverOptions) -> openwa_store::Result<TakeoverReport> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("export.json");
    std::fs::write(&path, export).unwrap();
    store.takeover(&[path.to_str().unwrap().to_owned()], options, None)
}

/// Rows of `openwa_extra`.
fn extra(store: &Store) -> u64 {
    let status = store.status().unwrap();
    let rows = status.databases.iter().flat_map(|d| &d.rows);
    rows.filter(|(table, _)| *table == "openwa_extra").map(|(_, rows)| *rows).sum()
}

fn what_has_no_column_is_kept_and_goes_with_its_session(cx: &Context) {
    let store = cx.store();
    take(&store, EXPORT).unwrap();
    let session = store.sessions().find("shop-1").unwrap().unwrap();
    let message = store.messages().find(session.id, "3EB01").unwrap().unwrap();
    assert_eq!((message.body.unwrap(), message.wa_timestamp.millis()), ("hi".into(), 1_767_600_000_000));
    let chats = store.messages().chats(session.id, &PageRequest::default()).unwrap().items;
    assert_eq!(chats[0].chat_id, "120363400000000000@g.us");
    assert_eq!(extra(&store), 3);
    assert!(store.sessions().delete(session.id).wait().unwrap());
    assert_eq!(extra(&store), 1, "what belongs to no session stays");
}

fn what_is_there_stays_as_it_is(cx: &Context) {
    let store = cx.store();
    take(&store, EXPORT).unwrap();
    let changed = EXPORT.replace("\"hi\"", "\"changed\"");
    let again = take(&store, &changed).unwrap();
    assert!(again.written.iter().all(|w| w.inserted == 0), "{:?}", again.written);
    let session = store.sessions().find("shop-1").unwrap().unwrap();
    let message = store.messages().find(session.id, "3EB01").unwrap().unwrap();
    assert_eq!(message.body.unwrap(), "hi");
}

fn one_bad_row_and_nothing_is_written(cx: &Context) {
    let store = cx.store();
    let e = take(&store, &EXPORT.replace("\"incoming\"", "\"sideways\"")).unwrap_err();
    assert_eq!(
        (e.kind(), e.context("table"), e.context("row"), e.context("column")),
        (
            Kind::InvalidData,
            Some("messages"),
            Some("6997dc1e-d5cd-4b86-b40f-e80456dbbb3e"),
            Some("direction"),
        )
    );
    assert!(store.sessions().find("shop-1").unwrap().is_none());
    assert_eq!(extra(&store), 0);
}

fn what_was_kept_of_a_message_goes_with_it(cx: &Context) {
    let store = cx.store();
    let january = "2024-01-05T08:00:00.000Z";
    take(&store, &EXPORT.replace("2026-01-05T08:00:00.000Z", january).replace("1767600000", "1704441600"))
        .unwrap();
    assert_eq!(extra(&store), 3);
    store.accept_retention().unwrap();
    store.run_retention(&RetentionOptions { force: true, ..RetentionOptions::default() }, None).unwrap();
    let session = store.sessions().find("shop-1").unwrap().unwrap();
    assert!(store.messages().find(session.id, "3EB01").unwrap().is_none());
    assert_eq!(extra(&store), 2, "that of the session and that of no session stay");
}

fn messages(store: &Store) -> u64 {
    let status = store.status().unwrap();
    let rows = status.databases.iter().flat_map(|d| &d.rows);
    rows.filter(|(table, _)| *table == "messages").map(|(_, rows)| *rows).sum()
}

/// Retention of Data as maintenance runs it, due at the next midnight.
fn at_the_slot(cx: &Context, store: &Store) -> MaintenanceRun {
    cx.pass(24 * 60 * 60);
    let runs = store.run_maintenance(&MaintenanceOptions::default(), None, None).unwrap();
    let data = Some(openwa_store::entity::Database::Data);
    runs.into_iter().find(|run| (run.job, run.database) == (Job::Retention, data)).unwrap()
}

fn old_history_that_moved_in_waits_for_a_yes(cx: &Context) {
    let store = cx.store();
    let export = &EXPORT.replace("2026-01-05T08", "2024-01-05T08");
    let planned = take_with(&store, export, &TakeoverOptions { plan: true, ..TakeoverOptions::default() });
    let note = |report: TakeoverReport| {
        report.notes.into_iter().find(|note| note.contains("openwa retention accept")).unwrap()
    };
    assert_eq!(note(planned.unwrap()), note(take(&store, export).unwrap()));
    assert_eq!(messages(&store), 1);

    assert_eq!(at_the_slot(cx, &store).outcome, MaintenanceOutcome::Scheduled);
    let run = at_the_slot(cx, &store);
    assert_eq!((run.outcome, run.due, run.deleted), (MaintenanceOutcome::Done, Some(0), Some(0)));
    assert!(run.waiting.unwrap().contains("takeover of "));
    let shown = store.maintenance().unwrap();
    assert_eq!(shown.iter().filter(|job| job.waiting.is_some()).count(), 1);
    assert_eq!(messages(&store), 1);
    // A second takeover of the same adds nothing to wait for.
    take(&store, export).unwrap();
    let moved = store.accept_retention().unwrap();
    assert_eq!(moved.iter().map(|m| (m.by, m.messages)).collect::<Vec<_>>(), [(MovedBy::Takeover, 1)]);
    take(&store, export).unwrap();
    assert_eq!(messages(&store), 1, "it goes at its slot");
    let run = at_the_slot(cx, &store);
    assert_eq!((run.due, run.deleted, run.waiting), (Some(1), Some(1), None));
    assert_eq!(messages(&store), 0);
}
