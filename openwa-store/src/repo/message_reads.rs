//! Reading messages: pages by keyset, counts, chats.

use uuid::Uuid;

use super::identities::{canonical, spellings};
use super::months;
use super::paging::{Keyset, Listing, Page, PageRequest};
use super::sql;
use crate::db::Conn;
use crate::entity::{Message, MessageReaction};
use crate::error::Result;
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value, names};

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
    /// The chat's address; more than one where messages were taken over under others.
    chat: Vec<Text>,
    pattern: Option<String>,
    like: &'static str,
}

impl MessageFilter {
    fn resolve(&self, conn: &dyn Conn, session: Uuid, taken_over: bool) -> Result<Resolved> {
        let chat = match self.chat.as_ref().map(|chat| canonical(conn, session, chat)).transpose()? {
            Some(chat) if taken_over => spellings(conn, session, chat)?,
            chat => chat.into_iter().collect(),
        };
        Ok(Resolved { chat, pattern: self.text.as_ref().map(contains), like: conn.dialect().like() })
    }

    fn listing<'a>(
        &'a self,
        session: Uuid,
        resolved: &'a Resolved,
        after: Option<&Keyset>,
        since: Option<Timestamp>,
    ) -> Result<Listing<'a>> {
        let mut c = Listing::default();
        c.and("session_id = {}", Value::Uuid(session));
        if !resolved.chat.is_empty() {
            c.one_of("chat_id", resolved.chat.iter().map(Column::bind));
        }
        if let Some(since) = since {
            c.and("created_at >= {}", Value::Time(since));
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
            c.and(&format!("(wa_timestamp {later} ?{at} OR id {id} {{}})"), Value::Uuid(k.id()?));
        }
        if let Some(kind) = &self.r#type {
            c.and("type = {}", kind.bind());
        }
        if let Some(from_me) = self.from_me {
            c.and("from_me = {}", Value::Bool(from_me));
        }
        if let Some(pattern) = &resolved.pattern {
            c.and(&format!("body {} {{}} ESCAPE '\\'", resolved.like), Value::Text(pattern));
        }
        Ok(c)
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

/// One page of a session's messages. `taken_over`: some may lie under addresses as another gateway wrote them.
pub(crate) fn list(
    conn: &dyn Conn,
    session: Uuid,
    filter: &MessageFilter,
    request: &PageRequest,
    now: Timestamp,
    taken_over: bool,
) -> Result<Page<Message>> {
    let limit = request.limit()?;
    let after = request.keyset()?;
    let resolved = filter.resolve(conn, session, taken_over)?;
    let (narrow, last) = months::windows(conn, session, filter, after.as_ref(), now)?;
    let read = |since| {
        let listing = filter.listing(session, &resolved, after.as_ref(), since)?;
        listing.page(conn, &filter.order_by(), limit, place)
    };
    for since in narrow {
        let page = read(Some(since))?;
        if months::is_whole(&page, since) {
            return Ok(page);
        }
    }
    read(last)
}

/// How many messages match.
pub(crate) fn count(conn: &dyn Conn, session: Uuid, filter: &MessageFilter, taken_over: bool) -> Result<u64> {
    let resolved = filter.resolve(conn, session, taken_over)?;
    let since = months::bound(conn, session, filter.from)?;
    let listing = filter.listing(session, &resolved, None, since)?;
    let (conditions, values) = listing.parts();
    let n = conn.integer(&format!("SELECT count(*) FROM messages{conditions}"), values)?;
    Ok(u64::try_from(n).unwrap_or(0))
}

/// One message by its row id.
pub(crate) fn get(conn: &dyn Conn, id: Uuid) -> Result<Option<Message>> {
    if conn.dialect().is_partitioned()
        && let Some((since, until)) = months::of_id(id)
    {
        let sql =
            sql!(Message, "SELECT {} FROM messages WHERE id = ?1 AND created_at >= ?2 AND created_at < ?3");
        let found = conn.one(sql, &[Value::Uuid(id), Value::Time(since), Value::Time(until)])?;
        if found.is_some() {
            return Ok(found);
        }
    }
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
