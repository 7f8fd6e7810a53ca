//! The jobs: when each is due by default, where it works, and what it does.

use std::ops::ControlFlow;

use crate::backup::{self, BackupOptions, BackupProgress};
use crate::entity::Database;
use crate::error::{Kind, Result};
use crate::maintenance::optimize;
use crate::maintenance::retention::{RetentionOptions, Scope, TURN};
use crate::policy::retention::Windows;
use crate::policy::schedule::Schedule;
use crate::store::Store;
use crate::value::names;

names! {
    /// Work that maintenance does by itself.
    pub enum Job {
        /// Deletes what is older than its window.
        Retention = "retention",
        /// Deletes old idempotency keys of webhooks, of which there are many and which live for a day.
        Idempotency = "idempotency",
        /// Makes the coming months' tables of messages, on PostgreSQL.
        Partitions = "partitions",
        /// Writes how often API keys were used. Every process has counted for itself, so each writes its own.
        Usage = "usage",
        /// Renews what the databases know about their tables, so that they find rows the short way, and gives free pages
        /// back.
        Optimize = "optimize",
        /// Makes a backup. Each host backs up its own Main, and Data with it.
        Backup = "backup",
    }
}

/// When the jobs of maintenance run, each by a cron expression of five fields (`minute hour day month weekday`), or
/// `None`: never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceOptions {
    /// Retention; default daily at midnight, `0 0 * * *`.
    pub retention: Option<String>,
    /// Old idempotency keys; default hourly, `0 * * * *`.
    pub idempotency: Option<String>,
    /// Months ahead; default daily, `30 0 * * *`.
    pub partitions: Option<String>,
    /// Uses of API keys; default every minute, `* * * * *`.
    pub usage: Option<String>,
    /// Statistics and free pages; default daily, `45 3 * * *`.
    pub optimize: Option<String>,
    /// Backups; default never. `0 * * * *` makes one every hour, which costs about what has changed.
    pub backup: Option<String>,
    /// Where backups go, and which of them are kept if `prune` is set.
    pub backups: BackupOptions,
    /// The time zone of the expressions, by its IANA name; default `UTC`. A local time that daylight saving time skips or
    /// repeats counts once.
    pub timezone: String,
    /// How long rows are kept.
    pub windows: Windows,
}

impl Default for MaintenanceOptions {
    fn default() -> Self {
        let at = |expression: &str| Some(expression.to_owned());
        MaintenanceOptions {
            retention: at("0 0 * * *"),
            idempotency: at("0 * * * *"),
            partitions: at("30 0 * * *"),
            usage: at("* * * * *"),
            optimize: at("45 3 * * *"),
            backup: None,
            backups: BackupOptions::default(),
            timezone: "UTC".to_owned(),
            windows: Windows::default(),
        }
    }
}

/// One job at one place. What it did last is kept in the database that it works on, so that each host cleans its own Main
/// and one of all hosts the Data that they share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Task {
    pub(super) job: Job,
    /// `None`: it is each process's own.
    pub(super) database: Option<Database>,
}

/// Every task that a store has.
pub(super) fn tasks(store: &Store) -> Vec<Task> {
    let (main, data) = (Some(Database::Main), Some(Database::Data));
    let mut tasks = vec![
        Task { job: Job::Usage, database: None },
        Task { job: Job::Retention, database: data },
        Task { job: Job::Retention, database: main },
        Task { job: Job::Idempotency, database: data },
        Task { job: Job::Partitions, database: data },
        Task { job: Job::Optimize, database: data },
        Task { job: Job::Optimize, database: main },
        Task { job: Job::Backup, database: main },
    ];
    // A server that has not answered yet may have months.
    let may_have_months = store.database(Database::Data).as_sqlite().is_none();
    tasks.retain(|task| task.job != Job::Partitions || may_have_months);
    tasks
}

/// The options, checked.
pub(super) struct Plan {
    pub(super) tasks: Vec<(Task, Schedule)>,
    pub(super) windows: Windows,
    backups: BackupOptions,
}

impl Plan {
    pub(super) fn new(store: &Store, options: &MaintenanceOptions) -> Result<Self> {
        let schedule = |job: Job, expression: &String| {
            Schedule::parse(expression, &options.timezone).map_err(|e| e.with("job", job))
        };
        let mut found = Vec::new();
        for task in tasks(store) {
            if let Some(expression) = options.expression(task.job) {
                found.push((task, schedule(task.job, expression)?));
            }
        }
        if options.backup.is_some() {
            backup::available()?;
        }
        Ok(Plan { tasks: found, windows: options.windows, backups: options.backups.clone() })
    }

    fn retention(&self) -> RetentionOptions {
        RetentionOptions { windows: self.windows, ..RetentionOptions::default() }
    }

    pub(super) fn schedule(&self, task: Task) -> Option<&Schedule> {
        self.tasks.iter().find(|(other, _)| *other == task).map(|(_, schedule)| schedule)
    }
}

/// Rows that a run deletes, where it does.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Those that are older than their window, counted before.
    pub(super) due: Option<u64>,
    /// Those that are gone.
    pub(super) deleted: Option<u64>,
    /// Why messages wait.
    pub(super) waiting: Option<String>,
}

impl MaintenanceOptions {
    fn expression(&self, job: Job) -> Option<&String> {
        match job {
            Job::Retention => self.retention.as_ref(),
            Job::Idempotency => self.idempotency.as_ref(),
            Job::Partitions => self.partitions.as_ref(),
            Job::Usage => self.usage.as_ref(),
            Job::Optimize => self.optimize.as_ref(),
            Job::Backup => self.backup.as_ref(),
        }
    }
}

impl Task {
    /// The name of the lock that says who runs it.
    pub(super) const fn turn(self) -> &'static str {
        match self.job {
            // The same as that of a run by hand. Each lock takes a connection of its own on PostgreSQL.
            Job::Retention => TURN,
            Job::Idempotency => "maintenance-idempotency",
            Job::Partitions => "maintenance-partitions",
            Job::Usage => "maintenance-usage",
            Job::Optimize => "maintenance-optimize",
            Job::Backup => "maintenance-backup",
        }
    }

    /// What it deletes; `None`: nothing. The first run of one that deletes waits for its slot.
    pub(super) fn scope(self) -> Option<Scope> {
        match self.job {
            Job::Retention => Some(Scope::of(self.database.unwrap_or(Database::Data))),
            Job::Idempotency => Some(Scope::IDEMPOTENCY),
            _ => None,
        }
    }

    /// What a run would delete now.
    pub(super) fn preview(self, store: &Store, plan: &Plan) -> Result<Rows> {
        let Some(scope) = self.scope() else { return Ok(Rows::default()) };
        let report = store.count_old(&scope, &plan.retention())?;
        Ok(Rows { due: Some(report.rows()), deleted: None, waiting: report.waiting })
    }

    /// Does the work. `tell` hears how much is done and may stop it; then the answer is `Break`, and the rest is for
    /// the next run.
    pub(super) fn perform(
        self,
        store: &Store,
        plan: &Plan,
        tell: &mut dyn FnMut(u64, Option<u64>) -> ControlFlow<()>,
        rows: &mut Rows,
    ) -> Result<ControlFlow<()>> {
        if let Some(scope) = self.scope() {
            *rows = self.preview(store, plan)?;
            if tell(0, rows.due).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let report = store.retention(&scope, &plan.retention(), Some(&mut |_, n| tell(n, None)))?;
            (rows.deleted, rows.waiting) = (Some(report.rows()), report.waiting);
            return Ok(if report.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
        }
        let tell = &mut |n| tell(n, None);
        match (self.job, self.database) {
            (Job::Partitions, _) => store.make_partitions().map(|_| ControlFlow::Continue(())),
            (Job::Usage, _) => store.write_usage().map(|()| ControlFlow::Continue(())),
            (Job::Optimize, which) => optimize::run(store, which.unwrap_or(Database::Data), tell),
            (Job::Retention | Job::Idempotency, _) => Ok(ControlFlow::Continue(())),
            (Job::Backup, _) => {
                let mut tell = |at: BackupProgress| tell(at.bytes);
                match store.backup(&plan.backups, Some(&mut tell)) {
                    Err(e) if e.kind() == Kind::Cancelled => Ok(ControlFlow::Break(())),
                    done => done.map(|_| ControlFlow::Continue(())),
                }
            }
        }
    }
}
