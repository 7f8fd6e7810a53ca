//! What the two engines do differently, by name. Nothing else asks which engine it is talking to.

use std::borrow::Cow;

use super::Conn;
use crate::entity::{ColumnDef, ColumnKind, Table};
use crate::error::Result;

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
    pub(crate) fn take_turn(self, conn: &dyn Conn) -> Result<()> {
        if self.is_sqlite() {
            return Ok(());
        }
        conn.run("SELECT pg_advisory_xact_lock(hashtext('openwa migrations of ' || this_schema))", &[])
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

    /// Queries whose every row tells something that is wrong with the database.
    pub(crate) const fn checks(self) -> &'static [&'static str] {
        match self {
            Dialect::Sqlite => &[
                "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
                "SELECT 'row ' || coalesce(rowid, '?') || ' of ' || \"table\" || ' belongs to a row of ' || parent
                        || ' that does not exist' FROM pragma_foreign_key_check",
            ],
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => &[
                "SELECT 'message ' || m.id || ' cannot be found by its WhatsApp id' FROM messages m
                   LEFT JOIN message_ids i ON i.session_id = m.session_id AND i.wa_message_id = m.wa_message_id
                  WHERE m.wa_message_id IS NOT NULL
                    AND (i.message_id, i.created_at) IS DISTINCT FROM (m.id, m.created_at) LIMIT 100",
                "SELECT 'the id ' || i.wa_message_id || ' names message ' || i.message_id || ', which does not exist'
                   FROM message_ids i LEFT JOIN messages m ON m.id = i.message_id AND m.created_at = i.created_at
                  WHERE m.id IS NULL LIMIT 100",
                "SELECT 'message ' || m.id || ' belongs to a session that does not exist' FROM messages m
                   LEFT JOIN sessions s ON s.id = m.session_id WHERE s.id IS NULL LIMIT 100",
                "SELECT 'index ' || c.relname || ' is invalid; run REINDEX' FROM pg_catalog.pg_index i
                   JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = this_schema AND NOT i.indisvalid",
            ],
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

/// `?1::uuid[], ?2::text[]`: a list per column, each with its type so that the statement can be planned by itself.
pub(crate) fn lists(table: &Table) -> String {
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
        format!("?{}::{kind}[]", i + 1)
    };
    table.columns.iter().enumerate().map(list).collect::<Vec<_>>().join(", ")
}

/// The statement that inserts messages given as a list per column, where ids are kept in `message_ids`. It answers the ids
/// of the rows that are in. Everybody takes ids in the same order, or two processes would wait for one another.
pub(crate) fn insert_messages(table: &Table, taken: Taken) -> String {
    let columns = table.column_list();
    let lists = lists(table);
    let skip = if taken == Taken::Refused { "" } else { "ON CONFLICT DO NOTHING" };
    let new_row = if taken == Taken::SkippedByRow {
        "AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = t.id AND m.created_at = t.created_at)"
    } else {
        ""
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
          WHERE wa_message_id IS NULL OR id IN (SELECT message_id FROM taken) {skip} RETURNING id",
        stored = month("created_at"),
        sent = month("wa_timestamp"),
    )
}
