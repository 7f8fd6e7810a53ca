//! A batch, which OpenWA keeps in one row, as a job and its messages.

use serde_json::{Map, Value, json};

use super::{Out, derived};
use crate::entity::{BatchJob, BatchJobMessage, BatchMessageStatus as Status, BatchStatus};
use crate::json::Json;
use crate::policy::batch::Counts;
use crate::takeover::row::{Cell, SourceRow, Wrong};
use crate::text::Text;
use crate::time::Timestamp;

pub(super) fn batch(row: &mut SourceRow, out: &mut Out) -> Result<(), Wrong> {
    let (id, session_id) = (row.need_uuid("id")?, row.need_uuid("session_id")?);
    let batch_id = row.need_text("batch_id")?;
    let status: BatchStatus = row
        .need_text("status")?
        .as_stored()
        .parse()
        .map_err(|_| Wrong::new("status", "is no status of a batch"))?;
    let (created_at, updated_at) = (row.need_time("created_at")?, row.need_time("updated_at")?);
    let whole = [
        ("messages", row.json_value("messages")?),
        ("results", row.json_value("results")?),
        ("progress", row.json_value("progress")?),
        ("current_index", row.int("current_index")?.map(Value::from)),
    ];
    let (Some(Value::Array(entries)), results) = (&whole[0].1, &whole[1].1) else {
        return Err(Wrong::new("messages", "is not a list"));
    };
    let results = match results {
        Some(Value::Array(results)) => results.as_slice(),
        None | Some(Value::Null) => &[],
        Some(_) => return Err(Wrong::new("results", "is not a list")),
    };
    let mut messages = Vec::with_capacity(entries.len());
    for (i, entry) in entries.iter().enumerate() {
        let mut message = read_entry(entry).map_err(|why| Wrong::new("messages", format!("[{i}] {why}")))?;
        message.id = derived("batch message", id, &i.to_string());
        (message.batch_job_id, message.position, message.created_at) = (id, i as i64, created_at);
        match results.get(i) {
            Some(result) => read_result(result, &mut message)
                .map_err(|why| Wrong::new("results", format!("[{i}] {why}")))?,
            None if status == BatchStatus::Cancelled => message.status = Status::Cancelled,
            None => {}
        }
        messages.push(message);
    }
    let told = whole[2].1.as_ref();
    let counted = Counts::recount(messages.iter().map(|m| m.status));
    let count = |name: &str, counted: i64| told.and_then(|p| p.get(name)?.as_i64()).unwrap_or(counted);
    let job = BatchJob {
        id,
        session_id,
        status,
        total_messages: entries.len() as i64,
        sent_count: count("sent", counted.sent),
        failed_count: count("failed", counted.failed),
        cancelled_count: count("cancelled", counted.cancelled),
        options: row.json("options")?.unwrap_or_default(),
        error: None,
        started_at: row.time("started_at")?,
        completed_at: row.time("completed_at")?,
        created_at,
        updated_at,
        batch_id: batch_id.clone(),
    };
    keep_what_differs(row, &whole, &job, &messages);
    out.put(&job, Some(format!("{session_id}/{}", batch_id.as_stored())), Some(session_id))?;
    messages.iter().try_for_each(|m| out.put(m, None, Some(id)))
}

/// What the way back would write otherwise is kept as it was, with the time of the job: it counts until the job
/// goes on.
fn keep_what_differs(
    row: &mut SourceRow,
    whole: &[(&str, Option<Value>); 4],
    job: &BatchJob,
    messages: &[BatchJobMessage],
) {
    let back = [
        Value::Array(messages.iter().map(entry).collect()),
        Value::Array(messages.iter().map_while(result).collect()),
        progress(job),
        Value::from(current_index(messages)),
    ];
    let mut kept = false;
    for ((name, was), back) in whole.iter().zip(back) {
        let was = was.clone().unwrap_or_default();
        if was != back {
            row.keep(name, Cell::Json(was));
            kept = true;
        }
    }
    if kept {
        row.keep("as_of", Cell::Text(job.updated_at.to_string()));
    }
}

fn read_entry(entry: &Value) -> Result<BatchJobMessage, String> {
    let text = |name: &str| match entry.get(name) {
        Some(Value::String(s)) => Ok(Text::from_stored(s.as_str())),
        _ => Err(format!("{name} is missing or not text")),
    };
    Ok(BatchJobMessage {
        id: uuid::Uuid::nil(),
        batch_job_id: uuid::Uuid::nil(),
        position: 0,
        chat_id: text("chatId")?,
        message_type: text("type")?,
        content: entry.get("content").cloned().map_or_else(Json::default, Json::from),
        variables: entry.get("variables").filter(|v| !v.is_null()).cloned().map(Json::from),
        status: Status::Pending,
        wa_message_id: None,
        error_code: None,
        error_message: None,
        sent_at: None,
        created_at: Timestamp::EPOCH,
    })
}

fn read_result(result: &Value, message: &mut BatchJobMessage) -> Result<(), String> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(Text::from_stored);
    message.status = result
        .get("status")
        .and_then(Value::as_str)
        .and_then(|s| s.parse().ok())
        .ok_or("status is no status of a message")?;
    message.wa_message_id = text(result.get("messageId")).filter(|id| !id.is_empty());
    message.sent_at = match result.get("sentAt").and_then(Value::as_str) {
        Some(at) => Some(Timestamp::parse(at).map_err(|_| "sentAt is not a time")?),
        None => None,
    };
    match result.get("error") {
        Some(Value::String(message_text)) => {
            message.error_message = Some(Text::from_stored(message_text.as_str()));
        }
        Some(error) => {
            message.error_code = text(error.get("code"));
            message.error_message = text(error.get("message"));
        }
        None => {}
    }
    Ok(())
}

/// A message of a job as an entry of OpenWA's `messages`.
pub(crate) fn entry(message: &BatchJobMessage) -> Value {
    let mut entry = Map::new();
    entry.insert("chatId".into(), message.chat_id.as_stored().into());
    entry.insert("type".into(), message.message_type.as_stored().into());
    entry.insert("content".into(), message.content.value().unwrap_or_default());
    if let Some(variables) = &message.variables {
        entry.insert("variables".into(), variables.value().unwrap_or_default());
    }
    Value::Object(entry)
}

/// A message of a job as an entry of OpenWA's `results`; `None`: it has no result yet.
pub(crate) fn result(message: &BatchJobMessage) -> Option<Value> {
    if !matches!(message.status, Status::Sent | Status::Failed) {
        return None;
    }
    let mut result = Map::new();
    result.insert("chatId".into(), message.chat_id.as_stored().into());
    result.insert("status".into(), message.status.name().into());
    if let Some(id) = &message.wa_message_id {
        result.insert("messageId".into(), id.as_stored().into());
    }
    if let Some(at) = message.sent_at {
        result.insert("sentAt".into(), at.to_string().into());
    }
    if message.error_code.is_some() || message.error_message.is_some() {
        let text = |t: &Option<Text>| t.as_ref().map_or(Value::Null, |t| t.as_stored().into());
        let error = json!({ "code": text(&message.error_code), "message": text(&message.error_message) });
        result.insert("error".into(), error);
    }
    Some(Value::Object(result))
}

pub(crate) fn progress(job: &BatchJob) -> Value {
    let pending = job.total_messages - job.sent_count - job.failed_count - job.cancelled_count;
    json!({
        "total": job.total_messages, "sent": job.sent_count, "failed": job.failed_count,
        "pending": pending, "cancelled": job.cancelled_count,
    })
}

/// Where OpenWA would go on.
pub(crate) fn current_index(messages: &[BatchJobMessage]) -> usize {
    messages.iter().take_while(|m| !matches!(m.status, Status::Pending | Status::Cancelled)).count()
}
