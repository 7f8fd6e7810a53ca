//! How long data is kept, and the guard against a clock that jumped.

use std::time::Duration;

use serde_json::Value;

use super::shape::{self, Fields};
use crate::error::{Error, Kind, Result};
use crate::json::Json;
use crate::time::{Timestamp, Uptime};

/// One day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// The longest window that can be asked for, in days: a hundred years. Longer is "for ever".
pub const MAX_DAYS: u64 = 36_500;

/// How long each kind of data is kept; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Messages, by `created_at`; 30 days. A session may have its own, see [`message_window`].
    pub messages: Option<Duration>,
    /// Session logs; 7 days.
    pub session_logs: Option<Duration>,
    /// Webhook logs; 7 days.
    pub webhook_logs: Option<Duration>,
    /// API key logs; 30 days.
    pub api_key_logs: Option<Duration>,
    /// The audit trail; 90 days.
    pub audit_logs: Option<Duration>,
    /// Batches, from the time they ended; 30 days.
    pub batches: Option<Duration>,
    /// Idempotency keys of webhooks; 24 hours.
    pub webhook_idempotency: Option<Duration>,
    /// Changes whose message never came; 7 days.
    pub pending_changes: Option<Duration>,
}

impl Default for Windows {
    fn default() -> Self {
        let days = |n: u32| Some(DAY * n);
        Windows {
            messages: days(30),
            session_logs: days(7),
            webhook_logs: days(7),
            api_key_logs: days(30),
            audit_logs: days(90),
            batches: days(30),
            webhook_idempotency: days(1),
            pending_changes: days(7),
        }
    }
}

/// What a session's config says about its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageWindow {
    /// Nothing: the store's window counts.
    Inherit,
    /// They are kept for ever.
    Forever,
    /// They are kept for this long.
    For(Duration),
}

impl MessageWindow {
    /// The window that counts, given the store's.
    #[must_use]
    pub const fn or(self, store: Option<Duration>) -> Option<Duration> {
        match self {
            MessageWindow::Inherit => store,
            MessageWindow::Forever => None,
            MessageWindow::For(window) => Some(window),
        }
    }
}

/// Reads `retention.messages` of a session's config: whole days from 1 to [`MAX_DAYS`]; `null` or `false`:
/// for ever; absent: the store's window. 0 days is refused, because it is more likely meant as "off" than as
/// "delete at once"; who wants no history switches it off (see [`super::config::history_enabled`]).
///
/// # Errors
/// `InvalidArgument` naming the column `config` and the path.
pub fn message_window(config: &Json) -> Result<MessageWindow> {
    let value = shape::value(config, "config")?;
    message_window_of(&Fields::of("config", &value)?)
}

pub(crate) fn message_window_of(config: &Fields<'_>) -> Result<MessageWindow> {
    let Some(retention) = config.object("retention")? else { return Ok(MessageWindow::Inherit) };
    let days = match retention.raw("messages") {
        None => return Ok(MessageWindow::Inherit),
        Some(Value::Null | Value::Bool(false)) => return Ok(MessageWindow::Forever),
        Some(days) => days,
    };
    match shape::whole(days).filter(|n| (1..=MAX_DAYS).contains(n)) {
        Some(n) => Ok(MessageWindow::For(Duration::from_secs(n * DAY.as_secs()))),
        None => {
            let expected =
                format!("a number of days from 1 to {MAX_DAYS}, or null to keep messages for ever");
            Err(retention.wrong("messages", &expected))
        }
    }
}

/// Rows older than this are out of the window; a row of exactly this time stays.
#[must_use]
pub fn cutoff(now: Timestamp, window: Duration) -> Timestamp {
    now.minus(window)
}

/// Refuses a run of retention under a clock that seems to have jumped.
///
/// A machine that comes up with a wrong time, years ahead, would delete everything at once. So `now` is
/// compared with the latest instant that is known to have really been: the later one of `last_run` and
/// `newest_row`. The run is refused when
///
/// - `now` is more than one window and [a day](DAY) after it: everything that was there would go. The day is
///   for a run that starts late.
/// - `now` is more than a day before `last_run`: the clock is wrong now, or it was wrong then.
///
/// Without either there is nothing to compare with, and the run is allowed. A smaller jump deletes at most
/// one window's worth too early; with daily runs the next one is within the limits again.
///
/// For `newest_row` the caller passes **the newest row that the run would delete**, over the tables with the
/// same window. The newest row of all is weaker evidence: once the clock has jumped, rows with the wrong time
/// follow. For `last_run` it passes the time of the last run that finished, or of the database's creation
/// when none did.
///
/// A gateway that really was switched off for longer than a window is refused too. The override is the
/// caller's: after a look at the clock a person repeats the run with `force`, which skips this guard.
///
/// # Errors
/// `ClockJump` with the context `now`, `known` and `window_seconds`.
pub fn guard(
    now: Timestamp,
    last_run: Option<Timestamp>,
    newest_row: Option<Timestamp>,
    window: Duration,
) -> Result<()> {
    let jump = |message: &str, known: Timestamp| {
        Err(Error::new(Kind::ClockJump, format!("{message}; if the clock is right, say so with `openwa retention accept`, or run again with force"))
            .with("now", now)
            .with("known", known)
            .with("window_seconds", window.as_secs()))
    };
    if let Some(last) = last_run.filter(|last| now.plus(DAY) < *last) {
        return jump("the clock is before the last run of retention", last);
    }
    match last_run.max(newest_row) {
        Some(known) if now.minus(window.saturating_add(DAY)) > known => jump(
            "the clock is more than a retention window after anything known, so that all of it would go",
            known,
        ),
        _ => Ok(()),
    }
}

/// How time passed up to a run of retention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// When it ran, by the clock.
    pub at: Timestamp,
    /// How far the clock jumped ahead that passing time has not made up for.
    pub jumped: Duration,
    /// How long the machine had been running.
    pub uptime: Option<Uptime>,
}

impl Passed {
    /// A yes to the clock as it stands: nothing that it did before counts.
    #[must_use]
    pub fn accepted(now: Timestamp, uptime: Option<Uptime>) -> Self {
        Passed { at: now, jumped: Duration::ZERO, uptime }
    }

    /// How time has passed up to now. What nothing bears witness to is a jump of the clock: neither the machine's uptime
    /// nor `newest_row`, the newest row that the run would delete. Without an uptime since the same boot, [two days](DAY)
    /// are taken for passed: a run a day is usual. Time that did pass makes up for as long a jump. A clock that was set back
    /// changes nothing.
    #[must_use]
    pub fn until(&self, now: Timestamp, uptime: Option<Uptime>, newest_row: Option<Timestamp>) -> Self {
        if now < self.at {
            return self.clone();
        }
        let between =
            |from: Timestamp| Duration::from_millis(u64::try_from(now.millis() - from.millis()).unwrap_or(0));
        let gap = between(self.at);
        let same_boot = |up: &Uptime| self.uptime.as_ref().filter(|last| last.boot == up.boot).cloned();
        let jump = match &uptime {
            Some(up) => match same_boot(up) {
                Some(last) => gap.saturating_sub(up.passed.saturating_sub(last.passed)),
                // One that was up all the time is another machine.
                None if up.passed > gap => beyond(gap),
                None => beyond(gap.saturating_sub(up.passed)),
            },
            None => beyond(gap),
        };
        let jump = newest_row.map_or(jump, |newest| jump.min(between(newest.max(self.at))));
        let passed = gap.saturating_sub(jump);
        Passed { at: now, jumped: self.jumped.saturating_sub(passed).saturating_add(jump), uptime }
    }
}

/// What is more than nobody bears witness to from one day to the next.
fn beyond(gap: Duration) -> Duration {
    if gap <= DAY * 2 { Duration::ZERO } else { gap }
}

/// Refuses a run after several jumps of the clock that are together more than a window and [a day](DAY), each of which
/// [`guard`] allows.
///
/// # Errors
/// `ClockJump` with the context `now`, `jumped_seconds` and `window_seconds`.
pub fn guard_jumps(passed: &Passed, window: Duration) -> Result<()> {
    if passed.jumped <= window.saturating_add(DAY) {
        return Ok(());
    }
    let text = "the clock jumped ahead several times, together by more than a retention window; if the clock is right, \
                say so with `openwa retention accept`, or run again with force";
    Err(Error::new(Kind::ClockJump, text)
        .with("now", passed.at)
        .with("jumped_seconds", passed.jumped.as_secs())
        .with("window_seconds", window.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: u64) -> Timestamp {
        Timestamp::parse("2026-01-01").unwrap().plus(Duration::from_secs(n * 86_400))
    }

    fn config(json: &str) -> Result<MessageWindow> {
        message_window(&Json::parse(json).unwrap())
    }

    #[test]
    fn a_session_may_have_its_own_window() {
        let store = Some(DAY * 30);
        for (json, window) in [
            ("{}", store),
            (r#"{"retention":{}}"#, store),
            (r#"{"retention":null}"#, store),
            (r#"{"retention":{"messages":null}}"#, None),
            (r#"{"retention":{"messages":false}}"#, None),
            (r#"{"retention":{"messages":1}}"#, Some(DAY)),
            (r#"{"retention":{"messages":90.0}}"#, Some(DAY * 90)),
        ] {
            assert_eq!(config(json).unwrap().or(store), window, "{json}");
        }
        for bad in ["0", "-1", "1.5", "true", "\"30\"", "36501", "[]"] {
            let e = config(&format!(r#"{{"retention":{{"messages":{bad}}}}}"#)).unwrap_err();
            assert_eq!(e.context("path"), Some("retention.messages"), "{bad}");
        }
        assert!(config(r#"{"retention":30}"#).is_err() && config("[]").is_err());
    }

    #[test]
    fn the_guard_allows_ordinary_runs() {
        let month = DAY * 30;
        for (now, last_run, newest) in [
            (day(100), None, None),
            (day(100), Some(day(99)), Some(day(69))), // every day
            (day(100), Some(day(99)), Some(day(10))), // every day, quiet account
            (day(100), Some(day(10)), Some(day(69))), // rarely, busy account
            (day(100), None, Some(day(69))),          // the first run
            (day(100), Some(day(69)), None),          // exactly at the limit
            (day(100), Some(day(101)), None),         // the clock was set back by a day
        ] {
            assert!(guard(now, last_run, newest, month).is_ok(), "{now} {last_run:?} {newest:?}");
        }
        // A daily run that starts a little late, over the table with the shortest window.
        assert!(guard(day(9).plus(Duration::from_secs(9)), Some(day(8)), Some(day(8)), DAY).is_ok());
    }

    #[test]
    fn the_guard_refuses_a_clock_that_jumped() {
        let month = DAY * 30;
        for (now, last_run, newest, known) in [
            (day(1500), Some(day(99)), Some(day(100)), day(100)), // years ahead
            (day(132), Some(day(100)), Some(day(100)), day(100)), // just over the limit
            (day(1500), None, Some(day(100)), day(100)),
            (day(1500), Some(day(99)), None, day(99)),
            (day(10), Some(day(99)), Some(day(9)), day(99)), // back
        ] {
            let e = guard(now, last_run, newest, month).unwrap_err();
            assert_eq!(e.kind(), Kind::ClockJump);
            assert_eq!(e.context("known"), Some(known.to_string().as_str()), "{now} {last_run:?} {newest:?}");
        }
    }

    fn up(boot: &str, days: u32) -> Option<Uptime> {
        Some(Uptime { boot: boot.into(), passed: DAY * days })
    }

    #[test]
    fn jumps_add_up_and_time_makes_up_for_them() {
        let month = DAY * 30;
        let start = Passed::accepted(day(100), None);
        let once = start.until(day(120), None, None);
        assert!(once.jumped == DAY * 20 && guard_jumps(&once, month).is_ok());
        let twice = once.until(day(140), None, None);
        assert!(twice.jumped == DAY * 40 && guard_jumps(&twice, month).is_err());
        // A run a day for as long as the first jump.
        let later = (121..=140).fold(once, |passed, n| passed.until(day(n), None, None));
        assert!(guard_jumps(&later.until(day(160), None, None), month).is_ok());
        assert!(guard_jumps(&Passed::accepted(day(140), None), month).is_ok());
    }

    #[test]
    fn the_machines_uptime_bears_witness() {
        let start = Passed::accepted(day(100), up("a", 5));
        assert_eq!(start.until(day(120), up("a", 25), None).jumped, Duration::ZERO, "it ran all the time");
        assert_eq!(start.until(day(120), up("a", 5), None).jumped, DAY * 20);
        assert_eq!(start.until(day(101), up("a", 5), None).jumped, DAY, "also a small jump");
        assert_eq!(start.until(day(120), up("b", 19), None).jumped, Duration::ZERO, "a restart");
        assert_eq!(start.until(day(120), up("b", 1), None).jumped, DAY * 19);
        assert_eq!(start.until(day(120), up("b", 90), None).jumped, DAY * 20, "another machine");
        assert_eq!(start.until(day(90), up("a", 5), None).jumped, Duration::ZERO, "the clock was set back");
        assert_eq!(start.until(day(200), None, Some(day(169))).jumped, DAY * 31, "rows do too");
    }

    #[test]
    fn cutoffs_stay_within_the_calendar() {
        assert_eq!(cutoff(day(30), DAY * 30), day(0));
        assert_eq!(cutoff(Timestamp::EPOCH, Duration::MAX), Timestamp::MIN);
    }
}
