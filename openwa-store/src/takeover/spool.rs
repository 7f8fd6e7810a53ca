//! What was read, until all of it is known to be good.
//!
//! Rows wait in a private temporary database of SQLite: it has no name, is gone with the process however that
//! ends, and keeps memory small. It lies where SQLite keeps temporary files (`SQLITE_TMPDIR`, else the system's
//! folder for them) and takes about the space of the source, unless only a plan is asked for.

use std::io::{self, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::db::{told, vfs_name};
use crate::entity::{Message, OpenwaExtra, TABLES, Table};
use crate::error::{Error, Result};
use crate::time::Timestamp;
use crate::transfer::{FORMAT, VERSION, hex};

/// Bytes that are read from the spool at once, at least one row.
const PAGE_BYTES: usize = 256 << 10;
const PAGE_ROWS: usize = 500;

/// A row that goes into one of our tables.
pub(super) struct Row {
    pub(super) table: &'static Table,
    /// Its primary key.
    pub(super) key: String,
    /// The value that is unique beside the key.
    pub(super) unique: Option<String>,
    /// The session or API key it belongs to.
    pub(super) owner: Option<String>,
    /// Whether it cannot be without its owner.
    pub(super) bound: bool,
    /// The row as JSON, as an export has it.
    pub(super) body: Vec<u8>,
}

/// An engine's own encoded message, as OpenWA keeps those of Baileys beside its messages.
pub(super) struct Stored<'a> {
    pub(super) session: &'a str,
    pub(super) message: &'a str,
    /// The id of its row.
    pub(super) id: &'a str,
    /// What else the row has, as a JSON object.
    pub(super) rest: &'a str,
    pub(super) value: &'a [u8],
}

impl Stored<'_> {
    /// The unique value of the message it belongs to.
    fn key(&self) -> String {
        format!("{}/{}", self.session, self.message)
    }
}

/// What became of a row that was put into the spool.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    New,
    /// A source before this one had it.
    There,
    /// This source has it already.
    Twice,
    /// Another row has its unique value.
    Taken,
}

pub(super) struct Spool {
    conn: Connection,
    /// Whether rows are kept, not only counted and compared.
    keep: bool,
}

fn failed(e: rusqlite::Error) -> Error {
    let (kind, text) = told(&e);
    Error::new(kind, format!("the temporary database of the takeover failed: {text}")).caused_by(e)
}

impl Spool {
    pub(super) fn new(keep: bool) -> Result<Self> {
        let vfs = vfs_name()?;
        let make = || {
            let conn = Connection::open_with_flags_and_vfs("", OpenFlags::default(), vfs)?;
            conn.execute_batch(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000;
                 CREATE TABLE stored (key TEXT PRIMARY KEY, id TEXT, session TEXT, rest TEXT, value BLOB);
                 CREATE TABLE known (owner TEXT PRIMARY KEY) WITHOUT ROWID;",
            )?;
            for table in TABLES {
                conn.execute_batch(&format!(
                    "CREATE TABLE s_{0} (seq INTEGER PRIMARY KEY, key TEXT UNIQUE, uniq TEXT UNIQUE, owner TEXT,
                       bound INTEGER, source INTEGER NOT NULL, body BLOB)",
                    table.name
                ))?;
            }
            conn.execute_batch("BEGIN")?;
            Ok(conn)
        };
        Ok(Spool { conn: make().map_err(failed)?, keep })
    }

    pub(super) fn put(&self, row: &Row, source: usize) -> Result<Put> {
        let name = row.table.name;
        let put = || {
            let source = source as i64;
            let sql = format!(
                "INSERT OR IGNORE INTO s_{name} (key, uniq, owner, bound, source, body)
                 VALUES (?, ?, ?, ?, ?, ?)"
            );
            let body: &[u8] = if self.keep { &row.body } else { b"" };
            let added = self
                .conn
                .prepare_cached(&sql)?
                .execute(params![row.key, row.unique, row.owner, row.bound, source, body])?;
            if added > 0 {
                return Ok(Put::New);
            }
            let sql = format!("SELECT source FROM s_{name} WHERE key = ?");
            let found: Option<i64> =
                self.conn.prepare_cached(&sql)?.query_row([&row.key], |r| r.get(0)).optional()?;
            Ok(match found {
                Some(earlier) if earlier == source => Put::Twice,
                Some(_) => Put::There,
                None => Put::Taken,
            })
        };
        put().map_err(failed)
    }

    /// Keeps an engine's own message for the row of the message. False: there is one already.
    pub(super) fn put_stored(&self, stored: &Stored<'_>) -> Result<bool> {
        let value: &[u8] = if self.keep { stored.value } else { b"" };
        let sql = "INSERT OR IGNORE INTO stored (key, id, session, rest, value) VALUES (?, ?, ?, ?, ?)";
        let values = params![stored.key(), stored.id, stored.session, stored.rest, value];
        let put = || self.conn.prepare_cached(sql)?.execute(values);
        Ok(put().map_err(failed)? > 0)
    }

    /// Goes through the engine's own messages, and says of each whether its message is there.
    pub(super) fn each_stored(&self, mut each: impl FnMut(&Stored<'_>, bool) -> Result<()>) -> Result<()> {
        let sql = "SELECT t.key, t.id, t.session, t.rest, t.value, s.seq IS NOT NULL
                     FROM stored AS t LEFT JOIN s_messages AS s ON s.uniq = t.key ORDER BY t.rowid";
        let mut statement = self.conn.prepare(sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let text = |i| row.get_ref(i).ok().and_then(|v| v.as_str().ok()).unwrap_or_default();
            let (_, message) = text(0).split_once('/').unwrap_or_default();
            let value = row.get_ref(4).ok().and_then(|v| v.as_blob().ok()).unwrap_or_default();
            let stored = Stored { session: text(2), message, id: text(1), rest: text(3), value };
            each(&stored, row.get(5).map_err(failed)?)?;
        }
        Ok(())
    }

    /// Ids and unique values of the rows of a (small) table.
    pub(super) fn keys(&self, table: &Table) -> Result<Vec<(String, Option<String>)>> {
        let all = || -> rusqlite::Result<Vec<_>> {
            let mut statement =
                self.conn.prepare(&format!("SELECT key, uniq FROM s_{} ORDER BY seq", table.name))?;
            let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
            rows.collect()
        };
        all().map_err(failed)
    }

    pub(super) fn remove(&self, table: &Table, key: &str) -> Result<()> {
        let sql = format!("DELETE FROM s_{} WHERE key = ?", table.name);
        self.conn.execute(&sql, [key]).map_err(failed).map(drop)
    }

    /// Names a session or API key that will be there.
    pub(super) fn know(&self, owner: &str) -> Result<()> {
        self.conn.execute("INSERT OR IGNORE INTO known VALUES (?)", [owner]).map_err(failed).map(drop)
    }

    /// Names every row of a table so.
    pub(super) fn know_all(&self, table: &Table) -> Result<()> {
        let sql = format!("INSERT OR IGNORE INTO known SELECT key FROM s_{}", table.name);
        self.conn.execute(&sql, []).map_err(failed).map(drop)
    }

    /// Takes the rows out whose owner will not be there, and tells them.
    pub(super) fn drop_orphans(&self, table: &Table, mut tell: impl FnMut(&str)) -> Result<()> {
        let lost = "bound AND owner NOT IN (SELECT owner FROM known)";
        let mut run = || {
            let mut statement =
                self.conn.prepare(&format!("SELECT key FROM s_{} WHERE {lost} ORDER BY seq", table.name))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                tell(row.get_ref(0)?.as_str().unwrap_or_default());
            }
            self.conn.execute(&format!("DELETE FROM s_{} WHERE {lost}", table.name), [])
        };
        run().map_err(failed).map(drop)
    }

    pub(super) fn count(&self, table: &Table) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM s_{}", table.name);
        self.conn.query_row(&sql, [], |r| r.get::<_, i64>(0)).map_err(failed).map(|n| n as u64)
    }

    /// What is in the spool as a document of an export.
    pub(super) fn document(&self, exported_at: Timestamp) -> Result<Document<'_>> {
        let mut tables = Vec::new();
        for table in TABLES.iter().copied() {
            let rows = self.count(table)?;
            if rows > 0 {
                tables.push((table, rows));
            }
        }
        let head =
            format!(r#"{{"format":"{FORMAT}","version":{VERSION},"exportedAt":"{exported_at}","tables":"#);
        Ok(Document {
            spool: self,
            tables,
            at: 0,
            seq: -1,
            state: State::Head,
            hash: Sha256::new(),
            buffer: head.into_bytes(),
            read: 0,
        })
    }

    /// Appends the next rows of a table. False: there are no more.
    fn page(&self, table: &'static Table, seq: &mut i64, first: bool, out: &mut Vec<u8>) -> Result<bool> {
        let sql = if table.name == Message::TABLE.name {
            "SELECT s.seq, s.body, t.value FROM s_messages AS s LEFT JOIN stored AS t ON t.key = s.uniq
              WHERE s.seq > ? ORDER BY s.seq LIMIT ?"
                .to_owned()
        } else if table.name == OpenwaExtra::TABLE.name {
            "SELECT s.seq, s.body, k.owner FROM s_openwa_extra AS s LEFT JOIN known AS k ON k.owner = s.owner
              WHERE s.seq > ? ORDER BY s.seq LIMIT ?"
                .to_owned()
        } else {
            format!("SELECT seq, body, NULL FROM s_{} WHERE seq > ? ORDER BY seq LIMIT ?", table.name)
        };
        let mut first = first;
        let before = *seq;
        let mut run = || {
            let mut statement = self.conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params![*seq, PAGE_ROWS as i64])?;
            let start = out.len();
            while out.len() - start < PAGE_BYTES
                && let Some(row) = rows.next()?
            {
                *seq = row.get(0)?;
                out.extend_from_slice(if first { b"\n" } else { b",\n" });
                first = false;
                let body = row.get_ref(1)?.as_blob().unwrap_or_default();
                let added = row.get_ref(2)?;
                let (column, text) = match added {
                    ValueRef::Blob(raw) => ("raw", STANDARD.encode(raw)),
                    ValueRef::Text(session) => ("session_id", String::from_utf8_lossy(session).into_owned()),
                    _ => {
                        out.extend_from_slice(body);
                        continue;
                    }
                };
                out.extend_from_slice(&body[..body.len().saturating_sub(1)]);
                out.extend_from_slice(format!(",\"{column}\":\"{text}\"}}").as_bytes());
            }
            Ok(())
        };
        run().map_err(failed)?;
        Ok(*seq != before)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Head,
    Table,
    Rows,
    End,
}

/// Writes the document piece by piece while it is read.
pub(super) struct Document<'a> {
    spool: &'a Spool,
    tables: Vec<(&'static Table, u64)>,
    /// The table that is being written.
    at: usize,
    seq: i64,
    state: State,
    hash: Sha256,
    buffer: Vec<u8>,
    read: usize,
}

impl Document<'_> {
    /// The tables and their rows.
    pub(super) fn tables(&self) -> &[(&'static Table, u64)] {
        &self.tables
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.clear();
        self.read = 0;
        match self.state {
            State::Head => {
                self.buffer.push(b'{');
                self.state = State::Table;
            }
            State::Table => match self.tables.get(self.at) {
                Some((table, _)) => {
                    let comma = if self.at == 0 { "" } else { "," };
                    self.buffer.extend_from_slice(format!("{comma}\n\"{}\":[", table.name).as_bytes());
                    self.seq = -1;
                    self.state = State::Rows;
                }
                None => return self.end(),
            },
            State::Rows => {
                let table = self.tables[self.at].0;
                let first = self.seq < 0;
                if !self.spool.page(table, &mut self.seq, first, &mut self.buffer)? {
                    self.buffer.extend_from_slice(b"\n]");
                    self.at += 1;
                    self.state = State::Table;
                }
            }
            State::End => return Ok(()),
        }
        self.hash.update(&self.buffer);
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.hash.update(b"\n}");
        let sha256 = hex(std::mem::take(&mut self.hash));
        let counts: serde_json::Map<_, _> =
            self.tables.iter().map(|(t, n)| (t.name.to_owned(), (*n).into())).collect();
        let counts = serde_json::Value::from(counts);
        self.buffer
            .extend_from_slice(format!("\n}},\"counts\":{counts},\"sha256\":\"{sha256}\"}}\n").as_bytes());
        self.state = State::End;
        Ok(())
    }
}

impl Read for Document<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.read == self.buffer.len() {
            if self.state == State::End {
                return Ok(0);
            }
            self.fill().map_err(io::Error::other)?;
        }
        let n = into.len().min(self.buffer.len() - self.read);
        into[..n].copy_from_slice(&self.buffer[self.read..self.read + n]);
        self.read += n;
        Ok(n)
    }
}
