//! The list of a session's chats, with last message and unread count.

use std::collections::HashSet;

use uuid::Uuid;

use super::identities::canonical;
use super::paging::{Keyset, Page, PageRequest, page};
use super::sql;
use crate::db::{Conn, Flow};
use crate::entity::Message;
use crate::error::Result;
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Row, Value};

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

/// One page of a session's chats, the one with the newest message first. `taken_over`: one chat may have several
/// addresses; it stands under that of its newest message.
pub(crate) fn chats(
    conn: &dyn Conn,
    session: Uuid,
    request: &PageRequest,
    taken_over: bool,
) -> Result<Page<Chat>> {
    let limit = request.limit()?;
    let after = request.keyset()?;
    let mut heads = heads(conn, session)?;
    heads.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.key.cmp(&b.key)));
    if taken_over {
        let mut seen = HashSet::new();
        let mut twice = Vec::new();
        for head in &heads {
            twice.push(!seen.insert(canonical(conn, session, &Text::from_stored(head.key.as_str()))?));
        }
        let mut twice = twice.into_iter();
        heads.retain(|_| !twice.next().unwrap_or(false));
    }
    if let Some(k) = after {
        heads.retain(|h| h.at < k.at || (h.at == k.at && h.key > k.key));
    }
    let page = page(heads, limit, Clone::clone);
    let items = page.items.iter().map(|head| chat(conn, session, head)).collect::<Result<_>>()?;
    Ok(Page { items, next: page.next })
}

/// Address and newest time of every chat of a session: one seek in the chat index for each, whose order makes it land on
/// the newest message.
fn heads(conn: &dyn Conn, session: Uuid) -> Result<Vec<Keyset>> {
    let sql = "WITH RECURSIVE chats (chat_id) AS (
            SELECT (SELECT chat_id FROM messages WHERE session_id = ?1 ORDER BY session_id, chat_id LIMIT 1)
             UNION ALL
            SELECT (SELECT m.chat_id FROM messages m WHERE m.session_id = ?1 AND m.chat_id > c.chat_id
                     ORDER BY m.session_id, m.chat_id LIMIT 1)
              FROM chats c WHERE c.chat_id IS NOT NULL)
        SELECT chat_id, (SELECT m.wa_timestamp FROM messages m WHERE m.session_id = ?1 AND m.chat_id = chats.chat_id
                          ORDER BY m.wa_timestamp DESC, m.id LIMIT 1)
          FROM chats WHERE chat_id IS NOT NULL";
    let heads = conn.all(sql, &[Value::Uuid(session)], |row: &dyn Row| {
        Ok(Text::read(row.get(0)).zip(Timestamp::read(row.get(1))))
    })?;
    Ok(heads
        .into_iter()
        .flatten()
        .map(|(chat, at)| Keyset { at, key: chat.as_stored().to_owned() })
        .collect())
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
    let unread = unread(conn, session, &chat_id)?;
    let name = conn.first(
        "SELECT coalesce(name, push_name) FROM contacts WHERE session_id = ?1 AND wa_contact_id = ?2",
        &[Value::Uuid(session), chat_id.bind()],
        |row| Ok(Text::read(row.get(0))),
    )?;
    Ok(Chat { name: name.flatten(), is_group: last_message.is_group, unread, last_message, chat_id })
}

/// Incoming messages behind the last one that was read or answered.
fn unread(conn: &dyn Conn, session: Uuid, chat: &Text) -> Result<u32> {
    // A server sends all it was asked for, though most counts end after a few rows.
    let steps: &[u32] = if conn.dialect().prefers_many_rows() { &[32, UNREAD_MOST] } else { &[UNREAD_MOST] };
    let mut unread = 0;
    for most in steps {
        unread = 0;
        conn.query(
            "SELECT from_me, ack FROM messages WHERE session_id = ?1 AND chat_id = ?2
              ORDER BY wa_timestamp DESC, id LIMIT ?3",
            &[Value::Uuid(session), chat.bind(), Value::Int((*most).into())],
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
        if unread < *most {
            break;
        }
    }
    Ok(unread)
}
