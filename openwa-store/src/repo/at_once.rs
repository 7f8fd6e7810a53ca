//! New messages in one round trip to a server, commit included.
//!
//! A message's row depends on its session, so what sessions said last is remembered, and the server inserts only where
//! that still holds. What is there already and adds something, what something waits for, and what is refused is left to
//! [`together`](super::together), which asks first and then writes.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::messages::{self, Context, Gate, Outcome, Saved};
use super::together::{
    INSTEAD, Phones, Save, ask, columns, instead, keys, lids, lists_of, resolved, sessions,
};
use crate::db::{Conn, Flow, Query, lists, lock};
use crate::entity::Message;
use crate::error::Result;
use crate::fork::Lazy;
use crate::policy::message::{Merged, NewMessage, deliver};
use crate::text::Text;
use crate::value::{Column, ColumnKind, Row, Value};

/// What was seen lately. The server is asked whether it still holds.
#[derive(Default)]
pub(crate) struct Lately {
    sessions: Mutex<Sessions>,
    /// Some messages were there already.
    repeated: AtomicBool,
}

/// Sessions that are remembered.
const KEPT: usize = 10_000;

pub(super) type Sessions = HashMap<Uuid, Arc<Said>>;

/// What a session says about its messages.
pub(super) struct Said {
    pub(super) gate: Gate,
    config: String,
}

impl Said {
    /// From a row whose columns from `at` on are those of [`GATE`](messages::GATE).
    pub(super) fn read(row: &dyn Row, at: usize) -> Self {
        let config = match row.get(at) {
            Value::Text(config) | Value::Json(config) => config.to_owned(),
            _ => String::new(),
        };
        Said { gate: Gate::read(row, at), config }
    }
}

impl Lately {
    pub(super) fn remember(&self, said: &Sessions) {
        let mut sessions = lock(&self.sessions);
        if sessions.len() + said.len() > KEPT {
            sessions.clear();
        }
        sessions.extend(said.iter().map(|(id, said)| (*id, Arc::clone(said))));
    }

    fn one(&self, id: Uuid) -> Option<Arc<Said>> {
        lock(&self.sessions).get(&id).map(Arc::clone)
    }

    /// What all of these said; `None`: not all are remembered.
    fn all(&self, ids: &[Uuid]) -> Option<Sessions> {
        let sessions = lock(&self.sessions);
        ids.iter().map(|id| Some((*id, Arc::clone(sessions.get(id)?)))).collect()
    }
}

/// A row, and what its session said when it was made.
pub(crate) struct Made {
    said: Arc<Said>,
    row: Message,
}

/// Makes the row of a message from what is remembered, before its turn; `None`: it has to wait for that.
pub(crate) fn make(cx: &Context<'_>, session: Uuid, new: &NewMessage) -> Option<Made> {
    let said = cx.lately.one(session)?;
    if !said.gate.keeps(cx) || new.wa_message_id.is_none() || !lids(session, new).is_empty() {
        return None;
    }
    let row = row(cx, session, &said, new, &Phones::new())?;
    Some(Made { said, row })
}

fn row(cx: &Context<'_>, session: Uuid, said: &Said, new: &NewMessage, phones: &Phones) -> Option<Message> {
    let mut resolve = |given: &Text| Ok(resolved(phones, session, given));
    messages::row(cx, session, &said.gate, new, &mut resolve).ok()
}

/// Rows that are ready to be inserted, with the places of their answers, and what has to hold for that.
pub(crate) struct Batch {
    pub(crate) rows: Vec<(usize, Message)>,
    sessions: Sessions,
}

/// Makes the rows of those messages that may go this way, where they are not made already.
pub(crate) fn prepare(
    conn: &dyn Conn,
    cx: &Context<'_>,
    saves: &[Save<'_>],
    made: Vec<Option<Made>>,
) -> Result<Batch> {
    // One that is made has no LID.
    let unmade = saves.iter().zip(&made).filter(|(_, made)| made.is_none());
    let known = unmade.clone().all(|(save, _)| lids(save.session, save.new).is_empty());
    let remembered = if known { cx.lately.all(&sessions(saves)) } else { None };
    let (sessions, phones) = match remembered {
        Some(sessions) => (sessions, Phones::new()),
        None => ask(conn, cx, saves)?,
    };
    let mut rows = Vec::with_capacity(saves.len());
    let mut met = HashSet::new();
    for (i, (save, made)) in saves.iter().zip(made).enumerate() {
        let Some(said) = sessions.get(&save.session).filter(|said| said.gate.keeps(cx)) else { continue };
        let Some(id) = &save.new.wa_message_id else { continue };
        if !met.insert((save.session, id)) {
            continue;
        }
        let made = made.filter(|made| Arc::ptr_eq(&made.said, said)).map(|made| made.row);
        if let Some(message) = made.or_else(|| row(cx, save.session, said, save.new, &phones)) {
            rows.push((i, message));
        }
    }
    Ok(Batch { rows, sessions })
}

/// Inserts and commits. Answers those that were new, and those that were there and said all that came. After an error
/// the rows may be there nevertheless.
pub(crate) fn insert(conn: &dyn Conn, cx: &Context<'_>, batch: Batch) -> Result<Vec<(usize, Saved)>> {
    let Batch { rows, sessions } = batch;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    conn.make_room(&mut rows.iter().map(|(_, m)| m.created_at), cx.now)?;
    let (mut left_out, mut known) = (HashSet::new(), HashMap::new());
    send(conn, cx, &rows, &sessions, &mut left_out, &mut known)?;
    cx.lately.repeated.store(!left_out.is_empty(), Ordering::Relaxed);
    let answer = |(i, message): (usize, Message)| {
        if !left_out.contains(&message.id) {
            return Some((i, Saved { outcome: Outcome::Inserted, message }));
        }
        let there = known.remove(&message.id)?;
        let nothing = deliver(&mut there.clone(), &message) == Merged::Unchanged;
        nothing.then_some((i, Saved { outcome: Outcome::Unchanged, message: there }))
    };
    Ok(rows.into_iter().filter_map(answer).collect())
}

/// `left_out`: the ids of rows that are not in. `known`: what is there instead of the row with this id, if that is asked for.
fn send(
    conn: &dyn Conn,
    cx: &Context<'_>,
    rows: &[(usize, Message)],
    sessions: &Sessions,
    left_out: &mut HashSet<Uuid>,
    known: &mut HashMap<Uuid, Message>,
) -> Result<()> {
    let columns = columns(rows);
    let ids: Vec<Value<'_>> = sessions.keys().map(|id| Value::Uuid(*id)).collect();
    let configs: Vec<Value<'_>> = sessions.values().map(|said| Value::Json(&said.config)).collect();
    let retained: Vec<Value<'_>> = sessions.values().map(|said| said.gate.retained_from.bind()).collect();
    let phones: Vec<Value<'_>> = sessions.values().map(|said| said.gate.phone.bind()).collect();

    let some_ahead = rows.iter().any(|(_, m)| m.wa_timestamp.month() > m.created_at.month());
    let mut given = vec![
        conn.process().map_or(Value::Null, |process| Value::Int(process.into())),
        Value::Bool(some_ahead),
        Value::List(ColumnKind::Uuid, &ids),
        Value::List(ColumnKind::Json, &configs),
        Value::List(ColumnKind::Time, &retained),
        Value::List(ColumnKind::Text, &phones),
    ];
    given.extend(columns.iter().map(|(def, list)| Value::List(def.kind, list)));
    let repeated = cx.lately.repeated.load(Ordering::Relaxed);
    let keys = if repeated { keys(rows) } else { Default::default() };
    let keys = lists_of(&keys);

    let mut note = |row: &dyn Row| {
        left_out.insert(Uuid::read(row.get(0)).unwrap_or_default());
        Ok(Flow::Continue(()))
    };
    let mut note_known = |row: &dyn Row| {
        known.extend([instead(row)?]);
        Ok(Flow::Continue(()))
    };
    let mut queries = vec![Query { sql: &SAVE, params: &given, each: &mut note }];
    if repeated {
        queries.push(Query { sql: &INSTEAD, params: &keys, each: &mut note_known });
    }
    conn.conclude(queries)
}

static SAVE: Lazy<String> = Lazy::new(|| {
    let believed = "?1::bigint, ?2::boolean, ?3::uuid[], ?4::jsonb[], ?5::timestamptz[], ?6::text[]";
    format!("SELECT * FROM save_new_messages({believed}, {})", lists(Message::TABLE, 7))
});
