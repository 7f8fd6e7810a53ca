//! The tables of the Main database.

use uuid::Uuid;

use super::entity;
use crate::json::Json;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::names;

names! {
    /// How grave an audited event is.
    pub enum Severity {
        /// In the normal course of things.
        Info = "info",
        /// Worth a look.
        Warn = "warn",
        /// Something failed.
        Error = "error",
    }
}

entity! {
    /// An API key. The key itself is never stored, only its hash.
    ApiKey("api_keys" in Main, key ["id"], references []) {
        /// UUID of the key's record.
        id: Uuid;
        /// SHA-256 or peppered HMAC-SHA256 of the key, 64 lower-case hex digits; unique.
        key_hash: Text => 64, secret;
        /// The first 12 characters of the key, so that people can tell keys apart.
        key_prefix: Text => 12;
        /// What people call it.
        name: Text => 100;
        /// A JSON array of permission names; `["*"]` is full access, `[]` denies everything.
        permissions: Json;
        /// A JSON array of session ids or names that the key may use; null: all.
        allowed_sessions: Option<Json>;
        /// A JSON array of chat ids that the key may use; null: all.
        allowed_chats: Option<Json>;
        /// Whether the key may be used at all.
        active: bool;
        /// When it stops working.
        expires_at: Option<Timestamp>;
        /// When it was last used, at most a few seconds late.
        last_used_at: Option<Timestamp>;
        /// How often it was used, at most a few seconds late.
        usage_count: i64;
        /// When it was made.
        created_at: Timestamp;
    }
}

entity! {
    /// An address from which an API key may be used.
    IpWhitelistEntry("ip_whitelist" in Main, key ["id"], references [("api_key_id", "api_keys")]) {
        /// UUID of the entry.
        id: Uuid;
        /// The key it belongs to.
        api_key_id: Uuid;
        /// An IPv4 or IPv6 address.
        ip_address: Text => 45;
        /// A network in CIDR notation; when given, it decides instead of `ip_address`.
        cidr_range: Option<Text> => 50;
        /// What it is for.
        description: Option<Text> => 255;
        /// Whether the entry counts.
        active: bool;
        /// When it was made.
        created_at: Timestamp;
    }
}

entity! {
    /// One request that was made with an API key.
    ApiKeyLog("api_key_logs" in Main, key ["id"], references [("api_key_id", "api_keys")]) {
        /// UUID of the entry.
        id: Uuid;
        /// The key; null once it is deleted.
        api_key_id: Option<Uuid>;
        /// Path of the request.
        endpoint: Text => 255;
        /// HTTP method.
        method: Text => 10;
        /// Address of the client.
        ip_address: Option<Text> => 45;
        /// The client's own description.
        user_agent: Option<Text>;
        /// HTTP status of the answer.
        status_code: i64;
        /// How long the answer took, in milliseconds.
        response_time: Option<i64>;
        /// When it was.
        created_at: Timestamp;
    }
}

entity! {
    /// One entry of the audit trail. It copies what it names, so that it outlives it.
    AuditLog("audit_logs" in Main, key ["id"], references []) {
        /// UUID of the entry.
        id: Uuid;
        /// What was done, for instance `session.created`.
        action: Text => 100;
        /// How grave it is.
        severity: Severity;
        /// The key that did it.
        api_key_id: Option<Uuid>;
        /// The key's name at that time.
        api_key_name: Option<Text> => 100;
        /// The session it was done to.
        session_id: Option<Uuid>;
        /// The session's name at that time.
        session_name: Option<Text> => 100;
        /// Address of the client.
        ip_address: Option<Text> => 45;
        /// The client's own description.
        user_agent: Option<Text>;
        /// HTTP method.
        method: Option<Text> => 10;
        /// Path of the request.
        path: Option<Text>;
        /// HTTP status of the answer.
        status_code: Option<i64>;
        /// Anything else.
        metadata: Option<Json>;
        /// What went wrong, if anything.
        error_message: Option<Text>;
        /// When it was.
        created_at: Timestamp;
    }
}
