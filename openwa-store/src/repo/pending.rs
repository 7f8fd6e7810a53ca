//! Changes that came before their message. They are kept in the form in which they would have been applied,
//! at most one of a kind (one per person for reactions), and applied in the commit that stores the message.

use uuid::Uuid;

use super::identities::canonical;
use super::messages::Changed;
use super::{Ids, insert, sql, update};
use crate::db::Conn;
use crate::entity::{Message, MessageReaction, PendingChange, PendingKind};
use crate::error::{Error, Kind, Result};
use crate::json::Json;
use crate::policy::message as rules;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

/// A change of one message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    Ack(i64),
    Edit {
        body: Option<Text>,
        at: Timestamp,
    },
    Revoke {
        at: Timestamp,
    },
    Reaction {
        sender: Text,
        emoji: Text,
        at: Timestamp,
    },
    /// No change: the message was seen while history was off.
    Seen,
}

impl Change {
    fn kind(&self) -> PendingKind {
        match self {
            Change::Ack(_) => PendingKind::Ack,
            Change::Edit { .. } => PendingKind::Edit,
            Change::Revoke { .. } => PendingKind::Revoke,
            Change::Reaction { .. } => PendingKind::Reaction,
            Change::Seen => PendingKind::Seen,
        }
    }

    fn payload(&self) -> Json {
        let text = |t: &Text| t.as_stored().to_owned();
        Json::from(match self {
            Change::Ack(ack) => serde_json::json!({ "ack": ack }),
            Change::Edit { body, at } => {
                serde_json::json!({ "body": body.as_ref().map(text), "at": at.to_string() })
            }
            Change::Revoke { at } => serde_json::json!({ "at": at.to_string() }),
            Change::Reaction { sender, emoji, at } => {
                serde_json::json!({ "sender": text(sender), "emoji": text(emoji), "at": at.to_string() })
            }
            Change::Seen => serde_json::json!({}),
        })
    }

    fn read(row: &PendingChange) -> Result<Self> {
        let value = row.payload.value()?;
        let text = |name: &str| value.get(name).and_then(|v| v.as_str()).map(Text::from_stored);
        let at = || text("at").and_then(|t| Timestamp::parse(t.as_stored()).ok());
        let read = || {
            Some(match row.kind {
                PendingKind::Ack => Change::Ack(value.get("ack")?.as_i64()?),
                PendingKind::Edit => Change::Edit { body: text("body"), at: at()? },
                PendingKind::Revoke => Change::Revoke { at: at()? },
                PendingKind::Reaction => {
                    Change::Reaction { sender: text("sender")?, emoji: text("emoji")?, at: at()? }
                }
                PendingKind::Seen => Change::Seen,
            })
        };
        read().ok_or_else(|| {
            Error::new(Kind::Unreadable, "the stored change is not one")
                .with("table", PendingChange::TABLE.name)
                .with("column", "payload")
                .with("row", row.id)
        })
    }

    /// The same change with the address under which its author is kept now: a pair may have become known while
    /// it waited.
    fn resolved(self, conn: &dyn Conn, session: Uuid) -> Result<Self> {
        match self {
            Change::Reaction { sender, emoji, at } if sender != "me" => {
                Ok(Change::Reaction { sender: canonical(conn, session, &sender)?, emoji, at })
            }
            other => Ok(other),
        }
    }

    /// Applies the change to a row; false if that changes nothing. A reaction is not part of the row.
    pub(crate) fn apply(&self, message: &mut Message) -> bool {
        match self {
            Change::Ack(ack) => rules::ack(message, *ack),
            Change::Edit { body, at } => rules::edit(message, body.as_ref(), *at),
            Change::Revoke { at } => rules::revoke(message, *at),
            Change::Reaction { .. } | Change::Seen => false,
        }
    }

    /// Whether this change makes an older waiting one of the same kind pointless.
    fn replaces(&self, older: &Change) -> bool {
        match (self, older) {
            (Change::Ack(new), Change::Ack(old)) => rules::ack_rank(Some(*new)) > rules::ack_rank(Some(*old)),
            (Change::Edit { at: new, .. }, Change::Edit { at: old, .. }) => new >= old,
            (Change::Reaction { .. }, Change::Reaction { .. }) => true,
            _ => false,
        }
    }

    /// Whether two changes of the same kind compete: reactions do only when one person made both.
    fn competes(&self, other: &Change) -> bool {
        match (self, other) {
            (Change::Reaction { sender: a, .. }, Change::Reaction { sender: b, .. }) => a == b,
            _ => self.kind() == other.kind(),
        }
    }
}

fn waiting_for(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<Vec<PendingChange>> {
    conn.rows(
        sql!(
            PendingChange,
            "SELECT {} FROM pending_changes WHERE session_id = ?1 AND wa_message_id = ?2 ORDER BY id"
        ),
        &[Value::Uuid(session), id.bind()],
    )
}

fn remove(conn: &dyn Conn, id: Uuid) -> Result<()> {
    conn.execute("DELETE FROM pending_changes WHERE id = ?1", &[Value::Uuid(id)])?;
    Ok(())
}

/// Keeps a change until its message comes.
pub(crate) fn keep(
    conn: &dyn Conn,
    ids: &Ids,
    session: Uuid,
    id: &Text,
    change: &Change,
    now: Timestamp,
) -> Result<Changed> {
    let withdrawal = matches!(change, Change::Reaction { emoji, .. } if emoji.is_empty());
    for older in waiting_for(conn, session, id)? {
        let there = Change::read(&older)?.resolved(conn, session)?;
        if !change.competes(&there) {
            continue;
        }
        if there == *change || !change.replaces(&there) {
            return Ok(Changed::Unchanged);
        }
        if withdrawal {
            remove(conn, older.id)?;
            return Ok(Changed::Updated);
        }
        // The row is changed in place, so that the same changes again end in the same row. Its place among
        // the others does not matter: changes that do not compete may be applied in any order.
        update(conn, &PendingChange { payload: change.payload(), created_at: now, ..older })?;
        return Ok(Changed::Waiting);
    }
    if withdrawal {
        // Nothing is there, and nothing waits, that it could withdraw.
        return Ok(Changed::Unchanged);
    }
    let row = PendingChange {
        id: ids.mint(now),
        session_id: session,
        wa_message_id: id.clone(),
        kind: change.kind(),
        payload: change.payload(),
        created_at: now,
    };
    insert(conn, &row)?;
    Ok(Changed::Waiting)
}

/// Applies and removes what waited for a message that is now stored.
pub(crate) fn apply(conn: &dyn Conn, message: &mut Message) -> Result<Applied> {
    let mut applied = Applied::default();
    let Some(id) = message.wa_message_id.clone() else { return Ok(applied) };
    for row in waiting_for(conn, message.session_id, &id)? {
        match Change::read(&row)?.resolved(conn, message.session_id)? {
            Change::Reaction { sender, emoji, at } => {
                write_reaction(conn, message.session_id, &id, &sender, &emoji, at)?;
            }
            Change::Seen => applied.seen = true,
            change => applied.changed |= change.apply(message),
        }
        remove(conn, row.id)?;
    }
    Ok(applied)
}

/// What waited for a message.
#[derive(Default)]
pub(crate) struct Applied {
    /// The row changed.
    pub(crate) changed: bool,
    /// The message itself was seen before, while history was off.
    pub(crate) seen: bool,
}

/// Notes that a message was seen though it is not kept. False: that is known already.
pub(crate) fn note_seen(conn: &dyn Conn, ids: &Ids, message: &Message, now: Timestamp) -> Result<bool> {
    let Some(id) = &message.wa_message_id else { return Ok(true) };
    Ok(keep(conn, ids, message.session_id, id, &Change::Seen, now)? == Changed::Waiting)
}

/// Whether a message was seen while history was off.
pub(crate) fn was_seen(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<bool> {
    let sql = "SELECT 1 FROM pending_changes WHERE session_id = ?1 AND wa_message_id = ?2 AND kind = ?3";
    let params = [Value::Uuid(session), id.bind(), PendingKind::Seen.bind()];
    Ok(conn.first(sql, &params, |_| Ok(()))?.is_some())
}

/// Sets or withdraws the reaction of one person to a stored message. The last to arrive wins.
pub(crate) fn write_reaction(
    conn: &dyn Conn,
    session: Uuid,
    id: &Text,
    sender: &Text,
    emoji: &Text,
    at: Timestamp,
) -> Result<Changed> {
    let changed = if emoji.is_empty() {
        let sql =
            "DELETE FROM message_reactions WHERE session_id = ?1 AND wa_message_id = ?2 AND sender = ?3";
        conn.execute(sql, &[Value::Uuid(session), id.bind(), sender.bind()])?
    } else {
        let row = MessageReaction {
            session_id: session,
            wa_message_id: id.clone(),
            sender: sender.clone(),
            emoji: emoji.clone(),
            reacted_at: at,
        };
        upsert_reaction(conn, &row)?
    };
    Ok(if changed > 0 { Changed::Updated } else { Changed::Unchanged })
}

fn upsert_reaction(conn: &dyn Conn, row: &MessageReaction) -> Result<u64> {
    use crate::entity::Entity;
    row.check()?;
    static UPSERT: crate::fork::Lazy<String> = crate::fork::Lazy::new(|| {
        format!(
            "{} ON CONFLICT (session_id, wa_message_id, sender) DO UPDATE
               SET emoji = excluded.emoji, reacted_at = excluded.reacted_at
             WHERE message_reactions.emoji <> excluded.emoji",
            MessageReaction::TABLE.insert()
        )
    });
    conn.execute(&UPSERT, &row.values())
}
