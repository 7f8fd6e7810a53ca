//! The hand-written DDL and the entity definitions agree, column by column.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeSet;

use openwa_store::Store;
use openwa_store::entity::{ColumnKind, Database, TABLES, Table, tables_of};
use openwa_tests::raw;
use rusqlite::Connection;

const DATABASES: [Database; 2] = [Database::Main, Database::Data];

fn each_database(check: impl Fn(&Connection, Database)) {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap().close().unwrap();
    for database in DATABASES {
        check(&raw::open(dir.path(), database), database);
    }
}

fn each_table(check: impl Fn(&Connection, &Table)) {
    each_database(|conn, database| tables_of(database).for_each(|table| check(conn, table)));
}

fn column_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Int | ColumnKind::Bool => "INTEGER",
        ColumnKind::Bytes => "BLOB",
        ColumnKind::Uuid | ColumnKind::Text | ColumnKind::Enum(_) | ColumnKind::Json | ColumnKind::Time => {
            "TEXT"
        }
    }
}

#[test]
fn the_same_tables_and_no_other() {
    each_database(|conn, database| {
        let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
                   AND name NOT LIKE 'sqlite_%'
                   AND name NOT IN ('openwa_migrations', 'openwa_maintenance', 'openwa_moved', 'openwa_retention', 'openwa_seal')";
        let stored: BTreeSet<String> = raw::rows(conn, sql).concat().into_iter().collect();
        let defined: BTreeSet<String> = tables_of(database).map(|t| t.name.to_owned()).collect();
        assert_eq!(stored, defined);
    });
    assert_eq!(TABLES.len(), DATABASES.iter().map(|d| tables_of(*d).count()).sum::<usize>());
}

#[test]
fn every_table_is_strict() {
    each_database(|conn, _| {
        let loose = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
                     AND name NOT LIKE 'sqlite_%' AND strict = 0";
        assert_eq!(raw::rows(conn, loose), Vec::<Vec<String>>::new());
    });
}

#[test]
fn the_same_columns_in_the_same_order() {
    each_table(|conn, table| {
        let sql = format!("SELECT name, type, \"notnull\", hidden FROM pragma_table_xinfo('{}')", table.name);
        let defined: Vec<_> = table
            .columns
            .iter()
            .map(|c| {
                let not_null = if c.nullable { "0" } else { "1" };
                [c.name, column_type(c.kind), not_null, "0"].map(str::to_owned).to_vec()
            })
            .collect();
        assert_eq!(raw::rows(conn, &sql), defined, "{}", table.name);
    });
}

#[test]
fn the_same_primary_keys() {
    each_table(|conn, table| {
        let sql = format!("SELECT name FROM pragma_table_xinfo('{}') WHERE pk > 0 ORDER BY pk", table.name);
        assert_eq!(raw::rows(conn, &sql).concat(), table.key, "{}", table.name);
    });
}

#[test]
fn the_same_foreign_keys() {
    each_table(|conn, table| {
        let sql =
            format!("SELECT \"from\", \"table\", on_delete FROM pragma_foreign_key_list('{}')", table.name);
        let stored = raw::rows(conn, &sql);
        let names: Vec<_> = stored.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
        assert_eq!(names, table.references, "{}", table.name);
        // A log outlives its key; everything else goes with what it belongs to.
        let expected = if table.name == "api_key_logs" { "SET NULL" } else { "CASCADE" };
        assert!(stored.iter().all(|row| row[2] == expected), "{}", table.name);
    });
}

/// Without an index that starts with the foreign key, deleting one parent row scans the whole child table.
#[test]
fn every_foreign_key_has_an_index() {
    each_table(|conn, table| {
        for (column, _) in table.references {
            let sql = format!(
                "SELECT count(*) FROM pragma_index_list('{}') AS i JOIN pragma_index_info(i.name) AS c
                  WHERE c.seqno = 0 AND c.name = '{column}' AND i.partial = 0",
                table.name
            );
            assert_ne!(raw::rows(conn, &sql), [["0"]], "{}.{column}", table.name);
        }
    });
}

#[test]
fn no_index_is_the_left_part_of_another() {
    each_table(|conn, table| {
        let sql = format!(
            "SELECT i.name, group_concat(coalesce(c.name, 'expression') || c.desc, ',')
               FROM pragma_index_list('{}') AS i JOIN pragma_index_xinfo(i.name) AS c
              WHERE c.key AND i.partial = 0 GROUP BY i.name",
            table.name
        );
        let indexes = raw::rows(conn, &sql);
        for a in &indexes {
            let contains_a =
                |b: &&Vec<String>| b[0] != a[0] && format!("{},", b[1]).starts_with(&format!("{},", a[1]));
            assert_eq!(indexes.iter().find(contains_a), None, "{} makes {} needless", a[0], a[0]);
        }
    });
}

#[test]
fn files_are_private_and_pages_come_back() {
    each_database(|conn, _| {
        assert_eq!(raw::rows(conn, "PRAGMA auto_vacuum"), [["2"]], "incremental");
        assert_eq!(raw::rows(conn, "PRAGMA journal_mode"), [["wal"]]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(conn.path().unwrap()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    });
}
