//! Import against COPY, and retention of a month.

use std::time::{Duration, Instant};

use openwa_store::policy::retention::Windows;
use openwa_store::{ExportOptions, ImportOptions, RetentionOptions, Timestamp};
use openwa_tests::cluster::Cluster;
use openwa_tests::postgres::fill;

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
        fill(&sql, bench.session, count, "2026-01-01T00:00:00Z", "30 days");
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
