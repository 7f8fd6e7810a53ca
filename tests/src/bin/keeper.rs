//! A process that looks after a store, for tests that need several, or one to kill: `keeper DIR DATA`.
//!
//! Each line that it reads is the time that its clock shows from then on. It runs what is due then, tells of each job that
//! it begins (`step JOB`, at its first step) and of each that it ran (`ran JOB DATABASE SLOT ATTEMPT OUTCOME`), and says
//! `looked`.

#![allow(clippy::unwrap_used, reason = "a test program fails by a panic")]

use std::io::{BufRead, Write};
use std::ops::ControlFlow;

use openwa_store::{Config, Durability, MaintenanceOptions, ManualClock, Store, Timestamp};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut lines = std::io::stdin().lock().lines().map(|line| Timestamp::parse(&line.unwrap()).unwrap());
    let clock = ManualClock::new(lines.next().unwrap());
    let config = Config {
        data: args[1].parse().unwrap(),
        clock: std::sync::Arc::<ManualClock>::clone(&clock),
        durability: Durability::Normal,
        ..Config::new(&args[0])
    };
    let store = Store::open_with(config).unwrap();
    say("open");
    let options = MaintenanceOptions {
        retention: Some("30 2 * * *".into()),
        idempotency: Some("0 */6 * * *".into()),
        optimize: Some("0 4 * * 0".into()),
        usage: None,
        timezone: "Europe/Berlin".into(),
        ..MaintenanceOptions::default()
    };
    for now in lines {
        clock.set(now);
        let mut begun = "";
        let mut tell = |at: openwa_store::Progress| {
            if at.table != begun {
                begun = at.table;
                say(&format!("step {begun}"));
            }
            ControlFlow::Continue(())
        };
        for run in store.run_maintenance(&options, None, Some(&mut tell)).unwrap() {
            if let (Some(slot), Some(database), 1..) = (run.slot, run.database, run.attempt) {
                assert_eq!(run.error, None);
                say(&format!("ran {} {database} {slot} {} {}", run.job, run.attempt, run.outcome));
            }
        }
        say("looked");
    }
    store.close().unwrap();
}

/// One whole line, at once.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
