//! What goes in whose Rust form is an enum, borrows, or is a policy of its own.

use std::net::IpAddr;
use std::time::Duration;

use uuid::Uuid;

use crate::backup::BackupOptions;
use crate::entity::{ApiKey, AuditLog, IpWhitelistEntry};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::maintenance::{retention as runs, scheduler};
use crate::policy::authorize as rules;
use crate::policy::permissions::{Permission, PermissionSet};
use crate::policy::retention::Windows;
use crate::policy::webhook;
use crate::record::shape;
use crate::repo::batches;
use crate::repo::keys::NewWhitelistEntry;
use crate::repo::logs;
use crate::store;
use crate::text::Text;
use crate::time::Timestamp;

shape! { input:
    /// What a request with a key asks for.
    #[derive(Default)]
    pub(crate) struct Ask {
        /// The permission it needs; none: any will do.
        permission: Option<Permission>,
        /// Address of the client.
        ip: Option<IpAddr>,
        /// Id (lower case, with hyphens) or name of the session it is about.
        session: Option<String>,
        /// The other one of the two, if known: a key may be confined by either.
        session_alias: Option<String>,
        /// Address of the chat it is about.
        chat: Option<String>,
    }
}

impl Ask {
    pub(crate) fn borrow(&self) -> store::Ask<'_> {
        store::Ask {
            permission: self.permission,
            ip: self.ip,
            session: self.session.as_deref(),
            session_alias: self.session_alias.as_deref(),
            chat: self.chat.as_deref(),
        }
    }
}

shape! { input of ApiKey:
    /// What an API key may do and from where.
    #[derive(Default)]
    pub(crate) struct KeyRules {
        /// A JSON array of permission names; default `["*"]`, full access.
        permissions: Option<Json>,
        /// A JSON array of session ids or names; default all.
        allowed_sessions: Option<Json>,
        /// A JSON array of chat addresses; default all.
        allowed_chats: Option<Json>,
        /// Whether it may be used; default true.
        active: Option<bool>,
        /// When it stops working; default never.
        expires_at: Option<Timestamp>,
        /// From where it may be used; default from anywhere.
        whitelist: Option<Vec<NewWhitelistEntry>>,
    }
}

impl KeyRules {
    pub(crate) fn decide(self, ask: &Ask, now: Timestamp) -> Result<rules::Decision> {
        let key = ApiKey {
            id: Uuid::nil(),
            key_hash: Text::default(),
            key_prefix: Text::default(),
            name: Text::default(),
            permissions: self.permissions.unwrap_or_else(|| PermissionSet::FULL.to_json()),
            allowed_sessions: self.allowed_sessions,
            allowed_chats: self.allowed_chats,
            active: self.active.unwrap_or(true),
            expires_at: self.expires_at,
            last_used_at: None,
            usage_count: 0,
            created_at: now,
        };
        let entry = |new: NewWhitelistEntry| IpWhitelistEntry {
            id: Uuid::nil(),
            api_key_id: key.id,
            ip_address: new.ip_address,
            cidr_range: new.cidr_range,
            description: new.description,
            active: new.active.unwrap_or(true),
            created_at: now,
        };
        let whitelist: Vec<_> = self.whitelist.unwrap_or_default().into_iter().map(entry).collect();
        let compiled = rules::KeyRules::compile(&key, &whitelist)?;
        let request = rules::Request {
            permission: ask.permission,
            ip: ask.ip,
            session: ask.session.as_deref(),
            session_alias: ask.session_alias.as_deref(),
            chat: ask.chat.as_deref(),
            now,
        };
        Ok(rules::decide(&compiled, &request))
    }
}

shape! { input of AuditLog:
    /// Which audit entries: at most one of the fields. None: all.
    #[derive(Default)]
    pub(crate) struct AuditFilter {
        /// Those of one action.
        action: Option<Text>,
        /// Those about one session.
        session_id: Option<Uuid>,
        /// Those made with one key.
        api_key_id: Option<Uuid>,
    }
}

impl AuditFilter {
    pub(crate) fn one(self) -> Result<logs::AuditFilter> {
        match (self.action, self.session_id, self.api_key_id) {
            (None, None, None) => Ok(logs::AuditFilter::All),
            (Some(action), None, None) => Ok(logs::AuditFilter::Action(action)),
            (None, Some(id), None) => Ok(logs::AuditFilter::Session(id)),
            (None, None, Some(id)) => Ok(logs::AuditFilter::ApiKey(id)),
            _ => Err(Error::invalid(
                "filter",
                "audit entries are found by one of action, session_id, api_key_id",
            )),
        }
    }
}

shape! { input:
    /// How the sending of one message ended.
    #[derive(Default)]
    pub(crate) struct BatchResult {
        /// Whether it was sent.
        sent: bool,
        /// WhatsApp's id of a message that was sent, if known.
        wa_message_id: Option<Text>,
        /// A short reason why it was not.
        error_code: Option<Text>,
        /// A long reason why it was not.
        error_message: Option<Text>,
    }
}

impl BatchResult {
    pub(crate) fn checked(self) -> Result<batches::BatchResult> {
        match self {
            BatchResult { sent: true, wa_message_id, error_code: None, error_message: None } => {
                Ok(batches::BatchResult::Sent { wa_message_id })
            }
            BatchResult { sent: false, wa_message_id: None, error_code, error_message } => {
                Ok(batches::BatchResult::Failed { error_code, error_message })
            }
            _ => Err(Error::invalid(
                "result",
                "a message that was sent has no error, and one that was not has no wa_message_id",
            )),
        }
    }
}

shape! { input:
    /// How long each kind of row is kept. Not given: the default; null: for ever.
    #[derive(Default)]
    pub(crate) struct RetentionWindows {
        /// Messages; default 30 days. A session may have its own in its settings.
        messages: Option<Option<Duration>>,
        /// Session logs; default 7 days.
        session_logs: Option<Option<Duration>>,
        /// Webhook logs; default 7 days.
        webhook_logs: Option<Option<Duration>>,
        /// API key logs; default 30 days.
        api_key_logs: Option<Option<Duration>>,
        /// The audit trail; default 90 days.
        audit_logs: Option<Option<Duration>>,
        /// Bulk jobs, from the time they ended; default 30 days.
        batches: Option<Option<Duration>>,
        /// Idempotency keys of webhooks; default 24 hours.
        webhook_idempotency: Option<Option<Duration>>,
        /// Changes whose message never came; default 7 days.
        pending_changes: Option<Option<Duration>>,
    }
}

shape! { input:
    /// What a run of retention goes by.
    #[derive(Default)]
    pub(crate) struct RetentionOptions {
        /// How long each kind of row is kept.
        windows: RetentionWindows,
        /// Stands for the present; default the store's clock.
        now: Option<Timestamp>,
        /// Runs although the clock looks as if it had jumped.
        force: bool,
    }
}

impl From<RetentionWindows> for Windows {
    fn from(given: RetentionWindows) -> Self {
        let default = Windows::default();
        Windows {
            messages: given.messages.unwrap_or(default.messages),
            session_logs: given.session_logs.unwrap_or(default.session_logs),
            webhook_logs: given.webhook_logs.unwrap_or(default.webhook_logs),
            api_key_logs: given.api_key_logs.unwrap_or(default.api_key_logs),
            audit_logs: given.audit_logs.unwrap_or(default.audit_logs),
            batches: given.batches.unwrap_or(default.batches),
            webhook_idempotency: given.webhook_idempotency.unwrap_or(default.webhook_idempotency),
            pending_changes: given.pending_changes.unwrap_or(default.pending_changes),
        }
    }
}

impl From<RetentionOptions> for runs::RetentionOptions {
    fn from(options: RetentionOptions) -> Self {
        runs::RetentionOptions { windows: options.windows.into(), now: options.now, force: options.force }
    }
}

shape! { input:
    /// When the jobs of maintenance run: cron expressions of five fields (`minute hour day month weekday`). Not given: the
    /// default; null: never.
    #[derive(Default)]
    pub(crate) struct MaintenanceOptions {
        /// Retention; default daily at midnight, `0 0 * * *`.
        retention: Option<Option<String>>,
        /// Old idempotency keys; default hourly, `0 * * * *`.
        idempotency: Option<Option<String>>,
        /// Months ahead, on PostgreSQL; default daily, `30 0 * * *`.
        partitions: Option<Option<String>>,
        /// Uses of API keys; default every minute, `* * * * *`.
        usage: Option<Option<String>>,
        /// Statistics and free pages; default daily, `45 3 * * *`.
        optimize: Option<Option<String>>,
        /// Backups; default never. `0 * * * *` makes one every hour, which costs about what has changed.
        backup: Option<Option<String>>,
        /// Where backups go, and which of them are kept if `prune` is set.
        backups: BackupOptions,
        /// The time zone of the expressions, by its IANA name; default `UTC`. A local time that daylight saving time skips
        /// or repeats counts once.
        timezone: Option<String>,
        /// How long rows are kept.
        windows: RetentionWindows,
    }
}

impl From<MaintenanceOptions> for scheduler::MaintenanceOptions {
    fn from(options: MaintenanceOptions) -> Self {
        let default = scheduler::MaintenanceOptions::default();
        scheduler::MaintenanceOptions {
            retention: options.retention.unwrap_or(default.retention),
            idempotency: options.idempotency.unwrap_or(default.idempotency),
            partitions: options.partitions.unwrap_or(default.partitions),
            usage: options.usage.unwrap_or(default.usage),
            optimize: options.optimize.unwrap_or(default.optimize),
            backup: options.backup.unwrap_or(default.backup),
            backups: options.backups,
            timezone: options.timezone.unwrap_or(default.timezone),
            windows: options.windows.into(),
        }
    }
}

shape! { input:
    /// How deliveries are tried again.
    #[derive(Default)]
    pub(crate) struct RetryPolicy {
        /// How often a failed delivery is tried again; 0: never; default 3.
        retry_count: Option<u32>,
        /// The longest wait before the first retry; it doubles with each; default 5 seconds.
        base: Option<Duration>,
        /// The longest wait of all; default 1 hour.
        cap: Option<Duration>,
    }
}

impl From<RetryPolicy> for webhook::RetryPolicy {
    fn from(policy: RetryPolicy) -> Self {
        let default = webhook::RetryPolicy::default();
        webhook::RetryPolicy {
            retry_count: policy.retry_count.unwrap_or(default.retry_count),
            base: policy.base.unwrap_or(default.base),
            cap: policy.cap.unwrap_or(default.cap),
        }
    }
}
