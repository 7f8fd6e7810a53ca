use std::ops::ControlFlow;
use std::str::FromStr;
use std::time::Duration;

use crate::policy::retention::{DAY, MAX_DAYS, Windows};
use crate::{Json, MovedIn, RetentionOptions, RetentionReport, RetentionStatus, Store, Text, Timestamp};
use clap::{Args, Subcommand};
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use super::exit::{Exit, Result};
use super::json::{Object, array};
use super::meter::Meter;
use super::options::Options;
use super::output::Output;
use super::table::{Column, Table};

/// Delete what is older than its window; alone, show what would go and whether it waits for a yes
#[derive(Args)]
pub struct Retention {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Show windows, what would go, and whether messages wait for a yes
    Status(Run),
    /// Say yes: messages that moved in go when they are older than their window, and the clock is right as it stands
    Accept,
    /// Count what a run would delete; deletes nothing
    Preview(Run),
    /// Delete it, in small transactions beside other writers
    Run(Run),
}

/// Windows are whole days (30), hours (24h), or off for "keep for ever". A session may have its own window for
/// messages in its settings.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    windows: WindowOptions,

    /// Even if the clock seems to have jumped
    #[arg(long)]
    force: bool,

    /// Take this for the present
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
}

/// How long rows are kept.
#[derive(Args)]
pub struct WindowOptions {
    /// Messages, by the time they were stored [default: 30]
    #[arg(long, value_name = "WINDOW", help_heading = "Windows")]
    messages: Option<Window>,

    /// Session logs [default: 7]
    #[arg(long, value_name = "WINDOW", help_heading = "Windows")]
    session_logs: Option<Window>,

    /// Webhook logs [default: 7]
    #[arg(long, value_name = "WINDOW", help_heading = "Windows")]
    webhook_logs: Option<Window>,

    /// Logs of API keys [default: 30]
    #[arg(long, value_name = "WINDOW", help_heading = "Windows")]
    api_key_logs: Option<Window>,

    /// The audit trail [default: 90]
    #[arg(long, value_name = "WINDOW", help_heading = "Windows")]
    audit_logs: Option<Window>,

    /// Bulk jobs that have ended [default: 30]
    #[arg(long, value_name = "WINDOW", help_heading = "Windows")]
    batches: Option<Window>,

    /// Idempotency keys of webhooks [default: 24h]
    #[arg(long, value_name = "WINDOW", help_heading = "Windows")]
    webhook_idempotency: Option<Window>,

    /// Changes that wait for their message [default: 7]
    #[arg(long, value_name = "WINDOW", help_heading = "Windows")]
    pending_changes: Option<Window>,
}

/// How long something is kept; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Window(Option<Duration>);

impl FromStr for Window {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        if s == "off" {
            return Ok(Window(None));
        }
        let (digits, unit) = match s.strip_suffix('h') {
            Some(hours) => (hours, DAY / 24),
            None => (s.strip_suffix('d').unwrap_or(s), DAY),
        };
        let most = MAX_DAYS * DAY.as_secs() / unit.as_secs();
        let n = digits.parse::<u64>().ok().filter(|n| (1..=most).contains(n));
        let n = n.ok_or_else(|| format!("a window is 1 to {MAX_DAYS} days, hours such as 24h, or off"))?;
        Ok(Window(Some(Duration::from_secs(n * unit.as_secs()))))
    }
}

impl Retention {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        let (report, done) = match &self.what {
            None => return status(&store, &RetentionOptions::default(), out),
            Some(What::Status(how)) => return status(&store, &how.options(), out),
            Some(What::Accept) => return accept(&store, out),
            Some(What::Preview(how)) => (store.retention_preview(&how.options())?, "would be deleted"),
            Some(What::Run(how)) => {
                if !out.is_json() {
                    let due = store.retention_preview(&how.options())?.rows();
                    out.line(format_args!("{} rows are older than their window.", HumanCount(due)))?;
                    out.flush()?;
                }
                let mut meter = Meter::rows("retention");
                let done = store.run_retention(
                    &how.options(),
                    Some(&mut |table, rows| {
                        meter.at(table, rows, None);
                        ControlFlow::Continue(())
                    }),
                );
                meter.done();
                (done?, "deleted")
            }
        };
        store.close()?;
        if out.is_json() {
            out.json(&document(&report))?;
        } else if report.already_running {
            out.line("Another process is at it; nothing was done here.")?;
        } else {
            show(&report, done, out)?;
        }
        Ok(if report.already_running { Exit::TryAgain } else { Exit::Done })
    }
}

impl Run {
    fn options(&self) -> RetentionOptions {
        RetentionOptions { windows: self.windows.windows(), now: self.now, force: self.force }
    }
}

impl WindowOptions {
    /// The windows, with the usual ones for what is not given.
    pub fn windows(&self) -> Windows {
        let usual = Windows::default();
        let or = |given: Option<Window>, usual| given.map_or(usual, |window| window.0);
        Windows {
            messages: or(self.messages, usual.messages),
            session_logs: or(self.session_logs, usual.session_logs),
            webhook_logs: or(self.webhook_logs, usual.webhook_logs),
            api_key_logs: or(self.api_key_logs, usual.api_key_logs),
            audit_logs: or(self.audit_logs, usual.audit_logs),
            batches: or(self.batches, usual.batches),
            webhook_idempotency: or(self.webhook_idempotency, usual.webhook_idempotency),
            pending_changes: or(self.pending_changes, usual.pending_changes),
        }
    }
}

fn status(store: &Store, how: &RetentionOptions, out: &mut Output) -> Result<Exit> {
    let status = store.retention_status(how)?;
    store.close()?;
    if out.is_json() {
        out.json(&status_document(&status))?;
        return Ok(Exit::Done);
    }
    let window = status.window.map_or("for ever".to_owned(), |w| format!("for {} days", days(w)));
    out.line(format_args!("Messages are kept {window}, unless their session says otherwise."))?;
    match status.last_run {
        Some(at) => out.line(format_args!("Retention last ran {at}."))?,
        None => out.line("Retention has not run yet.")?,
    }
    if let Some(at) = status.accepted_at {
        out.line(format_args!("The last yes was said {at}."))?;
    }
    let rows: u64 = status.tables.iter().map(|(_, n)| n).sum();
    if rows == 0 {
        out.line("Nothing is older than its window.")?;
    } else {
        let mut table = Table::new(&[Column::Left("TABLE"), Column::Right("OLDER THAN ITS WINDOW")]);
        for (name, rows) in status.tables.iter().filter(|(_, rows)| *rows > 0) {
            table.row([(*name).to_owned(), HumanCount(*rows).to_string()]);
        }
        out.line("")?;
        out.table(&table)?;
    }
    if let Some(oldest) = status.oldest {
        out.line(format_args!("The oldest message that would go was stored {oldest}."))?;
    }
    if let Some(waiting) = &status.waiting {
        out.line(format_args!("\nIt waits: {waiting}."))?;
    }
    Ok(Exit::Done)
}

fn days(window: Duration) -> f64 {
    window.as_secs() as f64 / DAY.as_secs() as f64
}

fn accept(store: &Store, out: &mut Output) -> Result<Exit> {
    let moved = store.accept_retention()?;
    store.close()?;
    if out.is_json() {
        out.json(&array(moved.iter().map(moved_document)))?;
        return Ok(Exit::Done);
    }
    for m in &moved {
        let (messages, by) = (HumanCount(m.messages), m.by);
        out.line(format_args!("{messages} messages, the oldest of {}: {by} of {}", m.oldest, m.at))?;
    }
    out.line("Accepted: the next run of retention deletes what is older than its window.")?;
    Ok(Exit::Done)
}

fn moved_document(m: &MovedIn) -> Json {
    Object::new()
        .put("by", json!(m.by.name()))
        .put("source", json!(Text::from(m.source.as_str()).as_stored()))
        .put("at", json!(m.at.to_string()))
        .put("messages", json!(m.messages))
        .put("oldest", json!(m.oldest.to_string()))
        .put("age_days", json!(days(m.age)))
        .done()
}

fn status_document(status: &RetentionStatus) -> Json {
    let time = |at: Option<Timestamp>| json!(at.map(|t| t.to_string()));
    let tables = status.tables.iter().fold(Object::new(), |o, (name, rows)| o.put(name, json!(rows)));
    Object::new()
        .put("window_days", json!(status.window.map(days)))
        .put("tables", tables.done())
        .put("oldest", time(status.oldest))
        .put("waiting", waiting(status.waiting.as_ref()))
        .put("moved", array(status.moved.iter().map(moved_document)))
        .put("accepted_at", time(status.accepted_at))
        .put("last_run", time(status.last_run))
        .done()
}

fn waiting(why: Option<&String>) -> serde_json::Value {
    json!(why.map(|why| Text::from(why.as_str()).as_stored().to_owned()))
}

fn show(report: &RetentionReport, done: &str, out: &mut Output) -> Result<()> {
    if let Some(waiting) = &report.waiting {
        out.line(format_args!("It waits: {waiting}."))?;
    }
    if report.rows() == 0 {
        let nothing = if report.waiting.is_some() { "Nothing else" } else { "Nothing" };
        out.line(format_args!("{nothing} is older than its window."))?;
        return Ok(());
    }
    let mut table = Table::new(&[Column::Left("TABLE"), Column::Right("ROWS")]);
    for (name, rows) in &report.tables {
        table.row([(*name).to_owned(), HumanCount(*rows).to_string()]);
    }
    out.table(&table)?;
    out.line(format_args!("\n{} rows {done}", HumanCount(report.rows())))?;
    if report.bytes_freed > 0 {
        out.line(format_args!("{} given back to the disk", HumanBytes(report.bytes_freed)))?;
    }
    Ok(())
}

fn document(report: &RetentionReport) -> Json {
    let tables = report.tables.iter().fold(Object::new(), |o, (name, rows)| o.put(name, json!(rows)));
    Object::new()
        .put("tables", tables.done())
        .put("rows", json!(report.rows()))
        .put("bytes_freed", json!(report.bytes_freed))
        .put("already_running", json!(report.already_running))
        .put("stopped", json!(report.stopped))
        .put("waiting", waiting(report.waiting.as_ref()))
        .done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_days_hours_or_off() {
        let read = |s: &str| s.parse::<Window>().map(|w| w.0);
        assert_eq!(read("off"), Ok(None));
        assert_eq!(read("30"), Ok(Some(DAY * 30)));
        assert_eq!(read("30d"), Ok(Some(DAY * 30)));
        assert_eq!(read("36h"), Ok(Some(DAY + DAY / 2)));
        for bad in ["", "0", "-1", "1.5", "36501", "876001h", "1w", "h", "forever"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
