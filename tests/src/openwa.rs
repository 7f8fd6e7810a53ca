//! The data of an OpenWA installation in `tests/fixtures/openwa`, and stores as tables of JSON.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use openwa_store::{ExportOptions, Store, TakeoverOptions, TakeoverReport};
use serde_json::{Map, Value};

/// A file of the fixture.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/openwa").join(name)
}

/// Its content, unpacked if it is packed.
pub fn content(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = File::open(fixture(name)).unwrap();
    if name.ends_with(".gz") {
        flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    } else {
        let mut file = file;
        file.read_to_end(&mut bytes).unwrap();
    }
    bytes
}

/// `expected.json`, or another JSON file.
pub fn json(name: &str) -> Value {
    serde_json::from_slice(&content(name)).unwrap()
}

/// Unpacks a file of the fixture into a folder.
pub fn unpacked(name: &str, into: &Path) -> PathBuf {
    let path = into.join(name.trim_end_matches(".gz"));
    std::fs::write(&path, content(name)).unwrap();
    path
}

/// A path as a source.
pub fn source(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Takes sources over, strictly.
pub fn take(store: &Store, sources: &[&Path]) -> openwa_store::Result<TakeoverReport> {
    let sources: Vec<String> = sources.iter().map(|p| source(p)).collect();
    store.takeover(&sources, &TakeoverOptions::default(), None)
}

/// Every table of a store, Main's too, as its export has them: by name, the rows in the order of their keys.
pub fn tables(store: &Store) -> Map<String, Value> {
    let mut document = Vec::new();
    let options = ExportOptions { main: true, ..ExportOptions::default() };
    store.export(&mut document, &options, None).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    document["tables"].as_object().unwrap().clone()
}

/// The rows of a table.
pub fn rows<'a>(tables: &'a Map<String, Value>, table: &str) -> &'a [Value] {
    tables[table].as_array().unwrap()
}

/// The row with this id.
pub fn row<'a>(tables: &'a Map<String, Value>, table: &str, id: &Value) -> &'a Value {
    rows(tables, table).iter().find(|r| r["id"] == *id).unwrap_or_else(|| panic!("{table} has no row {id}"))
}

/// What was kept of a row; null: nothing.
pub fn kept(tables: &Map<String, Value>, table: &str, id: &Value) -> Value {
    let here = |r: &&Value| r["table_name"] == table && r["row_id"] == *id;
    rows(tables, "openwa_extra").iter().find(here).map_or(Value::Null, |r| r["data"].clone())
}
