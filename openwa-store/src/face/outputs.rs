//! What answers look like from outside whose Rust form is an enum, a tuple or holds an error.

use crate::engine::Skipped;
use crate::entity::{ApiKey, Message, SessionStatus};
use crate::error::Error;
use crate::json::Json;
use crate::policy::authorize::Decision;
use crate::record::{IntoRecord, Record, Secret, view};
use crate::repo::auth::AuthValue;
use crate::repo::ingest::Ingested;
use crate::repo::messages::{Outcome, Saved};
use crate::repo::webhooks::Begin;
use crate::store::{Authorization, CreatedKey};
use crate::text::Text;
use crate::value::names;

names! {
    /// What a save did.
    pub(crate) enum SaveOutcome {
        /// The message is new. Fire webhooks on this.
        Inserted = "inserted",
        /// It was known and something was added: a gap was filled, the ack rose, a placeholder got its content.
        Updated = "updated",
        /// It was known, and nothing was new.
        Unchanged = "unchanged",
        /// It is not kept: history is off, or retention has removed its time already.
        NotStored = "notStored",
    }
}

impl From<Outcome> for SaveOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Inserted => SaveOutcome::Inserted,
            Outcome::Updated { .. } => SaveOutcome::Updated,
            Outcome::Unchanged => SaveOutcome::Unchanged,
            Outcome::NotStored { .. } => SaveOutcome::NotStored,
        }
    }
}

view! {
    /// What a save did, and the row as it stands now.
    Saved as Saved(it) {
        /// What the save did.
        outcome: SaveOutcome = it.outcome.into(),
        /// Whether this message was not known before, kept or not.
        is_new: bool = it.outcome.is_new(),
        /// Whether a placeholder got its content.
        upgraded: bool = matches!(it.outcome, Outcome::Updated { upgraded: true }),
        /// The row as it stands (or would stand, if it is not kept).
        message: Message = it.message,
    }
}

view! {
    /// What went wrong.
    Error as Failure(it) {
        /// The stable number of the kind of error.
        code: i64 = it.kind().code().into(),
        /// The stable name of the kind, for instance `INVALID_ARGUMENT`.
        kind: &'static str = it.kind().name(),
        /// What went wrong, for people, without operation and context.
        message: String = it.message().to_owned(),
        /// Whether the same call may succeed later without any change by the caller.
        retryable: bool = it.retryable(),
        /// What it is about: an object with `column`, `table`, `row`, `path` …
        context: Json = context(&it),
    }
}

/// An error as a record of the shape `Failure`, for bindings that show errors in their own way.
#[must_use]
pub fn failure(error: Error) -> Record {
    error.into_record()
}

/// A key's record, for a binding that calls [`authorize`](crate::ApiKeys::authorize) itself and shows each record once.
#[must_use]
pub fn api_key(key: &ApiKey) -> Record {
    key.clone().into_record()
}

fn context(e: &Error) -> Json {
    let fields = e.contexts().map(|(name, value)| (name.to_owned(), serde_json::Value::from(value)));
    fields.collect::<serde_json::Value>().into()
}

view! {
    /// What became of one of many messages: it was saved, or it was refused.
    Result<Saved, Error> as SaveResult(it) {
        /// What the save did; null: it was refused.
        saved: Option<Saved> = it.as_ref().ok().cloned(),
        /// Why it was refused; null: it was not.
        error: Option<Error> = it.err(),
    }
}

view! {
    /// A number of rows of a table.
    (&'static str, u64) as TableRows((table, rows)) {
        /// The table.
        table: &'static str = table,
        /// How many rows.
        rows: u64 = rows,
    }
}

view! {
    /// A delivery that is no message to keep.
    (Text, Skipped) as SkippedMessage((id, reason)) {
        /// WhatsApp's id.
        wa_message_id: Text = id,
        /// Why it is not kept.
        reason: Skipped = reason,
    }
}

view! {
    /// A message that could not be stored because something in it is not acceptable.
    (Text, Error) as RefusedMessage((id, error)) {
        /// WhatsApp's id.
        wa_message_id: Text = id,
        /// Why it was refused.
        error: Error = error,
    }
}

view! {
    /// What one event, or several in one commit, did.
    Ingested as Ingested(it) {
        /// Every delivery of a message, in order, with its outcome. Fire webhooks on those that are `inserted`.
        messages: Vec<Saved> = it.messages,
        /// Deliveries that are no messages to keep.
        skipped: Vec<(Text, Skipped)> = it.skipped,
        /// Messages that could not be stored because something in them is not acceptable. The rest is not affected.
        refused: Vec<(Text, Error)> = it.refused,
        /// Acks, edits, revokes and reactions that changed something.
        changes: u64 = it.changes,
        /// Those that said nothing new.
        unchanged: u64 = it.unchanged,
        /// Those that wait for their message.
        waiting: u64 = it.waiting,
        /// LID-phone pairs that were new.
        pairs: u64 = it.pairs,
        /// Contacts that were new or changed.
        contacts: u64 = it.contacts,
        /// The session's new status, if it changed.
        status: Option<SessionStatus> = it.status,
        /// Names of events that the library does not know.
        unknown: Vec<String> = it.unknown,
    }
}

names! {
    /// What a read of a credential found. Only a *missing* one may make an engine start a fresh pairing.
    pub(crate) enum AuthFound {
        /// There is one.
        Found = "found",
        /// There is none.
        Missing = "missing",
        /// There is one, but it cannot be read.
        Unreadable = "unreadable",
    }
}

view! {
    /// What a read of a credential found.
    AuthValue as AuthValue(it) {
        /// Whether there is one.
        found: AuthFound = match &it {
            AuthValue::Found(_) => AuthFound::Found,
            AuthValue::Missing => AuthFound::Missing,
            AuthValue::Unreadable(_) => AuthFound::Unreadable,
        },
        /// Why it cannot be read.
        reason: Option<String> = if let AuthValue::Unreadable(why) = &it { Some(why.clone()) } else { None },
        /// The value.
        value: Secret<Option<Vec<u8>>> = Secret(if let AuthValue::Found(bytes) = it { Some(bytes) } else { None }),
    }
}

view! {
    /// Whether an event may go to a webhook.
    Begin as Begin(it) {
        /// It is new: deliver it, then call `finish`. Else it was taken up before.
        is_new: bool = it == Begin::New,
        /// HTTP status of the stored answer, if that delivery has finished.
        response_status: Option<i64> = match &it {
            Begin::Duplicate { response_status, .. } => *response_status,
            Begin::New => None,
        },
        /// The stored answer.
        response_data: Option<Json> = match it {
            Begin::Duplicate { response_data, .. } => response_data,
            Begin::New => None,
        },
    }
}

view! {
    /// A new key. The key itself is in here and nowhere else: it is shown once and never stored.
    CreatedKey as CreatedKey(it) {
        /// The key to hand out.
        key: Secret<String> = Secret(it.key),
        /// Its record.
        api_key: ApiKey = it.api_key,
    }
}

view! {
    /// The answer to a request with a key.
    Authorization as Authorization(it) {
        /// Whether the request may go on.
        allowed: bool = it.is_allowed(),
        /// Allowed, or why not. Tell an outsider only *that* it is not.
        decision: Decision = it.decision,
        /// The key's record, if the key is known.
        api_key: Option<std::sync::Arc<ApiKey>> = it.api_key,
    }
}
