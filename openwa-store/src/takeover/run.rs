//! One takeover from its sources to its report.

use std::collections::HashMap;

use uuid::Uuid;

use super::map::{self, Out};
use super::row::{Cell, SourceRow, Wrong};
use super::source::{At, Credential, Credentials, Source, Take};
use super::spool::{Put, Spool, Stored};
use super::{
    MAX_PROBLEMS, OnTakeover, TakeoverOptions, TakeoverPhase, TakeoverProblem, TakeoverProgress,
    TakeoverReport, TakeoverSource, TakeoverTable, TakeoverWritten,
};
use crate::entity::{
    ApiKey, BatchJob, Database, OpenwaExtra, Session, SessionAuth, SessionStatus, tables_of,
};
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use crate::text::Text;
use crate::transfer::{self, ImportOptions, Mode, Progress};
use crate::value::{Column, Value};

/// The table name under which the report tells of credentials.
const CREDENTIALS: &str = "credentials";
/// Rows between two calls of the progress callback.
const REPORT_EVERY: u64 = 1000;

/// Takes the sources over.
pub(crate) fn takeover(
    store: &Store,
    sources: &[String],
    options: &TakeoverOptions,
    progress: OnTakeover<'_>,
) -> Result<TakeoverReport> {
    if sources.is_empty() {
        return Err(Error::invalid("sources", "name at least one source"));
    }
    let sources: Vec<Source> = sources.iter().map(|s| Source::recognise(s)).collect::<Result<_>>()?;
    let mut run = Run::new(options, progress)?;
    for (i, source) in sources.iter().enumerate() {
        run.start_source(i, source);
        source.read(&mut run)?;
    }
    run.settle(store)?;
    // Last, when it is known which sessions there will be.
    for (i, source) in sources.iter().enumerate() {
        if let Some(credentials) = source.credentials() {
            run.source = i;
            run.credentials(store, credentials).map_err(|e| e.with("source", &source.name))?;
        }
    }
    run.finish(store)
}

struct Run<'a, 'p> {
    options: &'a TakeoverOptions,
    progress: OnTakeover<'p>,
    spool: Spool,
    out: Out,
    report: TakeoverReport,
    /// Place of the source that is being read.
    source: usize,
    /// Place of its table in the report.
    table: usize,
    /// Row of its table, from 1.
    number: u64,
    rows: u64,
    /// How far the source is.
    at: At,
}

impl Take for Run<'_, '_> {
    fn table(&mut self, table: &str) -> Result<()> {
        self.number = 0;
        self.table = self.place(table);
        self.tell(self.at, true)
    }

    fn row(&mut self, row: Result<SourceRow, Wrong>, at: At) -> Result<()> {
        self.number += 1;
        self.rows += 1;
        self.report.tables[self.table].rows += 1;
        if map::is_bookkeeping(&self.report.tables[self.table].table) {
            return Ok(());
        }
        let mut label = self.number.to_string();
        let taken = match row {
            Ok(row) => self.take(row, &mut label)?,
            Err(wrong) => Err(wrong),
        };
        if let Err(wrong) = taken {
            let table = self.report.tables[self.table].table.clone();
            self.problem(&table, label, wrong);
        }
        self.at = at;
        self.tell(at, false)
    }

    fn note(&mut self, note: String) {
        if !self.report.notes.contains(&note) {
            self.report.notes.push(note);
        }
    }
}

impl<'a, 'p> Run<'a, 'p> {
    fn new(options: &'a TakeoverOptions, progress: OnTakeover<'p>) -> Result<Self> {
        Ok(Run {
            options,
            progress,
            spool: Spool::new(!options.plan)?,
            out: Out::new(),
            report: TakeoverReport { plan: options.plan, ..TakeoverReport::default() },
            source: 0,
            table: 0,
            number: 0,
            rows: 0,
            at: At { done: 0, total: None },
        })
    }

    fn start_source(&mut self, place: usize, source: &Source) {
        self.source = place;
        self.at = At { done: 0, total: None };
        self.report.sources.push(TakeoverSource { name: source.name.clone(), kind: source.kind() });
    }

    fn place(&mut self, table: &str) -> usize {
        if let Some(place) = self.report.tables.iter().position(|t| t.table == table) {
            return place;
        }
        let to = map::mapping(table).map_or_else(Vec::new, |m| m.to.to_vec());
        self.report.tables.push(TakeoverTable { table: table.to_owned(), to, ..TakeoverTable::default() });
        self.report.tables.len() - 1
    }

    /// Maps one row and puts what it became into the spool.
    fn take(&mut self, mut row: SourceRow, label: &mut String) -> Result<Result<(), Wrong>> {
        self.out.clear();
        self.remark(&row);
        let table = &mut self.report.tables[self.table];
        let made = match map::mapping(&table.table) {
            Some(mapping) => {
                if let Some(named) = row.label(mapping.keys) {
                    *label = named;
                }
                map::apply(mapping, &mut row, &mut self.out)
            }
            None => map::keep(&table.table, &row, &mut self.out),
        };
        if let Err(wrong) = made {
            return Ok(Err(wrong));
        }
        if let Some(stored) = self.out.stored.take() {
            let rest = row.rest().unwrap_or_default().to_string();
            let (session, message) = (stored.session.to_string(), stored.message.as_stored());
            let (id, value) = (&stored.id, stored.value.as_bytes());
            let new =
                self.spool.put_stored(&Stored { session: &session, message, id, rest: &rest, value })?;
            if new {
                table.mapped += 1;
            } else {
                table.repeated += 1;
            }
            return Ok(Ok(()));
        }
        let mut rows = self.out.rows.iter();
        if let Some(first) = rows.next() {
            match self.spool.put(first, self.source)? {
                Put::New => {}
                Put::There => {
                    table.repeated += 1;
                    return Ok(Ok(()));
                }
                Put::Twice => return Ok(Err(Wrong::new("id", "an earlier row has the same id"))),
                Put::Taken => return Ok(Err(Wrong::new("", taken(first.table.name)))),
            }
            let extra = |name: &str| name == OpenwaExtra::TABLE.name;
            table.mapped += u64::from(!extra(first.table.name));
            table.extra += u64::from(self.out.rows.iter().any(|r| extra(r.table.name)));
        }
        for other in rows {
            self.spool.put(other, self.source)?;
        }
        if map::mapping(&table.table).is_some() {
            for column in row.left() {
                if !table.extra_columns.iter().any(|c| c == column) {
                    table.extra_columns.push(column.to_owned());
                }
            }
        }
        Ok(Ok(()))
    }

    /// Notes what a row says that a person should hear although it is a good one.
    fn remark(&mut self, row: &SourceRow) {
        let is = |column: &str, values: &[&str]| match row.peek(column) {
            Some(Cell::Text(s)) => values.contains(&s.as_str()),
            _ => false,
        };
        match self.report.tables[self.table].table.as_str() {
            "sessions" if is("status", &["ready", "initializing", "qr_ready", "authenticating", "action_required"]) => {
                self.note(
                    "sessions that were connected are taken over as disconnected; openwa_extra keeps what they were"
                        .to_owned(),
                );
            }
            "webhooks" if row.peek("secret").is_none() => self.note(
                "an export of OpenWA has no secrets and headers of webhooks; take over from the database to keep them"
                    .to_owned(),
            ),
            "message_batches" if is("status", &["processing"]) => self.note(
                "a batch that was being sent is taken over as it is; nothing goes on sending it by itself".to_owned(),
            ),
            _ => {}
        }
    }

    fn problem(&mut self, table: &str, row: String, wrong: Wrong) {
        let place = self.place(table);
        self.report.tables[place].bad += 1;
        self.report.problem_count += 1;
        if self.report.problems.len() < MAX_PROBLEMS {
            let source = self.report.sources.get(self.source).map(|s| s.name.clone()).unwrap_or_default();
            let (column, why) = (wrong.column, wrong.why);
            self.report.problems.push(TakeoverProblem { source, table: table.to_owned(), row, column, why });
        }
    }

    fn tell(&mut self, at: At, always: bool) -> Result<()> {
        let table = &self.report.tables[self.table].table;
        if let Some(tell) = &mut self.progress
            && (always || self.rows.is_multiple_of(REPORT_EVERY))
            && tell(&TakeoverProgress {
                phase: TakeoverPhase::Read,
                table: table.clone(),
                rows: self.rows,
                done: at.done,
                total: at.total,
            })
            .is_break()
        {
            return Err(cancelled());
        }
        Ok(())
    }

    /// Compares what was read with itself and with the store: who owns what, and what is taken.
    fn settle(&mut self, store: &Store) -> Result<()> {
        let there = Present::of(store)?;
        there.sessions.iter().try_for_each(|s| self.spool.know(&s.id.to_string()))?;
        for (table, key, unique) in [
            (Session::TABLE, "sessions", &there.session_names()),
            (ApiKey::TABLE, "api_keys", &there.key_hashes),
            (BatchJob::TABLE, "message_batches", &HashMap::new()),
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

    fn credentials(&mut self, store: &Store, credentials: &Credentials) -> Result<()> {
        self.table = self.place(CREDENTIALS);
        self.report.tables[self.table].to = vec![SessionAuth::TABLE.name];
        let session = self.session_for(store, credentials)?;
        credentials.each(|file, credential| {
            self.rows += 1;
            self.report.tables[self.table].rows += 1;
            let Credential { category, key_id, value, at } = match credential {
                Ok(credential) => credential,
                Err(wrong) => {
                    self.problem(CREDENTIALS, file.to_owned(), wrong);
                    return Ok(());
                }
            };
            let row = SessionAuth { session_id: session, category, key_id, value, updated_at: at };
            if let Err(e) = crate::entity::Entity::check(&row) {
                self.problem(CREDENTIALS, file.to_owned(), map::wrong(&e));
                return Ok(());
            }
            let row = self.out.render(&row, None, Some(session.to_string()), true)?;
            let put = self.spool.put(&row, self.source)?;
            let table = &mut self.report.tables[self.table];
            if put == Put::New {
                table.mapped += 1;
            } else {
                table.repeated += 1;
            }
            self.tell(At { done: self.rows, total: None }, false)
        })
    }

    /// The session that credentials belong to: a known one, or a new one that is put into the spool.
    fn session_for(&mut self, store: &Store, credentials: &Credentials) -> Result<Uuid> {
        let named = self.options.session.as_ref().map(|s| s.as_stored().to_owned());
        let Some(name) = named.clone().or_else(|| credentials.session_name()) else {
            return Err(Error::invalid(
                "session",
                "the credentials do not say which session they are of; name it",
            ));
        };
        let there = Present::of(store)?;
        let mut known: Vec<(Uuid, String, Option<String>)> = there.all();
        for (id, session_name) in self.spool.keys(Session::TABLE)? {
            if let Ok(id) = Uuid::try_parse(&id) {
                known.push((id, session_name.unwrap_or_default(), None));
            }
        }
        let (phone, push_name) = credentials.account();
        let by_name = known.iter().find(|(id, n, _)| *n == name || id.to_string() == name.to_lowercase());
        let by_phone = || known.iter().find(|(_, _, p)| p.is_some() && p.as_deref() == phone);
        if let Some((id, ..)) = by_name.or_else(|| if named.is_none() { by_phone() } else { None }) {
            return Ok(*id);
        }
        let now = store.env().now();
        let text = |s: Option<&str>, most| s.map(Text::from).filter(|t| t.chars() <= most);
        let session = Session {
            id: store.env().ids.mint(now),
            name: Text::from(name.as_str()),
            status: SessionStatus::Disconnected,
            phone: text(phone, 20),
            push_name: text(push_name, 100),
            config: crate::json::Json::default(),
            auth_state: None,
            connected_at: None,
            retained_from: None,
            created_at: now,
            updated_at: now,
        };
        crate::entity::Entity::check(&session)?;
        let row = self.out.render(&session, Some(name.clone()), None, false)?;
        self.spool.put(&row, self.source)?;
        self.spool.know(&session.id.to_string())?;
        self.report.notes.push(format!("the credentials make a new session called {name:?}"));
        Ok(session.id)
    }

    fn finish(mut self, store: &Store) -> Result<TakeoverReport> {
        if self.report.problem_count > 0 && !self.options.skip_bad_rows && !self.options.plan {
            return Err(refused(&self.report));
        }
        if self.options.plan {
            return Ok(self.report);
        }
        let mut document = self.spool.document(store.env().now())?;
        let totals: Vec<(&'static str, u64)> = document.tables().iter().map(|(t, n)| (t.name, *n)).collect();
        let all: u64 = totals.iter().map(|(_, n)| n).sum();
        let mut stopped = false;
        let mut before = (totals.first().map_or("", |t| t.0), 0, 0);
        let progress = &mut self.progress;
        let mut tell = |at: Progress| {
            if at.table != before.0 {
                before = (at.table, before.1 + before.2, 0);
            }
            before.2 = at.rows;
            let rows = before.1 + at.rows;
            let Some(tell) = progress else { return std::ops::ControlFlow::Continue(()) };
            let told = tell(&TakeoverProgress {
                phase: TakeoverPhase::Write,
                table: at.table.to_owned(),
                rows,
                done: rows,
                total: Some(all),
            });
            stopped = told.is_break();
            told
        };
        let options = ImportOptions { mode: Mode::Merge, ..ImportOptions::default() };
        let imported = transfer::import(store, &mut document, &options, Some(&mut tell))?;
        let written = imported.tables.iter();
        self.report.written =
            written.map(|t| TakeoverWritten { table: t.table, rows: t.rows, inserted: t.inserted }).collect();
        Ok(self.report)
    }
}

fn taken(table: &str) -> &'static str {
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

fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "stopped on request")
}

/// The error for a strict takeover: its first problem, and how many more there are.
fn refused(report: &TakeoverReport) -> Error {
    let Some(first) = report.problems.first() else {
        return Error::new(Kind::Internal, "problems without a first one");
    };
    let more = match report.problem_count - 1 {
        0 => String::new(),
        n => format!(", and {n} more rows are bad"),
    };
    let what = if first.column.is_empty() { String::new() } else { format!("{} ", first.column) };
    let text = format!("nothing was taken over: a row is bad: {what}{}{more}", first.why);
    let e = Error::new(Kind::InvalidData, text).with("source", &first.source).with("table", &first.table);
    let e = e.with("row", &first.row);
    let e = if first.column.is_empty() { e } else { e.with("column", &first.column) };
    e.with("bad", report.problem_count)
}

/// What the store has already.
struct Present {
    sessions: Vec<Session>,
    key_hashes: HashMap<String, String>,
}

impl Present {
    fn of(store: &Store) -> Result<Self> {
        let sessions = store.data("takeover", |conn| {
            conn.rows::<Session>(&format!("SELECT {} FROM sessions", Session::TABLE.column_list()), &[])
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

    fn all(&self) -> Vec<(Uuid, String, Option<String>)> {
        let phone = |s: &Session| s.phone.as_ref().map(|p| p.as_stored().to_owned());
        self.sessions.iter().map(|s| (s.id, s.name.as_stored().to_owned(), phone(s))).collect()
    }
}
