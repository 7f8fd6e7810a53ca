//! Bulk jobs: handed out message by message, once, across processes; counters move with the results.

use uuid::Uuid;

use super::paging::{Listing, Page, PageRequest, Way};
use super::{Ids, insert, sql, update};
use crate::db::Conn;
use crate::entity::{BatchJob, BatchJobMessage, BatchMessageStatus, BatchStatus};
use crate::error::{Error, Kind, Result};
use crate::json::Json;
use crate::policy::batch::{self as rules, Counts};
use crate::record::shape;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

shape! { input of BatchJob:
/// A bulk job to be created.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewBatch {
    /// The host's own id of the job, 1 to 100 characters; unique within the session.
    pub batch_id: Text,
    /// What to send, in order.
    pub messages: Vec<NewBatchMessage>,
    /// Settings of the host; default `{}`.
    pub options: Option<Json>,
}
}

shape! { input of BatchJobMessage:
/// One message of a bulk job to be created.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewBatchMessage {
    /// Address of the chat.
    pub chat_id: Text,
    /// `text`, `image` …
    pub message_type: Text,
    /// What to send.
    pub content: Json,
    /// Values for a template.
    pub variables: Option<Json>,
}
}

/// How the sending of one message ended.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchResult {
    /// It was sent.
    Sent {
        /// WhatsApp's id, if known.
        wa_message_id: Option<Text>,
    },
    /// It could not be sent.
    Failed {
        /// A short reason.
        error_code: Option<Text>,
        /// A long reason.
        error_message: Option<Text>,
    },
}

pub(crate) fn create(
    conn: &dyn Conn,
    ids: &Ids,
    session: Uuid,
    new: &NewBatch,
    now: Timestamp,
) -> Result<BatchJob> {
    if new.batch_id.is_empty() {
        return Err(Error::invalid("batch_id", "a bulk job needs an id of 1 to 100 characters"));
    }
    if new.messages.is_empty() {
        return Err(Error::invalid("messages", "a bulk job needs at least one message"));
    }
    let options = new.options.clone().unwrap_or_default();
    rules::check_options(&options)?;
    let job = BatchJob {
        id: ids.mint(now),
        batch_id: new.batch_id.clone(),
        session_id: session,
        status: BatchStatus::Pending,
        total_messages: new.messages.len() as i64,
        sent_count: 0,
        failed_count: 0,
        cancelled_count: 0,
        options,
        error: None,
        started_at: None,
        completed_at: None,
        created_at: now,
        updated_at: now,
    };
    insert(conn, &job)?;
    for (i, message) in new.messages.iter().enumerate() {
        let row = BatchJobMessage {
            id: ids.mint(now),
            batch_job_id: job.id,
            position: i as i64,
            chat_id: message.chat_id.clone(),
            message_type: message.message_type.clone(),
            content: message.content.clone(),
            variables: message.variables.clone(),
            status: BatchMessageStatus::Pending,
            wa_message_id: None,
            error_code: None,
            error_message: None,
            sent_at: None,
            created_at: now,
        };
        insert(conn, &row).map_err(|e| e.with("row", i))?;
    }
    Ok(job)
}

pub(crate) fn get(conn: &dyn Conn, id: Uuid) -> Result<BatchJob> {
    conn.one(sql!(BatchJob, "SELECT {} FROM batch_jobs WHERE id = ?1"), &[Value::Uuid(id)])?
        .ok_or_else(|| Error::not_found("bulk job", id))
}

/// The job, kept from changing until the transaction ends.
fn locked(conn: &dyn Conn, id: Uuid) -> Result<BatchJob> {
    conn.locked(sql!(BatchJob, "SELECT {} FROM batch_jobs WHERE id = ?1"), &[Value::Uuid(id)])?
        .ok_or_else(|| Error::not_found("bulk job", id))
}

pub(crate) fn by_batch_id(conn: &dyn Conn, session: Uuid, batch_id: &Text) -> Result<Option<BatchJob>> {
    conn.one(
        sql!(BatchJob, "SELECT {} FROM batch_jobs WHERE session_id = ?1 AND batch_id = ?2"),
        &[Value::Uuid(session), batch_id.bind()],
    )
}

pub(crate) fn list(conn: &dyn Conn, session: Uuid, request: &PageRequest) -> Result<Page<BatchJob>> {
    let after = request.keyset()?;
    let mut listing = Listing::default();
    listing.and("session_id = {}", Value::Uuid(session));
    listing.by_creation(conn, Way::Falling, request, after.as_ref(), |j: &BatchJob| (j.created_at, j.id))
}

/// The messages of a job in sending order, from `from` on, at most `limit`.
pub(crate) fn messages(conn: &dyn Conn, job: Uuid, from: i64, limit: u32) -> Result<Vec<BatchJobMessage>> {
    conn.rows(
        sql!(
            BatchJobMessage,
            "SELECT {} FROM batch_job_messages WHERE batch_job_id = ?1 AND position >= ?2 ORDER BY position LIMIT ?3"
        ),
        &[Value::Uuid(job), Value::Int(from), Value::Int(limit.into())],
    )
}

fn with_status(
    conn: &dyn Conn,
    job: Uuid,
    status: BatchMessageStatus,
    limit: i64,
) -> Result<Vec<BatchJobMessage>> {
    conn.rows(
        sql!(
            BatchJobMessage,
            "SELECT {} FROM batch_job_messages WHERE batch_job_id = ?1 AND status = ?2 ORDER BY position LIMIT ?3"
        ),
        &[Value::Uuid(job), status.bind(), Value::Int(limit)],
    )
}

/// Hands out the next message of a job. `None`: there is none left, or the job has ended.
pub(crate) fn claim_next(conn: &dyn Conn, job: Uuid, now: Timestamp) -> Result<Option<BatchJobMessage>> {
    let mut job = locked(conn, job)?;
    if rules::is_terminal(job.status) {
        return Ok(None);
    }
    let Some(mut next) = with_status(conn, job.id, BatchMessageStatus::Pending, 1)?.pop() else {
        return Ok(None);
    };
    next.status = BatchMessageStatus::Sending;
    update(conn, &next)?;
    if job.status == BatchStatus::Pending {
        (job.status, job.started_at, job.updated_at) = (BatchStatus::Processing, Some(now), now);
        update(conn, &job)?;
    }
    Ok(Some(next))
}

/// The messages that were handed out and have no result. While a sender is at work that is what it is sending;
/// after a crash nobody knows whether they went out, so they are reported and never sent again silently.
pub(crate) fn unknown(conn: &dyn Conn, job: Uuid) -> Result<Vec<BatchJobMessage>> {
    with_status(conn, job, BatchMessageStatus::Sending, i64::MAX)
}

/// Records how the sending of a message ended, and moves the job's counters.
pub(crate) fn record(
    conn: &dyn Conn,
    message: Uuid,
    result: &BatchResult,
    now: Timestamp,
) -> Result<BatchJob> {
    let found = conn.locked::<BatchJobMessage>(
        sql!(BatchJobMessage, "SELECT {} FROM batch_job_messages WHERE id = ?1"),
        &[Value::Uuid(message)],
    )?;
    let mut row = found.ok_or_else(|| Error::not_found("bulk message", message))?;
    if row.status != BatchMessageStatus::Sending {
        return Err(Error::new(
            Kind::Conflict,
            format!("the message is {}; only one that is being sent can get a result", row.status),
        )
        .with("status", row.status));
    }
    match result.clone() {
        BatchResult::Sent { wa_message_id } => {
            row.status = BatchMessageStatus::Sent;
            row.wa_message_id = wa_message_id;
            row.sent_at = Some(now);
        }
        BatchResult::Failed { error_code, error_message } => {
            row.status = BatchMessageStatus::Failed;
            row.error_code = error_code;
            row.error_message = error_message;
        }
    }
    let mut job = locked(conn, row.batch_job_id)?;
    let mut counts = counts(&job);
    counts.record(row.status)?;
    update(conn, &row)?;
    settle(&mut job, counts, now);
    update(conn, &job)?;
    Ok(job)
}

fn counts(job: &BatchJob) -> Counts {
    Counts {
        total: job.total_messages,
        sent: job.sent_count,
        failed: job.failed_count,
        cancelled: job.cancelled_count,
    }
}

/// Writes the counters into the job, and ends it when every message has its result.
fn settle(job: &mut BatchJob, counts: Counts, now: Timestamp) {
    (job.sent_count, job.failed_count, job.cancelled_count) = (counts.sent, counts.failed, counts.cancelled);
    job.status = rules::status_after(job.status, &counts);
    job.updated_at = now;
    if rules::is_terminal(job.status) && job.completed_at.is_none() {
        job.completed_at = Some(now);
    }
}

/// Writes a recount of its messages into a job, and ends it if every message has its result. False: it was right.
pub(crate) fn recount(conn: &dyn Conn, job: Uuid, now: Timestamp) -> Result<bool> {
    let mut job = locked(conn, job)?;
    let sql = "SELECT status, count(*) FROM batch_job_messages WHERE batch_job_id = ?1 GROUP BY status";
    let mut counted = Counts::default();
    for (status, n) in conn.all(sql, &[Value::Uuid(job.id)], |row| {
        Ok((BatchMessageStatus::read(row.get(0)), i64::read(row.get(1)).unwrap_or(0)))
    })? {
        counted.total += n;
        match status {
            Some(BatchMessageStatus::Sent) => counted.sent += n,
            Some(BatchMessageStatus::Failed) => counted.failed += n,
            Some(BatchMessageStatus::Cancelled) => counted.cancelled += n,
            _ => {}
        }
    }
    if counted == counts(&job) {
        return Ok(false);
    }
    let (status, ended) = (job.status, job.completed_at);
    job.total_messages = counted.total;
    settle(&mut job, counted, now);
    if counted.total == 0 {
        // Its messages are gone; that they were sent nobody knows.
        (job.status, job.completed_at) = (status, ended);
    }
    // Only what was counted: the session of a damaged row may be gone.
    conn.execute(
        "UPDATE batch_jobs SET total_messages = ?2, sent_count = ?3, failed_count = ?4, cancelled_count = ?5,
                status = ?6, completed_at = ?7, updated_at = ?8 WHERE id = ?1",
        &[
            Value::Uuid(job.id),
            Value::Int(job.total_messages),
            Value::Int(job.sent_count),
            Value::Int(job.failed_count),
            Value::Int(job.cancelled_count),
            job.status.bind(),
            job.completed_at.bind(),
            job.updated_at.bind(),
        ],
    )?;
    Ok(true)
}

/// Ends a job: what is pending is withdrawn, what is being sent still gets its result.
pub(crate) fn end(
    conn: &dyn Conn,
    job: Uuid,
    to: BatchStatus,
    error: Option<&Text>,
    now: Timestamp,
) -> Result<BatchJob> {
    let mut job = locked(conn, job)?;
    rules::check_end(job.status, to)?;
    let withdrawn = conn.execute(
        "UPDATE batch_job_messages SET status = ?3 WHERE batch_job_id = ?1 AND status = ?2",
        &[Value::Uuid(job.id), BatchMessageStatus::Pending.bind(), BatchMessageStatus::Cancelled.bind()],
    )?;
    job.cancelled_count += withdrawn as i64;
    (job.status, job.completed_at, job.updated_at) = (to, Some(now), now);
    job.error = error.cloned();
    update(conn, &job)?;
    Ok(job)
}
