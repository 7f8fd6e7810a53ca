//! PostgreSQL's DDL and the entity definitions agree, column by column, and every migration undoes itself.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use openwa_store::entity::{ColumnKind, Database, Table, tables_of};
use openwa_store::{Config, Kind, Store, migrations};
use openwa_tests::cluster::Sql;
use openwa_tests::postgres::{Place, Way};

/// Tables of the library itself, and those that only PostgreSQL has, for what SQLite does with an index.
const BESIDE: [&str; 8] = [
    "message_ids",
    "messages_ahead",
    "openwa_maintenance",
    "openwa_migrations",
    "openwa_moved",
    "openwa_retention",
    "openwa_seal",
    "openwa_writers",
];

const LAYOUTS: [Way; 2] = [Way::Partitioned, Way::Plain];

fn each_table(check: impl Fn(&Sql, &Table)) {
    for way in LAYOUTS {
        let place = Place::migrated(way);
        let sql = place.sql();
        tables_of(Database::Data).for_each(|table| check(&sql, table));
    }
}

fn column_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Int => "bigint",
        ColumnKind::Bool => "boolean",
        ColumnKind::Bytes => "bytea",
        ColumnKind::Uuid => "uuid",
        ColumnKind::Text | ColumnKind::Enum(_) => "text C",
        ColumnKind::Json => "jsonb",
        ColumnKind::Time => "timestamp with time zone",
    }
}

#[test]
fn the_same_tables_and_no_other() {
    for way in LAYOUTS {
        let place = Place::migrated(way);
        let stored = place.sql().column(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                AND NOT relispartition",
        );
        let stored: BTreeSet<String> = stored.into_iter().collect();
        let defined = tables_of(Database::Data).map(|t| t.name).chain(BESIDE).map(str::to_owned).collect();
        assert_eq!(stored, defined);
    }
}

#[test]
fn the_same_columns_in_the_same_order() {
    each_table(|sql, table| {
        let stored = sql.rows(&format!(
            "SELECT column_name, data_type || coalesce(' ' || collation_name, ''), is_nullable
               FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{}'
              ORDER BY ordinal_position",
            table.name
        ));
        let defined: Vec<Vec<String>> = table
            .columns
            .iter()
            .map(|c| {
                [c.name, column_type(c.kind), if c.nullable { "YES" } else { "NO" }].map(str::to_owned).into()
            })
            .collect();
        assert_eq!(stored, defined, "{}", table.name);
    });
}

#[test]
fn the_same_primary_keys() {
    for way in LAYOUTS {
        let place = Place::migrated(way);
        let sql = place.sql();
        for table in tables_of(Database::Data) {
            let stored = sql.column(&format!(
                "SELECT a.attname FROM pg_index i CROSS JOIN unnest(i.indkey::int[]) WITH ORDINALITY k (attnum, n)
                   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                  WHERE i.indrelid = '{}'::regclass AND i.indisprimary ORDER BY k.n",
                table.name
            ));
            let mut key: Vec<&str> = table.key.to_vec();
            if table.name == "messages" && way == Way::Partitioned {
                key.push("created_at");
            }
            assert_eq!(stored, key, "{}", table.name);
        }
    }
}

#[test]
fn the_same_foreign_keys() {
    each_table(|sql, table| {
        let mut stored = sql.rows(&format!(
            "SELECT a.attname, f.confrelid::regclass, f.confdeltype FROM pg_constraint f
               JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
              WHERE f.conrelid = '{}'::regclass AND f.contype = 'f'",
            table.name
        ));
        let mut defined: Vec<Vec<String>> = table
            .references
            .iter()
            .map(|(column, parent)| vec![(*column).to_owned(), (*parent).to_owned(), "c".to_owned()])
            .collect();
        if table.name == "messages" {
            // Every save holds its session instead; see docs/architecture.md.
            defined.clear();
        }
        stored.sort();
        defined.sort();
        assert_eq!(stored, defined, "{}", table.name);
    });
}

/// Everything that a schema has: tables with columns, indexes, constraints, functions.
fn everything(sql: &Sql) -> Vec<Vec<String>> {
    sql.rows(
        "SELECT 'column', table_name || '.' || column_name, data_type, coalesce(column_default, '')
           FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'openwa_migrations'
          UNION ALL
         SELECT 'index', indexname, indexdef, '' FROM pg_indexes
          WHERE schemaname = 'public' AND tablename <> 'openwa_migrations'
          UNION ALL
         SELECT 'constraint', conname, pg_get_constraintdef(oid), '' FROM pg_constraint
          WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND conname NOT LIKE 'openwa_migrations%'
          UNION ALL
         SELECT 'function', proname, pg_get_functiondef(oid), '' FROM pg_proc
          WHERE pronamespace = 'public'::regnamespace
          ORDER BY 1, 2, 3",
    )
}

#[test]
fn every_step_goes_down_and_up_to_the_same_schema() {
    for way in LAYOUTS {
        let (place, dir) = (Place::empty(way), tempfile::tempdir().unwrap());
        let (config, sql): (Config, _) = (place.config(dir.path()), place.sql());
        let latest = migrations::latest(&config, Database::Data);
        let to = |version| migrations::migrate(&config, Database::Data, Some(version)).unwrap();
        assert_eq!(to(latest), usize::try_from(latest).unwrap());
        let mut schemas = vec![everything(&sql)];
        for version in (0..latest).rev() {
            assert_eq!(to(version), 1);
            schemas.push(everything(&sql));
        }
        assert_eq!(schemas.pop().unwrap(), Vec::<Vec<String>>::new(), "version 0 is the empty database");
        for version in 1..=latest {
            assert_eq!(to(version), 1);
            assert_eq!(everything(&sql), schemas.pop().unwrap());
        }
        assert_eq!(to(latest), 0, "nothing is left to do");
        Store::open_with(config).unwrap();
    }
}

#[test]
fn a_layout_stays_what_it_was() {
    let (place, dir) = (Place::migrated(Way::Plain), tempfile::tempdir().unwrap());
    let other = Place { database: place.database, way: Way::Partitioned };
    let store = Store::open_with(other.config(dir.path())).unwrap();
    assert_eq!(store.partitions().unwrap(), []);
    assert_eq!(store.make_partitions().unwrap(), 0);
}

#[test]
fn an_opener_does_not_wait_for_ever_for_one_that_migrates() {
    for way in Way::ALL {
        let (place, dir) = (Place::empty(way), tempfile::tempdir().unwrap());
        let config = Config { lock_wait: Duration::from_millis(200), ..place.config(dir.path()) };
        // A process that was stopped in the middle of it.
        let other = place.sql();
        let lock = "pg_advisory_xact_lock(hashtext('openwa migrations of public'))";
        other.run(&format!("SET application_name = 'gateway'; BEGIN; SELECT {lock}"));
        let pid = other.number("SELECT pg_backend_pid()");
        for e in [
            Store::open_with(config.clone()).unwrap_err(),
            migrations::migrate(&config, Database::Data, None).unwrap_err(),
        ] {
            assert_eq!(e.kind(), Kind::Busy, "{e}");
            assert!(e.message().contains(&format!("process {pid} of the server (gateway, ")), "{e}");
            assert!(e.message().contains(&format!("pg_terminate_backend({pid})")), "{e}");
        }
        other.run("ROLLBACK");
        Store::open_with(config).unwrap();
    }
}
