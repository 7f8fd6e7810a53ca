//! Bulk jobs: handed out in order and once, counters that always equal a recount.

use openwa_store::entity::{BatchJob, BatchMessageStatus, BatchStatus};
use openwa_store::policy::batch::Counts;
use openwa_store::{BatchResult, Json, Kind, NewBatch, NewBatchMessage, Store};
use uuid::Uuid;

use super::{ALICE, Case, Context, all_pages, at, cases, in_threads, new_session, refused, refused_for};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    a_job_is_created_with_its_messages,
    a_batch_id_is_unique_within_its_session,
    a_job_is_created_whole_or_not_at_all,
    jobs_are_listed_newest_first,
    messages_are_handed_out_in_order,
    messages_are_handed_out_once_across_threads,
    a_result_moves_the_counters,
    the_last_result_completes_the_job,
    a_result_is_recorded_once,
    cancel_withdraws_what_is_pending,
    a_fatal_error_ends_the_job,
    terminal_states_are_final,
    what_is_being_sent_when_the_job_ends_still_gets_its_result,
    counters_equal_a_recount_whatever_happens,
    what_does_not_exist_is_not_found,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] =
    cases![after_a_restart_what_was_being_sent_is_unknown, two_stores_hand_out_every_message_once];

fn message(i: usize) -> NewBatchMessage {
    NewBatchMessage {
        chat_id: ALICE.into(),
        message_type: "text".into(),
        content: Json::parse(format!("{{\"text\":\"{i}\"}}")).unwrap(),
        variables: None,
    }
}

fn batch(id: &str, n: usize) -> NewBatch {
    NewBatch { batch_id: id.into(), messages: (0..n).map(message).collect(), options: None }
}

fn job(store: &Store, session: Uuid, n: usize) -> Uuid {
    store.batches().create(session, batch("b", n)).wait().unwrap().id
}

fn claim(store: &Store, job: Uuid) -> Option<(i64, Uuid)> {
    store.batches().claim_next(job).wait().unwrap().map(|m| (m.position, m.id))
}

fn sent() -> BatchResult {
    BatchResult::Sent { wa_message_id: Some("3EB0".into()) }
}

fn failed() -> BatchResult {
    BatchResult::Failed { error_code: Some("E1".into()), error_message: Some("no such number".into()) }
}

fn counts(job: &BatchJob) -> (i64, i64, i64, i64) {
    (job.total_messages, job.sent_count, job.failed_count, job.cancelled_count)
}

/// Reads the job and proves that its counters say what its messages say.
#[track_caller]
fn recounted(store: &Store, job: Uuid) -> BatchJob {
    let row = store.batches().get(job).unwrap();
    let messages = store.batches().messages(job, 0).unwrap();
    let recount = Counts::recount(messages.iter().map(|m| m.status));
    assert_eq!(counts(&row), (recount.total, recount.sent, recount.failed, recount.cancelled));
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    row
}

fn a_job_is_created_with_its_messages(cx: &Context) {
    let (store, session) = cx.session();
    let options = Some(Json::parse(r#"{"delayMs":500,"mine":1}"#).unwrap());
    let row = store.batches().create(session, NewBatch { options: options.clone(), ..batch("b", 3) });
    let row = row.wait().unwrap();
    assert_eq!((row.status, counts(&row)), (BatchStatus::Pending, (3, 0, 0, 0)));
    assert_eq!((Some(row.options.clone()), row.started_at, row.completed_at), (options, None, None));
    assert_eq!(store.batches().get(row.id).unwrap(), row);
    assert_eq!(store.batches().find(session, "b").unwrap(), Some(row.clone()));
    assert_eq!(store.batches().find(session, "c").unwrap(), None);
    let messages = store.batches().messages(row.id, 0).unwrap();
    assert_eq!(messages.iter().map(|m| m.position).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(messages.iter().all(|m| m.status == BatchMessageStatus::Pending));
    assert_eq!(store.batches().messages(row.id, 2).unwrap().len(), 1);
}

fn a_batch_id_is_unique_within_its_session(cx: &Context) {
    let (store, one) = cx.session();
    let two = new_session(&store, "shop-2");
    job(&store, one, 1);
    refused(store.batches().create(one, batch("b", 1)).wait(), Kind::AlreadyExists);
    job(&store, two, 1);
}

fn a_job_is_created_whole_or_not_at_all(cx: &Context) {
    let (store, session) = cx.session();
    let mut half_bad = batch("b", 3);
    half_bad.messages[1].chat_id = "x".repeat(256).into();
    let e = refused(store.batches().create(session, half_bad).wait(), Kind::InvalidArgument);
    assert_eq!((e.context("column"), e.context("row")), (Some("chat_id"), Some("1")));
    assert_eq!(store.batches().find(session, "b").unwrap(), None);
    refused_for(store.batches().create(session, batch("", 1)).wait(), "batch_id");
    refused_for(store.batches().create(session, batch(&"x".repeat(101), 1)).wait(), "batch_id");
    refused_for(store.batches().create(session, batch("b", 0)).wait(), "messages");
    let options = Some(Json::parse(r#"{"delayMs":-1}"#).unwrap());
    refused_for(store.batches().create(session, NewBatch { options, ..batch("b", 1) }).wait(), "options");
    refused(store.batches().create(Uuid::from_u128(7), batch("b", 1)).wait(), Kind::NotFound);
    job(&store, session, 1);
}

fn jobs_are_listed_newest_first(cx: &Context) {
    let (store, session) = cx.session();
    for i in 0..5 {
        cx.pass(i / 2);
        store.batches().create(session, batch(&format!("b{i}"), 1)).wait().unwrap();
    }
    for limit in [2, 100] {
        let rows = all_pages(limit, |request| store.batches().list(session, request));
        let ids: Vec<_> = rows.iter().map(|j| j.batch_id.to_string()).collect();
        assert_eq!(ids, ["b4", "b3", "b2", "b1", "b0"]);
    }
}

fn messages_are_handed_out_in_order(cx: &Context) {
    let (store, session) = cx.session();
    let id = job(&store, session, 3);
    cx.pass(4);
    for position in 0..3 {
        assert_eq!(claim(&store, id).unwrap().0, position);
    }
    assert_eq!(claim(&store, id), None);
    let row = recounted(&store, id);
    assert_eq!((row.status, row.started_at), (BatchStatus::Processing, Some(at(4))));
    assert_eq!(store.batches().unknown(id).unwrap().len(), 3);
}

fn messages_are_handed_out_once_across_threads(cx: &Context) {
    let (store, session) = cx.session();
    let id = job(&store, session, 100);
    let claimed = in_threads(8, |_| {
        let mut mine = Vec::new();
        while let Some((position, message)) = claim(&store, id) {
            store.batches().record(message, sent()).wait().unwrap();
            mine.push(position);
        }
        assert!(mine.is_sorted());
        mine
    });
    let mut all = claimed.concat();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
    assert_eq!(recounted(&store, id).status, BatchStatus::Completed);
}

fn a_result_moves_the_counters(cx: &Context) {
    let (store, session) = cx.session();
    let id = job(&store, session, 3);
    let (_, first) = claim(&store, id).unwrap();
    cx.pass(9);
    let row = store.batches().record(first, sent()).wait().unwrap();
    assert_eq!((counts(&row), row.updated_at), ((3, 1, 0, 0), at(9)));
    let (_, second) = claim(&store, id).unwrap();
    assert_eq!(counts(&store.batches().record(second, failed()).wait().unwrap()), (3, 1, 1, 0));
    let messages = store.batches().messages(id, 0).unwrap();
    assert_eq!((messages[0].status, messages[0].sent_at), (BatchMessageStatus::Sent, Some(at(9))));
    assert_eq!(messages[0].wa_message_id.as_ref().unwrap(), &"3EB0");
    assert_eq!((messages[1].status, messages[1].sent_at), (BatchMessageStatus::Failed, None));
    assert_eq!(messages[1].error_code.as_ref().unwrap(), &"E1");
    assert_eq!(messages[1].error_message.as_ref().unwrap(), &"no such number");
    recounted(&store, id);
}

fn the_last_result_completes_the_job(cx: &Context) {
    let (store, session) = cx.session();
    let id = job(&store, session, 2);
    let claimed = [claim(&store, id).unwrap().1, claim(&store, id).unwrap().1];
    store.batches().record(claimed[1], sent()).wait().unwrap();
    assert_eq!(recounted(&store, id).completed_at, None);
    cx.pass(3);
    let row = store.batches().record(claimed[0], failed()).wait().unwrap();
    assert_eq!((row.status, row.completed_at), (BatchStatus::Completed, Some(at(3))));
    assert_eq!(claim(&store, id), None);
}

fn a_result_is_recorded_once(cx: &Context) {
    let (store, session) = cx.session();
    let id = job(&store, session, 2);
    let pending = store.batches().messages(id, 1).unwrap()[0].id;
    let e = refused(store.batches().record(pending, sent()).wait(), Kind::Conflict);
    assert_eq!(e.context("status"), Some("pending"));
    let (_, first) = claim(&store, id).unwrap();
    store.batches().record(first, sent()).wait().unwrap();
    refused(store.batches().record(first, failed()).wait(), Kind::Conflict);
    assert_eq!(counts(&recounted(&store, id)), (2, 1, 0, 0));
}

fn cancel_withdraws_what_is_pending(cx: &Context) {
    let (store, session) = cx.session();
    let id = job(&store, session, 5);
    let (_, first) = claim(&store, id).unwrap();
    store.batches().record(first, sent()).wait().unwrap();
    let row = store.batches().cancel(id).wait().unwrap();
    assert_eq!((row.status, counts(&row)), (BatchStatus::Cancelled, (5, 1, 0, 4)));
    assert_eq!(row.completed_at, Some(at(0)));
    assert_eq!(claim(&store, id), None);
    recounted(&store, id);
}

fn a_fatal_error_ends_the_job(cx: &Context) {
    let (store, session) = cx.session();
    let id = job(&store, session, 2);
    let row = store.batches().fail(id, "logged out").wait().unwrap();
    assert_eq!((row.status, row.error.as_ref().unwrap().as_stored()), (BatchStatus::Failed, "logged out"));
    assert_eq!(counts(&recounted(&store, id)), (2, 0, 0, 2));
}

fn terminal_states_are_final(cx: &Context) {
    let (store, session) = cx.session();
    let end = |name: &str| store.batches().create(session, batch(name, 1)).wait().unwrap().id;
    let (completed, cancelled, failed) = (end("a"), end("b"), end("c"));
    let (_, message) = claim(&store, completed).unwrap();
    store.batches().record(message, sent()).wait().unwrap();
    store.batches().cancel(cancelled).wait().unwrap();
    store.batches().fail(failed, "x").wait().unwrap();
    for id in [completed, cancelled, failed] {
        let before = store.batches().get(id).unwrap();
        refused(store.batches().cancel(id).wait(), Kind::Conflict);
        refused(store.batches().fail(id, "again").wait(), Kind::Conflict);
        assert_eq!(claim(&store, id), None);
        assert_eq!(store.batches().get(id).unwrap(), before);
    }
}

fn what_is_being_sent_when_the_job_ends_still_gets_its_result(cx: &Context) {
    let (store, session) = cx.session();
    let id = job(&store, session, 3);
    let (_, message) = claim(&store, id).unwrap();
    store.batches().cancel(id).wait().unwrap();
    let row = store.batches().record(message, sent()).wait().unwrap();
    assert_eq!((row.status, counts(&row)), (BatchStatus::Cancelled, (3, 1, 0, 2)));
    recounted(&store, id);
}

fn counters_equal_a_recount_whatever_happens(cx: &Context) {
    let (store, session) = cx.session();
    let id = job(&store, session, 60);
    in_threads(6, |i| {
        for n in 0..9 {
            let Some((_, message)) = claim(&store, id) else { return };
            match (i + n) % 3 {
                0 => drop(store.batches().record(message, sent()).wait().unwrap()),
                1 => drop(store.batches().record(message, failed()).wait().unwrap()),
                _ => {}
            }
            if i == 5 && n == 6 {
                store.batches().cancel(id).wait().unwrap();
            }
        }
    });
    let row = recounted(&store, id);
    assert_eq!(row.status, BatchStatus::Cancelled);
    for message in store.batches().unknown(id).unwrap() {
        store.batches().record(message.id, failed()).wait().unwrap();
    }
    let row = recounted(&store, id);
    assert_eq!(row.sent_count + row.failed_count + row.cancelled_count, 60);
}

fn what_does_not_exist_is_not_found(cx: &Context) {
    let store = cx.store();
    let none = Uuid::from_u128(7);
    refused(store.batches().get(none), Kind::NotFound);
    refused(store.batches().claim_next(none).wait(), Kind::NotFound);
    refused(store.batches().record(none, sent()).wait(), Kind::NotFound);
    refused(store.batches().cancel(none).wait(), Kind::NotFound);
    refused(store.batches().fail(none, "x").wait(), Kind::NotFound);
    assert_eq!(store.batches().messages(none, 0).unwrap(), []);
}

fn after_a_restart_what_was_being_sent_is_unknown(cx: &Context) {
    let (store, session) = cx.session();
    let id = job(&store, session, 3);
    let (position, message) = claim(&store, id).unwrap();
    store.close().unwrap();
    let store = cx.store();
    let unknown = store.batches().unknown(id).unwrap();
    assert_eq!(unknown.iter().map(|m| m.position).collect::<Vec<_>>(), [position]);
    assert_eq!(claim(&store, id).unwrap().0, 1, "it is not handed out again");
    store.batches().record(message, sent()).wait().unwrap();
    assert_eq!(recounted(&store, id).sent_count, 1);
}

fn two_stores_hand_out_every_message_once(cx: &Context) {
    let (one, session) = cx.session();
    let two = cx.store();
    let id = job(&one, session, 40);
    let claimed = in_threads(4, |i| {
        let store = if i % 2 == 0 { &one } else { &two };
        let mut mine = Vec::new();
        while let Some((position, _)) = claim(store, id) {
            mine.push(position);
        }
        mine
    });
    let mut all = claimed.concat();
    all.sort_unstable();
    assert_eq!(all, (0..40).collect::<Vec<_>>());
}
