//! What sealing costs: credentials, which engines write at every message, sealed beside in clear.

use openwa_store::{AuthEntry, AuthValue, Config, NewSession, Store, StoreKey, Uuid};

use crate::{Folder, Options, Random, rate, single, versus};

/// Credentials of a session, and their size: a Signal session of a person is about a kilobyte.
const KEYS: usize = 2000;
const SIZE: usize = 1000;

fn open(folder: &Folder, key: Option<StoreKey>) -> (Store, Uuid) {
    let store = Store::open_with(Config { store_key: key, ..Config::new(folder.path()) }).expect("open");
    let new = NewSession { name: "bench".into(), ..NewSession::default() };
    let session = store.sessions().create(new).wait().expect("session").id;
    set(&store, session, &(0..KEYS).collect::<Vec<_>>());
    (store, session)
}

fn set(store: &Store, session: Uuid, keys: &[usize]) {
    let value = |n: usize| {
        let mut random = Random(n as u64 + 1);
        (0..SIZE).map(|_| random.draw().to_le_bytes()[0]).collect()
    };
    let entry = |n: &usize| AuthEntry {
        category: "session".into(),
        key_id: n.to_string().as_str().into(),
        value: Some(value(*n)),
    };
    store.auth().set(session, keys.iter().map(entry).collect()).wait().expect("set");
}

pub fn run(options: &Options) {
    let (sealed, clear) = (Folder::new("sealed"), Folder::new("clear"));
    let sealed = open(&sealed, Some(StoreKey::from_bytes([1; 32])));
    let clear = open(&clear, None);
    let one_by_one =
        |(store, session): &(Store, Uuid)| rate(|| (0..KEYS).map(|n| set(store, *session, &[n])).count());
    versus(
        options,
        "auth.set sealed, one at a time / in clear",
        0.9,
        || one_by_one(&sealed),
        || one_by_one(&clear),
    );
    let threads = |(store, session): &(Store, Uuid)| {
        rate(|| {
            std::thread::scope(|scope| {
                for t in 0..16 {
                    scope.spawn(move || (t..KEYS).step_by(16).for_each(|n| set(store, *session, &[n])));
                }
            });
            KEYS
        })
    };
    versus(options, "auth.set sealed, 16 threads / in clear", 0.8, || threads(&sealed), || threads(&clear));
    let get = |(store, session): &(Store, Uuid)| {
        rate(|| {
            let get = |n: usize| store.auth().get(*session, "session", n.to_string().as_str()).expect("get");
            (0..KEYS * 10).filter(|n| matches!(get(n % KEYS), AuthValue::Found(_))).count()
        })
    };
    versus(options, "auth.get sealed / in clear", 0.5, || get(&sealed), || get(&clear));
    let mut key = 1;
    single(options, "changing the key of 2,000 credentials", "rows/s", "", || {
        key += 1;
        let (store, _) = &sealed;
        rate(|| {
            store.rotate_store_key(&StoreKey::from_bytes([key; 32]), false, None).expect("rotated") as usize
        })
    });
}
