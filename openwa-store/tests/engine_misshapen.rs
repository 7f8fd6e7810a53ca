//! Whatever an engine's next version does to its events: nothing panics, and what is mapped stays well formed.

#![allow(clippy::unwrap_used)] // a test may fail

use openwa_store::engine::{AddressedTo, Change, Engine, changes, events};
use openwa_store::json;
use openwa_store::policy::address::normalize;
use serde_json::{Value, json as value};

const LOGS: [&str; 3] = ["baileys-small", "wwebjs-small", "neonize-small"];
/// Lines of each event that are taken apart; the small logs show every kind within a few.
const LINES_PER_EVENT: usize = 24;
/// Places of one line that are spoilt; history lines have thousands, which differ little.
const PLACES_PER_LINE: usize = 160;

fn lines(log: &str) -> Vec<Value> {
    let path = format!("{}/../tests/fixtures/{log}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| json::parse(l).unwrap()).collect()
}

/// JSON pointers to every value below `v`.
fn places(v: &Value, prefix: &str, out: &mut Vec<String>) {
    let mut child = |key: &str, v: &Value| {
        let place = format!("{prefix}/{}", key.replace('~', "~0").replace('/', "~1"));
        places(v, &place, out);
        out.push(place);
    };
    match v {
        Value::Object(fields) => fields.iter().for_each(|(k, v)| child(k, v)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| child(&i.to_string(), v)),
        _ => {}
    }
}

fn remove(data: &mut Value, place: &str) {
    let (parent, key) = place.rsplit_once('/').unwrap();
    match data.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.shift_remove(&key.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(items)) => drop(items.remove(key.parse().unwrap())),
        _ => panic!("nothing at {place}"),
    }
}

fn map(engine: Engine, name: &str, data: &Value) {
    let mut out = Vec::new();
    assert!(changes(engine, name, data, &mut out), "{engine} {name} is known");
    for change in &out {
        check(change);
    }
}

fn check(change: &Change) {
    let kept = |a: &openwa_store::Text| assert_eq!(normalize(a.as_stored()), a.as_stored());
    match change {
        Change::Pair { lid, pn } => {
            assert!(lid.as_stored().ends_with("@lid") && pn.as_stored().ends_with("@s.whatsapp.net"));
            kept(lid);
            kept(pn);
        }
        Change::Message { message, .. } => {
            assert!(message.wa_message_id.as_ref().is_some_and(|id| !id.is_empty()));
            assert!(!message.r#type.is_empty() && message.r#type.chars() <= 50);
            kept(&message.chat_id);
            kept(&message.from_number);
        }
        Change::Ack { ack, .. } => assert!((-1..=5).contains(ack)),
        Change::Reaction { sender: AddressedTo::Other(who), .. } => kept(who),
        Change::Contact(contact) => kept(&contact.wa_contact_id),
        _ => {}
    }
}

#[test]
fn spoilt_events_never_panic() {
    let wrong = [
        value!(null),
        value!(true),
        value!(-1),
        value!(1e300),
        value!(u64::MAX),
        value!(""),
        value!("x_:@"),
        value!([]),
        value!([[null]]),
        value!({}),
        value!({"message": {"message": []}}),
        value!({"low": 1}),
    ];
    for log in LOGS {
        let mut seen = std::collections::HashMap::<String, usize>::new();
        for (n, line) in lines(log).iter().enumerate() {
            let engine: Engine = line["engine"].as_str().unwrap().parse().unwrap();
            let name = events(line).unwrap()[0].name;
            let count = seen.entry(name.to_owned()).or_default();
            *count += 1;
            if *count > LINES_PER_EVENT {
                continue;
            }
            wrong.iter().for_each(|w| map(engine, name, w));
            let data = &line["data"];
            let mut all = Vec::new();
            places(data, "", &mut all);
            let step = all.len() / PLACES_PER_LINE + 1;
            for (i, place) in all.iter().enumerate().skip(n % step).step_by(step) {
                let mut spoilt = data.clone();
                *spoilt.pointer_mut(place).unwrap() = wrong[(i + n) % wrong.len()].clone();
                map(engine, name, &spoilt);
                let mut spoilt = data.clone();
                remove(&mut spoilt, place);
                map(engine, name, &spoilt);
            }
        }
    }
}

#[test]
fn every_event_of_the_logs_is_known_to_its_engine_only() {
    for log in LOGS {
        for line in lines(log) {
            let engine: Engine = line["engine"].as_str().unwrap().parse().unwrap();
            let name = events(&line).unwrap()[0].name;
            for other in Engine::ALL {
                let is_known = changes(*other, name, &value!(null), &mut Vec::new());
                // `call` is an event of two engines.
                assert!(is_known == (*other == engine) || name == "call", "{other} {name}");
            }
        }
    }
}
