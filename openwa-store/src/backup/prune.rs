//! Forgetting old backups.

use std::collections::BTreeMap;

use rustic_core::jiff::Zoned;
use rustic_core::jiff::tz::TimeZone;
use rustic_core::repofile::{SnapshotFile, SnapshotId};
use rustic_core::{KeepOptions, PruneOptions};

use super::repository::Repository;
use super::{BackupPrune, BackupRepo, KeepRules};
use crate::error::{Error, Result};

pub(super) fn prune(repo: &BackupRepo, keep: &KeepRules) -> Result<BackupPrune> {
    let rules = Rules::of(keep)?;
    let repository = Repository::open(repo)?;
    let _lock = repository.lock()?;
    run(&repository, &rules)
}

/// Rules that were checked.
pub(super) struct Rules {
    keep: KeepOptions,
    name: Option<String>,
}

/// What is kept when nothing else is said.
const HOURLY: i32 = 24;
const DAILY: i32 = 7;

impl Rules {
    pub(super) fn of(rules: &KeepRules) -> Result<Self> {
        let KeepRules { last, hourly, daily, weekly, monthly, yearly, name } = rules;
        let number = |n: &Option<u32>| {
            let whole = n.map(|n| {
                i32::try_from(n).map_err(|_| Error::invalid("keep", "that many backups are never kept"))
            });
            whole.transpose().map(|n| n.filter(|n| *n > 0))
        };
        let mut keep = KeepOptions::default();
        keep.keep_last = number(last)?;
        keep.keep_hourly = number(hourly)?;
        keep.keep_daily = number(daily)?;
        keep.keep_weekly = number(weekly)?;
        keep.keep_monthly = number(monthly)?;
        keep.keep_yearly = number(yearly)?;
        if [last, hourly, daily, weekly, monthly, yearly].iter().all(|n| n.is_none()) {
            (keep.keep_hourly, keep.keep_daily) = (Some(HOURLY), Some(DAILY));
        }
        // The newest is kept whatever the rules say.
        keep.keep_last = Some(keep.keep_last.unwrap_or(0).max(1));
        Ok(Rules { keep, name: name.clone() })
    }
}

/// Forgets and prunes; the lock is the caller's.
pub(super) fn run(repository: &Repository, rules: &Rules) -> Result<BackupPrune> {
    let objects = &repository.objects;
    let failed = |e: Box<rustic_core::RusticError>| objects.failure(&e);
    let mut stores: BTreeMap<String, Vec<SnapshotFile>> = BTreeMap::new();
    let mut report = BackupPrune::default();
    let snapshots = repository.snapshots()?;
    for (mut snapshot, _) in snapshots.iter().cloned() {
        // Hours and days are those of one clock, whichever zone another program wrote.
        snapshot.time = snapshot.time.with_time_zone(TimeZone::UTC);
        stores.entry(snapshot.label.clone()).or_default().push(snapshot);
    }
    let mut gone: Vec<SnapshotId> = Vec::new();
    for (name, of_one) in stores {
        if rules.name.as_ref().is_none_or(|only| *only == name) {
            let judged = rules.keep.apply(of_one, &Zoned::now()).map_err(failed)?;
            gone.extend(judged.iter().filter(|judged| !judged.keep).map(|judged| judged.snapshot.id));
        }
    }
    for (snapshot, _) in &snapshots {
        let to = if gone.contains(&snapshot.id) { &mut report.forgotten } else { &mut report.kept };
        to.push(snapshot.id.to_hex().as_str().to_owned());
    }
    if !gone.is_empty() {
        repository.inner.delete_snapshots(&gone).map_err(failed)?;
    }
    let options = PruneOptions::default();
    let plan = repository.inner.prune_plan(&options).map_err(failed)?;
    let sizes = plan.stats.size_sum();
    report.freed = plan.stats.size_to_delete.remove;
    report.marked = sizes.remove + sizes.repackrm + plan.stats.size_to_delete.keep;
    repository.inner.prune(&options, plan).map_err(failed)?;
    Ok(report)
}
