//! One writer per store: what is queued goes into one transaction, in the order in which it came, or into two on two
//! connections where that is [faster](crate::db::lanes). A blocking caller that finds nobody at it writes on its own
//! thread, which saves waking another one twice; a background thread writes what nobody waits for.
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
use crate::db::queue::{Job, Limits, Queue, Together};
use crate::db::{Conn, lock};
use crate::error::{Error, Kind, Result};

/// How often one write is tried that others get in the way of, if there is time.
const TRIES: u32 = 10;

pub(in crate::db) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    core: Arc<Core>,
    queue: Queue,
}

/// Two connections may write if as many are left for those who read.
const FOR_TWO: u32 = 4;
/// How long the next group is waited for. A transaction costs some round trips and a sync however few writes are in it.
const GATHER: Duration = Duration::from_millis(1);

impl Writer {
    pub(super) fn start(core: Arc<Core>, limits: Limits) -> Result<Self> {
        let lanes = if core.options.max_connections < FOR_TWO { 1 } else { 2 };
        let queue = Queue::new(crate::entity::Database::Data, limits, GATHER, lanes);
        let shared = Arc::new(Shared { core, queue });
        let background = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("openwa-writer".to_owned()).spawn(move || {
            while background.queue.wait_for_work() {
                while background.lead() {}
            }
        })?;
        Ok(Writer { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a job and works until it is answered or others are at it.
    pub(in crate::db) fn run(&self, job: Box<dyn Job>, answered: &dyn Fn() -> bool) -> Result<()> {
        self.shared.queue.push(job, false)?;
        while !answered() && self.shared.lead() {}
        // What came meanwhile is the background's: it is asked after the place is free, so that nothing is left lying.
        self.shared.queue.wake_background_if_needed();
        Ok(())
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    /// Writes what is queued, then ends the thread.
    pub(super) fn close(&self) -> Result<()> {
        self.shared.queue.close();
        if let Some(thread) = lock(&self.thread).take() {
            thread.join().map_err(|_| Error::new(Kind::Internal, "the writer thread panicked"))?;
        }
        // Callers may be at it still.
        self.shared.queue.wait_until_done();
        Ok(())
    }
}

impl Shared {
    /// Takes one group from the queue to its answers. False: there was none.
    fn lead(&self) -> bool {
        self.queue.lead(|group| self.queue.committing(group.len(), || write(&self.core, group)))
    }
}

/// Takes a group to its answers.
fn write(core: &Arc<Core>, mut group: Vec<Box<dyn Job>>) {
    let deadline = core.deadline();
    let done = at_once(core, &mut group, deadline).and_then(|()| attempt(core, &mut group, deadline));
    match done {
        Ok(Done::Kept) => group.iter_mut().for_each(|job| job.finish(None)),
        Ok(Done::Spoiled(_)) if group.len() > 1 => group.iter_mut().for_each(|job| alone(core, job)),
        Ok(Done::Spoiled(e)) | Err(e) => group.iter_mut().for_each(|job| job.finish(Some(&e))),
    }
}

/// If all of a group are of one kind, answers those that one round trip is enough for, and takes them out of it. Whatever
/// fails here is found again by what is done with the others. An error: the server is not there.
fn at_once(core: &Arc<Core>, group: &mut Vec<Box<dyn Job>>, deadline: Instant) -> Result<()> {
    let all = group.len();
    let Some((together, mut items)) = leading(group).filter(|(_, items)| items.len() == all) else {
        return Ok(());
    };
    let conn = core.lease(deadline)?;
    conn.begin_unmarked();
    let _ = (together.at_once)(&conn, &mut items);
    drop(conn);
    group.retain_mut(|job| {
        let answered = job.collect();
        if answered {
            job.finish(None);
        }
        !answered
    });
    Ok(())
}

/// The writes that a group begins with and that can be done together.
fn leading(group: &mut [Box<dyn Job>]) -> Option<(Together, Vec<&mut (dyn Any + Send)>)> {
    let mut items: Vec<&mut (dyn Any + Send)> = Vec::new();
    let mut shared = None;
    for job in group {
        let Some((together, item)) = job.shared() else { break };
        let kind = (*item).type_id();
        match shared {
            None => shared = Some((together, kind)),
            Some((_, first)) if first == kind => {}
            Some(_) => break,
        }
        items.push(item);
    }
    shared.map(|(together, _)| (together, items))
}

/// Does one write in a transaction of its own, and again when another process was in its way.
fn alone(core: &Arc<Core>, job: &mut Box<dyn Job>) {
    let deadline = core.deadline();
    for tries in 1.. {
        match attempt(core, std::slice::from_mut(job), core.deadline()) {
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
fn attempt(core: &Arc<Core>, group: &mut [Box<dyn Job>], deadline: Instant) -> Result<Done> {
    if group.is_empty() {
        return Ok(Done::Kept);
    }
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
    let Some((together, mut items)) = leading(&mut group[at..]) else { return (at + 1, group[at].run(conn)) };
    let next = at + items.len();
    // An error has spoiled the transaction, which the connection remembers.
    let ran = (together.run)(conn, &mut items).is_ok();
    if ran {
        // One that its arguments refuse has left no trace.
        for job in &mut group[at..next] {
            let _ = job.collect();
        }
    }
    (next, ran)
}
