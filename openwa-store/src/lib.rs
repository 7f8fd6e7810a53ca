//! The embedded store for WhatsApp gateways: sessions and their life, message history with exact
//! deduplication, contacts, webhooks with delivery log and idempotency, API keys, bulk jobs, audit.
//!
//! Start with [`Store`].

#![deny(unsafe_code)]

mod backup;
mod check;
#[cfg(feature = "cli-slim")]
pub mod cli;
mod config;
mod db;
mod maintenance;
mod overview;
mod record;
mod repo;
mod schema;
mod seal;
mod store;
mod temporary;
mod value;

pub mod engine;
pub mod entity;
pub mod error;
pub mod face;
pub mod json;
pub mod observe;
pub mod policy;
pub mod replay;
pub mod takeover;
pub mod text;
pub mod time;
pub mod transfer;

pub use backup::{
    Backup, BackupOptions, BackupPhase, BackupProgress, BackupPrune, BackupRepo, BackupReport, BackupVerify,
    Form, KeepRules, OnBackup, Password, RestoreOptions, RestoreReport, VerifyOptions, backups,
    prune_backups, restore_backup, verify_backups,
};
pub use check::{CheckReport, Finding, FindingKind, RepairOptions, RepairReport, Repaired};
pub use config::{Config, DataDatabase, Opening};
#[cfg(feature = "postgres")]
pub use config::{Postgres, Tls};
pub use db::{Durability, Pending, Ticket, Trace, Writing};
pub use engine::{ContactChange, Engine};
pub use error::{Error, Kind, Result};
pub use json::Json;
pub use maintenance::retention::{RetentionOptions, RetentionProgress, RetentionReport};
pub use maintenance::scheduler::{
    Job, MaintenanceJob, MaintenanceOptions, MaintenanceOutcome, MaintenanceRun,
};
pub use maintenance::vacuum::{VacuumOptions, VacuumReport, VacuumedPart};
pub use overview::{
    DatabaseOverview, DayCount, Deliveries, ExpiringKey, Growth, Overview, OverviewOptions, SessionCount,
    TableEstimate, TroubledSession,
};
pub use policy::message::NewMessage;
pub use repo::auth::{AuthEntry, AuthValue};
pub use repo::batches::{BatchResult, NewBatch, NewBatchMessage};
pub use repo::chats::Chat;
pub use repo::contacts::ContactFilter;
pub use repo::ingest::Ingested;
pub use repo::keys::{ApiKeyUpdate, NewApiKey, NewWhitelistEntry};
pub use repo::logs::{AuditFilter, NewApiKeyLog, NewAuditLog};
pub use repo::message_reads::{MessageFilter, Order};
pub use repo::messages::{Changed, Outcome, Saved};
pub use repo::paging::{Page, PageRequest};
pub use repo::sessions::{NewSession, SessionFilter, SessionUpdate, Transition};
pub use repo::webhooks::{Begin, NewDelivery, NewWebhook, WebhookUpdate};
pub use schema::Applied;
pub use seal::StoreKey;
pub use store::migrations;
pub use store::{
    ApiKeys, Ask, Audit, Auth, Authorization, Batches, Contacts, CreatedKey, DatabaseStatus, IndexInfo,
    LogBuffer, Messages, PartitionInfo, Scan, SecretsState, SecretsStatus, Sessions, Status, Store, Webhooks,
};
pub use takeover::{
    MAX_PROBLEMS, OnTakeover, OpenwaExportReport, OpenwaTable, TakeoverOptions, TakeoverPhase,
    TakeoverProblem, TakeoverProgress, TakeoverReport, TakeoverSource, TakeoverTable, TakeoverWritten,
};
pub use text::Text;
pub use time::{Clock, ManualClock, SystemClock, Timestamp, Wake};
pub use transfer::{
    Difference, Differing, ExportOptions, ExportReport, ImportOptions, ImportReport, ImportedTable,
    MAX_DIFFERENCES, MAX_ROW_BYTES, MigrateOptions, MigrateReport, MigratedTable, Missing, Mode, OnProgress,
    Progress, compare,
};
/// Ids are UUIDs of this type.
pub use uuid::Uuid;

/// The README's code is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
