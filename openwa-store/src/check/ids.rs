//! What PostgreSQL needs beside the rows of `messages`, against those rows: `message_ids`, `messages_ahead`, and the
//! month that each row lies in.

use super::{Checker, Finding, FindingKind};
use crate::db::Conn;
use crate::entity::Database;
use crate::error::Result;
use crate::store::Store;
use crate::time::Timestamp;
use crate::value::{Column, Value};

use super::findings::rows;

/// An id whose message is not there. Retention removes an id with its message, and an early change gives the id back in
/// the transaction that takes it, so this is never a passing state.
const NO_MESSAGE: &str =
    "NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = i.message_id AND m.created_at = i.created_at)";
/// A message that claims to have been sent in a later month than it was stored in.
const AHEAD: &str = "m.created_at < m.wa_timestamp
    AND date_trunc('month', m.created_at AT TIME ZONE 'UTC') < date_trunc('month', m.wa_timestamp AT TIME ZONE 'UTC')";

pub(super) fn check(checker: &mut Checker<'_, '_>) -> Result<()> {
    let dialect = checker.store.database(Database::Data).dialect();
    if !dialect.has_message_ids() {
        // There a UNIQUE of the table itself does it.
        return Ok(());
    }
    let sql = format!(
        "SELECT count(*), min(CAST(i.session_id AS TEXT) || '/' || i.wa_message_id) FROM message_ids i WHERE {NO_MESSAGE}"
    );
    note(checker, FindingKind::IdWithoutMessage, "message_ids", &sql, &[], |n, example| {
        format!("message_ids: {n} whose message does not exist, for instance {example}")
    })?;
    // Of two rows with one id, one is found by it; the other has its id taken.
    let of_messages = |wanted: &str| {
        format!(
            "SELECT count(*), min(CAST(m.id AS TEXT)) FROM messages m
               LEFT JOIN message_ids i ON i.session_id = m.session_id AND i.wa_message_id = m.wa_message_id
              WHERE m.wa_message_id IS NOT NULL AND {wanted}"
        )
    };
    let sql = of_messages(&format!(
        "(i.message_id IS NULL OR ((i.message_id, i.created_at) <> (m.id, m.created_at) AND {}))",
        NO_MESSAGE.replace(" m WHERE", " o WHERE").replace("m.", "o.")
    ));
    note(checker, FindingKind::MessageWithoutId, "messages", &sql, &[], |n, example| {
        format!("messages: {n} not to be found by WhatsApp id, for instance {example}")
    })?;
    let sql = of_messages(
        "(i.message_id, i.created_at) <> (m.id, m.created_at)
         AND EXISTS (SELECT 1 FROM messages o WHERE o.id = i.message_id AND o.created_at = i.created_at)",
    );
    note(checker, FindingKind::DuplicateMessage, "messages", &sql, &[], |n, example| {
        format!("messages: {n} with the WhatsApp id of another row of the session, for instance {example}")
    })?;
    let sql =
        format!("SELECT count(*), min(CAST(m.id AS TEXT)) FROM messages m WHERE {AHEAD} AND {UNLISTED}");
    note(checker, FindingKind::UnlistedMonth, "messages_ahead", &sql, &[], |n, example| {
        format!(
            "messages_ahead: {n} of messages of a later month than they lie in, which is not listed, for instance {example}"
        )
    })?;
    if dialect.is_partitioned() {
        let (since, until) = span(checker.store);
        let sql = "SELECT count(*), min(CAST(id AS TEXT)) FROM in_this_schema.messages_default
                    WHERE created_at >= ?1 AND created_at < ?2";
        let span = [Value::Time(since), Value::Time(until)];
        note(checker, FindingKind::MisplacedRow, "messages_default", sql, &span, |n, example| {
            format!("messages_default: {n} of a month that has or gets a table, for instance {example}")
        })?;
    }
    Ok(())
}

const UNLISTED: &str = "NOT EXISTS (SELECT 1 FROM messages_ahead a WHERE a.session_id = m.session_id
    AND a.month = date_trunc('month', m.created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')";

fn note(
    checker: &mut Checker<'_, '_>,
    kind: FindingKind,
    table: &'static str,
    sql: &str,
    params: &[Value<'_>],
    text: impl FnOnce(&str, &str) -> String,
) -> Result<()> {
    let found = checker.count(table, sql, params)?.unwrap_or_default();
    let n = rows(found.count);
    checker.find(Finding::new(kind, Database::Data, table, None, found, |example| text(&n, example)));
    Ok(())
}

/// The times whose months get a table: from WhatsApp's first to the last one that is made ahead.
fn span(store: &Store) -> (Timestamp, Timestamp) {
    #[cfg(feature = "postgres")]
    let span = crate::maintenance::partitions::span(store.env().now());
    #[cfg(not(feature = "postgres"))]
    let span = (Timestamp::MIN, store.env().now());
    span
}

/// Mends one kind, with one statement: it locks nothing but the rows that are wrong.
pub(super) fn repair(store: &Store, kind: FindingKind) -> Result<u64> {
    let data = store.database(Database::Data);
    match kind {
        FindingKind::IdWithoutMessage => {
            data.alone(|conn| conn.execute(&format!("DELETE FROM message_ids i WHERE {NO_MESSAGE}"), &[]))
        }
        // The message is held until its id is there, so that retention does not come in between.
        FindingKind::MessageWithoutId => data.alone(|conn| {
            conn.execute(
                "INSERT INTO message_ids (session_id, wa_message_id, message_id, created_at)
                 SELECT m.session_id, m.wa_message_id, m.id, m.created_at FROM messages m
                  WHERE m.wa_message_id IS NOT NULL AND NOT EXISTS (
                        SELECT 1 FROM message_ids i
                         WHERE i.session_id = m.session_id AND i.wa_message_id = m.wa_message_id)
                    FOR KEY SHARE OF m
                 ON CONFLICT DO NOTHING",
                &[],
            )
        }),
        FindingKind::UnlistedMonth => data.alone(|conn| {
            conn.execute(
                &format!(
                    "INSERT INTO messages_ahead (session_id, month)
                     SELECT DISTINCT m.session_id, date_trunc('month', m.created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
                       FROM messages m WHERE {AHEAD} ON CONFLICT DO NOTHING"
                ),
                &[],
            )
        }),
        FindingKind::MisplacedRow => move_to_months(store),
        _ => Ok(0),
    }
}

/// Makes the months that rows of the default partition belong to, which moves them. Says how many rows.
fn move_to_months(store: &Store) -> Result<u64> {
    let (since, until) = span(store);
    let data = store.database(Database::Data);
    let sql = "SELECT date_trunc('month', created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', count(*)
                 FROM in_this_schema.messages_default WHERE created_at >= ?1 AND created_at < ?2 GROUP BY 1 ORDER BY 1";
    let months = |conn: &dyn Conn| {
        conn.all(sql, &[Value::Time(since), Value::Time(until)], |row| {
            let n = i64::read(row.get(1)).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            Ok((Timestamp::read(row.get(0)).unwrap_or(Timestamp::MIN), n))
        })
    };
    let mut moved = 0;
    for (month, rows) in data.alone(months)? {
        #[cfg(feature = "postgres")]
        data.alone(|conn| crate::maintenance::partitions::make(conn, month))?;
        let _ = month;
        moved += rows;
    }
    Ok(moved)
}
