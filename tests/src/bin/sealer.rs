//! A process that works with the secrets of a store beside others. Keys are numbers; see `conformance::store_key`.
//!
//! * `sealer rotate DIR FROM TO`: opens the store with one key and changes to the other, then says `rotated`.
//! * `sealer seal DIR KEY`: opens a store in clear with a key, then says `sealed`.
//! * `sealer work DIR KEY NAME`: sets and reads credentials of session NAME until its input ends, and says how many.

#![allow(clippy::unwrap_used, reason = "a test program fails by a panic")]

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use openwa_store::{AuthEntry, AuthValue, Config, Store};
use openwa_tests::conformance::{new_session, store_key};

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let key = store_key(args[2].parse().unwrap());
    say("opening");
    let store = Store::open_with(Config { store_key: Some(key), ..Config::new(args[1]) }).unwrap();
    match args[..] {
        ["rotate", _, _, to] => {
            say("opened");
            store.rotate_store_key(&store_key(to.parse().unwrap()), false, None).unwrap();
            say("rotated");
        }
        ["seal", _, _] => say("sealed"),
        ["work", _, _, name] => say(&work(&store, name).to_string()),
        _ => panic!("unknown arguments {args:?}"),
    }
    store.close().unwrap();
}

fn work(store: &Store, name: &str) -> u32 {
    let session = new_session(store, name);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            over.store(true, Ordering::Relaxed);
        });
        say("working");
        let mut done = 0;
        while !over.load(Ordering::Relaxed) {
            let (key_id, value) = (format!("k{}", done % 20), format!("{name}-{done}").into_bytes());
            let entry = AuthEntry {
                category: "k".into(),
                key_id: key_id.as_str().into(),
                value: Some(value.clone()),
            };
            store.auth().set(session, vec![entry]).wait().unwrap();
            assert_eq!(store.auth().get(session, "k", key_id.as_str()).unwrap(), AuthValue::Found(value));
            done += 1;
        }
        done
    })
}
