//! Reading messages: pages in both orders, filters, counts, iteration, and the list of chats.

use std::collections::HashSet;

use openwa_store::entity::Message;
use openwa_store::{ContactChange, MessageFilter, NewMessage, Order, PageRequest, Store};
use uuid::Uuid;

use super::{
    ALICE, BOB, Case, Context, GROUP, all_pages, at, cases, incoming, new_session, outgoing, page_of,
    refused_for,
};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    newest_first_and_oldest_first_are_mirror_images,
    messages_of_the_same_instant_are_neither_lost_nor_repeated,
    a_page_holds_fifty_rows_unless_told,
    the_last_page_says_so,
    pages_are_stable_under_inserts_and_deletes,
    a_filter_narrows_list_count_and_iteration_alike,
    a_time_range_holds_its_start_and_not_its_end,
    text_is_found_anywhere_and_literally,
    iteration_crosses_pages,
    another_sessions_messages_never_show,
    a_bad_limit_or_cursor_is_refused,
    chats_come_newest_first_with_their_last_message,
    unread_counts_back_to_what_was_read_or_answered,
    chats_are_paged,
    chats_carry_the_contacts_name,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![a_cursor_outlives_the_store];

/// Seven messages, three of them at one instant.
fn seven(cx: &Context) -> (Store, Uuid) {
    let (store, session) = cx.session();
    for (i, time) in [5, 5, 5, 1, 9, 7, 3].into_iter().enumerate() {
        put(&store, session, NewMessage { wa_timestamp: Some(at(time)), ..incoming(&format!("M{i}"), "x") });
    }
    (store, session)
}

fn put(store: &Store, session: Uuid, message: NewMessage) -> Message {
    store.messages().save(session, message).wait().unwrap().message
}

fn ids(rows: &[Message]) -> Vec<String> {
    rows.iter().map(|m| m.wa_message_id.as_ref().unwrap().to_string()).collect()
}

fn pages(store: &Store, session: Uuid, filter: &MessageFilter, limit: u32) -> Vec<Message> {
    all_pages(limit, |request| store.messages().list(session, filter, request))
}

fn newest_first_and_oldest_first_are_mirror_images(cx: &Context) {
    let (store, session) = seven(cx);
    let newest = pages(&store, session, &MessageFilter::default(), 100);
    assert!(newest.windows(2).all(|w| w[0].wa_timestamp >= w[1].wa_timestamp));
    let mut oldest =
        pages(&store, session, &MessageFilter { order: Order::Oldest, ..Default::default() }, 100);
    oldest.reverse();
    assert_eq!(ids(&oldest), ids(&newest));
}

fn messages_of_the_same_instant_are_neither_lost_nor_repeated(cx: &Context) {
    let (store, session) = seven(cx);
    for order in [Order::Newest, Order::Oldest] {
        for chat in [None, Some(ALICE.into())] {
            let filter = MessageFilter { order, chat, ..Default::default() };
            let whole = ids(&pages(&store, session, &filter, 100));
            assert_eq!(whole.iter().collect::<HashSet<_>>().len(), 7);
            for limit in 1..7 {
                assert_eq!(ids(&pages(&store, session, &filter, limit)), whole, "{order:?} by {limit}");
            }
        }
    }
}

fn a_page_holds_fifty_rows_unless_told(cx: &Context) {
    let (store, session) = cx.session();
    let many = (0..60).map(|i| incoming(&format!("M{i}"), "x")).collect();
    store.messages().save_many(session, many).wait().unwrap();
    let page = store.messages().list(session, &Default::default(), &PageRequest::default()).unwrap();
    assert_eq!((page.items.len(), page.next.is_some()), (50, true));
}

fn the_last_page_says_so(cx: &Context) {
    let (store, session) = seven(cx);
    let full = store.messages().list(session, &Default::default(), &page_of(7, None)).unwrap();
    assert_eq!((full.items.len(), full.next), (7, None));
    let none = new_session(&store, "shop-2");
    let empty = store.messages().list(none, &Default::default(), &page_of(7, None)).unwrap();
    assert_eq!((empty.items.len(), empty.next), (0, None));
}

fn pages_are_stable_under_inserts_and_deletes(cx: &Context) {
    let (store, session) = seven(cx);
    let filter = MessageFilter::default();
    let before = ids(&pages(&store, session, &filter, 100));
    let first = store.messages().list(session, &filter, &page_of(3, None)).unwrap();
    for (i, time) in [100, 9, 5].into_iter().enumerate() {
        let late = NewMessage { wa_timestamp: Some(at(time)), ..incoming(&format!("late{i}"), "x") };
        put(&store, session, late);
    }
    let rest = store.messages().list(session, &filter, &page_of(100, first.next)).unwrap();
    let mut seen = ids(&first.items);
    seen.extend(ids(&rest.items).into_iter().filter(|id| !id.starts_with("late")));
    assert_eq!(seen, before, "each of the old rows once");
}

fn a_filter_narrows_list_count_and_iteration_alike(cx: &Context) {
    let (store, session) = cx.session();
    put(&store, session, incoming("in", "Hello Alice"));
    put(&store, session, outgoing("out", "hello back"));
    put(&store, session, NewMessage { chat_id: BOB.into(), from_number: BOB.into(), ..incoming("bob", "x") });
    put(&store, session, NewMessage { r#type: "image".into(), body: None, ..incoming("pic", "") });
    let base = MessageFilter::default;
    for (filter, expected) in [
        (base(), vec!["bob", "in", "out", "pic"]),
        (MessageFilter { chat: Some(ALICE.into()), ..base() }, vec!["in", "out", "pic"]),
        (MessageFilter { r#type: Some("image".into()), ..base() }, vec!["pic"]),
        (MessageFilter { from_me: Some(true), ..base() }, vec!["out"]),
        (MessageFilter { from_me: Some(false), ..base() }, vec!["bob", "in", "pic"]),
        (MessageFilter { text: Some("HELLO".into()), ..base() }, vec!["in", "out"]),
        (MessageFilter { text: Some("hello".into()), from_me: Some(false), ..base() }, vec!["in"]),
        (MessageFilter { chat: Some(GROUP.into()), ..base() }, vec![]),
    ] {
        let mut listed = ids(&pages(&store, session, &filter, 2));
        listed.sort();
        assert_eq!(listed, expected, "{filter:?}");
        assert_eq!(store.messages().count(session, &filter).unwrap(), expected.len() as u64, "{filter:?}");
        assert_eq!(store.messages().iterate(session, filter).count(), expected.len());
    }
}

fn a_time_range_holds_its_start_and_not_its_end(cx: &Context) {
    let (store, session) = seven(cx);
    for order in [Order::Newest, Order::Oldest] {
        let filter = MessageFilter { from: Some(at(3)), until: Some(at(7)), order, ..Default::default() };
        let mut found = ids(&pages(&store, session, &filter, 2));
        found.sort();
        assert_eq!(found, ["M0", "M1", "M2", "M6"]);
    }
}

fn text_is_found_anywhere_and_literally(cx: &Context) {
    let (store, session) = cx.session();
    for (id, body) in
        [("a", "100% sure"), ("b", "100 percent"), ("c", r"a_b\c"), ("d", "axb"), ("e", "x\0y␛z")]
    {
        put(&store, session, incoming(id, body));
    }
    for (text, expected) in [
        ("100%", vec!["a"]),
        ("a_b", vec!["c"]),
        (r"\", vec!["c"]),
        ("\0", vec!["e"]),
        ("␛", vec!["e"]),
        ("percent", vec!["b"]),
        ("nothing", vec![]),
    ] {
        let filter = MessageFilter { text: Some(text.into()), ..Default::default() };
        assert_eq!(ids(&pages(&store, session, &filter, 10)), expected, "{text:?}");
    }
}

fn iteration_crosses_pages(cx: &Context) {
    let (store, session) = cx.session();
    let many =
        (0..2100).map(|i| NewMessage { wa_timestamp: Some(at(i / 7)), ..incoming(&format!("M{i}"), "x") });
    store.messages().save_many(session, many.collect()).wait().unwrap();
    let filter = MessageFilter { order: Order::Oldest, ..Default::default() };
    let all: Vec<_> = store.messages().iterate(session, filter).map(Result::unwrap).collect();
    assert_eq!(all.iter().map(|m| m.id).collect::<HashSet<_>>().len(), 2100);
    assert!(all.windows(2).all(|w| w[0].wa_timestamp <= w[1].wa_timestamp));
}

fn another_sessions_messages_never_show(cx: &Context) {
    let (store, one) = seven(cx);
    let two = new_session(&store, "shop-2");
    put(&store, two, incoming("theirs", "x"));
    assert_eq!(ids(&pages(&store, two, &MessageFilter::default(), 100)), ["theirs"]);
    assert!(!ids(&pages(&store, one, &MessageFilter::default(), 100)).contains(&"theirs".to_owned()));
}

fn a_bad_limit_or_cursor_is_refused(cx: &Context) {
    let (store, session) = cx.session();
    let list = |request: &PageRequest| store.messages().list(session, &Default::default(), request);
    for limit in [0, 1001, u32::MAX] {
        refused_for(list(&page_of(limit, None)), "limit");
    }
    for cursor in ["", "x", "!!", "bm8", "LTk5OTk5OTk5OTk5OTk5OTk5L3g"] {
        refused_for(list(&page_of(1, Some(cursor.to_owned()))), "after");
        refused_for(store.messages().chats(session, &page_of(1, Some(cursor.to_owned()))), "after");
    }
}

fn chats_come_newest_first_with_their_last_message(cx: &Context) {
    let (store, session) = cx.session();
    for (id, chat, time) in [("a1", ALICE, 1), ("b1", BOB, 2), ("a2", ALICE, 3), ("g1", GROUP, 0)] {
        put(
            &store,
            session,
            NewMessage { chat_id: chat.into(), wa_timestamp: Some(at(time)), ..incoming(id, id) },
        );
    }
    let chats = store.messages().chats(session, &PageRequest::default()).unwrap().items;
    let seen: Vec<_> = chats.iter().map(|c| (c.chat_id.as_stored(), c.is_group)).collect();
    assert_eq!(seen, [(ALICE, false), (BOB, false), (GROUP, true)]);
    assert_eq!(ids(&chats.into_iter().map(|c| c.last_message).collect::<Vec<_>>()), ["a2", "b1", "g1"]);
}

fn unread_counts_back_to_what_was_read_or_answered(cx: &Context) {
    let (store, session) = cx.session();
    let unread = || store.messages().chats(session, &PageRequest::default()).unwrap().items[0].unread;
    let mut time = 0;
    let mut put = |message: NewMessage| {
        time += 1;
        let message = NewMessage { wa_timestamp: Some(at(time)), ..message };
        store.messages().save(session, message).wait().unwrap();
    };
    put(incoming("1", "x"));
    put(incoming("2", "x"));
    assert_eq!(unread(), 2);
    store.messages().ack(session, "1", 3).wait().unwrap();
    assert_eq!(unread(), 1, "one is read");
    put(outgoing("3", "answer"));
    assert_eq!(unread(), 0, "it is answered");
    put(incoming("4", "x"));
    assert_eq!(unread(), 1);
}

fn chats_are_paged(cx: &Context) {
    let (store, session) = cx.session();
    for i in 0..9 {
        let chat = format!("1202555{i:04}@s.whatsapp.net");
        let message = NewMessage { chat_id: chat.into(), wa_timestamp: Some(at(i / 3)), ..incoming("", "x") };
        put(&store, session, NewMessage { wa_message_id: Some(format!("M{i}").into()), ..message });
    }
    let read = |limit| all_pages(limit, |request| store.messages().chats(session, request));
    let whole: Vec<_> = read(100).into_iter().map(|c| c.chat_id).collect();
    assert_eq!(whole.len(), 9);
    for limit in [1, 2, 4] {
        let paged: Vec<_> = read(limit).into_iter().map(|c| c.chat_id).collect();
        assert_eq!(paged, whole, "by {limit}");
    }
}

fn chats_carry_the_contacts_name(cx: &Context) {
    let (store, session) = cx.session();
    put(&store, session, incoming("A", "x"));
    let name = || store.messages().chats(session, &PageRequest::default()).unwrap().items.remove(0).name;
    assert_eq!(name(), None);
    let named = |name: Option<&str>, push_name: &str| ContactChange {
        wa_contact_id: ALICE.into(),
        name: name.map(Into::into),
        push_name: Some(push_name.into()),
        ..Default::default()
    };
    store.contacts().upsert(session, named(None, "al")).wait().unwrap();
    assert_eq!(name().unwrap(), "al");
    store.contacts().upsert(session, named(Some("Alice"), "al")).wait().unwrap();
    assert_eq!(name().unwrap(), "Alice");
}

fn a_cursor_outlives_the_store(cx: &Context) {
    let (store, session) = seven(cx);
    let whole = ids(&pages(&store, session, &MessageFilter::default(), 100));
    let first = store.messages().list(session, &Default::default(), &page_of(4, None)).unwrap();
    store.close().unwrap();
    let rest = cx.store().messages().list(session, &Default::default(), &page_of(4, first.next)).unwrap();
    assert_eq!([ids(&first.items), ids(&rest.items)].concat(), whole);
}
