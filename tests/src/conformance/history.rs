//! History switched off, and history brought back by an engine's sync.

use openwa_store::entity::PendingKind;
use openwa_store::{Changed, Config, Json, NewMessage, NewSession, Outcome, SessionUpdate, Store};
use uuid::Uuid;

use super::{ALICE, Case, Context, at, cases, incoming, new_session};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    off_for_the_store_nothing_is_kept_but_new_is_told_once,
    off_for_one_session_the_others_go_on,
    either_name_switches_a_session_off,
    without_an_id_every_message_is_new,
    with_history_off_nothing_waits,
    a_message_stored_before_it_was_switched_off_is_not_new,
    a_refused_message_is_refused_with_history_off_too,
    backfill_is_made_at_the_messages_own_time,
    backfill_and_live_delivery_are_one_message,
    backfill_answers_each_message,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![what_was_seen_is_remembered_by_the_next_store];

fn off(cx: &Context) -> Store {
    Store::open_with(Config { history: false, ..cx.config() }).unwrap()
}

fn session_with(store: &Store, config: &str) -> Uuid {
    let config = Some(Json::parse(config).unwrap());
    let new = NewSession { name: config.as_ref().unwrap().as_stored().into(), config, ..Default::default() };
    store.sessions().create(new).wait().unwrap().id
}

fn save(store: &Store, session: Uuid, id: &str) -> Outcome {
    store.messages().save(session, incoming(id, "x")).wait().unwrap().outcome
}

fn kept(store: &Store, session: Uuid) -> u64 {
    store.messages().count(session, &Default::default()).unwrap()
}

fn off_for_the_store_nothing_is_kept_but_new_is_told_once(cx: &Context) {
    let store = off(cx);
    let session = new_session(&store, "shop-1");
    let saved = store.messages().save(session, incoming("A", "hello")).wait().unwrap();
    assert_eq!((saved.outcome, saved.outcome.is_new()), (Outcome::NotStored { new: true }, true));
    assert_eq!(saved.message.body.unwrap(), "hello", "the caller gets the row that would have been");
    assert_eq!(save(&store, session, "A"), Outcome::NotStored { new: false });
    assert_eq!(save(&store, session, "B"), Outcome::NotStored { new: true });
    assert_eq!((kept(&store, session), store.messages().find(session, "A").unwrap()), (0, None));
}

fn off_for_one_session_the_others_go_on(cx: &Context) {
    let store = cx.store();
    let (quiet, other) = (session_with(&store, r#"{"history":false}"#), new_session(&store, "other"));
    assert_eq!(save(&store, quiet, "A"), Outcome::NotStored { new: true });
    assert_eq!(save(&store, other, "A"), Outcome::Inserted);
    assert_eq!((kept(&store, quiet), kept(&store, other)), (0, 1));
}

fn either_name_switches_a_session_off(cx: &Context) {
    let store = cx.store();
    for (config, outcome) in [
        (r#"{"history":false}"#, Outcome::NotStored { new: true }),
        (r#"{"storeHistory":false}"#, Outcome::NotStored { new: true }),
        (r#"{"history":true}"#, Outcome::Inserted),
        (r#"{"storeHistory":null}"#, Outcome::Inserted),
        (r#"{"note":"history is kept"}"#, Outcome::Inserted),
    ] {
        assert_eq!(save(&store, session_with(&store, config), "A"), outcome, "{config}");
    }
}

fn without_an_id_every_message_is_new(cx: &Context) {
    let store = off(cx);
    let session = new_session(&store, "shop-1");
    for _ in 0..2 {
        let queued = NewMessage { wa_message_id: None, ..incoming("", "x") };
        let outcome = store.messages().save(session, queued).wait().unwrap().outcome;
        assert_eq!(outcome, Outcome::NotStored { new: true });
    }
}

fn with_history_off_nothing_waits(cx: &Context) {
    let store = cx.store();
    let session = session_with(&store, r#"{"history":false}"#);
    let messages = store.messages();
    assert_eq!(messages.ack(session, "A", 3).wait().unwrap(), Changed::Unchanged);
    assert_eq!(messages.revoke(session, "A", None).wait().unwrap(), Changed::Unchanged);
    assert_eq!(messages.react(session, "A", ALICE, "x", None).wait().unwrap(), Changed::Unchanged);
    for kind in [PendingKind::Ack, PendingKind::Revoke, PendingKind::Reaction] {
        assert_eq!(messages.waiting(session, kind).unwrap(), 0);
    }
}

fn a_message_stored_before_it_was_switched_off_is_not_new(cx: &Context) {
    let (store, session) = cx.session();
    assert_eq!(save(&store, session, "A"), Outcome::Inserted);
    let config = Some(Json::parse(r#"{"history":false}"#).unwrap());
    store.sessions().update(session, SessionUpdate { config, ..Default::default() }).wait().unwrap();
    assert_eq!(save(&store, session, "A"), Outcome::NotStored { new: false });
    assert_eq!(kept(&store, session), 1, "what is there stays");
}

fn a_refused_message_is_refused_with_history_off_too(cx: &Context) {
    let store = off(cx);
    let session = new_session(&store, "shop-1");
    let bad = NewMessage { ack: Some(9), ..incoming("A", "x") };
    super::refused_for(store.messages().save(session, bad).wait(), "ack");
    assert_eq!(save(&store, session, "A"), Outcome::NotStored { new: true });
}

fn old(id: &str, time: i64) -> NewMessage {
    NewMessage { wa_timestamp: Some(at(time)), ..incoming(id, "old") }
}

fn backfill_is_made_at_the_messages_own_time(cx: &Context) {
    let (store, session) = cx.session();
    let told = NewMessage { created_at: Some(at(-50)), ..old("B", -100) };
    store.messages().backfill(session, vec![old("A", -86_400), told, incoming("C", "x")]).wait().unwrap();
    let created = |id: &str| store.messages().find(session, id).unwrap().unwrap().created_at;
    assert_eq!((created("A"), created("B"), created("C")), (at(-86_400), at(-50), at(0)));
    store.messages().save(session, old("D", -86_400)).wait().unwrap();
    assert_eq!(created("D"), at(0), "a live delivery is made now, however old the message is");
}

fn backfill_and_live_delivery_are_one_message(cx: &Context) {
    let (store, session) = cx.session();
    assert_eq!(save(&store, session, "A"), Outcome::Inserted);
    let saved = store.messages().backfill(session, vec![old("A", -60), old("B", -60)]).wait().unwrap();
    assert_eq!(saved[0].as_ref().unwrap().outcome, Outcome::Unchanged);
    assert_eq!(saved[1].as_ref().unwrap().outcome, Outcome::Inserted);
    assert_eq!(save(&store, session, "B"), Outcome::Unchanged);
    assert_eq!(kept(&store, session), 2);
}

fn backfill_answers_each_message(cx: &Context) {
    let (store, session) = cx.session();
    let bad = NewMessage { chat_id: "".into(), ..old("B", -60) };
    let saved = store.messages().backfill(session, vec![old("A", -60), bad]).wait().unwrap();
    assert!(saved[0].is_ok());
    assert_eq!(saved[1].as_ref().unwrap_err().context("column"), Some("chat_id"));
}

fn what_was_seen_is_remembered_by_the_next_store(cx: &Context) {
    let store = off(cx);
    let session = new_session(&store, "shop-1");
    assert_eq!(save(&store, session, "A"), Outcome::NotStored { new: true });
    store.close().unwrap();
    assert_eq!(save(&off(cx), session, "A"), Outcome::NotStored { new: false });
}
