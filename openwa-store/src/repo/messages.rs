//! Writing messages: insert, deduplicate and merge in one commit, and what happens to them later.

use uuid::Uuid;

use super::at_once::Lately;
use super::identities::canonical;
use super::{Ids, pending, sql};
use crate::db::Conn;
use crate::entity::{Entity, Message};
use crate::error::{Error, Kind, Result};
use crate::fork::Lazy;
use crate::policy::message::{self as rules, Merged, NewMessage};
use crate::policy::{address, config as schemas};
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Row, Value, names};

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
    pub(crate) lately: &'a Lately,
}

/// What a session says about its messages.
pub(super) struct Gate {
    history: bool,
    pub(super) phone: Option<Text>,
    pub(super) retained_from: Option<Timestamp>,
}

/// The columns that [`Gate::read`] reads.
pub(super) const GATE: &str = "config, retained_from, phone";

impl Gate {
    /// From a row whose columns from `at` on are those of [`GATE`].
    pub(super) fn read(row: &dyn Row, at: usize) -> Self {
        let history = match row.get(at) {
            // Neither `history` nor `storeHistory` is named by most; those need not be parsed.
            Value::Text(config) | Value::Json(config) if config.contains("istory") => {
                serde_json::from_str(config).map_or(true, |c| schemas::history_enabled(&c))
            }
            _ => true,
        };
        let (retained_from, phone) = (Timestamp::read(row.get(at + 1)), Text::read(row.get(at + 2)));
        Gate { history, retained_from, phone }
    }

    /// Whether messages are kept.
    pub(super) fn keeps(&self, cx: &Context<'_>) -> bool {
        cx.history && self.history
    }

    /// Whether retention has removed the time of a message already.
    pub(super) fn has_removed(&self, message: &Message) -> bool {
        self.retained_from.is_some_and(|from| message.created_at < from)
    }
}

fn gate(conn: &dyn Conn, session: Uuid) -> Result<Gate> {
    static SQL: Lazy<String> = Lazy::new(|| format!("SELECT {GATE} FROM sessions WHERE id = ?1"));
    conn.first(&conn.dialect().holding(&SQL), &[Value::Uuid(session)], |row| Ok(Gate::read(row, 0)))?
        .ok_or_else(|| Error::not_found("session", session))
}

pub(super) fn keeps_history(conn: &dyn Conn, session: Uuid) -> Result<bool> {
    Ok(gate(conn, session)?.history)
}

static INSERT: Lazy<String> =
    Lazy::new(|| format!("{} ON CONFLICT (session_id, wa_message_id) DO NOTHING", Message::TABLE.insert()));

/// Insert, dedup and merge. `backfill`: nothing comes back that retention has removed.
pub(crate) fn save(
    conn: &dyn Conn,
    cx: &Context<'_>,
    session: Uuid,
    new: &NewMessage,
    backfill: bool,
) -> Result<Saved> {
    if conn.dialect().prefers_many_rows() {
        let save = super::together::Save { session, new, backfill, tried: None };
        let mut saved = super::together::save_all(conn, cx, &[save])?;
        return saved.pop().unwrap_or_else(|| Err(Error::not_found("session", session)));
    }
    let gate = gate(conn, session)?;
    let message = row(cx, session, &gate, new, &mut |address| canonical(conn, session, address))?;
    if !gate.keeps(cx) {
        return not_kept(conn, cx, message);
    }
    if backfill && gate.has_removed(&message) {
        return Ok(Saved { outcome: Outcome::NotStored { new: false }, message });
    }
    if conn.execute(&INSERT, &message.values())? == 1 {
        return inserted(conn, message);
    }
    merge(conn, &message)
}

/// Only tells whether a message is new, since history is off.
pub(super) fn not_kept(conn: &dyn Conn, cx: &Context<'_>, message: Message) -> Result<Saved> {
    let new = !known(conn, &message)? && pending::note_seen(conn, cx.ids, &message, cx.now)?;
    Ok(Saved { outcome: Outcome::NotStored { new }, message })
}

/// What waited for a message that is now stored.
pub(super) fn inserted(conn: &dyn Conn, mut message: Message) -> Result<Saved> {
    let applied = pending::apply(conn, &mut message)?;
    if applied.changed {
        conn.execute(&Message::sql().update, &message.values())?;
    }
    // Told as new once already, while history was off: only its row is new.
    let outcome = if applied.seen { Outcome::Updated { upgraded: false } } else { Outcome::Inserted };
    Ok(Saved { outcome, message })
}

pub(super) fn merge(conn: &dyn Conn, incoming: &Message) -> Result<Saved> {
    let id = incoming.wa_message_id.as_ref();
    let found = match id {
        Some(id) => locked_by_wa_id(conn, incoming.session_id, id)?,
        None => None,
    };
    let Some(mut message) = found else {
        // It was there a moment ago: retention, or a deletion of the session, came between.
        return Err(Error::new(Kind::Busy, "the message was removed at this very moment; save it again"));
    };
    let outcome = match rules::deliver(&mut message, incoming) {
        Merged::Unchanged => Outcome::Unchanged,
        Merged::Filled => Outcome::Updated { upgraded: false },
        Merged::Upgraded => Outcome::Updated { upgraded: true },
    };
    if outcome != Outcome::Unchanged {
        conn.execute(&Message::sql().update, &message.values())?;
    }
    Ok(Saved { outcome, message })
}

fn known(conn: &dyn Conn, message: &Message) -> Result<bool> {
    let Some(id) = &message.wa_message_id else { return Ok(false) };
    exists(conn, message.session_id, id)
}

pub(super) fn exists(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<bool> {
    if conn.dialect().has_message_ids() {
        return Ok(place(conn, session, id)?.is_some());
    }
    let sql = "SELECT 1 FROM messages WHERE session_id = ?1 AND wa_message_id = ?2";
    Ok(conn.first(sql, &[Value::Uuid(session), id.bind()], |_| Ok(()))?.is_some())
}

/// Where a message is: its row's id and time, which say in which partition.
pub(super) fn place(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<Option<(Uuid, Timestamp)>> {
    let sql = "SELECT message_id, created_at FROM message_ids WHERE session_id = ?1 AND wa_message_id = ?2";
    let found = conn.first(sql, &[Value::Uuid(session), id.bind()], |row| {
        Ok(Uuid::read(row.get(0)).zip(Timestamp::read(row.get(1))))
    })?;
    Ok(found.flatten())
}

pub(crate) fn by_wa_id(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<Option<Message>> {
    find(conn, session, id, |sql, values| conn.one(sql, values))
}

/// The message, kept from changing until the transaction ends.
pub(super) fn locked_by_wa_id(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<Option<Message>> {
    find(conn, session, id, |sql, values| conn.locked(sql, values))
}

fn find(
    conn: &dyn Conn,
    session: Uuid,
    id: &Text,
    read: impl Fn(&str, &[Value<'_>]) -> Result<Option<Message>>,
) -> Result<Option<Message>> {
    if !conn.dialect().has_message_ids() {
        let sql = sql!(Message, "SELECT {} FROM messages WHERE session_id = ?1 AND wa_message_id = ?2");
        return read(sql, &[Value::Uuid(session), id.bind()]);
    }
    let Some((row, at)) = place(conn, session, id)? else { return Ok(None) };
    read(
        sql!(Message, "SELECT {} FROM messages WHERE id = ?1 AND created_at = ?2"),
        &[Value::Uuid(row), Value::Time(at)],
    )
}

/// A complete, checked row of a message to be saved.
/// `resolve` gives the address under which a chat or person is kept.
pub(super) fn row(
    cx: &Context<'_>,
    session: Uuid,
    gate: &Gate,
    new: &NewMessage,
    resolve: &mut dyn FnMut(&Text) -> Result<Text>,
) -> Result<Message> {
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
        super::changes::check_ack(ack)?;
    }
    if let Some(media) = &new.media {
        schemas::check_media(media)?;
    }
    let chat_id = resolve(&new.chat_id)?;
    let from_number = match &gate.phone {
        // Engines name the own account by number, by LID or not at all; the row has one form.
        Some(phone) if new.from_number == address::ME => Text::from_stored(format!("{phone}@s.whatsapp.net")),
        _ if new.from_number == new.chat_id => chat_id.clone(),
        _ => resolve(&new.from_number)?,
    };
    let to_number = new.to_number.as_ref().map(&mut *resolve).transpose()?;
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
