//! Laws of the store that hold for any sequence of calls.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeSet;

use openwa_store::entity::{Contact, Message, MessageReaction};
use openwa_store::{ContactChange, MessageFilter, NewMessage, Order, PageRequest, Store};
use openwa_tests::conformance::{
    ALICE, ALICE_LID, BOB, Configuration, Context, GROUP, all_pages, at, incoming, new_session,
};
use proptest::prelude::*;
use uuid::Uuid;

/// Something that happens to the message `A`.
#[derive(Clone, Debug)]
enum Event {
    Delivery { ack: Option<i64> },
    Placeholder,
    DeliveredEdited { time: i64 },
    DeliveredRevoked,
    Ack(i64),
    Edit { time: i64 },
    Revoke,
    Reaction { person: usize },
}

const REVOKED_AT: i64 = 500;

fn apply(store: &Store, session: Uuid, event: &Event) {
    let messages = store.messages();
    let base = || NewMessage {
        to_number: Some(BOB.into()),
        raw: Some(vec![1]),
        wa_timestamp: Some(at(0)),
        ..incoming("A", "original")
    };
    let save = |message| drop(messages.save(session, message).wait().unwrap());
    match event {
        Event::Delivery { ack } => save(NewMessage { ack: *ack, ..base() }),
        Event::Placeholder => {
            save(NewMessage {
                r#type: "ciphertext".into(),
                body: None,
                raw: None,
                to_number: None,
                ..base()
            });
        }
        // The times of edits differ: of two with the same time the last to arrive wins.
        Event::DeliveredEdited { time } => {
            let body = Some(format!("delivered edited at {time}").into());
            save(NewMessage { body, edited_at: Some(at(1000 + time)), ..base() });
        }
        Event::DeliveredRevoked => save(NewMessage { revoked_at: Some(at(REVOKED_AT)), ..base() }),
        Event::Ack(ack) => drop(messages.ack(session, "A", *ack).wait().unwrap()),
        Event::Edit { time } => {
            let body = Some(format!("edited at {time}").into());
            messages.edit(session, "A", body, Some(at(*time))).wait().unwrap();
        }
        Event::Revoke => drop(messages.revoke(session, "A", Some(at(REVOKED_AT))).wait().unwrap()),
        Event::Reaction { person } => {
            let sender = [ALICE, BOB, "me"][*person];
            messages.react(session, "A", sender, "👍", Some(at(1))).wait().unwrap();
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => prop::option::of(-1_i64..=5).prop_map(|ack| Event::Delivery { ack }),
        1 => Just(Event::Placeholder),
        1 => (0_i64..5).prop_map(|time| Event::DeliveredEdited { time }),
        1 => Just(Event::DeliveredRevoked),
        3 => (-1_i64..=5).prop_map(Event::Ack),
        3 => (0_i64..5).prop_map(|time| Event::Edit { time }),
        1 => Just(Event::Revoke),
        2 => (0_usize..3).prop_map(|person| Event::Reaction { person }),
    ]
}

/// Events with at least one that brings the content, in two orders.
fn two_orders() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    prop::collection::vec(event(), 0..10).prop_flat_map(|mut events| {
        events.push(Event::Delivery { ack: None });
        (Just(events.clone()), Just(events).prop_shuffle())
    })
}

fn end_of(events: &[Event]) -> (Message, Vec<MessageReaction>) {
    let cx = Context::new(Configuration::SqliteMemory);
    let store = cx.store();
    let session = new_session_with_id(&store);
    events.iter().for_each(|event| apply(&store, session, event));
    let row = store.messages().find(session, "A").unwrap().unwrap();
    (Message { id: Uuid::nil(), ..row }, store.messages().reactions(session, "A").unwrap())
}

/// A session whose id is the same in every store, so that rows can be compared.
fn new_session_with_id(store: &Store) -> Uuid {
    let id = Some(Uuid::from_u128(1));
    let new = openwa_store::NewSession { id, name: "shop-1".into(), ..Default::default() };
    store.sessions().create(new).wait().unwrap().id
}

const CHATS: [&str; 3] = [ALICE, BOB, GROUP];
const WORDS: [&str; 4] = ["hello", "HELLO world", "100%", ""];

/// Chat, type, direction, body and time by number: few values, so that there are many ties and matches.
type Row = (usize, bool, bool, usize, i64);

fn message(i: usize, (chat, image, from_me, body, time): Row) -> NewMessage {
    NewMessage {
        chat_id: CHATS[chat].into(),
        r#type: if image { "image" } else { "text" }.into(),
        from_me,
        wa_timestamp: Some(at(time)),
        ..incoming(&format!("M{i}"), WORDS[body])
    }
}

fn filter() -> impl Strategy<Value = MessageFilter> {
    let chat = prop::option::of(prop::sample::select(CHATS.to_vec()));
    let text = prop::option::of(prop::sample::select(vec!["hello", "100%", "o w", "nothing"]));
    let kind = prop::option::of(prop::sample::select(vec!["text", "image"]));
    let time = || prop::option::of(0_i64..8);
    let rest = (prop::option::of(any::<bool>()), any::<bool>());
    (chat, time(), time(), kind, text, rest).prop_map(|(chat, from, until, kind, text, (from_me, oldest))| {
        MessageFilter {
            chat: chat.map(Into::into),
            from: from.map(at),
            until: until.map(at),
            r#type: kind.map(Into::into),
            from_me,
            text: text.map(Into::into),
            order: if oldest { Order::Oldest } else { Order::Newest },
        }
    })
}

fn matches(filter: &MessageFilter, m: &Message) -> bool {
    let body = m.body.as_ref().unwrap().decode().to_ascii_lowercase();
    filter.chat.as_ref().is_none_or(|chat| m.chat_id == *chat)
        && filter.from.is_none_or(|from| m.wa_timestamp >= from)
        && filter.until.is_none_or(|until| m.wa_timestamp < until)
        && filter.r#type.as_ref().is_none_or(|kind| m.r#type == *kind)
        && filter.from_me.is_none_or(|from_me| m.from_me == from_me)
        && filter.text.as_ref().is_none_or(|text| body.contains(&*text.decode().to_ascii_lowercase()))
}

/// What happens around Alice, under her LID (`true`) or her phone address.
#[derive(Clone, Debug)]
enum Step {
    Message { lid: bool, in_group: bool },
    Reaction { lid: bool, to: usize },
    Contact { lid: bool },
    Ack { to: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), any::<bool>()).prop_map(|(lid, in_group)| Step::Message { lid, in_group }),
        (any::<bool>(), 0_usize..6).prop_map(|(lid, to)| Step::Reaction { lid, to }),
        any::<bool>().prop_map(|lid| Step::Contact { lid }),
        (0_usize..6).prop_map(|to| Step::Ack { to }),
    ]
}

fn take(store: &Store, session: Uuid, i: usize, step: &Step) {
    let alice = |lid: bool| if lid { ALICE_LID } else { ALICE };
    match *step {
        Step::Message { lid, in_group } => {
            let chat = if in_group { GROUP } else { alice(lid) };
            let message = NewMessage {
                chat_id: chat.into(),
                from_number: alice(lid).into(),
                ..incoming(&format!("M{i}"), "x")
            };
            store.messages().save(session, message).wait().unwrap();
        }
        Step::Reaction { lid, to } => {
            let (id, emoji) = (format!("M{to}"), i.to_string());
            store.messages().react(session, id, alice(lid), emoji, None).wait().unwrap();
        }
        // The two rows know different things: which of two names is newer, a row does not say.
        Step::Contact { lid } => {
            let mut change = ContactChange { wa_contact_id: alice(lid).into(), ..Default::default() };
            if lid {
                (change.push_name, change.is_blocked) = (Some(i.to_string().into()), Some(true));
            } else {
                (change.name, change.is_my_contact) = (Some(i.to_string().into()), Some(true));
            }
            store.contacts().upsert(session, change).wait().unwrap();
        }
        Step::Ack { to } => drop(store.messages().ack(session, format!("M{to}"), 2).wait().unwrap()),
    }
}

type End = (Vec<Message>, Vec<Vec<MessageReaction>>, Vec<Contact>);

/// Where everything ends when the pair is learned before step `learned`.
fn end_when_learned(steps: &[Step], learned: usize) -> End {
    let cx = Context::new(Configuration::SqliteMemory);
    let store = cx.store();
    let session = new_session_with_id(&store);
    for i in 0..=steps.len() {
        cx.pass(1);
        if i == learned {
            store.contacts().learn_identity(session, ALICE_LID, ALICE).wait().unwrap();
        }
        if let Some(step) = steps.get(i) {
            take(&store, session, i, step);
        }
    }
    let mut messages: Vec<Message> =
        store.messages().iterate(session, Default::default()).map(Result::unwrap).collect();
    messages.sort_by(|a, b| {
        a.wa_message_id.as_ref().unwrap().as_stored().cmp(b.wa_message_id.as_ref().unwrap().as_stored())
    });
    messages.iter_mut().for_each(|m| m.id = Uuid::nil());
    let reactions = (0..6).map(|to| store.messages().reactions(session, format!("M{to}")).unwrap()).collect();
    let mut contacts =
        store.contacts().list(session, &Default::default(), &PageRequest::default()).unwrap().items;
    contacts.iter_mut().for_each(|c| (c.id, c.updated_at) = (Uuid::nil(), at(0)));
    (messages, reactions, contacts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_the_row_ends_the_same((one, other) in two_orders()) {
        prop_assert_eq!(end_of(&one), end_of(&other));
    }

    #[test]
    fn whenever_a_pair_is_learned_the_rows_end_the_same(
        (steps, learned) in prop::collection::vec(step(), 1..14).prop_flat_map(|s| { let n = s.len(); (Just(s), 0..=n) }),
    ) {
        prop_assert_eq!(end_when_learned(&steps, learned), end_when_learned(&steps, 0));
    }

    #[test]
    fn pages_make_up_the_filtered_sorted_list(
        rows in prop::collection::vec((0_usize..3, any::<bool>(), any::<bool>(), 0_usize..4, 0_i64..8), 0..40),
        filters in prop::collection::vec(filter(), 4),
        limit in 1_u32..12,
    ) {
        let cx = Context::new(Configuration::SqliteMemory);
        let store = cx.store();
        let session = new_session(&store, "shop-1");
        let new = rows.iter().enumerate().map(|(i, row)| message(i, *row)).collect();
        let saved = store.messages().save_many(session, new).wait().unwrap();
        for filter in filters {
            let paged = all_pages(limit, |request| store.messages().list(session, &filter, request));
            let sorted = match filter.order {
                Order::Newest => paged.is_sorted_by(|a, b| a.wa_timestamp >= b.wa_timestamp),
                Order::Oldest => paged.is_sorted_by(|a, b| a.wa_timestamp <= b.wa_timestamp),
            };
            prop_assert!(sorted, "{:?}", filter);
            let expected: BTreeSet<Uuid> =
                saved.iter().map(|s| &s.as_ref().unwrap().message).filter(|m| matches(&filter, m)).map(|m| m.id).collect();
            prop_assert_eq!(paged.len(), expected.len(), "{:?}", filter);
            prop_assert_eq!(store.messages().count(session, &filter).unwrap(), expected.len() as u64);
            prop_assert_eq!(paged.iter().map(|m| m.id).collect::<BTreeSet<_>>(), expected, "{:?}", filter);
            prop_assert_eq!(all_pages(1000, |r| store.messages().list(session, &filter, r)), paged);
        }
    }
}
