//! Rows of the logs that were kept in memory, written many at a time.

use std::collections::HashMap;

use uuid::Uuid;

use crate::db::Conn;
use crate::entity::{ApiKeyLog, Entity, WebhookLog};
use crate::error::Result;
use crate::time::Timestamp;
use crate::value::Value;

/// Rows are written again when nobody could tell whether they were.
const NEW: &str = " ON CONFLICT (id) DO NOTHING";

/// A log whose rows may wait in memory.
pub(crate) trait Logged: Entity + Clone + Send + Sync + 'static {
    /// The operation that writes them.
    const OPERATION: &'static str;

    /// Bytes that it takes in memory, about.
    fn size(&self) -> usize;

    /// Writes rows whose owner may be gone by now, and says how many are left out because of that.
    fn write(conn: &dyn Conn, rows: &[Self]) -> Result<u64>;
}

impl Logged for ApiKeyLog {
    const OPERATION: &'static str = "api_keys.log_later";

    fn size(&self) -> usize {
        let texts =
            [Some(&self.endpoint), Some(&self.method), self.ip_address.as_ref(), self.user_agent.as_ref()];
        size_of::<Self>() + texts.into_iter().flatten().map(|t| t.as_stored().len()).sum::<usize>()
    }

    /// An entry outlives its key.
    fn write(conn: &dyn Conn, rows: &[Self]) -> Result<u64> {
        let sql =
            insert::<Self>("api_key_id", |owner| format!("(SELECT id FROM api_keys WHERE id = {owner})"));
        for row in rows {
            conn.execute(&sql, &row.values())?;
        }
        Ok(0)
    }
}

impl Logged for WebhookLog {
    const OPERATION: &'static str = "webhooks.log_later";

    fn size(&self) -> usize {
        let text = |t: &Option<crate::text::Text>| t.as_ref().map_or(0, |t| t.as_stored().len());
        let response = self.response.as_ref().map_or(0, |r| r.as_stored().len());
        size_of::<Self>()
            + self.event.as_stored().len()
            + self.payload.as_stored().len()
            + response
            + text(&self.error)
    }

    /// The log goes with its webhook, so what comes after is nobody's.
    fn write(conn: &dyn Conn, rows: &[Self]) -> Result<u64> {
        let mut last: HashMap<Uuid, Timestamp> = HashMap::new();
        for row in rows {
            let at = last.entry(row.webhook_id).or_insert(row.created_at);
            *at = row.created_at.max(*at);
        }
        // Everybody locks webhooks in the same order.
        let mut last: Vec<_> = last.into_iter().collect();
        last.sort_unstable();
        let mut gone = Vec::new();
        for (webhook, at) in last {
            // One that is there stays until the end of the transaction.
            let sql = "UPDATE webhooks SET last_triggered_at = ?1 WHERE id = ?2";
            if conn.execute(sql, &[Value::Time(at), Value::Uuid(webhook)])? == 0 {
                gone.push(webhook);
            }
        }
        let kept: Vec<&Self> = rows.iter().filter(|row| !gone.contains(&row.webhook_id)).collect();
        if conn.dialect().prefers_many_rows() {
            many(conn, &kept)?;
        } else {
            let sql = format!("{}{NEW}", Self::TABLE.insert());
            for row in &kept {
                conn.execute(&sql, &row.values())?;
            }
        }
        Ok((rows.len() - kept.len()) as u64)
    }
}

/// An insert whose column `owner` is not the value given but what `found` makes of it.
fn insert<E: Entity>(owner: &str, found: impl Fn(&str) -> String) -> String {
    let values: Vec<String> = (1..)
        .zip(E::TABLE.columns)
        .map(|(i, column)| if column.name == owner { found(&format!("?{i}")) } else { format!("?{i}") })
        .collect();
    format!("INSERT INTO {} ({}) VALUES ({}){NEW}", E::TABLE.name, E::TABLE.column_list(), values.join(", "))
}

/// One statement for all rows, each of whose columns is a list.
#[cfg(feature = "postgres")]
fn many<E: Entity>(conn: &dyn Conn, rows: &[&E]) -> Result<()> {
    let columns = E::TABLE.columns;
    let values: Vec<Vec<Value<'_>>> = rows.iter().map(|row| row.values()).collect();
    let lists: Vec<Vec<Value<'_>>> =
        (0..columns.len()).map(|i| values.iter().map(|row| row[i]).collect()).collect();
    let params: Vec<Value<'_>> =
        columns.iter().zip(&lists).map(|(c, list)| Value::List(c.kind, list)).collect();
    let (list, table) = (E::TABLE.column_list(), E::TABLE.name);
    let sql = format!(
        "INSERT INTO {table} ({list}) SELECT {list} FROM unnest({}) AS t({list}){NEW}",
        crate::db::lists(E::TABLE, 1)
    );
    conn.execute(&sql, &params)?;
    Ok(())
}

#[cfg(not(feature = "postgres"))]
fn many<E: Entity>(conn: &dyn Conn, rows: &[&E]) -> Result<()> {
    rows.iter().try_for_each(|row| super::insert(conn, *row))
}
