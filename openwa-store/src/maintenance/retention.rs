//! Retention: what is older than its window goes, in small transactions, so that no writer waits long for it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::delete;
use super::old::{Old, Plan, plan};
#[cfg(feature = "postgres")]
use super::partitions;
use super::space::{self, Pace};
use crate::db::Conn;
use crate::entity::Database;
use crate::error::Result;
use crate::json::Json;
use crate::observe;
use crate::policy::retention::{self as rules, Passed, Windows};
use crate::record::shape;
use crate::repo::logs::{self, AuditFilter, NewAuditLog};
use crate::repo::paging::PageRequest;
use crate::repo::retention::{self as moves, MovedIn};
use crate::repo::sessions;
use crate::schema;
use crate::store::{Env, Store};
use crate::text::Text;
use crate::time::{Timestamp, Uptime};
use crate::value::{Column, Value};

/// What a run of retention goes by.
#[derive(Clone, Debug, Default)]
pub struct RetentionOptions {
    /// How long each kind of row is kept. A session may have its own window for messages in its settings
    /// (`{"retention": {"messages": 90}}`, in days).
    pub windows: Windows,
    /// Stands for the present; `None`: the store's clock.
    pub now: Option<Timestamp>,
    /// Runs although the clock looks as if it had jumped.
    pub force: bool,
}

shape! { output:
/// What a run of retention did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionReport {
    /// Rows deleted per table.
    pub tables: Vec<(&'static str, u64)>,
    /// Bytes by which the databases shrank.
    pub bytes_freed: u64,
    /// Another process is at it; this one did nothing.
    pub already_running: bool,
    /// The callback stopped it. What was deleted so far stays deleted.
    pub stopped: bool,
    /// Why no messages are deleted: older ones moved in, and nobody has said yes
    /// ([`accept_retention`](Store::accept_retention)). None: nothing waits.
    pub waiting: Option<String>,
}
}

shape! { output:
/// What retention is about to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionStatus {
    /// How long messages are kept, unless their session says otherwise. None: for ever.
    pub window: Option<Duration>,
    /// Rows per table that are older than their window, messages that wait among them.
    pub tables: Vec<(&'static str, u64)>,
    /// When the oldest message that would go was stored. None: none would.
    pub oldest: Option<Timestamp>,
    /// Why no messages are deleted. None: nothing waits, the next run deletes them.
    pub waiting: Option<String>,
    /// Messages that moved in since the last yes.
    pub moved: Vec<MovedIn>,
    /// When somebody last said yes. None: nobody has.
    pub accepted_at: Option<Timestamp>,
    /// When retention last ran. None: never.
    pub last_run: Option<Timestamp>,
}
}

impl RetentionReport {
    /// Rows deleted in all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, n)| n).sum()
    }

    fn add(&mut self, table: &'static str, rows: u64) {
        match self.tables.iter_mut().find(|(t, _)| *t == table) {
            Some((_, n)) => *n += rows,
            None => self.tables.push((table, rows)),
        }
    }
}

/// Hears after each transaction which table is being cleaned and how many of its rows are gone.
pub type RetentionProgress<'a> = &'a mut dyn FnMut(&'static str, u64) -> ControlFlow<()>;

/// The guard against a jumped clock takes shorter windows for this long, or a gateway that was off for a long
/// weekend would need a person to clean its 24-hour tables.
const GUARDED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The action under which a run is audited; the last one tells when retention last ran.
const ACTION: &str = "retention.run";

/// Which rows a run is about. The two databases need not be cleaned by the same process: any number of hosts may share
/// Data, and each has a Main of its own.
pub(super) struct Scope {
    databases: &'static [Database],
    /// Only this table; `None`: all.
    table: Option<&'static str>,
}

/// The lock that says who runs.
pub(super) const TURN: &str = "retention";

const EVERYTHING: Scope = Scope { databases: &[Database::Data, Database::Main], table: None };

impl Scope {
    /// All that grows old in one database.
    pub(super) const fn of(which: Database) -> Self {
        let databases: &[Database] = match which {
            Database::Data => &[Database::Data],
            Database::Main => &[Database::Main],
        };
        Scope { databases, table: None }
    }

    /// Idempotency keys, of which many come and soon go.
    pub(super) const IDEMPOTENCY: Self =
        Scope { databases: &[Database::Data], table: Some("webhook_idempotency") };

    fn has(&self, old: &Old<'_>) -> bool {
        self.databases.contains(&old.database) && self.table.is_none_or(|table| table == old.table)
    }

    /// Whether messages are among it.
    fn has_messages(&self) -> bool {
        self.databases.contains(&Database::Data) && self.table.is_none()
    }
}

impl Store {
    /// Counts what [`run_retention`](Self::run_retention) would delete, and deletes nothing.
    ///
    /// # Errors
    /// `InvalidArgument` for a session whose settings have a window that makes no sense, and those of the database.
    pub fn retention_preview(&self, options: &RetentionOptions) -> Result<RetentionReport> {
        self.count_old(&EVERYTHING, options).map_err(|e| e.during("retention.preview"))
    }

    /// What retention is about to do: how many rows are older than their window, and whether messages wait for a yes.
    ///
    /// # Errors
    /// As [`retention_preview`](Self::retention_preview).
    pub fn retention_status(&self, options: &RetentionOptions) -> Result<RetentionStatus> {
        let status = || {
            let (plan, _) = self.retention_plan(&EVERYTHING, options)?;
            let data = self.database(Database::Data);
            let (moved, accepted_at) =
                data.read(|conn| Ok((moves::moved(conn)?, moves::accepted_at(conn)?)))?;
            let mut oldest: Option<Timestamp> = None;
            for (old, _) in plan.old.iter().filter(|(old, _)| old.table == MESSAGES) {
                let sql = format!("SELECT min({}) FROM {MESSAGES} WHERE {}", old.time, old.filter);
                let first =
                    data.read(|conn| conn.first(&sql, &old.values, |row| Ok(Timestamp::read(row.get(0)))))?;
                oldest = oldest.into_iter().chain(first.flatten()).min();
            }
            Ok(RetentionStatus {
                window: options.windows.messages,
                tables: self.count(&plan)?.tables,
                oldest,
                waiting: waiting(&plan, &moved),
                moved,
                accepted_at,
                last_run: self.last_retention()?,
            })
        };
        status().map_err(|e: crate::Error| e.during("retention.status"))
    }

    /// Says yes to retention: messages that moved in go with the next run if they are older than their window, and the
    /// clock is right as it stands, however far it has jumped. Answers what had moved in.
    ///
    /// # Errors
    /// Those of the database.
    pub fn accept_retention(&self) -> Result<Vec<MovedIn>> {
        let (now, uptime) = (self.env().now(), self.env().config.clock.uptime());
        let passed = Passed::accepted(now, uptime);
        let accept = |which: Database| {
            let passed = passed.clone();
            self.write_to(which, "retention.accept", move |conn, _| {
                moves::accept(conn, &passed, which == Database::Data)
            })
            .wait()
        };
        // Data last: who is interrupted says yes again.
        accept(Database::Main)?;
        let moved = accept(Database::Data)?;
        let messages: u64 = moved.iter().map(|m| m.messages).sum();
        let entry = NewAuditLog {
            action: Text::from("retention.accept"),
            metadata: Some(Json::from(serde_json::json!({ "messages": messages }))),
            ..NewAuditLog::default()
        };
        self.write_main("retention.accept", move |conn, env| logs::audit(conn, &env.ids, &entry, now))
            .wait()?;
        Ok(moved)
    }

    /// How many rows a run would delete.
    pub(super) fn count_old(&self, scope: &Scope, options: &RetentionOptions) -> Result<RetentionReport> {
        let (mut plan, _) = self.retention_plan(scope, options)?;
        let waiting = self.hold_messages(&mut plan)?;
        Ok(RetentionReport { waiting, ..self.count(&plan)? })
    }

    fn count(&self, plan: &Plan) -> Result<RetentionReport> {
        let mut report = RetentionReport::default();
        let mut seen_twice = 0;
        for (old, _) in &plan.old {
            let sql = format!("SELECT count(*) FROM {} WHERE {}", old.table, old.filter);
            let n = self.database(old.database).read(|conn| conn.integer(&sql, &old.values))?;
            // A message may be found by both of its indexes; it is counted by the second.
            if old.table == "messages" && !old.filter.contains("created_at < wa_timestamp") {
                let both = format!("{sql} AND created_at < wa_timestamp");
                seen_twice = self.database(old.database).read(|conn| conn.integer(&both, &old.values))?;
            }
            report.add(old.table, u64::try_from(n - std::mem::take(&mut seen_twice)).unwrap_or(0));
        }
        Ok(report)
    }

    /// Deletes what is older than its window, in transactions of a few milliseconds, and gives the space back. Of
    /// several processes one runs, the others answer `already_running`.
    ///
    /// # Errors
    /// `ClockJump` when the clock seems to have jumped and `force` is not set, `InvalidArgument` for settings that
    /// make no sense, and those of the database.
    pub fn run_retention(
        &self,
        options: &RetentionOptions,
        progress: Option<RetentionProgress<'_>>,
    ) -> Result<RetentionReport> {
        let turn = self.database(Database::Data).turn(TURN).map_err(|e| e.during("retention.run"))?;
        if turn.is_none() {
            return Ok(RetentionReport { already_running: true, ..RetentionReport::default() });
        }
        self.retention(&EVERYTHING, options, progress)
    }

    /// A run whose turn the caller has.
    pub(super) fn retention(
        &self,
        scope: &Scope,
        options: &RetentionOptions,
        progress: Option<RetentionProgress<'_>>,
    ) -> Result<RetentionReport> {
        self.clean_up(scope, options, progress).map_err(|e| e.during("retention.run"))
    }

    fn clean_up(
        &self,
        scope: &Scope,
        options: &RetentionOptions,
        progress: Option<RetentionProgress<'_>>,
    ) -> Result<RetentionReport> {
        let (mut plan, now) = self.retention_plan(scope, options)?;
        self.guard_clock(scope, &plan, now, options.force)?;
        let waiting = self.hold_messages(&mut plan)?;
        let before = self.size(scope)?;
        let report = RetentionReport { waiting, ..RetentionReport::default() };
        let mut run = Run { store: self, pace: Pace::default(), report, progress };
        if scope.has_messages() {
            self.note_cutoffs(plan.cutoffs)?;
            self.make_partitions()?;
            #[cfg(feature = "postgres")]
            run.drop_months(plan.all_before)?;
        }
        for (old, _) in &plan.old {
            if run.report.stopped || run.clean(old)?.is_break() {
                break;
            }
        }
        for which in scope.databases {
            if run.report.stopped {
                break;
            }
            let mut tell = |_, _| run.tell("free pages");
            if space::give_back(self, *which, "retention.run", &mut tell)?.is_break() {
                break;
            }
        }
        let mut report = run.report;
        report.tables.iter().for_each(|(table, rows)| observe::retired(table, *rows));
        report.bytes_freed = before.saturating_sub(self.size(scope)?);
        if scope.table.is_none() {
            self.audit_run(&report, now)?;
        }
        Ok(report)
    }

    fn retention_plan(&self, scope: &Scope, options: &RetentionOptions) -> Result<(Plan, Timestamp)> {
        let now = options.now.unwrap_or_else(|| self.env().now());
        let sessions = if scope.has_messages() {
            self.database(Database::Data).read(sessions::all_unopened)?
        } else {
            Vec::new()
        };
        let mut plan = plan(&options.windows, &sessions, now)?;
        plan.old.retain(|(old, _)| scope.has(old));
        Ok((plan, now))
    }

    /// Takes messages out of a plan while older ones have moved in and nobody has said yes, and answers why.
    fn hold_messages(&self, plan: &mut Plan) -> Result<Option<String>> {
        if !plan.old.iter().any(|(old, _)| old.table == MESSAGES) {
            return Ok(None);
        }
        let moved = self.database(Database::Data).read(moves::moved)?;
        let waiting = waiting(plan, &moved);
        if waiting.is_some() {
            plan.old.retain(|(old, _)| old.table != MESSAGES);
            plan.cutoffs.clear();
            plan.all_before = None;
        }
        Ok(waiting)
    }

    /// Why messages wait; `None`: they do not.
    pub(crate) fn retention_waits(&self, windows: &Windows) -> Result<Option<String>> {
        let options = RetentionOptions { windows: *windows, ..RetentionOptions::default() };
        let mut plan = self.retention_plan(&Scope::of(Database::Data), &options)?.0;
        self.hold_messages(&mut plan)
    }

    /// Refuses a clock that would delete more than the windows allow, in one jump or in several, and notes how time has
    /// passed. A forced run takes the clock as it is.
    fn guard_clock(&self, scope: &Scope, plan: &Plan, now: Timestamp, force: bool) -> Result<()> {
        let uptime = self.env().config.clock.uptime();
        for which in scope.databases {
            let last = self.database(*which).read(moves::passed)?;
            let passed = match last {
                _ if force => Passed::accepted(now, uptime.clone()),
                Some(last) => self.guard_passed(*which, plan, &last, now, uptime.clone())?,
                None => {
                    let last = match self.last_retention()? {
                        None => self.made_at()?,
                        last => last,
                    };
                    self.newest_old(*which, plan)?.into_iter().try_for_each(|(table, newest, window)| {
                        rules::guard(now, last, Some(newest), window).map_err(|e| e.with("table", table))
                    })?;
                    Passed::accepted(now, uptime.clone())
                }
            };
            // The hourly run of one table goes by what the others know.
            if scope.table.is_none() {
                let note = move |conn: &dyn Conn, _: &Env| moves::note_passed(conn, &passed);
                self.write_to(*which, "retention.run", note).wait()?;
            }
        }
        Ok(())
    }

    fn guard_passed(
        &self,
        which: Database,
        plan: &Plan,
        last: &Passed,
        now: Timestamp,
        uptime: Option<Uptime>,
    ) -> Result<Passed> {
        let newest = self.newest_old(which, plan)?;
        let mut passed = last.until(now, uptime, newest.iter().map(|(_, at, _)| *at).max());
        for (table, newest, window) in newest {
            rules::guard(now, Some(last.at), Some(newest), window)
                .and_then(|()| rules::guard_jumps(&passed, window))
                .map_err(|e| e.with("table", table))?;
        }
        // A long pause in which nothing grew old leaves no more than the longest window allows.
        let windows = plan.old.iter().filter(|(old, _)| old.database == which).map(|(_, window)| *window);
        passed.jumped = passed.jumped.min(windows.fold(GUARDED, Duration::max) + rules::DAY);
        Ok(passed)
    }

    /// The newest row of each set that would be deleted, and the window that the guard goes by.
    fn newest_old(&self, which: Database, plan: &Plan) -> Result<Vec<(&'static str, Timestamp, Duration)>> {
        let mut found = Vec::new();
        for (old, window) in plan.old.iter().filter(|(old, _)| old.database == which) {
            let sql = format!("SELECT max({}) FROM {} WHERE {}", old.time, old.table, old.filter);
            let newest = self.database(which).read(|conn| {
                conn.first(&sql, &old.values, |row| Ok(Option::<Timestamp>::read(row.get(0)).flatten()))
            })?;
            found.extend(newest.flatten().map(|newest| (old.table, newest, (*window).max(GUARDED))));
        }
        Ok(found)
    }

    /// When retention last ran.
    pub(crate) fn last_retention(&self) -> Result<Option<Timestamp>> {
        self.database(Database::Main).read(|conn| {
            let request = PageRequest { limit: Some(1), after: None };
            let last = logs::audited(conn, &AuditFilter::Action(ACTION.into()), &request)?;
            Ok(last.items.first().map(|run| run.created_at))
        })
    }

    /// When the database was made.
    fn made_at(&self) -> Result<Option<Timestamp>> {
        let main = self.database(Database::Main);
        let steps = main.read(|conn| schema::status(conn, Database::Main))?;
        Ok(steps.first().and_then(|step| step.applied_at))
    }

    /// Notes from where on each session's messages are kept, so that history sync does not bring back what goes.
    fn note_cutoffs(&self, cutoffs: Vec<(Uuid, Timestamp)>) -> Result<()> {
        self.write("retention.run", move |conn, _| {
            for (session, cutoff) in &cutoffs {
                conn.execute(
                    "UPDATE sessions SET retained_from = ?2
                      WHERE id = ?1 AND (retained_from IS NULL OR retained_from < ?2)",
                    &[Value::Uuid(*session), Value::Time(*cutoff)],
                )?;
            }
            Ok(())
        })
        .wait()
    }

    fn size(&self, scope: &Scope) -> Result<u64> {
        scope.databases.iter().map(|which| space::bytes_of(self, *which)).sum()
    }

    fn audit_run(&self, report: &RetentionReport, now: Timestamp) -> Result<()> {
        let rows: serde_json::Map<String, serde_json::Value> =
            report.tables.iter().map(|(table, n)| ((*table).to_owned(), (*n).into())).collect();
        let metadata = serde_json::json!({ "rows": rows, "bytesFreed": report.bytes_freed, "stopped": report.stopped, "waiting": report.waiting });
        let entry = NewAuditLog {
            action: Text::from(ACTION),
            metadata: Some(Json::from(metadata)),
            ..NewAuditLog::default()
        };
        self.write_main("retention.run", move |conn, env| logs::audit(conn, &env.ids, &entry, now)).wait()?;
        Ok(())
    }
}

const MESSAGES: &str = "messages";

/// Why messages wait: some moved in that are older than the shortest window that holds for any. `None`: none did.
fn waiting(plan: &Plan, moved: &[MovedIn]) -> Option<String> {
    let windows = plan.old.iter().filter(|(old, _)| old.table == MESSAGES).map(|(_, window)| *window);
    let shortest = windows.min()?;
    let old: Vec<String> = moved
        .iter()
        .filter(|moved| moved.age > shortest)
        .map(|m| {
            format!(
                "{} of {} ({} messages, the oldest of {}, from {})",
                m.by, m.at, m.messages, m.oldest, m.source
            )
        })
        .collect();
    (!old.is_empty()).then(|| {
        format!(
            "messages older than their window moved in: {}; none is deleted until somebody says yes with `openwa retention \
             accept`",
            old.join("; ")
        )
    })
}

/// A run under way.
struct Run<'a, 'b> {
    store: &'a Store,
    pace: Pace,
    report: RetentionReport,
    progress: Option<RetentionProgress<'b>>,
}

impl Run<'_, '_> {
    /// Deletes one set of rows, transaction by transaction.
    fn clean(&mut self, old: &Old<'static>) -> Result<ControlFlow<()>> {
        let mut so_far = delete::Progress::default();
        loop {
            space::let_the_disk_catch_up(self.store, old.database);
            let start = Instant::now();
            let done = delete::some(self.store, old, self.pace.next(), &mut so_far)?;
            self.pace.took(start.elapsed());
            self.report.add(old.table, done.rows);
            if self.tell(old.table).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if done.finished {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    /// Drops the months of messages of which nothing is to be kept.
    #[cfg(feature = "postgres")]
    fn drop_months(&mut self, all_before: Option<Timestamp>) -> Result<()> {
        let data = self.store.database(Database::Data);
        let (Some(engine), Some(before)) = (data.as_postgres(), all_before) else { return Ok(()) };
        if !engine.is_partitioned() {
            return Ok(());
        }
        for month in data.read(partitions::existing)?.unwrap_or_default() {
            if month.until <= before {
                let rows = data.alone(|conn| partitions::drop(conn, &month))?;
                engine.forget_months();
                self.report.add("messages", rows);
                if self.tell("messages").is_break() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, table: &'static str) -> ControlFlow<()> {
        let gone = self.report.tables.iter().find(|(t, _)| *t == table).map_or(0, |(_, n)| *n);
        let flow = self.progress.as_mut().map_or(ControlFlow::Continue(()), |tell| tell(table, gone));
        self.report.stopped |= flow.is_break();
        flow
    }
}
