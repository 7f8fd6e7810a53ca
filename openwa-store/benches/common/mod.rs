//! What the benchmarks share: options, folders, and rows that show both sides of a comparison.

#![allow(dead_code, reason = "each benchmark uses what it needs")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What the command line asks for.
pub struct Options {
    pub rounds: usize,
    pub rows: usize,
    pub only: Option<String>,
    /// Whether what takes many minutes is measured too.
    pub long: bool,
}

impl Options {
    /// Reads the command line: `--rounds N`, `--rows N`, `--only NAME` (part of a row's name), `--long`.
    pub fn read(mut self) -> Self {
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().unwrap_or_default();
            match arg.as_str() {
                "--rounds" => self.rounds = value().parse().expect("--rounds takes a number"),
                "--rows" => self.rows = value().parse().expect("--rows takes a number"),
                "--only" => self.only = Some(value()),
                "--long" => self.long = true,
                _ => {} // what `cargo bench` adds
            }
        }
        self
    }

    /// Whether a row of this name is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

/// A folder for one run, removed afterwards. Beside the build output, so that it is on a real disk.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder for the benchmark");
        Folder(path)
    }

    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Times one run of `work`, which answers how many things it did; gives things per second.
pub fn rate(work: impl FnOnce() -> usize) -> f64 {
    let start = Instant::now();
    let done = work();
    done as f64 / start.elapsed().as_secs_f64()
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs both sides in turn and prints their medians, the median ratio, and what it should be at least.
pub fn versus(
    options: &Options,
    name: &str,
    goal: f64,
    mut ours: impl FnMut() -> f64,
    mut theirs: impl FnMut() -> f64,
) {
    if !options.wants(name) {
        return;
    }
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let (x, y) = (ours(), theirs());
        ratios.push(x / y);
        a.push(x);
        b.push(y);
    }
    let ratio = median(ratios);
    let mark = if ratio >= goal { "" } else { "  <-- below" };
    println!("| {name} | {:.0}/s | {:.0}/s | {ratio:.2} | {goal:.2} |{mark}", median(a), median(b));
}

/// Prints a row that has a limit instead of a yardstick.
pub fn single(options: &Options, name: &str, unit: &str, goal: &str, mut ours: impl FnMut() -> f64) {
    if !options.wants(name) {
        return;
    }
    let value = median((0..options.rounds).map(|_| ours()).collect());
    println!("| {name} | {value:.1} {unit} | | | {goal} |");
}

/// A small generator; benchmarks need speed and repeatability, not quality.
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

pub fn quantile(latencies: &mut [Duration], q: f64) -> f64 {
    latencies.sort_unstable();
    latencies[((latencies.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3
}
