//! The yardstick: what a careful gateway author would write with rusqlite and prepared statements on the
//! original document's schema with all its indexes, WAL, default checkpoints.

use std::path::Path;

use openwa_store::entity::Message;
use openwa_store::{Text, Timestamp};
use rusqlite::{Connection, params};
use uuid::Uuid;

const SCHEMA: &str = "
CREATE TABLE sessions (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, status TEXT NOT NULL DEFAULT 'created');
CREATE TABLE messages (
  id TEXT PRIMARY KEY, session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  wa_message_id TEXT NOT NULL, chat_id TEXT NOT NULL, from_number TEXT NOT NULL, to_number TEXT,
  type TEXT NOT NULL, body TEXT, media TEXT, ack INTEGER DEFAULT 0, from_me INTEGER NOT NULL DEFAULT 0,
  is_group INTEGER NOT NULL DEFAULT 0, wa_timestamp TEXT NOT NULL, created_at TEXT NOT NULL,
  UNIQUE (session_id, wa_message_id));
CREATE INDEX idx_messages_session_id ON messages (session_id);
CREATE INDEX idx_messages_chat_id ON messages (chat_id);
CREATE INDEX idx_messages_wa_timestamp ON messages (wa_timestamp);
CREATE INDEX idx_messages_created_at ON messages (created_at);
CREATE INDEX idx_messages_session_chat ON messages (session_id, chat_id);
CREATE INDEX idx_messages_type ON messages (type);
CREATE INDEX idx_messages_from_me ON messages (from_me) WHERE from_me = 1;
CREATE INDEX idx_messages_session_chat_timestamp ON messages (session_id, chat_id, wa_timestamp DESC);
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY, key_hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, permissions TEXT NOT NULL,
  active INTEGER NOT NULL DEFAULT 1, expires_at TEXT, last_used_at TEXT, created_at TEXT NOT NULL);
CREATE INDEX idx_api_keys_key_hash ON api_keys (key_hash);
CREATE INDEX idx_api_keys_active ON api_keys (active);";

const INSERT: &str =
    "INSERT INTO messages (id, session_id, wa_message_id, chat_id, from_number, to_number, type,
  body, media, ack, from_me, is_group, wa_timestamp, created_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT DO NOTHING";

const COLUMNS: &str =
    "id, session_id, wa_message_id, chat_id, from_number, to_number, type, body, media, ack,
  from_me, is_group, wa_timestamp, created_at";

pub struct Yardstick {
    pub conn: Connection,
    pub session: Uuid,
}

/// A message as both sides get it.
pub struct Sample {
    pub wa_message_id: String,
    pub chat_id: String,
    pub body: String,
    pub at: Timestamp,
}

impl Yardstick {
    pub fn open(folder: &Path) -> Self {
        let conn = Connection::open(folder.join("yardstick.sqlite")).expect("open");
        conn.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-16384")
            .expect("pragmas");
        conn.execute_batch(SCHEMA).expect("schema");
        let session = Uuid::from_u128(rand_u128());
        conn.execute("INSERT INTO sessions (id, name) VALUES (?1, 'bench')", [session.to_string()])
            .expect("session");
        Yardstick { conn, session }
    }

    pub fn insert(&self, m: &Sample) -> usize {
        let id = uuid::Builder::from_random_bytes(rand_u128().to_be_bytes()).into_uuid().to_string();
        let at = m.at.to_string();
        let mut statement = self.conn.prepare_cached(INSERT).expect("prepare");
        statement
            .execute(params![
                id,
                self.session.to_string(),
                m.wa_message_id,
                m.chat_id,
                m.chat_id,
                None::<String>,
                "text",
                m.body,
                None::<String>,
                0,
                false,
                false,
                at,
                at
            ])
            .expect("insert")
    }

    pub fn insert_batches(&self, messages: &[Sample], batch: usize) -> usize {
        for part in messages.chunks(batch) {
            self.conn.execute_batch("BEGIN IMMEDIATE").expect("begin");
            part.iter().for_each(|m| {
                self.insert(m);
            });
            self.conn.execute_batch("COMMIT").expect("commit");
        }
        messages.len()
    }

    pub fn ack(&self, id: &str, ack: i64) -> usize {
        let sql = "UPDATE messages SET ack = ?3 WHERE session_id = ?1 AND wa_message_id = ?2 AND ack < ?3";
        let mut statement = self.conn.prepare_cached(sql).expect("prepare");
        statement.execute(params![self.session.to_string(), id, ack]).expect("update")
    }

    /// A page of a chat, as the same structs that the library gives.
    pub fn page(&self, chat: &str, before: Option<(Timestamp, Uuid)>, limit: u32) -> Vec<Message> {
        let keyset =
            if before.is_some() { "AND (wa_timestamp < ?3 OR (wa_timestamp = ?3 AND id > ?4))" } else { "" };
        let sql = format!(
            "SELECT {COLUMNS} FROM messages WHERE session_id = ?1 AND chat_id = ?2 {keyset}
              ORDER BY wa_timestamp DESC, id LIMIT {limit}"
        );
        let mut statement = self.conn.prepare_cached(&sql).expect("prepare");
        let session = self.session.to_string();
        let make = |r: &rusqlite::Row<'_>| -> rusqlite::Result<Message> {
            let text = |i| Ok::<_, rusqlite::Error>(Text::from_stored(r.get_ref(i)?.as_str()?));
            let time = |i| Ok::<_, rusqlite::Error>(Timestamp::parse(r.get_ref(i)?.as_str()?).expect("time"));
            let id = |i| Ok::<_, rusqlite::Error>(Uuid::try_parse(r.get_ref(i)?.as_str()?).expect("uuid"));
            Ok(Message {
                id: id(0)?,
                session_id: id(1)?,
                wa_message_id: Some(text(2)?),
                chat_id: text(3)?,
                from_number: text(4)?,
                to_number: r.get_ref(5)?.as_str_or_null()?.map(Text::from_stored),
                r#type: text(6)?,
                body: r.get_ref(7)?.as_str_or_null()?.map(Text::from_stored),
                media: None,
                ack: r.get(9)?,
                from_me: r.get(10)?,
                is_group: r.get(11)?,
                wa_timestamp: time(12)?,
                created_at: time(13)?,
                edited_at: None,
                revoked_at: None,
                raw: None,
            })
        };
        let rows = match before {
            Some((at, id)) => {
                statement.query_map(params![session, chat, at.to_string(), id.to_string()], make)
            }
            None => statement.query_map(params![session, chat], make),
        };
        rows.expect("query").collect::<rusqlite::Result<_>>().expect("rows")
    }
}

pub fn rand_u128() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("random");
    u128::from_be_bytes(bytes)
}
