//! A progress bar on standard error for what takes longer than a second.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Progress;

const PATIENCE: Duration = Duration::from_secs(1);

/// A bar that shows itself after a second, if standard error is a terminal.
pub struct Meter {
    bar: ProgressBar,
    started: Instant,
    shown: bool,
}

impl Meter {
    /// A meter of bytes; `None`: nobody knows how many.
    pub fn bytes(what: &str, total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
            None => "{msg} {spinner} {bytes} {elapsed}",
        };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden())
            .with_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
            .with_message(what.to_owned());
        Meter { bar, started: Instant::now(), shown: false }
    }

    /// A meter of rows, table by table.
    pub fn rows(what: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
            .with_style(
                ProgressStyle::with_template("{prefix} {spinner} {msg} {elapsed}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
            .with_prefix(what.to_owned());
        Meter { bar, started: Instant::now(), shown: false }
    }

    /// Tells how far a table is.
    pub fn at(&mut self, table: &str, rows: u64, total: Option<u64>) {
        let of = total.map_or_else(String::new, |total| format!(" of {}", HumanCount(total)));
        self.say(format!("{table}: {}{of} rows", HumanCount(rows)));
    }

    /// Tells how far everything is.
    pub fn say(&mut self, how_far: String) {
        self.bar.set_message(how_far);
        self.show_when_due();
    }

    pub fn add(&mut self, n: u64) {
        self.bar.inc(n);
        self.show_when_due();
    }

    fn show_when_due(&mut self) {
        if !self.shown && self.started.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
        }
    }

    pub fn done(self) {
        self.bar.finish_and_clear();
    }
}

/// Runs `work` with a progress callback that moves a meter.
pub fn metered<T>(
    what: &str,
    work: impl FnOnce(&mut dyn FnMut(Progress) -> ControlFlow<()>) -> crate::Result<T>,
) -> crate::Result<T> {
    let mut meter = Meter::rows(what);
    let done = work(&mut |at: Progress| {
        meter.at(at.table, at.rows, at.total);
        ControlFlow::Continue(())
    });
    meter.done();
    done
}

/// A reader that moves a meter.
pub struct Metered<'a, R> {
    pub inner: R,
    pub meter: &'a mut Meter,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.meter.add(n as u64);
        Ok(n)
    }
}
