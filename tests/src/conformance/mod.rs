//! One suite of named cases, run against every configuration of a store.
//!
//! A case sees the public API and a [`Context`], never an engine, so that the same sentence of the contract is
//! proved for each of them. Adding a case: write the function and name it in the `CASES` of its file (the
//! compiler tells of one that is forgotten). Cases that need data to outlive a store go to `PERSISTENT`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openwa_store::{
    Config, DataDatabase, Error, Kind, ManualClock, NewMessage, NewSession, PageRequest, Result, Store,
    StoreKey, Timestamp, Trace,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::postgres::{Place, Way};

pub mod audit;
pub mod auth;
pub mod batches;
pub mod changes;
pub mod contacts;
pub mod history;
pub mod identities;
pub mod key_admin;
pub mod keys;
pub mod maintenance;
pub mod messages;
pub mod paging;
pub mod retention;
pub mod secrets;
pub mod sessions;
pub mod store;
pub mod takeover;
pub mod text;
pub mod webhooks;

/// A case: its name and what it does. It fails by a panic.
pub type Case = (&'static str, fn(&Context));

/// The cases of one file.
pub struct Group {
    /// The file's name.
    pub name: &'static str,
    /// What holds for every store.
    pub cases: &'static [Case],
    /// What holds for every store whose data outlives it.
    pub persistent: &'static [Case],
}

macro_rules! groups {
    ($($file:ident),+) => {
        &[$(Group { name: stringify!($file), cases: $file::CASES, persistent: $file::PERSISTENT }),+]
    };
}

/// Every case there is.
pub const GROUPS: &[Group] = groups![
    store,
    sessions,
    messages,
    changes,
    history,
    paging,
    identities,
    contacts,
    webhooks,
    batches,
    auth,
    keys,
    key_admin,
    audit,
    text,
    retention,
    maintenance,
    secrets,
    takeover
];

/// A list of cases by the names of their functions.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), $name as fn(&$crate::conformance::Context))),*]
    };
}
use cases;

/// How stores are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// SQLite in files.
    SqliteFile,
    /// SQLite in files, with the secrets sealed.
    SqliteSealed,
    /// SQLite in memory.
    SqliteMemory,
    /// PostgreSQL, where the way says how.
    Postgres(Way),
}

impl Configuration {
    /// Every configuration there is.
    pub const ALL: &'static [Configuration] = &[
        Configuration::SqliteFile,
        Configuration::SqliteSealed,
        Configuration::SqliteMemory,
        Configuration::Postgres(Way::Partitioned),
        Configuration::Postgres(Way::Plain),
        Configuration::Postgres(Way::Bouncer),
    ];

    /// The name in the list of tests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Configuration::SqliteFile => "sqlite_file",
            Configuration::SqliteSealed => "sqlite_sealed",
            Configuration::SqliteMemory => "sqlite_memory",
            Configuration::Postgres(Way::Partitioned) => "postgres_partitioned",
            Configuration::Postgres(Way::Plain) => "postgres_plain",
            Configuration::Postgres(Way::Bouncer) => "postgres_bouncer",
        }
    }

    /// Whether data outlives the store, and a second store may open it.
    #[must_use]
    pub const fn persistent(self) -> bool {
        !matches!(self, Configuration::SqliteMemory)
    }
}

/// What a case works with: a place for stores and a clock that stands still until it is moved.
pub struct Context {
    /// The clock of every store that this context opens; it starts at [`START`].
    pub clock: Arc<ManualClock>,
    dir: Option<TempDir>,
    place: Option<Arc<Place>>,
    key: Option<StoreKey>,
    trace: Option<Trace>,
}

/// When every case begins: 2025-01-15T12:00:00.000Z.
pub const START: i64 = 1_736_942_400;

/// The instant `seconds` after the beginning.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(START + seconds).unwrap()
}

impl Context {
    /// A fresh context.
    #[must_use]
    pub fn new(configuration: Configuration) -> Self {
        let dir = configuration.persistent().then(|| tempfile::tempdir().unwrap());
        let place = match configuration {
            Configuration::Postgres(way) => Some(Arc::new(Place::migrated(way))),
            Configuration::SqliteFile | Configuration::SqliteSealed | Configuration::SqliteMemory => None,
        };
        let key = (configuration == Configuration::SqliteSealed).then(|| store_key(0));
        Context { clock: ManualClock::new(at(0)), dir, place, key, trace: None }
    }

    /// A context whose stores tell `trace` of every statement.
    #[must_use]
    pub fn traced(configuration: Configuration, trace: Trace) -> Self {
        Context { trace: Some(trace), ..Context::new(configuration) }
    }

    /// A context on a database that is there already.
    #[must_use]
    pub fn on(place: Arc<Place>, trace: Trace) -> Self {
        let dir = Some(tempfile::tempdir().unwrap());
        Context { clock: ManualClock::new(at(0)), dir, place: Some(place), key: None, trace: Some(trace) }
    }

    /// How this context opens stores.
    #[must_use]
    pub fn config(&self) -> Config {
        Config {
            dir: self.dir.as_ref().map(|d| d.path().to_owned()),
            data: self.place.as_ref().map(|p| DataDatabase::Postgres(p.postgres())).unwrap_or_default(),
            store_key: self.key.clone(),
            clock: Arc::<ManualClock>::clone(&self.clock),
            trace: self.trace.clone(),
            ..Config::in_memory()
        }
    }

    /// Opens the context's store; where data persists, a second call opens the same data again.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::open_with(self.config()).unwrap()
    }

    /// A store with one session.
    #[must_use]
    pub fn session(&self) -> (Store, Uuid) {
        let store = self.store();
        let session = new_session(&store, "shop-1");
        (store, session)
    }

    /// Whether the space of deleted messages stays with their table, for new ones.
    #[must_use]
    pub fn keeps_space(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.way == Way::Plain)
    }

    /// Lets `seconds` pass.
    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// A store key; each number is another one.
#[must_use]
pub fn store_key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

/// Creates a session.
#[must_use]
pub fn new_session(store: &Store, name: &str) -> Uuid {
    store.sessions().create(NewSession { name: name.into(), ..NewSession::default() }).wait().unwrap().id
}

/// A customer's phone address, as it is stored.
pub const ALICE: &str = "12025550143@s.whatsapp.net";
/// The same customer's LID.
pub const ALICE_LID: &str = "98765432101234@lid";
/// Another customer's phone address.
pub const BOB: &str = "12025550178@s.whatsapp.net";
/// A group.
pub const GROUP: &str = "120363400000000001@g.us";

/// An incoming text message of Alice.
#[must_use]
pub fn incoming(id: &str, body: &str) -> NewMessage {
    NewMessage {
        wa_message_id: Some(id.into()),
        chat_id: ALICE.into(),
        from_number: ALICE.into(),
        r#type: "text".into(),
        body: Some(body.into()),
        ..NewMessage::default()
    }
}

/// A message to Alice by the session's own account.
#[must_use]
pub fn outgoing(id: &str, body: &str) -> NewMessage {
    NewMessage { from_number: "me".into(), from_me: true, ..incoming(id, body) }
}

/// A page request for `limit` rows behind `after`.
#[must_use]
pub fn page_of(limit: u32, after: Option<String>) -> PageRequest {
    PageRequest { limit: Some(limit), after }
}

/// The error of a call that must fail in this way.
#[track_caller]
pub fn refused<T>(result: Result<T>, kind: Kind) -> Error {
    match result {
        Ok(_) => panic!("this should have been refused as {}", kind.name()),
        Err(e) => {
            assert_eq!(e.kind(), kind, "{e:?}");
            e
        }
    }
}

/// Checks that a call was refused as `InvalidArgument` because of `column`.
#[track_caller]
pub fn refused_for<T>(result: Result<T>, column: &str) {
    let e = refused(result, Kind::InvalidArgument);
    assert_eq!(e.context("column"), Some(column), "{e:?}");
}

/// Runs `work` in `n` threads at once, giving each its number, and collects the answers in that order.
pub fn in_threads<T: Send>(n: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let gate = std::sync::Barrier::new(n);
    std::thread::scope(|scope| {
        let start = |i| {
            let (gate, work) = (&gate, &work);
            scope.spawn(move || {
                gate.wait();
                work(i)
            })
        };
        let threads: Vec<_> = (0..n).map(start).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// Runs `main` while `n` threads do `work` over and over, each with its number and the number of the turn. They end with
/// `main`, also when that fails.
pub fn beside<T>(n: usize, work: impl Fn(usize, usize) + Sync, main: impl FnOnce() -> T) -> T {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let guard = Over(&over);
        for number in 0..n {
            let (over, work) = (&over, &work);
            scope.spawn(move || {
                (0..).take_while(|_| !over.load(Ordering::Relaxed)).for_each(|turn| work(number, turn));
            });
        }
        let out = main();
        drop(guard);
        out
    })
}

/// Every row of a paged list, read page by page.
pub fn all_pages<T>(limit: u32, read: impl Fn(&PageRequest) -> Result<openwa_store::Page<T>>) -> Vec<T> {
    let mut rows = Vec::new();
    let mut request = page_of(limit, None);
    loop {
        let page = read(&request).unwrap();
        assert!(page.items.len() <= limit as usize);
        rows.extend(page.items);
        match page.next {
            Some(next) => request.after = Some(next),
            None => return rows,
        }
    }
}
