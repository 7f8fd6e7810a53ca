//! The monthly tables of `messages` on PostgreSQL: made ahead, and dropped when all of their rows are too old.

use std::time::Duration;

use crate::db::{Conn, FIRST_MONTH, Wait};
use crate::error::{Kind, Result};
use crate::store::PartitionInfo;
use crate::time::Timestamp;
use crate::value::{Column, Value};

/// Months that are made ahead, beside the present one.
const AHEAD: i32 = 3;
/// How long a lock is asked for again and again. Each try waits 200 ms at most, so that nobody queues behind
/// it for long, and others may work between two.
const PATIENCE: Duration = Duration::from_secs(12);

/// Forgets the connections that have not written for long; nobody waits for their answers any more.
pub(crate) fn forget_writers(conn: &dyn Conn) -> Result<()> {
    conn.execute("DELETE FROM openwa_writers WHERE at < now() - interval '1 day'", &[])?;
    Ok(())
}

/// Makes the partitions of this month and the next three, moving rows that wait in the default partition. Any number
/// of processes may do it at once. Says how many were made.
pub(crate) fn make_ahead(conn: &dyn Conn, now: Timestamp) -> Result<u64> {
    if layout(conn)? != Some(true) {
        return Ok(0);
    }
    let mut made = 0;
    for month in (0..=AHEAD).map(|by| now.months_later(by)) {
        made += u64::from(make(conn, month)?);
    }
    Ok(made)
}

/// Whether `messages` is a table per month; `None`: there is none.
pub(crate) fn layout(conn: &dyn Conn) -> Result<Option<bool>> {
    let sql = "SELECT c.relkind = 'p' FROM pg_catalog.pg_class c
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = this_schema AND c.relname = 'messages'";
    conn.first(sql, &[], |row| Ok(row.get(0) == Value::Bool(true)))
}

/// One month's table.
pub(crate) struct Partition {
    pub(crate) name: String,
    /// Its first instant, and the first after it.
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

/// The monthly tables, oldest first; `None`: `messages` is one plain table.
pub(crate) fn existing(conn: &dyn Conn) -> Result<Option<Vec<Partition>>> {
    let sql = "SELECT c.relname, m.relkind = 'p' FROM pg_catalog.pg_class m
                 JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
                 LEFT JOIN pg_catalog.pg_inherits i ON i.inhparent = m.oid
                 LEFT JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
                WHERE n.nspname = this_schema AND m.relname = 'messages' ORDER BY c.relname";
    let mut partitioned = false;
    let names = conn.all(sql, &[], |row| {
        partitioned = row.get(1) == Value::Bool(true);
        Ok(if let Value::Text(name) = row.get(0) { partition(name) } else { None })
    })?;
    Ok(partitioned.then(|| names.into_iter().flatten().collect()))
}

/// All partitions with their sizes, oldest first.
pub(crate) fn sizes(conn: &dyn Conn) -> Result<Vec<PartitionInfo>> {
    let sql = "SELECT c.relname, c.reltuples::bigint, pg_total_relation_size(c.oid)
                 FROM pg_catalog.pg_class m
                 JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
                 JOIN pg_catalog.pg_inherits i ON i.inhparent = m.oid
                 JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
                WHERE n.nspname = this_schema AND m.relname = 'messages'";
    let mut all = conn.all(sql, &[], |row| {
        let name = if let Value::Text(name) = row.get(0) { name.to_owned() } else { String::new() };
        let month = partition(&name);
        let count = |i| if let Value::Int(n) = row.get(i) { u64::try_from(n).ok() } else { None };
        Ok(PartitionInfo {
            since: month.as_ref().map(|m| m.since),
            until: month.map(|m| m.until),
            name,
            rows: count(1),
            bytes: count(2).unwrap_or(0),
        })
    })?;
    // The default partition comes last.
    all.sort_by_key(|p| (p.since.is_none(), p.since));
    Ok(all)
}

/// `messages_y2025m01`; any other name is not a month's.
fn partition(name: &str) -> Option<Partition> {
    let (year, month) = name.strip_prefix("messages_y")?.split_once('m')?;
    let since = Timestamp::parse(&format!("{year}-{month}-01")).ok()?;
    Some(Partition { name: name.to_owned(), since, until: since.months_later(1) })
}

/// The times whose months get a table of their own: from WhatsApp's first month to the last one that is made ahead.
pub(crate) fn span(now: Timestamp) -> (Timestamp, Timestamp) {
    (FIRST_MONTH, now.months_later(AHEAD + 1))
}

/// Makes one month's table, and moves the rows there that wait for it. False: it is there.
pub(crate) fn make(conn: &dyn Conn, month: Timestamp) -> Result<bool> {
    retried(conn, |conn| {
        let made = conn.first("SELECT create_messages_partition(?1)", &[Value::Time(month)], |row| {
            Ok(bool::read(row.get(0)).unwrap_or(false))
        });
        Ok(made?.unwrap_or(false))
    })
}

/// Removes one month with all that belongs to its messages, and says how many they were. What takes long comes first:
/// the table goes in the last moment, since that keeps everybody else out of all messages.
pub(crate) fn drop(conn: &dyn Conn, month: &Partition) -> Result<u64> {
    retried(conn, |conn| {
        let table = &month.name;
        conn.batch("SET LOCAL lock_timeout = '200ms'")?;
        // Nothing may come into the month any more.
        conn.batch(&format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))?;
        let without_id =
            conn.integer(&format!("SELECT count(*) FROM {table} WHERE wa_message_id IS NULL"), &[])?;
        if conn.first("SELECT 1 FROM message_reactions LIMIT 1", &[], |_| Ok(()))?.is_some() {
            let sql = format!(
                "DELETE FROM message_reactions r USING {table} m
                  WHERE r.session_id = m.session_id AND r.wa_message_id = m.wa_message_id"
            );
            conn.execute(&sql, &[])?;
        }
        if conn.first("SELECT 1 FROM openwa_extra LIMIT 1", &[], |_| Ok(()))?.is_some() {
            let sql = format!(
                "DELETE FROM openwa_extra x USING {table} m WHERE x.table_name = 'messages' AND x.row_id = CAST(m.id AS TEXT)"
            );
            conn.execute(&sql, &[])?;
        }
        let with_id = conn.execute(
            "DELETE FROM message_ids WHERE created_at >= ?1 AND created_at < ?2",
            &[Value::Time(month.since), Value::Time(month.until)],
        )?;
        conn.execute("DELETE FROM messages_ahead WHERE month = ?1", &[Value::Time(month.since)])?;
        conn.batch(&format!("DROP TABLE {table}"))?;
        Ok(with_id + u64::try_from(without_id).unwrap_or(0))
    })
}

/// Does something in a transaction of its own, again while others hold a lock that it needs.
fn retried<T>(conn: &dyn Conn, work: impl Fn(&dyn Conn) -> Result<T>) -> Result<T> {
    let mut wait = Wait::at_most(PATIENCE);
    loop {
        conn.begin()?;
        let out = work(conn);
        let ended = conn.end(out.is_ok());
        match out.and_then(|out| ended.map(|()| out)) {
            Err(e) if e.kind() == Kind::Busy => {
                if !wait.again() {
                    return Err(e);
                }
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_told_by_their_names() {
        let of = |name| partition(name).map(|p| (p.since.to_string(), p.until.to_string()));
        let december = ("2025-12-01T00:00:00.000Z".to_owned(), "2026-01-01T00:00:00.000Z".to_owned());
        assert_eq!(of("messages_y2025m12"), Some(december));
        for other in ["messages_default", "messages_y2025m13", "messages_2025", "messages_y2025m1x"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
