//! What happens to a message after, or before, it is stored: acks, edits, revokes, reactions.

use openwa_store::entity::PendingKind;
use openwa_store::{Changed, Kind, NewMessage, Store};
use uuid::Uuid;

use super::{ALICE, BOB, Case, Context, at, cases, incoming, new_session, outgoing, refused, refused_for};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    an_ack_only_rises,
    an_error_replaces_nothing_and_0_only,
    an_ack_outside_its_range_is_refused,
    an_ack_before_its_message_is_applied_with_it,
    an_edit_sets_body_and_time,
    the_edit_with_the_latest_time_wins,
    an_edit_before_its_message_is_applied_with_it,
    a_revoke_empties_the_message,
    a_revoke_is_final,
    a_revoke_forgets_that_there_was_an_edit,
    a_revoke_before_its_message_is_applied_with_it,
    a_reaction_is_set_replaced_and_withdrawn,
    reactions_of_several_people_stand_beside_each_other,
    reactions_before_their_message_are_applied_with_it,
    a_reaction_that_does_not_fit_is_refused_before_it_waits,
    everything_at_once_before_its_message,
    what_waited_is_applied_once,
    a_change_concerns_its_own_session_only,
    an_id_that_does_not_fit_cannot_wait,
    a_change_needs_its_session,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![what_waits_outlives_the_store];

fn stored(cx: &Context, message: NewMessage) -> (Store, Uuid) {
    let (store, session) = cx.session();
    store.messages().save(session, message).wait().unwrap();
    (store, session)
}

fn body(store: &Store, session: Uuid) -> Option<String> {
    store.messages().find(session, "A").unwrap().unwrap().body.map(|b| b.decode().into_owned())
}

fn waiting(store: &Store, session: Uuid) -> u64 {
    PendingKind::ALL.iter().map(|kind| store.messages().waiting(session, *kind).unwrap()).sum()
}

fn reactions(store: &Store, session: Uuid) -> Vec<(String, String)> {
    let rows = store.messages().reactions(session, "A").unwrap();
    rows.into_iter().map(|r| (r.sender.to_string(), r.emoji.to_string())).collect()
}

fn an_ack_only_rises(cx: &Context) {
    let (store, session) = stored(cx, outgoing("A", "hi"));
    for (ack, changed, kept) in [
        (0, Changed::Unchanged, 0),
        (1, Changed::Updated, 1),
        (3, Changed::Updated, 3),
        (2, Changed::Unchanged, 3),
        (3, Changed::Unchanged, 3),
        (0, Changed::Unchanged, 3),
        (4, Changed::Updated, 4),
        (5, Changed::Updated, 5),
    ] {
        assert_eq!(store.messages().ack(session, "A", ack).wait().unwrap(), changed, "{ack}");
        assert_eq!(store.messages().find(session, "A").unwrap().unwrap().ack, Some(kept), "{ack}");
    }
}

fn an_error_replaces_nothing_and_0_only(cx: &Context) {
    let (store, session) = cx.session();
    for (id, before, kept) in [("A", None, -1), ("B", Some(0), -1), ("C", Some(1), 1), ("D", Some(4), 4)] {
        store.messages().save(session, NewMessage { ack: before, ..incoming(id, "x") }).wait().unwrap();
        store.messages().ack(session, id, -1).wait().unwrap();
        assert_eq!(store.messages().find(session, id).unwrap().unwrap().ack, Some(kept), "{before:?}");
    }
    assert_eq!(store.messages().ack(session, "A", 0).wait().unwrap(), Changed::Unchanged);
    assert_eq!(store.messages().ack(session, "A", 1).wait().unwrap(), Changed::Updated);
}

fn an_ack_outside_its_range_is_refused(cx: &Context) {
    let (store, session) = stored(cx, outgoing("A", "hi"));
    for ack in [-2, 6, i64::MIN, i64::MAX] {
        refused_for(store.messages().ack(session, "A", ack).wait(), "ack");
    }
}

fn an_ack_before_its_message_is_applied_with_it(cx: &Context) {
    let (store, session) = cx.session();
    for (ack, changed) in [(1, Changed::Waiting), (3, Changed::Waiting), (2, Changed::Unchanged)] {
        assert_eq!(store.messages().ack(session, "A", ack).wait().unwrap(), changed, "{ack}");
    }
    assert_eq!(store.messages().waiting(session, PendingKind::Ack).unwrap(), 1);
    let saved = store.messages().save(session, outgoing("A", "hi")).wait().unwrap();
    assert_eq!(saved.message.ack, Some(3));
    assert_eq!(store.messages().find(session, "A").unwrap(), Some(saved.message));
    assert_eq!(waiting(&store, session), 0);
}

fn an_edit_sets_body_and_time(cx: &Context) {
    let (store, session) = stored(cx, incoming("A", "first"));
    let edited = store.messages().edit(session, "A", Some("second".into()), Some(at(5))).wait().unwrap();
    assert_eq!(edited, Changed::Updated);
    let row = store.messages().find(session, "A").unwrap().unwrap();
    assert_eq!((row.body.unwrap().as_stored(), row.edited_at), ("second", Some(at(5))));
    assert_eq!(row.wa_timestamp, at(0), "an edit does not move the message");
    let again = store.messages().edit(session, "A", Some("second".into()), Some(at(5))).wait().unwrap();
    assert_eq!(again, Changed::Unchanged);
    cx.pass(9);
    store.messages().edit(session, "A", None, None).wait().unwrap();
    let row = store.messages().find(session, "A").unwrap().unwrap();
    assert_eq!((row.body, row.edited_at), (None, Some(at(9))), "without a time it is now");
}

fn the_edit_with_the_latest_time_wins(cx: &Context) {
    let (store, session) = stored(cx, incoming("A", "first"));
    for (text, time, kept) in [("b", 20, "b"), ("a", 10, "b"), ("c", 20, "c"), ("d", 21, "d")] {
        store.messages().edit(session, "A", Some(text.into()), Some(at(time))).wait().unwrap();
        assert_eq!(body(&store, session).as_deref(), Some(kept), "{text} at {time}");
    }
}

fn an_edit_before_its_message_is_applied_with_it(cx: &Context) {
    let (store, session) = cx.session();
    for (text, time) in [("later", 20), ("earlier", 10)] {
        store.messages().edit(session, "A", Some(text.into()), Some(at(time))).wait().unwrap();
    }
    let saved = store.messages().save(session, incoming("A", "first")).wait().unwrap().message;
    assert_eq!((saved.body.unwrap().as_stored(), saved.edited_at), ("later", Some(at(20))));
    let replay = store.messages().save(session, incoming("A", "first")).wait().unwrap().message;
    assert_eq!(replay.body.unwrap(), "later", "a replay of the original does not undo the edit");
}

fn with_media(id: &str) -> NewMessage {
    let media = openwa_store::Json::parse(r#"{"url":"https://example.com/a"}"#).unwrap();
    NewMessage { media: Some(media), raw: Some(vec![1, 2]), ..incoming(id, "secret") }
}

fn a_revoke_empties_the_message(cx: &Context) {
    let (store, session) = stored(cx, with_media("A"));
    assert_eq!(store.messages().revoke(session, "A", Some(at(5))).wait().unwrap(), Changed::Updated);
    let row = store.messages().find(session, "A").unwrap().unwrap();
    assert_eq!((row.body, row.media, row.raw, row.revoked_at), (None, None, None, Some(at(5))));
    assert_eq!(row.r#type, "text", "the type stays");
}

fn a_revoke_is_final(cx: &Context) {
    let (store, session) = stored(cx, with_media("A"));
    store.messages().revoke(session, "A", Some(at(5))).wait().unwrap();
    let row = store.messages().find(session, "A").unwrap();
    let messages = store.messages();
    let late = messages.edit(session, "A", Some("back".into()), Some(at(9))).wait().unwrap();
    assert_eq!(late, Changed::Unchanged);
    assert_eq!(messages.revoke(session, "A", Some(at(1))).wait().unwrap(), Changed::Unchanged);
    messages.save(session, with_media("A")).wait().unwrap();
    let edited = NewMessage { edited_at: Some(at(8)), ..incoming("A", "edited") };
    messages.save(session, edited).wait().unwrap();
    assert_eq!(messages.find(session, "A").unwrap(), row);
}

fn a_revoke_forgets_that_there_was_an_edit(cx: &Context) {
    // Else the row would tell in which order the two came.
    let (store, session) = stored(cx, incoming("A", "x"));
    store.messages().edit(session, "A", Some("y".into()), Some(at(1))).wait().unwrap();
    store.messages().revoke(session, "A", Some(at(2))).wait().unwrap();
    assert_eq!(store.messages().find(session, "A").unwrap().unwrap().edited_at, None);
}

fn a_revoke_before_its_message_is_applied_with_it(cx: &Context) {
    let (store, session) = cx.session();
    assert_eq!(store.messages().revoke(session, "A", Some(at(5))).wait().unwrap(), Changed::Waiting);
    assert_eq!(store.messages().revoke(session, "A", Some(at(6))).wait().unwrap(), Changed::Unchanged);
    let row = store.messages().save(session, with_media("A")).wait().unwrap().message;
    assert_eq!((row.body, row.media, row.raw, row.revoked_at), (None, None, None, Some(at(5))));
}

fn a_reaction_is_set_replaced_and_withdrawn(cx: &Context) {
    let (store, session) = stored(cx, incoming("A", "x"));
    let react = |emoji: &str| store.messages().react(session, "A", ALICE, emoji, None).wait().unwrap();
    assert_eq!((react("👍"), react("👍")), (Changed::Updated, Changed::Unchanged));
    assert_eq!(reactions(&store, session), [(ALICE.to_owned(), "👍".to_owned())]);
    assert_eq!(react("❤️"), Changed::Updated);
    assert_eq!(reactions(&store, session), [(ALICE.to_owned(), "❤️".to_owned())]);
    assert_eq!((react(""), react("")), (Changed::Updated, Changed::Unchanged));
    assert_eq!(reactions(&store, session), []);
}

fn reactions_of_several_people_stand_beside_each_other(cx: &Context) {
    let (store, session) = stored(cx, incoming("A", "x"));
    for (sender, emoji, time) in [(BOB, "b", 3), ("me", "m", 1), (ALICE, "a", 2)] {
        store.messages().react(session, "A", sender, emoji, Some(at(time))).wait().unwrap();
    }
    let senders: Vec<_> = reactions(&store, session).into_iter().map(|(sender, _)| sender).collect();
    assert_eq!(senders, ["me", ALICE, BOB], "oldest first");
}

fn reactions_before_their_message_are_applied_with_it(cx: &Context) {
    let (store, session) = cx.session();
    for (sender, emoji) in [(ALICE, "1"), (BOB, "2"), (ALICE, "3"), ("me", "4"), ("me", "")] {
        store.messages().react(session, "A", sender, emoji, None).wait().unwrap();
    }
    assert_eq!(reactions(&store, session), []);
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    let mut applied = reactions(&store, session);
    applied.sort();
    assert_eq!(applied, [(ALICE.to_owned(), "3".to_owned()), (BOB.to_owned(), "2".to_owned())]);
}

fn a_reaction_that_does_not_fit_is_refused_before_it_waits(cx: &Context) {
    let (store, session) = cx.session();
    let long = "x".repeat(256);
    refused_for(store.messages().react(session, "A", ALICE, &long[..51], None).wait(), "emoji");
    refused_for(store.messages().react(session, "A", &*long, "👍", None).wait(), "sender");
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    refused_for(store.messages().react(session, "A", ALICE, &long[..51], None).wait(), "emoji");
}

fn everything_at_once_before_its_message(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().react(session, "A", BOB, "👍", None).wait().unwrap();
    store.messages().ack(session, "A", 2).wait().unwrap();
    store.messages().edit(session, "A", Some("edited".into()), Some(at(1))).wait().unwrap();
    assert_eq!(waiting(&store, session), 3);
    let row = store.messages().save(session, outgoing("A", "x")).wait().unwrap().message;
    assert_eq!((row.ack, row.body.unwrap().as_stored(), row.edited_at), (Some(2), "edited", Some(at(1))));
    assert_eq!(reactions(&store, session).len(), 1);
    assert_eq!(waiting(&store, session), 0);
}

fn what_waited_is_applied_once(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().react(session, "A", BOB, "👍", None).wait().unwrap();
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    store.messages().react(session, "A", BOB, "", None).wait().unwrap();
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    assert_eq!(reactions(&store, session), [], "a second delivery brings nothing back");
}

fn a_change_concerns_its_own_session_only(cx: &Context) {
    let (store, one) = stored(cx, outgoing("A", "x"));
    let two = new_session(&store, "shop-2");
    assert_eq!(store.messages().ack(two, "A", 3).wait().unwrap(), Changed::Waiting);
    assert_eq!(store.messages().revoke(two, "A", None).wait().unwrap(), Changed::Waiting);
    let row = store.messages().find(one, "A").unwrap().unwrap();
    assert_eq!((row.ack, row.revoked_at), (Some(0), None));
    assert_eq!(waiting(&store, one), 0);
}

fn an_id_that_does_not_fit_cannot_wait(cx: &Context) {
    let (store, session) = cx.session();
    for id in [String::new(), "x".repeat(256)] {
        refused_for(store.messages().ack(session, &id, 1).wait(), "wa_message_id");
        refused_for(store.messages().edit(session, &id, None, None).wait(), "wa_message_id");
        refused_for(store.messages().revoke(session, &id, None).wait(), "wa_message_id");
        refused_for(store.messages().react(session, &id, ALICE, "x", None).wait(), "wa_message_id");
    }
    assert_eq!(waiting(&store, session), 0);
}

fn a_change_needs_its_session(cx: &Context) {
    let store = cx.store();
    let nobody = Uuid::from_u128(7);
    refused(store.messages().ack(nobody, "A", 1).wait(), Kind::NotFound);
    refused(store.messages().edit(nobody, "A", None, None).wait(), Kind::NotFound);
    refused(store.messages().revoke(nobody, "A", None).wait(), Kind::NotFound);
    refused(store.messages().react(nobody, "A", ALICE, "x", None).wait(), Kind::NotFound);
}

fn what_waits_outlives_the_store(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().revoke(session, "A", Some(at(5))).wait().unwrap();
    store.close().unwrap();
    let store = cx.store();
    let row = store.messages().save(session, incoming("A", "x")).wait().unwrap().message;
    assert_eq!((row.body, row.revoked_at), (None, Some(at(5))));
}
