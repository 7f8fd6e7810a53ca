//! One takeover from its sources to its report.

use super::map::{self, Out};
use super::row::{Cell, SourceRow, Wrong};
use super::settle::taken;
use super::source::{At, Source, Take};
use super::spool::{Put, Spool, Stored};
use super::{
    MAX_PROBLEMS, OnTakeover, TakeoverOptions, TakeoverPhase, TakeoverProblem, TakeoverProgress,
    TakeoverReport, TakeoverSource, TakeoverTable, TakeoverWritten,
};
use crate::entity::OpenwaExtra;
use crate::error::{Error, Kind, Result};
use crate::repo::retention::{MovedBy, MovedIn};
use crate::store::Store;
use crate::transfer::{self, ImportOptions, Mode, Origin, Progress};

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

pub(super) struct Run<'a, 'p> {
    pub(super) options: &'a TakeoverOptions,
    progress: OnTakeover<'p>,
    pub(super) spool: Spool,
    pub(super) out: Out,
    pub(super) report: TakeoverReport,
    /// Place of the source that is being read.
    pub(super) source: usize,
    /// Place of its table in the report.
    pub(super) table: usize,
    /// Row of its table, from 1.
    number: u64,
    pub(super) rows: u64,
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

    pub(super) fn place(&mut self, table: &str) -> usize {
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
        if map::mapping(&table.table).is_some() && !self.out.whole {
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

    pub(super) fn problem(&mut self, table: &str, row: String, wrong: Wrong) {
        let place = self.place(table);
        self.report.tables[place].bad += 1;
        self.report.problem_count += 1;
        if self.report.problems.len() < MAX_PROBLEMS {
            let source = self.report.sources.get(self.source).map(|s| s.name.clone()).unwrap_or_default();
            let (column, why) = (wrong.column, wrong.why);
            self.report.problems.push(TakeoverProblem { source, table: table.to_owned(), row, column, why });
        }
    }

    pub(super) fn tell(&mut self, at: At, always: bool) -> Result<()> {
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

    fn finish(mut self, store: &Store) -> Result<TakeoverReport> {
        if self.report.problem_count > 0 && !self.options.skip_bad_rows && !self.options.plan {
            return Err(refused(&self.report));
        }
        let now = store.env().now();
        let names: Vec<&str> = self.report.sources.iter().map(|s| s.name.as_str()).collect();
        let names = names.join(", ");
        if self.options.plan {
            let moved = self.out.moving.into(MovedBy::Takeover, &names, now);
            self.report.notes.extend(moved.iter().filter_map(MovedIn::warning));
            return Ok(self.report);
        }
        let mut document = self.spool.document(now)?;
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
        let origin = Origin { by: MovedBy::Takeover, source: &names };
        let imported = transfer::import(store, &mut document, &options, origin, Some(&mut tell))?;
        self.report.notes.extend(imported.notes);
        let written = imported.tables.iter();
        self.report.written =
            written.map(|t| TakeoverWritten { table: t.table, rows: t.rows, inserted: t.inserted }).collect();
        Ok(self.report)
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
