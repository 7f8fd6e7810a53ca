//! Partitions for rows that are about to be written.
//!
//! Months ahead are made by upkeep; here are those of the past that history and imports need. A month for which there
//! is no partition, because a lock could not be had, goes to the default partition; upkeep moves it from there.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::PgConn;
use crate::db::{Conn, lock};
use crate::error::{Kind, Result};
use crate::time::Timestamp;
use crate::value::Value;

/// WhatsApp's first month. A row that claims to be older has a broken clock and needs no table of its own.
pub(crate) const FIRST_MONTH: Timestamp = match Timestamp::from_secs(1_230_768_000) {
    Some(t) => t,
    None => Timestamp::EPOCH,
};

/// The months, by their first instant, that are known to have a partition.
#[derive(Default)]
pub(super) struct Months(Mutex<BTreeSet<Timestamp>>);

impl Months {
    pub(super) fn forget(&self) {
        lock(&self.0).clear();
    }
}

impl PgConn {
    /// Makes the partitions that rows of these times belong to, inside the open transaction. `until`: later ones are
    /// upkeep's.
    pub(super) fn make_months(
        &self,
        times: &mut dyn Iterator<Item = Timestamp>,
        until: Timestamp,
    ) -> Result<()> {
        let core = self.core();
        if !core.is_partitioned() {
            return Ok(());
        }
        let mut wanted: BTreeSet<Timestamp> = times.map(Timestamp::month).collect();
        wanted.retain(|month| *month >= FIRST_MONTH && *month <= until);
        {
            let known = lock(&core.months.0);
            wanted.retain(|month| !known.contains(month));
        }
        for month in wanted {
            // One that was made just now may yet be taken back; it is remembered when it is met again.
            if self.make_month(month)? == Some(false) {
                lock(&core.months.0).insert(month);
            }
        }
        Ok(())
    }

    /// Whether there was something to do; `None`: a lock could not be had.
    fn make_month(&self, month: Timestamp) -> Result<Option<bool>> {
        let conn: &dyn Conn = self;
        conn.run("SAVEPOINT month", &[])?;
        let made = conn.first("SELECT create_messages_partition(?1)", &[Value::Time(month)], |row| {
            Ok(row.get(0) == Value::Bool(true))
        });
        match made {
            Ok(made) => {
                conn.run("RELEASE month", &[])?;
                Ok(made)
            }
            Err(e) if e.kind() == Kind::Busy && !self.is_lost() => {
                self.back_to("month")?;
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}
