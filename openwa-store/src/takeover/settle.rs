//! What was read, compared with itself and with the store before anything is written.

use std::collections::HashMap;

use uuid::Uuid;

use super::MAX_PROBLEMS;
use super::map;
use super::row::Wrong;
use super::run::Run;
use crate::entity::{ApiKey, BatchJob, BatchJobMessage, Database, Session, tables_of};
use crate::error::Result;
use crate::store::Store;
use crate::text::Text;
use crate::value::{Column, Value};

impl Run<'_, '_> {
    /// Compares what was read with itself and with the store: who owns what, and what is taken.
    pub(super) fn settle(&mut self, store: &Store) -> Result<()> {
        let there = Present::of(store)?;
        there.sessions.iter().try_for_each(|s| self.spool.know(&s.id.to_string()))?;
        for (table, key, unique) in [
            (Session::TABLE, "sessions", &there.session_names()),
            (ApiKey::TABLE, "api_keys", &there.key_hashes),
        ] {
            for (id, value) in self.spool.keys(table)? {
                let owner = value.as_ref().and_then(|v| unique.get(v));
                if owner.is_some_and(|owner| *owner != id) {
                    self.spool.remove(table, &id)?;
                    self.problem(key, id, Wrong::new("", taken(table.name)));
                } else {
                    self.spool.know(&id)?;
                }
            }
        }
        for table in tables_of(Database::Main).chain(tables_of(Database::Data)) {
            if table.name == BatchJobMessage::TABLE.name {
                self.settle_jobs(store, &there)?;
            }
            let source = source_table(table.name);
            let mut lost = Vec::new();
            let mut more = 0_u64;
            self.spool.drop_orphans(table, |key| {
                if source.is_some() && lost.len() < MAX_PROBLEMS {
                    lost.push(key.to_owned());
                } else if source.is_some() {
                    more += 1;
                }
            })?;
            let Some(source) = source else { continue };
            for key in lost {
                self.problem(source, key, Wrong::new("", "the session it belongs to is not taken over"));
            }
            let place = self.place(source);
            self.report.tables[place].bad += more;
            self.report.problem_count += more;
            let bad = self.report.tables[place].bad;
            let table = &mut self.report.tables[place];
            table.mapped = table.mapped.min(table.rows.saturating_sub(bad));
            if table.rows == 0 && table.bad == 0 {
                self.report.tables.remove(place);
            }
        }
        self.settle_stored()
    }

    /// A job has its id within the session, which the store may have used for another.
    fn settle_jobs(&mut self, store: &Store, there: &Present) -> Result<()> {
        if there.sessions.is_empty() {
            return self.spool.know_all(BatchJob::TABLE);
        }
        for (id, unique) in self.spool.keys(BatchJob::TABLE)? {
            let (session, batch_id) = unique.as_deref().and_then(|u| u.split_once('/')).unwrap_or_default();
            let session = Uuid::try_parse(session).unwrap_or_default();
            let sql = "SELECT id FROM batch_jobs WHERE session_id = ?1 AND batch_id = ?2";
            let found = store.data("takeover", |conn| {
                let values = [Value::Uuid(session), Value::Text(batch_id)];
                conn.first(sql, &values, |row| Ok(Uuid::read(row.get(0))))
            })?;
            if found.flatten().is_some_and(|found| found.to_string() != id) {
                self.spool.remove(BatchJob::TABLE, &id)?;
                self.problem("message_batches", id, Wrong::new("", taken(BatchJob::TABLE.name)));
            } else {
                self.spool.know(&id)?;
            }
        }
        Ok(())
    }

    /// The engine's own messages: one that has its message goes there, any other is kept whole.
    fn settle_stored(&mut self) -> Result<()> {
        let name = "baileys_stored_messages";
        let (mut kept, mut lone) = (0, 0);
        let (spool, out) = (&self.spool, &mut self.out);
        spool.each_stored(|stored, has_message| {
            let mut data: serde_json::Value = serde_json::from_str(stored.rest).unwrap_or_default();
            if let (false, Some(fields)) = (has_message, data.as_object_mut()) {
                let value = Text::from(String::from_utf8_lossy(stored.value).into_owned());
                fields.insert("serializedMessage".to_owned(), value.as_stored().into());
                lone += 1;
            }
            let row = out.render(
                &map::extra_row(name, stored.id, data),
                None,
                Some(stored.session.to_owned()),
                false,
            )?;
            kept += 1;
            spool.put(&row, usize::MAX >> 1).map(drop)
        })?;
        if kept > 0 {
            let place = self.place(name);
            let table = &mut self.report.tables[place];
            table.extra = kept;
            table.mapped -= lone;
            table.extra_columns = ["id", "sessionId", "waMessageId", "createdAt"].map(str::to_owned).to_vec();
        }
        Ok(())
    }
}

pub(super) fn taken(table: &str) -> &'static str {
    match table {
        "sessions" => "another session has the same name",
        "messages" => "another row has the same session and WhatsApp message id",
        "api_keys" => "another key has the same hash",
        "batch_jobs" => "another batch of the session has the same batch id",
        _ => "another row has the same unique value",
    }
}

/// The source's table whose rows are told when rows of ours have no owner; `None`: they go with another row.
fn source_table(table: &str) -> Option<&'static str> {
    match table {
        "webhooks" => Some("webhooks"),
        "messages" => Some("messages"),
        "batch_jobs" => Some("message_batches"),
        "identities" => Some("lid_mappings"),
        _ => None,
    }
}

/// What the store has already.
pub(super) struct Present {
    sessions: Vec<Session>,
    key_hashes: HashMap<String, String>,
}

impl Present {
    pub(super) fn of(store: &Store) -> Result<Self> {
        let sessions = store.data("takeover", |conn| {
            conn.rows_unopened::<Session>(
                &format!("SELECT {} FROM sessions", Session::TABLE.column_list()),
                &[],
            )
        })?;
        let key_hashes = store.main("takeover", |conn| {
            conn.all("SELECT key_hash, id FROM api_keys", &[], |row| {
                let text = |v: Value<'_>| Text::read(v).unwrap_or_default().as_stored().to_owned();
                Ok((text(row.get(0)), text(row.get(1))))
            })
        })?;
        Ok(Present { sessions, key_hashes: key_hashes.into_iter().collect() })
    }

    fn session_names(&self) -> HashMap<String, String> {
        self.sessions.iter().map(|s| (s.name.as_stored().to_owned(), s.id.to_string())).collect()
    }

    pub(super) fn all(&self) -> Vec<(Uuid, String, Option<String>)> {
        let phone = |s: &Session| s.phone.as_ref().map(|p| p.as_stored().to_owned());
        self.sessions.iter().map(|s| (s.id, s.name.as_stored().to_owned(), phone(s))).collect()
    }
}
