//! A session's credentials, one row per key.

use uuid::Uuid;

use super::sql;
use crate::db::{Conn, Ring};
use crate::entity::{Entity, SessionAuth};
use crate::error::{Error, Kind, Result};
use crate::fork::Lazy;
use crate::record::shape;
use crate::seal::{Own, Replaced, Target, open_value};
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

shape! { input of SessionAuth:
/// One change of a session's credentials.
#[derive(Clone, PartialEq)]
pub struct AuthEntry {
    /// `creds`, `pre-key`, `session` …, 1 to 64 characters.
    pub category: Text,
    /// The key's id within its category, at most 512 characters.
    pub key_id: Text,
    /// The value; `None` deletes.
    pub value: Option<Vec<u8>>,
}
}

impl std::fmt::Debug for AuthEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuthEntry({:?}/{:?}, <secret>)", self.category, self.key_id)
    }
}

/// What a read of a credential found. *Missing* and *unreadable* are different things: only when `creds` are
/// missing may an engine start a fresh pairing; taking an unreadable one for missing would overwrite it.
#[derive(Clone, PartialEq)]
pub enum AuthValue {
    /// The value.
    Found(Vec<u8>),
    /// There is none.
    Missing,
    /// There is one, but it cannot be read; the text says why.
    Unreadable(String),
}

impl std::fmt::Debug for AuthValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AuthValue::Found(v) => write!(f, "Found(<{} bytes>)", v.len()),
            AuthValue::Missing => f.write_str("Missing"),
            AuthValue::Unreadable(why) => write!(f, "Unreadable({why:?})"),
        }
    }
}

/// Baileys' auth folder has one file per key, and its name loses characters: `/` becomes `__` and `:` becomes `-`. A
/// key that was taken over from a name from which the id cannot be told is kept under this mark and that name.
const FILE_MARK: &str = "baileys-file:";

/// The part of a file's name that stands for an id.
fn file_name(key_id: &str) -> String {
    key_id.replace('/', "__").replace(':', "-")
}

/// The key id for the part of a file's name that stands for it.
pub(crate) fn from_file_name(name: &str) -> Text {
    let certain = !name.contains('-') && !name.contains("__");
    if certain { name.into() } else { format!("{FILE_MARK}{name}").into() }
}

/// Under which other id a key may be kept; `None` for most.
fn taken_over_as(key_id: &Text) -> Option<Text> {
    let id = key_id.as_stored();
    let name = file_name(id);
    let certain = !name.contains('-') && !name.contains("__");
    (!certain && !id.starts_with(FILE_MARK)).then(|| Text::from_stored(format!("{FILE_MARK}{name}")))
}

/// The place of `value` among the columns.
const VALUE: usize = 3;

static UPSERT: Lazy<String> = Lazy::new(|| {
    format!(
        "{} ON CONFLICT (session_id, category, key_id) DO UPDATE
           SET value = excluded.value, updated_at = excluded.updated_at",
        SessionAuth::TABLE.insert()
    )
});

/// Changes of a session's credentials, sealed before the writer has to do with them.
pub(crate) struct Change {
    session: Uuid,
    entries: Vec<AuthEntry>,
    /// The values sealed, and the key they are sealed with; `None`: the key was not there.
    ready: Option<(Target, Vec<Replaced>)>,
}

impl Change {
    /// Seals the values with the key that is known to hold.
    pub(crate) fn new(session: Uuid, entries: Vec<AuthEntry>, ring: &Ring) -> Result<Self> {
        let mut change = Change { session, entries, ready: None };
        if let Ok(target) = ring.target() {
            let seal = |entry: &AuthEntry| match entry.value {
                Some(_) => target.seal(SessionAuth::TABLE, &change.row(entry, Timestamp::EPOCH).values()),
                None => Ok(Replaced::default()),
            };
            let sealed = change.entries.iter().map(seal).collect::<Result<_>>()?;
            change.ready = Some((target, sealed));
        }
        Ok(change)
    }

    fn row(&self, entry: &AuthEntry, now: Timestamp) -> SessionAuth {
        SessionAuth {
            session_id: self.session,
            category: entry.category.clone(),
            key_id: entry.key_id.clone(),
            value: entry.value.clone().unwrap_or_default(),
            updated_at: now,
        }
    }
}

/// Sets and deletes many keys in one commit: all of them or none.
pub(crate) fn set(conn: &dyn Conn, change: &Change, now: Timestamp) -> Result<()> {
    let (session, target) = (change.session, conn.target()?);
    // Another process may have changed the key since.
    let ready = change.ready.as_ref().filter(|(with, _)| with.id() == target.id()).map(|(_, sealed)| sealed);
    for (i, entry) in change.entries.iter().enumerate() {
        if entry.category.is_empty() {
            return Err(Error::invalid("category", "a credential needs a category"));
        }
        if let Some(other) = taken_over_as(&entry.key_id) {
            delete(conn, session, &entry.category, &other)?;
        }
        if entry.value.is_none() {
            delete(conn, session, &entry.category, &entry.key_id)?;
            continue;
        }
        let row = change.row(entry, now);
        row.check()?;
        let values = row.values();
        let resealed = match ready {
            Some(_) => Replaced::default(),
            None => target.seal(SessionAuth::TABLE, &values)?,
        };
        let sealed = ready.map_or(&resealed, |ready| &ready[i]);
        conn.execute(&UPSERT, &sealed.over(&values))?;
    }
    Ok(())
}

fn delete(conn: &dyn Conn, session: Uuid, category: &Text, key_id: &Text) -> Result<()> {
    let sql = "DELETE FROM session_auth WHERE session_id = ?1 AND category = ?2 AND key_id = ?3";
    conn.execute(sql, &[Value::Uuid(session), category.bind(), key_id.bind()]).map(drop)
}

pub(crate) fn get(conn: &dyn Conn, session: Uuid, category: &Text, key_id: &Text) -> Result<AuthValue> {
    match (find(conn, session, category, key_id)?, taken_over_as(key_id)) {
        (AuthValue::Missing, Some(other)) => find(conn, session, category, &other),
        (found, _) => Ok(found),
    }
}

fn find(conn: &dyn Conn, session: Uuid, category: &Text, key_id: &Text) -> Result<AuthValue> {
    let sql = "SELECT value FROM session_auth WHERE session_id = ?1 AND category = ?2 AND key_id = ?3";
    let key = [session.to_string(), category.as_stored().to_owned(), key_id.as_stored().to_owned()];
    let params = [Value::Uuid(session), category.bind(), key_id.bind()];
    let found = conn.opening(|ring| {
        conn.first(sql, &params, |row| {
            let opened = open_value(SessionAuth::TABLE, VALUE, &key, row.get(0), ring)?;
            Ok(match opened.as_ref().map_or(row.get(0), Own::value) {
                Value::Bytes(b) => AuthValue::Found(b.to_vec()),
                _ => AuthValue::Unreadable("the stored value is not bytes".to_owned()),
            })
        })
    });
    match found {
        Ok(found) => Ok(found.unwrap_or(AuthValue::Missing)),
        // The row may be there; damage must not look like absence.
        Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::Unreadable) => {
            Ok(AuthValue::Unreadable(e.to_string()))
        }
        Err(e) => Err(e),
    }
}

/// The ids of a category's keys, in order.
pub(crate) fn list(conn: &dyn Conn, session: Uuid, category: &Text) -> Result<Vec<Text>> {
    conn.all(
        "SELECT key_id FROM session_auth WHERE session_id = ?1 AND category = ?2 ORDER BY key_id",
        &[Value::Uuid(session), category.bind()],
        |row| Text::read(row.get(0)).ok_or_else(|| SessionAuth::TABLE.unreadable(0, row)),
    )
}

/// Every credential of a session, in order.
pub(crate) fn all(conn: &dyn Conn, session: Uuid) -> Result<Vec<SessionAuth>> {
    conn.rows(
        sql!(SessionAuth, "SELECT {} FROM session_auth WHERE session_id = ?1 ORDER BY category, key_id"),
        &[Value::Uuid(session)],
    )
}

/// Deletes a session's credentials, or those of one category; says how many.
pub(crate) fn clear(conn: &dyn Conn, session: Uuid, category: Option<&Text>) -> Result<u64> {
    match category {
        Some(category) => conn.execute(
            "DELETE FROM session_auth WHERE session_id = ?1 AND category = ?2",
            &[Value::Uuid(session), category.bind()],
        ),
        None => conn.execute("DELETE FROM session_auth WHERE session_id = ?1", &[Value::Uuid(session)]),
    }
}
