//! What a page of a chat costs as history grows, on both engines: the 50 newest, and 50 somewhere in the middle.

use std::time::{Duration, Instant};

use openwa_store::{MessageFilter, NewSession, PageRequest, Store, Timestamp, Uuid};
use openwa_tests::cluster::Cluster;
use openwa_tests::postgres::fill;

use crate::{Bench, Folder, Options, Random, quantile};

const PAGES: usize = 300;
/// How long the history is, which ends now.
const DAYS: u64 = 360;

pub fn run(options: &Options, cluster: &Cluster) {
    if !options.wants("pages") {
        return;
    }
    println!(
        "\n| messages, over 12 months | PostgreSQL, newest page | in the middle | SQLite, newest page | in the middle |"
    );
    println!("|---|---|---|---|---|");
    let sizes: &[u64] =
        if options.long { &[10_000, 100_000, 1_000_000, 10_000_000] } else { &[10_000, 100_000, 1_000_000] };
    for &size in sizes {
        let bench = Bench::new(cluster, "pages");
        let from = now().minus(Duration::from_secs(DAYS * 86_400));
        fill(&bench.database.sql(), bench.session, size, &from.to_string(), &format!("{DAYS} days"));
        let [newest, middle] = measure(&bench.store, bench.session, from);
        let (_folder, store, session) = sqlite(size, from);
        let [newest_there, middle_there] = measure(&store, session, from);
        println!(
            "| {size} | {newest:.2} ms | {middle:.2} ms | {newest_there:.2} ms | {middle_there:.2} ms |"
        );
    }
}

/// The same messages in SQLite.
fn sqlite(count: u64, from: Timestamp) -> (Folder, Store, Uuid) {
    let folder = Folder::new("pages-sqlite");
    let store = Store::open(folder.path()).expect("open");
    let new = NewSession { name: "bench".into(), ..NewSession::default() };
    let session = store.sessions().create(new).wait().expect("session").id;
    store.close().expect("close");
    let conn = openwa_tests::raw::open(folder.path(), openwa_store::entity::Database::Data);
    let seconds = DAYS * 86_400;
    let sql = format!(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -4000000;
         WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {count} - 1)
         INSERT INTO messages (id, session_id, wa_message_id, chat_id, from_number, type, body, from_me, is_group,
                               wa_timestamp, created_at)
         SELECT printf('01990000-0000-7000-8%03x-%012x', n >> 32, n & 4294967295), '{session}',
                printf('3EB0%016x', n * 2654435761 % 4294967296 * 65536 + n % 65536), chat, chat, 'text', printf('%.300c', 'x'), 0, 0,
                t, t
         FROM (SELECT n, printf('1202555%04d@s.whatsapp.net', n * 7919 % 500) AS chat,
                      strftime('%Y-%m-%dT%H:%M:%fZ', '{from}', '+' || (n * {seconds}.0 / {count}) || ' seconds') AS t
               FROM n);"
    );
    conn.execute_batch(&sql).expect("fill");
    drop(conn);
    let store = Store::open(folder.path()).expect("open");
    (folder, store, session)
}

/// Medians in milliseconds.
fn measure(store: &Store, session: Uuid, from: Timestamp) -> [f64; 2] {
    let mut random = Random(88_172_645_463_325_252);
    let middle = from.plus(Duration::from_secs(DAYS / 2 * 86_400));
    [None, Some(middle)].map(|until| {
        let mut took: Vec<Duration> = (0..PAGES)
            .map(|_| {
                let chat = format!("1202555{:04}@s.whatsapp.net", random.draw() % 500);
                let filter = MessageFilter { chat: Some(chat.into()), until, ..MessageFilter::default() };
                let request = PageRequest { limit: Some(50), after: None };
                let start = Instant::now();
                let page = store.messages().list(session, &filter, &request).expect("page");
                assert!(!page.items.is_empty());
                start.elapsed()
            })
            .collect();
        quantile(&mut took, 0.5)
    })
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("in range")).expect("in range")
}
