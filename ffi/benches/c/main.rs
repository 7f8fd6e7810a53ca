//! What the C interface costs: the same work through the functions of `openwa.h` and in Rust, in turn, in one run.
//!
//! `cargo bench -p openwa-ffi`; arguments: `--rounds N` (default 5), `--rows N` (default 50,000), `--only NAME` (part
//! of a row's name), `--side c|rust` (one side alone, for a profiler).

#![allow(clippy::expect_used)]

mod through_c;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use openwa_store::policy::permissions::Permission;
use openwa_store::{
    Ask, Config, MessageFilter, NewApiKey, NewMessage, NewSession, PageRequest, Store, Text, Timestamp, Uuid,
};

/// A message to be saved.
pub struct Sample {
    wa_message_id: String,
    chat_id: String,
    at: Timestamp,
}

/// 300 bytes of text.
pub const BODY: &str = "A text of three hundred bytes, as people write them when they have something to tell: where they are, \
     when they come, what they bring, whom they met on the way, what that one said, and why it took so long to \
     answer this time, although the telephone was lying right there on the table, between the cups and p";

fn samples(count: usize) -> Vec<Sample> {
    (0..count)
        .map(|i| Sample {
            wa_message_id: format!("3EB0{:016X}", (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            chat_id: format!("1202555{:04}@s.whatsapp.net", i * 7919 % 500),
            at: Timestamp::from_millis(1_767_600_000_000 + i as i64 * 1000).expect("time"),
        })
        .collect()
}

fn message(m: &Sample) -> NewMessage {
    NewMessage {
        wa_message_id: Some(m.wa_message_id.as_str().into()),
        chat_id: m.chat_id.as_str().into(),
        from_number: m.chat_id.as_str().into(),
        r#type: "text".into(),
        body: Some(BODY.into()),
        wa_timestamp: Some(m.at),
        ..NewMessage::default()
    }
}

/// A folder beside the build output, so that it is on a real disk, removed afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("c-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the benchmark");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn session(store: &Store) -> Uuid {
    let new = NewSession { name: "bench".into(), ..NewSession::default() };
    store.sessions().create(new).wait().expect("session").id
}

fn rate(work: impl FnOnce() -> usize) -> f64 {
    let start = Instant::now();
    let done = work();
    done as f64 / start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What the command line asks for.
struct Options {
    /// Part of the name of the rows to run.
    only: Option<String>,
    /// Runs one side alone, for a profiler: `c` or `rust`.
    side: Option<String>,
}

/// Runs both sides in turn, and prints their medians and the median of the ratios.
fn versus(
    options: &Options,
    rounds: usize,
    name: &str,
    goal: &str,
    mut c: impl FnMut() -> f64,
    mut rust: impl FnMut() -> f64,
) {
    if options.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
        return;
    }
    if let Some(side) = &options.side {
        let mut one = || if side == "c" { c() } else { rust() };
        println!("{name}, {side}: {:.0}/s", median((0..rounds).map(|_| one()).collect()));
        return;
    }
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (x, y) = (c(), rust());
        ratios.push(x / y);
        a.push(x);
        b.push(y);
    }
    println!("| {name} | {:.0}/s | {:.0}/s | {:.2} | {goal} |", median(a), median(b), median(ratios));
}

/// Saves every message from 64 threads; `save` makes one thread's way to save.
fn saves<S: FnMut(&Sample)>(messages: &[Sample], save: impl Fn() -> S + Sync) -> f64 {
    let next = AtomicUsize::new(0);
    rate(|| {
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    let mut save = save();
                    while let Some(m) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                        save(m);
                    }
                });
            }
        });
        messages.len()
    })
}

/// Reads every field of a row, as the C side does: text as the host gets it, not as it is stored. Ids stay ids, which only C
/// has as text.
fn touch(m: &openwa_store::entity::Message) -> usize {
    let text = |t: &Option<Text>| t.as_ref().map_or(0, |t| t.decode().len());
    let time = |t: &Option<Timestamp>| usize::from(t.is_some());
    let id = |id: &Uuid| usize::from(id.as_bytes()[15]);
    id(&m.id)
        + id(&m.session_id)
        + text(&m.wa_message_id)
        + m.chat_id.decode().len()
        + m.from_number.decode().len()
        + text(&m.to_number)
        + m.r#type.decode().len()
        + text(&m.body)
        + m.media.as_ref().map_or(0, |j| j.to_json().len())
        + usize::from(m.ack.is_some())
        + usize::from(m.from_me)
        + usize::from(m.is_group)
        + usize::from(m.wa_timestamp.millis() > 0)
        + usize::from(m.created_at.millis() > 0)
        + time(&m.edited_at)
        + time(&m.revoked_at)
        + m.raw.as_ref().map_or(0, Vec::len)
}

fn main() {
    let (mut rounds, mut rows) = (5, 50_000);
    let mut options = Options { only: None, side: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rounds" => rounds = args.next().and_then(|n| n.parse().ok()).expect("--rounds takes a number"),
            "--rows" => rows = args.next().and_then(|n| n.parse().ok()).expect("--rows takes a number"),
            "--only" => options.only = args.next(),
            "--side" => options.side = args.next(),
            _ => {} // what `cargo bench` adds
        }
    }
    let messages = samples(rows);
    println!("| work | through C | in Rust | ratio | at least |\n|---|---|---|---|---|");
    versus(
        &options,
        rounds,
        "save, 64 threads",
        "0.85",
        || {
            let folder = Folder::new("save-c");
            let store = through_c::Store::open(&folder.0);
            let session = store.session();
            saves(&messages, || store.saver(&session))
        },
        || {
            let folder = Folder::new("save-rust");
            let store = Store::open_with(Config::new(&folder.0)).expect("open");
            let session = session(&store);
            saves(&messages, || {
                |m: &Sample| {
                    store.messages().save(session, message(m)).wait().expect("saved");
                }
            })
        },
    );

    let folder = Folder::new("reads");
    let id = {
        let store = Store::open_with(Config::new(&folder.0)).expect("open");
        let id = session(&store);
        store.messages().save_many(id, messages.iter().map(message).collect()).wait().expect("saved");
        id
    };
    let (c, rust) =
        (through_c::Store::open(&folder.0), Store::open_with(Config::new(&folder.0)).expect("open"));
    let (chat, pages) = (messages[0].chat_id.as_str(), 400);
    // Short turns, and many: whoever else uses the machine then slows both sides alike.
    let turns = rounds * 20;
    let filter = MessageFilter { chat: Some(chat.into()), ..MessageFilter::default() };
    versus(
        &options,
        turns,
        "page of the 50 newest of a chat, every column (rows)",
        "0.85",
        || rate(|| c.pages(&id.to_string(), chat, pages)),
        || {
            rate(|| {
                let mut rows = 0;
                for _ in 0..pages {
                    let page = rust.messages().list(id, &filter, &PageRequest::default()).expect("page");
                    assert!(page.items.iter().map(touch).sum::<usize>() > 0);
                    rows += page.items.len();
                }
                rows
            })
        },
    );

    let keys: Vec<String> = (0..1000)
        .map(|i| {
            let new = NewApiKey { name: format!("key {i}").into(), ..NewApiKey::default() };
            rust.api_keys().create(new).wait().expect("key").key
        })
        .collect();
    let calls = 10_000;
    let ask = Ask { permission: Some(Permission::MessagesRead), ..Ask::default() };
    let in_rust = || {
        rate(|| {
            for i in 0..calls {
                assert!(rust.api_keys().authorize(&keys[i % keys.len()], &ask).expect("answer").is_allowed());
            }
            calls
        })
    };
    versus(
        &options,
        turns,
        "authorize, 1,000 keys (`openwa_api_keys_decide`)",
        "250,000/s",
        || rate(|| c.decide(&keys, calls)),
        in_rust,
    );
    versus(
        &options,
        turns,
        "authorize with the key's record (`openwa_api_keys_authorize`)",
        "",
        || rate(|| c.authorize(&keys, calls)),
        in_rust,
    );
}
