//! The store on one screen.

mod chart;
mod screen;
mod watch;

use std::time::Duration;

use clap::Args;
use console::Term;
use serde_json::json;

use super::exit::{Exit, Result};
use super::json::{Object, array};
use super::options::Options;
use super::output::Output;
use crate::record::{IntoRecord, Value};
use crate::{DatabaseOverview, Json, MaintenanceJob, Overview, OverviewOptions, Store};

/// Show the store on one screen
///
/// What needs attention, sizes, sessions by state, messages per day, growth, deliveries to webhooks, keys that expire.
/// It takes milliseconds, however many messages there are; what is estimated says "about".
#[derive(Args)]
pub struct Status {
    /// Show it again every SECONDS seconds [default: 2], in place if this is a terminal
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    watch: Option<u32>,

    /// Days of the chart [default: 14, or 30 where there is room]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=90))]
    days: Option<u32>,

    /// Days that retention keeps messages; 0: for ever [default: 30]
    #[arg(long, value_name = "DAYS")]
    window: Option<u32>,
}

/// The width where nobody tells it.
const WIDTH: usize = 80;
/// Narrower is not drawn; a terminal this narrow wraps.
const NARROWEST: usize = 40;
/// From here on the chart has room for a month, and something stands beside it.
const WIDE: usize = 100;

impl Status {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        if let Some(seconds) = self.watch {
            return watch::run(Duration::from_secs(seconds.into()), out, |out| {
                self.frame(&store, out.is_json())
            });
        }
        let frame = self.frame(&store, out.is_json())?;
        frame.iter().try_for_each(|line| out.line(line))?;
        Ok(Exit::Done)
    }

    /// What is shown now, line by line.
    fn frame(&self, store: &Store, json: bool) -> Result<Vec<String>> {
        let width = width();
        let days = self.days.unwrap_or(if width >= WIDE { 30 } else { 14 });
        let mut it = store.overview(&OverviewOptions { days: Some(days), window_days: self.window })?;
        // A store that nobody looks after by schedule has nothing to say of that.
        let mut jobs = store.maintenance()?;
        jobs.retain(|job| job.schedule.is_some() || job.started_at.is_some());
        it.problems.extend(jobs.iter().filter_map(trouble));
        Ok(if json { vec![document(it, jobs).to_string()] } else { screen::screen(&it, &jobs, width) })
    }
}

/// What is wrong with a job: its last run failed.
fn trouble(job: &MaintenanceJob) -> Option<String> {
    let failed = job.error_at.is_some_and(|at| job.succeeded_at.is_none_or(|good| good < at));
    failed
        .then(|| format!("{} failed: {}", job_name(job), job.error.as_deref().unwrap_or("it was broken off")))
}

/// `retention`, or `vacuum of main` where each database has its own.
fn job_name(job: &MaintenanceJob) -> String {
    let name = job.job.name().replace('_', " ");
    job.database.map_or_else(|| name.clone(), |database| format!("{name} of {database}"))
}

/// Columns of the terminal; where there is none, what `COLUMNS` says.
fn width() -> usize {
    let term = Term::stdout();
    let told = || std::env::var("COLUMNS").ok().and_then(|n| n.parse().ok());
    let columns = if term.is_term() { usize::from(term.size().1) } else { told().unwrap_or(WIDTH) };
    columns.max(NARROWEST)
}

/// The overview as every language gets it, but with the rows of each database as an object, and with the jobs of
/// maintenance.
fn document(it: Overview, jobs: Vec<MaintenanceJob>) -> Json {
    let jobs = array(jobs.into_iter().map(|job| job.into_record().to_json()));
    let databases = array(it.databases.iter().map(database));
    let record = it.into_record();
    let fields = record.shape().fields.iter().zip(record.values());
    let whole = fields.fold(Object::new(), |object, (field, value)| match field.name {
        "databases" => object.put("databases", databases.clone()),
        name => object.put(name, value.to_json()),
    });
    whole.put("maintenance", jobs).done()
}

fn database(it: &DatabaseOverview) -> Json {
    let rows = it.tables.iter().fold(Object::new(), |rows, t| rows.put(t.table, json!(t.rows))).done();
    let estimated: Vec<&str> = it.tables.iter().filter(|t| !t.exact).map(|t| t.table).collect();
    let record = it.clone().into_record();
    let fields = record.shape().fields.iter().zip(record.values());
    let whole = fields.fold(Object::new(), |object, (field, value): (_, &Value)| match field.name {
        "tables" => object.put("rows", rows.clone()).put("estimated", json!(estimated)),
        name => object.put(name, value.to_json()),
    });
    whole.done()
}
