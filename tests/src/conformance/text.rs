//! What text, JSON and bytes may hold: everything a JavaScript host can write.

use openwa_store::{Json, MessageFilter, NewMessage, NewSession, Store, Text};
use uuid::Uuid;

use super::{Case, Context, cases, incoming, refused_for};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    bodies_of_65_kilobytes,
    nul_lone_surrogates_and_the_escape_itself,
    utf16_extremes,
    the_empty_text_is_not_null,
    keys_may_hold_anything_too,
    numbers_over_2_to_the_53_keep_their_digits,
    json_keeps_surrogates_and_unknown_keys,
    limits_count_characters_and_name_the_column,
    empty_and_large_bytes,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![strange_text_outlives_the_store];

fn body(text: Text) -> NewMessage {
    NewMessage { body: Some(text), ..incoming("A", "") }
}

#[track_caller]
fn survives(store: &Store, session: Uuid, id: &str, units: &[u16]) {
    let message = NewMessage { wa_message_id: Some(id.into()), ..body(Text::from_utf16(units)) };
    store.messages().save(session, message).wait().unwrap();
    let read = store.messages().find(session, id).unwrap().unwrap().body.unwrap();
    assert_eq!(read.to_utf16(), units);
}

fn utf16(s: &str) -> Vec<u16> {
    s.encode_utf16().collect()
}

fn bodies_of_65_kilobytes(cx: &Context) {
    let (store, session) = cx.session();
    survives(&store, session, "ascii", &utf16(&"x".repeat(65_536)));
    survives(&store, session, "emoji", &utf16(&"😀".repeat(16_384)));
    let filter = MessageFilter { text: Some("xxxx".into()), ..Default::default() };
    assert_eq!(store.messages().count(session, &filter).unwrap(), 1);
}

fn nul_lone_surrogates_and_the_escape_itself(cx: &Context) {
    let (store, session) = cx.session();
    for (i, units) in [
        vec![0],
        vec![0x61, 0, 0x62],
        vec![0xD83D],
        vec![0xDE00, 0xD83D],
        vec![0xD83D, 0xDE00],
        vec![0xD83D, 0xD83D, 0xDE00],
        utf16("␛"),
        utf16("␛D83D"),
        utf16("␛0000 ␛241B ␛␛"),
        [utf16("␛"), vec![0xD83D], utf16("0000")].concat(),
    ]
    .iter()
    .enumerate()
    {
        survives(&store, session, &i.to_string(), units);
    }
}

fn utf16_extremes(cx: &Context) {
    let (store, session) = cx.session();
    let edges = [
        0, 1, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFEFF, 0xFFFD,
        0xFFFE, 0xFFFF,
    ];
    survives(&store, session, "each", &edges);
    survives(&store, session, "last", &utf16("\u{10FFFF}\u{10000}"));
}

fn the_empty_text_is_not_null(cx: &Context) {
    let (store, session) = cx.session();
    store.messages().save(session, incoming("A", "")).wait().unwrap();
    store.messages().save(session, NewMessage { body: None, ..incoming("B", "") }).wait().unwrap();
    let read = |id: &str| store.messages().find(session, id).unwrap().unwrap().body;
    assert_eq!((read("A"), read("B")), (Some("".into()), None));
}

fn keys_may_hold_anything_too(cx: &Context) {
    let store = cx.store();
    let odd = Text::from_utf16(&[0x61, 0, 0xD83D, 0x241B, 0x27, 0x22, 0x25]);
    let new = NewSession { name: odd.clone(), ..Default::default() };
    let session = store.sessions().create(new).wait().unwrap();
    assert_eq!(store.sessions().find(&odd).unwrap(), Some(session.clone()));
    let message = NewMessage { wa_message_id: Some(odd.clone()), ..incoming("", "x") };
    store.messages().save(session.id, message).wait().unwrap();
    assert!(store.messages().find(session.id, &odd).unwrap().is_some());
    assert!(store.messages().find(session.id, "a").unwrap().is_none());
}

fn stored_media(store: &Store, session: Uuid, json: &str) -> Json {
    let media = Some(Json::parse(json).unwrap());
    store.messages().save(session, NewMessage { media, ..incoming(json, "x") }).wait().unwrap();
    store.messages().find(session, json).unwrap().unwrap().media.unwrap()
}

fn numbers_over_2_to_the_53_keep_their_digits(cx: &Context) {
    let (store, session) = cx.session();
    for number in [
        "9007199254740993",
        "18446744073709551617",
        "-9223372036854775809",
        "0.1000000000000000055511151231257827",
    ] {
        let json = format!("{{\"n\":{number}}}");
        assert_eq!(stored_media(&store, session, &json).to_json(), json);
    }
}

fn json_keeps_surrogates_and_unknown_keys(cx: &Context) {
    let (store, session) = cx.session();
    for json in [
        r#"{"z":1,"a":{"m":[null,true,""]},"caption":"\ud83d"}"#,
        r#"{"caption":"a\u0000b","k\udc00":"␛D83D"}"#,
    ] {
        let (stored, wanted) = (stored_media(&store, session, json), Json::parse(json).unwrap());
        // By value: PostgreSQL orders keys in its own way.
        assert_eq!(stored, wanted);
        assert_eq!(Json::parse(stored.to_json().as_bytes()).unwrap(), wanted);
    }
}

fn limits_count_characters_and_name_the_column(cx: &Context) {
    let (store, session) = cx.session();
    let long = || Text::from("😀".repeat(256));
    for (column, bad) in [
        ("wa_message_id", NewMessage { wa_message_id: Some(long()), ..incoming("", "x") }),
        ("chat_id", NewMessage { chat_id: long(), ..incoming("A", "x") }),
        ("from_number", NewMessage { from_number: long(), ..incoming("A", "x") }),
        ("to_number", NewMessage { to_number: Some(long()), ..incoming("A", "x") }),
        ("type", NewMessage { r#type: "x".repeat(51).into(), ..incoming("A", "x") }),
    ] {
        refused_for(store.messages().save(session, bad).wait(), column);
    }
    let full = Text::from_utf16(&[vec![0xD83D, 0, 0x241B], utf16(&"ä😀".repeat(126))].concat());
    assert_eq!(full.chars(), 255);
    let fits =
        NewMessage { wa_message_id: Some(full), chat_id: "ä".repeat(255).into(), ..incoming("", "x") };
    store.messages().save(session, fits).wait().unwrap();
}

fn empty_and_large_bytes(cx: &Context) {
    let (store, session) = cx.session();
    for (id, raw) in [("A", vec![]), ("B", vec![0xFF; 300_000])] {
        let message = NewMessage { raw: Some(raw.clone()), ..incoming(id, "x") };
        store.messages().save(session, message).wait().unwrap();
        assert_eq!(store.messages().find(session, id).unwrap().unwrap().raw, Some(raw));
    }
}

fn strange_text_outlives_the_store(cx: &Context) {
    let (store, session) = cx.session();
    let units = [0x61, 0, 0xD83D, 0x241B];
    store.messages().save(session, body(Text::from_utf16(&units))).wait().unwrap();
    store.close().unwrap();
    let read = cx.store().messages().find(session, "A").unwrap().unwrap().body.unwrap();
    assert_eq!(read.to_utf16(), units);
}
