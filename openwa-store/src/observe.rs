//! What the library tells the host's own instruments: numbers through the facade `metrics`, spans and events through
//! `tracing`. It brings no exporter; while nobody listens both cost next to nothing.
//!
//! Every name is in [`METRICS`] or [`TRACES`], and nothing outside this file emits one. Labels and fields are names of
//! operations, jobs, tables, databases and kinds of errors: never a message, an address, a key or a secret.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::entity::Database;
use crate::error::{Error, Kind, Result};

/// A number that the library measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub doc: &'static str,
}

/// A span or an event that the library traces, with the target `openwa`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Its name; of an event, its message.
    pub name: &'static str,
    /// `span` or `event`.
    pub kind: &'static str,
    /// `trace`, `debug`, `info` or `warn`.
    pub level: &'static str,
    /// The names of its fields.
    pub fields: &'static [&'static str],
    /// What it tells.
    pub doc: &'static str,
}

const fn metric(
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    doc: &'static str,
) -> Metric {
    Metric { name, kind, labels, doc }
}

/// Every metric.
pub const METRICS: &[Metric] = &[
    metric(
        OPERATIONS,
        "counter",
        &["operation", "outcome"],
        "Calls that ended, by how: `ok` or the kind of error.",
    ),
    metric(QUEUE, "gauge", &["database"], "Writes that waited for a commit when the last group was taken."),
    metric(GROUP, "histogram", &["database"], "Writes that shared a commit."),
    metric(
        COMMIT,
        "histogram",
        &["database"],
        "Seconds that a group took, from its beginning until it was durable.",
    ),
    metric(SAVES, "counter", &["outcome"], "Messages that were saved, by what the save did."),
    metric(
        ATTEMPTS,
        "counter",
        &["result"],
        "Webhook deliveries that were logged: `1xx` to `5xx` by the answer's status, `none` when no answer came.",
    ),
    metric(RETENTION, "counter", &["table"], "Rows that were deleted because of their age."),
    metric(RUNS, "counter", &["job", "outcome"], "Runs of maintenance: `done`, `stopped` or `failed`."),
    metric(RUN_TIME, "histogram", &["job"], "Seconds that a run of maintenance took."),
    metric(
        UNAVAILABLE,
        "counter",
        &["database"],
        "Times at which a database went out of reach, until it came back.",
    ),
    metric(
        CHECKPOINT_FAILURES,
        "counter",
        &["database"],
        "Checkpoints of a SQLite database that failed; each is tried again.",
    ),
    metric(LOG_WAITING, "gauge", &["log"], "Log rows that wait in memory, when some were written last."),
    metric(
        LOG_DROPPED,
        "counter",
        &["log"],
        "Log rows that were lost: too many waited, or their webhook was gone.",
    ),
];

const OPERATIONS: &str = "openwa_operations_total";
const QUEUE: &str = "openwa_queue_depth";
const GROUP: &str = "openwa_group_size";
const COMMIT: &str = "openwa_commit_seconds";
const SAVES: &str = "openwa_saves_total";
const ATTEMPTS: &str = "openwa_webhook_attempts_total";
const RETENTION: &str = "openwa_retention_rows_total";
const RUNS: &str = "openwa_maintenance_runs_total";
const RUN_TIME: &str = "openwa_maintenance_seconds";
const UNAVAILABLE: &str = "openwa_unavailable_total";
const CHECKPOINT_FAILURES: &str = "openwa_checkpoint_failures_total";
const LOG_WAITING: &str = "openwa_log_rows_waiting";
const LOG_DROPPED: &str = "openwa_log_rows_dropped_total";

/// Every span and event.
pub const TRACES: &[Trace] = &[
    Trace {
        name: "openwa.commit",
        kind: "span",
        level: "debug",
        fields: &["database", "writes"],
        doc: "A group of writes, from its beginning until it is durable.",
    },
    Trace {
        name: "openwa.maintenance",
        kind: "span",
        level: "info",
        fields: &["job", "database"],
        doc: "A run of maintenance.",
    },
    Trace {
        name: "operation ended",
        kind: "event",
        level: "trace",
        fields: &["operation", "outcome"],
        doc: "A call has ended.",
    },
    Trace {
        name: "maintenance ended",
        kind: "event",
        level: "info",
        fields: &["outcome"],
        doc: "A run of maintenance has ended.",
    },
    Trace {
        name: "maintenance failed",
        kind: "event",
        level: "warn",
        fields: &["kind"],
        doc: "A run of maintenance has failed.",
    },
    Trace {
        name: "database out of reach",
        kind: "event",
        level: "warn",
        fields: &["database"],
        doc: "Calls fail as unavailable from now on.",
    },
    Trace {
        name: "database back",
        kind: "event",
        level: "info",
        fields: &["database"],
        doc: "It can be reached again.",
    },
    Trace {
        name: "checkpoint failed",
        kind: "event",
        level: "warn",
        fields: &["database", "kind"],
        doc: "The write-ahead log could not be moved into the SQLite file; said once, until it works again.",
    },
    Trace {
        name: "log rows lost",
        kind: "event",
        level: "warn",
        fields: &["log", "rows"],
        doc: "Rows of a log were lost.",
    },
];

/// Watches whether a database can be reached.
pub(crate) struct Reach {
    database: Database,
    away: AtomicBool,
}

impl Reach {
    pub(crate) fn of(database: Database) -> Self {
        Reach { database, away: AtomicBool::new(false) }
    }

    fn note(&self, failed: Option<Kind>) {
        let away = self.away.load(Ordering::Relaxed);
        match failed {
            None if away && self.away.swap(false, Ordering::Relaxed) => {
                tracing::info!(target: "openwa", database = self.database.name(), "database back");
            }
            Some(Kind::Unavailable) if !away && !self.away.swap(true, Ordering::Relaxed) => {
                counter!(UNAVAILABLE, "database" => self.database.name()).increment(1);
                tracing::warn!(target: "openwa", database = self.database.name(), "database out of reach");
            }
            _ => {}
        }
    }
}

/// A call has ended.
pub(crate) fn operation<T>(operation: &'static str, reach: &Reach, out: &Result<T>) {
    let failed = out.as_ref().err().map(Error::kind);
    let outcome = failed.map_or("ok", Kind::name);
    counter!(OPERATIONS, "operation" => operation, "outcome" => outcome).increment(1);
    tracing::trace!(target: "openwa", operation, outcome, "operation ended");
    reach.note(failed);
}

/// A group was taken from the queue, in which so many writes had waited.
pub(crate) fn queue(database: Database, waited: usize) {
    gauge!(QUEUE, "database" => database.name()).set(waited as f64);
}

/// A span for the commit of a group.
pub(crate) fn committing(database: Database, writes: usize) -> tracing::span::EnteredSpan {
    tracing::debug_span!(target: "openwa", "openwa.commit", database = database.name(), writes).entered()
}

/// A group was committed, or failed.
pub(crate) fn committed(database: Database, writes: usize, took: Duration) {
    histogram!(GROUP, "database" => database.name()).record(writes as f64);
    histogram!(COMMIT, "database" => database.name()).record(took);
}

/// A message was saved.
pub(crate) fn saved(outcome: &'static str) {
    counter!(SAVES, "outcome" => outcome).increment(1);
}

/// A delivery was logged.
pub(crate) fn attempt(status: Option<i64>) {
    let result = match status.map(|status| status / 100) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(5) => "5xx",
        Some(_) | None => "none",
    };
    counter!(ATTEMPTS, "result" => result).increment(1);
}

/// Rows were deleted by retention.
pub(crate) fn retired(table: &'static str, rows: u64) {
    counter!(RETENTION, "table" => table).increment(rows);
}

/// A span for a run of maintenance.
pub(crate) fn maintaining(job: &'static str, database: Option<Database>) -> tracing::span::EnteredSpan {
    let database = database.map_or("", Database::name);
    tracing::info_span!(target: "openwa", "openwa.maintenance", job, database).entered()
}

/// A run of maintenance has ended.
pub(crate) fn maintained(job: &'static str, outcome: &'static str, failed: Option<Kind>, took: Duration) {
    counter!(RUNS, "job" => job, "outcome" => outcome).increment(1);
    histogram!(RUN_TIME, "job" => job).record(took);
    match failed {
        Some(kind) => tracing::warn!(target: "openwa", kind = kind.name(), "maintenance failed"),
        None => tracing::info!(target: "openwa", outcome, "maintenance ended"),
    }
}

/// A checkpoint has failed, the first after one that did not if `first`.
pub(crate) fn checkpoint_failed(database: Database, kind: Kind, first: bool) {
    counter!(CHECKPOINT_FAILURES, "database" => database.name()).increment(1);
    if first {
        tracing::warn!(target: "openwa", database = database.name(), kind = kind.name(), "checkpoint failed");
    }
}

/// So many rows of a log wait.
pub(crate) fn log_waiting(log: &'static str, rows: usize) {
    gauge!(LOG_WAITING, "log" => log).set(rows as f64);
}

/// Rows of a log were lost.
pub(crate) fn log_dropped(log: &'static str, rows: u64) {
    counter!(LOG_DROPPED, "log" => log).increment(rows);
    tracing::warn!(target: "openwa", log, rows, "log rows lost");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of `docs/observability.md`.
    fn tables() -> String {
        let list = |names: &[&str]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        let mut text = "| metric | kind | labels | what it tells |\n|---|---|---|---|\n".to_owned();
        for m in METRICS {
            text += &format!("| `{}` | {} | {} | {} |\n", m.name, m.kind, list(m.labels), m.doc);
        }
        text += "\n| name | kind | level | fields | what it tells |\n|---|---|---|---|---|\n";
        for t in TRACES {
            text +=
                &format!("| `{}` | {} | {} | {} | {} |\n", t.name, t.kind, t.level, list(t.fields), t.doc);
        }
        text
    }

    #[test]
    fn the_documentation_has_every_name() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/observability.md");
        let (begin, end) = ("<!-- names -->\n", "<!-- end of names -->\n");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, rest) = text.split_once(begin).unwrap();
        let (_, after) = rest.split_once(end).unwrap();
        let wanted = format!("{before}{begin}{}{end}{after}", tables());
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &wanted).unwrap();
        } else {
            assert_eq!(text, wanted, "BLESS=1 renews it");
        }
    }
}
