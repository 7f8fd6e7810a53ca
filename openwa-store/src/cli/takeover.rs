//! Taking over another gateway's data.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::temporary::Temporary;
use crate::{Store, TakeoverOptions, TakeoverPhase, TakeoverProgress, TakeoverReport, TakeoverTable, Text};
use clap::Args;
use indicatif::{HumanCount, HumanDuration};
use serde_json::json;

use super::exit::{Exit, Result};
use super::input;
use super::json::{Object, array};
use super::meter::Meter;
use super::options::Options;
use super::output::Output;
use super::signals;
use super::table::{Column, Table};

/// Problems that are shown to people; a program gets them all.
const SHOWN: usize = 20;

/// Take over the data of an OpenWA installation, or an engine's credentials
///
/// A source is OpenWA's main.sqlite, its openwa.sqlite, the URL of its PostgreSQL database
/// (postgres://user:password@host/database?schema=public), an export of it (.json, .json.gz, .json.zst), an auth folder
/// of Baileys, or a session archive of whatsapp-web.js; - is one of these files on standard input. It is recognised by what it is, and never changed. The store is
/// made if it is missing. All of it or nothing; a second run adds only what is new.
#[derive(Args)]
pub struct Takeover {
    /// What to take over
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,

    /// Only read everything and say what would be done
    #[arg(long)]
    plan: bool,

    /// Take over the good rows and list the others [default: one bad row, and nothing is written]
    #[arg(long)]
    skip_bad_rows: bool,

    /// Session that credentials belong to, by name or id [default: by the name of their folder or archive]
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
}

impl Takeover {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let how = TakeoverOptions {
            plan: self.plan,
            skip_bad_rows: self.skip_bad_rows,
            session: self.session.as_deref().map(Text::from),
        };
        // A plan makes no store.
        let there = options.store_config()?.data_path().is_none_or(|path| path.exists());
        let store = if self.plan && !there { Store::in_memory()? } else { options.open_or_make()? };
        signals::remove_temporaries();
        let (sources, _standard) = self.named()?;
        let report = metered(|tell| store.takeover(&sources, &how, Some(tell)))?;
        store.close()?;
        if out.is_json() {
            out.json(&document(&report))?;
        } else {
            tell(&report, out)?;
        }
        Ok(if report.problem_count > 0 { Exit::Failed } else { Exit::Done })
    }
}

impl Takeover {
    /// The sources by names of files; standard input is one for as long as the second answer is kept.
    fn named(&self) -> Result<(Vec<String>, Option<Temporary>)> {
        let mut standard = None;
        let mut sources = self.sources.clone();
        for source in sources.iter_mut().filter(|source| input::is_standard(source)) {
            let file = input::standard_as_file()?;
            *source = file.display().to_string();
            standard = Some(file);
        }
        Ok((sources, standard))
    }
}

/// Runs `work` with a progress callback that moves a meter: rows, rows per second, time left.
fn metered<T>(
    work: impl FnOnce(&mut dyn FnMut(&TakeoverProgress) -> ControlFlow<()>) -> crate::Result<T>,
) -> crate::Result<T> {
    let mut meter = Meter::rows("takeover");
    let mut began = (None, Instant::now());
    let done = work(&mut |at: &TakeoverProgress| {
        if began.0 != Some(at.phase) {
            began = (Some(at.phase), Instant::now());
        }
        meter.say(line(at, began.1.elapsed().as_secs_f64()));
        ControlFlow::Continue(())
    });
    meter.done();
    done
}

fn line(at: &TakeoverProgress, seconds: f64) -> String {
    let what = if at.phase == TakeoverPhase::Read { "reading" } else { "writing" };
    let mut line = format!("{what} {}: {} rows", at.table, HumanCount(at.rows));
    if seconds > 0.5 {
        line += &format!(", {}/s", HumanCount((at.rows as f64 / seconds) as u64));
        if let Some(total) = at.total.filter(|total| at.done > 0 && *total >= at.done) {
            let left = seconds * (total - at.done) as f64 / at.done as f64;
            line += &format!(", {} left", HumanDuration(std::time::Duration::from_secs_f64(left)));
        }
    }
    line
}

fn tell(report: &TakeoverReport, out: &mut Output) -> Result<()> {
    for source in &report.sources {
        out.line(format_args!("{}: {}", source.name, source.kind))?;
    }
    out.line("")?;
    let mut table = Table::new(&[
        Column::Left("TABLE"),
        Column::Right("ROWS"),
        Column::Right("MAPPED"),
        Column::Right("EXTRA"),
        Column::Right("BAD"),
        Column::Left("GOES TO"),
    ]);
    let count = |n: u64| HumanCount(n).to_string();
    for t in &report.tables {
        table.row([
            t.table.clone(),
            count(t.rows),
            count(t.mapped),
            count(t.extra),
            count(t.bad),
            goes_to(t),
        ]);
    }
    out.table(&table)?;
    if !report.written.is_empty() {
        out.line("")?;
        let mut table =
            Table::new(&[Column::Left("TABLE"), Column::Right("ADDED"), Column::Right("WERE THERE")]);
        for w in &report.written {
            table.row([w.table.to_owned(), count(w.inserted), count(w.rows - w.inserted)]);
        }
        out.table(&table)?;
    }
    if !report.problems.is_empty() {
        out.line("")?;
        for p in report.problems.iter().take(SHOWN) {
            let column = if p.column.is_empty() { String::new() } else { format!(", {}", p.column) };
            out.line(format_args!("bad: {} {}{column}: {}", p.table, p.row, p.why))?;
        }
        let more = report.problem_count.saturating_sub(SHOWN as u64);
        if more > 0 {
            out.line(format_args!("and {} more; --json lists them", HumanCount(more)))?;
        }
    }
    out.line("")?;
    for note in &report.notes {
        out.line(format_args!("note: {note}"))?;
    }
    let end = match (report.plan, report.problem_count) {
        (true, 0) => "Nothing was changed: this was a plan. Every row can be taken over.",
        (true, _) => {
            "Nothing was changed: this was a plan. Without --skip-bad-rows the bad rows would stop it."
        }
        (false, 0) => "Taken over.",
        (false, _) => "Taken over, without the bad rows.",
    };
    Ok(out.line(end)?)
}

fn goes_to(t: &TakeoverTable) -> String {
    let mut to = t.to.join(", ");
    if t.to.is_empty() && t.extra > 0 {
        to = "openwa_extra".to_owned();
    } else if !t.extra_columns.is_empty() {
        to += &format!("; openwa_extra: {}", t.extra_columns.join(", "));
    }
    to
}

fn document(report: &TakeoverReport) -> crate::Json {
    let text = |s: &str| json!(Text::from(s).as_stored());
    let sources = report
        .sources
        .iter()
        .map(|s| Object::new().put("name", text(&s.name)).put("kind", json!(s.kind)).done());
    let tables = report.tables.iter().map(|t| {
        Object::new()
            .put("table", text(&t.table))
            .put("rows", json!(t.rows))
            .put("mapped", json!(t.mapped))
            .put("extra", json!(t.extra))
            .put("bad", json!(t.bad))
            .put("repeated", json!(t.repeated))
            .put("to", json!(t.to))
            .put("extra_columns", json!(t.extra_columns))
            .done()
    });
    let written = report.written.iter().map(|w| {
        Object::new()
            .put("table", json!(w.table))
            .put("rows", json!(w.rows))
            .put("inserted", json!(w.inserted))
            .done()
    });
    let problems = report.problems.iter().map(|p| {
        Object::new()
            .put("source", text(&p.source))
            .put("table", text(&p.table))
            .put("row", text(&p.row))
            .put("column", text(&p.column))
            .put("why", text(&p.why))
            .done()
    });
    Object::new()
        .put("plan", json!(report.plan))
        .put("sources", array(sources))
        .put("tables", array(tables))
        .put("written", array(written))
        .put("problems", array(problems))
        .put("problem_count", json!(report.problem_count))
        .put("notes", array(report.notes.iter().map(|n| text(n).into())))
        .done()
}
