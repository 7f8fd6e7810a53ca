use serde_json::json;

use super::*;
use crate::entity::SessionStatus;
use crate::json::parse;
use crate::policy::address::ME;
use crate::policy::message::NewMessage;
use crate::time::Timestamp;

fn mapped(engine: Engine, event: &str, data: &Value) -> Vec<Change> {
    let mut out = Vec::new();
    assert!(changes(engine, event, data, &mut out), "{event} is known");
    out
}

fn message(engine: Engine, event: &str, data: &Value) -> NewMessage {
    let found = mapped(engine, event, data).into_iter().find_map(|c| match c {
        Change::Message { message, .. } => Some(*message),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no message in {data}"))
}

fn statuses(engine: Engine, event: &str, data: &Value) -> Vec<SessionStatus> {
    let of = |c: Change| if let Change::Status { status, .. } = c { Some(status) } else { None };
    mapped(engine, event, data).into_iter().filter_map(of).collect()
}

fn pairs(changes: &[Change]) -> usize {
    changes.iter().filter(|c| matches!(c, Change::Pair { .. })).count()
}

#[test]
fn engines_go_by_their_names_and_by_those_of_their_packages() {
    for (name, engine) in [
        ("baileys", Engine::Baileys),
        ("wwebjs", Engine::Wwebjs),
        ("whatsapp-web.js", Engine::Wwebjs),
        ("neonize", Engine::Neonize),
        ("whatsmeow", Engine::Neonize),
    ] {
        assert_eq!(name.parse::<Engine>().unwrap(), engine);
    }
    assert!("venom".parse::<Engine>().unwrap_err().to_string().contains("baileys, wwebjs, neonize"));
}

#[test]
fn events_come_in_three_forms_and_keep_their_order() {
    let object = json!({"t": 1, "session": "s", "event": "qr", "data": ["x"]});
    assert_eq!(events(&object).unwrap(), [Event { name: "qr", data: &json!(["x"]) }]);
    assert_eq!(events(&json!({"event": "ready"})).unwrap(), [Event { name: "ready", data: &Value::Null }]);

    let map = parse(r#"{"messages.upsert":{"messages":[]},"creds.update":{},"call":[]}"#).unwrap();
    let names = |v: &Value| events(v).unwrap().iter().map(|e| e.name.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&map), ["messages.upsert", "creds.update", "call"]);

    assert_eq!(names(&json!([object, map, {"event": "b"}])).len(), 5);
    assert_eq!(names(&json!([])), [""; 0]);
    assert_eq!(names(&json!({})), [""; 0]);
}

#[test]
fn what_is_no_event_is_refused_with_help() {
    for (bad, says) in [
        (json!(5), "must be an object"),
        (json!("messages.upsert"), "must be an object"),
        (json!(null), "must be an object"),
        (json!([[]]), "index=0"),
        (json!([{"event": "a"}, 1]), "index=1"),
        (json!({"event": 5}), "`event` must be"),
        (json!({"name": "qr", "data": []}), "\"name\""),
    ] {
        let error = events(&bad).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::InvalidArgument, "{bad}");
        assert!(error.to_string().contains(says) && error.message().contains("sock.ev.process"), "{error}");
    }
}

#[test]
fn unknown_events_are_reported_and_change_nothing() {
    for engine in Engine::ALL {
        let mut out = Vec::new();
        assert!(!changes(*engine, "something.new", &json!({"messages": []}), &mut out), "{engine}");
        assert!(out.is_empty());
    }
}

#[test]
fn baileys_learns_pairs_only_from_the_messages_of_others() {
    let upsert = |from_me: bool| {
        json!({"messages": [{"key": {"id": "A", "fromMe": from_me, "remoteJid": "1@lid",
            "remoteJidAlt": "12025550101:3@s.whatsapp.net", "participant": ""},
            "message": {"conversation": "x"}}]})
    };
    let theirs = mapped(Engine::Baileys, "messages.upsert", &upsert(false));
    assert_eq!(theirs[0], Change::Pair { lid: "1@lid".into(), pn: "12025550101@s.whatsapp.net".into() });
    assert_eq!(pairs(&mapped(Engine::Baileys, "messages.upsert", &upsert(true))), 0);
}

#[test]
fn baileys_messages_in_both_notations_are_the_same() {
    let raw = json!({"messages": [{"key": {"id": "A", "fromMe": true, "remoteJid": "1@g.us"},
        "participant": "20000000000100:7@lid", "reactions": [], "status": 4,
        "messageTimestamp": {"low": 1767600000, "high": 0, "unsigned": true},
        "message": {"documentMessage": {"fileLength": {"low": 7, "high": 0, "unsigned": true},
            "mediaKey": {"type": "Buffer", "data": "AA=="}}}}]});
    let plain = json!({"messages": [{"key": {"id": "A", "fromMe": true, "remoteJid": "1@g.us"},
        "participant": "20000000000100:7@lid", "status": "READ", "messageTimestamp": "1767600000",
        "message": {"documentMessage": {"fileLength": "7", "mediaKey": "AA=="}}}]});
    let one = message(Engine::Baileys, "messaging-history.set", &raw);
    assert_eq!(one, message(Engine::Baileys, "messaging-history.set", &plain));
    assert_eq!((one.ack, one.from_number.as_stored(), one.to_number), (Some(3), ME, None));
    assert_eq!(one.created_at, Timestamp::from_secs(1_767_600_000));
    assert_eq!(one.created_at, one.wa_timestamp);
}

#[test]
fn a_host_may_pass_the_encoded_message_along() {
    let upsert = |raw: Value| {
        json!({"messages": [{"key": {"id": "A", "fromMe": true, "remoteJid": "1@g.us"}, "raw": raw,
            "message": {"conversation": "x"}}]})
    };
    let raw = |v| message(Engine::Baileys, "messages.upsert", &upsert(v)).raw;
    assert_eq!(raw(json!("CgF4")), Some(vec![0x0a, 0x01, b'x']));
    assert_eq!((raw(json!("no base64!")), raw(json!("")), raw(json!(7))), (None, None, None));
}

#[test]
fn baileys_updates() {
    let updates = json!([
        {"key": {"id": "A"}, "update": {"status": 0, "messageStubParameters": ["421"]}},
        {"key": {"id": "B"}, "update": {"message": null, "messageStubType": "REVOKE", "key": {"id": "C"}}},
        {"key": {"id": "D"}, "update": {"messageTimestamp": 9,
            "message": {"editedMessage": {"message": {"extendedTextMessage": {"text": "new"}}}}}},
        {"key": {"id": "E"}, "update": {"starred": true}},
        {"key": {"id": "F"}, "update": {"status": "SOMETHING_NEW"}},
    ]);
    let at = Timestamp::from_secs(9);
    assert_eq!(
        mapped(Engine::Baileys, "messages.update", &updates),
        [
            Change::Ack { wa_message_id: "A".into(), ack: -1 },
            Change::Revoke { wa_message_id: "B".into(), at: None },
            Change::Edit { wa_message_id: "D".into(), body: Some("new".into()), at },
        ]
    );
}

#[test]
fn an_edit_that_was_merged_into_its_message_marks_the_message() {
    let upsert = json!({"messages": [{"key": {"id": "A", "remoteJid": "1@lid"}, "messageTimestamp": 9,
        "message": {"editedMessage": {"message": {"conversation": "new"}}}}]});
    let merged = message(Engine::Baileys, "messages.upsert", &upsert);
    assert_eq!((merged.body, merged.edited_at), (Some("new".into()), Timestamp::from_secs(9)));
}

#[test]
fn reactions_name_the_account_or_the_participant_or_the_chat() {
    let reactions = json!([
        {"key": {"id": "A"}, "reaction": {"key": {"fromMe": true, "participant": "9@lid"}, "text": "👍"}},
        {"key": {"id": "A"}, "reaction": {"key": {"participant": "1:2@lid", "remoteJid": "1@g.us"}, "text": ""}},
        {"key": {"id": "A"}, "reaction": {"key": {"participant": "", "remoteJid": "3@lid"}}},
    ]);
    let who =
        |c: Change| if let Change::Reaction { sender, emoji, .. } = c { Some((sender, emoji)) } else { None };
    let senders: Vec<_> =
        mapped(Engine::Baileys, "messages.reaction", &reactions).into_iter().filter_map(who).collect();
    assert_eq!(
        senders,
        [
            (AddressedTo::Me, "👍".into()),
            (AddressedTo::Other("1@lid".into()), "".into()),
            (AddressedTo::Other("3@lid".into()), "".into()),
        ]
    );
}

#[test]
fn groups_are_no_contacts_and_a_picture_that_only_changed_has_no_address() {
    let contacts = json!([
        {"id": "120363400000000000@g.us", "name": "group"},
        {"id": "1@lid", "imgUrl": "changed", "notify": "Ann"},
        {"id": "2@lid", "imgUrl": "https://pps/x", "verifiedName": "Shop"},
    ]);
    let found: Vec<_> = mapped(Engine::Baileys, "contacts.update", &contacts);
    let [Change::Contact(ann), Change::Contact(shop)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&ann.push_name, &ann.profile_pic_url, ann.is_my_contact), (&Some("Ann".into()), &None, None));
    assert_eq!(
        (&shop.push_name, &shop.profile_pic_url),
        (&Some("Shop".into()), &Some("https://pps/x".into()))
    );
}

#[test]
fn how_connections_move() {
    use SessionStatus::{Authenticating, Disconnected, Failed, Initializing, QrReady, Ready};
    let closed = |code: i64| json!({"connection": "close", "lastDisconnect": {"error": {"output": {"statusCode": code}}}});
    for (event, data, expected) in [
        ("connection.update", json!({"connection": "connecting"}), vec![Initializing]),
        ("connection.update", json!({"connection": "connecting", "qr": "2@x"}), vec![Initializing, QrReady]),
        ("connection.update", json!({"isNewLogin": true, "qr": null}), vec![Authenticating]),
        ("connection.update", json!({"connection": "open"}), vec![Ready]),
        ("connection.update", closed(428), vec![Disconnected]),
        ("connection.update", closed(515), vec![Disconnected]),
        ("connection.update", closed(401), vec![Failed]),
        ("connection.update", json!({"connection": "close"}), vec![Disconnected]),
        ("connection.update", json!({"isOnline": true}), vec![]),
    ] {
        assert_eq!(statuses(Engine::Baileys, event, &data), expected, "{data}");
    }
    for (event, data, expected) in [
        ("qr", json!(["2@x"]), QrReady),
        ("authenticated", json!([null]), Authenticating),
        ("ready", json!([]), Ready),
        ("disconnected", json!(["CONFLICT"]), Disconnected),
        ("disconnected", json!(["LOGOUT"]), Failed),
        ("auth_failure", json!(["no"]), Failed),
    ] {
        assert_eq!(statuses(Engine::Wwebjs, event, &data), [expected], "{event}");
    }
    for (event, data, expected) in [
        ("QREv", json!({"Codes": []}), QrReady),
        ("PairStatusEv", json!({"Status": "SUCCESS"}), Authenticating),
        ("PairStatusEv", json!({"Status": "ERROR"}), Failed),
        ("ConnectedEv", json!({"status": true}), Ready),
        ("DisconnectedEv", json!({}), Disconnected),
        ("LoggedOutEv", json!({"Reason": "LOGGED_OUT"}), Failed),
    ] {
        assert_eq!(statuses(Engine::Neonize, event, &data), [expected], "{event}");
    }
}

#[test]
fn the_account_is_learnt_from_what_names_it() {
    let pn = Some("12025550100@s.whatsapp.net".into());
    let creds = json!({"me": {"id": "12025550100:7@s.whatsapp.net", "lid": "9:7@lid", "name": "Shop"}});
    assert_eq!(
        mapped(Engine::Baileys, "creds.update", &creds),
        [Change::Account { pn: pn.clone(), lid: Some("9@lid".into()), push_name: Some("Shop".into()) }]
    );
    assert_eq!(mapped(Engine::Baileys, "creds.update", &json!({"nextPreKeyId": 5})), []);
    let pair = json!({"ID": {"User": "12025550100", "Server": "s.whatsapp.net"}, "Status": "SUCCESS"});
    let account = Change::Account { pn, lid: None, push_name: None };
    assert_eq!(mapped(Engine::Neonize, "PairStatusEv", &pair)[0], account);
    let info = json!([{"wid": {"_serialized": "12025550100@c.us"}}]);
    assert_eq!(mapped(Engine::Wwebjs, "ready", &info)[0], account);
}

#[test]
fn wwebjs_names_the_deleted_message_beside_the_deletion() {
    let after = json!([{"id": {"id": "DELETION"}, "protocolMessageKey": {"id": "DELETED"}}, null]);
    let expected = Change::Revoke { wa_message_id: "DELETED".into(), at: None };
    assert_eq!(mapped(Engine::Wwebjs, "message_revoke_everyone", &after), [expected]);
    let after = json!([{"id": {"id": "DELETED"}}, null]);
    let expected = Change::Revoke { wa_message_id: "DELETED".into(), at: None };
    assert_eq!(mapped(Engine::Wwebjs, "message_revoke_everyone", &after), [expected]);
}

#[test]
fn wwebjs_types_and_a_message_passed_by_itself() {
    let with = |r#type: &str| {
        json!({"id": {"id": "A", "remote": "1@c.us", "fromMe": false}, "type": r#type, "body": "b",
            "timestamp": 9, "from": "1@c.us", "location": {"name": "here"}})
    };
    for (given, kept, body) in [
        ("chat", "text", Some("b")),
        ("ptt", "voice", Some("b")),
        ("multi_vcard", "contact", Some("b")),
        ("list_response", "button_reply", Some("b")),
        ("groups_v4_invite", "group_invite", Some("b")),
        ("location", "location", Some("here")),
        ("ciphertext", "ciphertext", None),
        ("revoked", "revoked", None),
        ("something_new", "something_new", Some("b")),
    ] {
        let m = message(Engine::Wwebjs, "message", &with(given));
        assert_eq!((m.r#type.as_stored(), m.body.as_ref().map(crate::Text::as_stored)), (kept, body));
        assert_eq!(m.from_number, "1@s.whatsapp.net");
    }
}

#[test]
fn blocking_and_unblocking() {
    let blocked = |engine, event: &str, data: &Value| -> Vec<(String, Option<bool>)> {
        let of = |c| {
            if let Change::Contact(c) = c { Some((c.wa_contact_id.to_string(), c.is_blocked)) } else { None }
        };
        mapped(engine, event, data).into_iter().filter_map(of).collect()
    };
    let one = "1@lid".to_owned();
    let update = json!({"blocklist": ["1:2@lid", "5@g.us"], "type": "remove"});
    assert_eq!(blocked(Engine::Baileys, "blocklist.update", &update), [(one.clone(), Some(false))]);
    assert_eq!(
        blocked(Engine::Baileys, "blocklist.update", &json!({"blocklist": ["1@lid"], "type": "?"})),
        []
    );
    assert_eq!(blocked(Engine::Baileys, "blocklist.set", &update), [(one.clone(), Some(true))]);
    let change = json!({"JID": {"User": "1", "Server": "lid"}, "BlockAction": "BLOCK"});
    assert_eq!(blocked(Engine::Neonize, "BlocklistChangeEv", &change), [(one.clone(), Some(true))]);
    assert_eq!(blocked(Engine::Neonize, "BlocklistEv", &json!({"Changes": [change]})), [(one, Some(true))]);
}

#[test]
fn neonize_counts_only_the_receipts_of_the_other_side() {
    let receipt = |server: &str, r#type: &str| json!({"MessageSource": {"Chat": {"User": "1", "Server": server}}, "MessageIDs": ["A", "B"], "Type": r#type});
    let read = mapped(Engine::Neonize, "ReceiptEv", &receipt("lid", "READ"));
    assert_eq!(read[1], Change::Ack { wa_message_id: "B".into(), ack: 3 });
    for (server, r#type) in [("g.us", "READ"), ("lid", "READ_SELF"), ("lid", "RETRY")] {
        assert_eq!(mapped(Engine::Neonize, "ReceiptEv", &receipt(server, r#type)), []);
    }
}

#[test]
fn neonize_has_milliseconds_live_and_seconds_in_history() {
    let jid = |user: &str| json!({"User": user, "Server": "s.whatsapp.net"});
    let live = json!({"Info": {"ID": "A", "Timestamp": "1772442076999",
        "MessageSource": {"Chat": jid("1"), "Sender": jid("2"), "IsFromMe": true}}, "Message": {"conversation": "x"}});
    let m = message(Engine::Neonize, "MessageEv", &live);
    assert_eq!((m.wa_timestamp, m.ack, m.created_at), (Timestamp::from_secs(1_772_442_076), Some(1), None));
    let history = json!({"Data": {"conversations": [{"ID": "1@lid", "messages": [{"message": {
        "key": {"ID": "A", "remoteJID": "1@lid", "fromMe": true}, "messageTimestamp": "1772442076",
        "message": {"conversation": "x"}}}]}]}});
    let m = message(Engine::Neonize, "HistorySyncEv", &history);
    assert_eq!((m.wa_timestamp, m.ack), (Timestamp::from_secs(1_772_442_076), Some(1)));
    assert_eq!(m.created_at, m.wa_timestamp);
}

#[test]
fn lone_surrogates_and_nul_reach_the_message() {
    let data = parse(
        r#"{"messages":[{"key":{"id":"A","remoteJid":"1@lid"},"message":{"conversation":"a\ud83d\u0000"}}]}"#,
    )
    .unwrap();
    let body = message(Engine::Baileys, "messages.upsert", &data).body.unwrap();
    assert_eq!(body.to_utf16(), [0x61, 0xD83D, 0]);
}
