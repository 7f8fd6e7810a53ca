//! Who runs what is due.
//!
//! Of any number of processes one runs a slot: it holds the job's turn, a lock that the system or the server takes back
//! when its holder dies, and notes the slot in the table before it begins. No clock decides whether a runner still
//! lives. A row that says "begun" while nobody holds the turn is a run that was interrupted.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::MaintenanceRun;
use super::jobs::{Plan, Rows, Task};
use super::signal::Signal;
use super::slots::{self, Ended, Slot};
use crate::db::lock;
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::observe;
use crate::policy::schedule::{Due, Schedule};
use crate::store::Store;
use crate::time::Timestamp;
use crate::value::names;

names! {
    /// How a run of a job ended.
    pub enum MaintenanceOutcome {
        /// It is done.
        Done = "done",
        /// It was stopped on request; what it did stays done.
        Stopped = "stopped",
        /// It failed; the error says why.
        Failed = "failed",
        /// Another process is running it.
        Elsewhere = "elsewhere",
        /// It never ran, and its first run waits for its slot: `slot` says when that is, `due` what it would delete now.
        Scheduled = "scheduled",
    }
}

/// How often the runner looks although nothing is due: the clock may have been set, another runner may have died.
const LOOK: Duration = Duration::from_secs(60);

/// Host and process, for people.
fn name() -> String {
    format!("{}:{}", gethostname::gethostname().to_string_lossy(), std::process::id())
}

/// What this process knows by itself.
#[derive(Default)]
pub(super) struct Memory {
    /// Jobs that are each process's own.
    own: Mutex<HashMap<Task, Slot>>,
    /// Why a job could not even be looked at.
    troubles: Mutex<HashMap<Task, (Timestamp, String)>>,
}

impl Memory {
    pub(super) fn own(&self, task: Task) -> Option<Slot> {
        lock(&self.own).get(&task).cloned()
    }

    pub(super) fn trouble(&self, task: Task) -> Option<(Timestamp, String)> {
        lock(&self.troubles).get(&task).cloned()
    }
}

/// Looks after one store.
pub(super) struct Runner {
    pub(super) store: Store,
    pub(super) plan: Arc<Plan>,
    pub(super) memory: Arc<Memory>,
    pub(super) signal: Arc<Signal>,
}

/// Hears what is done of how much.
pub(super) type Tell<'a> = &'a mut dyn FnMut(Task, u64, Option<u64>) -> ControlFlow<()>;

/// What became of a task.
enum Looked {
    Ran(MaintenanceRun),
    /// Nothing to do before this time.
    Wait(Timestamp),
    /// Somebody else is at it.
    Elsewhere,
}

impl Runner {
    /// Looks, runs and sleeps until it is told to stop.
    pub(super) fn work(&self) {
        while !self.signal.is_stopped() {
            let next = self.run_due();
            let now = self.store.env().now();
            let left = u64::try_from(next.millis() - now.millis()).unwrap_or(0);
            self.signal.sleep(Duration::from_millis(left).min(LOOK));
        }
    }

    /// Runs all that is due, and says when to look again.
    fn run_due(&self) -> Timestamp {
        let mut next = Timestamp::MAX;
        for (task, schedule) in &self.plan.tasks {
            if self.signal.is_stopped() {
                break;
            }
            let looked = self.look(*task, schedule, false, &mut |_, _, _| ControlFlow::Continue(()));
            let at = match looked {
                Ok(Looked::Wait(at)) => at,
                // Its next slot may have come meanwhile.
                Ok(Looked::Ran(_)) => self.store.env().now(),
                Ok(Looked::Elsewhere) | Err(_) => self.store.env().now().plus(LOOK),
            };
            next = next.min(at);
        }
        next
    }

    /// Runs each task that is due, or all of `tasks` if `asked`, and answers how they ended.
    pub(super) fn run_once(
        &self,
        wanted: impl Fn(&Task) -> bool,
        asked: bool,
        tell: Tell<'_>,
    ) -> Vec<MaintenanceRun> {
        let mut runs = Vec::new();
        for (task, schedule) in self.plan.tasks.iter().filter(|(task, _)| wanted(task)) {
            if self.signal.is_stopped() {
                break;
            }
            let run = match self.look(*task, schedule, asked, tell) {
                Ok(Looked::Ran(run)) => run,
                Ok(Looked::Wait(_)) => continue,
                Ok(Looked::Elsewhere) => MaintenanceRun::of(*task, None, MaintenanceOutcome::Elsewhere),
                Err(e) => MaintenanceRun {
                    error: Some(told(&e)),
                    ..MaintenanceRun::of(*task, None, MaintenanceOutcome::Failed)
                },
            };
            runs.push(run);
        }
        runs
    }

    /// Runs a task if it is due, or `asked` for.
    fn look(&self, task: Task, schedule: &Schedule, asked: bool, tell: Tell<'_>) -> Result<Looked> {
        let looked = match task.database {
            None => Ok(self.look_here(task, schedule, asked, tell)),
            Some(which) => self.look_in(which, task, schedule, asked, tell),
        };
        let mut troubles = lock(&self.memory.troubles);
        match &looked {
            Ok(_) => troubles.remove(&task),
            Err(e) => troubles.insert(task, (self.store.env().now(), told(e))),
        };
        looked
    }

    /// A job whose slots are kept in a database.
    fn look_in(
        &self,
        which: Database,
        task: Task,
        schedule: &Schedule,
        asked: bool,
        tell: Tell<'_>,
    ) -> Result<Looked> {
        let (database, now) = (self.store.database(which), self.store.env().now());
        let last = database.read(|conn| slots::read(conn, task.job))?.map(|slot| slot.last);
        if let (Due::Wait(until), false) = (schedule.due(last.as_ref(), now), asked) {
            return Ok(Looked::Wait(until));
        }
        if last.is_none() && !asked && task.scope().is_some() {
            return self.first_look(which, task, schedule, now);
        }
        let Some(_turn) = database.turn(task.turn())? else { return Ok(Looked::Elsewhere) };
        let schedule = schedule.clone();
        let claim = self.store.write_to(which, "maintenance.claim", move |conn, env| {
            slots::claim(conn, task.job, &schedule, &name(), env.now(), asked)
        });
        // Somebody has run it between our look and our turn.
        let Some(run) = claim.wait()? else { return Ok(Looked::Wait(now.plus(Duration::from_secs(1)))) };
        let (ended, rows) = self.perform(task, tell);
        let noted = ended.clone();
        self.store
            .write_to(which, "maintenance.finish", move |conn, env| {
                slots::finish(conn, task.job, run, &name(), env.now(), &noted)
            })
            .wait()?;
        Ok(Looked::Ran(MaintenanceRun::ended(task, run, ended, rows)))
    }

    /// Notes from when on a job's slots count that has never run: what it deletes shall be seen before.
    fn first_look(&self, which: Database, task: Task, schedule: &Schedule, now: Timestamp) -> Result<Looked> {
        let noted = schedule.clone();
        self.store
            .write_to(which, "maintenance.note", move |conn, _| {
                slots::note(conn, task.job, &noted, &name(), now)
            })
            .wait()?;
        let rows = task.preview(&self.store, &self.plan)?;
        Ok(Looked::Ran(MaintenanceRun::scheduled(task, schedule.next(now), rows)))
    }

    /// A job of this process's own.
    fn look_here(&self, task: Task, schedule: &Schedule, asked: bool, tell: Tell<'_>) -> Looked {
        let (before, now) = (self.memory.own(task), self.store.env().now());
        let last = before.as_ref().map(|slot| slot.last);
        let run = match schedule.due(last.as_ref(), now) {
            Due::Run(run) => run,
            Due::Wait(_) if asked => slots::unasked(schedule, last.as_ref(), now),
            Due::Wait(until) => return Looked::Wait(until),
        };
        let mut slot = Slot::begun(schedule, run, &name(), now, before);
        lock(&self.memory.own).insert(task, slot.clone());
        let (ended, rows) = self.perform(task, tell);
        slot.end(run, &ended, self.store.env().now());
        lock(&self.memory.own).insert(task, slot);
        Looked::Ran(MaintenanceRun::ended(task, run, ended, rows))
    }

    /// Does the work, whatever goes wrong in it.
    fn perform(&self, task: Task, tell: Tell<'_>) -> (Ended, Rows) {
        let mut tell = |done, total| {
            if self.signal.is_stopped() { ControlFlow::Break(()) } else { tell(task, done, total) }
        };
        let mut rows = Rows::default();
        let (_span, start) = (observe::maintaining(task.job.name(), task.database), Instant::now());
        let done =
            catch_unwind(AssertUnwindSafe(|| task.perform(&self.store, &self.plan, &mut tell, &mut rows)))
                .unwrap_or_else(|_| Err(Error::new(Kind::Internal, "the job panicked")));
        let failed = done.as_ref().err().map(Error::kind);
        let (ended, outcome) = match done {
            Ok(ControlFlow::Continue(())) => (Ended::Done, MaintenanceOutcome::Done),
            Ok(ControlFlow::Break(())) => (Ended::Stopped, MaintenanceOutcome::Stopped),
            Err(e) => {
                (Ended::Failed { error: told(&e), retryable: e.retryable() }, MaintenanceOutcome::Failed)
            }
        };
        observe::maintained(task.job.name(), outcome.name(), failed, start.elapsed());
        (ended, rows)
    }
}

/// An error as it is kept: its kind, and what it tells people.
pub(super) fn told(e: &Error) -> String {
    format!("{}: {e}", e.kind().name())
}
