//! Which monthly partitions a read of messages needs.
//!
//! A message is stored after it was sent. So what is not in the months from `since` on was sent before `since`, but for
//! rows that claim to have been sent in a later month than they were stored in; `messages_ahead` lists the months of
//! those. A page of the newest messages therefore starts with the youngest months and takes older ones only if it is
//! not full.

use uuid::Uuid;

use super::message_reads::{MessageFilter, Order};
use super::paging::{Keyset, Page};
use crate::db::Conn;
use crate::entity::Message;
use crate::error::Result;
use crate::time::Timestamp;
use crate::value::{Column, Value};

/// How many months before the youngest one the windows start; behind the last one everything is read.
const BACK: [i32; 2] = [0, 3];

/// The months to start with, each older than the one before, and the one that is certainly enough (`None`: all months).
pub(super) fn windows(
    conn: &dyn Conn,
    session: Uuid,
    filter: &MessageFilter,
    after: Option<&Keyset>,
    now: Timestamp,
) -> Result<(Vec<Timestamp>, Option<Timestamp>)> {
    if !conn.dialect().is_partitioned() {
        return Ok((Vec::new(), None));
    }
    let ahead = ahead(conn, session)?;
    let with_ahead = |since: Timestamp| ahead.map_or(since, |month| month.min(since));
    let from = match filter.order {
        Order::Newest => filter.from,
        // What was sent before the cursor's time is behind us.
        Order::Oldest => after.map(|k| k.at).max(filter.from),
    };
    let last = from.map(|from| with_ahead(from.month()));
    if filter.order == Order::Oldest {
        return Ok((Vec::new(), last));
    }
    let newest = after.map_or(now, |k| k.at).min(filter.until.unwrap_or(Timestamp::MAX));
    let narrow = BACK.iter().map(|back| with_ahead(newest.months_later(-back)));
    let mut narrow: Vec<_> = narrow.filter(|since| Some(*since) > last).collect();
    narrow.dedup();
    Ok((narrow, last))
}

/// Whether a page has all that belongs into it, though months before `since` were not read.
pub(super) fn is_whole(page: &Page<Message>, since: Timestamp) -> bool {
    page.next.is_some() && page.items.last().is_some_and(|oldest| oldest.wa_timestamp >= since)
}

/// The month from which on everything is that was sent after `from`.
pub(super) fn bound(conn: &dyn Conn, session: Uuid, from: Option<Timestamp>) -> Result<Option<Timestamp>> {
    let Some(from) = from.filter(|_| conn.dialect().is_partitioned()) else { return Ok(None) };
    let from = from.month();
    Ok(Some(ahead(conn, session)?.map_or(from, |month| month.min(from))))
}

/// The oldest month that has rows which claim to have been sent in a later one.
fn ahead(conn: &dyn Conn, session: Uuid) -> Result<Option<Timestamp>> {
    let sql = "SELECT min(month) FROM messages_ahead WHERE session_id = ?1";
    let found = conn.first(sql, &[Value::Uuid(session)], |row| Ok(Timestamp::read(row.get(0))))?;
    Ok(found.flatten())
}

/// The month in which a UUIDv7 was minted, which for a row of this library is the month it is stored in, nearly always.
pub(super) fn of_id(id: Uuid) -> Option<(Timestamp, Timestamp)> {
    let (seconds, _) = id.get_timestamp().filter(|_| id.get_version_num() == 7)?.to_unix();
    let since = Timestamp::from_secs(i64::try_from(seconds).ok()?)?.month();
    Some((since, since.months_later(1)))
}
