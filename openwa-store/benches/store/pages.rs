//! What explains the figures: how many pages a message costs in the log, and how large the indexes are.

use openwa_store::Store;
use rusqlite::Connection;
use uuid::Uuid;

use crate::saves::{message, open, samples};
use crate::yardstick::{Sample, Yardstick};
use crate::{Folder, Options};

const COMMITS: usize = 50;

pub fn run(options: &Options) {
    if options.only.as_ref().is_some_and(|only| !"pages".contains(only.as_str())) {
        return;
    }
    let messages = samples(options.rows + COMMITS * 1064);
    let (first, rest) = messages.split_at(options.rows);
    let folder = Folder::new("pages");
    let (store, session) = open(&folder);
    for part in first.chunks(1000) {
        store.messages().save_many(session, part.iter().map(message).collect()).wait().expect("saved");
    }
    let y = Yardstick::open(folder.path());
    y.insert_batches(first, 1000);
    println!(
        "\n| messages in a commit | pages of log per message | kB of log per message | the yardstick's kB |\n|---|---|---|---|"
    );
    let mut rest = rest;
    for size in [1, 64, 1000] {
        let (some, more) = rest.split_at(size * COMMITS.min(rest.len() / size));
        rest = more;
        let ours = ours(&store, session, &folder, some, size);
        let theirs = theirs(&y, &folder, some, size);
        println!("| {size} | {:.2} | {:.1} | {:.1} |", ours / 4.12, ours, theirs);
    }
    println!("\n| table or index of `messages` | MB, {} rows |\n|---|---|", messages.len());
    store.close().expect("closed");
    let conn = Connection::open(folder.path().join("data.sqlite")).expect("open");
    let sql = "SELECT name, sum(pgsize) / 1e6 FROM dbstat WHERE name LIKE '%messages%' GROUP BY name HAVING sum(pgsize) > 100000 ORDER BY 2 DESC";
    let mut statement = conn.prepare(sql).expect("dbstat");
    let mut rows = statement.query([]).expect("dbstat");
    while let Some(row) = rows.next().expect("row") {
        println!(
            "| `{}` | {:.1} |",
            row.get::<_, String>(0).expect("name"),
            row.get::<_, f64>(1).expect("size")
        );
    }
}

/// A reader that stays keeps the log from starting over, so its growth is what was written.
fn grown(file: &std::path::Path, messages: usize, work: impl FnOnce()) -> f64 {
    let reader = Connection::open(file).expect("open");
    reader.execute_batch("BEGIN; SELECT count(*) FROM sessions;").expect("snapshot");
    let log = format!("{}-wal", file.display());
    // The log may be longer than what is in use; a first round of writing fills it up.
    let size = || std::fs::metadata(&log).map_or(0, |m| m.len());
    let before = size();
    work();
    (size() - before) as f64 / messages as f64 / 1000.0
}

fn ours(store: &Store, session: Uuid, folder: &Folder, some: &[Sample], size: usize) -> f64 {
    truncate(&folder.path().join("data.sqlite"));
    grown(&folder.path().join("data.sqlite"), some.len(), || {
        for part in some.chunks(size) {
            store.messages().save_many(session, part.iter().map(message).collect()).wait().expect("saved");
        }
    })
}

fn theirs(y: &Yardstick, folder: &Folder, some: &[Sample], size: usize) -> f64 {
    truncate(&folder.path().join("yardstick.sqlite"));
    grown(&folder.path().join("yardstick.sqlite"), some.len(), || {
        y.insert_batches(some, size);
    })
}

/// Empties the log, so that its growth starts from nothing.
fn truncate(file: &std::path::Path) {
    let conn = Connection::open(file).expect("open");
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("checkpoint");
}
