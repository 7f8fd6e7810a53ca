//! Filling tables in one transaction, thousands of rows to a statement.
//!
//! Readers go on with what was there until the commit. The database checks references by itself, and deleting a row
//! deletes what belongs to it, so rows that others refer to are not deleted and written anew: those that come again are
//! changed in place, and the rest is deleted at the very end, when it is known that nothing belongs to it any more.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::columns::Columns;
use super::{Core, PgConn};
use crate::db::{Bulk, Conn, Taken, insert_messages, lists};
use crate::entity::{Database, Table, tables_of};
use crate::error::{Error, Kind, Result};
use crate::time::Timestamp;
use crate::value::Value;

/// Rows of one statement, and the bytes of their values.
const ROWS: usize = 2000;
const BYTES: usize = 4 << 20;

pub(super) struct PgBulk<'a> {
    core: &'a Arc<Core>,
    conn: Option<PgConn>,
    filling: Option<Filling>,
    /// Tables with rows that will be deleted; a temporary table `stale_…` for each lists them.
    stale: Vec<&'static Table>,
    /// COPY works here.
    copies: Cell<bool>,
}

/// The table that is being filled.
struct Filling {
    table: &'static Table,
    replace: bool,
    /// Others refer to it, and it is replaced.
    in_place: bool,
    insert: String,
    rows: Columns,
    times: Vec<Timestamp>,
    /// Sessions and months with messages that claim to have been sent in a later month.
    ahead: BTreeSet<(Uuid, Timestamp)>,
    /// Rows that are written.
    written: u64,
    added: u64,
    /// Keys of the rows so far, where the database would not notice one that comes twice.
    seen: HashSet<Uuid>,
}

impl<'a> PgBulk<'a> {
    pub(super) fn new(core: &'a Arc<Core>) -> Self {
        PgBulk { core, conn: None, filling: None, stale: Vec::new(), copies: Cell::new(true) }
    }

    fn open(&self) -> Result<&PgConn> {
        self.conn.as_ref().ok_or_else(|| Error::new(Kind::Internal, "the transaction has not begun"))
    }

    fn is_referred_to(table: &Table) -> bool {
        tables_of(Database::Data).any(|t| t.references.iter().any(|(_, parent)| *parent == table.name))
    }

    /// Notes every row as one to be deleted, and gives the unique values of all of them free for those that come.
    fn set_aside(&mut self, table: &'static Table) -> Result<u64> {
        let (conn, name) = (self.open()?, table.name);
        let make = format!("CREATE TEMP TABLE stale_{name} (id uuid PRIMARY KEY) ON COMMIT DROP");
        conn.batch(&make)?;
        let rows = conn.execute(&format!("INSERT INTO stale_{name} SELECT id FROM {name}"), &[])?;
        if let Some(unique) = unique_text(name) {
            conn.execute(&format!("UPDATE {name} SET {unique} = id::text"), &[])?;
        }
        self.stale.push(table);
        Ok(rows)
    }

    fn flush(&mut self) -> Result<()> {
        let Some(mut filling) = self.filling.take() else { return Ok(()) };
        if filling.rows.rows() > 0 {
            let conn = self.open()?;
            if filling.table.name == "messages" {
                conn.make_months(&mut filling.times.drain(..), Timestamp::MAX)?;
            }
            let rows = std::mem::replace(&mut filling.rows, Columns::of(filling.table));
            filling.added += self.write(&filling, &rows)?;
            filling.written += rows.rows() as u64;
        }
        self.filling = Some(filling);
        Ok(())
    }

    /// Writes some rows, by COPY where all of them are new. When the database refuses them, one by one until the culprit
    /// is found.
    fn write(&self, filling: &Filling, rows: &Columns) -> Result<u64> {
        let conn = self.open()?;
        let seam: &dyn Conn = conn;
        seam.run("SAVEPOINT rows", &[])?;
        if filling.replace && !filling.in_place && self.copies.get() {
            match copy(conn, filling, rows) {
                Ok(added) => {
                    seam.run("RELEASE rows", &[])?;
                    return Ok(added);
                }
                Err(e) if conn.is_lost() => return Err(e),
                // A bad row, which is found below, or a name that is taken behind a pooler.
                Err(_) => self.copies.set(false),
            }
            conn.back_to("rows")?;
            seam.run("SAVEPOINT rows", &[])?;
        }
        let refused = match conn.execute_columns(&filling.insert, rows) {
            Ok(added) => {
                seam.run("RELEASE rows", &[])?;
                return Ok(added);
            }
            Err(e) if conn.is_lost() => return Err(e),
            Err(e) => e,
        };
        conn.back_to("rows")?;
        for (row, number) in rows.apart().zip(filling.written + 1..) {
            conn.execute_columns(&filling.insert, &row).map_err(|e| e.with("row", number))?;
        }
        Err(refused)
    }
}

/// Adds rows in the fastest way that there is.
fn copy(conn: &PgConn, filling: &Filling, rows: &Columns) -> Result<u64> {
    let table = filling.table;
    let all: Vec<usize> = (0..table.columns.len()).collect();
    if table.name == "messages" {
        let ids: Vec<usize> = ["session_id", "wa_message_id", "id", "created_at"]
            .iter()
            .filter_map(|column| table.index_of(column))
            .collect();
        let sql = "COPY in_this_schema.message_ids (session_id, wa_message_id, message_id, created_at)
                   FROM STDIN (FORMAT binary)";
        conn.copy_in(sql, rows.to_copy(&ids, table.index_of("wa_message_id")))?;
        for (session, month) in &filling.ahead {
            let sql = "INSERT INTO messages_ahead (session_id, month) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            conn.execute(sql, &[Value::Uuid(*session), Value::Time(*month)])?;
        }
    }
    let sql =
        format!("COPY in_this_schema.{} ({}) FROM STDIN (FORMAT binary)", table.name, table.column_list());
    conn.copy_in(&sql, rows.to_copy(&all, None))
}

/// A text that is unique in a table that others refer to.
fn unique_text(table: &str) -> Option<&'static str> {
    match table {
        "sessions" => Some("name"),
        "batch_jobs" => Some("batch_id"),
        _ => None,
    }
}

/// The statement that adds rows, given as a list per column.
fn insert(table: &Table, replace: bool, in_place: bool) -> String {
    let (name, columns) = (table.name, table.column_list());
    if name == "messages" {
        return insert_messages(table, if replace { Taken::Refused } else { Taken::SkippedByRow });
    }
    let rows = format!("unnest({}) AS t({columns})", lists(table, 1));
    let mut sql = format!("INSERT INTO {name} ({columns}) SELECT * FROM {rows}");
    if in_place {
        let others = table.columns.iter().filter(|c| !table.key.contains(&c.name));
        let set: Vec<String> = others.map(|c| format!("{0} = excluded.{0}", c.name)).collect();
        sql.push_str(&format!(" ON CONFLICT ({}) DO UPDATE SET {}", table.key.join(", "), set.join(", ")));
    } else if !replace {
        sql.push_str(" ON CONFLICT DO NOTHING");
    }
    sql
}

impl Bulk for PgBulk<'_> {
    fn begin(&mut self) -> Result<()> {
        let conn = self.core.lease(self.core.deadline())?;
        conn.begin()?;
        self.conn = Some(conn);
        Ok(())
    }

    fn conn(&self) -> Result<&dyn Conn> {
        Ok(self.open()?)
    }

    fn start(&mut self, table: &'static Table, replace: bool) -> Result<u64> {
        let in_place = replace && Self::is_referred_to(table);
        let removed = match (replace, in_place) {
            (false, _) => 0,
            (true, true) => self.set_aside(table)?,
            (true, false) => self.clear(table)?,
        };
        self.filling = Some(Filling {
            table,
            replace,
            in_place,
            insert: insert(table, replace, in_place),
            rows: Columns::of(table),
            times: Vec::new(),
            ahead: BTreeSet::new(),
            written: 0,
            added: 0,
            seen: HashSet::new(),
        });
        Ok(removed)
    }

    fn add(&mut self, values: &[Value<'_>]) -> Result<()> {
        let Some(filling) = &mut self.filling else {
            return Err(Error::new(Kind::Internal, "no table was started on"));
        };
        if let (true, Some(Value::Uuid(id))) = (filling.in_place, values.first())
            && !filling.seen.insert(*id)
        {
            let column = format!("{}.id", filling.table.name);
            return Err(Error::new(Kind::AlreadyExists, "the id came before").with("column", column));
        }
        if filling.table.name == "messages" {
            let value = |column| filling.table.index_of(column).and_then(|i| values.get(i).copied());
            if let (Some(Value::Uuid(session)), Some(Value::Time(sent)), Some(Value::Time(stored))) =
                (value("session_id"), value("wa_timestamp"), value("created_at"))
            {
                filling.times.push(stored);
                if sent.month() > stored.month() {
                    filling.ahead.insert((session, stored.month()));
                }
            }
        }
        filling.rows.push(values)?;
        if filling.rows.rows() >= ROWS || filling.rows.bytes() >= BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<u64> {
        self.flush()?;
        let Some(filling) = self.filling.take() else { return Ok(0) };
        if filling.in_place {
            let ids: Vec<Value<'_>> = filling.seen.iter().map(|id| Value::Uuid(*id)).collect();
            let sql = format!("DELETE FROM stale_{} WHERE id = ANY(?1::uuid[])", filling.table.name);
            self.open()?.execute(&sql, &[Value::List(crate::value::ColumnKind::Uuid, &ids)])?;
        }
        debug_assert!(!filling.replace || filling.added == filling.written);
        Ok(filling.added)
    }

    fn clear(&mut self, table: &'static Table) -> Result<u64> {
        if Self::is_referred_to(table) {
            return self.set_aside(table);
        }
        let conn = self.open()?;
        if table.name == "messages" {
            conn.execute("DELETE FROM message_ids", &[])?;
            conn.execute("DELETE FROM messages_ahead", &[])?;
        }
        conn.execute(&format!("DELETE FROM {}", table.name), &[])
    }

    fn orphans(&self, table: &Table, column: &str, parent: &Table) -> Result<i64> {
        let sql = format!(
            "SELECT count(*) FROM {} WHERE {column} IN (SELECT id FROM stale_{})",
            table.name, parent.name
        );
        self.conn()?.integer(&sql, &[])
    }

    fn settle(&mut self) -> Result<()> {
        let conn = self.open()?;
        for table in self.stale.iter().rev() {
            let sql = format!("DELETE FROM {0} WHERE id IN (SELECT id FROM stale_{0})", table.name);
            conn.execute(&sql, &[])?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.open()?.end(true)
    }
}
