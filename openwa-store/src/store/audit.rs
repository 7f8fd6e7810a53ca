use super::Store;
use crate::db::Pending;
use crate::entity::AuditLog;
use crate::error::Result;
use crate::repo::logs::{self, AuditFilter, NewAuditLog};
use crate::repo::paging::{Page, PageRequest};

/// The audit trail; see [`Store::audit`].
pub struct Audit<'a>(pub(super) &'a Store);

impl Audit<'_> {
    /// Writes one entry.
    ///
    /// Errors: `InvalidArgument` naming the column.
    pub fn log(&self, entry: NewAuditLog) -> Pending<AuditLog> {
        self.0.write_main("audit.log", move |conn, env| logs::audit(conn, &env.ids, &entry, env.now()))
    }

    /// One page of the trail, newest first.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn list(&self, which: &AuditFilter, request: &PageRequest) -> Result<Page<AuditLog>> {
        self.0.main("audit.list", |conn| logs::audited(conn, which, request))
    }
}
