//! Import against COPY, and retention of a month.

use std::time::{Duration, Instant};

use openwa_store::policy::retention::Windows;
use openwa_store::{ExportOptions, ImportOptions, RetentionOptions, Timestamp};
use openwa_tests::cluster::{Cluster, Sql};

use crate::saves::message;
use crate::yardstick::{copy, copy_texts, samples};
use crate::{Bench, Folder, Options, rate, single, versus};

pub fn run(options: &Options, cluster: &Cluster) {
    import(options, cluster);
    retention(options, cluster);
}

fn import(options: &Options, cluster: &Cluster) {
    let names = ["import / COPY into the same indexed tables", "backfill, 1,000 to a call / COPY"];
    if !names.iter().any(|name| options.wants(name)) {
        return;
    }
    let messages = samples(options.rows);
    let folder = Folder::new("document");
    let document = folder.path().join("export.json");
    {
        let bench = Bench::new(cluster, "original");
        for part in messages.chunks(1000) {
            let all = part.iter().map(message).collect();
            bench.store.messages().save_many(bench.session, all).wait().expect("saved");
        }
        bench.store.export_file(&document, &ExportOptions::default(), None).expect("export");
    }
    let by_hand = || {
        let bench = Bench::new(cluster, "copy");
        let (ids, rows) = copy_texts(bench.session, &messages);
        let mut sql = bench.database.sql();
        // The month's partition is there already, as it is for the import.
        sql.run(&format!("SELECT create_messages_partition('{}'::timestamptz)", messages[0].at));
        rate(|| {
            copy(&mut sql, &ids, &rows);
            messages.len()
        })
    };
    versus(
        options,
        names[0],
        0.7,
        || {
            let bench = Bench::new(cluster, "import");
            rate(|| {
                bench.store.import_file(&document, &ImportOptions::default(), None).expect("import");
                messages.len()
            })
        },
        by_hand,
    );
    versus(
        options,
        names[1],
        0.3,
        || {
            let bench = Bench::new(cluster, "backfill");
            rate(|| {
                for part in messages.chunks(1000) {
                    let all = part.iter().map(message).collect();
                    bench.store.messages().backfill(bench.session, all).wait().expect("saved");
                }
                messages.len()
            })
        },
        by_hand,
    );
}

/// Fills the store with `count` messages in 500 chats, evenly over the time from `from` on, past the store.
pub fn fill(sql: &Sql, session: &str, count: u64, from: &str, span: &str) {
    let months = format!(
        "SELECT create_messages_partition(m) FROM
           generate_series('{from}'::timestamptz, '{from}'::timestamptz + '{span}'::interval, '1 month') m"
    );
    sql.run(&months);
    sql.run(&format!(
        "WITH new AS (
           INSERT INTO messages (id, session_id, wa_message_id, chat_id, from_number, type, body, from_me, is_group,
                                 wa_timestamp, created_at)
           SELECT ('01990000-0000-7000-8' || lpad(to_hex(n >> 32), 3, '0') || '-' ||
                   lpad(to_hex(n & 4294967295), 12, '0'))::uuid,
                  '{session}', '3EB0' || md5(n::text), chat, chat, 'text', repeat('x', 300), false, false, t, t
           FROM (SELECT n, '1202555' || lpad((n * 7919 % 500)::text, 4, '0') || '@s.whatsapp.net' AS chat,
                        '{from}'::timestamptz + n * ('{span}'::interval / {count}) AS t
                 FROM generate_series(0, {count}::bigint - 1) n) rows
           RETURNING session_id, wa_message_id, id, created_at)
         INSERT INTO message_ids (session_id, wa_message_id, message_id, created_at) SELECT * FROM new"
    ));
    sql.run("ANALYZE");
}

/// A month of ten times `--rows` messages goes.
fn retention(options: &Options, cluster: &Cluster) {
    let count = options.rows as u64 * 10;
    let name = format!("retention of a month of {count} messages");
    if !options.wants(&name) {
        return;
    }
    single(options, &name, "ms", "< 1000 ms", || {
        let bench = Bench::new(cluster, "retention");
        let sql = bench.database.sql();
        fill(&sql, &bench.session.to_string(), count, "2026-01-01T00:00:00Z", "30 days");
        let window = Duration::from_secs(30 * 86_400);
        let goes = RetentionOptions {
            windows: Windows { messages: Some(window), ..Windows::default() },
            now: Some("2026-04-01T00:00:00Z".parse::<Timestamp>().expect("time")),
            force: true,
        };
        sql.run("CHECKPOINT");
        let start = Instant::now();
        let report = bench.store.run_retention(&goes, None).expect("retention");
        let took = start.elapsed().as_secs_f64() * 1e3;
        assert_eq!(report.tables.iter().find(|(table, _)| *table == "messages"), Some(&("messages", count)));
        assert_eq!(sql.number("SELECT count(*) FROM messages"), 0);
        took
    });
}
