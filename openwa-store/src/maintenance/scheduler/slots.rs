//! The table that says what each job did last. Who holds the turn of a job reads and writes its row.

use super::jobs::Job;
use crate::db::Conn;
use crate::error::{Error, Kind, Result};
use crate::policy::schedule::{self, Due, End, Last, Run, Schedule};
use crate::time::Timestamp;
use crate::value::{Column, Value};

/// What is known of a job's last run.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) schedule: String,
    pub(super) timezone: String,
    pub(super) last: Last,
    pub(super) runner: String,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) succeeded_at: Option<Timestamp>,
    pub(super) error: Option<String>,
    pub(super) error_at: Option<Timestamp>,
}

const FIND: &str = "SELECT schedule, timezone, slot, back, attempt, runner, started_at, ended_at, retry_at,
           succeeded_at, error, error_at
      FROM openwa_maintenance WHERE job = ?1";

/// The last run of a job.
pub(super) fn read(conn: &dyn Conn, job: Job) -> Result<Option<Slot>> {
    find(conn, FIND, job)
}

fn find(conn: &dyn Conn, sql: &str, job: Job) -> Result<Option<Slot>> {
    conn.first(sql, &[Value::Text(job.name())], |row| {
        let text = |i| if let Value::Text(s) = row.get(i) { s.to_owned() } else { String::new() };
        let time = |i| Option::<Timestamp>::read(row.get(i)).flatten();
        let known = |i| time(i).ok_or_else(|| unreadable(job));
        let ended_at = time(7);
        let end = match (ended_at, time(8)) {
            (None, _) => End::Open,
            (Some(_), Some(at)) => End::Again(at),
            (Some(_), None) => End::Final,
        };
        let attempt = i64::read(row.get(4)).and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
        Ok(Slot {
            schedule: text(0),
            timezone: text(1),
            last: Last { slot: known(2)?, back: time(3), attempt, end },
            runner: text(5),
            started_at: known(6)?,
            ended_at,
            succeeded_at: time(9),
            error: Some(text(10)).filter(|e| !e.is_empty()),
            error_at: time(11),
        })
    })
}

fn unreadable(job: Job) -> Error {
    Error::new(Kind::Unreadable, "what a job did last cannot be read")
        .with("table", "openwa_maintenance")
        .with("row", job)
}

/// Takes the run that is due; `None`: somebody has taken it. With `whether_due_or_not` there is always one.
pub(super) fn claim(
    conn: &dyn Conn,
    job: Job,
    schedule: &Schedule,
    runner: &str,
    now: Timestamp,
    whether_due_or_not: bool,
) -> Result<Option<Run>> {
    let last = find(conn, &conn.dialect().locking(FIND), job)?.map(|slot| slot.last);
    let run = match schedule.due(last.as_ref(), now) {
        Due::Run(run) => run,
        Due::Wait(_) if whether_due_or_not => unasked(schedule, last.as_ref(), now),
        Due::Wait(_) => return Ok(None),
    };
    let sql = "INSERT INTO openwa_maintenance (job, schedule, timezone, slot, back, attempt, runner, started_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (job) DO UPDATE SET schedule = excluded.schedule, timezone = excluded.timezone,
                 slot = excluded.slot, back = excluded.back, attempt = excluded.attempt, runner = excluded.runner,
                 started_at = excluded.started_at, ended_at = NULL, retry_at = NULL";
    conn.execute(
        sql,
        &[
            Value::Text(job.name()),
            Value::Text(schedule.expression()),
            Value::Text(schedule.timezone()),
            Value::Time(run.slot),
            run.back.map_or(Value::Null, Value::Time),
            Value::Int(run.attempt.into()),
            Value::Text(runner),
            Value::Time(now),
        ],
    )?;
    Ok(Some(run))
}

/// Notes that a job is looked after from now on; its attempts are none until a slot comes.
pub(super) fn note(
    conn: &dyn Conn,
    job: Job,
    schedule: &Schedule,
    runner: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO openwa_maintenance (job, schedule, timezone, slot, attempt, runner, started_at, ended_at)
               VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?6) ON CONFLICT (job) DO NOTHING";
    conn.execute(
        sql,
        &[
            Value::Text(job.name()),
            Value::Text(schedule.expression()),
            Value::Text(schedule.timezone()),
            Value::Time(schedule.latest(now).unwrap_or(now)),
            Value::Text(runner),
            Value::Time(now),
        ],
    )?;
    Ok(())
}

/// A run that somebody asked for takes the place of the slot's own.
pub(super) fn unasked(schedule: &Schedule, last: Option<&Last>, now: Timestamp) -> Run {
    let slot = schedule.latest(now).unwrap_or(now);
    match last {
        Some(last) if last.slot == slot => {
            Run { slot, attempt: last.attempt.saturating_add(1), back: last.back }
        }
        last => Run { slot, attempt: 1, back: last.and_then(|last| last.back) },
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    Done,
    /// On request; another runner may go on at once.
    Stopped,
    Failed {
        error: String,
        retryable: bool,
    },
}

impl Ended {
    /// When it is to be repeated.
    pub(super) fn retry_at(&self, run: Run, now: Timestamp) -> Option<Timestamp> {
        match self {
            Ended::Stopped => Some(now),
            Ended::Failed { retryable: true, .. } => Some(now.plus(schedule::pause(run.attempt))),
            Ended::Done | Ended::Failed { .. } => None,
        }
    }
}

/// Notes how a run ended, unless somebody else has begun another one meanwhile.
pub(super) fn finish(
    conn: &dyn Conn,
    job: Job,
    run: Run,
    runner: &str,
    now: Timestamp,
    ended: &Ended,
) -> Result<()> {
    let error = if let Ended::Failed { error, .. } = ended { Value::Text(error) } else { Value::Null };
    let succeeded = if matches!(ended, Ended::Done) { Value::Time(now) } else { Value::Null };
    let sql = "UPDATE openwa_maintenance
                  SET ended_at = ?1, retry_at = ?2, succeeded_at = coalesce(?3, succeeded_at),
                      error = coalesce(?4, error), error_at = CASE WHEN ?4 IS NULL THEN error_at ELSE ?1 END
                WHERE job = ?5 AND slot = ?6 AND attempt = ?7 AND runner = ?8";
    conn.execute(
        sql,
        &[
            Value::Time(now),
            ended.retry_at(run, now).map_or(Value::Null, Value::Time),
            succeeded,
            error,
            Value::Text(job.name()),
            Value::Time(run.slot),
            Value::Int(run.attempt.into()),
            Value::Text(runner),
        ],
    )?;
    Ok(())
}

impl Slot {
    /// A run that begins, of a job that is kept in memory.
    pub(super) fn begun(
        schedule: &Schedule,
        run: Run,
        runner: &str,
        now: Timestamp,
        before: Option<Slot>,
    ) -> Self {
        Slot {
            schedule: schedule.expression().to_owned(),
            timezone: schedule.timezone().to_owned(),
            last: Last { slot: run.slot, back: run.back, attempt: run.attempt, end: End::Open },
            runner: runner.to_owned(),
            started_at: now,
            ended_at: None,
            succeeded_at: before.as_ref().and_then(|slot| slot.succeeded_at),
            error_at: before.as_ref().and_then(|slot| slot.error_at),
            error: before.and_then(|slot| slot.error),
        }
    }

    /// How it ended; what [`finish`] does with a row.
    pub(super) fn end(&mut self, run: Run, ended: &Ended, now: Timestamp) {
        self.ended_at = Some(now);
        self.last.end = ended.retry_at(run, now).map_or(End::Final, End::Again);
        match ended {
            Ended::Done => self.succeeded_at = Some(now),
            Ended::Failed { error, .. } => (self.error, self.error_at) = (Some(error.clone()), Some(now)),
            Ended::Stopped => {}
        }
    }
}
