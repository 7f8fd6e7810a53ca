//! How fast the store grows, and where that ends.

use std::time::Duration;

use super::days::DayCount;
use super::rows::TableEstimate;
use crate::db::Conn;
use crate::entity::Session;
use crate::error::Result;
use crate::policy::retention::{self as rules, DAY};
use crate::record::shape;
use crate::time::Timestamp;
use crate::value::{Column, Value};

shape! { output:
/// Where the store is going.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// Messages per day, over the last seven whole days, or as long as there have been any.
    pub messages_per_day: u64,
    /// Bytes that they take per day, indexes included.
    pub bytes_per_day: u64,
    /// When the oldest message was stored.
    pub oldest: Option<Timestamp>,
    /// How long retention keeps messages; None: for ever.
    pub window: Option<Duration>,
    /// When the oldest message reaches the end of the window. From then on as much goes as comes. None: that was already,
    /// or will never be.
    pub full_at: Option<Timestamp>,
    /// The size of Data from then on, if it goes on like this.
    pub bytes_when_full: Option<u64>,
}
}

/// Whole days whose average counts.
const AVERAGED: usize = 7;
/// How long messages may outlive their window before somebody should look: retention runs once a day.
const GRACE: Duration = Duration::from_secs(2 * DAY.as_secs());
/// Before WhatsApp's first year a time is a broken clock's.
const BROKEN_CLOCK: Timestamp = match Timestamp::from_secs(1_230_768_000) {
    Some(t) => t,
    None => Timestamp::EPOCH,
};

/// When each session's oldest message was stored, in the order of the sessions.
pub(super) fn oldest(conn: &dyn Conn, sessions: &[Session]) -> Result<Vec<Option<Timestamp>>> {
    let sql = "SELECT created_at FROM messages WHERE session_id = ?1 AND wa_timestamp >= ?2
                ORDER BY wa_timestamp, id LIMIT 1";
    let of = |session: &Session| {
        let params = [Value::Uuid(session.id), Value::Time(BROKEN_CLOCK)];
        Ok(conn.first(sql, &params, |row| Ok(Timestamp::read(row.get(0))))?.flatten())
    };
    sessions.iter().map(of).collect()
}

pub(super) fn growth(
    days: &[DayCount],
    kept: TableEstimate,
    bytes: u64,
    oldest: &[Option<Timestamp>],
    window: Option<Duration>,
    now: Timestamp,
) -> Growth {
    let oldest = oldest.iter().flatten().min().copied();
    let messages_per_day = per_day(days, oldest);
    let bytes_per_day = u128::from(bytes) * u128::from(messages_per_day) / u128::from(kept.rows.max(1));
    let bytes_per_day = u64::try_from(bytes_per_day).unwrap_or(u64::MAX);
    let full_at = oldest.zip(window).map(|(oldest, window)| oldest.plus(window)).filter(|at| *at > now);
    let left = full_at.map(|at| (at.millis() - now.millis()) as f64 / DAY.as_millis() as f64);
    let bytes_when_full = left.map(|days| bytes.saturating_add((bytes_per_day as f64 * days) as u64));
    Growth { messages_per_day, bytes_per_day, oldest, window, full_at, bytes_when_full }
}

/// The average of whole days. Of a store that is younger than a day there is only today.
fn per_day(days: &[DayCount], oldest: Option<Timestamp>) -> u64 {
    let Some((today, before)) = days.split_last() else { return 0 };
    let since = oldest.map_or(today.day, super::days::midnight);
    let whole: Vec<u64> =
        before.iter().rev().take(AVERAGED).filter(|d| d.day >= since).map(|d| d.messages).collect();
    if whole.is_empty() { today.messages } else { whole.iter().sum::<u64>() / whole.len() as u64 }
}

/// Whether a session has messages that retention should have removed.
pub(super) fn is_overdue(
    sessions: &[Session],
    oldest: &[Option<Timestamp>],
    window: Option<Duration>,
    now: Timestamp,
) -> bool {
    sessions.iter().zip(oldest).any(|(session, oldest)| {
        // Settings that make no sense are told by retention itself.
        let own = rules::message_window(&session.config).map_or(None, |own| own.or(window));
        own.zip(*oldest).is_some_and(|(window, oldest)| oldest.plus(window).plus(GRACE) < now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn days(counts: &[u64], today: &str) -> Vec<DayCount> {
        let day = |(i, messages): (usize, &u64)| DayCount {
            day: at(today).minus(DAY * u32::try_from(counts.len() - 1 - i).unwrap()),
            messages: *messages,
        };
        counts.iter().enumerate().map(day).collect()
    }

    #[test]
    fn growth_is_that_of_whole_days_and_ends_with_the_window() {
        let counts = days(&[0, 0, 100, 200, 5], "2026-01-05");
        let kept = TableEstimate { table: "messages", rows: 305, exact: true };
        let (now, oldest) = (at("2026-01-05T12:00:00Z"), [None, Some(at("2026-01-03T12:00:00Z"))]);
        let g = growth(&counts, kept, 305_000, &oldest, Some(DAY * 30), now);
        assert_eq!((g.messages_per_day, g.bytes_per_day), (150, 150_000));
        assert_eq!(g.full_at, Some(at("2026-02-02T12:00:00Z")));
        assert_eq!(g.bytes_when_full, Some(305_000 + 28 * 150_000));
        let full = growth(&counts, kept, 305_000, &[Some(at("2025-11-03"))], Some(DAY * 30), now);
        assert_eq!((full.full_at, full.bytes_when_full), (None, None));
        let young = growth(&counts, kept, 305_000, &[Some(at("2026-01-05T01:00:00Z"))], None, now);
        assert_eq!((young.messages_per_day, young.full_at), (5, None));
        let empty =
            growth(&days(&[0, 0], "2026-01-05"), TableEstimate { rows: 0, ..kept }, 4096, &[], None, now);
        assert_eq!((empty.messages_per_day, empty.bytes_per_day, empty.oldest), (0, 0, None));
    }
}
