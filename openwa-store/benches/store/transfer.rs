//! Export and import against a plain dump and a batched insert.

use std::fs::File;
use std::io::{BufWriter, Write};

use openwa_store::{ExportOptions, ImportOptions, Store};

use crate::saves::{message, open, samples};
use crate::yardstick::Yardstick;
use crate::{Folder, Options, rate, single, versus};

pub fn run(options: &Options) {
    if options
        .only
        .as_ref()
        .is_some_and(|only| !["export", "import", "memory"].iter().any(|n| n.contains(only.as_str())))
    {
        return;
    }
    let messages = samples(options.rows);
    let folder = Folder::new("transfer");
    let (store, session) = open(&folder);
    for part in messages.chunks(1000) {
        store.messages().save_many(session, part.iter().map(message).collect()).wait().expect("saved");
    }
    let y = Yardstick::open(folder.path());
    y.insert_batches(&messages, 1000);
    let document = folder.path().join("export.json");
    store.export_file(&document, &ExportOptions::default(), None).expect("export");
    versus(
        options,
        "export / a plain streamed dump",
        0.8,
        || {
            rate(|| {
                store.export_file(&document, &ExportOptions::default(), None).expect("export");
                messages.len()
            })
        },
        || rate(|| dump(&y, &folder.path().join("dump.json"))),
    );
    versus(
        options,
        "import / batches of 500",
        1.5,
        || {
            let folder = Folder::new("import");
            let into = Store::open(folder.path()).expect("open");
            rate(|| {
                into.import_file(&document, &ImportOptions::default(), None).expect("import");
                messages.len()
            })
        },
        || {
            let folder = Folder::new("import-yardstick");
            let y = Yardstick::open(folder.path());
            rate(|| y.insert_batches(&messages, 500))
        },
    );
    single(options, "  most memory of this process so far", "MiB", "", peak);
}

/// Every row as one JSON object in one file, without any checking.
fn dump(y: &Yardstick, path: &std::path::Path) -> usize {
    let mut out = BufWriter::new(File::create(path).expect("file"));
    let mut statement = y.conn.prepare("SELECT * FROM messages ORDER BY id").expect("prepare");
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query([]).expect("query");
    let mut count = 0;
    out.write_all(b"[").expect("write");
    while let Some(row) = rows.next().expect("row") {
        let mut object = serde_json::Map::new();
        for (i, name) in names.iter().enumerate() {
            let value = match row.get_ref(i).expect("value") {
                rusqlite::types::ValueRef::Integer(n) => n.into(),
                rusqlite::types::ValueRef::Text(t) => String::from_utf8_lossy(t).into(),
                _ => serde_json::Value::Null,
            };
            object.insert(name.clone(), value);
        }
        serde_json::to_writer(&mut out, &object).expect("write");
        out.write_all(b",").expect("write");
        count += 1;
    }
    out.write_all(b"]").expect("write");
    out.flush().expect("flush");
    count
}

/// The process's peak memory, as the system tells it.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}
