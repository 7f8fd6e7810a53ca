//! When jobs are due: cron expressions, the slots that follow from them, and what is to be done about one.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Zoned;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::retention::DAY;
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// A cron expression of five fields (minute, hour, day of month, month, day of week) in a time zone. Each instant that it
/// names is a *slot*.
///
/// An expression with a fixed minute and hour names one slot for each local time: where daylight saving time skips
/// that, the first instant after the gap; where it comes twice, the first of the two. One with a `*` or steps in these
/// fields goes by what really passes, so that an hourly job runs every hour.
#[derive(Clone)]
pub struct Schedule {
    cron: Cron,
    text: String,
    zone: TimeZone,
}

impl Schedule {
    /// Reads an expression (also `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`) and the IANA name of a time zone.
    ///
    /// # Errors
    /// `InvalidArgument` naming `schedule` or `timezone`.
    pub fn parse(expression: &str, timezone: &str) -> Result<Self> {
        // Not the system's: the same name means the same on every machine.
        let zone = TimeZoneDatabase::bundled().get(timezone).map_err(|_| {
            let text = format!("{timezone:?} is no time zone; use a name such as UTC or Europe/Berlin");
            Error::invalid("timezone", text)
        })?;
        let wrong = |why: String| {
            let text = format!(
                "{expression:?} is no schedule: {why} Write minute, hour, day of month, month and day of week, such as \
                 \"0 3 * * *\""
            );
            Error::invalid("schedule", text)
        };
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(expression).map_err(|e| wrong(e.to_string()))?;
        let schedule = Schedule { cron, text: expression.trim().to_owned(), zone };
        // The thirtieth of February. A leap day comes back within eight years.
        if schedule.next(Timestamp::EPOCH).is_none() {
            return Err(wrong("that day never comes.".to_owned()));
        }
        Ok(schedule)
    }

    /// The expression.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.text
    }

    /// The time zone's name.
    #[must_use]
    pub fn timezone(&self) -> &str {
        self.zone.iana_name().unwrap_or_default()
    }

    /// The first slot after `at`; `None`: there is none that can be written.
    #[must_use]
    pub fn next(&self, at: Timestamp) -> Option<Timestamp> {
        self.cron.find_next_occurrence(&self.local(at)?, false).ok().and_then(|t| instant(&t))
    }

    /// The last slot that has come by `now`.
    #[must_use]
    pub fn latest(&self, now: Timestamp) -> Option<Timestamp> {
        self.cron.find_previous_occurrence(&self.local(now)?, true).ok().and_then(|t| instant(&t))
    }

    fn local(&self, at: Timestamp) -> Option<Zoned> {
        Some(jiff::Timestamp::from_millisecond(at.millis()).ok()?.to_zoned(self.zone.clone()))
    }

    /// What is to be done now, given the last run.
    ///
    /// The latest slot is due if it is later than that of the last run; whatever was missed before it is made up for by
    /// it, once. A run that failed and may succeed is repeated within its slot, and so is one that was interrupted. A
    /// clock that goes back repeats nothing. If the last slot lies more than a day ahead, the clock was wrong then: that
    /// run does not count, or nothing would run until the time has really come.
    #[must_use]
    pub fn due(&self, last: Option<&Last>, now: Timestamp) -> Due {
        let Some(latest) = self.latest(now) else {
            return self.wait(now);
        };
        let Some(last) = last else { return Due::Run(Run { slot: latest, attempt: 1, back: None }) };
        if last.slot > now.plus(DAY) {
            // Two hosts of which one has a wrong clock would else undo each other's slots for ever.
            return match last.back {
                Some(back) if latest <= back => self.wait(now),
                _ => Due::Run(Run { slot: latest, attempt: 1, back: Some(latest) }),
            };
        }
        if latest > last.slot {
            return Due::Run(Run { slot: latest, attempt: 1, back: last.back });
        }
        let again =
            Due::Run(Run { slot: last.slot, attempt: last.attempt.saturating_add(1), back: last.back });
        match last.end {
            End::Open if last.attempt < MOST_CRASHES => again,
            // A time that is further away than any was set under another clock.
            End::Again(at) if at <= now || at > now.plus(LONGEST) => again,
            End::Again(at) => match self.wait(now) {
                Due::Wait(next) => Due::Wait(next.min(at)),
                run @ Due::Run(_) => run,
            },
            End::Open | End::Final => self.wait(now.max(last.slot)),
        }
    }

    fn wait(&self, after: Timestamp) -> Due {
        Due::Wait(self.next(after).unwrap_or(Timestamp::MAX))
    }
}

fn instant(t: &Zoned) -> Option<Timestamp> {
    Timestamp::from_millis(t.timestamp().as_millisecond())
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({:?}, {})", self.text, self.timezone())
    }
}

/// How often a slot is begun whose runs end with their process: one that takes the process down must not do so for ever.
const MOST_CRASHES: u32 = 5;
/// The wait before the first repetition; it doubles with each.
const FIRST: Duration = Duration::from_secs(60);
/// The longest wait before a repetition.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// How long a run that failed for the `attempt`th time waits before it is repeated.
#[must_use]
pub fn pause(attempt: u32) -> Duration {
    FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST)
}

/// What is known of the last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// Its slot.
    pub slot: Timestamp,
    /// The slot that was last run because the recorded one lay in the future.
    pub back: Option<Timestamp>,
    /// How often the slot has been begun.
    pub attempt: u32,
    /// How it ended.
    pub end: End,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has not: it runs, or was interrupted. Who asks knows that it does not run.
    Open,
    /// It is to be repeated at this time.
    Again(Timestamp),
    /// Well, or in a way that repeating does not change.
    Final,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Run this.
    Run(Run),
    /// Nothing before this time.
    Wait(Timestamp),
}

/// A run that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its slot.
    pub slot: Timestamp,
    /// 1, or more when the slot is begun again.
    pub attempt: u32,
    /// See [`Last::back`].
    pub back: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn schedule(expression: &str, zone: &str) -> Schedule {
        Schedule::parse(expression, zone).unwrap()
    }

    /// Every slot of a year, as a runner that looks every `step` meets them.
    fn year(schedule: &Schedule, step: Duration) -> Vec<Timestamp> {
        let (mut now, end) = (t("2026-01-01T00:00:30Z"), t("2027-01-01T00:00:00Z"));
        let mut last: Option<Last> = None;
        let mut slots = Vec::new();
        while now < end {
            if let Due::Run(run) = schedule.due(last.as_ref(), now) {
                slots.push(run.slot);
                last = Some(Last { slot: run.slot, back: run.back, attempt: run.attempt, end: End::Final });
            }
            now = now.plus(step);
        }
        slots
    }

    #[test]
    fn a_year_of_local_time_has_each_night_once() {
        for (zone, expression, slot) in [
            // Local times that do not exist: the end of the gap, which on Lord Howe is half an hour long.
            ("Europe/Berlin", "30 2 * * *", "2026-03-29T01:00:00Z"),
            ("America/New_York", "0 2 * * *", "2026-03-08T07:00:00Z"),
            ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T15:30:00Z"),
            // Local times that come twice: the first.
            ("Europe/Berlin", "30 2 * * *", "2026-10-25T00:30:00Z"),
            ("America/New_York", "30 1 * * *", "2026-11-01T05:30:00Z"),
            ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T14:45:00Z"),
        ] {
            let slots = year(&schedule(expression, zone), Duration::from_secs(600));
            let before = usize::from(slots[0] < t("2026-01-01"));
            assert_eq!(slots.len() - before, 365, "{zone} {expression}");
            assert!(slots.windows(2).all(|w| w[0] < w[1]), "{zone} {expression}");
            assert!(slots.contains(&t(slot)), "{zone} {expression}");
        }
    }

    #[test]
    fn hours_go_by_what_really_passes() {
        let slots = year(&schedule("0 * * * *", "Europe/Berlin"), Duration::from_secs(600));
        assert_eq!(slots.len(), 365 * 24);
        assert!(slots.windows(2).all(|w| w[0].plus(Duration::from_secs(3600)) == w[1]));
    }

    #[test]
    fn downtime_is_made_up_for_once() {
        let daily = schedule("0 0 * * *", "UTC");
        let last = Last { slot: t("2026-01-01"), back: None, attempt: 1, end: End::Final };
        let now = t("2026-01-09T12:00:00Z");
        let due = daily.due(Some(&last), now);
        assert_eq!(due, Due::Run(Run { slot: t("2026-01-09"), attempt: 1, back: None }));
        let last = Last { slot: t("2026-01-09"), ..last };
        assert_eq!(daily.due(Some(&last), now), Due::Wait(t("2026-01-10")));
        assert_eq!(daily.due(None, now), due, "what never ran is due");
    }

    #[test]
    fn a_clock_that_goes_back_repeats_nothing() {
        let hourly = schedule("0 * * * *", "UTC");
        let last = Last { slot: t("2026-01-09T12:00:00Z"), back: None, attempt: 1, end: End::Final };
        for now in
            ["2026-01-09T12:30:00Z", "2026-01-09T11:59:59Z", "2026-01-08T13:00:00Z", "2026-01-08T12:00:00Z"]
        {
            assert_eq!(hourly.due(Some(&last), t(now)), Due::Wait(t("2026-01-09T13:00:00Z")), "{now}");
        }
    }

    #[test]
    fn what_ran_in_a_far_future_does_not_count() {
        let daily = schedule("0 0 * * *", "UTC");
        let future = Last { slot: t("2036-01-01"), back: None, attempt: 1, end: End::Final };
        let now = t("2026-01-09T12:00:00Z");
        let run = Run { slot: t("2026-01-09"), attempt: 1, back: Some(t("2026-01-09")) };
        assert_eq!(daily.due(Some(&future), now), Due::Run(run));
        // Another host, whose clock is still wrong, writes its slot again and again: this one runs each of its own once.
        let contested = Last { back: run.back, ..future };
        assert_eq!(daily.due(Some(&contested), now), Due::Wait(t("2026-01-10")));
        let next = daily.due(Some(&contested), t("2026-01-10T00:00:01Z"));
        assert_eq!(next, Due::Run(Run { slot: t("2026-01-10"), attempt: 1, back: Some(t("2026-01-10")) }));
    }

    #[test]
    fn failures_are_repeated_within_the_slot() {
        let daily = schedule("0 0 * * *", "UTC");
        let (slot, at) = (t("2026-01-09"), t("2026-01-09T00:01:00Z"));
        let last = Last { slot, back: None, attempt: 1, end: End::Again(at) };
        assert_eq!(daily.due(Some(&last), t("2026-01-09T00:00:59Z")), Due::Wait(at));
        let again = Due::Run(Run { slot, attempt: 2, back: None });
        assert_eq!(daily.due(Some(&last), at), again);
        let new = Due::Run(Run { slot: t("2026-01-10"), attempt: 1, back: None });
        assert_eq!(daily.due(Some(&last), t("2026-01-10")), new, "a new slot is a new beginning");
        // The clock was set back by hours after the failure.
        assert_eq!(daily.due(Some(&last), t("2026-01-08T20:00:00Z")), again);
        let pauses: Vec<u64> = (1..8).map(|n| pause(n).as_secs() / 60).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }

    #[test]
    fn an_interrupted_run_is_taken_over_but_not_for_ever() {
        let daily = schedule("0 0 * * *", "UTC");
        let (slot, now) = (t("2026-01-09"), t("2026-01-09T00:00:10Z"));
        let open = |attempt| Last { slot, back: None, attempt, end: End::Open };
        assert_eq!(daily.due(Some(&open(1)), now), Due::Run(Run { slot, attempt: 2, back: None }));
        assert_eq!(daily.due(Some(&open(MOST_CRASHES)), now), Due::Wait(t("2026-01-10")));
    }

    #[test]
    fn what_is_no_schedule_is_refused_by_name() {
        for bad in ["", "0 0 * *", "* * * * * *", "60 * * * *", "0 0 30 2 *", "@reboot", "midnight"] {
            let e = Schedule::parse(bad, "UTC").unwrap_err();
            assert_eq!(e.context("column"), Some("schedule"), "{bad:?}");
        }
        for bad in ["", "Mars/Olympus", "CEST", "utc+1"] {
            assert_eq!(
                Schedule::parse("@daily", bad).unwrap_err().context("column"),
                Some("timezone"),
                "{bad:?}"
            );
        }
        assert_eq!(schedule("@daily", "UTC").next(t("2026-01-01")), Some(t("2026-01-02")));
        assert_eq!(schedule("0 0 * * *", "UTC").next(Timestamp::MAX), None);
        assert_eq!(schedule("0 0 * * *", "UTC").latest(Timestamp::MIN), None);
    }
}
