//! Upkeep of the monthly partitions, on a server whose zone is not UTC.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use openwa_store::{
    Config, ManualClock, MessageFilter, NewMessage, Outcome, RetentionOptions, Store, Timestamp,
};
use openwa_tests::cluster::Sql;
use openwa_tests::conformance::{beside, in_threads, incoming, new_session};
use openwa_tests::postgres::{Place, Way, disagreements};
use tempfile::TempDir;
use uuid::Uuid;

/// A gateway: its own Main, the shared Data, a clock.
struct Gateway {
    dir: TempDir,
    clock: Arc<ManualClock>,
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

impl Gateway {
    fn new(now: &str) -> Self {
        Gateway { dir: tempfile::tempdir().unwrap(), clock: ManualClock::new(time(now)) }
    }

    fn open(&self, place: &Place) -> Store {
        let clock = Arc::<ManualClock>::clone(&self.clock);
        Store::open_with(Config { clock, ..place.config(self.dir.path()) }).unwrap()
    }
}

/// Names and bounds of the partitions, in UTC.
fn partitions(sql: &Sql) -> BTreeMap<String, String> {
    let rows = sql.rows(
        "SET timezone = 'UTC';
         SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'messages'::regclass",
    );
    rows.into_iter().map(|row| <[String; 2]>::try_from(row).unwrap().into()).collect()
}

/// How many messages each partition holds.
fn filled(sql: &Sql) -> BTreeMap<String, String> {
    let rows = sql.rows("SELECT tableoid::regclass::text, count(*) FROM messages GROUP BY 1");
    rows.into_iter().map(|row| <[String; 2]>::try_from(row).unwrap().into()).collect()
}

fn months(sql: &Sql) -> Vec<String> {
    partitions(sql).into_keys().filter(|name| name != "messages_default").collect()
}

/// A message stored at `then`.
fn of(id: &str, then: &str) -> NewMessage {
    NewMessage { wa_timestamp: Some(time(then)), created_at: Some(time(then)), ..incoming(id, "x") }
}

fn save(store: &Store, session: Uuid, message: NewMessage) {
    assert_eq!(store.messages().save(session, message).wait().unwrap().outcome, Outcome::Inserted);
}

/// Puts `count` messages of the month `year-month` into the default partition, as an older writer would have.
fn into_default(sql: &Sql, session: Uuid, month: &str, count: u32) {
    sql.run(&format!(
        "WITH new AS (
           INSERT INTO messages (id, session_id, wa_message_id, chat_id, from_number, type, body, from_me, is_group,
                                 wa_timestamp, created_at)
           SELECT gen_random_uuid(), '{session}', '{month}-' || n, '12025550143@s.whatsapp.net',
                  '12025550143@s.whatsapp.net', 'text', 'x', false, false, t, t
           FROM (SELECT n, '{month}-01T00:00:00Z'::timestamptz + n * interval '1 minute' AS t
                 FROM generate_series(1, {count}) n) rows
           RETURNING session_id, wa_message_id, id, created_at)
         INSERT INTO message_ids (session_id, wa_message_id, message_id, created_at) SELECT * FROM new"
    ));
}

#[test]
fn opening_makes_this_month_and_three_more() {
    let place = Place::empty(Way::Partitioned);
    Gateway::new("2025-11-30T23:59:59.999Z").open(&place).close().unwrap();
    let found = partitions(&place.sql());
    let month = |name: &str, from: &str, to: &str| {
        assert_eq!(found[name], format!("FOR VALUES FROM ('{from} 00:00:00+00') TO ('{to} 00:00:00+00')"));
    };
    month("messages_y2025m11", "2025-11-01", "2025-12-01");
    month("messages_y2025m12", "2025-12-01", "2026-01-01");
    month("messages_y2026m01", "2026-01-01", "2026-02-01");
    month("messages_y2026m02", "2026-02-01", "2026-03-01");
    assert_eq!(found["messages_default"], "DEFAULT");
}

#[test]
fn the_month_is_utcs_at_the_last_millisecond_of_the_year() {
    let (place, gateway) = (Place::empty(Way::Partitioned), Gateway::new("2025-12-31T23:59:59.999Z"));
    assert_eq!(place.sql().value("SHOW timezone"), "America/Sao_Paulo");
    let store = gateway.open(&place);
    let session = new_session(&store, "shop-1");
    save(&store, session, incoming("last", "x"));
    gateway.clock.advance(Duration::from_millis(1));
    save(&store, session, incoming("first", "x"));
    // Three hours later the new year begins in the server's zone.
    gateway.clock.advance(Duration::from_secs(3 * 3600 - 1));
    save(&store, session, incoming("second", "x"));
    let sql = place.sql();
    let of = |name: &str| sql.column(&format!("SELECT wa_message_id FROM {name} ORDER BY created_at"));
    assert_eq!(of("messages_y2025m12"), ["last"]);
    assert_eq!(of("messages_y2026m01"), ["first", "second"]);
    // The same border, met by a store that opens at it.
    for (now, month) in
        [("2026-07-31T23:59:59.999Z", "messages_y2026m10"), ("2026-08-01T00:00:00.000Z", "messages_y2026m11")]
    {
        Gateway::new(now).open(&place).close().unwrap();
        assert_eq!(months(&sql).last().unwrap(), month);
    }
}

#[test]
fn the_past_gets_its_months_on_demand() {
    let (place, gateway) = (Place::empty(Way::Partitioned), Gateway::new("2025-03-15T12:00:00Z"));
    let store = gateway.open(&place);
    let session = new_session(&store, "shop-1");
    let days =
        ["2023-02-28T23:59:59.999Z", "2023-03-01T00:00:00Z", "2024-02-29T12:00:00Z", "2025-03-01T00:00:00Z"];
    let history = days.iter().enumerate().map(|(n, day)| of(&n.to_string(), day)).collect();
    let answers = store.messages().backfill(session, history).wait().unwrap();
    assert!(answers.into_iter().all(|a| a.unwrap().outcome == Outcome::Inserted));
    let filled: Vec<_> = filled(&place.sql()).into_keys().collect();
    assert_eq!(filled, ["messages_y2023m02", "messages_y2023m03", "messages_y2024m02", "messages_y2025m03"]);
}

#[test]
fn rows_that_wait_in_the_default_partition_are_moved() {
    let (place, gateway) = (Place::empty(Way::Partitioned), Gateway::new("2025-01-15T12:00:00Z"));
    let store = gateway.open(&place);
    let session = new_session(&store, "shop-1");
    let sql = place.sql();
    into_default(&sql, session, "2025-06", 500);
    into_default(&sql, session, "2025-12", 5);
    assert_eq!(filled(&sql)["messages_default"], "505");
    // The next month of this gateway is June.
    gateway.clock.set(time("2025-05-20T12:00:00Z"));
    gateway.open(&place).close().unwrap();
    let now = filled(&sql);
    assert_eq!((now["messages_y2025m06"].as_str(), now["messages_default"].as_str()), ("500", "5"));
    assert!(months(&sql).iter().any(|name| name == "messages_y2025m08"));
    // A store that was open all the time sees them, and knows them when they come again.
    assert_eq!(store.messages().count(session, &MessageFilter::default()).unwrap(), 505);
    let again = store.messages().save(session, of("2025-06-7", "2025-06-01T00:07:00Z")).wait().unwrap();
    assert_eq!(again.outcome, Outcome::Unchanged);
    assert_eq!(disagreements(&sql), Vec::<Vec<String>>::new());
    // Every index of the parent is on the new partition, and on the one that was away for a moment.
    let indexes = |table: &str| {
        sql.number(&format!("SELECT count(*) FROM pg_index WHERE indrelid = '{table}'::regclass"))
    };
    assert_eq!(indexes("messages_y2025m06"), indexes("messages"));
    assert_eq!(indexes("messages_default"), indexes("messages"));
}

#[test]
fn any_number_of_processes_may_move_them_while_others_write() {
    let (place, gateway) = (Place::empty(Way::Partitioned), Gateway::new("2025-01-15T12:00:00Z"));
    let store = gateway.open(&place);
    let session = new_session(&store, "shop-1");
    let sql = place.sql();
    into_default(&sql, session, "2025-06", 20_000);
    let slowest = Mutex::new(Duration::ZERO);
    let write = |thread: usize, turn: usize| {
        let begun = Instant::now();
        save(&store, session, incoming(&format!("{thread}-{turn}"), "x"));
        assert!(store.messages().find(session, "2025-06-1").unwrap().is_some());
        let mut slowest = slowest.lock().unwrap();
        *slowest = (*slowest).max(begun.elapsed());
    };
    beside(4, write, || {
        let movers: Vec<Gateway> = (0..4).map(|_| Gateway::new("2025-05-20T12:00:00Z")).collect();
        in_threads(movers.len(), |i| movers[i].open(&place).close().unwrap());
    });
    let slowest = slowest.into_inner().unwrap();
    assert!(slowest < Duration::from_secs(10), "a writer waited for {slowest:?}");
    let now = filled(&sql);
    assert_eq!(now["messages_y2025m06"], "20000");
    assert_eq!(now.get("messages_default"), None);
    assert_eq!(disagreements(&sql), Vec::<Vec<String>>::new());
}

#[test]
fn old_months_are_dropped_while_others_insert() {
    let (place, gateway) = (Place::empty(Way::Partitioned), Gateway::new("2025-06-15T12:00:00Z"));
    let store = gateway.open(&place);
    let session = new_session(&store, "shop-1");
    // March and April are out of the window of 30 days altogether, May in part.
    for (month, count) in [("03", 700), ("04", 300), ("05", 31)] {
        let day = |n: u32| of(&format!("{month}-{n}"), &format!("2025-{month}-{:02}T00:00:00Z", 1 + n % 30));
        let history = (0..count).map(day).collect();
        let answers = store.messages().backfill(session, history).wait().unwrap();
        assert!(answers.into_iter().all(|a| a.unwrap().outcome == Outcome::Inserted));
    }
    store.messages().react(session, "03-1", "12025550178@s.whatsapp.net", "👍", None).wait().unwrap();
    store.accept_retention().unwrap();
    let sql = place.sql();
    let write = |thread: usize, turn: usize| {
        save(&store, session, incoming(&format!("{thread}-{turn}"), "x"));
        assert!(store.messages().find(session, "05-29").unwrap().is_some());
    };
    let report = beside(4, write, || store.run_retention(&RetentionOptions::default(), None).unwrap());
    // Of May, the days before the 16th at noon: two rows of the 1st and one of each other day.
    assert!(report.tables.contains(&("messages", 700 + 300 + 17)), "{report:?}");
    let now = filled(&sql);
    assert_eq!(now["messages_y2025m05"], "14");
    let left = months(&sql);
    assert!(!left.iter().any(|name| name == "messages_y2025m03" || name == "messages_y2025m04"), "{left:?}");
    assert_eq!(disagreements(&sql), Vec::<Vec<String>>::new());
    assert_eq!(sql.number("SELECT count(*) FROM message_reactions"), 0);
    // What went does not come back, and the store goes on.
    let answers =
        store.messages().backfill(session, vec![of("03-1", "2025-03-02T00:00:00Z")]).wait().unwrap();
    assert_eq!(answers[0].as_ref().unwrap().outcome, Outcome::NotStored { new: false });
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

#[test]
fn the_function_for_pg_cron_makes_the_next_month() {
    let place = Place::empty(Way::Partitioned);
    Gateway::new("2001-01-15T12:00:00Z").open(&place).close().unwrap();
    let sql = place.sql();
    // It goes by the server's clock, as a job of the server does.
    let next = sql.value(
        "SELECT to_char((now() AT TIME ZONE 'UTC') + interval '1 month', '\"messages_y\"YYYY\"m\"MM')",
    );
    assert!(!months(&sql).contains(&next));
    for _ in 0..2 {
        sql.run("SELECT create_messages_partition()");
        assert!(months(&sql).contains(&next));
    }
}

#[test]
fn a_plain_store_has_no_partitions_and_cleans_up_all_the_same() {
    let (place, gateway) = (Place::empty(Way::Plain), Gateway::new("2025-06-15T12:00:00Z"));
    let store = gateway.open(&place);
    let session = new_session(&store, "shop-1");
    save(&store, session, of("old", "2025-03-01T00:00:00Z"));
    save(&store, session, incoming("new", "x"));
    let sql = place.sql();
    assert_eq!(sql.value("SELECT relkind FROM pg_class WHERE oid = 'messages'::regclass"), "r");
    let report = store.run_retention(&RetentionOptions::default(), None).unwrap();
    assert!(report.tables.contains(&("messages", 1)), "{report:?}");
    assert_eq!(sql.column("SELECT wa_message_id FROM messages"), ["new"]);
}
