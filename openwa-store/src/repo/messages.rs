//! Writing messages: insert, deduplicate and merge in one commit, and what happens to them later.

use std::sync::LazyLock;

use uuid::Uuid;

use super::identities::canonical;
use super::{Ids, pending, sql};
use crate::db::Conn;
use crate::entity::{Entity, Message, PendingKind};
use crate::error::{Error, Result};
use crate::policy::message::{self as rules, Merged, NewMessage};
use crate::policy::{address, config as schemas};
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value, names};

/// What a save did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The message is new. Fire webhooks on this.
    Inserted,
    /// It was known and something was added: a gap was filled, the ack rose, or the message that was only seen while
    /// history was off is stored now. `upgraded`: a placeholder got its content.
    Updated {
        /// A placeholder got its content.
        upgraded: bool,
    },
    /// It was known, and nothing was new.
    Unchanged,
    /// It is not kept: history is off, or retention has removed its time already. `new`: it was not seen before.
    NotStored {
        /// It was not seen before.
        new: bool,
    },
}

impl Outcome {
    /// `inserted`, `updated`, `unchanged` or `notStored`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Inserted => "inserted",
            Outcome::Updated { .. } => "updated",
            Outcome::Unchanged => "unchanged",
            Outcome::NotStored { .. } => "notStored",
        }
    }

    /// Whether this message was not known before, kept or not.
    #[must_use]
    pub const fn is_new(self) -> bool {
        matches!(self, Outcome::Inserted | Outcome::NotStored { new: true })
    }
}

/// What a save did, and the row as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// What the save did.
    pub outcome: Outcome,
    /// The row as it stands (or would stand, if it is not kept).
    pub message: Message,
}

names! {
    /// What a change of a message did.
    pub enum Changed {
        /// The row changed.
        Updated = "updated",
        /// The row says so already, or something later.
        Unchanged = "unchanged",
        /// The message is not here yet; the change waits for it, seven days by default.
        Waiting = "waiting",
    }
}

/// What a save has to know beside the message.
pub(crate) struct Context<'a> {
    pub(crate) ids: &'a Ids,
    pub(crate) now: Timestamp,
    /// History is on in the configuration.
    pub(crate) history: bool,
}

struct Gate {
    history: bool,
    phone: Option<Text>,
    retained_from: Option<Timestamp>,
}

fn gate(conn: &dyn Conn, session: Uuid) -> Result<Gate> {
    let sql = "SELECT config, retained_from, phone FROM sessions WHERE id = ?1";
    conn.first(sql, &[Value::Uuid(session)], |row| {
        let history = match row.get(0) {
            // Neither `history` nor `storeHistory` is named by most; those need not be parsed.
            Value::Text(config) if config.contains("istory") => {
                serde_json::from_str(config).map_or(true, |c| schemas::history_enabled(&c))
            }
            _ => true,
        };
        Ok(Gate { history, retained_from: Timestamp::read(row.get(1)), phone: Text::read(row.get(2)) })
    })?
    .ok_or_else(|| Error::not_found("session", session))
}

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!("{} ON CONFLICT (session_id, wa_message_id) DO NOTHING", Message::TABLE.insert())
});
static UPDATE: LazyLock<String> = LazyLock::new(|| Message::TABLE.update());

/// Insert, dedup and merge. `backfill`: nothing comes back that retention has removed.
pub(crate) fn save(
    conn: &dyn Conn,
    cx: &Context<'_>,
    session: Uuid,
    new: &NewMessage,
    backfill: bool,
) -> Result<Saved> {
    let gate = gate(conn, session)?;
    let message = row(conn, cx, session, &gate, new)?;
    let removed = backfill && gate.retained_from.is_some_and(|from| message.created_at < from);
    if !cx.history || !gate.history {
        let new = !known(conn, &message)? && pending::note_seen(conn, cx.ids, &message, cx.now)?;
        return Ok(Saved { outcome: Outcome::NotStored { new }, message });
    }
    if removed {
        return Ok(Saved { outcome: Outcome::NotStored { new: false }, message });
    }
    if conn.execute(&INSERT, &message.values())? == 1 {
        return inserted(conn, message);
    }
    merge(conn, &message)
}

fn inserted(conn: &dyn Conn, mut message: Message) -> Result<Saved> {
    let applied = pending::apply(conn, &mut message)?;
    if applied.changed {
        conn.execute(&UPDATE, &message.values())?;
    }
    // Told as new once already, while history was off: only its row is new.
    let outcome = if applied.seen { Outcome::Updated { upgraded: false } } else { Outcome::Inserted };
    Ok(Saved { outcome, message })
}

fn merge(conn: &dyn Conn, incoming: &Message) -> Result<Saved> {
    let id = incoming.wa_message_id.as_ref();
    let found = match id {
        Some(id) => by_wa_id(conn, incoming.session_id, id)?,
        None => None,
    };
    let Some(mut message) = found else {
        return Err(Error::invalid("id", "a message with this id exists already"));
    };
    let outcome = match rules::deliver(&mut message, incoming) {
        Merged::Unchanged => Outcome::Unchanged,
        Merged::Filled => Outcome::Updated { upgraded: false },
        Merged::Upgraded => Outcome::Updated { upgraded: true },
    };
    if outcome != Outcome::Unchanged {
        conn.execute(&UPDATE, &message.values())?;
    }
    Ok(Saved { outcome, message })
}

fn known(conn: &dyn Conn, message: &Message) -> Result<bool> {
    let Some(id) = &message.wa_message_id else { return Ok(false) };
    exists(conn, message.session_id, id)
}

fn exists(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<bool> {
    let sql = "SELECT 1 FROM messages WHERE session_id = ?1 AND wa_message_id = ?2";
    Ok(conn.first(sql, &[Value::Uuid(session), id.bind()], |_| Ok(()))?.is_some())
}

pub(crate) fn by_wa_id(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<Option<Message>> {
    conn.one(
        sql!(Message, "SELECT {} FROM messages WHERE session_id = ?1 AND wa_message_id = ?2"),
        &[Value::Uuid(session), id.bind()],
    )
}

/// A complete, checked row of a message to be saved.
fn row(conn: &dyn Conn, cx: &Context<'_>, session: Uuid, gate: &Gate, new: &NewMessage) -> Result<Message> {
    for (column, value) in
        [("chat_id", &new.chat_id), ("from_number", &new.from_number), ("type", &new.r#type)]
    {
        if value.is_empty() {
            return Err(Error::invalid(column, format!("{column} is needed and may not be empty")));
        }
    }
    if new.wa_message_id.as_ref().is_some_and(Text::is_empty) {
        return Err(Error::invalid("wa_message_id", "wa_message_id may be left out but not empty"));
    }
    if let Some(ack) = new.ack {
        check_ack(ack)?;
    }
    if let Some(media) = &new.media {
        schemas::check_media(media)?;
    }
    let chat_id = canonical(conn, session, &new.chat_id)?;
    let from_number = match &gate.phone {
        // Engines name the own account by number, by LID or not at all; the row has one form.
        Some(phone) if new.from_number == address::ME => Text::from_stored(format!("{phone}@s.whatsapp.net")),
        _ if new.from_number == new.chat_id => chat_id.clone(),
        _ => canonical(conn, session, &new.from_number)?,
    };
    let to_number = new.to_number.as_ref().map(|to| canonical(conn, session, to)).transpose()?;
    let created_at = new.created_at.unwrap_or(cx.now);
    let revoked = new.revoked_at.is_some();
    let message = Message {
        id: if created_at < cx.now { cx.ids.mint_at(created_at) } else { cx.ids.mint(created_at) },
        session_id: session,
        wa_message_id: new.wa_message_id.clone(),
        is_group: address::is_group(chat_id.as_stored()),
        chat_id,
        from_number,
        to_number,
        r#type: new.r#type.clone(),
        body: if revoked { None } else { new.body.clone() },
        media: if revoked { None } else { new.media.clone() },
        ack: new.ack.or(if new.from_me { Some(0) } else { None }),
        from_me: new.from_me,
        wa_timestamp: new.wa_timestamp.unwrap_or(cx.now),
        created_at,
        edited_at: if revoked { None } else { new.edited_at },
        revoked_at: new.revoked_at,
        raw: if revoked { None } else { new.raw.clone() },
    };
    message.check()?;
    Ok(message)
}

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
    let raised = conn.execute(
        "UPDATE messages SET ack = ?3 WHERE session_id = ?1 AND wa_message_id = ?2
          AND CASE WHEN ack IS NULL THEN -1 WHEN ack = 0 THEN 0 WHEN ack = -1 THEN 1 ELSE ack + 1 END < ?4",
        &[Value::Uuid(session), id.bind(), Value::Int(ack), Value::Int(rules::ack_rank(Some(ack)))],
    )?;
    if raised > 0 {
        return Ok(Changed::Updated);
    }
    if exists(conn, session, id)? {
        return Ok(Changed::Unchanged);
    }
    wait(conn, cx, session, id, &pending::Change::Ack(ack))
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
    let Some(mut message) = by_wa_id(conn, session, id)? else {
        return wait(conn, cx, session, id, change);
    };
    if !change.apply(&mut message) {
        return Ok(Changed::Unchanged);
    }
    conn.execute(&UPDATE, &message.values())?;
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
    if !exists(conn, session, id)? {
        // What could not be applied would later keep its message from being stored.
        crate::entity::check_limit("sender", sender.chars(), 255)?;
        crate::entity::check_limit("emoji", emoji.chars(), 50)?;
        let change = pending::Change::Reaction { sender, emoji: emoji.clone(), at };
        return wait(conn, cx, session, id, &change);
    }
    pending::write_reaction(conn, session, id, &sender, emoji, at)
}

fn wait(
    conn: &dyn Conn,
    cx: &Context<'_>,
    session: Uuid,
    id: &Text,
    change: &pending::Change,
) -> Result<Changed> {
    if id.is_empty() {
        return Err(Error::invalid("wa_message_id", "wa_message_id may not be empty"));
    }
    crate::entity::check_limit("wa_message_id", id.chars(), 255)?;
    // Where nothing is kept, nothing can be waited for.
    if !cx.history || !gate(conn, session)?.history || pending::was_seen(conn, session, id)? {
        return Ok(Changed::Unchanged);
    }
    pending::keep(conn, cx.ids, session, id, change, cx.now)
}

/// The kinds of changes that wait, for reports.
pub(crate) fn waiting(conn: &dyn Conn, session: Uuid, kind: PendingKind) -> Result<i64> {
    conn.integer(
        "SELECT count(DISTINCT wa_message_id) FROM pending_changes WHERE session_id = ?1 AND kind = ?2",
        &[Value::Uuid(session), kind.bind()],
    )
}
