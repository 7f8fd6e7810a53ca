//! The counters of bulk jobs against a recount.

use uuid::Uuid;

use super::{Checker, Counted, Finding, FindingKind, text};
use crate::db::{Conn, Flow};
use crate::entity::Database;
use crate::error::Result;
use crate::repo::batches;
use crate::store::Store;
use crate::text::Text;
use crate::value::Column;

/// The jobs whose counters are not what their messages say: id, and the name that people know.
const WRONG: &str = "SELECT j.id, j.batch_id FROM batch_jobs j
  WHERE (total_messages, sent_count, failed_count, cancelled_count) <> (
        SELECT count(*), count(*) FILTER (WHERE m.status = 'sent'), count(*) FILTER (WHERE m.status = 'failed'),
               count(*) FILTER (WHERE m.status = 'cancelled')
          FROM batch_job_messages m WHERE m.batch_job_id = j.id)";
/// Jobs that are mended between two looks.
const AT_ONCE: usize = 500;

pub(super) fn check(checker: &mut Checker<'_, '_>) -> Result<()> {
    let asked = checker.ask(Database::Data, "batch_jobs", |conn| {
        let (mut found, mut name) = (Counted::default(), Text::default());
        conn.query(WRONG, &[], &mut |row| {
            if found.count == 0 {
                name = text(row.get(1)).unwrap_or_default();
            }
            found.add(|| text(row.get(0)));
            Ok(Flow::Continue(()))
        })?;
        Ok((found, name))
    })?;
    let (found, name) = asked.unwrap_or_default();
    let more = if found.count > 1 { format!(" (and of {} more)", found.count - 1) } else { String::new() };
    checker.find(Finding::new(FindingKind::WrongCounters, Database::Data, "batch_jobs", None, found, |_| {
        format!("the counters of bulk job {name}{more} are not what its messages say")
    }));
    Ok(())
}

/// Recounts each of them in a transaction of its own.
pub(super) fn repair(store: &Store) -> Result<u64> {
    let mut mended = 0;
    loop {
        let mut jobs: Vec<Uuid> = Vec::new();
        store.database(Database::Data).long_read(
            |conn: &dyn Conn| {
                conn.query(WRONG, &[], &mut |row| {
                    jobs.extend(Uuid::read(row.get(0)));
                    Ok(if jobs.len() < AT_ONCE { Flow::Continue(()) } else { Flow::Break(()) })
                })
            },
            &mut || Flow::Continue(()),
        )?;
        let before = mended;
        for job in jobs {
            let recount =
                move |conn: &dyn Conn, env: &crate::store::Env| batches::recount(conn, job, env.now());
            mended += u64::from(store.write("repair", recount).wait()?);
        }
        if mended == before {
            return Ok(mended);
        }
    }
}
