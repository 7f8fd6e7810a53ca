//! Repairing what a check found.

use super::{Finding, FindingKind, RepairOptions, RepairReport, Repaired, check, counters, ids, reactions};
use crate::db::Conn;
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use crate::transfer::OnProgress;

pub(crate) fn repair(
    store: &Store,
    options: &RepairOptions,
    mut progress: OnProgress<'_>,
) -> Result<RepairReport> {
    let found = check(store, progress.as_mut().map(|tell| &mut **tell as _))?;
    let mut report = RepairReport::default();
    for finding in found.iter().filter(|f| f.repairable) {
        let count = if options.dry_run { Ok(finding.count) } else { mend(store, finding) };
        match count {
            // Another repair, or the gateway, may have done it meanwhile.
            Ok(0) => {}
            Ok(count) => report.repaired.push(Repaired {
                kind: finding.kind,
                database: finding.database,
                table: finding.table.clone(),
                count,
            }),
            Err(e) if is_about_this(&e) => report.failed.push(format!("{}: {e}", finding.text)),
            Err(e) => return Err(e),
        }
    }
    report.left = if options.dry_run || report.repaired.is_empty() {
        let is_left = |f: &&Finding| !(options.dry_run && f.repairable);
        found.iter().filter(is_left).cloned().collect()
    } else {
        check(store, progress)?
    };
    report.found = found;
    Ok(report)
}

/// Whether an error is about one repair and not about the whole store: the others are still worth a try.
fn is_about_this(e: &Error) -> bool {
    matches!(
        e.kind(),
        Kind::AlreadyExists
            | Kind::InvalidArgument
            | Kind::PermissionDenied
            | Kind::Unreadable
            | Kind::Corrupt
    )
}

fn mend(store: &Store, finding: &Finding) -> Result<u64> {
    match finding.kind {
        FindingKind::DamagedIndex => index(store, finding),
        FindingKind::WrongCounters => counters::repair(store),
        FindingKind::LostReaction => reactions::repair(store),
        kind => ids::repair(store, kind),
    }
}

/// Builds an index anew. What a broken-off rebuild left beside the index that it was to replace is removed.
fn index(store: &Store, finding: &Finding) -> Result<u64> {
    let Some(name) = &finding.part else { return Ok(0) };
    let which = if finding.database == Database::Main.name() { Database::Main } else { Database::Data };
    store.database(which).alone(|conn: &dyn Conn| conn.run(&conn.dialect().mend_index(name), &[]))?;
    Ok(finding.count)
}
