use uuid::Uuid;

use super::Store;
use crate::db::Pending;
use crate::entity::{BatchJob, BatchJobMessage, BatchStatus};
use crate::error::Result;
use crate::repo::batches::{self, BatchResult, NewBatch};
use crate::repo::paging::{MAX_LIMIT, Page, PageRequest};
use crate::text::Text;

/// Bulk jobs; see [`Store::batches`].
pub struct Batches<'a>(pub(super) &'a Store);

impl Batches<'_> {
    /// Creates a job with its messages, all or none.
    ///
    /// Errors: `AlreadyExists` for a batch id that the session has used, `InvalidArgument`, `NotFound`.
    pub fn create(&self, session: Uuid, new: NewBatch) -> Pending<BatchJob> {
        self.0.write("batches.create", move |conn, env| {
            batches::create(conn, &env.ids, session, &new, env.now())
        })
    }

    /// One job by its row id.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn get(&self, id: Uuid) -> Result<BatchJob> {
        self.0.data("batches.get", |conn| batches::get(conn, id))
    }

    /// One job by the host's own id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find(&self, session: Uuid, batch_id: impl Into<Text>) -> Result<Option<BatchJob>> {
        let batch_id = batch_id.into();
        self.0.data("batches.find", |conn| batches::by_batch_id(conn, session, &batch_id))
    }

    /// One page of a session's jobs, newest first.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn list(&self, session: Uuid, request: &PageRequest) -> Result<Page<BatchJob>> {
        self.0.data("batches.list", |conn| batches::list(conn, session, request))
    }

    /// Up to a thousand messages of a job in sending order, from position `from` on.
    ///
    /// # Errors
    /// Those of the database.
    pub fn messages(&self, job: Uuid, from: i64) -> Result<Vec<BatchJobMessage>> {
        self.0.data("batches.messages", |conn| batches::messages(conn, job, from, MAX_LIMIT))
    }

    /// Hands out the next message of a job: in order, once, across threads and processes. `None`: there is none
    /// left, or the job has ended.
    pub fn claim_next(&self, job: Uuid) -> Pending<Option<BatchJobMessage>> {
        self.0.write("batches.claim_next", move |conn, env| batches::claim_next(conn, job, env.now()))
    }

    /// Records how the sending of a message ended; counters and, with the last one, the job's end come with it.
    ///
    /// Errors: `Conflict` for a message that is not being sent, `NotFound`.
    pub fn record(&self, message: Uuid, result: BatchResult) -> Pending<BatchJob> {
        self.0.write("batches.record", move |conn, env| batches::record(conn, message, &result, env.now()))
    }

    /// Messages that were handed out and have no result. After a crash nobody knows whether they went out: ask
    /// WhatsApp or the user, then [`record`](Self::record) it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unknown(&self, job: Uuid) -> Result<Vec<BatchJobMessage>> {
        self.0.data("batches.unknown", |conn| batches::unknown(conn, job))
    }

    /// Withdraws what is pending and ends the job. What is being sent may still get its result.
    ///
    /// Errors: `Conflict` for a job that has ended, `NotFound`.
    pub fn cancel(&self, job: Uuid) -> Pending<BatchJob> {
        self.0.write("batches.cancel", move |conn, env| {
            batches::end(conn, job, BatchStatus::Cancelled, None, env.now())
        })
    }

    /// Ends a job with a fatal error; what is pending is withdrawn.
    ///
    /// Errors: `Conflict` for a job that has ended, `NotFound`.
    pub fn fail(&self, job: Uuid, error: impl Into<Text>) -> Pending<BatchJob> {
        let error = error.into();
        self.0.write("batches.fail", move |conn, env| {
            batches::end(conn, job, BatchStatus::Failed, Some(&error), env.now())
        })
    }
}
