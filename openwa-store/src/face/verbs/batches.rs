use uuid::Uuid;

use super::verbs;
use crate::db::Pending;
use crate::entity::{BatchJob, BatchJobMessage};
use crate::face::inputs::BatchResult;
use crate::record::Page;
use crate::repo::batches::NewBatch;
use crate::repo::paging::PageRequest;
use crate::text::Text;

verbs! { "batches"(store, progress);
    write create("The session." session: Uuid, "The job." job: NewBatch) -> BatchJob {
        store.batches().create(session, job)
    }

    read get("The job." id: Uuid) -> BatchJob { store.batches().get(id) }

    read find("The session." session: Uuid, "The host's own id of the job." batch_id: Text) -> Option<BatchJob> {
        store.batches().find(session, batch_id)
    }

    page list("The session." session: Uuid, "Which page." page: PageRequest) -> Page<BatchJob> {
        store.batches().list(session, &page)
    }

    read messages("The job." job: Uuid, "The first position; default 0." position: Option<i64>) -> Vec<BatchJobMessage> {
        store.batches().messages(job, position.unwrap_or(0))
    }

    write claim_next("The job." job: Uuid) -> Option<BatchJobMessage> { store.batches().claim_next(job) }

    write record("The message of the job." message: Uuid, "How it ended." result: BatchResult) -> BatchJob {
        Pending::checked(result.checked().map(|result| store.batches().record(message, result)))
    }

    read unknown("The job." job: Uuid) -> Vec<BatchJobMessage> { store.batches().unknown(job) }

    write cancel("The job." job: Uuid) -> BatchJob { store.batches().cancel(job) }

    write fail("The job." job: Uuid, "What went wrong." error: Text) -> BatchJob {
        store.batches().fail(job, error)
    }
}
