//! What happens to messages after they were stored: acks, edits, revokes, reactions. What comes before its message waits
//! for it.

use uuid::Uuid;

use super::identities::canonical;
use super::messages::{self, Changed, Context, place};
use super::pending;
use crate::db::Conn;
use crate::entity::{Entity, Message, PendingKind};
use crate::error::{Error, Result};
use crate::fork::Lazy;
use crate::policy::message as rules;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

pub(crate) fn check_ack(ack: i64) -> Result<()> {
    if (-1..=5).contains(&ack) {
        return Ok(());
    }
    Err(Error::invalid("ack", format!("ack is -1 (error) to 5, not {ack}")))
}

/// Raises an ack. One statement when the message is there, which it nearly always is.
pub(crate) fn ack(conn: &dyn Conn, cx: &Context<'_>, session: Uuid, id: &Text, ack: i64) -> Result<Changed> {
    check_ack(ack)?;
    // The order of `ack_rank`: none < 0 < -1 < 1 < 2 …
    const LOWER: &str =
        "CASE WHEN ack IS NULL THEN -1 WHEN ack = 0 THEN 0 WHEN ack = -1 THEN 1 ELSE ack + 1 END < ?4";
    let (ack_value, rank) = (Value::Int(ack), Value::Int(rules::ack_rank(Some(ack))));
    if conn.dialect().has_message_ids() {
        if let Some((row, at)) = place(conn, session, id)? {
            let sql = format!("UPDATE messages SET ack = ?3 WHERE id = ?1 AND created_at = ?2 AND {LOWER}");
            let raised = conn.execute(&sql, &[Value::Uuid(row), Value::Time(at), ack_value, rank])?;
            return Ok(if raised > 0 { Changed::Updated } else { Changed::Unchanged });
        }
    } else {
        static RAISE: Lazy<String> = Lazy::new(|| {
            format!("UPDATE messages SET ack = ?3 WHERE session_id = ?1 AND wa_message_id = ?2 AND {LOWER}")
        });
        if conn.execute(&RAISE, &[Value::Uuid(session), id.bind(), ack_value, rank])? > 0 {
            return Ok(Changed::Updated);
        }
        if messages::exists(conn, session, id)? {
            return Ok(Changed::Unchanged);
        }
    }
    match wait(conn, cx, session, id, &pending::Change::Ack(ack))? {
        Some(changed) => Ok(changed),
        None => self::ack(conn, cx, session, id, ack),
    }
}

pub(crate) fn edit(
    conn: &dyn Conn,
    cx: &Context<'_>,
    session: Uuid,
    id: &Text,
    body: Option<&Text>,
    at: Timestamp,
) -> Result<Changed> {
    change(conn, cx, session, id, &pending::Change::Edit { body: body.cloned(), at })
}

pub(crate) fn revoke(
    conn: &dyn Conn,
    cx: &Context<'_>,
    session: Uuid,
    id: &Text,
    at: Timestamp,
) -> Result<Changed> {
    change(conn, cx, session, id, &pending::Change::Revoke { at })
}

/// Applies a change to the row, or keeps it until the row comes.
fn change(
    conn: &dyn Conn,
    cx: &Context<'_>,
    session: Uuid,
    id: &Text,
    change: &pending::Change,
) -> Result<Changed> {
    let Some(mut message) = messages::locked_by_wa_id(conn, session, id)? else {
        return match wait(conn, cx, session, id, change)? {
            Some(changed) => Ok(changed),
            None => self::change(conn, cx, session, id, change),
        };
    };
    if !change.apply(&mut message) {
        return Ok(Changed::Unchanged);
    }
    conn.execute(&Message::sql().update, &message.values())?;
    Ok(Changed::Updated)
}

/// Sets or withdraws (`emoji` empty) the reaction of one person.
pub(crate) fn react(
    conn: &dyn Conn,
    cx: &Context<'_>,
    session: Uuid,
    id: &Text,
    sender: &Text,
    emoji: &Text,
    at: Timestamp,
) -> Result<Changed> {
    let sender = if *sender == "me" { sender.clone() } else { canonical(conn, session, sender)? };
    if !messages::exists(conn, session, id)? {
        // What could not be applied would later keep its message from being stored.
        crate::entity::check_limit("sender", sender.chars(), 255)?;
        crate::entity::check_limit("emoji", emoji.chars(), 50)?;
        let change = pending::Change::Reaction { sender: sender.clone(), emoji: emoji.clone(), at };
        if let Some(changed) = wait(conn, cx, session, id, &change)? {
            return Ok(changed);
        }
    }
    pending::write_reaction(conn, session, id, &sender, emoji, at)
}

/// Keeps a change until its message comes. `None`: it has come just now.
pub(crate) fn wait(
    conn: &dyn Conn,
    cx: &Context<'_>,
    session: Uuid,
    id: &Text,
    change: &pending::Change,
) -> Result<Option<Changed>> {
    if id.is_empty() {
        return Err(Error::invalid("wa_message_id", "wa_message_id may not be empty"));
    }
    crate::entity::check_limit("wa_message_id", id.chars(), 255)?;
    // Where nothing is kept, nothing can be waited for.
    if !cx.history || !messages::keeps_history(conn, session)? || pending::was_seen(conn, session, id)? {
        return Ok(Some(Changed::Unchanged));
    }
    if !conn.dialect().has_message_ids() {
        return pending::keep(conn, cx.ids, session, id, change, cx.now).map(Some);
    }
    // Whoever takes the id first goes first: a save of this message in another process waits until the change is there to
    // be found, or has been done already and the change finds it.
    let key = [Value::Uuid(session), id.bind()];
    let taken = conn.execute(
        "INSERT INTO message_ids (session_id, wa_message_id, message_id, created_at) VALUES (?1, ?2, ?1, ?3)
         ON CONFLICT DO NOTHING",
        &[key[0], key[1], Value::Time(cx.now)],
    )?;
    if taken == 0 {
        return Ok(None);
    }
    let kept = pending::keep(conn, cx.ids, session, id, change, cx.now)?;
    conn.execute("DELETE FROM message_ids WHERE session_id = ?1 AND wa_message_id = ?2", &key)?;
    Ok(Some(kept))
}

/// The kinds of changes that wait, for reports.
pub(crate) fn waiting(conn: &dyn Conn, session: Uuid, kind: PendingKind) -> Result<i64> {
    conn.integer(
        "SELECT count(DISTINCT wa_message_id) FROM pending_changes WHERE session_id = ?1 AND kind = ?2",
        &[Value::Uuid(session), kind.bind()],
    )
}
