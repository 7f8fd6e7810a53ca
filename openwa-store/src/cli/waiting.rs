//! What is waited for, on standard error: one line that counts seconds. Where there is no terminal, a line at the beginning,
//! every ten seconds and at the end.

use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use console::{Term, truncate_str};

/// How often it is told where there is no terminal.
const SELDOM: u64 = 10;

/// `None`: nothing is waited for.
static WAIT: Mutex<Option<Wait>> = Mutex::new(None);
static ENDED: Condvar = Condvar::new();

struct Wait {
    since: Instant,
    text: String,
    /// What was told where there is no terminal, and after how many seconds.
    told: Vec<String>,
    at: u64,
}

impl Wait {
    /// What is new since the last time.
    fn show(&mut self) {
        let term = Term::stderr();
        let seconds = self.since.elapsed().as_secs();
        let line = format!("openwa: waiting, {seconds} s: {}", self.text);
        if term.is_term() {
            // The line's end stays free, or some terminals begin another one.
            let width = usize::from(term.size().1).saturating_sub(1);
            let line = line.replace(char::is_control, " ");
            write(&format!("\r{}\x1b[K", truncate_str(&line, width, "…")));
        } else if !self.told.contains(&self.text) || seconds >= self.at + SELDOM {
            write(&(line + "\n"));
            self.told.push(self.text.clone());
            self.at = seconds;
        }
    }
}

/// Standard error may be closed, and nobody to tell it to.
fn write(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn waits() -> MutexGuard<'static, Option<Wait>> {
    WAIT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something is waited for, until [`done`].
pub fn tell(text: &str) {
    let mut waits = waits();
    let new = waits.is_none();
    let wait = waits.get_or_insert_with(|| Wait {
        since: Instant::now(),
        text: String::new(),
        told: Vec::new(),
        at: 0,
    });
    text.clone_into(&mut wait.text);
    wait.show();
    drop(waits);
    if new {
        // Without a thread the seconds are shown as often as somebody tells.
        let _ = std::thread::Builder::new().name("openwa-waiting".to_owned()).spawn(count);
    }
}

fn count() {
    let mut guard = waits();
    loop {
        let second = Duration::from_secs(1);
        guard = ENDED.wait_timeout(guard, second).unwrap_or_else(PoisonError::into_inner).0;
        match &mut *guard {
            Some(wait) => wait.show(),
            None => return,
        }
    }
}

/// It is not waited for any longer.
pub fn done() {
    let Some(wait) = waits().take() else { return };
    ENDED.notify_all();
    if Term::stderr().is_term() {
        write("\r\x1b[K");
    } else {
        write(&format!("openwa: waited {} s\n", wait.since.elapsed().as_secs()));
    }
}
