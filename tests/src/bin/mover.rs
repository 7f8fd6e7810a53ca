//! Takes a source over in a process of its own, for tests that kill it or look at its memory.
//!
//! `mover DIR SOURCE`: opens the store in DIR, takes SOURCE over, and says how far it is: `read ROWS`, `write ROWS`, at
//! last `done ROWS KIB` with the rows of `messages` and the most memory it ever used.

#![allow(clippy::unwrap_used, reason = "a test program fails by a panic")]

use std::io::Write;
use std::ops::ControlFlow;

use openwa_store::{Store, TakeoverOptions, TakeoverPhase, TakeoverProgress};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let store = Store::open(&args[0]).unwrap();
    let tell = &mut |at: &TakeoverProgress| {
        let phase = if at.phase == TakeoverPhase::Read { "read" } else { "write" };
        say(&format!("{phase} {}", at.rows));
        ControlFlow::Continue(())
    };
    let report = store.takeover(&args[1..], &TakeoverOptions::default(), Some(tell)).unwrap();
    let messages = report.written.iter().find(|w| w.table == "messages").map_or(0, |w| w.rows);
    say(&format!("done {messages} {}", peak()));
    store.close().unwrap();
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// KiB of memory that this process has had at most; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
