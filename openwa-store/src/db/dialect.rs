//! What the two engines do differently, by name. Nothing else asks which engine it is talking to.

use std::borrow::Cow;
use std::time::Duration;

use super::{Conn, Wait};
use crate::entity::{ColumnDef, ColumnKind, Table};
use crate::error::{Error, Kind, Result};
use crate::value::Value;

/// The SQL that one engine speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres {
        /// `messages` is a table per month.
        partitioned: bool,
    },
}

impl Dialect {
    /// The name in an export, and in `DATABASE_TYPE`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Dialect::Sqlite => "sqlite",
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => "postgres",
        }
    }

    fn is_sqlite(self) -> bool {
        self == Dialect::Sqlite
    }

    /// The query with its rows kept from changing until the transaction ends. SQLite has one writer at a time anyway.
    pub(crate) fn locking(self, sql: &str) -> Cow<'_, str> {
        if self.is_sqlite() { Cow::Borrowed(sql) } else { Cow::Owned(format!("{sql} FOR UPDATE")) }
    }

    /// The query with its rows kept from being deleted, or locked by [`locking`](Self::locking), until the transaction
    /// ends. Changes that leave the key alone may go on.
    pub(crate) fn holding(self, sql: &str) -> Cow<'_, str> {
        if self.is_sqlite() { Cow::Borrowed(sql) } else { Cow::Owned(format!("{sql} FOR KEY SHARE")) }
    }

    /// The query with its rows kept from changing until the transaction ends, together with others who ask for that.
    pub(crate) fn sharing(self, sql: &str) -> Cow<'_, str> {
        if self.is_sqlite() { Cow::Borrowed(sql) } else { Cow::Owned(format!("{sql} FOR SHARE")) }
    }

    /// The operator of a pattern match in which ASCII letters match in either case.
    pub(crate) const fn like(self) -> &'static str {
        match self {
            Dialect::Sqlite => "LIKE",
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => "ILIKE",
        }
    }

    /// Whether messages are found by WhatsApp's id through `message_ids`, which says in which partition they are, and
    /// whether deleting a session leaves its messages to be deleted.
    pub(crate) fn has_message_ids(self) -> bool {
        !self.is_sqlite()
    }

    /// Whether several transactions may write at the same time, so that what is read may be outdated when it is written.
    pub(crate) fn has_many_writers(self) -> bool {
        !self.is_sqlite()
    }

    /// Whether `messages` is a table per month.
    pub(crate) const fn is_partitioned(self) -> bool {
        match self {
            Dialect::Sqlite => false,
            #[cfg(feature = "postgres")]
            Dialect::Postgres { partitioned } => partitioned,
        }
    }

    /// Whether many rows in one statement are much cheaper than one by one: each statement is a round trip.
    pub(crate) fn prefers_many_rows(self) -> bool {
        !self.is_sqlite()
    }

    /// A query for the number of tables, and of ledgers of migrations among them. (`this_schema` stands for the name of
    /// the schema.)
    pub(crate) const fn tables_and_ledgers(self) -> &'static str {
        match self {
            Dialect::Sqlite => {
                "SELECT count(*), count(*) FILTER (WHERE name = 'openwa_migrations') FROM sqlite_schema
                  WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            }
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => {
                "SELECT count(*), count(*) FILTER (WHERE c.relname = 'openwa_migrations')
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = this_schema AND c.relkind IN ('r', 'p')"
            }
        }
    }

    /// What to say of a database that belongs to something else.
    pub(crate) const fn foreign(self) -> &'static str {
        match self {
            Dialect::Sqlite => "this database has tables but was not made by openwa-store; give another path",
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => {
                "this schema has tables but was not made by openwa-store; give another database, or another schema \
                 (POSTGRES_SCHEMA)"
            }
        }
    }

    /// The statement that makes the ledger of migrations if it is missing.
    pub(crate) const fn ledger(self) -> &'static str {
        match self {
            Dialect::Sqlite => {
                "CREATE TABLE IF NOT EXISTS openwa_migrations (
  version    INTEGER PRIMARY KEY,
  database   TEXT NOT NULL,      -- main or data
  name       TEXT NOT NULL,
  checksum   TEXT NOT NULL,      -- SHA-256 of the step's file
  applied_at TEXT NOT NULL
) STRICT"
            }
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => {
                "CREATE TABLE IF NOT EXISTS openwa_migrations (
  version    bigint PRIMARY KEY,
  database   text NOT NULL,      -- data
  name       text NOT NULL,
  checksum   text NOT NULL,      -- SHA-256 of the step's file
  applied_at timestamptz NOT NULL
)"
            }
        }
    }

    /// Keeps every other process from migrating until the transaction ends. SQLite's write lock does already.
    /// `Busy`: another one migrates for longer than `patience`.
    pub(crate) fn take_turn(self, conn: &dyn Conn, patience: Duration) -> Result<()> {
        if self.is_sqlite() {
            return Ok(());
        }
        let sql = "SELECT pg_try_advisory_xact_lock(hashtext('openwa migrations of ' || this_schema))";
        let mut wait = Wait::at_most(patience);
        while conn.first(sql, &[], |row| Ok(row.get(0) == Value::Bool(true)))? != Some(true) {
            if !wait.again() {
                let sql = "SELECT a.pid::bigint,
                                  concat(nullif(a.application_name, '') || ', ', coalesce(host(a.client_addr), 'local'))
                             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
                            WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()
                              AND (l.classid::bigint << 32 | l.objid::bigint)
                                  = hashtext('openwa migrations of ' || this_schema)";
                let holder = conn.first(sql, &[], |row| {
                    let Value::Int(pid) = row.get(0) else { return Ok(None) };
                    let Value::Text(who) = row.get(1) else { return Ok(None) };
                    Ok(Some((pid, format!("process {pid} of the server ({who})"))))
                })?;
                return Err(being_migrated(holder.flatten()));
            }
        }
        Ok(())
    }

    /// A query for the bytes that the database takes.
    pub(crate) const fn bytes(self) -> &'static str {
        match self {
            Dialect::Sqlite => "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => {
                "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = this_schema AND c.relkind = 'r'"
            }
        }
    }

    /// Whether the space of deleted rows has to be given back by hand.
    pub(crate) fn gives_pages_back(self) -> bool {
        self.is_sqlite()
    }

    /// The statement that rids a table of what was deleted or written over; `None`: that is done for a whole file.
    pub(crate) fn clean(self, table: &Table) -> Option<String> {
        (!self.is_sqlite()).then(|| format!("VACUUM FULL in_this_schema.{}", table.name))
    }

    /// A query for the bytes that a vacuum would give back; `None`: the engine does not tell.
    pub(crate) const fn free_bytes(self) -> Option<&'static str> {
        match self {
            Dialect::Sqlite => {
                Some("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")
            }
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => None,
        }
    }

    /// Whether the rows of a table are numbered as they come.
    pub(crate) fn numbers_rows(self, conn: &dyn Conn, table: &str) -> Result<bool> {
        let sql = "SELECT count(*) FROM pragma_table_list(?1) WHERE schema = 'main' AND wr = 0";
        Ok(self.is_sqlite() && conn.integer(sql, &[Value::Text(table)])? > 0)
    }

    /// A query for about how many rows a large table has, without reading it. Where they are numbered the oldest go first,
    /// so the numbers tell; else there is what the server noted, or a count that goes on for a while.
    pub(crate) fn about_rows(self, table: &str, numbered: bool) -> String {
        match self {
            Dialect::Sqlite if numbered => {
                format!("SELECT (SELECT max(rowid) FROM {table}) - (SELECT min(rowid) FROM {table}) + 1")
            }
            Dialect::Sqlite => format!("SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 200000) AS counted"),
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => format!(
                "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_catalog.pg_class c
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
                   LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
                  WHERE n.nspname = this_schema AND c.relkind = 'r' AND coalesce(p.relname, c.relname) = '{table}'"
            ),
        }
    }

    /// A query for one column of a sample of a table's rows, a few thousand pages of them; `None`: rows are numbered, so that
    /// single ones can be picked.
    pub(crate) fn sample(self, table: &str, column: &str) -> Option<String> {
        if self.is_sqlite() {
            return None;
        }
        // Rows of one page were stored one after another, so a few of many pages tell more than many of a few.
        Some(format!(
            "SELECT {column} FROM {table} TABLESAMPLE SYSTEM (least(100, 300000.0 / greatest(1, (
                SELECT sum(c.relpages) FROM pg_catalog.pg_class c
                  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
                  LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
                 WHERE n.nspname = this_schema AND c.relkind = 'r' AND coalesce(p.relname, c.relname) = '{table}'))))
              REPEATABLE (1)"
        ))
    }

    /// The SQL for the day of a time, as `YYYY-MM-DD`.
    pub(crate) fn day_of(self, time: &str) -> String {
        if self.is_sqlite() {
            format!("substr({time}, 1, 10)")
        } else {
            format!("to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD')")
        }
    }

    /// A query for the number of indexes that cannot be used.
    pub(crate) const fn unusable_indexes(self) -> &'static str {
        match self {
            Dialect::Sqlite => "SELECT 0",
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => {
                "SELECT count(*) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = this_schema AND NOT i.indisvalid"
            }
        }
    }

    /// A query for the engine's name and version.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Dialect::Sqlite => "SELECT 'SQLite ' || sqlite_version()",
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => {
                "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)"
            }
        }
    }

    /// Queries whose every row tells something that is wrong with a database that has just been filled.
    #[cfg(feature = "backup")]
    pub(crate) const fn checks(self) -> &'static [&'static str] {
        match self {
            Dialect::Sqlite => &[
                "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
                "SELECT 'row ' || coalesce(rowid, '?') || ' of ' || \"table\" || ' belongs to a row of ' || parent
                        || ' that does not exist' FROM pragma_foreign_key_check",
            ],
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => &["SELECT 'message ' || m.id || ' cannot be found by its WhatsApp id' FROM messages m
                   LEFT JOIN message_ids i ON i.session_id = m.session_id AND i.wa_message_id = m.wa_message_id
                  WHERE m.wa_message_id IS NOT NULL
                    AND (i.message_id, i.created_at) IS DISTINCT FROM (m.id, m.created_at) LIMIT 1"],
        }
    }

    /// A query for the indexes of the database: table, name, bytes, uses, whether unique, whether valid.
    pub(crate) const fn indexes(self) -> &'static str {
        match self {
            Dialect::Sqlite => {
                "SELECT s.tbl_name, s.name, (SELECT sum(d.pgsize) FROM dbstat d WHERE d.name = s.name),
                        NULL, coalesce(l.\"unique\", 1), 1
                   FROM sqlite_schema s LEFT JOIN pragma_index_list(s.tbl_name) l ON l.name = s.name
                  WHERE s.type = 'index'"
            }
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => {
                "SELECT t.relname, c.relname, pg_relation_size(c.oid), s.idx_scan, i.indisunique, i.indisvalid
                   FROM pg_catalog.pg_index i
                   JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
                   JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   LEFT JOIN pg_catalog.pg_stat_user_indexes s ON s.indexrelid = i.indexrelid
                  WHERE n.nspname = this_schema"
            }
        }
    }

    /// The SQL for the id that the parameter gives as text.
    pub(crate) fn id_from_text(self, parameter: &str) -> String {
        if self.is_sqlite() {
            parameter.to_owned()
        } else {
            format!("CAST(CAST({parameter} AS TEXT) AS UUID)")
        }
    }

    /// The statement that mends an index. It runs outside a transaction. What a broken-off rebuild has left beside the
    /// index that it was to replace goes, as the server's documentation says.
    pub(crate) fn mend_index(self, index: &str) -> String {
        let ending = index.trim_end_matches(|c: char| c.is_ascii_digit());
        if !self.is_sqlite() && (ending.ends_with("_ccnew") || ending.ends_with("_ccold")) {
            let quoted = index.replace('"', "\"\"");
            return format!("DROP INDEX CONCURRENTLY IF EXISTS in_this_schema.\"{quoted}\"");
        }
        self.reindex(index)
    }

    /// The statements that renew what the planner knows about the tables, as far as the engine does not by itself.
    #[cfg_attr(not(feature = "postgres"), allow(unused_variables))]
    pub(crate) fn renew_statistics(self, conn: &dyn Conn) -> Result<Vec<String>> {
        match self {
            // All tables, whether or not this connection has asked about them. It reads a sample of each index.
            Dialect::Sqlite => Ok(vec!["PRAGMA optimize=0x10002".to_owned()]),
            // The server never looks at a partitioned table as a whole, and at no table where its autovacuum is off.
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => {
                let sql = "SELECT c.relname FROM pg_catalog.pg_class c
                             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                             LEFT JOIN pg_catalog.pg_stat_user_tables s ON s.relid = c.oid
                            WHERE n.nspname = this_schema AND NOT c.relispartition
                              AND (c.relkind = 'p' OR (c.relkind = 'r' AND s.n_live_tup > 0
                                   AND s.last_analyze IS NULL AND s.last_autoanalyze IS NULL))
                            ORDER BY c.relname";
                conn.all(sql, &[], |row| {
                    let name = if let Value::Text(name) = row.get(0) { name } else { "" };
                    Ok(format!("ANALYZE in_this_schema.\"{}\"", name.replace('"', "\"\"")))
                })
            }
        }
    }

    /// The statement that rebuilds an index. It runs outside a transaction.
    pub(crate) fn reindex(self, index: &str) -> String {
        let quoted = index.replace('"', "\"\"");
        if self.is_sqlite() {
            format!("REINDEX \"{quoted}\"")
        } else {
            format!("REINDEX INDEX CONCURRENTLY in_this_schema.\"{quoted}\"")
        }
    }
}

/// Another process migrates the same schema; its number at the server and its description.
fn being_migrated(holder: Option<(i64, String)>) -> Error {
    let text = "another process migrates this schema and does not come to its end";
    let e = Error::new(Kind::Busy, text);
    match holder {
        Some((pid, who)) => {
            let advice = format!(
                "the lock is held by {who}; wait for it or end it (`SELECT pg_terminate_backend({pid})`)"
            );
            e.adding(advice).with("holder", who)
        }
        None => e
            .adding("who holds the lock cannot be told; see pg_locks, or try again")
            .with("holder", "unknown"),
    }
}

/// What an insert does with messages whose id is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It fails.
    Refused,
    /// It leaves them out. Their rows are known to be new otherwise.
    Skipped,
    /// It leaves them out, also if it is their row's own id that is taken.
    SkippedByRow,
}

/// `?1::uuid[], ?2::text[]`: a list per column, the first with number `first`, each with its type so that the statement can
/// be planned by itself.
pub(crate) fn lists(table: &Table, first: usize) -> String {
    let list = |(i, column): (usize, &ColumnDef)| {
        let kind = match column.kind {
            ColumnKind::Uuid => "uuid",
            ColumnKind::Text | ColumnKind::Enum(_) => "text",
            ColumnKind::Json => "jsonb",
            ColumnKind::Time => "timestamptz",
            ColumnKind::Int => "bigint",
            ColumnKind::Bool => "boolean",
            ColumnKind::Bytes => "bytea",
        };
        format!("?{}::{kind}[]", i + first)
    };
    table.columns.iter().enumerate().map(list).collect::<Vec<_>>().join(", ")
}

/// The statement that inserts messages given as a list per column, where ids are kept in `message_ids`. It answers the ids
/// of the rows that are in. Everybody takes ids in the same order, or two processes would wait for one another.
pub(crate) fn insert_messages(table: &Table, taken: Taken) -> String {
    let columns = table.column_list();
    let lists = lists(table, 1);
    let skip = if taken == Taken::Refused { "" } else { "ON CONFLICT DO NOTHING" };
    // What looks for conflicts looks at every index twice.
    let (skip_row, new_row) = if taken == Taken::SkippedByRow {
        (skip, "AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = t.id AND m.created_at = t.created_at)")
    } else {
        ("", "")
    };
    let month = |time: &str| format!("date_trunc('month', {time} AT TIME ZONE 'UTC')");
    format!(
        "WITH t AS (SELECT * FROM unnest({lists}) AS t({columns})),
              taken AS (INSERT INTO message_ids (session_id, wa_message_id, message_id, created_at)
                SELECT session_id, wa_message_id, id, created_at FROM t WHERE wa_message_id IS NOT NULL {new_row}
                 ORDER BY session_id, wa_message_id COLLATE \"C\" {skip} RETURNING message_id),
              ahead AS (INSERT INTO messages_ahead (session_id, month)
                SELECT DISTINCT session_id, {stored} AT TIME ZONE 'UTC' FROM t
                 WHERE wa_timestamp > created_at AND {sent} > {stored} ON CONFLICT DO NOTHING)
         INSERT INTO messages ({columns}) SELECT {columns} FROM t
          WHERE wa_message_id IS NULL OR id IN (SELECT message_id FROM taken) {skip_row} RETURNING id",
        stored = month("created_at"),
        sent = month("wa_timestamp"),
    )
}
