//! The way back: an export as OpenWA's own import takes it.
//!
//! Every table that OpenWA exports is there, with its rows in OpenWA's columns. What a takeover kept in
//! `openwa_extra` returns to the row it came from, or as the row that it was. Dates and booleans have the form that
//! OpenWA writes on PostgreSQL; its import takes them on both engines. JSON columns are text, as there.

mod columns;

use std::io::Write;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::map;
use super::{OpenwaExportReport, OpenwaTable};
use crate::db::{Conn, Flow, Ring};
use crate::entity::{
    BatchJob, BatchJobMessage, Database, Entity, Identity, Message, OpenwaExtra, Session, Webhook,
};
use crate::error::{Error, Kind, Result};
use crate::json;
use crate::seal::{Own, open_value};
use crate::store::Store;
use crate::text::Text;
use crate::time::Timestamp;
use crate::transfer::{OnProgress, Progress, report};
use crate::value::{Column, Value};
use uuid::Uuid;

/// Bytes that are collected before they are written.
const CHUNK: usize = 64 << 10;
/// The place of `data` among the columns of `openwa_extra`.
const DATA: usize = 3;
/// Jobs that are read at once.
const JOBS: i64 = 100;

/// The tables of an export, in OpenWA's order.
const TABLES: &[&str] = &[
    "sessions",
    "webhooks",
    "messages",
    "message_batches",
    "templates",
    "baileys_stored_messages",
    "lid_mappings",
    "chat_states",
    "plugin_instances",
    "conversation_mappings",
    "ingress_events",
    "webhook_delivery_failures",
    "webhook_outbox_events",
    "integration_delivery_failures",
    "status_updates",
    "automation_rules",
];

/// Our tables that have no place in the document.
const LEFT_OUT: &[&str] = &[
    "contacts",
    "session_logs",
    "webhook_logs",
    "webhook_idempotency",
    "session_auth",
    "message_reactions",
    "pending_changes",
];

/// Tables of Main: OpenWA keeps their rows in a database that it never exports.
const MAIN: &[&str] = &["api_keys", "audit_logs"];

/// Writes the Data tables as OpenWA's export.
pub(crate) fn export_openwa(
    store: &Store,
    to: &mut dyn Write,
    progress: OnProgress<'_>,
) -> Result<OpenwaExportReport> {
    let now = store.env().now();
    store.database(Database::Data).snapshot(|conn| {
        let ring = conn.seals().look(conn, false)?;
        let report = OpenwaExportReport::default();
        let mut back = Back { conn, ring, to, progress, buffer: Vec::new(), rows: 0, report };
        back.document(now)?;
        Ok(back.report)
    })
}

struct Back<'a, 'p> {
    conn: &'a dyn Conn,
    ring: Arc<Ring>,
    to: &'a mut dyn Write,
    progress: OnProgress<'p>,
    buffer: Vec<u8>,
    /// Rows of the table that is being written.
    rows: u64,
    report: OpenwaExportReport,
}

type Fields = Map<String, Json>;

impl Back<'_, '_> {
    fn document(&mut self, now: Timestamp) -> Result<()> {
        self.text(&format!(r#"{{"exportedAt":"{now}","dataDbType":"sqlite","tables":{{"#));
        let kept = self.conn.all(
            "SELECT DISTINCT table_name FROM openwa_extra ORDER BY table_name",
            &[],
            |row| Ok(Text::read(row.get(0)).unwrap_or_default().as_stored().to_owned()),
        )?;
        let known = |name: &str| TABLES.contains(&name) || MAIN.contains(&name);
        let others = kept.iter().map(String::as_str).filter(|name| !known(name));
        for (i, table) in TABLES.iter().copied().chain(others).enumerate() {
            let name = map::export_name(table);
            self.text(&format!("{}\n{}:[", if i == 0 { "" } else { "," }, json!(name)));
            self.rows = 0;
            self.table(table)?;
            self.text("]");
            self.report.tables.push(OpenwaTable { table: name, rows: self.rows });
        }
        let counts: Fields = self.report.tables.iter().map(|t| (t.table.clone(), t.rows.into())).collect();
        let omitted = json!({ "messages": 0, "messageBatches": 0 });
        self.text(&format!(
            "\n}},\"counts\":{},\"skippedTables\":[],\"omittedInlineMedia\":{omitted}}}\n",
            Json::Object(counts)
        ));
        self.pass_on()?;
        self.to.flush()?;
        for table in LEFT_OUT {
            let rows = self.conn.integer(&format!("SELECT count(*) FROM {table}"), &[])?;
            if rows > 0 {
                self.report.left_out.push((table, rows.unsigned_abs()));
            }
        }
        Ok(())
    }

    fn table(&mut self, table: &str) -> Result<()> {
        match table {
            "sessions" => self.joined::<Session>(table, "sessions", columns::session),
            "webhooks" => self.joined::<Webhook>(table, "webhooks", columns::webhook),
            "messages" => self.joined::<Message>(table, "messages", columns::message),
            "message_batches" => self.batches(),
            "baileys_stored_messages" => self.stored(),
            "lid_mappings" => self.lids(),
            other => {
                let sql = "SELECT row_id, data FROM openwa_extra WHERE table_name = ?1 ORDER BY row_id";
                self.kept(other, sql, &[Value::Text(other)])
            }
        }
    }

    /// Rows of ours, each with what was kept of it.
    fn joined<E: Entity>(
        &mut self,
        source: &str,
        place: &'static str,
        make: fn(&E, Fields) -> Fields,
    ) -> Result<()> {
        let table = E::TABLE;
        let columns: Vec<String> = table.columns.iter().map(|c| format!("t.{}", c.name)).collect();
        let sql = format!(
            "SELECT {}, x.data FROM {} AS t LEFT JOIN openwa_extra AS x ON x.table_name = ?1 AND x.row_id = CAST(t.id AS TEXT)
              ORDER BY t.id",
            columns.join(", "),
            table.name
        );
        let (conn, id) = (self.conn, table.index_of("id").unwrap_or_default());
        conn.query_opened(table, &sql, &[Value::Text(source)], &mut |row| {
            let id = Uuid::read(row.get(id)).unwrap_or_default().to_string();
            let extra = self.fields(source, &id, row.get(table.columns.len()))?;
            self.row(place, make(&E::from_row(row)?, extra))?;
            Ok(Flow::Continue(()))
        })
    }

    fn batches(&mut self) -> Result<()> {
        let conn = self.conn;
        let columns = BatchJob::TABLE.column_list();
        let mut last: Option<BatchJob> = None;
        loop {
            let jobs: Vec<BatchJob> = match &last {
                None => conn.rows(
                    &format!("SELECT {columns} FROM batch_jobs ORDER BY id LIMIT ?1"),
                    &[Value::Int(JOBS)],
                )?,
                Some(last) => conn.rows(
                    &format!("SELECT {columns} FROM batch_jobs WHERE id > ?1 ORDER BY id LIMIT ?2"),
                    &[Value::Uuid(last.id), Value::Int(JOBS)],
                )?,
            };
            for job in &jobs {
                let sql = format!(
                    "SELECT {} FROM batch_job_messages WHERE batch_job_id = ?1 ORDER BY position",
                    BatchJobMessage::TABLE.column_list()
                );
                let messages: Vec<BatchJobMessage> = conn.rows(&sql, &[Value::Uuid(job.id)])?;
                let id = job.id.to_string();
                let sql =
                    "SELECT data FROM openwa_extra WHERE table_name = 'message_batches' AND row_id = ?1";
                let extra = conn
                    .first(sql, &[Value::Text(&id)], |row| self.fields("message_batches", &id, row.get(0)))?;
                self.row("batch_jobs", columns::batch(job, &messages, extra.unwrap_or_default()))?;
            }
            match jobs.into_iter().next_back() {
                None => return Ok(()),
                job => last = job,
            }
        }
    }

    /// Baileys' own messages: from `raw` where their message has it, else as they were kept. One whose message is
    /// gone or was emptied is gone too.
    fn stored(&mut self) -> Result<()> {
        let sql = "SELECT x.row_id, x.data, m.raw FROM openwa_extra AS x
                     LEFT JOIN messages AS m ON m.session_id = x.session_id AND m.wa_message_id = x.data ->> 'waMessageId'
                    WHERE x.table_name = 'baileys_stored_messages' ORDER BY x.row_id";
        let conn = self.conn;
        conn.query(sql, &[], &mut |row| {
            let mut kept = self.fields("baileys_stored_messages", "", row.get(1))?;
            if !kept.contains_key("serializedMessage") {
                let Value::Bytes(raw) = row.get(2) else { return Ok(Flow::Continue(())) };
                let Ok(raw) = std::str::from_utf8(raw) else { return Ok(Flow::Continue(())) };
                kept.insert("serializedMessage".to_owned(), Text::from(raw).as_stored().into());
            }
            kept.insert("id".to_owned(), text(row.get(0)));
            self.row("messages", kept)?;
            Ok(Flow::Continue(()))
        })
    }

    /// LIDs are unique in OpenWA, and unique within a session here: of several the newest counts.
    fn lids(&mut self) -> Result<()> {
        let conn = self.conn;
        let sql =
            format!("SELECT {} FROM identities ORDER BY lid, updated_at DESC", Identity::TABLE.column_list());
        let mut last = Text::default();
        conn.query(&sql, &[], &mut |row| {
            let pair = Identity::from_row(row)?;
            if pair.lid != last {
                self.row("identities", columns::lid_mapping(&pair))?;
                last = pair.lid;
            }
            Ok(Flow::Continue(()))
        })?;
        let sql = "SELECT x.row_id, x.data FROM openwa_extra AS x WHERE x.table_name = 'lid_mappings'
                      AND NOT EXISTS (SELECT 1 FROM identities AS i WHERE i.lid = x.row_id || '@lid') ORDER BY x.row_id";
        self.kept("lid_mappings", sql, &[])
    }

    /// Rows that were kept whole, as ids and what was kept.
    fn kept(&mut self, source: &str, sql: &str, values: &[Value<'_>]) -> Result<()> {
        let conn = self.conn;
        conn.query(sql, values, &mut |row| {
            let id = Text::read(row.get(0)).unwrap_or_default();
            let fields = self.fields(source, id.as_stored(), row.get(1))?;
            self.row(OpenwaExtra::TABLE.name, fields)?;
            Ok(Flow::Continue(()))
        })
    }

    /// What was kept of a row of the source; NULL: nothing was.
    fn fields(&self, source: &str, id: &str, data: Value<'_>) -> Result<Fields> {
        let key = [source.to_owned(), id.to_owned()];
        let opened = open_value(OpenwaExtra::TABLE, DATA, &key, data, &*self.ring)?;
        fields(opened.as_ref().map_or(data, Own::value))
    }

    fn row(&mut self, table: &'static str, fields: Fields) -> Result<()> {
        self.text(if self.rows == 0 { "\n" } else { ",\n" });
        let stored = Json::Object(fields).to_string();
        self.text(&json::to_json(&stored));
        self.rows += 1;
        if self.buffer.len() >= CHUNK {
            self.pass_on()?;
        }
        report(&mut self.progress, Progress { table, rows: self.rows, total: None }, false)
    }

    fn text(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    fn pass_on(&mut self) -> Result<()> {
        self.to.write_all(&self.buffer)?;
        self.report.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// A kept row; NULL: nothing was kept.
fn fields(value: Value<'_>) -> Result<Fields> {
    let stored = match value {
        Value::Null => return Ok(Fields::new()),
        Value::Text(stored) | Value::Json(stored) => stored,
        _ => "",
    };
    match serde_json::from_str(stored) {
        Ok(Json::Object(fields)) => Ok(fields),
        _ => Err(Error::new(Kind::Unreadable, "what was kept of a row is no JSON object")
            .with("table", OpenwaExtra::TABLE.name)
            .with("column", "data")),
    }
}

fn text(value: Value<'_>) -> Json {
    if let Value::Text(s) = value { s.into() } else { Json::Null }
}
