//! Sessions and their life.

use openwa_store::entity::{Session, SessionStatus};
use openwa_store::policy::session::allowed_from;
use openwa_store::policy::webhook::WebhookEvent;
use openwa_store::{
    AuthEntry, AuthValue, ContactChange, Json, Kind, NewBatch, NewBatchMessage, NewSession, NewWebhook,
    PageRequest, SessionFilter, SessionUpdate, Store,
};
use uuid::Uuid;

use super::{
    ALICE, ALICE_LID, Case, Context, all_pages, at, cases, in_threads, incoming, new_session, page_of,
    refused, refused_for,
};
use SessionStatus::{Authenticating, Created, Disconnected, Failed, Initializing, QrReady, Ready};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    a_new_session_is_created,
    a_name_is_unique,
    an_id_may_be_given,
    names_and_settings_are_checked,
    sessions_are_found_listed_and_filtered,
    sessions_are_paged,
    an_update_changes_what_it_names,
    every_edge_of_the_graph,
    a_transition_is_logged_in_the_same_commit,
    the_same_status_again_is_no_step_but_a_new_qr_code_is,
    becoming_ready_notes_the_time,
    of_many_threads_one_makes_the_step,
    restore_flips_what_only_a_live_engine_can_hold,
    recreate_clears_the_credentials,
    delete_removes_everything,
    the_log_is_read_newest_first_and_by_event,
    what_does_not_exist_is_not_found,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![restore_after_a_restart];

/// A session in this status, on a way that its life allows.
fn session_in(store: &Store, name: &str, status: SessionStatus) -> Uuid {
    let id = new_session(store, name);
    let way: &[SessionStatus] = match status {
        Created => &[],
        Initializing => &[Initializing],
        QrReady => &[Initializing, QrReady],
        Authenticating => &[Initializing, Authenticating],
        Ready => &[Initializing, Ready],
        Disconnected => &[Initializing, Disconnected],
        Failed => &[Initializing, Failed],
    };
    for step in way {
        store.sessions().transition(id, *step).wait().unwrap();
    }
    id
}

fn status(store: &Store, id: Uuid) -> SessionStatus {
    store.sessions().get(id).unwrap().status
}

fn events(store: &Store, id: Uuid) -> Vec<String> {
    let page = store.sessions().logs(id, None, &PageRequest::default()).unwrap();
    page.items.into_iter().map(|l| format!("{} {}", l.event, l.status.unwrap_or_default())).collect()
}

fn a_new_session_is_created(cx: &Context) {
    let store = cx.store();
    let new = NewSession {
        name: "shop-1".into(),
        phone: Some("12025550100".into()),
        push_name: Some("Shop".into()),
        config: Some(Json::parse(r#"{"autoReconnect":true,"mine":{"a":[1]}}"#).unwrap()),
        ..Default::default()
    };
    let session = store.sessions().create(new.clone()).wait().unwrap();
    assert_eq!(store.sessions().get(session.id).unwrap(), session);
    assert_eq!((session.status, session.created_at, session.updated_at), (Created, at(0), at(0)));
    assert_eq!(
        (session.phone, session.push_name, Some(session.config)),
        (new.phone, new.push_name, new.config)
    );
    assert_eq!((session.connected_at, session.auth_state, session.retained_from), (None, None, None));
    assert_eq!(events(&store, session.id), ["session.created created"]);
}

fn a_name_is_unique(cx: &Context) {
    let (store, _) = cx.session();
    let again = NewSession { name: "shop-1".into(), ..Default::default() };
    let e = refused(store.sessions().create(again).wait(), Kind::AlreadyExists);
    assert_eq!(e.context("column"), Some("name"));
    let two = new_session(&store, "shop-2");
    let taken = SessionUpdate { name: Some("shop-1".into()), ..Default::default() };
    refused(store.sessions().update(two, taken).wait(), Kind::AlreadyExists);
    assert_eq!(store.sessions().get(two).unwrap().name, "shop-2");
}

fn an_id_may_be_given(cx: &Context) {
    let store = cx.store();
    let id = Some(Uuid::from_u128(0x1234));
    let session = store.sessions().create(NewSession { id, name: "a".into(), ..Default::default() });
    assert_eq!(Some(session.wait().unwrap().id), id);
    let again = store.sessions().create(NewSession { id, name: "b".into(), ..Default::default() });
    refused(again.wait(), Kind::AlreadyExists);
}

fn names_and_settings_are_checked(cx: &Context) {
    let (store, session) = cx.session();
    let create = |new: NewSession| store.sessions().create(new).wait();
    for name in ["", "  ", &"x".repeat(101)] {
        refused_for(create(NewSession { name: name.into(), ..Default::default() }), "name");
        let renamed = SessionUpdate { name: Some(name.into()), ..Default::default() };
        refused_for(store.sessions().update(session, renamed).wait(), "name");
    }
    let phone = Some("1".repeat(21).into());
    refused_for(create(NewSession { name: "a".into(), phone, ..Default::default() }), "phone");
    let push_name = Some("x".repeat(101).into());
    refused_for(create(NewSession { name: "a".into(), push_name, ..Default::default() }), "push_name");
    for config in [r#"{"autoReconnect":"yes"}"#, r#"{"proxy":{"port":0}}"#, "[]", "3"] {
        let config = Some(Json::parse(config).unwrap());
        refused_for(
            create(NewSession { name: "a".into(), config: config.clone(), ..Default::default() }),
            "config",
        );
        let changed = SessionUpdate { config, ..Default::default() };
        refused_for(store.sessions().update(session, changed).wait(), "config");
    }
    create(NewSession { name: "ä".repeat(100).into(), ..Default::default() }).unwrap();
}

fn sessions_are_found_listed_and_filtered(cx: &Context) {
    let store = cx.store();
    let (one, two) = (session_in(&store, "one", Ready), session_in(&store, "two", Created));
    let phone = SessionUpdate { phone: Some(Some("12025550100".into())), ..Default::default() };
    store.sessions().update(two, phone).wait().unwrap();
    assert_eq!(store.sessions().find("two").unwrap().unwrap().id, two);
    assert_eq!(store.sessions().find("three").unwrap(), None);
    let list = |filter: SessionFilter| -> Vec<Uuid> {
        let page = store.sessions().list(&filter, &PageRequest::default()).unwrap();
        page.items.into_iter().map(|s| s.id).collect()
    };
    assert_eq!(list(SessionFilter::default()), [one, two]);
    assert_eq!(list(SessionFilter { status: Some(Ready), ..Default::default() }), [one]);
    let phone = Some("12025550100".into());
    assert_eq!(list(SessionFilter { phone: phone.clone(), ..Default::default() }), [two]);
    assert_eq!(list(SessionFilter { phone, status: Some(Ready) }), Vec::<Uuid>::new());
}

fn sessions_are_paged(cx: &Context) {
    let store = cx.store();
    let made: Vec<Uuid> = (0..7).map(|i| new_session(&store, &format!("s{i}"))).collect();
    for limit in [1, 3, 7, 100] {
        for filter in
            [SessionFilter::default(), SessionFilter { status: Some(Created), ..Default::default() }]
        {
            let rows = all_pages(limit, |request| store.sessions().list(&filter, request));
            assert_eq!(
                rows.iter().map(|s| s.id).collect::<Vec<_>>(),
                made,
                "by {limit}, in order of creation"
            );
        }
    }
    refused_for(store.sessions().list(&Default::default(), &page_of(0, None)), "limit");
}

fn an_update_changes_what_it_names(cx: &Context) {
    let (store, session) = cx.session();
    cx.pass(5);
    let all = SessionUpdate {
        name: Some("renamed".into()),
        phone: Some(Some("12025550100".into())),
        push_name: Some(Some("Shop".into())),
        config: Some(Json::parse(r#"{"history":true}"#).unwrap()),
        auth_state: Some(Some(Json::parse(r#""sealed""#).unwrap())),
    };
    let row = store.sessions().update(session, all).wait().unwrap();
    assert_eq!((row.name.as_stored(), row.updated_at, row.created_at), ("renamed", at(5), at(0)));
    let same = store.sessions().update(session, SessionUpdate::default()).wait().unwrap();
    assert_eq!(Session { updated_at: row.updated_at, ..same }, row);
    let emptied = SessionUpdate { phone: Some(None), auth_state: Some(None), ..Default::default() };
    let row = store.sessions().update(session, emptied).wait().unwrap();
    assert_eq!((row.phone, row.auth_state, row.push_name.unwrap().as_stored()), (None, None, "Shop"));
    assert_eq!(store.sessions().get(session).unwrap().phone, None);
}

fn every_edge_of_the_graph(cx: &Context) {
    let store = cx.store();
    for from in SessionStatus::ALL {
        for to in SessionStatus::ALL {
            let id = session_in(&store, &format!("{from} to {to}"), *from);
            let step = store.sessions().transition(id, *to).wait();
            if allowed_from(*from).contains(to) {
                let step = step.unwrap();
                assert_eq!((step.changed, step.from, step.session.status), (true, *from, *to));
            } else if from == to {
                assert!(!step.unwrap().changed);
            } else {
                let e = refused(step, Kind::InvalidTransition);
                assert_eq!((e.context("from"), e.context("to")), (Some(from.name()), Some(to.name())));
                assert!(e.context("allowed").is_some());
                assert_eq!(status(&store, id), *from, "a refused step changes nothing");
            }
        }
    }
}

fn a_transition_is_logged_in_the_same_commit(cx: &Context) {
    let (store, session) = cx.session();
    cx.pass(3);
    store.sessions().transition_because(session, Initializing, Some("start".into())).wait().unwrap();
    let page = store.sessions().logs(session, None, &PageRequest::default()).unwrap();
    let entry = &page.items[0];
    assert_eq!((entry.event.as_stored(), entry.created_at), ("session.status", at(3)));
    assert_eq!(entry.status.as_ref().unwrap(), &"initializing");
    let data = entry.data.as_ref().unwrap().value().unwrap();
    assert_eq!((data["from"].as_str(), data["reason"].as_str()), (Some("created"), Some("start")));
    refused(store.sessions().transition(session, Created).wait(), Kind::InvalidTransition);
    assert_eq!(events(&store, session).len(), 2, "a refused step is not logged");
}

fn the_same_status_again_is_no_step_but_a_new_qr_code_is(cx: &Context) {
    let store = cx.store();
    let ready = session_in(&store, "ready", Ready);
    let before = events(&store, ready).len();
    assert!(!store.sessions().transition(ready, Ready).wait().unwrap().changed);
    assert_eq!(events(&store, ready).len(), before);
    let qr = session_in(&store, "qr", QrReady);
    let before = events(&store, qr).len();
    assert!(store.sessions().transition(qr, QrReady).wait().unwrap().changed);
    assert_eq!(events(&store, qr).len(), before + 1);
}

fn becoming_ready_notes_the_time(cx: &Context) {
    let (store, session) = cx.session();
    store.sessions().transition(session, Initializing).wait().unwrap();
    cx.pass(7);
    let row = store.sessions().transition(session, Ready).wait().unwrap().session;
    assert_eq!(row.connected_at, Some(at(7)));
    assert_eq!(store.sessions().get(session).unwrap(), row);
}

fn of_many_threads_one_makes_the_step(cx: &Context) {
    let (store, session) = cx.session();
    let steps = in_threads(8, |_| store.sessions().transition(session, Initializing).wait().unwrap().changed);
    assert_eq!(steps.into_iter().filter(|changed| *changed).count(), 1);
    assert_eq!(events(&store, session).len(), 2);
}

fn restore_flips_what_only_a_live_engine_can_hold(cx: &Context) {
    let store = cx.store();
    let ids: Vec<_> = SessionStatus::ALL.iter().map(|s| (*s, session_in(&store, s.name(), *s))).collect();
    let restored: Vec<Uuid> = store.sessions().restore().wait().unwrap().iter().map(|s| s.id).collect();
    for (before, id) in ids {
        let runs = !matches!(before, Created | Failed);
        assert_eq!(restored.contains(&id), runs, "{before}");
        assert_eq!(status(&store, id), if runs { Disconnected } else { before }, "{before}");
        let flipped = runs && before != Disconnected;
        assert_eq!(events(&store, id)[0] == "session.status disconnected", flipped || before == Disconnected);
    }
    let again = store.sessions().restore().wait().unwrap();
    assert_eq!(again.len(), restored.len(), "a second restore answers the same sessions");
}

fn recreate_clears_the_credentials(cx: &Context) {
    let store = cx.store();
    let session = session_in(&store, "broken", Failed);
    let entry = AuthEntry { category: "creds".into(), key_id: "".into(), value: Some(vec![1]) };
    store.auth().set(session, vec![entry]).wait().unwrap();
    let state = SessionUpdate { auth_state: Some(Some(Json::default())), ..Default::default() };
    store.sessions().update(session, state).wait().unwrap();
    store.messages().save(session, incoming("A", "stays")).wait().unwrap();
    let row = store.sessions().recreate(session).wait().unwrap();
    assert_eq!((row.status, row.auth_state, row.connected_at), (Created, None, None));
    assert_eq!(store.auth().get(session, "creds", "").unwrap(), AuthValue::Missing);
    assert!(store.messages().find(session, "A").unwrap().is_some());
    assert_eq!(events(&store, session)[0], "session.recreated created");
    for status in SessionStatus::ALL.iter().filter(|s| **s != Failed) {
        let other = session_in(&store, status.name(), *status);
        refused(store.sessions().recreate(other).wait(), Kind::InvalidTransition);
    }
}

fn delete_removes_everything(cx: &Context) {
    let (store, session) = cx.session();
    let webhook = NewWebhook { url: "https://example.com/".into(), ..Default::default() };
    let webhook = store.webhooks().create(session, webhook).wait().unwrap().id;
    store.webhooks().begin(webhook, "k", "message.received").wait().unwrap();
    store.webhooks().log(webhook, Default::default()).wait().unwrap();
    let entry = AuthEntry { category: "creds".into(), key_id: "".into(), value: Some(vec![1]) };
    store.auth().set(session, vec![entry]).wait().unwrap();
    let contact = ContactChange { wa_contact_id: ALICE.into(), ..Default::default() };
    store.contacts().upsert(session, contact).wait().unwrap();
    store.contacts().learn_identity(session, ALICE_LID, ALICE).wait().unwrap();
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    store.messages().react(session, "A", ALICE, "👍", None).wait().unwrap();
    store.messages().ack(session, "later", 1).wait().unwrap();
    let messages = vec![NewBatchMessage { chat_id: ALICE.into(), ..Default::default() }];
    store
        .batches()
        .create(session, NewBatch { batch_id: "b".into(), messages, options: None })
        .wait()
        .unwrap();

    assert!(store.sessions().delete(session).wait().unwrap());
    assert!(!store.sessions().delete(session).wait().unwrap());
    let left: Vec<_> = store.status().unwrap().databases.into_iter().flat_map(|d| d.rows).collect();
    assert!(left.iter().all(|(_, rows)| *rows == 0), "{left:?}");
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    assert_eq!(store.webhooks().subscribed(session, WebhookEvent::MessageReceived).unwrap(), []);
}

fn the_log_is_read_newest_first_and_by_event(cx: &Context) {
    let (store, session) = cx.session();
    for i in 0..5 {
        cx.pass(1);
        let data = Some(Json::parse(format!("{{\"n\":{i}}}")).unwrap());
        store.sessions().log(session, if i % 2 == 0 { "even" } else { "odd" }, data).wait().unwrap();
    }
    let read = |event: Option<&str>, limit| {
        let event = event.map(Into::into);
        let rows = all_pages(limit, |r| store.sessions().logs(session, event.as_ref(), r));
        rows.into_iter().map(|l| l.event.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(read(None, 2), ["even", "odd", "even", "odd", "even", "session.created"]);
    assert_eq!(read(Some("odd"), 1), ["odd", "odd"]);
    refused_for(store.sessions().log(session, "x".repeat(101), None).wait(), "event");
}

fn what_does_not_exist_is_not_found(cx: &Context) {
    let store = cx.store();
    let nobody = Uuid::from_u128(7);
    refused(store.sessions().get(nobody), Kind::NotFound);
    refused(store.sessions().update(nobody, SessionUpdate::default()).wait(), Kind::NotFound);
    refused(store.sessions().transition(nobody, Ready).wait(), Kind::NotFound);
    refused(store.sessions().recreate(nobody).wait(), Kind::NotFound);
    refused(store.sessions().log(nobody, "x", None).wait(), Kind::NotFound);
}

fn restore_after_a_restart(cx: &Context) {
    let store = cx.store();
    let id = session_in(&store, "shop-1", Ready);
    store.close().unwrap();
    let store = cx.store();
    assert_eq!(status(&store, id), Ready, "nothing happens before the host asks");
    assert_eq!(store.sessions().restore().wait().unwrap()[0].id, id);
    assert_eq!(status(&store, id), Disconnected);
}
