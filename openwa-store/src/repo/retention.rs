//! What retention has to know beside the rows: what moved in, and how time passed between its runs.

use std::time::Duration;

use uuid::Uuid;

use super::messages::{Outcome, Saved};
use crate::db::Conn;
use crate::error::{Error, Kind, Result};
use crate::policy::retention::{DAY, Passed, Windows};
use crate::record::shape;
use crate::time::{Timestamp, Uptime};
use crate::value::{Column, Row, Value, names};

names! {
    /// How messages moved in.
    pub enum MovedBy {
        /// From another gateway.
        Takeover = "takeover",
        /// From a document, or a backup restored by one.
        Import = "import",
        /// From another store.
        Migration = "migration",
        /// By an engine's history.
        Backfill = "backfill",
    }
}

shape! { output:
/// Messages that moved in since somebody last said yes to retention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedIn {
    /// How.
    pub by: MovedBy,
    /// Where from.
    pub source: String,
    /// When.
    pub at: Timestamp,
    /// How many.
    pub messages: u64,
    /// When the oldest of them was stored, there.
    pub oldest: Timestamp,
    /// How old that was when it moved in: retention waits if this is more than its window.
    pub age: Duration,
}
}

/// No window is so short; what is younger need not be noted.
const YOUNG: Duration = Duration::from_secs(60 * 60);

impl MovedIn {
    /// What a person should know of it; `None`: it is not older than retention keeps messages by default.
    pub(crate) fn warning(&self) -> Option<String> {
        let window = Windows::default().messages.filter(|window| self.age > *window)?;
        Some(format!(
            "{} messages, the oldest of {}: older than retention keeps them by default ({} days), so it deletes no messages \
             until you say yes with `openwa retention accept`; `openwa retention` shows how many would go",
            self.messages,
            self.oldest,
            window.as_secs() / DAY.as_secs()
        ))
    }
}

/// Messages on their way in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moving {
    pub(crate) messages: u64,
    pub(crate) oldest: Option<Timestamp>,
}

impl Moving {
    pub(crate) fn add(&mut self, created_at: Timestamp) {
        self.messages += 1;
        self.oldest = Some(self.oldest.map_or(created_at, |oldest| oldest.min(created_at)));
    }

    /// What has moved in; `None`: nothing that is old.
    pub(crate) fn into(self, by: MovedBy, source: &str, now: Timestamp) -> Option<MovedIn> {
        let oldest = self.oldest?;
        let age = Duration::from_millis(u64::try_from(now.millis() - oldest.millis()).unwrap_or(0));
        let moved = MovedIn { by, source: source.to_owned(), at: now, messages: self.messages, oldest, age };
        (age > YOUNG && self.messages > 0).then_some(moved)
    }
}

/// The old ones among messages that were saved.
pub(crate) fn old<'a>(now: Timestamp, saved: impl Iterator<Item = &'a Saved>) -> Moving {
    let mut moving = Moving::default();
    let new = saved.filter(|saved| saved.outcome == Outcome::Inserted).map(|saved| saved.message.created_at);
    new.filter(|at| at.plus(YOUNG) < now).for_each(|at| moving.add(at));
    moving
}

/// Notes what an engine's history brought. What retention removed from a session does not come back, so of one that it
/// cleans every day no message is more than a day over its window: that day does not count.
pub(crate) fn note_history(conn: &dyn Conn, moving: Moving, now: Timestamp, is_cleaned: bool) -> Result<()> {
    let Some(mut moved) = moving.into(MovedBy::Backfill, "history of an engine", now) else { return Ok(()) };
    if is_cleaned {
        moved.age = moved.age.saturating_sub(DAY);
    }
    note_moved(conn, &moved)
}

/// Whether retention has cleaned a session.
pub(crate) fn is_cleaned(conn: &dyn Conn, session: Uuid) -> Result<bool> {
    let sql = "SELECT retained_from FROM sessions WHERE id = ?1";
    Ok(conn.first(sql, &[Value::Uuid(session)], |row| Ok(Timestamp::read(row.get(0))))?.flatten().is_some())
}

/// Notes, in the transaction that stores them, that messages moved in.
pub(crate) fn note_moved(conn: &dyn Conn, moved: &MovedIn) -> Result<()> {
    let sql = "INSERT INTO openwa_moved (kind, source, moved_at, oldest, age_ms, messages)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (kind) DO UPDATE SET
                 source   = CASE WHEN excluded.age_ms > openwa_moved.age_ms THEN excluded.source
                                 ELSE openwa_moved.source END,
                 moved_at = CASE WHEN excluded.age_ms > openwa_moved.age_ms THEN excluded.moved_at
                                 ELSE openwa_moved.moved_at END,
                 oldest   = CASE WHEN excluded.age_ms > openwa_moved.age_ms THEN excluded.oldest
                                 ELSE openwa_moved.oldest END,
                 age_ms   = CASE WHEN excluded.age_ms > openwa_moved.age_ms THEN excluded.age_ms
                                 ELSE openwa_moved.age_ms END,
                 messages = openwa_moved.messages + excluded.messages";
    let integer = |n: u128| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    conn.execute(
        sql,
        &[
            Value::Text(moved.by.name()),
            Value::Text(&moved.source),
            Value::Time(moved.at),
            Value::Time(moved.oldest),
            integer(moved.age.as_millis()),
            integer(moved.messages.into()),
        ],
    )?;
    Ok(())
}

/// What moved in since the last yes.
pub(crate) fn moved(conn: &dyn Conn) -> Result<Vec<MovedIn>> {
    let sql = "SELECT kind, source, moved_at, oldest, age_ms, messages FROM openwa_moved ORDER BY kind";
    let unreadable = || Error::new(Kind::Unreadable, "what moved in cannot be read");
    conn.all(sql, &[], |row| {
        let text = |i| if let Value::Text(s) = row.get(i) { s.to_owned() } else { String::new() };
        let time = |i| Timestamp::read(row.get(i)).ok_or_else(unreadable);
        Ok(MovedIn {
            by: MovedBy::ALL.iter().copied().find(|by| by.name() == text(0)).ok_or_else(unreadable)?,
            source: text(1),
            at: time(2)?,
            oldest: time(3)?,
            age: Duration::from_millis(count(row, 4)),
            messages: count(row, 5),
        })
    })
    .map_err(|e| e.with("table", "openwa_moved"))
}

fn count(row: &dyn Row, at: usize) -> u64 {
    i64::read(row.get(at)).and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
}

/// How time passed up to the last run; `None`: retention never ran.
pub(crate) fn passed(conn: &dyn Conn) -> Result<Option<Passed>> {
    let sql = "SELECT ran_at, jumped_ms, boot, uptime_ms FROM openwa_retention WHERE id = 1";
    let found = conn.first(sql, &[], |row| {
        let boot = if let Value::Text(s) = row.get(2) { Some(s.to_owned()) } else { None };
        let uptime = Duration::from_millis(count(row, 3));
        Ok(Timestamp::read(row.get(0)).map(|at| Passed {
            at,
            jumped: Duration::from_millis(count(row, 1)),
            uptime: boot.map(|boot| Uptime { boot, passed: uptime }),
        }))
    })?;
    Ok(found.flatten())
}

/// Notes how time has passed up to a run.
pub(crate) fn note_passed(conn: &dyn Conn, passed: &Passed) -> Result<()> {
    let integer = |n: u128| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let sql =
        "UPDATE openwa_retention SET ran_at = ?1, jumped_ms = ?2, boot = ?3, uptime_ms = ?4 WHERE id = 1";
    let uptime = passed.uptime.as_ref();
    conn.execute(
        sql,
        &[
            Value::Time(passed.at),
            integer(passed.jumped.as_millis()),
            uptime.map_or(Value::Null, |up| Value::Text(&up.boot)),
            uptime.map_or(Value::Null, |up| integer(up.passed.as_millis())),
        ],
    )?;
    Ok(())
}

/// Notes a yes: to the clock as it stands and, in Data, to what moved in, of which it answers how much that was.
pub(crate) fn accept(conn: &dyn Conn, passed: &Passed, moves: bool) -> Result<Vec<MovedIn>> {
    note_passed(conn, passed)?;
    conn.execute("UPDATE openwa_retention SET accepted_at = ?1 WHERE id = 1", &[Value::Time(passed.at)])?;
    let waited = if moves { moved(conn)? } else { Vec::new() };
    for moved in &waited {
        conn.execute("DELETE FROM openwa_moved WHERE kind = ?1", &[Value::Text(moved.by.name())])?;
    }
    Ok(waited)
}

/// When somebody last said yes.
pub(crate) fn accepted_at(conn: &dyn Conn) -> Result<Option<Timestamp>> {
    let sql = "SELECT accepted_at FROM openwa_retention WHERE id = 1";
    Ok(conn.first(sql, &[], |row| Ok(Timestamp::read(row.get(0))))?.flatten())
}
