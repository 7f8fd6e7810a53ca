//! One person, two addresses: a LID and a phone address, in every spelling.

use openwa_store::entity::Contact;
use openwa_store::{
    ContactChange, Kind, MessageFilter, NewMessage, NewSession, Outcome, PageRequest, Store, Text,
};
use uuid::Uuid;

use super::{
    ALICE, ALICE_LID, BOB, Case, Context, GROUP, at, cases, incoming, new_session, refused, refused_for,
};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    every_write_accepts_every_spelling,
    every_read_accepts_every_spelling,
    a_pair_moves_messages,
    a_pair_moves_reactions_and_the_later_one_stays,
    a_pair_makes_two_contacts_one,
    a_known_value_is_never_replaced_by_an_absent_one,
    a_contact_under_the_lid_alone_moves,
    a_merge_is_logged_once,
    learning_twice_changes_nothing,
    a_pair_without_rows_is_not_logged_as_a_merge,
    the_digits_of_a_lid_are_no_phone_number,
    a_pair_with_the_accounts_own_number_is_ignored,
    only_a_lid_and_a_phone_address_make_a_pair,
    groups_and_channels_stay_as_they_are,
    a_pair_concerns_its_own_session_only,
    a_lid_may_get_another_number,
    a_reaction_that_waited_under_the_lid_lands_on_the_phone_address,
    a_placeholder_under_the_lid_is_upgraded_under_the_phone_address,
    after_a_merge_there_is_one_chat,
    a_pair_needs_its_session,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![pairs_outlive_the_store];

/// Spellings of Alice's two addresses, to be used when the pair is known.
const SPELLINGS: [&str; 9] = [
    "12025550143@s.whatsapp.net",
    "12025550143@c.us",
    "12025550143:7@s.whatsapp.net",
    "12025550143_1:7@c.us",
    "+12025550143",
    "12025550143",
    "98765432101234@lid",
    "98765432101234:3@lid",
    "98765432101234:3@hosted.lid",
];

fn learn(store: &Store, session: Uuid) -> bool {
    store.contacts().learn_identity(session, ALICE_LID, ALICE).wait().unwrap()
}

fn from_lid(id: &str) -> NewMessage {
    NewMessage { chat_id: ALICE_LID.into(), from_number: ALICE_LID.into(), ..incoming(id, "x") }
}

fn contact(address: &str, name: Option<&str>, push_name: Option<&str>) -> ContactChange {
    ContactChange {
        wa_contact_id: address.into(),
        name: name.map(Text::from),
        push_name: push_name.map(Text::from),
        ..Default::default()
    }
}

fn contacts(store: &Store, session: Uuid) -> Vec<Contact> {
    store.contacts().list(session, &Default::default(), &PageRequest::default()).unwrap().items
}

fn merges(store: &Store, session: Uuid) -> usize {
    let event = "identity.merged".into();
    store.sessions().logs(session, Some(&event), &PageRequest::default()).unwrap().items.len()
}

fn every_write_accepts_every_spelling(cx: &Context) {
    let (store, session) = cx.session();
    learn(&store, session);
    for (i, spelling) in SPELLINGS.into_iter().enumerate() {
        let message = NewMessage {
            chat_id: spelling.into(),
            from_number: spelling.into(),
            to_number: Some(spelling.into()),
            ..incoming(&format!("M{i}"), "x")
        };
        let row = store.messages().save(session, message).wait().unwrap().message;
        assert_eq!((row.chat_id, row.from_number), (ALICE.into(), ALICE.into()), "{spelling}");
        assert_eq!(row.to_number.unwrap(), ALICE, "{spelling}");
        store.messages().react(session, "M0", spelling, format!("{i}"), None).wait().unwrap();
        store.contacts().upsert(session, contact(spelling, Some("Alice"), None)).wait().unwrap();
    }
    assert_eq!(store.messages().reactions(session, "M0").unwrap().len(), 1);
    assert_eq!(contacts(&store, session).len(), 1);
}

fn every_read_accepts_every_spelling(cx: &Context) {
    let (store, session) = cx.session();
    learn(&store, session);
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    store.contacts().upsert(session, contact(ALICE, Some("Alice"), None)).wait().unwrap();
    for spelling in SPELLINGS {
        let filter = MessageFilter { chat: Some(spelling.into()), ..Default::default() };
        let page = store.messages().list(session, &filter, &PageRequest::default()).unwrap();
        assert_eq!(page.items.len(), 1, "{spelling}");
        assert_eq!(store.messages().count(session, &filter).unwrap(), 1, "{spelling}");
        assert_eq!(store.messages().iterate(session, filter).count(), 1, "{spelling}");
        assert!(store.contacts().get(session, spelling).unwrap().is_some(), "{spelling}");
        assert_eq!(store.contacts().canonical(session, spelling).unwrap(), ALICE, "{spelling}");
    }
    for spelling in &SPELLINGS[1..] {
        store.contacts().upsert(session, contact(ALICE, Some("Alice"), None)).wait().unwrap();
        assert!(store.contacts().delete(session, *spelling).wait().unwrap(), "{spelling}");
    }
}

fn a_pair_moves_messages(cx: &Context) {
    let (store, session) = cx.session();
    let in_group = NewMessage { chat_id: GROUP.into(), ..from_lid("B") };
    let to_her = NewMessage { to_number: Some(ALICE_LID.into()), ..incoming("C", "x") };
    let to_her = NewMessage { chat_id: BOB.into(), from_number: BOB.into(), ..to_her };
    store.messages().save_many(session, vec![from_lid("A"), in_group, to_her]).wait().unwrap();
    assert!(learn(&store, session));
    let row = |id: &str| store.messages().find(session, id).unwrap().unwrap();
    assert_eq!((row("A").chat_id, row("A").from_number), (ALICE.into(), ALICE.into()));
    assert_eq!((row("B").chat_id, row("B").from_number), (GROUP.into(), ALICE.into()));
    assert_eq!((row("C").chat_id, row("C").to_number), (BOB.into(), Some(ALICE.into())));
}

fn a_pair_moves_reactions_and_the_later_one_stays(cx: &Context) {
    let (store, session) = cx.session();
    for (id, lid_time, pn_time) in [("A", Some(5), None), ("B", Some(5), Some(9)), ("C", Some(9), Some(5))] {
        store.messages().save(session, incoming(id, "x")).wait().unwrap();
        for (sender, emoji, time) in [(ALICE_LID, "lid", lid_time), (ALICE, "pn", pn_time)] {
            let Some(time) = time else { continue };
            store.messages().react(session, id, sender, emoji, Some(at(time))).wait().unwrap();
        }
    }
    learn(&store, session);
    for (id, emoji) in [("A", "lid"), ("B", "pn"), ("C", "lid")] {
        let rows = store.messages().reactions(session, id).unwrap();
        let seen: Vec<_> = rows.iter().map(|r| (r.sender.as_stored(), r.emoji.as_stored())).collect();
        assert_eq!(seen, [(ALICE, emoji)], "{id}");
    }
}

fn a_pair_makes_two_contacts_one(cx: &Context) {
    let (store, session) = cx.session();
    let blocked = ContactChange { is_blocked: Some(true), ..contact(ALICE_LID, None, Some("al")) };
    store.contacts().upsert(session, blocked).wait().unwrap();
    cx.pass(60);
    let mine = ContactChange { is_my_contact: Some(true), ..contact(ALICE, Some("Alice"), None) };
    store.contacts().upsert(session, mine).wait().unwrap();
    learn(&store, session);
    let rows = contacts(&store, session);
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(
        (row.wa_contact_id.as_stored(), row.phone.as_ref().unwrap().as_stored()),
        (ALICE, "12025550143")
    );
    assert_eq!((row.name.clone().unwrap(), row.push_name.clone().unwrap()), ("Alice".into(), "al".into()));
    assert_eq!((row.is_my_contact, row.is_blocked, row.created_at), (true, true, at(0)));
}

fn a_known_value_is_never_replaced_by_an_absent_one(cx: &Context) {
    let (store, session) = cx.session();
    store.contacts().upsert(session, contact(ALICE, Some("Alice"), Some("old"))).wait().unwrap();
    cx.pass(60);
    store.contacts().upsert(session, contact(ALICE_LID, None, Some("new"))).wait().unwrap();
    learn(&store, session);
    let row = contacts(&store, session).remove(0);
    assert_eq!((row.name.unwrap(), row.push_name.unwrap()), ("Alice".into(), "new".into()));
}

fn a_contact_under_the_lid_alone_moves(cx: &Context) {
    let (store, session) = cx.session();
    store.contacts().upsert(session, contact(ALICE_LID, Some("Alice"), None)).wait().unwrap();
    learn(&store, session);
    let row = contacts(&store, session).remove(0);
    assert_eq!(
        (row.wa_contact_id, row.phone, row.name.unwrap()),
        (ALICE.into(), Some("12025550143".into()), "Alice".into())
    );
}

fn a_merge_is_logged_once(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().save(session, from_lid("A")).wait().unwrap();
    learn(&store, session);
    learn(&store, session);
    let event = "identity.merged".into();
    let logs = store.sessions().logs(session, Some(&event), &PageRequest::default()).unwrap().items;
    assert_eq!(logs.len(), 1);
    let data = logs[0].data.as_ref().unwrap().value().unwrap();
    assert_eq!((data["lid"].as_str(), data["pn"].as_str()), (Some(ALICE_LID), Some(ALICE)));
}

fn learning_twice_changes_nothing(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().save(session, from_lid("A")).wait().unwrap();
    store.contacts().upsert(session, contact(ALICE_LID, Some("Alice"), None)).wait().unwrap();
    assert!(learn(&store, session));
    let state = || {
        let pairs = store.contacts().identities(session).unwrap();
        (store.messages().find(session, "A").unwrap(), contacts(&store, session), pairs)
    };
    let before = state();
    cx.pass(60);
    assert!(!learn(&store, session));
    let again = store.contacts().learn_identity(session, "98765432101234:9@lid", "12025550143:2@c.us");
    assert!(!again.wait().unwrap(), "another spelling is the same pair");
    assert_eq!(state(), before);
}

fn a_pair_without_rows_is_not_logged_as_a_merge(cx: &Context) {
    let (store, session) = cx.session();
    assert!(learn(&store, session), "the pair is news all the same");
    assert_eq!(merges(&store, session), 0);
    let pairs = store.contacts().identities(session).unwrap();
    assert_eq!((pairs[0].lid.as_stored(), pairs[0].pn.as_ref().unwrap().as_stored()), (ALICE_LID, ALICE));
}

fn the_digits_of_a_lid_are_no_phone_number(cx: &Context) {
    let (store, session) = cx.session();
    for lid in [ALICE_LID, "123456789:2@lid", "12025550100@hosted.lid"] {
        let row = store.contacts().upsert(session, contact(lid, Some("x"), None)).wait().unwrap();
        assert_eq!(row.phone, None, "{lid}");
    }
    let row = store.contacts().upsert(session, contact(GROUP, Some("x"), None)).wait().unwrap();
    assert_eq!(row.phone, None);
}

fn a_pair_with_the_accounts_own_number_is_ignored(cx: &Context) {
    let store = cx.store();
    let own = NewSession { name: "shop-1".into(), phone: Some("12025550143".into()), ..Default::default() };
    let session = store.sessions().create(own).wait().unwrap().id;
    store.messages().save(session, from_lid("A")).wait().unwrap();
    assert!(!learn(&store, session));
    assert_eq!(store.contacts().identities(session).unwrap(), []);
    assert_eq!(store.messages().find(session, "A").unwrap().unwrap().chat_id, ALICE_LID);
}

fn only_a_lid_and_a_phone_address_make_a_pair(cx: &Context) {
    let (store, session) = cx.session();
    let learn = |lid: &str, pn: &str| store.contacts().learn_identity(session, lid, pn).wait();
    for lid in [ALICE, GROUP, "", "98765432101234"] {
        refused_for(learn(lid, ALICE), "lid");
    }
    for pn in [ALICE_LID, GROUP, "", "x@s.whatsapp.net", "@s.whatsapp.net"] {
        refused_for(learn(ALICE_LID, pn), "pn");
    }
}

fn groups_and_channels_stay_as_they_are(cx: &Context) {
    let (store, session) = cx.session();
    for address in [GROUP, "120363500000000000@newsletter", "status@broadcast", "me"] {
        assert_eq!(store.contacts().canonical(session, address).unwrap(), address);
    }
}

fn a_pair_concerns_its_own_session_only(cx: &Context) {
    let (store, one) = cx.session();
    let two = new_session(&store, "shop-2");
    for session in [one, two] {
        store.messages().save(session, from_lid("A")).wait().unwrap();
    }
    learn(&store, one);
    assert_eq!(store.messages().find(one, "A").unwrap().unwrap().chat_id, ALICE);
    assert_eq!(store.messages().find(two, "A").unwrap().unwrap().chat_id, ALICE_LID);
}

fn a_lid_may_get_another_number(cx: &Context) {
    let (store, session) = cx.session();
    learn(&store, session);
    assert!(store.contacts().learn_identity(session, ALICE_LID, BOB).wait().unwrap());
    assert_eq!(store.contacts().canonical(session, ALICE_LID).unwrap(), BOB);
    assert_eq!(store.contacts().identities(session).unwrap().len(), 1);
}

fn a_reaction_that_waited_under_the_lid_lands_on_the_phone_address(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().react(session, "A", ALICE_LID, "👍", None).wait().unwrap();
    learn(&store, session);
    store.messages().react(session, "A", ALICE, "❤️", None).wait().unwrap();
    store.messages().save(session, incoming("A", "x")).wait().unwrap();
    let rows = store.messages().reactions(session, "A").unwrap();
    let seen: Vec<_> = rows.iter().map(|r| (r.sender.as_stored(), r.emoji.as_stored())).collect();
    assert_eq!(seen, [(ALICE, "❤️")]);
}

fn a_placeholder_under_the_lid_is_upgraded_under_the_phone_address(cx: &Context) {
    let (store, session) = cx.session();
    let placeholder = NewMessage { r#type: "ciphertext".into(), body: None, ..from_lid("A") };
    store.messages().save(session, placeholder).wait().unwrap();
    learn(&store, session);
    let saved = store.messages().save(session, incoming("A", "at last")).wait().unwrap();
    assert_eq!(saved.outcome, Outcome::Updated { upgraded: true });
}

fn after_a_merge_there_is_one_chat(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().save_many(session, vec![from_lid("A"), incoming("B", "x")]).wait().unwrap();
    let chats = || store.messages().chats(session, &PageRequest::default()).unwrap().items;
    assert_eq!(chats().len(), 2);
    learn(&store, session);
    let merged = chats();
    assert_eq!((merged.len(), merged[0].chat_id.as_stored(), merged[0].unread), (1, ALICE, 2));
}

fn a_pair_needs_its_session(cx: &Context) {
    let store = cx.store();
    let nobody = Uuid::from_u128(7);
    refused(store.contacts().learn_identity(nobody, ALICE_LID, ALICE).wait(), Kind::NotFound);
}

fn pairs_outlive_the_store(cx: &Context) {
    let (store, session) = cx.session();
    learn(&store, session);
    store.close().unwrap();
    assert_eq!(cx.store().contacts().canonical(session, ALICE_LID).unwrap(), ALICE);
}
