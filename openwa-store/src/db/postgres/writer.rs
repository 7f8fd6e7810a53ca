//! One writer per store: what is queued goes into one transaction, in the order in which it came.
//!
//! Writes of one kind that lie side by side become statements of many rows. When one of a group fails half way, all
//! is taken back and each is done by itself. When the connection is lost before the commit, all is done again on another
//! one; when it is lost during the commit, what it left behind tells how that ended, so that nothing is done twice and
//! nothing is called done that is not.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::conn::Commit;
use super::{Core, PgConn};
use crate::db::queue::{Job, Limits, Queue};
use crate::db::{Conn, lock};
use crate::error::{Error, Kind, Result};

/// How often one write is tried that others get in the way of, if there is time.
const TRIES: u32 = 10;

pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How long the next group is waited for. A transaction costs some round trips and a sync however few writes are in it.
const GATHER: Duration = Duration::from_millis(1);

impl Writer {
    pub(super) fn start(core: Arc<Core>, limits: Limits) -> Result<Self> {
        let queue = Arc::new(Queue::new(crate::entity::Database::Data, limits, GATHER));
        let jobs = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("openwa-writer".to_owned()).spawn(move || {
            while jobs.wait_for_work() {
                let mut group = jobs.take_group();
                jobs.committing(group.len(), || write(&core, &mut group));
            }
        })?;
        Ok(Writer { queue, thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Writes what is queued, then ends the thread.
    pub(super) fn close(&self) -> Result<()> {
        self.queue.close();
        match lock(&self.thread).take() {
            Some(thread) => {
                thread.join().map_err(|_| Error::new(Kind::Internal, "the writer thread panicked"))
            }
            None => Ok(()),
        }
    }
}

/// Takes a group to its answers.
fn write(core: &Arc<Core>, group: &mut [Box<dyn Job>]) {
    match attempt(core, group) {
        Ok(Done::Kept) => group.iter_mut().for_each(|job| job.finish(None)),
        Ok(Done::Spoiled(e)) if group.len() < 2 => group.iter_mut().for_each(|job| job.finish(Some(&e))),
        Ok(Done::Spoiled(_)) => {
            for job in group {
                alone(core, job);
            }
        }
        Err(e) => group.iter_mut().for_each(|job| job.finish(Some(&e))),
    }
}

/// Does one write in a transaction of its own, and again when another process was in its way.
fn alone(core: &Arc<Core>, job: &mut Box<dyn Job>) {
    let deadline = core.deadline();
    for tries in 1.. {
        match attempt(core, std::slice::from_mut(job)) {
            Ok(Done::Kept) => return job.finish(None),
            Ok(Done::Spoiled(e)) if tries < TRIES && Instant::now() < deadline && in_the_way(&e, tries) => {
                std::thread::sleep(Duration::from_millis(u64::from(tries)));
            }
            Ok(Done::Spoiled(e)) | Err(e) => return job.finish(Some(&e)),
        }
    }
}

/// Whether the same again may succeed: somebody else changed the row first, or made the one that was to be made. The
/// second time that one is found.
fn in_the_way(e: &Error, tries: u32) -> bool {
    match e.kind() {
        Kind::Busy => true,
        Kind::AlreadyExists => tries == 1,
        _ => false,
    }
}

/// How a transaction went.
enum Done {
    Kept,
    /// The database refused something: nothing was kept.
    Spoiled(Error),
}

/// Does a group in one transaction, over again while the server goes away in the middle of it.
fn attempt(core: &Arc<Core>, group: &mut [Box<dyn Job>]) -> Result<Done> {
    let deadline = core.deadline();
    loop {
        let conn = core.lease(deadline)?;
        match once(core, &conn, group) {
            Err(e) if e.kind() == Kind::Unavailable && Instant::now() < deadline => {
                if e.context("outcome").is_some() {
                    return Err(e);
                }
            }
            done => return done,
        }
    }
}

fn once(core: &Arc<Core>, conn: &PgConn, group: &mut [Box<dyn Job>]) -> Result<Done> {
    conn.begin()?;
    let alone = group.len() == 1;
    let mut at = 0;
    while at < group.len() {
        let before = conn.changes();
        let (next, ok) = run(conn, group, at);
        if let Some(e) = conn.fault() {
            // Nothing of it is kept, so there is nothing to take back.
            let _ = conn.end(false);
            return if conn.is_lost() { Err(e) } else { Ok(Done::Spoiled(e)) };
        }
        if !ok && conn.changes() != before {
            conn.end(false)?;
            let text = "a write of the group failed half way";
            // On its own it has its own reason, which is the one to report.
            return Ok(if alone { Done::Kept } else { Done::Spoiled(Error::new(Kind::Conflict, text)) });
        }
        at = next;
    }
    match conn.commit() {
        Commit::Done => Ok(Done::Kept),
        Commit::Refused(e) if conn.is_lost() => Err(e),
        Commit::Refused(e) => Ok(Done::Spoiled(e)),
        Commit::Unknown(mark) => core.outcome(mark).map(|()| Done::Kept),
    }
}

/// Runs the write at `at`, together with those behind it that are of its kind. Answers which is next, and whether all
/// went well.
fn run(conn: &PgConn, group: &mut [Box<dyn Job>], at: usize) -> (usize, bool) {
    let mut items: Vec<&mut (dyn Any + Send)> = Vec::new();
    let mut shared = None;
    for job in &mut group[at..] {
        let Some((together, item)) = job.shared() else { break };
        let kind = (*item).type_id();
        match shared {
            None => shared = Some((together, kind)),
            Some((_, first)) if first == kind => {}
            Some(_) => break,
        }
        items.push(item);
    }
    let Some((together, _)) = shared else { return (at + 1, group[at].run(conn)) };
    let next = at + items.len();
    // An error has spoiled the transaction, which the connection remembers.
    let ran = together(conn, &mut items).is_ok();
    if ran {
        // One that its arguments refuse has left no trace.
        for job in &mut group[at..next] {
            let _ = job.collect();
        }
    }
    (next, ran)
}
