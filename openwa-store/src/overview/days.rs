//! Messages per day.

use std::collections::HashMap;

use super::rows::{self, TableEstimate};
use crate::db::Conn;
use crate::entity::Session;
use crate::error::Result;
use crate::policy::retention::DAY;
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

shape! { output:
/// The messages of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayCount {
    /// Its first instant, UTC.
    pub day: Timestamp,
    /// How many messages were sent on it.
    pub messages: u64,
}
}

/// The last `count` days, and whether they are estimates. A table that is small enough to be counted is counted, by an
/// index; of a large one a sample is taken.
pub(super) fn count(
    conn: &dyn Conn,
    sessions: &[Session],
    kept: TableEstimate,
    now: Timestamp,
    count: u32,
) -> Result<(Vec<DayCount>, bool)> {
    let today = midnight(now);
    let first = today.minus(DAY * (count - 1));
    let mut found: HashMap<Timestamp, f64> = HashMap::new();
    if kept.exact {
        let sql = format!(
            "SELECT {}, count(*) FROM messages WHERE session_id = ?1 AND wa_timestamp >= ?2 AND wa_timestamp < ?3 GROUP BY 1",
            conn.dialect().day_of("wa_timestamp")
        );
        let (from, until) = (Value::Time(first), Value::Time(today.plus(DAY)));
        for session in sessions {
            conn.query(&sql, &[Value::Uuid(session.id), from, until], &mut |row| {
                let day = Text::read(row.get(0)).and_then(|day| Timestamp::parse(day.as_stored()).ok());
                if let (Some(day), Some(n)) = (day, i64::read(row.get(1))) {
                    *found.entry(day).or_default() += n as f64;
                }
                Ok(crate::db::Flow::Continue(()))
            })?;
        }
    } else {
        let worth = rows::sample(conn, "messages", "wa_timestamp", kept.rows, &mut |value| {
            if let Some(at) = Timestamp::read(value) {
                *found.entry(midnight(at)).or_default() += 1.0;
            }
        })?;
        found.values_mut().for_each(|n| *n *= worth);
    }
    let day = |ago| {
        let day = today.minus(DAY * ago);
        DayCount { day, messages: found.get(&day).map_or(0, |n| n.round() as u64) }
    };
    Ok(((0..count).rev().map(day).collect(), !kept.exact))
}

/// The first instant of a day, UTC.
pub(super) fn midnight(at: Timestamp) -> Timestamp {
    let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.millis().div_euclid(day) * day).unwrap_or(Timestamp::MIN)
}
