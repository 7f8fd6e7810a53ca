//! Deleting a few old rows in one transaction.

use uuid::Uuid;

use super::old::Old;
use crate::db::Conn;
use crate::entity::Database;
use crate::error::Result;
use crate::store::Store;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

/// What one transaction did.
pub(super) struct Deleted {
    pub(super) rows: u64,
    /// There are no more.
    pub(super) finished: bool,
}

/// How far the search for old messages has come. Messages that are older than they were stored may stay, and would be
/// met again by every transaction.
#[derive(Default)]
pub(super) struct Progress {
    searched: Option<Timestamp>,
}

/// Deletes up to `limit` rows.
pub(super) fn some(store: &Store, old: &Old<'static>, limit: u64, so_far: &mut Progress) -> Result<Deleted> {
    match old.table {
        "messages" if store.database(old.database).dialect().has_message_ids() => {
            messages_at_once(store, old, limit)
        }
        "messages" => messages(store, old, limit, so_far),
        _ => rows(store, old, limit),
    }
}

/// Messages are looked up outside the transaction, by a reader, and deleted one by one inside: a statement that
/// deletes many rows at once first copies every page it touches.
fn messages(store: &Store, old: &Old<'static>, limit: u64, so_far: &mut Progress) -> Result<Deleted> {
    let from = so_far.searched.unwrap_or(Timestamp::MIN);
    let sql = format!(
        "SELECT id, wa_message_id, wa_timestamp FROM messages WHERE {} AND wa_timestamp >= ?3
          ORDER BY {} LIMIT ?4",
        old.filter, old.order
    );
    let mut values = old.values.clone();
    values.extend([Value::Time(from), Value::Int(i64::try_from(limit).unwrap_or(i64::MAX))]);
    let found: Vec<(Uuid, Option<Text>, Timestamp)> = store.database(Database::Data).read(|conn| {
        conn.all(&sql, &values, |row| {
            let id = Uuid::read(row.get(0)).unwrap_or_default();
            let at = Timestamp::read(row.get(2)).unwrap_or(Timestamp::MIN);
            Ok((id, Text::read(row.get(1)), at))
        })
    })?;
    if old.order.starts_with("wa_timestamp") {
        so_far.searched = found.last().map(|(_, _, at)| *at);
    }
    let (finished, session) = ((found.len() as u64) < limit, old.values[0]);
    let work = move |conn: &dyn Conn, _: &crate::store::Env| {
        let any = "SELECT 1 FROM message_reactions WHERE session_id = ?1 LIMIT 1";
        let reactions = conn.first(any, &[session], |_| Ok(()))?.is_some();
        let any = "SELECT 1 FROM openwa_extra WHERE session_id = ?1 LIMIT 1";
        let kept = conn.first(any, &[session], |_| Ok(()))?.is_some();
        let mut rows = 0;
        for (id, wa_message_id, _) in &found {
            rows += conn.execute("DELETE FROM messages WHERE id = ?1", &[Value::Uuid(*id)])?;
            if let (true, Some(wa_message_id)) = (reactions, wa_message_id) {
                let sql = "DELETE FROM message_reactions WHERE session_id = ?1 AND wa_message_id = ?2";
                conn.execute(sql, &[session, wa_message_id.bind()])?;
            }
            if kept {
                let sql = "DELETE FROM openwa_extra WHERE table_name = 'messages' AND row_id = ?1";
                conn.execute(sql, &[Value::Text(&id.to_string())])?;
            }
        }
        Ok(Deleted { rows, finished })
    };
    store.write("retention.run", work).wait()
}

/// Where each statement is a round trip, one statement does it.
fn messages_at_once(store: &Store, old: &Old<'static>, limit: u64) -> Result<Deleted> {
    let sql = format!(
        "WITH old AS (DELETE FROM messages WHERE (id, created_at) IN (
                        SELECT id, created_at FROM messages WHERE {} ORDER BY {} LIMIT ?3)
                      RETURNING id, session_id, wa_message_id),
              ids AS (DELETE FROM message_ids i USING old
                       WHERE i.session_id = old.session_id AND i.wa_message_id = old.wa_message_id AND i.message_id = old.id),
              reactions AS (DELETE FROM message_reactions r USING old
                       WHERE r.session_id = old.session_id AND r.wa_message_id = old.wa_message_id),
              kept AS (DELETE FROM openwa_extra x USING old
                       WHERE x.table_name = 'messages' AND x.row_id = CAST(old.id AS TEXT))
         SELECT count(*) FROM old",
        old.filter, old.order
    );
    let mut values = old.values.clone();
    values.push(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    let work = move |conn: &dyn Conn, _: &crate::store::Env| {
        let rows = u64::try_from(conn.integer(&sql, &values)?).unwrap_or(0);
        Ok(Deleted { rows, finished: rows < limit })
    };
    store.write("retention.run", work).wait()
}

fn rows(store: &Store, old: &Old<'static>, limit: u64) -> Result<Deleted> {
    let (table, mut values) = (old.table, old.values.clone());
    values.push(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    let last = values.len();
    let some = format!("SELECT {} FROM {table} WHERE {} LIMIT ?{last}", old.key, old.filter);
    let delete = format!("DELETE FROM {table} WHERE ({}) IN ({some})", old.key);
    let work = move |conn: &dyn Conn, _: &crate::store::Env| {
        // A job may have a hundred thousand messages; they go before it, a few at a time.
        if table == "batch_jobs" && job_messages(conn, &some, &values)? == limit {
            return Ok(Deleted { rows: 0, finished: false });
        }
        let rows = conn.execute(&delete, &values)?;
        Ok(Deleted { rows, finished: rows < limit })
    };
    store.write_to(old.database, "retention.run", work).wait()
}

fn job_messages(conn: &dyn Conn, jobs: &str, values: &[Value<'_>]) -> Result<u64> {
    let limit = values.len();
    let sql = format!(
        "DELETE FROM batch_job_messages WHERE id IN (
           SELECT id FROM batch_job_messages WHERE batch_job_id IN ({jobs}) LIMIT ?{limit})"
    );
    conn.execute(&sql, values)
}
