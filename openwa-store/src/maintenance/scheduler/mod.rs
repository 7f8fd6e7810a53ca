//! Maintenance that runs itself: jobs by cron expressions, in a thread of the store or by a call, each slot once however
//! many processes look after a database.

mod jobs;
mod runner;
mod signal;
mod slots;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub use jobs::{Job, MaintenanceOptions};
pub use runner::MaintenanceOutcome;

use crate::db::lock;
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::fork::Owned;
use crate::policy::schedule::{Due, End, Run, Schedule};
use crate::record::shape;
use crate::store::Store;
use crate::time::Timestamp;
use crate::transfer::{OnProgress, Progress};
use jobs::{Plan, Rows, Task};
use runner::{Memory, Runner};
use signal::Signal;
use slots::{Ended, Slot};

shape! { output:
/// A job of maintenance: when it ran, how that ended, when it runs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceJob {
    /// The job.
    pub job: Job,
    /// The database that it works on; `None`: each process does it for itself, and this is about the present one.
    pub database: Option<Database>,
    /// When it is due: the cron expression of this store's maintenance, else that of who ran it last; `None`: nobody
    /// has.
    pub schedule: Option<String>,
    /// The time zone of the expression.
    pub timezone: Option<String>,
    /// When the last run was due; `None`: it never ran.
    pub slot: Option<Timestamp>,
    /// How often that slot was begun: more than 1 after failures and interruptions.
    pub attempt: u32,
    /// Host and process of the last run.
    pub runner: Option<String>,
    /// When the last run began.
    pub started_at: Option<Timestamp>,
    /// When it ended; `None`: it has not, or was interrupted.
    pub ended_at: Option<Timestamp>,
    /// Whether it runs at this moment.
    pub running: bool,
    /// When a run succeeded last.
    pub succeeded_at: Option<Timestamp>,
    /// What the last failure was; it stays after a success.
    pub error: Option<String>,
    /// When that was.
    pub error_at: Option<Timestamp>,
    /// When it is due next; in the past: it is due.
    pub next: Option<Timestamp>,
    /// Why retention deletes no messages: older ones moved in, and nobody has said yes.
    pub waiting: Option<String>,
}
}

shape! { output:
/// What became of a job that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceRun {
    /// The job.
    pub job: Job,
    /// The database that it worked on; `None`: it is each process's own.
    pub database: Option<Database>,
    /// When it was due; `None`: it was not begun.
    pub slot: Option<Timestamp>,
    /// How often the slot was begun.
    pub attempt: u32,
    /// How it ended.
    pub outcome: MaintenanceOutcome,
    /// Why it failed.
    pub error: Option<String>,
    /// Rows that were older than their window before it began, without messages that wait. None: it deletes nothing.
    pub due: Option<u64>,
    /// Rows that it deleted. None: it deletes nothing, or did not come to that.
    pub deleted: Option<u64>,
    /// Why no messages were deleted: older ones moved in, and nobody has said yes.
    pub waiting: Option<String>,
}
}

impl MaintenanceRun {
    fn of(task: Task, run: Option<Run>, outcome: MaintenanceOutcome) -> Self {
        MaintenanceRun {
            job: task.job,
            database: task.database,
            slot: run.map(|run| run.slot),
            attempt: run.map_or(0, |run| run.attempt),
            outcome,
            error: None,
            due: None,
            deleted: None,
            waiting: None,
        }
    }

    fn scheduled(task: Task, slot: Option<Timestamp>, rows: Rows) -> Self {
        let Rows { due, deleted, waiting } = rows;
        let run = Self::of(task, None, MaintenanceOutcome::Scheduled);
        MaintenanceRun { slot, due, deleted, waiting, ..run }
    }

    fn ended(task: Task, run: Run, ended: Ended, rows: Rows) -> Self {
        let (outcome, error) = match ended {
            Ended::Done => (MaintenanceOutcome::Done, None),
            Ended::Stopped => (MaintenanceOutcome::Stopped, None),
            Ended::Failed { error, .. } => (MaintenanceOutcome::Failed, Some(error)),
        };
        let Rows { due, deleted, waiting } = rows;
        MaintenanceRun { error, due, deleted, waiting, ..Self::of(task, Some(run), outcome) }
    }
}

/// How long a job may take to notice that it shall stop, before the store goes on without it.
const GRACE: Duration = Duration::from_secs(1);

/// The thread of a store's maintenance. Whoever uses the store shares it; the thread itself does not, so it ends with
/// the last user.
pub(crate) struct Keeper {
    at_work: Owned<Mutex<Option<AtWork>>>,
}

struct AtWork {
    thread: JoinHandle<()>,
    signal: Arc<Signal>,
    plan: Arc<Plan>,
    memory: Arc<Memory>,
    /// The clock calls it as long as it is here.
    _wake: Arc<dyn Fn() + Send + Sync>,
}

impl Keeper {
    pub(crate) fn new() -> Self {
        Keeper { at_work: Owned::new(Mutex::default()) }
    }

    /// Tells the thread to stop and waits for it a moment. One that waits for a server ends by itself later, and finds
    /// the store closed.
    pub(crate) fn stop(&self) {
        // A fork has no thread to wait for, and a lock that this one held when the process forked is held for ever.
        if !self.at_work.process().is_current() {
            return;
        }
        let Some(at_work) = lock(&self.at_work).take() else { return };
        at_work.signal.stop();
        if at_work.signal.has_ended_within(GRACE) {
            // A panic of a job was caught; of one of the thread itself nobody needs to hear.
            let _ = at_work.thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tells that the thread has ended, however it did.
struct Ending(Arc<Signal>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Store {
    /// Starts maintenance in a thread of this store: retention, months ahead, uses of API keys, statistics, each by its
    /// schedule. It ends with [`stop_maintenance`](Self::stop_maintenance) or with the store.
    ///
    /// Any number of processes may run it on the same databases: one of them runs a slot. What was missed while nobody
    /// ran is made up for once; but what deletes has its first run in the next slot, so that it can be seen before
    /// ([`retention_status`](Self::retention_status)). A job that fails is tried again within its slot if that may help, and never keeps another
    /// one from running.
    ///
    /// # Errors
    /// `InvalidArgument` naming the job for what is no schedule or time zone, `Conflict` when it runs already.
    pub fn start_maintenance(&self, options: &MaintenanceOptions) -> Result<()> {
        let during = |e: Error| e.during("start_maintenance");
        self.database(Database::Main).usable().map_err(during)?;
        let plan = Arc::new(Plan::new(self, options).map_err(during)?);
        let Some(keeper) = self.keeper() else { return Ok(()) };
        let mut at_work = lock(&keeper.at_work);
        if at_work.is_some() {
            return Err(during(Error::new(Kind::Conflict, "maintenance runs already; stop it first")));
        }
        let (signal, memory) = (Arc::new(Signal::default()), Arc::new(Memory::default()));
        let runner = Runner {
            store: self.without_keeper(),
            plan: Arc::clone(&plan),
            memory: Arc::clone(&memory),
            signal: Arc::clone(&signal),
        };
        let ending = Ending(Arc::clone(&signal));
        let thread = std::thread::Builder::new()
            .name("openwa-upkeep".to_owned())
            .spawn(move || {
                let _ending = ending;
                runner.work();
                drop(runner);
            })
            .map_err(|e| during(e.into()))?;
        let woken = Arc::clone(&signal);
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || woken.wake());
        self.env().config.clock.on_set(Arc::downgrade(&wake));
        *at_work = Some(AtWork { thread, signal, plan, memory, _wake: wake });
        Ok(())
    }

    /// Stops maintenance: a job that runs ends after its next step, and goes on when maintenance is started again. Does
    /// nothing when it does not run.
    ///
    /// # Errors
    /// `Forked`, `Closed`.
    pub fn stop_maintenance(&self) -> Result<()> {
        self.database(Database::Main).usable().map_err(|e| e.during("stop_maintenance"))?;
        if let Some(keeper) = self.keeper() {
            keeper.stop();
        }
        Ok(())
    }

    /// Runs what is due now and returns: maintenance for a host that has its own scheduler, such as cron. With `job`, runs
    /// that one, due or not. The answer has one entry for each job that was run at a place, and says how it ended and how
    /// many rows it deleted; a failure of one keeps no other from running. One that deletes and never ran is `scheduled`.
    /// The progress counts each job's steps, with its name for a table; of one that deletes, it first tells of how many
    /// rows.
    ///
    /// # Errors
    /// `InvalidArgument` as [`start_maintenance`](Self::start_maintenance), and for a job that has no schedule; `Closed`.
    pub fn run_maintenance(
        &self,
        options: &MaintenanceOptions,
        job: Option<Job>,
        mut progress: OnProgress<'_>,
    ) -> Result<Vec<MaintenanceRun>> {
        let during = |e: Error| e.during("run_maintenance");
        self.database(Database::Main).usable().map_err(during)?;
        let plan = Plan::new(self, options).map_err(during)?;
        if let Some(job) = job
            && !plan.tasks.iter().any(|(task, _)| task.job == job)
        {
            let text =
                format!("there is no {job} here: it has no schedule, or nothing to do on this database");
            return Err(during(Error::invalid("job", text)));
        }
        let signal = Arc::new(Signal::default());
        let runner = Runner {
            store: self.without_keeper(),
            plan: Arc::new(plan),
            memory: self.at_work(|at_work| Arc::clone(&at_work.memory)).unwrap_or_default(),
            signal: Arc::clone(&signal),
        };
        let mut tell = |task: Task, rows, total| {
            let flow = progress.as_mut().map_or(ControlFlow::Continue(()), |tell| {
                tell(Progress { table: task.job.name(), rows, total })
            });
            if flow.is_break() {
                signal.stop();
            }
            flow
        };
        let wanted = |task: &Task| job.is_none_or(|job| job == task.job);
        Ok(runner.run_once(wanted, job.is_some(), &mut tell))
    }

    /// The jobs of maintenance: when each ran last, how that ended, when it runs next. Jobs of all processes that share
    /// the databases are among them, whether or not this one runs any.
    ///
    /// # Errors
    /// `Closed`. A database that cannot be asked shows in the errors of its jobs.
    pub fn maintenance(&self) -> Result<Vec<MaintenanceJob>> {
        self.database(Database::Main).usable().map_err(|e| e.during("maintenance"))?;
        let (plan, memory) = self
            .at_work(|at_work| (Some(Arc::clone(&at_work.plan)), Arc::clone(&at_work.memory)))
            .unwrap_or_default();
        let tell = |task: Task| {
            let schedule = plan.as_ref().and_then(|plan| plan.schedule(task));
            self.maintenance_job(task, schedule, &memory)
        };
        Ok(jobs::tasks(self).into_iter().map(tell).collect())
    }

    fn maintenance_job(&self, task: Task, schedule: Option<&Schedule>, memory: &Memory) -> MaintenanceJob {
        let slot = match task.database {
            None => Ok(memory.own(task)),
            Some(which) => self.database(which).read(|conn| slots::read(conn, task.job)),
        };
        let (slot, mut trouble) = match slot {
            Ok(slot) => (slot, memory.trouble(task)),
            Err(e) => (None, Some((self.env().now(), runner::told(&e)))),
        };
        let schedule = schedule.cloned().or_else(|| {
            let slot = slot.as_ref()?;
            Schedule::parse(&slot.schedule, &slot.timezone).ok()
        });
        let running = slot.as_ref().is_some_and(|slot| slot.last.end == End::Open && self.is_at_it(task));
        let next = schedule.as_ref().and_then(|schedule| next_of(schedule, slot.as_ref(), self.env().now()));
        // What is kept with the last run is older than what keeps it from being looked at.
        if let (None, Some(slot)) = (&trouble, &slot) {
            trouble = slot.error_at.zip(slot.error.clone());
        }
        let noted = slot.as_ref().map_or(0, |s| s.last.attempt) == 0;
        let windows = self.at_work(|at_work| at_work.plan.windows).unwrap_or_default();
        let waits = (task.job, task.database) == (Job::Retention, Some(Database::Data));
        // Trouble of the database is told already.
        let waiting = if waits { self.retention_waits(&windows).unwrap_or(None) } else { None };
        // Of one that was only noted there is no run to tell of.
        let slot = slot.filter(|_| !noted);
        MaintenanceJob {
            waiting,
            job: task.job,
            database: task.database,
            schedule: schedule.as_ref().map(|s| s.expression().to_owned()),
            timezone: schedule.as_ref().map(|s| s.timezone().to_owned()),
            slot: slot.as_ref().map(|s| s.last.slot),
            attempt: slot.as_ref().map_or(0, |s| s.last.attempt),
            runner: slot.as_ref().map(|s| s.runner.clone()),
            started_at: slot.as_ref().map(|s| s.started_at),
            ended_at: slot.as_ref().and_then(|s| s.ended_at),
            running,
            succeeded_at: slot.as_ref().and_then(|s| s.succeeded_at),
            error_at: trouble.as_ref().map(|(at, _)| *at),
            error: trouble.map(|(_, error)| error),
            next,
        }
    }

    /// Whether somebody holds the job's turn.
    fn is_at_it(&self, task: Task) -> bool {
        task.database.is_none_or(|which| !matches!(self.database(which).turn(task.turn()), Ok(Some(_))))
    }

    fn at_work<T>(&self, f: impl FnOnce(&AtWork) -> T) -> Option<T> {
        lock(&self.keeper()?.at_work).as_ref().map(f)
    }
}

/// When a job is due next.
fn next_of(schedule: &Schedule, slot: Option<&Slot>, now: Timestamp) -> Option<Timestamp> {
    match (schedule.due(slot.map(|slot| &slot.last), now), slot) {
        (_, Some(slot)) if slot.last.end == End::Open => schedule.next(now.max(slot.last.slot)),
        (Due::Run(run), _) => Some(run.slot),
        (Due::Wait(at), _) => Some(at),
    }
}
