//! How many groups of writes are under way at once, one or two: whichever gets more done.
//!
//! Two keep a server with more than one processor busy while one of them is synced or its callers are woken. But each
//! syncs for itself, so where a sync takes longer than the statements of a group, one group of all is faster. That
//! depends on the server, its disk and the load, so now and then the other way is tried for a moment.

use std::time::{Duration, Instant};

/// How long one way is measured: some dozens of groups.
const EPOCH: Duration = Duration::from_millis(100);
/// After how many epochs the other way is tried for one.
const PERIOD: u32 = 16;
/// How much more the other way must get done to be kept.
const GAIN: f64 = 1.05;

pub(super) struct Lanes {
    most: usize,
    now: usize,
    /// Until when the time of groups is counted.
    counted: Instant,
    /// This epoch's writes, and how long they took.
    writes: usize,
    busy: Duration,
    /// What the way that was chosen got done in its last epoch, in writes per second.
    rate: f64,
    /// Epochs until the other way is tried; `None`: it is.
    until_trial: Option<u32>,
}

impl Lanes {
    pub(super) fn new(most: usize) -> Self {
        // The first trial comes soon.
        let (counted, busy) = (Instant::now(), Duration::ZERO);
        Lanes { most, now: 1, counted, writes: 0, busy, rate: 0.0, until_trial: Some(1) }
    }

    pub(super) fn count(&self) -> usize {
        self.now
    }

    /// A group begins, beside which there is no other.
    pub(super) fn begin(&mut self) {
        if self.most > 1 {
            self.counted = Instant::now();
        }
    }

    /// A group has its answers. `counts`: there were enough writes for two.
    pub(super) fn end(&mut self, writes: usize, counts: bool) {
        if self.most > 1 {
            let before = std::mem::replace(&mut self.counted, Instant::now());
            if counts {
                self.note(writes, self.counted - before);
            }
        }
    }

    /// `writes` were answered, `busy` after what was noted before them, or after they were begun.
    fn note(&mut self, writes: usize, busy: Duration) {
        self.writes += writes;
        self.busy += busy;
        if self.busy < EPOCH {
            return;
        }
        let rate = self.writes as f64 / self.busy.as_secs_f64();
        (self.writes, self.busy) = (0, Duration::ZERO);
        match self.until_trial {
            Some(epochs) => {
                self.rate = rate;
                self.until_trial = epochs.checked_sub(1);
                if self.until_trial.is_none() {
                    self.change();
                }
            }
            None => {
                self.until_trial = Some(PERIOD);
                if rate < self.rate * GAIN {
                    self.change();
                }
            }
        }
    }

    fn change(&mut self) {
        self.now = if self.now == 1 { self.most } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of groups that a load of 64 callers writes two at a time, where a sync takes `sync` and one group's
    /// syncs wait for the other's.
    fn share_of_two(most: usize, sync: Duration) -> f64 {
        let (mut lanes, mut two, all) = (Lanes::new(most), 0, 10_000);
        for _ in 0..all {
            let statements = Duration::from_micros(25 * 64);
            if lanes.count() == 1 {
                lanes.note(64, statements + sync);
            } else {
                two += 1;
                lanes.note(32, (statements * 3 / 8).max(sync));
            }
        }
        f64::from(two) / f64::from(all)
    }

    #[test]
    fn two_where_the_statements_take_longer_than_the_sync() {
        assert!(share_of_two(2, Duration::from_micros(300)) > 0.9);
    }

    #[test]
    fn one_where_the_sync_takes_longer() {
        let share = share_of_two(2, Duration::from_millis(5));
        assert!(share > 0.0 && share < 0.15, "{share}");
    }

    #[test]
    fn one_where_there_may_be_no_more() {
        assert!(share_of_two(1, Duration::ZERO) < f64::EPSILON);
    }
}
