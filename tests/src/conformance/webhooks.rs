//! Webhooks: who hears of what, the delivery log, and idempotency.

use openwa_store::entity::Webhook;
use openwa_store::policy::webhook::WebhookEvent;
use openwa_store::{Begin, Json, Kind, NewDelivery, NewWebhook, PageRequest, Store, WebhookUpdate};
use uuid::Uuid;

use super::{Case, Context, all_pages, at, cases, in_threads, new_session, refused, refused_for};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    only_the_url_is_needed,
    a_webhook_hears_what_it_subscribed_to,
    only_public_urls_are_taken,
    a_private_address_can_be_allowed,
    events_headers_and_retries_are_checked,
    an_update_changes_what_it_names,
    webhooks_are_listed_in_order_and_paged,
    a_webhook_is_deleted_with_its_log,
    a_delivery_is_logged,
    a_delivery_is_logged_later,
    a_delivery_needs_its_webhook,
    an_event_begins_once,
    of_many_threads_one_begins,
    each_webhook_counts_for_itself,
    a_duplicate_gets_the_stored_answer,
    an_entry_lives_24_hours,
    what_was_forgotten_may_begin_again,
    only_what_began_can_finish,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![of_two_stores_one_begins, what_was_logged_is_there_after_a_close];

const DAY: u64 = 24 * 60 * 60;

fn new(url: &str) -> NewWebhook {
    NewWebhook { url: url.into(), ..Default::default() }
}

fn webhook(store: &Store, session: Uuid) -> Uuid {
    store.webhooks().create(session, new("https://example.com/hook")).wait().unwrap().id
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn duplicate() -> Begin {
    Begin::Duplicate { response_status: None, response_data: None }
}

fn only_the_url_is_needed(cx: &Context) {
    let (store, session) = cx.session();
    let row = store.webhooks().create(session, new("https://example.com/hook")).wait().unwrap();
    assert_eq!((row.session_id, row.active, row.retry_count), (session, true, 3));
    assert_eq!((row.events.clone(), row.headers.clone()), (json(r#"["message.received"]"#), json("{}")));
    assert_eq!((row.secret.clone(), row.last_triggered_at, row.created_at), (None, None, at(0)));
    assert_eq!(store.webhooks().get(row.id).unwrap(), row);
}

fn a_webhook_hears_what_it_subscribed_to(cx: &Context) {
    let (store, session) = cx.session();
    let create = |events: &str, active| {
        let new = NewWebhook { events: Some(json(events)), active, ..new("https://example.com/") };
        store.webhooks().create(session, new).wait().unwrap().id
    };
    let acks = create(r#"["message.ack","message.received"]"#, None);
    let all = create(r#"["*"]"#, None);
    create("[]", None);
    create(r#"["*"]"#, Some(false));
    let other = new_session(&store, "shop-2");
    webhook(&store, other);
    let hear = |event| {
        let mut ids: Vec<Uuid> =
            store.webhooks().subscribed(session, event).unwrap().iter().map(|w| w.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(hear(WebhookEvent::MessageAck), [acks, all]);
    assert_eq!(hear(WebhookEvent::CallMissed), [all]);
}

fn only_public_urls_are_taken(cx: &Context) {
    let (store, session) = cx.session();
    let known = webhook(&store, session);
    for url in [
        "",
        "example.com",
        "ftp://example.com/",
        "https://user:pass@example.com/",
        "http://localhost/",
        "http://127.0.0.1/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://10.1.2.3/",
        "http://192.168.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://metadata.google.internal/",
        &format!("https://example.com/{}", "x".repeat(2048)),
    ] {
        refused_for(store.webhooks().create(session, new(url)).wait(), "url");
        let moved = WebhookUpdate { url: Some(url.into()), ..Default::default() };
        refused_for(store.webhooks().update(known, moved).wait(), "url");
    }
}

fn a_private_address_can_be_allowed(cx: &Context) {
    let (store, session) = cx.session();
    let local = NewWebhook { allow_private: true, ..new("http://127.0.0.1:8080/hook") };
    let id = store.webhooks().create(session, local).wait().unwrap().id;
    let other = WebhookUpdate { retry_count: Some(1), ..Default::default() };
    assert_eq!(
        store.webhooks().update(id, other).wait().unwrap().retry_count,
        1,
        "an old URL is not asked again"
    );
}

fn events_headers_and_retries_are_checked(cx: &Context) {
    let (store, session) = cx.session();
    let base = || new("https://example.com/");
    for (column, bad) in [
        ("events", NewWebhook { events: Some(json(r#"["message.recieved"]"#)), ..base() }),
        ("events", NewWebhook { events: Some(json(r#""*""#)), ..base() }),
        ("headers", NewWebhook { headers: Some(json(r#"{"X-A":1}"#)), ..base() }),
        ("headers", NewWebhook { headers: Some(json(r#"{"X-A":"a\r\nX-B: b"}"#)), ..base() }),
        ("retry_count", NewWebhook { retry_count: Some(21), ..base() }),
        ("retry_count", NewWebhook { retry_count: Some(-1), ..base() }),
        ("secret", NewWebhook { secret: Some("x".repeat(256).into()), ..base() }),
    ] {
        refused_for(store.webhooks().create(session, bad).wait(), column);
    }
    refused(store.webhooks().create(Uuid::from_u128(7), base()).wait(), Kind::NotFound);
}

fn an_update_changes_what_it_names(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    cx.pass(5);
    let all = WebhookUpdate {
        url: Some("https://example.org/".into()),
        events: Some(json(r#"["*"]"#)),
        secret: Some(Some("s3cret".into())),
        headers: Some(json(r#"{"X-A":"b"}"#)),
        retry_count: Some(0),
        active: Some(false),
        allow_private: false,
    };
    let row = store.webhooks().update(id, all).wait().unwrap();
    assert_eq!(
        (row.url.as_stored(), row.secret.as_ref().unwrap().as_stored()),
        ("https://example.org/", "s3cret")
    );
    assert_eq!((row.retry_count, row.active, row.created_at, row.updated_at), (0, false, at(0), at(5)));
    let same = store.webhooks().update(id, WebhookUpdate::default()).wait().unwrap();
    assert_eq!(Webhook { updated_at: row.updated_at, ..same }, row);
    let open = WebhookUpdate { secret: Some(None), ..Default::default() };
    assert_eq!(store.webhooks().update(id, open).wait().unwrap().secret, None);
    refused(store.webhooks().update(Uuid::from_u128(7), WebhookUpdate::default()).wait(), Kind::NotFound);
}

fn webhooks_are_listed_in_order_and_paged(cx: &Context) {
    let (store, session) = cx.session();
    let made: Vec<Uuid> = (0..5).map(|_| webhook(&store, session)).collect();
    for limit in [2, 100] {
        let rows = all_pages(limit, |request| store.webhooks().list(session, request));
        assert_eq!(rows.iter().map(|w| w.id).collect::<Vec<_>>(), made);
    }
}

fn a_webhook_is_deleted_with_its_log(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    store.webhooks().log(id, NewDelivery::default()).wait().unwrap();
    store.webhooks().begin(id, "k", "e").wait().unwrap();
    assert!(store.webhooks().delete(id).wait().unwrap());
    assert!(!store.webhooks().delete(id).wait().unwrap());
    refused(store.webhooks().get(id), Kind::NotFound);
    assert_eq!(store.webhooks().logs(id, &PageRequest::default()).unwrap().items, []);
}

fn a_delivery_is_logged(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    for attempt in 1..=3 {
        cx.pass(1);
        let delivery = NewDelivery {
            event: "message.received".into(),
            status_code: Some(500 + attempt),
            attempt: Some(attempt),
            payload: json(r#"{"id":"A"}"#),
            response: Some(json(r#"["x"]"#)),
            error: Some("later".into()),
        };
        let row = store.webhooks().log(id, delivery.clone()).wait().unwrap();
        assert_eq!(
            (row.payload, row.response, row.error),
            (delivery.payload, delivery.response, delivery.error)
        );
    }
    let rows = all_pages(2, |request| store.webhooks().logs(id, request));
    let seen: Vec<_> = rows.iter().map(|r| (r.attempt, r.status_code)).collect();
    assert_eq!(seen, [(3, Some(503)), (2, Some(502)), (1, Some(501))], "newest first");
    assert_eq!(store.webhooks().get(id).unwrap().last_triggered_at, Some(at(3)));
    let bad = NewDelivery { attempt: Some(0), ..Default::default() };
    refused_for(store.webhooks().log(id, bad).wait(), "attempt");
    assert_eq!(store.webhooks().logs(id, &PageRequest::default()).unwrap().items.len(), 3);
}

fn a_delivery_is_logged_later(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    for attempt in 1..=450 {
        let delivery =
            NewDelivery { attempt: Some(attempt), payload: json(r#"{"id":"A"}"#), ..Default::default() };
        store.webhooks().log_later(id, &delivery).unwrap();
    }
    let nobody = Uuid::from_u128(7);
    store.webhooks().log_later(nobody, &NewDelivery::default()).unwrap();
    refused_for(
        store.webhooks().log_later(id, &NewDelivery { attempt: Some(0), ..Default::default() }),
        "attempt",
    );
    refused_for(
        store.webhooks().log_later(id, &NewDelivery { event: "x".repeat(101).into(), ..Default::default() }),
        "event",
    );
    let rows = all_pages(200, |request| store.webhooks().logs(id, request));
    let attempts: Vec<i64> = rows.iter().map(|row| row.attempt).collect();
    assert_eq!(attempts, (1..=450).rev().collect::<Vec<_>>(), "reading the log shows all of it, in order");
    assert_eq!(store.webhooks().get(id).unwrap().last_triggered_at, Some(at(0)));
    let buffer = store.log_buffer().unwrap();
    assert_eq!((buffer.waiting, buffer.dropped), (0, 1), "what belongs to no webhook is counted");
    store.close().unwrap();
    refused(store.webhooks().log_later(id, &NewDelivery::default()), Kind::Closed);
}

fn what_was_logged_is_there_after_a_close(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    (0..450).for_each(|_| store.webhooks().log_later(id, &NewDelivery::default()).unwrap());
    store.close().unwrap();
    let store = cx.store();
    (0..50).for_each(|_| store.webhooks().log_later(id, &NewDelivery::default()).unwrap());
    drop(store);
    assert_eq!(all_pages(200, |request| cx.store().webhooks().logs(id, request)).len(), 500);
}

fn a_delivery_needs_its_webhook(cx: &Context) {
    let store = cx.store();
    refused(store.webhooks().log(Uuid::from_u128(7), NewDelivery::default()).wait(), Kind::NotFound);
    refused(store.webhooks().begin(Uuid::from_u128(7), "k", "e").wait(), Kind::NotFound);
}

fn an_event_begins_once(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    let begin = |key: &str| store.webhooks().begin(id, key, "message.received").wait().unwrap();
    assert_eq!((begin("a"), begin("a"), begin("b")), (Begin::New, duplicate(), Begin::New));
    refused_for(store.webhooks().begin(id, "", "e").wait(), "idempotency_key");
    refused_for(store.webhooks().begin(id, "x".repeat(256), "e").wait(), "idempotency_key");
}

fn of_many_threads_one_begins(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    for round in 0..20 {
        let key = format!("k{round}");
        let answers = in_threads(8, |_| store.webhooks().begin(id, &key, "e").wait().unwrap());
        assert_eq!(answers.iter().filter(|a| **a == Begin::New).count(), 1);
    }
}

fn each_webhook_counts_for_itself(cx: &Context) {
    let (store, session) = cx.session();
    for id in [webhook(&store, session), webhook(&store, session)] {
        assert_eq!(store.webhooks().begin(id, "same", "e").wait().unwrap(), Begin::New);
    }
}

fn a_duplicate_gets_the_stored_answer(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    store.webhooks().begin(id, "k", "e").wait().unwrap();
    let data = Some(json(r#"{"ok":true}"#));
    store.webhooks().finish(id, "k", Some(200), data.clone()).wait().unwrap();
    let again = store.webhooks().begin(id, "k", "e").wait().unwrap();
    assert_eq!(again, Begin::Duplicate { response_status: Some(200), response_data: data });
}

fn an_entry_lives_24_hours(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    let begin = || store.webhooks().begin(id, "k", "e").wait().unwrap();
    begin();
    store.webhooks().finish(id, "k", Some(200), None).wait().unwrap();
    cx.pass(DAY);
    assert_ne!(begin(), Begin::New);
    cx.pass(1);
    assert_eq!(begin(), Begin::New);
    assert_eq!(begin(), duplicate(), "the old answer is gone, and it counts from now");
    cx.pass(DAY);
    assert_eq!(begin(), duplicate());
}

fn what_was_forgotten_may_begin_again(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    store.webhooks().begin(id, "k", "e").wait().unwrap();
    assert!(store.webhooks().forget(id, "k").wait().unwrap());
    assert!(!store.webhooks().forget(id, "k").wait().unwrap());
    assert_eq!(store.webhooks().begin(id, "k", "e").wait().unwrap(), Begin::New);
}

fn only_what_began_can_finish(cx: &Context) {
    let (store, session) = cx.session();
    let id = webhook(&store, session);
    refused(store.webhooks().finish(id, "k", None, None).wait(), Kind::NotFound);
}

fn of_two_stores_one_begins(cx: &Context) {
    let (one, session) = cx.session();
    let two = cx.store();
    let id = webhook(&one, session);
    for round in 0..10 {
        let key = format!("k{round}");
        let answers = in_threads(8, |i| {
            let store = if i % 2 == 0 { &one } else { &two };
            store.webhooks().begin(id, &key, "e").wait().unwrap()
        });
        assert_eq!(answers.iter().filter(|a| **a == Begin::New).count(), 1);
    }
}
