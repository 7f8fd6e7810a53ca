//! Queries and writes, one file per aggregate. Functions take a connection inside the caller's transaction; the
//! SQL stands beside the function that runs it.

pub(crate) mod at_once;
pub(crate) mod auth;
pub(crate) mod batches;
pub(crate) mod changes;
pub(crate) mod chats;
pub(crate) mod contacts;
pub(crate) mod identities;
pub(crate) mod ingest;
pub(crate) mod keys;
pub(crate) mod logbook;
pub(crate) mod logs;
pub(crate) mod message_reads;
pub(crate) mod messages;
mod months;
pub(crate) mod paging;
pub(crate) mod pending;
pub(crate) mod retention;
pub(crate) mod sessions;
pub(crate) mod together;
pub(crate) mod webhooks;

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::db::Conn;
use crate::entity::Entity;
use crate::error::{Error, Kind, Result};
use crate::time::Timestamp;

/// A statement whose column list comes from an entity: `sql!(Session, "SELECT {} FROM sessions WHERE id = ?1")`.
/// Built once.
macro_rules! sql {
    ($entity:ty, $text:literal) => {{
        static SQL: crate::fork::Lazy<String> = crate::fork::Lazy::new(|| {
            format!($text, <$entity as $crate::entity::Entity>::TABLE.column_list())
        });
        SQL.as_str()
    }};
}
pub(crate) use sql;

/// Inserts a whole row; fails on a conflict.
pub(crate) fn insert<E: Entity>(conn: &dyn Conn, row: &E) -> Result<()> {
    row.check()?;
    conn.execute_row(E::TABLE, &E::sql().insert, &row.values())?;
    Ok(())
}

/// Writes a whole row over the one with the same key.
pub(crate) fn update<E: Entity>(conn: &dyn Conn, row: &E) -> Result<()> {
    row.check()?;
    conn.execute_row(E::TABLE, &E::sql().update, &row.values())?;
    Ok(())
}

/// Mints UUIDv7 ids: time-ordered, and strictly rising within a process whatever the clock does.
pub(crate) struct Ids {
    /// Milliseconds and a 12-bit counter of the last id.
    last: AtomicU64,
    seed: u64,
    count: AtomicU64,
}

impl Ids {
    pub(crate) fn new() -> Result<Self> {
        let seed = getrandom::u64()
            .map_err(|e| Error::new(Kind::Internal, "the system gives no random numbers").caused_by(e))?;
        Ok(Ids { last: AtomicU64::new(0), seed, count: AtomicU64::new(0) })
    }

    /// An id made now, greater than every one before it.
    pub(crate) fn mint(&self, now: Timestamp) -> Uuid {
        let floor = millis(now) << 12;
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let next = floor.max(last + 1);
            match self.last.compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return self.build(next >> 12, next & 0xfff),
                Err(seen) => last = seen,
            }
        }
    }

    /// An id for a row of the past, which belongs beside its contemporaries in the index.
    pub(crate) fn mint_at(&self, then: Timestamp) -> Uuid {
        self.build(millis(then), 0)
    }

    /// The 62 random bits are a bijection of a counter with a random start: no two are the same in a process,
    /// and between processes they are as good as random.
    fn build(&self, millis: u64, counter: u64) -> Uuid {
        let n = self
            .seed
            .wrapping_add(self.count.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut z = n;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let mut random = [0; 10];
        random[..2].copy_from_slice(&(counter as u16).to_be_bytes());
        random[2..].copy_from_slice(&z.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis & 0xffff_ffff_ffff, &random).into_uuid()
    }
}

fn millis(t: Timestamp) -> u64 {
    u64::try_from(t.millis()).unwrap_or(0)
}
