//! A store's files, seen by SQLite itself: what a test must know that the public API does not tell.

use std::path::Path;

use openwa_store::entity::Database;
use rusqlite::Connection;

/// Opens a database file of the store in `dir`.
#[must_use]
pub fn open(dir: &Path, database: Database) -> Connection {
    Connection::open(dir.join(format!("{}.sqlite", database.name()))).unwrap()
}

/// Every row of a query, as text.
#[must_use]
pub fn rows(conn: &Connection, sql: &str) -> Vec<Vec<String>> {
    let mut statement = conn.prepare(sql).unwrap();
    let columns = statement.column_count();
    let read = |row: &rusqlite::Row<'_>| {
        let cell = |i| match row.get_ref(i).unwrap() {
            rusqlite::types::ValueRef::Null => "NULL".to_owned(),
            rusqlite::types::ValueRef::Integer(n) => n.to_string(),
            rusqlite::types::ValueRef::Real(n) => n.to_string(),
            rusqlite::types::ValueRef::Text(s) | rusqlite::types::ValueRef::Blob(s) => {
                String::from_utf8_lossy(s).into_owned()
            }
        };
        Ok((0..columns).map(cell).collect())
    };
    statement.query_map([], read).unwrap().map(Result::unwrap).collect()
}

/// The planner's steps for a statement, whatever its parameters.
#[must_use]
pub fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut steps = statement.raw_query();
    std::iter::from_fn(|| steps.next().unwrap().map(|row| row.get("detail").unwrap())).collect()
}

/// The schema without the ledger: one line per table and index, without comments and with single spaces.
#[must_use]
pub fn schema(conn: &Connection) -> Vec<String> {
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name <> 'openwa_migrations' ORDER BY name";
    let normal = |sql: &String| {
        let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
    };
    rows(conn, sql).iter().map(|row| normal(&row[0])).collect()
}

/// Asserts that both databases of the store in `dir` are sound.
#[track_caller]
pub fn assert_sound(dir: &Path) {
    for database in [Database::Main, Database::Data] {
        let conn = open(dir, database);
        assert_eq!(rows(&conn, "PRAGMA integrity_check"), [["ok"]]);
        assert_eq!(rows(&conn, "PRAGMA foreign_key_check"), Vec::<Vec<String>>::new());
    }
}
