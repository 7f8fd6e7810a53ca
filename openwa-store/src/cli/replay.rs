use std::path::{Path, PathBuf};

use crate::engine::Skipped;
use crate::replay::{self, ReplayReport, SessionReplay};
use crate::{Json, Store, Text};
use clap::Args;
use indicatif::HumanCount;
use serde_json::json;

use super::exit::{Exit, Failure, Result};
use super::input;
use super::json::{Object, array};
use super::meter::{Meter, Metered};
use super::options::Options;
use super::output::Output;
use super::summary::Summary;
use super::table::{Column, Table};

/// Apply logs of engine events to the store
///
/// A log has one JSON object per line: "t" (milliseconds), "session", "engine", "event", "data" and, for Baileys,
/// "map". Lines of a session with the same map are one event map and are applied in one commit. Sessions that are
/// missing are made, and so is the store. Replaying a log again changes nothing.
#[derive(Args)]
pub struct Replay {
    /// Logs, plain or packed by gzip or Zstandard; - for standard input
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,

    /// End with success although lines could not be read
    #[arg(long)]
    lenient: bool,
}

const COLUMNS: &[Column] = &[
    Column::Left("SESSION"),
    Column::Right("DELIVERIES"),
    Column::Right("INSERTED"),
    Column::Right("UPGRADED"),
    Column::Right("FILLED"),
    Column::Right("UNCHANGED"),
    Column::Right("CHATS"),
    Column::Right("CONTACTS"),
    Column::Right("PAIRS"),
    Column::Right("WAITING"),
    Column::Left("LEFT OUT"),
];

impl Replay {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open_or_make()?;
        let mut bad_lines = 0;
        for log in &self.logs {
            let report = replay_log(&store, log)?;
            bad_lines += report.bad_lines;
            for bad in &report.problems {
                eprintln!("openwa: {}, line {}: {}", log.display(), bad.line, bad.why);
            }
            if out.is_json() {
                out.json(&document(&store, log, &report)?)?;
            } else {
                show(&store, log, &report, out)?;
            }
            out.flush()?;
        }
        store.close()?;
        Ok(if bad_lines > 0 && !self.lenient { Exit::Failed } else { Exit::Done })
    }
}

fn replay_log(store: &Store, log: &Path) -> Result<ReplayReport> {
    let (source, size): (Box<dyn std::io::Read>, _) = if input::is_standard(log) {
        (Box::new(input::standard()?), None)
    } else {
        let file = input::open_file(log)?;
        let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
        (Box::new(file), size)
    };
    let mut meter = Meter::bytes(&log.display().to_string(), size);
    let done = replay::run(store, Metered { inner: source, meter: &mut meter });
    meter.done();
    done.map_err(|e| Failure::from(e.with("log", log.display())))
}

fn show(store: &Store, log: &Path, report: &ReplayReport, out: &mut Output) -> Result<()> {
    out.line(format_args!("{}", log.display()))?;
    let mut table = Table::new(COLUMNS);
    for done in &report.sessions {
        let has = Summary::of(store, done.id)?;
        let left_out: Vec<String> = left_out(done).map(|(why, n)| format!("{why} {n}")).collect();
        table.row([
            done.name.to_string(),
            HumanCount(done.deliveries).to_string(),
            HumanCount(done.inserted).to_string(),
            HumanCount(done.upgraded).to_string(),
            HumanCount(done.filled).to_string(),
            HumanCount(done.unchanged).to_string(),
            has.chats.to_string(),
            has.contacts.to_string(),
            has.pairs.to_string(),
            has.waiting.to_string(),
            left_out.join(", "),
        ]);
    }
    out.table(&table)?;
    let seconds = report.elapsed.as_secs_f64();
    out.line(format_args!(
        "{} lines, {} event maps, {} deliveries in {seconds:.2} s: {} messages/s, {}{}\n",
        HumanCount(report.lines),
        HumanCount(report.maps),
        HumanCount(report.deliveries()),
        HumanCount(per_second(report)),
        promise(store),
        if report.bad_lines > 0 { format!("; {} lines left out", report.bad_lines) } else { String::new() },
    ))?;
    Ok(())
}

fn promise(store: &Store) -> &'static str {
    match store.config().durability {
        crate::Durability::Full => "durable",
        crate::Durability::Normal => "synced at checkpoints",
    }
}

fn per_second(report: &ReplayReport) -> u64 {
    (report.deliveries() as f64 / report.elapsed.as_secs_f64().max(1e-6)) as u64
}

/// Reasons for which messages were left out, with how many distinct ones.
fn left_out(done: &SessionReplay) -> impl Iterator<Item = (&'static str, usize)> {
    let skipped = Skipped::ALL.iter().map(|reason| (reason.name(), done.skipped(*reason)));
    let others = [("not_stored", done.not_stored as usize), ("refused", done.refused as usize)];
    skipped.chain(others).filter(|(_, n)| *n > 0)
}

fn document(store: &Store, log: &Path, report: &ReplayReport) -> Result<Json> {
    let sessions = report.sessions.iter().map(|s| session(store, s)).collect::<Result<Vec<_>>>()?;
    let problems = report.problems.iter().map(|bad| {
        let why = json!(Text::from(&bad.why).as_stored());
        Object::new().put("line", json!(bad.line)).put("why", why).done()
    });
    Ok(Object::new()
        .put("log", json!(Text::from(log.display().to_string()).as_stored()))
        .put("lines", json!(report.lines))
        .put("maps", json!(report.maps))
        .put("bad_lines", json!(report.bad_lines))
        .put("problems", array(problems))
        .put("seconds", json!(report.elapsed.as_secs_f64()))
        .put("messages_per_second", json!(per_second(report)))
        .put("durability", json!(promise(store)))
        .put("sessions", array(sessions))
        .done())
}

fn session(store: &Store, done: &SessionReplay) -> Result<Json> {
    let left_out = left_out(done).fold(Object::new(), |o, (why, n)| o.put(why, json!(n)));
    let unknown = done.unknown.iter().fold(Object::new(), |o, (name, n)| o.put(name, json!(n)));
    Ok(Object::new()
        .put("name", json!(done.name.as_stored()))
        .put("id", json!(done.id.to_string()))
        .put("deliveries", json!(done.deliveries))
        .put("inserted", json!(done.inserted))
        .put("upgraded", json!(done.upgraded))
        .put("filled", json!(done.filled))
        .put("unchanged", json!(done.unchanged))
        .put("left_out", left_out.done())
        .put("unknown_events", unknown.done())
        .put("has", Summary::of(store, done.id)?.document())
        .done())
}
