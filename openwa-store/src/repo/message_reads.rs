//! Reading messages: pages by keyset, counts, chats.

use uuid::Uuid;

use super::identities::canonical;
use super::paging::{Keyset, Listing, Page, PageRequest, page};
use super::sql;
use crate::db::{Conn, Flow};
use crate::entity::{Message, MessageReaction};
use crate::error::Result;
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Row, Value, names};

names! {
    /// In which order messages are listed.
    pub enum Order: default Newest {
        /// Newest first.
        Newest = "newest",
        /// Oldest first.
        Oldest = "oldest",
    }
}

shape! { input:
/// Which messages of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageFilter {
    /// Only this chat, by any of its addresses.
    pub chat: Option<Text>,
    /// Only from this time on, by `wa_timestamp`.
    pub from: Option<Timestamp>,
    /// Only before this time, by `wa_timestamp`.
    pub until: Option<Timestamp>,
    /// Only this type.
    pub r#type: Option<Text>,
    /// Only own (`true`) or only incoming (`false`) messages.
    pub from_me: Option<bool>,
    /// Only those whose body contains this text; ASCII letters match in either case.
    pub text: Option<Text>,
    /// In which order.
    pub order: Order,
}
}

shape! { output:
/// A chat in the list of a session's chats.
#[derive(Clone, Debug, PartialEq)]
pub struct Chat {
    /// Address of the chat.
    pub chat_id: Text,
    /// The name of the contact, if it is a known person.
    pub name: Option<Text>,
    /// Whether it is a group.
    pub is_group: bool,
    /// Incoming messages behind the last one that was read or answered; 1,000 stands for "or more".
    pub unread: u32,
    /// The newest message.
    pub last_message: Message,
}
}

/// Where counting unread messages stops.
const UNREAD_MOST: u32 = 1000;

/// The LIKE pattern for "contains".
fn contains(text: &Text) -> String {
    let mut pattern = String::from("%");
    for c in text.as_stored().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// The filter's values in the form in which they are bound.
struct Resolved {
    chat: Option<Text>,
    pattern: Option<String>,
}

impl MessageFilter {
    fn resolve(&self, conn: &dyn Conn, session: Uuid) -> Result<Resolved> {
        Ok(Resolved {
            chat: self.chat.as_ref().map(|chat| canonical(conn, session, chat)).transpose()?,
            pattern: self.text.as_ref().map(contains),
        })
    }

    fn listing<'a>(
        &'a self,
        session: Uuid,
        resolved: &'a Resolved,
        after: Option<&'a Keyset>,
    ) -> Listing<'a> {
        let mut c = Listing::default();
        c.and("session_id = {}", Value::Uuid(session));
        if let Some(chat) = &resolved.chat {
            c.and("chat_id = {}", chat.bind());
        }
        let (from, until) = self.bounds(after);
        if let Some(from) = from {
            c.and("wa_timestamp >= {}", Value::Time(from));
        }
        if let Some(until) = until {
            c.and("wa_timestamp < {}", Value::Time(until));
        }
        if let Some(k) = after {
            // The first condition is one an index can seek to; the second cuts the rows of that same instant.
            let (time, id) = self.directions();
            let (seek, later) = if time == ">" { (">=", ">") } else { ("<=", "<") };
            let at = c.and(&format!("wa_timestamp {seek} {{}}"), Value::Time(k.at));
            c.and(&format!("(wa_timestamp {later} ?{at} OR id {id} {{}})"), Value::Text(&k.key));
        }
        if let Some(kind) = &self.r#type {
            c.and("type = {}", kind.bind());
        }
        if let Some(from_me) = self.from_me {
            c.and("from_me = {}", Value::Bool(from_me));
        }
        if let Some(pattern) = &resolved.pattern {
            c.and("body LIKE {} ESCAPE '\\'", Value::Text(pattern));
        }
        c
    }
}

impl MessageFilter {
    /// The time range, without the bound that a cursor has passed: of two on one side the planner would seek to
    /// either, and behind the farther one lie all the pages before.
    fn bounds(&self, after: Option<&Keyset>) -> (Option<Timestamp>, Option<Timestamp>) {
        let Some(k) = after else { return (self.from, self.until) };
        match self.order {
            Order::Newest => (self.from, self.until.filter(|until| k.at >= *until)),
            Order::Oldest => (self.from.filter(|from| k.at < *from), self.until),
        }
    }

    /// Which way time and id run. Ties are broken the way the index that serves the list runs: a chat's index
    /// runs back in time with rising ids, a session's runs forward in both.
    fn directions(&self) -> (&'static str, &'static str) {
        match (self.order, self.chat.is_some()) {
            (Order::Newest, true) => ("<", ">"),
            (Order::Newest, false) => ("<", "<"),
            (Order::Oldest, true) => (">", "<"),
            (Order::Oldest, false) => (">", ">"),
        }
    }

    fn order_by(&self) -> String {
        let (time, id) = self.directions();
        let direction = |way: &str| if way == "<" { " DESC" } else { "" };
        format!("wa_timestamp{}, id{}", direction(time), direction(id))
    }
}

fn place(m: &Message) -> Keyset {
    Keyset { at: m.wa_timestamp, key: m.id.to_string() }
}

/// One page of a session's messages.
pub(crate) fn list(
    conn: &dyn Conn,
    session: Uuid,
    filter: &MessageFilter,
    request: &PageRequest,
) -> Result<Page<Message>> {
    let limit = request.limit()?;
    let after = request.keyset()?;
    let resolved = filter.resolve(conn, session)?;
    filter.listing(session, &resolved, after.as_ref()).page(conn, &filter.order_by(), limit, place)
}

/// How many messages match.
pub(crate) fn count(conn: &dyn Conn, session: Uuid, filter: &MessageFilter) -> Result<u64> {
    let resolved = filter.resolve(conn, session)?;
    let listing = filter.listing(session, &resolved, None);
    let (conditions, values) = listing.parts();
    let n = conn.integer(&format!("SELECT count(*) FROM messages{conditions}"), values)?;
    Ok(u64::try_from(n).unwrap_or(0))
}

/// One message by its row id.
pub(crate) fn get(conn: &dyn Conn, id: Uuid) -> Result<Option<Message>> {
    conn.one(sql!(Message, "SELECT {} FROM messages WHERE id = ?1"), &[Value::Uuid(id)])
}

/// The reactions to one message, oldest first.
pub(crate) fn reactions(conn: &dyn Conn, session: Uuid, id: &Text) -> Result<Vec<MessageReaction>> {
    let mut rows: Vec<MessageReaction> = conn.rows(
        sql!(
            MessageReaction,
            "SELECT {} FROM message_reactions WHERE session_id = ?1 AND wa_message_id = ?2 ORDER BY sender"
        ),
        &[Value::Uuid(session), id.bind()],
    )?;
    rows.sort_by_key(|r| r.reacted_at);
    Ok(rows)
}

/// One page of a session's chats, the one with the newest message first. Each chat costs one seek in the chat
/// index, which the index order makes land on its newest message.
pub(crate) fn chats(conn: &dyn Conn, session: Uuid, request: &PageRequest) -> Result<Page<Chat>> {
    let limit = request.limit()?;
    let after = request.keyset()?;
    let mut heads = heads(conn, session)?;
    heads.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.key.cmp(&b.key)));
    if let Some(k) = after {
        heads.retain(|h| h.at < k.at || (h.at == k.at && h.key > k.key));
    }
    let page = page(heads, limit, Clone::clone);
    let items = page.items.iter().map(|head| chat(conn, session, head)).collect::<Result<_>>()?;
    Ok(Page { items, next: page.next })
}

/// Address and newest time of every chat of a session.
fn heads(conn: &dyn Conn, session: Uuid) -> Result<Vec<Keyset>> {
    let mut heads: Vec<Keyset> = Vec::new();
    loop {
        let last = heads.last().map_or("", |h| h.key.as_str());
        let next = conn.first(
            "SELECT chat_id, wa_timestamp FROM messages WHERE session_id = ?1 AND chat_id > ?2
              ORDER BY session_id, chat_id, wa_timestamp DESC, id LIMIT 1",
            &[Value::Uuid(session), Value::Text(last)],
            |row: &dyn Row| Ok((Text::read(row.get(0)), Timestamp::read(row.get(1)))),
        )?;
        let Some((Some(chat), Some(at))) = next else { return Ok(heads) };
        heads.push(Keyset { at, key: chat.as_stored().to_owned() });
    }
}

fn chat(conn: &dyn Conn, session: Uuid, head: &Keyset) -> Result<Chat> {
    let chat_id = Text::from_stored(head.key.as_str());
    let newest = conn.one::<Message>(
        sql!(
            Message,
            "SELECT {} FROM messages WHERE session_id = ?1 AND chat_id = ?2 ORDER BY wa_timestamp DESC, id LIMIT 1"
        ),
        &[Value::Uuid(session), chat_id.bind()],
    )?;
    let last_message = newest.ok_or_else(|| crate::error::Error::not_found("chat", &chat_id))?;
    let mut unread = 0;
    conn.query(
        "SELECT from_me, ack FROM messages WHERE session_id = ?1 AND chat_id = ?2
          ORDER BY wa_timestamp DESC, id LIMIT ?3",
        &[Value::Uuid(session), chat_id.bind(), Value::Int(UNREAD_MOST.into())],
        &mut |row| {
            let own = bool::read(row.get(0)).unwrap_or(false);
            let read = matches!(row.get(1), Value::Int(3..));
            if own || read {
                return Ok(Flow::Break(()));
            }
            unread += 1;
            Ok(Flow::Continue(()))
        },
    )?;
    let name = conn.first(
        "SELECT coalesce(name, push_name) FROM contacts WHERE session_id = ?1 AND wa_contact_id = ?2",
        &[Value::Uuid(session), chat_id.bind()],
        |row| Ok(Text::read(row.get(0))),
    )?;
    Ok(Chat { name: name.flatten(), is_group: last_message.is_group, unread, last_message, chat_id })
}
