//! A database is looked at once, on the first connection that reaches it: its version, its schema, its tables.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::PgConn;
use crate::db::{Conn, lock};
use crate::error::Result;

/// What is done on the first connection, by the floors above. It answers whether `messages` is a table per month.
pub(crate) type Prepare = Box<dyn Fn(&dyn Conn) -> Result<bool> + Send + Sync>;

pub(super) struct Readiness {
    prepare: Option<Prepare>,
    ready: AtomicBool,
    partitioned: AtomicBool,
    turn: Mutex<()>,
}

impl Readiness {
    pub(super) fn new(prepare: Option<Prepare>) -> Self {
        let (ready, partitioned) = (AtomicBool::new(prepare.is_none()), AtomicBool::new(false));
        Readiness { prepare, ready, partitioned, turn: Mutex::default() }
    }

    /// Whether this library's tables are certainly there.
    pub(super) fn has_tables(&self) -> bool {
        self.prepare.is_some() && self.ready.load(Ordering::Acquire)
    }

    pub(super) fn is_partitioned(&self) -> bool {
        self.partitioned.load(Ordering::Relaxed)
    }

    /// Prepares the database if nobody has yet. After a failure the next one tries again.
    pub(super) fn see_to(&self, conn: &PgConn) -> Result<()> {
        if self.ready.load(Ordering::Acquire) {
            return Ok(());
        }
        let _turn = lock(&self.turn);
        if self.ready.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some(prepare) = &self.prepare {
            self.partitioned.store(prepare(conn)?, Ordering::Relaxed);
        }
        self.ready.store(true, Ordering::Release);
        Ok(())
    }
}
