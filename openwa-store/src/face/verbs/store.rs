use uuid::Uuid;

use super::verbs;
use crate::backup::{
    Backup, BackupOptions, BackupPrune, BackupRepo, BackupReport, BackupVerify, KeepRules, RestoreOptions,
    RestoreReport, VerifyOptions,
};
use crate::check::{CheckReport, RepairOptions, RepairReport};
use crate::config::Config;
use crate::engine::Engine;
use crate::face::inputs::{MaintenanceOptions, RetentionOptions};
use crate::face::open::OpenOptions;
use crate::json::Json;
use crate::maintenance::retention::{RetentionReport, RetentionStatus};
use crate::maintenance::scheduler::{Job, MaintenanceJob, MaintenanceRun};
use crate::maintenance::vacuum::{VacuumOptions, VacuumReport};
use crate::overview::{Overview, OverviewOptions};
use crate::repo::ingest::Ingested;
use crate::repo::retention::MovedIn;
use crate::seal::StoreKey;
use crate::store::{IndexInfo, LogBuffer, PartitionInfo, SecretsStatus, Status, Store};
use crate::takeover::{OpenwaExportReport, TakeoverOptions, TakeoverProgress, TakeoverReport};
use crate::time::Timestamp;
use crate::transfer::{
    ExportOptions, ExportReport, ImportOptions, ImportReport, MigrateOptions, MigrateReport, Progress,
};

verbs! { "store"(store, progress);
    write ingest(
        "The library that emitted it." engine: Engine,
        "The session." session: Uuid,
        "What it emitted." event: Json,
        "When it was, for an event of the past; default now. Such an event may have been applied before, so a status \
         is left out if the session's log has it, or a later one."
        at: Option<Timestamp>,
    ) -> Ingested {
        store.ingest_at(engine, session, event.to_json().as_bytes(), at)
    }

    read status() -> Status { store.status() }

    read overview("What to show." options: OverviewOptions) -> Overview { store.overview(&options) }

    read check() -> CheckReport { store.check() }

    long repair("What may be done." options: RepairOptions) -> RepairReport {
        store.repair(&options, Some(progress))
    }

    long vacuum("How." options: VacuumOptions) -> VacuumReport { store.vacuum(&options, Some(progress)) }

    long export_file("The file." path: String, "What to export." options: ExportOptions) -> ExportReport {
        store.export_file(path, &options, Some(progress))
    }

    long import_file("The file." path: String, "How to import." options: ImportOptions) -> ImportReport {
        store.import_file(path, &options, Some(progress))
    }

    long backup("Where to, and how." options: BackupOptions) -> BackupReport {
        store.backup(&options, Some(&mut |at| progress(at.into())))
    }

    read backups("The repository." repo: BackupRepo) -> Vec<Backup> { store.backups(&repo) }

    long verify_backups("Which ones." options: VerifyOptions) -> BackupVerify {
        store.verify_backups(&options, Some(&mut |at| progress(at.into())))
    }

    long prune_backups("The repository." repo: BackupRepo, "What is kept." keep: KeepRules) -> BackupPrune {
        store.prune_backups(&repo, &keep)
    }

    long restore_backup(
        "Where to, as a store is opened there." target: OpenOptions,
        "Which backup, and how." options: RestoreOptions,
    ) -> RestoreReport {
        store.restore_backup(&target.config()?, &options, Some(&mut |at| progress(at.into())))
    }

    read secrets_status() -> SecretsStatus { store.secrets_status() }

    long seal_secrets() -> u64 { store.seal_secrets(Some(progress)) }

    long unseal_secrets() -> u64 { store.unseal_secrets(Some(progress)) }

    long rotate_store_key(
        "The key that seals from now on: 64 hexadecimal digits, or 32 bytes in base64." new_key: StoreKey,
        "Refuses the old key at once." retire: bool,
    ) -> u64 {
        store.rotate_store_key(&new_key, retire, Some(progress))
    }

    long forget_secrets() -> u64 { store.forget_secrets(Some(progress)) }

    read indexes() -> Vec<IndexInfo> { store.indexes() }

    read partitions() -> Vec<PartitionInfo> { store.partitions() }

    read make_partitions() -> u64 { store.make_partitions() }

    long reindex("Only this table; default all." table: Option<String>) -> u64 {
        store.reindex(table.as_deref(), Some(progress))
    }

    long migrate_to(
        "Where the rows go, as the option `data` of opening: a SQLite file or a `postgres://` URL. Its Main database is \
         this store's."
        data: String,
        "What to move." options: MigrateOptions,
    ) -> MigrateReport {
        let config = Config { data: data.parse()?, ..store.config().clone() };
        let target = Store::open_moving(config)?;
        let report = store.migrate_to(&target, &options, Some(progress))?;
        target.close()?;
        Ok(report)
    }

    long takeover(
        "What to take over: paths, or `postgres://` URLs." sources: Vec<String>,
        "How." options: TakeoverOptions,
    ) -> TakeoverReport {
        let mut tell = |at: &TakeoverProgress| {
            // Rows that are done of all rows, where it is rows that are counted.
            let (rows, total) = (at.rows, at.total.filter(|_| at.done == at.rows));
            progress(Progress { table: at.known_table(), rows, total })
        };
        store.takeover(&sources, &options, Some(&mut tell))
    }

    long export_openwa_file("The file." path: String) -> OpenwaExportReport {
        store.export_openwa_file(path, Some(progress))
    }

    read retention_preview("How long rows are kept." options: RetentionOptions) -> RetentionReport {
        store.retention_preview(&options.into())
    }

    long run_retention("How long rows are kept." options: RetentionOptions) -> RetentionReport {
        let mut tell = |table, rows| progress(Progress { table, rows, total: None });
        store.run_retention(&options.into(), Some(&mut tell))
    }

    read retention_status("How long rows are kept." options: RetentionOptions) -> RetentionStatus {
        store.retention_status(&options.into())
    }

    read accept_retention() -> Vec<MovedIn> { store.accept_retention() }

    read start_maintenance("When the jobs run, and what they go by." options: MaintenanceOptions) -> () {
        store.start_maintenance(&options.into())
    }

    read stop_maintenance() -> () { store.stop_maintenance() }

    long run_maintenance(
        "When the jobs run, and what they go by." options: MaintenanceOptions,
        "Only this job, due or not; default all that are due." job: Option<Job>,
    ) -> Vec<MaintenanceRun> {
        store.run_maintenance(&options.into(), job, Some(progress))
    }

    read maintenance() -> Vec<MaintenanceJob> { store.maintenance() }

    read flush_logs() -> () { store.flush_logs() }

    read log_buffer() -> LogBuffer { store.log_buffer() }
}
