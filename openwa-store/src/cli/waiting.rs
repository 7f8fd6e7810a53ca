//! One line while a store waits for its server.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use console::Term;

/// How often a file or a pipe hears of it; on a terminal the line counts seconds.
const AGAIN: Duration = Duration::from_secs(10);

struct Waiting {
    since: Instant,
    said: Option<Instant>,
}

static NOW: Mutex<Option<Waiting>> = Mutex::new(None);

/// Says what is waited for, and for how long already.
pub fn tell(text: &str) {
    let mut now = NOW.lock().unwrap_or_else(PoisonError::into_inner);
    let waiting = now.get_or_insert_with(|| Waiting { since: Instant::now(), said: None });
    let line = format!("openwa: waiting for {} s: {text}", waiting.since.elapsed().as_secs());
    let term = Term::stderr();
    if term.is_term() {
        // A line that is wider than the terminal would become two.
        let width = usize::from(term.size().1);
        let line = console::truncate_str(&line, width.saturating_sub(1), "…");
        // Nobody is left to hear that standard error is closed.
        let _ = term.clear_line().and_then(|()| term.write_str(&line));
    } else if waiting.said.is_none_or(|at| at.elapsed() >= AGAIN) {
        eprintln!("{line}");
        waiting.said = Some(Instant::now());
    }
}

/// The waiting is over.
pub fn done() {
    let waited = NOW.lock().unwrap_or_else(PoisonError::into_inner).take();
    let term = Term::stderr();
    if waited.is_some() && term.is_term() {
        let _ = term.clear_line();
    }
}
