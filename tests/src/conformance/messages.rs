//! Saving messages: insert, deduplicate, merge, and what each save says it did.

use openwa_store::{Json, Kind, NewMessage, Outcome};
use uuid::Uuid;

use super::{
    ALICE, BOB, Case, Context, GROUP, at, cases, in_threads, incoming, new_session, outgoing, refused,
    refused_for,
};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    a_new_message_is_inserted,
    an_own_message_starts_at_ack_0_and_an_incoming_one_has_none,
    a_group_is_told_by_its_address,
    every_field_comes_back,
    a_second_delivery_is_unchanged,
    a_duplicate_never_overwrites,
    a_duplicate_fills_what_was_null,
    a_duplicate_raises_the_ack_and_never_lowers_it,
    a_placeholder_gets_its_content,
    a_placeholder_is_not_upgraded_by_other_people,
    a_placeholder_after_the_content_changes_nothing,
    a_deleted_delivery_carries_no_content,
    messages_without_a_whatsapp_id_never_collide,
    the_same_id_in_two_sessions_is_two_messages,
    save_many_answers_each_message,
    save_many_for_no_session_saves_nothing,
    a_message_delivered_by_many_threads_is_inserted_once,
    a_message_needs_its_session,
    a_message_needs_chat_sender_and_type,
    an_unknown_type_is_kept_as_it_came,
    media_is_checked_and_unknown_keys_are_kept,
    what_is_not_there_is_none,
    the_writers_time_is_now_unless_told,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![messages_outlive_the_store];

fn a_new_message_is_inserted(cx: &Context) {
    let (store, session) = cx.session();
    let saved = store.messages().save(session, incoming("A", "hello")).wait().unwrap();
    assert_eq!(saved.outcome, Outcome::Inserted);
    assert!(saved.outcome.is_new());
    assert_eq!(store.messages().get(saved.message.id).unwrap(), Some(saved.message.clone()));
    assert_eq!(store.messages().find(session, "A").unwrap(), Some(saved.message));
}

fn an_own_message_starts_at_ack_0_and_an_incoming_one_has_none(cx: &Context) {
    let (store, session) = cx.session();
    let own = store.messages().save(session, outgoing("A", "hi")).wait().unwrap();
    let other = store.messages().save(session, incoming("B", "hi")).wait().unwrap();
    assert_eq!((own.message.ack, other.message.ack), (Some(0), None));
}

fn a_group_is_told_by_its_address(cx: &Context) {
    let (store, session) = cx.session();
    let in_group = NewMessage { chat_id: GROUP.into(), ..incoming("A", "hi") };
    assert!(store.messages().save(session, in_group).wait().unwrap().message.is_group);
    assert!(!store.messages().save(session, incoming("B", "hi")).wait().unwrap().message.is_group);
}

fn every_field_comes_back(cx: &Context) {
    let (store, session) = cx.session();
    let new = NewMessage {
        to_number: Some(BOB.into()),
        media: Some(Json::parse(r#"{"mimetype":"image/png","filesize":12}"#).unwrap()),
        ack: Some(2),
        wa_timestamp: Some(at(-60)),
        created_at: Some(at(-30)),
        edited_at: Some(at(-20)),
        raw: Some(vec![0, 255, 7]),
        ..incoming("A", "caption")
    };
    let id = store.messages().save(session, new.clone()).wait().unwrap().message.id;
    let row = store.messages().get(id).unwrap().unwrap();
    assert_eq!((row.session_id, row.wa_message_id, row.chat_id), (session, new.wa_message_id, new.chat_id));
    assert_eq!((row.from_number, row.to_number, row.r#type), (new.from_number, new.to_number, new.r#type));
    assert_eq!((row.body, row.media, row.ack, row.raw), (new.body, new.media, new.ack, new.raw));
    assert_eq!((Some(row.wa_timestamp), Some(row.created_at)), (new.wa_timestamp, new.created_at));
    assert_eq!((row.edited_at, row.revoked_at), (new.edited_at, None));
}

fn a_second_delivery_is_unchanged(cx: &Context) {
    let (store, session) = cx.session();
    let first = store.messages().save(session, incoming("A", "hello")).wait().unwrap();
    cx.pass(5);
    let again = NewMessage { wa_timestamp: Some(at(0)), ..incoming("A", "hello") };
    let second = store.messages().save(session, again).wait().unwrap();
    assert_eq!((second.outcome, second.outcome.is_new()), (Outcome::Unchanged, false));
    assert_eq!(second.message, first.message, "a repeated delivery answers the row that is there");
    assert_eq!(store.messages().count(session, &Default::default()).unwrap(), 1);
}

fn a_duplicate_never_overwrites(cx: &Context) {
    let (store, session) = cx.session();
    let first = NewMessage { to_number: Some(BOB.into()), raw: Some(vec![1]), ..incoming("A", "first") };
    let first = store.messages().save(session, first).wait().unwrap().message;
    let other = NewMessage {
        r#type: "image".into(),
        to_number: Some(ALICE.into()),
        raw: Some(vec![2]),
        wa_timestamp: Some(at(99)),
        created_at: Some(at(-99)),
        from_me: true,
        ..incoming("A", "second")
    };
    let second = store.messages().save(session, other).wait().unwrap();
    assert_eq!(second.message.body, first.body);
    assert_eq!(second.message.raw, first.raw);
    assert_eq!((second.message.r#type, second.message.to_number), (first.r#type, first.to_number));
    assert_eq!(
        (second.message.wa_timestamp, second.message.created_at),
        (first.wa_timestamp, first.created_at)
    );
    assert_eq!((second.message.id, second.message.from_me), (first.id, false));
}

fn a_duplicate_fills_what_was_null(cx: &Context) {
    let (store, session) = cx.session();
    let bare = NewMessage { body: None, ..incoming("A", "") };
    store.messages().save(session, bare).wait().unwrap();
    let full = NewMessage {
        to_number: Some(BOB.into()),
        media: Some(Json::parse(r#"{"url":"https://example.com/a"}"#).unwrap()),
        raw: Some(vec![1, 2]),
        ..incoming("A", "caption")
    };
    let saved = store.messages().save(session, full.clone()).wait().unwrap();
    assert_eq!(saved.outcome, Outcome::Updated { upgraded: false });
    let row = store.messages().find(session, "A").unwrap().unwrap();
    assert_eq!(
        (row.body, row.media, row.raw, row.to_number),
        (full.body, full.media, full.raw, full.to_number)
    );
}

fn a_duplicate_raises_the_ack_and_never_lowers_it(cx: &Context) {
    let (store, session) = cx.session();
    for (given, outcome, kept) in [
        (Some(1), Outcome::Inserted, 1),
        (Some(3), Outcome::Updated { upgraded: false }, 3),
        (Some(2), Outcome::Unchanged, 3),
        (Some(-1), Outcome::Unchanged, 3),
        (None, Outcome::Unchanged, 3),
    ] {
        let saved = store.messages().save(session, NewMessage { ack: given, ..outgoing("A", "hi") });
        let saved = saved.wait().unwrap();
        assert_eq!((saved.outcome, saved.message.ack), (outcome, Some(kept)), "ack {given:?}");
    }
}

fn placeholder(id: &str) -> NewMessage {
    NewMessage { r#type: "ciphertext".into(), body: None, ..incoming(id, "") }
}

fn a_placeholder_gets_its_content(cx: &Context) {
    let (store, session) = cx.session();
    let first = store.messages().save(session, placeholder("A")).wait().unwrap();
    cx.pass(60);
    let content = store.messages().save(session, incoming("A", "at last")).wait().unwrap();
    assert_eq!(content.outcome, Outcome::Updated { upgraded: true });
    let row = store.messages().find(session, "A").unwrap().unwrap();
    assert_eq!((row.r#type.as_stored(), row.body.unwrap().as_stored()), ("text", "at last"));
    assert_eq!((row.id, row.created_at), (first.message.id, at(0)));
    let again = store.messages().save(session, incoming("A", "at last")).wait().unwrap();
    assert_eq!(again.outcome, Outcome::Unchanged, "it is upgraded once");
}

fn a_placeholder_is_not_upgraded_by_other_people(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().save(session, placeholder("A")).wait().unwrap();
    for stranger in [
        NewMessage { from_number: BOB.into(), ..incoming("A", "forged") },
        NewMessage { chat_id: GROUP.into(), ..incoming("A", "forged") },
    ] {
        let saved = store.messages().save(session, stranger).wait().unwrap();
        assert_eq!((saved.outcome, saved.message.body), (Outcome::Unchanged, None));
        assert_eq!(saved.message.r#type, "ciphertext");
    }
}

fn a_placeholder_after_the_content_changes_nothing(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().save(session, incoming("A", "hello")).wait().unwrap();
    let saved = store.messages().save(session, placeholder("A")).wait().unwrap();
    assert_eq!((saved.outcome, saved.message.r#type.as_stored()), (Outcome::Unchanged, "text"));
}

fn a_deleted_delivery_carries_no_content(cx: &Context) {
    let (store, session) = cx.session();
    let deleted = NewMessage { revoked_at: Some(at(-1)), raw: Some(vec![1]), ..incoming("A", "gone") };
    let row = store.messages().save(session, deleted).wait().unwrap().message;
    assert_eq!((row.body, row.raw, row.revoked_at), (None, None, Some(at(-1))));
}

fn messages_without_a_whatsapp_id_never_collide(cx: &Context) {
    let (store, session) = cx.session();
    let queued = NewMessage { wa_message_id: None, ..outgoing("", "same text") };
    for _ in 0..3 {
        let saved = store.messages().save(session, queued.clone()).wait().unwrap();
        assert_eq!(saved.outcome, Outcome::Inserted);
    }
    assert_eq!(store.messages().count(session, &Default::default()).unwrap(), 3);
    refused_for(store.messages().save(session, incoming("", "empty id")).wait(), "wa_message_id");
}

fn the_same_id_in_two_sessions_is_two_messages(cx: &Context) {
    let (store, one) = cx.session();
    let two = new_session(&store, "shop-2");
    for (session, body) in [(one, "to one"), (two, "to two")] {
        let saved = store.messages().save(session, incoming("A", body)).wait().unwrap();
        assert_eq!(saved.outcome, Outcome::Inserted);
    }
    assert_eq!(store.messages().find(one, "A").unwrap().unwrap().body.unwrap(), "to one");
    assert_eq!(store.messages().find(two, "A").unwrap().unwrap().body.unwrap(), "to two");
}

fn save_many_answers_each_message(cx: &Context) {
    let (store, session) = cx.session();
    let bad = NewMessage { ack: Some(9), ..incoming("B", "bad") };
    let batch = vec![incoming("A", "one"), bad, incoming("A", "one"), incoming("C", "three")];
    let saved = store.messages().save_many(session, batch).wait().unwrap();
    assert_eq!(saved[0].as_ref().unwrap().outcome, Outcome::Inserted);
    assert_eq!(saved[1].as_ref().unwrap_err().context("column"), Some("ack"));
    assert_eq!(saved[2].as_ref().unwrap().outcome, Outcome::Unchanged);
    assert_eq!(saved[3].as_ref().unwrap().outcome, Outcome::Inserted);
    assert_eq!(store.messages().count(session, &Default::default()).unwrap(), 2);
    assert_eq!(store.messages().save_many(session, vec![]).wait().unwrap().len(), 0);
}

fn save_many_for_no_session_saves_nothing(cx: &Context) {
    let store = cx.store();
    let nobody = Uuid::from_u128(7);
    refused(store.messages().save_many(nobody, vec![incoming("A", "x")]).wait(), Kind::NotFound);
    refused(store.messages().backfill(nobody, vec![incoming("A", "x")]).wait(), Kind::NotFound);
}

fn a_message_delivered_by_many_threads_is_inserted_once(cx: &Context) {
    let (store, session) = cx.session();
    for round in 0..20 {
        let id = format!("M{round}");
        let saves = in_threads(8, |_| store.messages().save(session, incoming(&id, "hello")).wait().unwrap());
        assert_eq!(saves.iter().filter(|s| s.outcome == Outcome::Inserted).count(), 1, "round {round}");
        assert_eq!(saves.iter().filter(|s| s.outcome == Outcome::Unchanged).count(), 7, "round {round}");
    }
}

fn a_message_needs_its_session(cx: &Context) {
    let store = cx.store();
    let e = refused(store.messages().save(Uuid::from_u128(7), incoming("A", "x")).wait(), Kind::NotFound);
    assert_eq!(e.context("id"), Some(Uuid::from_u128(7).to_string().as_str()));
}

fn a_message_needs_chat_sender_and_type(cx: &Context) {
    let (store, session) = cx.session();
    for (column, bad) in [
        ("chat_id", NewMessage { chat_id: "".into(), ..incoming("A", "x") }),
        ("from_number", NewMessage { from_number: "".into(), ..incoming("A", "x") }),
        ("type", NewMessage { r#type: "".into(), ..incoming("A", "x") }),
        ("ack", NewMessage { ack: Some(6), ..incoming("A", "x") }),
        ("ack", NewMessage { ack: Some(-2), ..incoming("A", "x") }),
        ("media", NewMessage { media: Some(Json::parse("[]").unwrap()), ..incoming("A", "x") }),
    ] {
        refused_for(store.messages().save(session, bad).wait(), column);
    }
    assert_eq!(store.messages().count(session, &Default::default()).unwrap(), 0);
}

fn an_unknown_type_is_kept_as_it_came(cx: &Context) {
    let (store, session) = cx.session();
    let new = NewMessage { r#type: "hologram".into(), ..incoming("A", "x") };
    store.messages().save(session, new).wait().unwrap();
    assert_eq!(store.messages().find(session, "A").unwrap().unwrap().r#type, "hologram");
}

fn media_is_checked_and_unknown_keys_are_kept(cx: &Context) {
    let (store, session) = cx.session();
    let media = |json: &str| NewMessage { media: Some(Json::parse(json).unwrap()), ..incoming("A", "x") };
    refused_for(store.messages().save(session, media(r#"{"mimetype":5}"#)).wait(), "media");
    let kept = r#"{"mimetype":"a/b","waveform":[1,2,3]}"#;
    store.messages().save(session, media(kept)).wait().unwrap();
    assert_eq!(store.messages().find(session, "A").unwrap().unwrap().media.unwrap().to_json(), kept);
}

fn what_is_not_there_is_none(cx: &Context) {
    let (store, session) = cx.session();
    assert_eq!(store.messages().get(Uuid::from_u128(7)).unwrap(), None);
    assert_eq!(store.messages().find(session, "A").unwrap(), None);
    assert_eq!(store.messages().reactions(session, "A").unwrap(), vec![]);
}

fn the_writers_time_is_now_unless_told(cx: &Context) {
    let (store, session) = cx.session();
    cx.pass(10);
    let row = store.messages().save(session, incoming("A", "x")).wait().unwrap().message;
    assert_eq!((row.created_at, row.wa_timestamp), (at(10), at(10)));
}

fn messages_outlive_the_store(cx: &Context) {
    let (store, session) = cx.session();
    let saved = store.messages().save(session, incoming("A", "hello")).wait().unwrap().message;
    store.close().unwrap();
    assert_eq!(cx.store().messages().find(session, "A").unwrap(), Some(saved));
}
