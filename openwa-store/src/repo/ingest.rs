//! Applying what an engine's event means, all of it in one commit.

use uuid::Uuid;

use super::messages::{self, Changed, Context, Outcome, Saved};
use super::together::{Save, save_all};
use super::{changes, contacts, identities, logs, retention, sessions};
use crate::db::Conn;
use crate::engine::{AddressedTo, Change, Skipped};
use crate::entity::{Session, SessionStatus};
use crate::error::{Error, Kind, Result};
use crate::policy::{address, session as life};
use crate::text::Text;
use crate::time::Timestamp;

/// What one event did.
#[derive(Debug, Default)]
pub struct Ingested {
    /// Every delivery of a message, in order, with its outcome. Fire webhooks on those that are
    /// [`Outcome::Inserted`].
    pub messages: Vec<Saved>,
    /// Deliveries that are no messages to keep: id and reason.
    pub skipped: Vec<(Text, Skipped)>,
    /// Messages that could not be stored because something in them is not acceptable: id and reason. The rest
    /// of the event is not affected.
    pub refused: Vec<(Text, Error)>,
    /// Acks, edits, revokes and reactions that changed something.
    pub changes: u64,
    /// Those that said nothing new.
    pub unchanged: u64,
    /// Those that wait for their message.
    pub waiting: u64,
    /// LID-phone pairs that were new.
    pub pairs: u64,
    /// Contacts that were new or changed.
    pub contacts: u64,
    /// The session's new status, if it changed.
    pub status: Option<SessionStatus>,
    /// Names of events that the library does not know.
    pub unknown: Vec<String>,
}

impl Ingested {
    /// How many deliveries had this outcome.
    pub fn count(&self, which: impl Fn(Outcome) -> bool) -> usize {
        self.messages.iter().filter(|s| which(s.outcome)).count()
    }

    fn take(&mut self, id: Option<&Text>, saved: Result<Saved>) -> Result<()> {
        let saved = saved.map(|saved| self.messages.push(saved));
        self.refuse(&id.cloned().unwrap_or_default(), saved)
    }

    /// Notes what is not acceptable. Arguments are checked before anything is written, so it has left no trace.
    fn refuse(&mut self, subject: &Text, done: Result<()>) -> Result<()> {
        match done {
            Err(e) if e.kind() == Kind::InvalidArgument => self.refused.push((subject.clone(), e)),
            done => return done,
        }
        Ok(())
    }

    fn note(&mut self, changed: Changed) {
        match changed {
            Changed::Updated => self.changes += 1,
            Changed::Unchanged => self.unchanged += 1,
            Changed::Waiting => self.waiting += 1,
        }
    }
}

/// Applies the changes of one event, in order. `past`: it is an event of the past, which may have been applied
/// before; that is the present.
pub(crate) fn apply(
    conn: &dyn Conn,
    cx: &Context<'_>,
    session: Uuid,
    list: &[Change],
    past: Option<Timestamp>,
) -> Result<Ingested> {
    let mut session = sessions::unopened(conn, session, list.iter().any(touches_session))?;
    let mut out = Ingested::default();
    let mut at = 0;
    while let Some(change) = list.get(at) {
        let run = if conn.dialect().prefers_many_rows() {
            leading_messages(&list[at..], session.id)
        } else {
            vec![]
        };
        if run.len() > 1 {
            for (save, saved) in run.iter().zip(save_all(conn, cx, &run)?) {
                out.take(save.new.wa_message_id.as_ref(), saved)?;
            }
            at += run.len();
            continue;
        }
        at += 1;
        if past.is_some() && is_old_status(conn, cx, session.id, change)? {
            continue;
        }
        let done = one(conn, cx, &mut session, change, &mut out);
        out.refuse(&subject(change), done)?;
    }
    if past.is_some() || list.iter().any(|change| matches!(change, Change::Message { history: true, .. })) {
        let moving = retention::old(past.unwrap_or(cx.now), out.messages.iter());
        retention::note_history(conn, moving, past.unwrap_or(cx.now), session.retained_from.is_some())?;
    }
    Ok(out)
}

/// Whether a change may write the session's own row.
fn touches_session(change: &Change) -> bool {
    matches!(change, Change::Account { .. } | Change::Status { .. } | Change::Pair { .. })
}

/// The messages that a list of changes begins with.
fn leading_messages(list: &[Change], session: Uuid) -> Vec<Save<'_>> {
    let messages = list.iter().map_while(|change| match change {
        Change::Message { message, history } => {
            Some(Save { session, new: message, backfill: *history, tried: None })
        }
        _ => None,
    });
    messages.collect()
}

/// A status of the past that the session has had, or has left behind.
fn is_old_status(conn: &dyn Conn, cx: &Context<'_>, session: Uuid, change: &Change) -> Result<bool> {
    let Change::Status { status, .. } = change else { return Ok(false) };
    logs::has_status_since(conn, session, *status, cx.now)
}

fn subject(change: &Change) -> Text {
    match change {
        Change::Message { message, .. } => message.wa_message_id.clone().unwrap_or_default(),
        Change::Ack { wa_message_id, .. }
        | Change::Edit { wa_message_id, .. }
        | Change::Revoke { wa_message_id, .. }
        | Change::Reaction { wa_message_id, .. }
        | Change::Skipped { wa_message_id, .. } => wa_message_id.clone(),
        Change::Contact(contact) => contact.wa_contact_id.clone(),
        Change::Pair { lid, .. } => lid.clone(),
        Change::Account { .. } | Change::Status { .. } => Text::default(),
    }
}

fn one(
    conn: &dyn Conn,
    cx: &Context<'_>,
    session: &mut Session,
    change: &Change,
    out: &mut Ingested,
) -> Result<()> {
    let id = session.id;
    match change {
        Change::Message { message, history } => {
            out.messages.push(messages::save(conn, cx, id, message, *history)?);
        }
        Change::Skipped { wa_message_id, reason } => out.skipped.push((wa_message_id.clone(), *reason)),
        Change::Ack { wa_message_id, ack } => {
            out.note(changes::ack(conn, cx, id, wa_message_id, *ack)?);
        }
        Change::Edit { wa_message_id, body, at } => {
            out.note(changes::edit(conn, cx, id, wa_message_id, body.as_ref(), at.unwrap_or(cx.now))?);
        }
        Change::Revoke { wa_message_id, at } => {
            out.note(changes::revoke(conn, cx, id, wa_message_id, at.unwrap_or(cx.now))?);
        }
        Change::Reaction { wa_message_id, sender, emoji, at } => {
            let me = Text::from("me");
            let sender = match sender {
                AddressedTo::Me => &me,
                AddressedTo::Other(sender) => sender,
            };
            out.note(changes::react(conn, cx, id, wa_message_id, sender, emoji, at.unwrap_or(cx.now))?);
        }
        Change::Contact(contact) => {
            out.contacts += u64::from(contacts::upsert(conn, cx.ids, id, contact, cx.now)?.1);
        }
        Change::Pair { lid, pn } => {
            out.pairs += u64::from(identities::learn(conn, cx.ids, session, lid, pn, cx.now)?);
        }
        Change::Account { pn, push_name, .. } => {
            let digits =
                pn.as_ref().and_then(|pn| address::phone_digits(&address::normalize(pn.as_stored())));
            let phone = digits.as_deref().map(Text::from_stored);
            if sessions::set_account(conn, session, phone, push_name.clone(), cx.now)?
                && let Some(digits) = digits
            {
                identities::forget_own(conn, id, &Text::from(format!("{digits}@s.whatsapp.net")))?;
            }
        }
        Change::Status { status, reason } => {
            if life::started_unseen(session.status, *status) {
                let started = SessionStatus::Initializing;
                *session = sessions::transition(conn, cx.ids, id, started, None, cx.now)?.session;
            }
            match sessions::transition(conn, cx.ids, id, *status, reason.as_ref(), cx.now) {
                Ok(done) if done.changed => {
                    out.status = Some(*status);
                    *session = done.session;
                }
                Ok(_) => {}
                // An engine reports what it likes; what the life of a session does not allow is left out.
                Err(e) if e.kind() == Kind::InvalidTransition => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(())
}
