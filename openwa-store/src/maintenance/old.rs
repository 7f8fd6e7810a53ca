//! What is too old to be kept: which rows, by which window, found by which index.

use std::time::Duration;

use uuid::Uuid;

use crate::entity::{BatchStatus, Database, Session};
use crate::error::Result;
use crate::policy::retention::{self as rules, Windows};
use crate::time::Timestamp;
use crate::value::Value;

/// One kind of rows that grow old.
struct Rule {
    database: Database,
    table: &'static str,
    /// The primary key, as SQL.
    key: &'static str,
    /// The column that says how old a row is.
    time: &'static str,
    window: fn(&Windows) -> Option<Duration>,
}

/// Everything but messages and bulk jobs, which have rules of their own.
const RULES: &[Rule] = &[
    Rule {
        database: Database::Data,
        table: "session_logs",
        key: "id",
        time: "created_at",
        window: |w| w.session_logs,
    },
    Rule {
        database: Database::Data,
        table: "webhook_logs",
        key: "id",
        time: "created_at",
        window: |w| w.webhook_logs,
    },
    Rule {
        database: Database::Data,
        table: "webhook_idempotency",
        key: "webhook_id, idempotency_key",
        time: "processed_at",
        window: |w| w.webhook_idempotency,
    },
    Rule {
        database: Database::Data,
        table: "pending_changes",
        key: "id",
        time: "created_at",
        window: |w| w.pending_changes,
    },
    Rule {
        database: Database::Main,
        table: "api_key_logs",
        key: "id",
        time: "created_at",
        window: |w| w.api_key_logs,
    },
    Rule {
        database: Database::Main,
        table: "audit_logs",
        key: "id",
        time: "created_at",
        window: |w| w.audit_logs,
    },
];

/// The jobs that have ended.
const ENDED: [BatchStatus; 3] = [BatchStatus::Completed, BatchStatus::Cancelled, BatchStatus::Failed];

/// A set of rows to be deleted: the WHERE clause that an index answers, and its values.
pub(super) struct Old<'a> {
    pub(super) database: Database,
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    pub(super) time: &'static str,
    pub(super) filter: String,
    /// How the index that answers the filter is ordered.
    pub(super) order: &'static str,
    pub(super) values: Vec<Value<'a>>,
}

impl Rule {
    fn old(&self, cutoff: Timestamp) -> Old<'static> {
        Old {
            database: self.database,
            table: self.table,
            key: self.key,
            time: self.time,
            filter: format!("{} < ?1", self.time),
            order: self.time,
            values: vec![Value::Time(cutoff)],
        }
    }
}

/// A session's old messages. A row is stored after it was sent, so the session's time index finds what is old
/// enough; the partial index holds the few that claim otherwise.
fn old_messages(session: Uuid, cutoff: Timestamp) -> [Old<'static>; 2] {
    let old = |filter: &str, order| Old {
        database: Database::Data,
        table: "messages",
        key: "id",
        time: "created_at",
        filter: filter.to_owned(),
        order,
        values: vec![Value::Uuid(session), Value::Time(cutoff)],
    };
    [
        old("session_id = ?1 AND wa_timestamp < ?2 AND created_at < ?2", "wa_timestamp, id"),
        old("session_id = ?1 AND created_at < ?2 AND created_at < wa_timestamp", "created_at"),
    ]
}

fn old_jobs(cutoff: Timestamp) -> [Old<'static>; 3] {
    ENDED.map(|status| Old {
        database: Database::Data,
        table: "batch_jobs",
        key: "id",
        time: "completed_at",
        filter: "status = ?1 AND completed_at < ?2".to_owned(),
        order: "completed_at",
        values: vec![Value::Text(status.name()), Value::Time(cutoff)],
    })
}

/// What is to be deleted, and by which window.
pub(super) struct Plan {
    pub(super) old: Vec<(Old<'static>, Duration)>,
    /// Sessions and the time before which their messages go.
    pub(super) cutoffs: Vec<(Uuid, Timestamp)>,
    /// Before this time the messages of all sessions go.
    pub(super) all_before: Option<Timestamp>,
}

pub(super) fn plan(windows: &Windows, sessions: &[Session], now: Timestamp) -> Result<Plan> {
    let mut plan = Plan { old: Vec::new(), cutoffs: Vec::new(), all_before: None };
    for session in sessions {
        let own = rules::message_window(&session.config).map_err(|e| e.with("session", session.id))?;
        if let Some(window) = own.or(windows.messages) {
            let cutoff = rules::cutoff(now, window);
            plan.cutoffs.push((session.id, cutoff));
            plan.old.extend(old_messages(session.id, cutoff).map(|old| (old, window)));
        }
    }
    if plan.cutoffs.len() == sessions.len() {
        plan.all_before = plan.cutoffs.iter().map(|(_, cutoff)| *cutoff).min();
    }
    if let Some(window) = windows.batches {
        plan.old.extend(old_jobs(rules::cutoff(now, window)).map(|old| (old, window)));
    }
    for rule in RULES {
        if let Some(window) = (rule.window)(windows) {
            plan.old.push((rule.old(rules::cutoff(now, window)), window));
        }
    }
    Ok(plan)
}
