use std::ops::ControlFlow;
use std::str::FromStr;
use std::time::Duration;

use crate::policy::retention::{DAY, MAX_DAYS, Windows};
use crate::{Json, RetentionOptions, RetentionReport, Timestamp};
use clap::{Args, Subcommand};
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use super::exit::{Exit, Result};
use super::json::Object;
use super::meter::Meter;
use super::options::Options;
use super::output::Output;
use super::table::{Column, Table};

/// Delete what is older than its window
#[derive(Subcommand)]
pub enum Retention {
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
        let (report, done) = match self {
            Retention::Preview(how) => (store.retention_preview(&how.options())?, "would be deleted"),
            Retention::Run(how) => {
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

fn show(report: &RetentionReport, done: &str, out: &mut Output) -> Result<()> {
    if report.rows() == 0 {
        out.line("Nothing is older than its window.")?;
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
