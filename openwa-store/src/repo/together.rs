//! Many messages at once, with a few statements for all of them: where each statement is a round trip to a server.
//!
//! The rules are those of [`messages::save`]; what differs is only how the rows are asked for and written.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::at_once::{Said, Sessions};
use super::messages::{self, Context, GATE, Outcome, Saved};
use crate::db::{Conn, Flow, Query, Taken, insert_messages};
use crate::entity::{ColumnDef, Entity, Message};
use crate::error::{Error, Result};
use crate::fork::Lazy;
use crate::policy::address;
use crate::policy::message::{Merged, NewMessage, deliver};
use crate::text::Text;
use crate::value::{Column, ColumnKind, Row, Value};

/// One message to be saved.
pub(crate) struct Save<'a> {
    pub(crate) session: Uuid,
    pub(crate) new: &'a NewMessage,
    /// Nothing comes back that retention has removed.
    pub(crate) backfill: bool,
    /// The row that it may have become already, without anybody having been told.
    pub(crate) tried: Option<Uuid>,
}

/// Saves messages in order, each with its own result. An error is one of the database.
pub(crate) fn save_all(conn: &dyn Conn, cx: &Context<'_>, saves: &[Save<'_>]) -> Result<Vec<Result<Saved>>> {
    if !conn.dialect().prefers_many_rows() {
        return Ok(saves.iter().map(|s| messages::save(conn, cx, s.session, s.new, s.backfill)).collect());
    }
    let (sessions, phones) = ask(conn, cx, saves)?;
    let mut out: Vec<Option<Result<Saved>>> = Vec::new();
    // Rows that may be new, and the places of their answers.
    let mut fresh: Vec<(usize, Message)> = Vec::new();
    let mut later: Vec<(usize, Message)> = Vec::new();
    let mut met = HashSet::new();
    for (i, save) in saves.iter().enumerate() {
        let made = sessions
            .get(&save.session)
            .ok_or_else(|| Error::not_found("session", save.session))
            .and_then(|said| {
                let mut resolve = |given: &Text| Ok(resolved(&phones, save.session, given));
                Ok((&said.gate, messages::row(cx, save.session, &said.gate, save.new, &mut resolve)?))
            });
        out.push(match made {
            Err(e) => Some(Err(e)),
            Ok((gate, message)) if !gate.keeps(cx) => Some(messages::not_kept(conn, cx, message)),
            Ok((gate, message)) if save.backfill && gate.has_removed(&message) => {
                Some(Ok(Saved { outcome: Outcome::NotStored { new: false }, message }))
            }
            Ok((_, message)) => {
                let key = message.wa_message_id.clone().map(|id| (message.session_id, id));
                let first = key.is_none_or(|key| met.insert(key));
                (if first { &mut fresh } else { &mut later }).push((i, message));
                None
            }
        });
    }
    let Arrived { new, awaited } = insert(conn, cx, &fresh)?;
    let (new, known): (Vec<_>, Vec<_>) = fresh.into_iter().partition(|(_, m)| new.contains(&m.id));
    for (i, message) in new {
        let waits = message
            .wa_message_id
            .as_ref()
            .is_some_and(|id| awaited.contains(&(message.session_id, id.clone())));
        out[i] = Some(if waits {
            messages::inserted(conn, message)
        } else {
            Ok(Saved { outcome: Outcome::Inserted, message })
        });
    }
    merge(conn, saves, known, later, &mut out)?;
    Ok(out.into_iter().flatten().collect())
}

/// Merges messages that are there already, in order.
fn merge(
    conn: &dyn Conn,
    saves: &[Save<'_>],
    mut known: Vec<(usize, Message)>,
    later: Vec<(usize, Message)>,
    out: &mut [Option<Result<Saved>>],
) -> Result<()> {
    known.extend(later);
    let rows = stored(conn, &known)?;
    for (i, incoming) in known {
        // Most repetitions say nothing new, and one look at all rows tells so. Only what changes is locked.
        out[i] = Some(match rows.get(&incoming.id) {
            Some(row) if saves[i].tried == Some(row.id) => {
                Ok(Saved { outcome: Outcome::Inserted, message: row.clone() })
            }
            Some(row) if deliver(&mut row.clone(), &incoming) == Merged::Unchanged => {
                Ok(Saved { outcome: Outcome::Unchanged, message: row.clone() })
            }
            _ => messages::merge(conn, &incoming),
        });
    }
    Ok(())
}

/// What sessions say about their messages, which stays as long as the transaction, and the phone addresses of all LIDs that
/// occur.
pub(super) fn ask(conn: &dyn Conn, cx: &Context<'_>, saves: &[Save<'_>]) -> Result<(Sessions, Phones)> {
    static SESSIONS: Lazy<String> =
        Lazy::new(|| format!("SELECT id, {GATE} FROM sessions WHERE id = ANY(?1::uuid[]) ORDER BY id"));
    const PHONES: &str = "SELECT session_id, lid, pn FROM identities
                WHERE (session_id, lid) IN (SELECT * FROM unnest(?1::uuid[], ?2::text[])) AND pn IS NOT NULL";
    let ids: Vec<Value<'_>> = sessions(saves).into_iter().map(Value::Uuid).collect();
    let lids: HashSet<_> = saves.iter().flat_map(|save| lids(save.session, save.new)).collect();
    let (lid_sessions, lids): (Vec<_>, Vec<_>) =
        lids.iter().map(|(session, lid)| (Value::Uuid(*session), lid.bind())).unzip();

    let (mut said, mut phones) = (Sessions::new(), Phones::new());
    let sql = conn.dialect().holding(&SESSIONS);
    let params = [Value::List(ColumnKind::Uuid, &ids)];
    let mut note_session = |row: &dyn Row| {
        said.insert(Uuid::read(row.get(0)).unwrap_or_default(), Arc::new(Said::read(row, 1)));
        Ok(Flow::Continue(()))
    };
    let mut queries = vec![Query { sql: &sql, params: &params, each: &mut note_session }];
    let params = [Value::List(ColumnKind::Uuid, &lid_sessions), Value::List(ColumnKind::Text, &lids)];
    let mut note_phone = |row: &dyn Row| {
        let text = |i| Text::read(row.get(i)).unwrap_or_default();
        phones.insert((Uuid::read(row.get(0)).unwrap_or_default(), text(1)), text(2));
        Ok(Flow::Continue(()))
    };
    if !lids.is_empty() {
        queries.push(Query { sql: PHONES, params: &params, each: &mut note_phone });
    }
    conn.query_all(queries)?;
    cx.lately.remember(&said);
    Ok((said, phones))
}

/// The sessions that occur.
pub(super) fn sessions(saves: &[Save<'_>]) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = saves.iter().map(|save| save.session).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

pub(super) type Phones = HashMap<(Uuid, Text), Text>;

/// The LIDs that occur in a message, as they are stored.
pub(super) fn lids(session: Uuid, new: &NewMessage) -> Vec<(Uuid, Text)> {
    let given = [Some(&new.chat_id), Some(&new.from_number), new.to_number.as_ref()];
    let addresses = given.into_iter().flatten().map(|given| address::normalize(given.as_stored()));
    addresses.filter(|a| address::is_lid(a)).map(|a| (session, Text::from_stored(a))).collect()
}

pub(super) fn resolved(phones: &Phones, session: Uuid, given: &Text) -> Text {
    let address = match address::normalize(given.as_stored()) {
        Cow::Borrowed(_) => given.clone(),
        Cow::Owned(s) => Text::from_stored(s),
    };
    phones.get(&(session, address.clone())).cloned().unwrap_or(address)
}

/// What became of rows that may be new.
#[derive(Default)]
struct Arrived {
    /// The rows that are in.
    new: HashSet<Uuid>,
    /// Those messages that something waits for.
    awaited: HashSet<(Uuid, Text)>,
}

/// Inserts rows of which each has another id. Who keeps a change for a message takes the message's id first, so that what
/// waits is seen behind the insert.
fn insert(conn: &dyn Conn, cx: &Context<'_>, rows: &[(usize, Message)]) -> Result<Arrived> {
    let mut arrived = Arrived::default();
    if rows.is_empty() {
        return Ok(arrived);
    }
    conn.make_room(&mut rows.iter().map(|(_, m)| m.created_at), cx.now)?;
    let columns = columns(rows);
    let lists: Vec<Value<'_>> = columns.iter().map(|(def, list)| Value::List(def.kind, list)).collect();
    let keys = keys(rows);
    let [_, sessions, ids] = lists_of(&keys);
    let awaited = "SELECT DISTINCT p.session_id, p.wa_message_id
                     FROM unnest(?1::uuid[], ?2::text[]) AS k(session_id, wa_message_id)
                     JOIN pending_changes p ON p.session_id = k.session_id AND p.wa_message_id = k.wa_message_id";
    conn.query_all(vec![
        Query {
            sql: &INSERT,
            params: &lists,
            each: &mut |row| {
                arrived.new.insert(Uuid::read(row.get(0)).unwrap_or_default());
                Ok(Flow::Continue(()))
            },
        },
        Query {
            sql: awaited,
            params: &[sessions, ids],
            each: &mut |row| {
                let (session, id) = (Uuid::read(row.get(0)), Text::read(row.get(1)));
                arrived.awaited.insert((session.unwrap_or_default(), id.unwrap_or_default()));
                Ok(Flow::Continue(()))
            },
        },
    ])?;
    Ok(arrived)
}

static INSERT: Lazy<String> = Lazy::new(|| insert_messages(Message::TABLE, Taken::Skipped));

/// Rows as a list per column, which is empty where no row has a value: the server fills up with NULL what is shorter than
/// the longest.
pub(super) fn columns(rows: &[(usize, Message)]) -> Vec<(&'static ColumnDef, Vec<Value<'_>>)> {
    let values: Vec<Vec<Value<'_>>> = rows.iter().map(|(_, m)| m.values()).collect();
    let list = |i: usize| {
        let none = values.iter().all(|row| row[i] == Value::Null);
        if none { Vec::new() } else { values.iter().map(|row| row[i]).collect() }
    };
    Message::TABLE.columns.iter().enumerate().map(|(i, def)| (def, list(i))).collect()
}

/// Id, session and WhatsApp's id of those rows that have one, as a list each.
pub(super) fn keys(rows: &[(usize, Message)]) -> [Vec<Value<'_>>; 3] {
    let mut keys = [Vec::new(), Vec::new(), Vec::new()];
    for (_, m) in rows {
        if let Some(wa_message_id) = &m.wa_message_id {
            let key = [Value::Uuid(m.id), Value::Uuid(m.session_id), wa_message_id.bind()];
            keys.iter_mut().zip(key).for_each(|(list, value)| list.push(value));
        }
    }
    keys
}

/// The keys as [`INSTEAD`] wants them.
pub(super) fn lists_of<'a>([ids, sessions, wa_message_ids]: &'a [Vec<Value<'a>>; 3]) -> [Value<'a>; 3] {
    let list = Value::List;
    [list(ColumnKind::Uuid, ids), list(ColumnKind::Uuid, sessions), list(ColumnKind::Text, wa_message_ids)]
}

/// What is there under the keys of some rows, each with the id of the row that it is there instead of. The inner query has a
/// limit so that the server looks each row up by its key, instead of reading whole partitions to join them.
pub(super) static INSTEAD: Lazy<String> = Lazy::new(|| {
    let columns: Vec<String> = Message::TABLE.columns.iter().map(|c| format!("m.{}", c.name)).collect();
    format!(
        "SELECT {}, k.id FROM unnest(?1::uuid[], ?2::uuid[], ?3::text[]) AS k(id, session_id, wa_message_id)
           JOIN message_ids i ON i.session_id = k.session_id AND i.wa_message_id = k.wa_message_id
          CROSS JOIN LATERAL (
                SELECT * FROM messages WHERE id = i.message_id AND created_at = i.created_at LIMIT 1) m
          WHERE i.message_id <> k.id",
        columns.join(", ")
    )
});

/// Reads a row of [`INSTEAD`].
pub(super) fn instead(row: &dyn Row) -> Result<(Uuid, Message)> {
    let id = Uuid::read(row.get(Message::TABLE.columns.len())).unwrap_or_default();
    Ok((id, Message::from_row(row)?))
}

/// What is there instead of some rows, by their ids.
fn stored(conn: &dyn Conn, known: &[(usize, Message)]) -> Result<HashMap<Uuid, Message>> {
    let (keys, mut there) = (keys(known), HashMap::new());
    if keys[0].is_empty() {
        return Ok(there);
    }
    conn.query(&INSTEAD, &lists_of(&keys), &mut |row| {
        there.extend([instead(row)?]);
        Ok(Flow::Continue(()))
    })?;
    Ok(there)
}
