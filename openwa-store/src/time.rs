//! Instants, their text form, and the clock.
//!
//! [`Timestamp`] is an instant in UTC with millisecond precision, years 0000 to 9999. Its text is exactly what
//! JavaScript's `Date.prototype.toISOString` writes, so that text order is time order.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Kind, Result};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const DAY_MS: i64 = 86_400_000;

impl Timestamp {
    /// 0000-01-01T00:00:00.000Z, the earliest instant that the text form can write.
    pub const MIN: Timestamp = Timestamp(-62_167_219_200_000);
    /// 9999-12-31T23:59:59.999Z, the latest instant that the text form can write.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999);
    /// 1970-01-01T00:00:00.000Z.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// From milliseconds since the epoch; `None` outside the years 0000 to 9999.
    #[must_use]
    pub const fn from_millis(ms: i64) -> Option<Self> {
        if ms >= Self::MIN.0 && ms <= Self::MAX.0 { Some(Timestamp(ms)) } else { None }
    }

    /// From seconds since the epoch; `None` outside the years 0000 to 9999.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Option<Self> {
        match secs.checked_mul(1000) {
            Some(ms) => Self::from_millis(ms),
            None => None,
        }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This instant moved later, kept inside the years 0000 to 9999.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        let ms = i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_add(ms).clamp(Self::MIN.0, Self::MAX.0))
    }

    /// This instant moved earlier, kept inside the years 0000 to 9999.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        let ms = i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_sub(ms).clamp(Self::MIN.0, Self::MAX.0))
    }

    /// The first instant of this one's month, UTC.
    #[must_use]
    pub(crate) fn month(self) -> Self {
        let (year, month, _) = civil_from_days(self.0.div_euclid(DAY_MS));
        Self::month_of(year, month.into())
    }

    /// The first instant of the month `by` months later; kept inside the years 0000 to 9999.
    #[must_use]
    pub(crate) fn months_later(self, by: i32) -> Self {
        let (year, month, _) = civil_from_days(self.0.div_euclid(DAY_MS));
        let months = year * 12 + i64::from(month) - 1 + i64::from(by);
        Self::month_of(months.div_euclid(12), months.rem_euclid(12) + 1)
    }

    fn month_of(year: i64, month: i64) -> Self {
        Timestamp((days_from_civil(year, month, 1) * DAY_MS).clamp(Self::MIN.0, Self::MAX.0))
    }

    /// The ISO text, 24 ASCII bytes: `2026-01-05T08:01:23.000Z`.
    #[must_use]
    pub fn iso(self) -> TimeText {
        self.render(b'T', 24)
    }

    /// The text of SQLite's own `datetime` with milliseconds, 23 ASCII bytes: `2026-01-05 08:01:23.000`.
    #[must_use]
    pub fn datetime(self) -> TimeText {
        self.render(b' ', 23)
    }

    fn render(self, separator: u8, len: u8) -> TimeText {
        let (days, ms) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS) as u32);
        let (year, month, day) = civil_from_days(days);
        let mut b = *b"0000-00-00T00:00:00.000Z";
        let mut put = |at: usize, width: usize, mut v: u32| {
            for i in (at..at + width).rev() {
                b[i] = b'0' + (v % 10) as u8;
                v /= 10;
            }
        };
        put(0, 4, year as u32);
        put(5, 2, month);
        put(8, 2, day);
        put(11, 2, ms / 3_600_000);
        put(14, 2, ms / 60_000 % 60);
        put(17, 2, ms / 1000 % 60);
        put(20, 3, ms % 1000);
        b[10] = separator;
        TimeText { bytes: b, len }
    }

    /// Reads a time as people and programs write it: `Z` or any numeric offset, 0 to 9 fraction digits (cut to
    /// milliseconds), `T` or a space, a date alone (midnight UTC), and a zoneless time, which means UTC.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else; never a silent default.
    pub fn parse(s: &str) -> Result<Self> {
        parse(s.as_bytes()).ok_or_else(|| {
            let shown: String = s.chars().take(40).collect();
            Error::new(
                Kind::InvalidArgument,
                format!("not a time: {shown:?}; write it like 2026-01-05T08:01:23.000Z"),
            )
        })
    }
}

/// The text of a [`Timestamp`], on the stack.
#[derive(Clone, Copy)]
pub struct TimeText {
    bytes: [u8; 24],
    len: u8,
}

impl TimeText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

fn parse(s: &[u8]) -> Option<Timestamp> {
    let mut p = Cursor(s);
    let year = p.number(4)?;
    p.byte(b'-')?;
    let month = p.number(2)?;
    p.byte(b'-')?;
    let day = p.number(2)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let mut ms = days_from_civil(year, month, day) * DAY_MS;
    if !p.0.is_empty() {
        if !p.accept(b'T') && !p.accept(b' ') {
            return None;
        }
        let hour = p.number(2)?;
        p.byte(b':')?;
        let minute = p.number(2)?;
        let second = if p.accept(b':') { p.number(2)? } else { 0 };
        let fraction = if p.accept(b'.') { p.fraction()? } else { 0 };
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        ms += ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
        ms -= p.offset_minutes()? * 60_000;
    }
    p.0.is_empty().then(|| Timestamp::from_millis(ms))?
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn accept(&mut self, b: u8) -> bool {
        let hit = self.0.first() == Some(&b);
        if hit {
            self.0 = &self.0[1..];
        }
        hit
    }

    fn byte(&mut self, b: u8) -> Option<()> {
        self.accept(b).then_some(())
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, tail) = self.0.split_at_checked(digits)?;
        let mut n = 0;
        for b in head {
            n = n * 10 + i64::from(b.is_ascii_digit().then(|| b - b'0')?);
        }
        self.0 = tail;
        Some(n)
    }

    /// 1 to 9 digits behind the point, as milliseconds.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&count) {
            return None;
        }
        let (head, tail) = self.0.split_at(count);
        self.0 = tail;
        Some((0..3).fold(0, |n, i| n * 10 + head.get(i).map_or(0, |b| i64::from(b - b'0'))))
    }

    /// `Z`, `+hh:mm`, `+hhmm`, `+hh`, or nothing (UTC), in minutes east.
    fn offset_minutes(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.accept(b'Z') {
            return Some(0);
        }
        let sign = if self.accept(b'+') {
            1
        } else {
            self.byte(b'-')?;
            -1
        };
        let hours = self.number(2)?;
        let colon = self.accept(b':');
        let minutes = if colon || !self.0.is_empty() { self.number(2)? } else { 0 };
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date, counting years from March so that the leap day is last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let year_of_era = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let day_of_year = doe - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.iso().as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.iso().as_str())
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        Timestamp::parse(s)
    }
}

impl From<SystemTime> for Timestamp {
    /// Cut to milliseconds and kept inside the years 0000 to 9999.
    fn from(t: SystemTime) -> Self {
        match t.duration_since(UNIX_EPOCH) {
            Ok(d) => Timestamp::EPOCH.plus(d),
            Err(e) => Timestamp::EPOCH.minus(e.duration()),
        }
    }
}

/// Is called when a clock was set, as long as there is somebody who wants to hear of it.
pub type Wake = Weak<dyn Fn() + Send + Sync>;

/// Where the library takes the present from. Tests and replays put their own in its place.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// Has `wake` called whenever the clock is set to another time. A clock that merely runs has nothing to tell.
    fn on_set(&self, wake: Wake) {
        let _ = wake;
    }

    /// How long the machine has been running, which nobody can set; `None`: unknown.
    fn uptime(&self) -> Option<Uptime> {
        None
    }
}

/// How long a machine has been running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uptime {
    /// Identifies the boot: only times since the same one can be compared.
    pub boot: String,
    /// Time since then, suspension included.
    pub passed: Duration,
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn uptime(&self) -> Option<Uptime> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let seconds = uptime.split_whitespace().next()?.parse().ok()?;
        let passed = Duration::try_from_secs_f64(seconds).ok()?;
        Some(Uptime { boot: boot.trim().to_owned(), passed })
    }
}

/// A clock that stands still until it is set.
pub struct ManualClock {
    now: AtomicI64,
    wakes: Mutex<Vec<Wake>>,
}

impl ManualClock {
    /// A clock that shows `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Arc<Self> {
        Arc::new(ManualClock { now: AtomicI64::new(at.0), wakes: Mutex::default() })
    }

    /// Makes the clock show `at`.
    pub fn set(&self, at: Timestamp) {
        self.now.store(at.0, Ordering::Release);
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        wakes.retain(|wake| wake.upgrade().map(|wake| wake()).is_some());
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Acquire))
    }

    fn on_set(&self, wake: Wake) {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner).push(wake);
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_ten_thousand_years_round_trip() {
        let mut ms = Timestamp::MIN.0;
        while ms <= Timestamp::MAX.0 {
            let t = Timestamp(ms + 12_345_678);
            assert_eq!(Timestamp::parse(t.iso().as_str()).unwrap(), t);
            assert_eq!(Timestamp::parse(t.datetime().as_str()).unwrap(), t);
            ms += 29 * DAY_MS; // a step that meets every day of a month and every month
        }
    }

    #[test]
    fn the_ends_are_written_as_javascript_writes_them() {
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_millis(Timestamp::MAX.0 + 1), None);
        assert_eq!(Timestamp::from_secs(i64::MAX), None);
    }
}
