use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::entity::Database;
use crate::policy::schedule::Schedule;
use crate::{
    BackupOptions, Error, Job, Json, Kind, MaintenanceJob, MaintenanceOptions, MaintenanceOutcome,
    MaintenanceRun, Progress, Store, Text, Timestamp,
};
use clap::{Args, Subcommand};
use indicatif::HumanCount;
use serde_json::json;

use super::exit::{Exit, Result};
use super::json::{Object, array};
use super::meter::Meter;
use super::options::Options;
use super::output::Output;
use super::retention::WindowOptions;
use super::table::{Column, Table};

/// Do what keeps the store healthy, each job by its schedule
#[derive(Subcommand)]
pub enum Maintenance {
    /// Run jobs as they come due, until the command is stopped: for a service. With --once, for cron
    Run(Box<Run>),
    /// Show when each job ran, how that ended, and when it is due next
    Status,
}

/// Schedules are cron expressions (minute, hour, day of month, month, day of week) or off. Any number of processes may run
/// maintenance on the same databases: one of them runs each slot.
#[derive(Args)]
pub struct Run {
    /// Run this job now, due or not, and end
    job: Option<Job>,

    /// Run what is due, and end
    #[arg(long, conflicts_with = "job")]
    once: bool,

    /// Delete what is older than its window [default: "0 0 * * *"]
    #[arg(long, value_name = "CRON", help_heading = "Schedules")]
    retention: Option<When>,

    /// Delete old idempotency keys of webhooks [default: "0 * * * *"]
    #[arg(long, value_name = "CRON", help_heading = "Schedules")]
    idempotency: Option<When>,

    /// Make the coming months' tables, on PostgreSQL [default: "30 0 * * *"]
    #[arg(long, value_name = "CRON", help_heading = "Schedules")]
    partitions: Option<When>,

    /// Renew statistics, give free pages back [default: "45 3 * * *"]
    #[arg(long, value_name = "CRON", help_heading = "Schedules")]
    optimize: Option<When>,

    /// Back up to OPENWA_BACKUP_REPO with OPENWA_BACKUP_PASSWORD, and keep 24 hourly and 7 daily backups [default: off]
    #[arg(long, value_name = "CRON", help_heading = "Schedules")]
    backup: Option<When>,

    /// Time zone of the schedules
    #[arg(long, value_name = "NAME", default_value = "UTC", help_heading = "Schedules")]
    timezone: String,

    #[command(flatten)]
    windows: WindowOptions,
}

/// A schedule; `None`: never.
#[derive(Clone, Debug)]
struct When(Option<String>);

impl FromStr for When {
    type Err = Error;

    fn from_str(s: &str) -> crate::Result<Self> {
        if s == "off" {
            return Ok(When(None));
        }
        Schedule::parse(s, "UTC").map(|schedule| When(Some(schedule.expression().to_owned())))
    }
}

/// How often the command looks although nothing is due.
const LOOK: Duration = Duration::from_secs(60);

impl Maintenance {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        match self {
            Maintenance::Run(run) => run.run(options, out),
            Maintenance::Status => status(&options.open()?, out),
        }
    }
}

impl Run {
    fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let stop = (!self.once && self.job.is_none()).then(stop_signal).transpose()?;
        let (store, how) = (options.open()?, self.options());
        let Some(stop) = stop else {
            let runs = self.pass(&store, &how, out)?;
            store.close()?;
            if out.is_json() {
                out.json(&array(runs.iter().map(run_document)))?;
            } else {
                runs.iter().try_for_each(|run| out.line(sentence(run)))?;
                if runs.is_empty() {
                    out.line("Nothing is due.")?;
                }
            }
            return Ok(exit(&runs));
        };
        loop {
            for run in self.pass(&store, &how, out)? {
                if out.is_json() {
                    out.json(&run_document(&run))?;
                } else {
                    out.line(format_args!("{} {}", store.config().clock.now(), sentence(&run)))?;
                }
            }
            out.flush()?;
            match stop.recv_timeout(wait(&store, &how)?) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        store.close()?;
        Ok(Exit::Done)
    }

    fn options(&self) -> MaintenanceOptions {
        let usual = MaintenanceOptions::default();
        let or = |given: &Option<When>, usual| given.clone().map_or(usual, |when| when.0);
        MaintenanceOptions {
            retention: or(&self.retention, usual.retention),
            idempotency: or(&self.idempotency, usual.idempotency),
            partitions: or(&self.partitions, usual.partitions),
            optimize: or(&self.optimize, usual.optimize),
            backup: or(&self.backup, usual.backup),
            backups: BackupOptions { prune: true, ..usual.backups },
            // This process checks no keys.
            usage: None,
            timezone: self.timezone.clone(),
            windows: self.windows.windows(),
        }
    }

    fn pass(&self, store: &Store, how: &MaintenanceOptions, out: &mut Output) -> Result<Vec<MaintenanceRun>> {
        let mut meter = Meter::rows("maintenance");
        let mut said = Ok(());
        let mut tell = |at: Progress| {
            // Before a job deletes anything, it tells how much.
            if let (0, Some(due @ 1..), false) = (at.rows, at.total, out.is_json()) {
                let due = HumanCount(due);
                let told =
                    out.line(format_args!("{}: {due} rows are older than their window and go now", at.table));
                said = told.and_then(|()| out.flush());
            }
            meter.at(at.table, at.rows, at.total);
            ControlFlow::Continue(())
        };
        let runs = store.run_maintenance(how, self.job, Some(&mut tell));
        meter.done();
        said?;
        Ok(runs?)
    }
}

/// Hears when the command is told to stop.
fn stop_signal() -> Result<Receiver<()>> {
    let (send, stop) = channel();
    let heard = move || {
        // The second one finds that the command is about to end.
        let _ = send.send(());
    };
    ctrlc::set_handler(heard).map_err(|e| Error::new(Kind::Io, format!("signals cannot be heard: {e}")))?;
    Ok(stop)
}

/// How long until a job is due.
fn wait(store: &Store, how: &MaintenanceOptions) -> Result<Duration> {
    let now = store.config().clock.now();
    let schedules = [&how.retention, &how.idempotency, &how.partitions, &how.optimize, &how.backup];
    let mut next = Timestamp::MAX;
    for expression in schedules.into_iter().flatten() {
        next = next.min(Schedule::parse(expression, &how.timezone)?.next(now).unwrap_or(next));
    }
    let left = Duration::from_millis(u64::try_from(next.millis() - now.millis()).unwrap_or(0));
    Ok(left.min(LOOK))
}

fn exit(runs: &[MaintenanceRun]) -> Exit {
    let any = |outcome| runs.iter().any(|run| run.outcome == outcome);
    match () {
        () if any(MaintenanceOutcome::Failed) => Exit::Failed,
        () if any(MaintenanceOutcome::Elsewhere) => Exit::TryAgain,
        () => Exit::Done,
    }
}

fn sentence(run: &MaintenanceRun) -> String {
    let job = named(run.job, run.database.map(Database::name));
    let ended = match run.outcome {
        MaintenanceOutcome::Done => "done",
        MaintenanceOutcome::Stopped => "stopped; it goes on with the next run",
        MaintenanceOutcome::Failed => "failed",
        MaintenanceOutcome::Elsewhere => "runs in another process",
        MaintenanceOutcome::Scheduled => "its first run is scheduled",
    };
    let mut line = format!("{job}: {ended}");
    match (run.deleted, run.due, run.slot) {
        (Some(deleted), ..) => line += &format!(", {} rows deleted", HumanCount(deleted)),
        (None, Some(due), Some(slot)) if run.outcome == MaintenanceOutcome::Scheduled => {
            line += &format!(" for {slot}; as of now it would delete {} rows", HumanCount(due));
        }
        _ => {}
    }
    let more = run.error.iter().chain(&run.waiting);
    more.fold(line, |line, text| format!("{line}: {text}"))
}

fn named(job: Job, database: Option<&str>) -> String {
    database.map_or_else(|| job.to_string(), |database| format!("{job} of {database}"))
}

fn status(store: &Store, out: &mut Output) -> Result<Exit> {
    let jobs = store.maintenance()?;
    if out.is_json() {
        out.json(&array(jobs.iter().map(job_document)))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        Column::Left("JOB"),
        Column::Left("SCHEDULE"),
        Column::Left("LAST"),
        Column::Left("ENDED"),
        Column::Left("NEXT"),
        Column::Left("BY"),
    ]);
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    // What each process does for itself nobody sees from here.
    for job in jobs.iter().filter(|job| job.database.is_some()) {
        let ended = match (job.ended_at, job.started_at) {
            _ if job.running => "runs".to_owned(),
            (None, Some(_)) => "interrupted".to_owned(),
            (at, _) => time(at),
        };
        table.row([
            named(job.job, job.database.map(Database::name)),
            job.schedule.clone().unwrap_or_else(|| "-".to_owned()),
            time(job.started_at),
            ended,
            time(job.next),
            job.runner.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    out.table(&table)?;
    for waiting in jobs.iter().filter_map(|job| job.waiting.as_ref()) {
        out.line(format_args!("\nretention waits:\n  {waiting}"))?;
    }
    for job in &jobs {
        if let (Some(error), Some(at)) = (&job.error, job.error_at) {
            let job = named(job.job, job.database.map(Database::name));
            out.line(format_args!("\nlast error of {job}, {at}:\n  {error}"))?;
        }
    }
    Ok(Exit::Done)
}

fn text(s: Option<&str>) -> serde_json::Value {
    json!(s.map(|s| Text::from(s).as_stored().to_owned()))
}

fn run_document(run: &MaintenanceRun) -> Json {
    Object::new()
        .put("job", json!(run.job.name()))
        .put("database", json!(run.database.map(Database::name)))
        .put("slot", json!(run.slot.map(|t| t.to_string())))
        .put("attempt", json!(run.attempt))
        .put("outcome", json!(run.outcome.name()))
        .put("error", text(run.error.as_deref()))
        .put("due", json!(run.due))
        .put("deleted", json!(run.deleted))
        .put("waiting", text(run.waiting.as_deref()))
        .done()
}

fn job_document(job: &MaintenanceJob) -> Json {
    let time = |at: Option<Timestamp>| json!(at.map(|t| t.to_string()));
    Object::new()
        .put("job", json!(job.job.name()))
        .put("database", json!(job.database.map(Database::name)))
        .put("schedule", text(job.schedule.as_deref()))
        .put("timezone", text(job.timezone.as_deref()))
        .put("slot", time(job.slot))
        .put("attempt", json!(job.attempt))
        .put("runner", text(job.runner.as_deref()))
        .put("started_at", time(job.started_at))
        .put("ended_at", time(job.ended_at))
        .put("running", json!(job.running))
        .put("succeeded_at", time(job.succeeded_at))
        .put("error", text(job.error.as_deref()))
        .put("error_at", time(job.error_at))
        .put("next", time(job.next))
        .put("waiting", text(job.waiting.as_deref()))
        .done()
}
