//! The store itself: opening, closing, the ways of waiting, errors, the clock.

use std::collections::HashSet;

use openwa_store::entity::SessionStatus;
use openwa_store::{
    Ask, Clock, Config, DatabaseOverview, Kind, MessageFilter, NewApiKey, NewBatch, NewBatchMessage,
    NewMessage, OverviewOptions, PageRequest, SessionCount,
};
use uuid::Uuid;

use super::{ALICE, Case, Context, at, cases, in_threads, incoming, new_session, refused};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    there_are_four_ways_to_wait,
    a_dropped_ticket_is_written_all_the_same,
    a_prepared_write_does_nothing,
    a_closed_store_says_so,
    close_writes_what_was_submitted,
    closing_twice_is_fine,
    every_clone_is_the_same_store,
    an_error_names_its_operation,
    one_bad_write_in_a_group_fails_alone,
    ids_are_unique_when_the_clock_jumps_back,
    order_is_sane_when_the_clock_jumps_back,
    a_reader_sees_every_answered_write,
    the_status_counts_rows_and_names_steps,
    the_overview_shows_both_databases,
    a_sound_store_passes_its_check,
    unknown_variables_are_refused,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] =
    cases![two_stores_on_one_place_see_each_other, a_store_is_found_again, half_a_group_never_survives];

fn there_are_four_ways_to_wait(cx: &Context) {
    let (store, session) = cx.session();
    let save = |id: &str| store.messages().save(session, incoming(id, "x"));
    assert!(save("A").wait().unwrap().outcome.is_new());
    assert!(save("B").submit().unwrap().wait().unwrap().outcome.is_new());
    assert!(save("C").try_submit().unwrap().wait().unwrap().outcome.is_new());
    assert!(futures::executor::block_on(async { save("D").await }).unwrap().outcome.is_new());
    let ticket = save("E").submit().unwrap();
    assert!(futures::executor::block_on(ticket).unwrap().outcome.is_new());
    assert_eq!(store.messages().count(session, &MessageFilter::default()).unwrap(), 5);
}

fn a_dropped_ticket_is_written_all_the_same(cx: &Context) {
    let (store, session) = cx.session();
    for i in 0..20 {
        drop(store.messages().save(session, incoming(&i.to_string(), "x")).submit().unwrap());
    }
    // Writes are done in the order in which they were submitted.
    store.messages().save(session, incoming("last", "x")).wait().unwrap();
    assert_eq!(store.messages().count(session, &MessageFilter::default()).unwrap(), 21);
}

fn a_prepared_write_does_nothing(cx: &Context) {
    let (store, session) = cx.session();
    drop(store.messages().save(session, incoming("A", "x")));
    drop(IntoFuture::into_future(store.messages().save(session, incoming("A", "x"))));
    assert_eq!(store.messages().find(session, "A").unwrap(), None);
}

fn a_closed_store_says_so(cx: &Context) {
    let (store, session) = cx.session();
    store.close().unwrap();
    let save = || store.messages().save(session, incoming("A", "x"));
    let operation = |e: openwa_store::Error| e.operation().map(str::to_owned);
    let saving = Some("messages.save".to_owned());
    assert_eq!(operation(refused(save().wait(), Kind::Closed)), saving);
    assert_eq!(operation(refused(save().submit(), Kind::Closed)), saving);
    assert_eq!(operation(refused(save().try_submit(), Kind::Closed)), saving);
    assert_eq!(operation(refused(futures::executor::block_on(async { save().await }), Kind::Closed)), saving);
    refused(store.messages().find(session, "A"), Kind::Closed);
    refused(store.api_keys().authorize("x", &Ask::default()), Kind::Closed);
    refused(store.api_keys().list(&PageRequest::default()), Kind::Closed);
    refused(store.messages().iterate(session, MessageFilter::default()).next().unwrap(), Kind::Closed);
    refused(store.status(), Kind::Closed);
    refused(store.check(), Kind::Closed);
}

fn close_writes_what_was_submitted(cx: &Context) {
    let (store, session) = cx.session();
    let save = |i: usize| store.messages().save(session, incoming(&i.to_string(), "x")).submit().unwrap();
    let tickets: Vec<_> = (0..200).map(save).collect();
    store.close().unwrap();
    assert!(tickets.into_iter().all(|ticket| ticket.wait().unwrap().outcome.is_new()));
}

fn closing_twice_is_fine(cx: &Context) {
    let store = cx.store();
    store.close().unwrap();
    store.close().unwrap();
}

fn every_clone_is_the_same_store(cx: &Context) {
    let (store, session) = cx.session();
    let clone = store.clone();
    clone.messages().save(session, incoming("A", "x")).wait().unwrap();
    assert!(store.messages().find(session, "A").unwrap().is_some());
    clone.close().unwrap();
    refused(store.sessions().get(session), Kind::Closed);
}

fn an_error_names_its_operation(cx: &Context) {
    let (store, session) = cx.session();
    let none = Uuid::from_u128(7);
    let bad = PageRequest { limit: Some(0), after: None };
    for (operation, e) in [
        ("messages.save", store.messages().save(none, incoming("A", "x")).wait().unwrap_err()),
        ("messages.ack", store.messages().ack(session, "A", 9).wait().unwrap_err()),
        ("messages.list", store.messages().list(session, &Default::default(), &bad).unwrap_err()),
        ("sessions.get", store.sessions().get(none).unwrap_err()),
        ("webhooks.get", store.webhooks().get(none).unwrap_err()),
        ("batches.claim_next", store.batches().claim_next(none).wait().unwrap_err()),
        ("api_keys.create", store.api_keys().register("", NewApiKey::default()).wait().unwrap_err()),
        ("api_keys.update", store.api_keys().revoke(none, false).wait().unwrap_err()),
        ("ingest", store.ingest(openwa_store::Engine::Baileys, session, "not JSON").wait().unwrap_err()),
    ] {
        assert_eq!(e.operation(), Some(operation), "{e:?}");
        assert!(e.to_string().starts_with(operation), "{e}");
    }
}

fn half_bad_batch(id: &str) -> NewBatch {
    let message = |chat: String| NewBatchMessage { chat_id: chat.into(), ..Default::default() };
    let messages = vec![message(ALICE.to_owned()), message("x".repeat(256)), message(ALICE.to_owned())];
    NewBatch { batch_id: id.into(), messages, options: None }
}

fn one_bad_write_in_a_group_fails_alone(cx: &Context) {
    let (store, session) = cx.session();
    // The gaps between submits are short enough for groups to form; either way the answers are these.
    for round in 0..20 {
        let save = |i: usize| {
            let id = format!("{round}-{i}");
            store.messages().save(session, incoming(&id, "x")).submit().unwrap()
        };
        let before: Vec<_> = (0..10).map(save).collect();
        let refused_whole = store.messages().save(Uuid::from_u128(7), incoming("A", "x")).submit().unwrap();
        let half_way = store.batches().create(session, half_bad_batch(&round.to_string())).submit().unwrap();
        let after: Vec<_> = (10..20).map(save).collect();
        assert_eq!(refused_whole.wait().unwrap_err().kind(), Kind::NotFound);
        assert_eq!(half_way.wait().unwrap_err().context("column"), Some("chat_id"));
        assert!(before.into_iter().chain(after).all(|t| t.wait().unwrap().outcome.is_new()));
    }
    assert_eq!(store.messages().count(session, &MessageFilter::default()).unwrap(), 400);
    assert_eq!(store.batches().list(session, &PageRequest::default()).unwrap().items, []);
}

fn ids_are_unique_when_the_clock_jumps_back(cx: &Context) {
    let (store, session) = cx.session();
    let mut ids = HashSet::new();
    for jump in [0, 86_400, -86_400, 5, 0, 0] {
        cx.clock.set(at(jump));
        for i in 0..50 {
            let saved = store.messages().save(session, incoming(&format!("{}-{i}", ids.len()), "x"));
            assert!(ids.insert(saved.wait().unwrap().message.id));
        }
    }
}

fn order_is_sane_when_the_clock_jumps_back(cx: &Context) {
    let (store, session) = cx.session();
    for (i, time) in [10, 20, 5, 15].into_iter().enumerate() {
        cx.clock.set(at(time));
        store.messages().save(session, incoming(&i.to_string(), "x")).wait().unwrap();
        store.sessions().log(session, i.to_string(), None).wait().unwrap();
    }
    let rows = super::all_pages(1, |request| store.messages().list(session, &Default::default(), request));
    let ids: Vec<_> = rows.iter().map(|m| m.wa_message_id.clone().unwrap().to_string()).collect();
    assert_eq!(ids, ["1", "3", "0", "2"], "by the times that were told");
    let logs = super::all_pages(1, |request| store.sessions().logs(session, None, request));
    assert_eq!(logs.len(), 5);
    assert!(logs.windows(2).all(|w| w[0].created_at >= w[1].created_at));
}

fn a_reader_sees_every_answered_write(cx: &Context) {
    let (store, session) = cx.session();
    in_threads(6, |thread| {
        for i in 0..30 {
            let id = format!("{thread}-{i}");
            store.messages().save(session, incoming(&id, "x")).wait().unwrap();
            assert!(store.messages().find(session, &id).unwrap().is_some());
        }
    });
}

fn the_status_counts_rows_and_names_steps(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().save_many(session, vec![incoming("A", "x"), incoming("B", "x")]).wait().unwrap();
    let status = store.status().unwrap();
    let rows: Vec<_> = status.databases.iter().flat_map(|d| &d.rows).collect();
    assert!(
        rows.contains(&&("messages", 2))
            && rows.contains(&&("sessions", 1))
            && rows.contains(&&("api_keys", 0))
    );
    assert!(
        status
            .databases
            .iter()
            .all(|d| !d.steps.is_empty() && d.steps.iter().all(|s| s.applied_at.is_some()))
    );
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
}

fn the_overview_shows_both_databases(cx: &Context) {
    let (store, session) = cx.session();
    for (n, days) in [0, 1, 1, 2].into_iter().enumerate() {
        let message = NewMessage { wa_timestamp: Some(at(-days * 86_400)), ..incoming(&n.to_string(), "x") };
        store.messages().save(session, message).wait().unwrap();
    }
    let soon = NewApiKey { name: "soon".into(), expires_at: Some(at(86_400)), ..NewApiKey::default() };
    store.api_keys().create(soon).wait().unwrap();
    let it = store.overview(&OverviewOptions { days: Some(3), ..OverviewOptions::default() }).unwrap();
    assert_eq!((it.version, it.at), (env!("CARGO_PKG_VERSION"), cx.clock.now()));
    assert_eq!(it.problems, ["API key soon expires soon"]);
    let [main, data] = &it.databases[..] else { panic!("{:?}", it.databases) };
    let rows = |database: &DatabaseOverview, table| {
        database.tables.iter().find(|t| t.table == table).map(|t| (t.rows, t.exact))
    };
    assert_eq!((main.database, rows(main, "api_keys")), ("main", Some((1, true))));
    assert_eq!((data.database, rows(data, "messages")), ("data", Some((4, true))));
    assert!(data.bytes > 0 && data.schema_version > 0 && !data.place.contains("password"), "{data:?}");
    assert_eq!(data.engine.starts_with("PostgreSQL"), data.connections.is_some(), "{data:?}");
    assert_eq!(it.sessions, [SessionCount { status: SessionStatus::Created, sessions: 1 }]);
    assert_eq!(it.days.iter().map(|day| day.messages).collect::<Vec<_>>(), [1, 2, 1]);
    assert!(!it.days_estimated);
    assert_eq!(it.keys.len(), 1);
}

fn a_sound_store_passes_its_check(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

fn unknown_variables_are_refused(_: &Context) {
    let read = |kind: &'static str| {
        Config::from_vars("/tmp/x", move |name| (name == "DATABASE_TYPE").then(|| kind.to_owned()))
    };
    assert!(read("sqlite").is_ok() && read("").is_ok());
    let e = refused(read("mysql"), Kind::InvalidArgument);
    assert_eq!(e.context("variable"), Some("DATABASE_TYPE"));
}

fn two_stores_on_one_place_see_each_other(cx: &Context) {
    let (one, session) = cx.session();
    let two = cx.store();
    in_threads(4, |i| {
        let (writer, reader) = if i % 2 == 0 { (&one, &two) } else { (&two, &one) };
        for n in 0..25 {
            let id = format!("{i}-{n}");
            writer.messages().save(session, incoming(&id, "x")).wait().unwrap();
            assert!(reader.messages().find(session, &id).unwrap().is_some());
        }
    });
    assert_eq!(one.messages().count(session, &MessageFilter::default()).unwrap(), 100);
    one.close().unwrap();
    two.messages().save(session, incoming("after", "x")).wait().unwrap();
}

fn a_store_is_found_again(cx: &Context) {
    let store = cx.store();
    let session = new_session(&store, "shop-1");
    drop(store);
    let store = cx.store();
    assert_eq!(store.sessions().find("shop-1").unwrap().unwrap().id, session);
}

fn half_a_group_never_survives(cx: &Context) {
    let (store, session) = cx.session();
    let bad = NewMessage { r#type: "".into(), ..incoming("bad", "x") };
    store.messages().save_many(session, vec![incoming("good", "x"), bad]).wait().unwrap();
    refused(store.batches().create(session, half_bad_batch("b")).wait(), Kind::InvalidArgument);
    store.close().unwrap();
    let store = cx.store();
    assert_eq!(store.messages().count(session, &MessageFilter::default()).unwrap(), 1);
    assert_eq!(store.batches().find(session, "b").unwrap(), None);
}
