use std::sync::Arc;

use uuid::Uuid;

use super::{Env, Store};
use crate::db::{Conn, Pending, Sharable};
use crate::entity::{Message, MessageReaction, PendingKind};
use crate::error::{Error, Kind, Result};
use crate::observe;
use crate::policy::message::NewMessage;
use crate::repo::at_once::{self, Made};
use crate::repo::changes;
use crate::repo::chats::{self, Chat};
use crate::repo::message_reads::{self as reads, MessageFilter};
use crate::repo::messages::{self, Changed, Saved};
use crate::repo::paging::{MAX_LIMIT, Page, PageRequest};
use crate::repo::retention;
use crate::repo::together::{Save, save_all};
use crate::text::Text;
use crate::time::Timestamp;

/// Message history; see [`Store::messages`]. Every verb accepts any address of a chat or person: phone or LID,
/// with or without device, `c.us` or `s.whatsapp.net`.
pub struct Messages<'a>(pub(super) &'a Store);

/// One message to be saved, perhaps together with those of other callers.
struct SaveOne {
    env: Arc<Env>,
    session: Uuid,
    message: NewMessage,
    /// The row that it will be if nothing comes between.
    made: Option<Made>,
    /// The row that it may have become.
    tried: Option<Uuid>,
    saved: Option<Result<Saved>>,
}

impl SaveOne {
    fn saves<'a>(items: &'a [&mut Self]) -> Vec<Save<'a>> {
        let save = |item: &'a &mut Self| Save {
            session: item.session,
            new: &item.message,
            backfill: false,
            tried: item.tried,
        };
        items.iter().map(save).collect()
    }
}

impl Sharable for SaveOne {
    type Out = Saved;

    fn ready(&mut self) {
        self.made = at_once::make(&self.env.context(self.env.now()), self.session, &self.message);
    }

    fn run(conn: &dyn Conn, items: &mut [&mut Self]) -> Result<()> {
        let Some(env) = items.first().map(|item| Arc::clone(&item.env)) else { return Ok(()) };
        let saved = save_all(conn, &env.context(env.now()), &Self::saves(items))?;
        for (item, saved) in items.iter_mut().zip(saved) {
            item.saved = Some(saved);
        }
        Ok(())
    }

    fn at_once(conn: &dyn Conn, items: &mut [&mut Self]) -> Result<()> {
        let Some(env) = items.first().map(|item| Arc::clone(&item.env)) else { return Ok(()) };
        let cx = env.context(env.now());
        let made = items.iter_mut().map(|item| item.made.take()).collect();
        let batch = at_once::prepare(conn, &cx, &Self::saves(items), made)?;
        for (i, message) in &batch.rows {
            items[*i].tried = Some(message.id);
        }
        for (i, saved) in at_once::insert(conn, &cx, batch)? {
            items[i].saved = Some(Ok(saved));
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Result<Saved>> {
        self.saved.take()
    }
}

impl Messages<'_> {
    /// Stores a message, or merges it into the one with the same WhatsApp id, and says which.
    ///
    /// A repeated delivery never overwrites: it may fill what was empty, raise the ack, or give a placeholder its
    /// content.
    ///
    /// Errors: `InvalidArgument` naming the column, `NotFound` for the session.
    pub fn save(&self, session: Uuid, message: NewMessage) -> Pending<Saved> {
        let env = Arc::clone(self.0.env());
        self.0
            .write_shared(
                "messages.save",
                SaveOne { env, session, message, made: None, tried: None, saved: None },
            )
            .seen_by(|saved| observe::saved(saved.outcome.name()))
    }

    /// Stores many messages in one commit, each with its own result. One that is refused does not affect the
    /// others.
    pub fn save_many(&self, session: Uuid, messages: Vec<NewMessage>) -> Pending<Vec<Result<Saved>>> {
        self.many("messages.save_many", session, messages, false)
    }

    /// Stores history: as [`save_many`](Self::save_many), but each row is made at its message's own time, and what
    /// retention has removed does not come back (`NotStored`).
    pub fn backfill(&self, session: Uuid, mut messages: Vec<NewMessage>) -> Pending<Vec<Result<Saved>>> {
        for message in &mut messages {
            message.created_at = message.created_at.or(message.wa_timestamp);
        }
        self.many("messages.backfill", session, messages, true)
    }

    fn many(
        &self,
        operation: &'static str,
        session: Uuid,
        messages: Vec<NewMessage>,
        backfill: bool,
    ) -> Pending<Vec<Result<Saved>>> {
        self.0
            .write(operation, move |conn, env| {
                let cx = env.context(env.now());
                let saves: Vec<_> =
                    messages.iter().map(|new| Save { session, new, backfill, tried: None }).collect();
                let saved = save_all(conn, &cx, &saves)?;
                // Arguments are checked before anything is written.
                let refused = |e: &Error| e.kind() == Kind::InvalidArgument;
                match saved.iter().filter_map(|s| s.as_ref().err()).find(|e| !refused(e)) {
                    Some(e) => Err(e.copy()),
                    None => {
                        if backfill {
                            let old = retention::old(cx.now, saved.iter().flatten());
                            if old.messages > 0 {
                                let is_cleaned = retention::is_cleaned(conn, session)?;
                                retention::note_history(conn, old, cx.now, is_cleaned)?;
                            }
                        }
                        Ok(saved)
                    }
                }
            })
            .seen_by(|saved| saved.iter().flatten().for_each(|saved| observe::saved(saved.outcome.name())))
    }

    /// Raises the delivery state of a message: −1 error, 0 pending, 1 server, 2 delivered, 3 read, 4 played. It
    /// never falls. A message that is not here yet gets it when it comes.
    pub fn ack(&self, session: Uuid, wa_message_id: impl Into<Text>, ack: i64) -> Pending<Changed> {
        let id = wa_message_id.into();
        self.0.write("messages.ack", move |conn, env| {
            changes::ack(conn, &env.context(env.now()), session, &id, ack)
        })
    }

    /// Gives a message a new body. The edit with the latest time wins; a revoked message stays empty.
    pub fn edit(
        &self,
        session: Uuid,
        wa_message_id: impl Into<Text>,
        body: Option<Text>,
        at: Option<Timestamp>,
    ) -> Pending<Changed> {
        let id = wa_message_id.into();
        self.0.write("messages.edit", move |conn, env| {
            let now = env.now();
            changes::edit(conn, &env.context(now), session, &id, body.as_ref(), at.unwrap_or(now))
        })
    }

    /// Deletes a message for everyone: body, media and raw are emptied for good, the row stays.
    pub fn revoke(
        &self,
        session: Uuid,
        wa_message_id: impl Into<Text>,
        at: Option<Timestamp>,
    ) -> Pending<Changed> {
        let id = wa_message_id.into();
        self.0.write("messages.revoke", move |conn, env| {
            let now = env.now();
            changes::revoke(conn, &env.context(now), session, &id, at.unwrap_or(now))
        })
    }

    /// Sets the reaction of one person (`me` is the own account); an empty `emoji` withdraws it.
    pub fn react(
        &self,
        session: Uuid,
        wa_message_id: impl Into<Text>,
        sender: impl Into<Text>,
        emoji: impl Into<Text>,
        at: Option<Timestamp>,
    ) -> Pending<Changed> {
        let (id, sender, emoji) = (wa_message_id.into(), sender.into(), emoji.into());
        self.0.write("messages.react", move |conn, env| {
            let now = env.now();
            changes::react(conn, &env.context(now), session, &id, &sender, &emoji, at.unwrap_or(now))
        })
    }

    /// One message by its row id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn get(&self, id: Uuid) -> Result<Option<Message>> {
        self.0.data("messages.get", |conn| reads::get(conn, id))
    }

    /// One message by WhatsApp's id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find(&self, session: Uuid, wa_message_id: impl Into<Text>) -> Result<Option<Message>> {
        let id = wa_message_id.into();
        self.0.data("messages.find", |conn| messages::by_wa_id(conn, session, &id))
    }

    /// One page of a session's messages, filtered, newest first unless the filter says otherwise.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn list(
        &self,
        session: Uuid,
        filter: &MessageFilter,
        request: &PageRequest,
    ) -> Result<Page<Message>> {
        let now = self.0.env().now();
        self.0.data("messages.list", |conn| {
            reads::list(conn, session, filter, request, now, self.0.env().taken_over(conn)?)
        })
    }

    /// How many messages match.
    ///
    /// # Errors
    /// Those of the database.
    pub fn count(&self, session: Uuid, filter: &MessageFilter) -> Result<u64> {
        self.0.data("messages.count", |conn| {
            reads::count(conn, session, filter, self.0.env().taken_over(conn)?)
        })
    }

    /// Every message that matches, in constant memory. Rows that come or go meanwhile neither shift nor repeat
    /// anything.
    #[must_use]
    pub fn iterate(&self, session: Uuid, filter: MessageFilter) -> Scan {
        Scan { store: self.0.clone(), session, filter, page: Vec::new().into_iter(), next: Some(None) }
    }

    /// One page of a session's chats, the one with the newest message first.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn chats(&self, session: Uuid, request: &PageRequest) -> Result<Page<Chat>> {
        self.0.data("messages.chats", |conn| {
            chats::chats(conn, session, request, self.0.env().taken_over(conn)?)
        })
    }

    /// The reactions to one message, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn reactions(&self, session: Uuid, wa_message_id: impl Into<Text>) -> Result<Vec<MessageReaction>> {
        let id = wa_message_id.into();
        self.0.data("messages.reactions", |conn| reads::reactions(conn, session, &id))
    }

    /// How many messages that are not here have changes of this kind waiting for them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn waiting(&self, session: Uuid, kind: PendingKind) -> Result<u64> {
        let n = self.0.data("messages.waiting", |conn| changes::waiting(conn, session, kind))?;
        Ok(u64::try_from(n).unwrap_or(0))
    }
}

/// An iteration over messages; see [`Messages::iterate`]. It fetches a thousand rows at a time.
pub struct Scan {
    store: Store,
    session: Uuid,
    filter: MessageFilter,
    page: std::vec::IntoIter<Message>,
    /// `None`: that was the last page. `Some(cursor)`: there is another.
    next: Option<Option<String>>,
}

impl Iterator for Scan {
    type Item = Result<Message>;

    fn next(&mut self) -> Option<Result<Message>> {
        loop {
            if let Some(message) = self.page.next() {
                return Some(Ok(message));
            }
            let request = PageRequest { limit: Some(MAX_LIMIT), after: self.next.take()? };
            match self.store.messages().list(self.session, &self.filter, &request) {
                Ok(page) => {
                    self.page = page.items.into_iter();
                    self.next = page.next.map(Some);
                }
                Err(e) => return Some(Err(e)),
            }
        }
    }
}
