# Generated from the library's description of itself: BLESS=1 cargo test -p openwa-store-python

import builtins
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import GenericAlias, TracebackType
from typing import Any, Generic, TypeVar, final
from uuid import UUID

from typing_extensions import Self

from openwa_store._enum import StrEnum as _StrEnum

__all__ = [
    "AlreadyExistsError",
    "ApiKey",
    "ApiKeyLog",
    "ApiKeyUpdate",
    "ApiKeys",
    "Applied",
    "Ask",
    "Audit",
    "AuditFilter",
    "AuditLog",
    "Auth",
    "AuthEntry",
    "AuthFound",
    "AuthValue",
    "Authorization",
    "Backup",
    "BackupOptions",
    "BackupPrune",
    "BackupRepo",
    "BackupReport",
    "BackupVerify",
    "BatchJob",
    "BatchJobMessage",
    "BatchMessageStatus",
    "BatchResult",
    "BatchStatus",
    "Batches",
    "Begin",
    "BusyError",
    "CancelledError",
    "Changed",
    "Chat",
    "CheckReport",
    "ClockJumpError",
    "ClosedError",
    "ConflictError",
    "Contact",
    "ContactChange",
    "ContactFilter",
    "Contacts",
    "CorruptError",
    "CreatedKey",
    "Database",
    "DatabaseOverview",
    "DatabaseStatus",
    "DayCount",
    "Decision",
    "Deliveries",
    "DiskFullError",
    "Durability",
    "Engine",
    "Error",
    "ExpiringKey",
    "ExportOptions",
    "ExportReport",
    "Failure",
    "FileGoneError",
    "Finding",
    "FindingKind",
    "ForeignDatabaseError",
    "ForkedError",
    "Form",
    "Growth",
    "Identity",
    "ImportOptions",
    "ImportReport",
    "ImportedTable",
    "IndexInfo",
    "Ingested",
    "InternalError",
    "InvalidArgumentError",
    "InvalidDataError",
    "InvalidTransitionError",
    "IoError",
    "IpWhitelistEntry",
    "Job",
    "KeepRules",
    "KeyRules",
    "LastFullAccessKeyError",
    "LogBuffer",
    "MaintenanceJob",
    "MaintenanceOptions",
    "MaintenanceOutcome",
    "MaintenanceRun",
    "Message",
    "MessageFilter",
    "MessageReaction",
    "Messages",
    "MigrateOptions",
    "MigrateReport",
    "MigratedTable",
    "Missing",
    "Mode",
    "MovedBy",
    "MovedIn",
    "NewApiKey",
    "NewApiKeyLog",
    "NewAuditLog",
    "NewBatch",
    "NewBatchMessage",
    "NewDelivery",
    "NewMessage",
    "NewSession",
    "NewWebhook",
    "NewWhitelistEntry",
    "NotFoundError",
    "OpenOptions",
    "OpenwaExportReport",
    "OpenwaTable",
    "Order",
    "Overview",
    "OverviewOptions",
    "Page",
    "PageRequest",
    "PartitionInfo",
    "PendingKind",
    "Permission",
    "PermissionDeniedError",
    "QueueFullError",
    "Record",
    "RefusedMessage",
    "RepairOptions",
    "RepairReport",
    "Repaired",
    "RestoreOptions",
    "RestoreReport",
    "RetentionOptions",
    "RetentionReport",
    "RetentionStatus",
    "RetentionWindows",
    "RetryPolicy",
    "SaveOutcome",
    "SaveResult",
    "Saved",
    "SchemaChangedError",
    "SchemaTooNewError",
    "SecretsState",
    "SecretsStatus",
    "Session",
    "SessionAuth",
    "SessionCount",
    "SessionFilter",
    "SessionLog",
    "SessionStatus",
    "SessionUpdate",
    "Sessions",
    "Severity",
    "Skipped",
    "SkippedMessage",
    "Status",
    "Step",
    "Store",
    "StoreKeyMissingError",
    "TableEstimate",
    "TableRows",
    "TakeoverOptions",
    "TakeoverProblem",
    "TakeoverReport",
    "TakeoverSource",
    "TakeoverTable",
    "TakeoverWritten",
    "TimeoutError",
    "Transition",
    "TroubledSession",
    "UnavailableError",
    "UnreadableError",
    "UnsupportedError",
    "VacuumOptions",
    "VacuumReport",
    "VacuumedPart",
    "VerifyOptions",
    "Webhook",
    "WebhookEvent",
    "WebhookLog",
    "WebhookUpdate",
    "Webhooks",
    "WrongStoreKeyError",
    "open_store",
]

__version__: str

_T = TypeVar("_T")

class Error(Exception):
    """What the store could not do; the base of one class per kind of error.

    `code` is the kind's stable name, `retryable` tells whether the same call may succeed later,
    `operation` names the verb that failed, and `context` says more about it: table, column,
    row, path ...
    """

    code: str
    retryable: bool
    operation: str | None
    context: Mapping[str, str]

class InvalidArgumentError(Error, builtins.ValueError):
    """A value that the call was given is not acceptable; the context names the column."""

class NotFoundError(Error, builtins.KeyError):
    """The named row does not exist."""

class AlreadyExistsError(Error):
    """A row with the same unique value exists already."""

class InvalidTransitionError(Error, builtins.ValueError):
    """The session's status does not allow this step."""

class ConflictError(Error):
    """Somebody else changed the row first, or a guard forbids the change in its present state."""

class LastFullAccessKeyError(Error):
    """The last usable full-access API key would be lost."""

class CancelledError(Error):
    """The operation was stopped on request."""

class SchemaTooNewError(Error):
    """The database was written by a newer version of this library."""

class SchemaChangedError(Error):
    """An applied migration step differs from the one this library carries."""

class ForeignDatabaseError(Error):
    """The database belongs to something else."""

class UnreadableError(Error):
    """A stored value cannot be read; the context names table, column and row."""

class CorruptError(Error):
    """The database file is damaged."""

class InvalidDataError(Error, builtins.ValueError):
    """An import's content is wrong; the context names table, row and column."""

class StoreKeyMissingError(Error):
    """The store is sealed and was opened without its store key; what needs no secret goes on."""

class WrongStoreKeyError(Error):
    """The store is sealed with another store key than the one that was given; the context names
    both.
    """

class UnavailableError(Error, builtins.ConnectionError):
    """The database cannot be reached at the moment."""

class BusyError(Error):
    """Another process held the database for longer than the time-out."""

class QueueFullError(Error):
    """The write queue is full."""

class TimeoutError(Error, builtins.TimeoutError):
    """The time for the operation ran out."""

class DiskFullError(Error, builtins.OSError):
    """There is no space left for the database."""

class ClockJumpError(Error):
    """The clock jumped, so that retention would delete more than its window allows."""

class ClosedError(Error):
    """The store is closed."""

class ForkedError(Error):
    """The store was open when the parent forked this process: it has to be closed before, or
    opened in the child only.
    """

class PermissionDeniedError(Error, builtins.PermissionError):
    """The file or folder may not be read or written."""

class IoError(Error, builtins.OSError):
    """Reading or writing a file failed."""

class UnsupportedError(Error):
    """This build or this engine cannot do that."""

class FileGoneError(Error):
    """A file of the store is missing, empty or was replaced while others are there; the context
    names it.
    """

class InternalError(Error):
    """A defect of this library."""

class AuthFound(_StrEnum):
    """What a read of a credential found. Only a *missing* one may make an engine start a fresh
    pairing.
    """

    FOUND = "found"
    """There is one."""
    MISSING = "missing"
    """There is none."""
    UNREADABLE = "unreadable"
    """There is one, but it cannot be read."""

class BatchMessageStatus(_StrEnum):
    """Where one message of a bulk job stands."""

    PENDING = "pending"
    """Waits to be handed out."""
    SENDING = "sending"
    """Handed out, no result yet. After a crash: unknown, and never sent again silently."""
    SENT = "sent"
    """Sent."""
    FAILED = "failed"
    """Could not be sent."""
    CANCELLED = "cancelled"
    """Withdrawn before it was handed out."""

class BatchStatus(_StrEnum):
    """Where a bulk job stands."""

    PENDING = "pending"
    """Nothing sent yet."""
    PROCESSING = "processing"
    """Some messages were handed out."""
    COMPLETED = "completed"
    """Every message has its result."""
    CANCELLED = "cancelled"
    """Stopped on request."""
    FAILED = "failed"
    """Stopped by a fatal error."""

class Changed(_StrEnum):
    """What a change of a message did."""

    UPDATED = "updated"
    """The row changed."""
    UNCHANGED = "unchanged"
    """The row says so already, or something later."""
    WAITING = "waiting"
    """The message is not here yet; the change waits for it, seven days by default."""

class Database(_StrEnum):
    """Which of the two databases a table lives in."""

    MAIN = "main"
    """API keys and the audit trail; always SQLite."""
    DATA = "data"
    """Everything else; SQLite or PostgreSQL."""

class Decision(_StrEnum):
    """The answer to a request, in the order in which the tests run."""

    ALLOWED = "allowed"
    """The key may do it."""
    UNKNOWN_KEY = "unknown_key"
    """No such key. The lookup says this; `decide` never does."""
    INACTIVE = "inactive"
    """The key is switched off."""
    EXPIRED = "expired"
    """The key's time is over."""
    IP_DENIED = "ip_denied"
    """The client's address is not on the key's whitelist."""
    PERMISSION_DENIED = "permission_denied"
    """The key lacks the permission."""
    SESSION_DENIED = "session_denied"
    """The key is confined to other sessions."""
    CHAT_DENIED = "chat_denied"
    """The key is confined to other chats."""

class Durability(_StrEnum):
    """How much a commit promises."""

    FULL = "full"
    """Synced: it survives a loss of power."""
    NORMAL = "normal"
    """Written: it survives a crash of the program; the last commits may be lost with the power."""

class Engine(_StrEnum):
    """The library that speaks to WhatsApp."""

    BAILEYS = "baileys"
    """Baileys, for Node."""
    WWEBJS = "wwebjs"
    """whatsapp-web.js, for Node, through a browser."""
    NEONIZE = "neonize"
    """neonize, for Python, over whatsmeow."""

class FindingKind(_StrEnum):
    """A way in which something can be wrong."""

    DAMAGED_PAGES = "damaged_pages"
    """The file itself is damaged."""
    DAMAGED_INDEX = "damaged_index"
    """An index does not agree with its table, or cannot be used."""
    ORPHAN = "orphan"
    """Rows belong to a row that does not exist."""
    WRONG_COUNTERS = "wrong_counters"
    """The counters of a bulk job are not what its messages say."""
    MESSAGE_WITHOUT_ID = "message_without_id"
    """Messages cannot be found by their WhatsApp id (PostgreSQL)."""
    ID_WITHOUT_MESSAGE = "id_without_message"
    """A WhatsApp id is taken by a message that does not exist, so that it can never be stored
    (PostgreSQL).
    """
    DUPLICATE_MESSAGE = "duplicate_message"
    """Several messages of one session have the same WhatsApp id."""
    UNLISTED_MONTH = "unlisted_month"
    """A month has rows that claim to be of a later one, and the list of such months does not say
    so (PostgreSQL).
    """
    MISPLACED_ROW = "misplaced_row"
    """Rows are in the default partition although they belong to a month (PostgreSQL)."""
    LOST_REACTION = "lost_reaction"
    """Reactions to a message that is not there."""
    UNREADABLE_VALUE = "unreadable_value"
    """Values that cannot be read: no time, no UUID, no JSON, none of the known names."""

class Form(_StrEnum):
    """In which form a database is in a backup."""

    SQLITE = "sqlite"
    """A SQLite file."""
    PG_DUMP = "pg_dump"
    """What `pg_dump` wrote, in its custom format."""
    DOCUMENT = "document"
    """A document as `export` writes it, where there was no `pg_dump` for the server."""

class Job(_StrEnum):
    """Work that maintenance does by itself."""

    RETENTION = "retention"
    """Deletes what is older than its window."""
    IDEMPOTENCY = "idempotency"
    """Deletes old idempotency keys of webhooks, of which there are many and which live for a day."""
    PARTITIONS = "partitions"
    """Makes the coming months' tables of messages, on PostgreSQL."""
    USAGE = "usage"
    """Writes how often API keys were used. Every process has counted for itself, so each writes
    its own.
    """
    OPTIMIZE = "optimize"
    """Renews what the databases know about their tables, so that they find rows the short way, and
    gives free pages back.
    """
    BACKUP = "backup"
    """Makes a backup. Each host backs up its own Main, and Data with it."""

class MaintenanceOutcome(_StrEnum):
    """How a run of a job ended."""

    DONE = "done"
    """It is done."""
    STOPPED = "stopped"
    """It was stopped on request; what it did stays done."""
    FAILED = "failed"
    """It failed; the error says why."""
    ELSEWHERE = "elsewhere"
    """Another process is running it."""
    SCHEDULED = "scheduled"
    """It never ran, and its first run waits for its slot: `slot` says when that is, `due` what it
    would delete now.
    """

class Missing(_StrEnum):
    """What happens to tables that the document does not have."""

    KEEP = "keep"
    """They are left alone."""
    CLEAR = "clear"
    """They are emptied, in every database that the document has a table of: a document without
    tables of Main never touches the keys.
    """

class Mode(_StrEnum):
    """What happens to rows that are there already."""

    REPLACE = "replace"
    """Every table of the document replaces the one in the store."""
    MERGE = "merge"
    """Rows that are new are added, rows that are there stay as they are. A row is there when its
    primary key or a unique value of it is. A row that belongs to one that was not added,
    because its name was taken by a row with another id, is an error: nothing is dropped
    silently, and nobody's rows are mixed.
    """

class MovedBy(_StrEnum):
    """How messages moved in."""

    TAKEOVER = "takeover"
    """From another gateway."""
    IMPORT = "import"
    """From a document, or a backup restored by one."""
    MIGRATION = "migration"
    """From another store."""
    BACKFILL = "backfill"
    """By an engine's history."""

class Order(_StrEnum):
    """In which order messages are listed."""

    NEWEST = "newest"
    """Newest first."""
    OLDEST = "oldest"
    """Oldest first."""

class PendingKind(_StrEnum):
    """What kind of change waits for its message."""

    ACK = "ack"
    """A delivery state."""
    EDIT = "edit"
    """A new body."""
    REVOKE = "revoke"
    """A deletion for everyone."""
    REACTION = "reaction"
    """A reaction of one person."""
    SEEN = "seen"
    """No change: the message itself was seen while history was off, so that it counts as new only
    once.
    """

class Permission(_StrEnum):
    """One thing that an API key may be allowed to do."""

    ALL = "*"
    """Full access: every permission there is, now and later."""
    SESSIONS_READ = "sessions:read"
    """See sessions."""
    SESSIONS_WRITE = "sessions:write"
    """Create, start, stop and delete sessions."""
    MESSAGES_SEND = "messages:send"
    """Send messages."""
    MESSAGES_READ = "messages:read"
    """Read the message history."""
    WEBHOOKS_MANAGE = "webhooks:manage"
    """Create, change and delete webhooks."""
    CONTACTS_READ = "contacts:read"
    """See contacts."""
    GROUPS_READ = "groups:read"
    """See groups."""
    GROUPS_WRITE = "groups:write"
    """Create and change groups."""

class SaveOutcome(_StrEnum):
    """What a save did."""

    INSERTED = "inserted"
    """The message is new. Fire webhooks on this."""
    UPDATED = "updated"
    """It was known and something was added: a gap was filled, the ack rose, a placeholder got its
    content.
    """
    UNCHANGED = "unchanged"
    """It was known, and nothing was new."""
    NOTSTORED = "notStored"
    """It is not kept: history is off, or retention has removed its time already."""

class SecretsState(_StrEnum):
    """How the secrets of a store are kept."""

    CLEAR = "clear"
    """In clear."""
    SEALING = "sealing"
    """They are being sealed: new ones are, old ones may be in clear."""
    SEALED = "sealed"
    """All of them are sealed."""
    ROTATING = "rotating"
    """The key is being changed: some are sealed with the old one."""
    OPENING = "opening"
    """They are being opened, or those that nobody can open are being dropped."""

class SessionStatus(_StrEnum):
    """Where a session stands in its life; see `session` for the allowed steps."""

    CREATED = "created"
    """Created, never started."""
    INITIALIZING = "initializing"
    """The engine is starting."""
    QR_READY = "qr_ready"
    """A QR code waits to be scanned."""
    AUTHENTICATING = "authenticating"
    """The code was scanned, the login is under way."""
    READY = "ready"
    """Connected."""
    DISCONNECTED = "disconnected"
    """The connection is lost and may come back."""
    FAILED = "failed"
    """Broken for good: recreate or delete it."""

class Severity(_StrEnum):
    """How grave an audited event is."""

    INFO = "info"
    """In the normal course of things."""
    WARN = "warn"
    """Worth a look."""
    ERROR = "error"
    """Something failed."""

class Skipped(_StrEnum):
    """Why a delivery is no message to keep."""

    STATUS_BROADCAST = "status_broadcast"
    """A status post."""
    CONTROL = "control"
    """A protocol message; what it asks for is applied."""
    REACTION_CARRIERS = "reaction_carriers"
    """A stanza that carries a reaction; the reaction is applied."""
    POLL_VOTES = "poll_votes"
    """A vote in a poll."""
    SYSTEM_STUBS = "system_stubs"
    """A notice of the system, such as "created the group"."""
    EMPTY = "empty"
    """Nothing at all."""

class Step(_StrEnum):
    """What an allowed step does."""

    MOVE = "move"
    """The session moves: its row and a log row are written."""
    SAME = "same"
    """It is there already: nothing is written."""

class WebhookEvent(_StrEnum):
    """What a webhook can hear of."""

    MESSAGE_RECEIVED = "message.received"
    """A message came in."""
    MESSAGE_SENT = "message.sent"
    """A message went out."""
    MESSAGE_ACK = "message.ack"
    """A message's delivery state rose."""
    MESSAGE_REVOKED = "message.revoked"
    """A message was deleted for everyone."""
    SESSION_STATUS = "session.status"
    """The session's status changed."""
    SESSION_QR = "session.qr"
    """A QR code waits to be scanned."""
    SESSION_AUTHENTICATED = "session.authenticated"
    """The login succeeded."""
    SESSION_DISCONNECTED = "session.disconnected"
    """The connection was lost."""
    GROUP_JOIN = "group.join"
    """Somebody joined a group."""
    GROUP_LEAVE = "group.leave"
    """Somebody left a group."""
    GROUP_UPDATE = "group.update"
    """A group's name, picture or settings changed."""
    MESSAGE_FAILED = "message.failed"
    """A message could not be sent."""
    MESSAGE_REACTION = "message.reaction"
    """Somebody reacted to a message."""
    MESSAGE_EDITED = "message.edited"
    """A message was edited."""
    STATUS_RECEIVED = "status.received"
    """Somebody posted a status."""
    SESSION_RECONNECT_LOOP = "session.reconnect_loop"
    """The session reconnects again and again."""
    SESSION_RESTRICTION = "session.restriction"
    """WhatsApp restricted the account."""
    PRESENCE_UPDATE = "presence.update"
    """Somebody came online, went away or types."""
    GROUP_JOIN_REQUEST = "group.join_request"
    """Somebody asks to join a group."""
    CALL_RECEIVED = "call.received"
    """A call rings."""
    CALL_ACCEPTED = "call.accepted"
    """A call was taken."""
    CALL_REJECTED = "call.rejected"
    """A call was declined."""
    CALL_MISSED = "call.missed"
    """A call was not taken."""
    ALL = "*"
    """Every event there is, now and later."""

class Record:
    """A frozen record. Its fields are attributes; `as_dict()` gives them all."""

    def as_dict(self) -> dict[str, Any]:
        """The fields as a dictionary; records in it are dictionaries too."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __replace__(self, **changes: Any) -> Self: ...

@final
class Page(Generic[_T]):
    """One page of a longer list: `items`, and `next`, the cursor to give as `after` to get the page behind it, or
    `None`.
    """

    @property
    def items(self) -> tuple[_T, ...]: ...
    @property
    def next(self) -> str | None: ...
    def __iter__(self) -> Iterator[_T]: ...
    def __len__(self) -> int: ...
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

class ApiKey(Record):
    """An API key. The key itself is never stored, only its hash."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        key_hash: str | None = None,
        key_prefix: str | None = None,
        name: str | None = None,
        permissions: Any = None,
        allowed_sessions: Any = None,
        allowed_chats: Any = None,
        active: bool | None = None,
        expires_at: datetime | None = None,
        last_used_at: datetime | None = None,
        usage_count: int | None = None,
        created_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the key's record."""
    @property
    def key_hash(self) -> str:
        """SHA-256 or peppered HMAC-SHA256 of the key, 64 lower-case hex digits; unique."""
    @property
    def key_prefix(self) -> str:
        """The first 12 characters of the key, so that people can tell keys apart."""
    @property
    def name(self) -> str:
        """What people call it."""
    @property
    def permissions(self) -> Any:
        """A JSON array of permission names; `["*"]` is full access, `[]` denies everything."""
    @property
    def allowed_sessions(self) -> Any:
        """A JSON array of session ids or names that the key may use; null: all."""
    @property
    def allowed_chats(self) -> Any:
        """A JSON array of chat ids that the key may use; null: all."""
    @property
    def active(self) -> bool:
        """Whether the key may be used at all."""
    @property
    def expires_at(self) -> datetime | None:
        """When it stops working."""
    @property
    def last_used_at(self) -> datetime | None:
        """When it was last used, at most a few seconds late."""
    @property
    def usage_count(self) -> int:
        """How often it was used, at most a few seconds late."""
    @property
    def created_at(self) -> datetime:
        """When it was made."""

class ApiKeyLog(Record):
    """One request that was made with an API key."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        api_key_id: UUID | str | None = None,
        endpoint: str | None = None,
        method: str | None = None,
        ip_address: str | None = None,
        user_agent: str | None = None,
        status_code: int | None = None,
        response_time: int | None = None,
        created_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the entry."""
    @property
    def api_key_id(self) -> UUID | None:
        """The key; null once it is deleted."""
    @property
    def endpoint(self) -> str:
        """Path of the request."""
    @property
    def method(self) -> str:
        """HTTP method."""
    @property
    def ip_address(self) -> str | None:
        """Address of the client."""
    @property
    def user_agent(self) -> str | None:
        """The client's own description."""
    @property
    def status_code(self) -> int:
        """HTTP status of the answer."""
    @property
    def response_time(self) -> int | None:
        """How long the answer took, in milliseconds."""
    @property
    def created_at(self) -> datetime:
        """When it was."""

class ApiKeyUpdate(Record):
    """What to change of an API key; `None` leaves a field as it is."""

    def __new__(
        cls,
        *,
        name: str | None = None,
        permissions: Any = None,
        allowed_sessions: Any = None,
        allowed_chats: Any = None,
        active: bool | None = None,
        expires_at: datetime | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """What people call it."""
    @property
    def permissions(self) -> Any:
        """A JSON array of permission names."""
    @property
    def allowed_sessions(self) -> Any:
        """A JSON array of session ids or names; `Some(None)`: all."""
    @property
    def allowed_chats(self) -> Any:
        """A JSON array of chat addresses; `Some(None)`: all."""
    @property
    def active(self) -> bool:
        """Whether it may be used."""
    @property
    def expires_at(self) -> datetime | None:
        """When it stops working; `Some(None)`: never."""

class Applied(Record):
    """What the ledger says of one step."""

    def __new__(
        cls,
        *,
        version: int | None = None,
        name: str | None = None,
        applied_at: datetime | None = None,
    ) -> Self: ...
    @property
    def version(self) -> int:
        """The step's number, from 1."""
    @property
    def name(self) -> str:
        """The step's file name."""
    @property
    def applied_at(self) -> datetime | None:
        """When it was applied; `None`: not yet."""

class Ask(Record):
    """What a request with a key asks for."""

    def __new__(
        cls,
        *,
        permission: Permission | str | None = None,
        ip: str | None = None,
        session: str | None = None,
        session_alias: str | None = None,
        chat: str | None = None,
    ) -> Self: ...
    @property
    def permission(self) -> Permission | None:
        """The permission it needs; none: any will do."""
    @property
    def ip(self) -> str | None:
        """Address of the client."""
    @property
    def session(self) -> str | None:
        """Id (lower case, with hyphens) or name of the session it is about."""
    @property
    def session_alias(self) -> str | None:
        """The other one of the two, if known: a key may be confined by either."""
    @property
    def chat(self) -> str | None:
        """Address of the chat it is about."""

class AuditFilter(Record):
    """Which audit entries: at most one of the fields. None: all."""

    def __new__(
        cls,
        *,
        action: str | None = None,
        session_id: UUID | str | None = None,
        api_key_id: UUID | str | None = None,
    ) -> Self: ...
    @property
    def action(self) -> str | None:
        """Those of one action."""
    @property
    def session_id(self) -> UUID | None:
        """Those about one session."""
    @property
    def api_key_id(self) -> UUID | None:
        """Those made with one key."""

class AuditLog(Record):
    """One entry of the audit trail. It copies what it names, so that it outlives it."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        action: str | None = None,
        severity: Severity | str | None = None,
        api_key_id: UUID | str | None = None,
        api_key_name: str | None = None,
        session_id: UUID | str | None = None,
        session_name: str | None = None,
        ip_address: str | None = None,
        user_agent: str | None = None,
        method: str | None = None,
        path: str | None = None,
        status_code: int | None = None,
        metadata: Any = None,
        error_message: str | None = None,
        created_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the entry."""
    @property
    def action(self) -> str:
        """What was done, for instance `session.created`."""
    @property
    def severity(self) -> Severity:
        """How grave it is."""
    @property
    def api_key_id(self) -> UUID | None:
        """The key that did it."""
    @property
    def api_key_name(self) -> str | None:
        """The key's name at that time."""
    @property
    def session_id(self) -> UUID | None:
        """The session it was done to."""
    @property
    def session_name(self) -> str | None:
        """The session's name at that time."""
    @property
    def ip_address(self) -> str | None:
        """Address of the client."""
    @property
    def user_agent(self) -> str | None:
        """The client's own description."""
    @property
    def method(self) -> str | None:
        """HTTP method."""
    @property
    def path(self) -> str | None:
        """Path of the request."""
    @property
    def status_code(self) -> int | None:
        """HTTP status of the answer."""
    @property
    def metadata(self) -> Any:
        """Anything else."""
    @property
    def error_message(self) -> str | None:
        """What went wrong, if anything."""
    @property
    def created_at(self) -> datetime:
        """When it was."""

class AuthEntry(Record):
    """One change of a session's credentials."""

    def __new__(
        cls,
        *,
        category: str,
        key_id: str,
        value: builtins.bytes | bytearray | memoryview | None = None,
    ) -> Self: ...
    @property
    def category(self) -> str:
        """`creds`, `pre-key`, `session` …, 1 to 64 characters."""
    @property
    def key_id(self) -> str:
        """The key's id within its category, at most 512 characters."""
    @property
    def value(self) -> builtins.bytes | None:
        """The value; `None` deletes."""

class AuthValue(Record):
    """What a read of a credential found."""

    def __new__(
        cls,
        *,
        found: AuthFound | str | None = None,
        reason: str | None = None,
        value: builtins.bytes | bytearray | memoryview | None = None,
    ) -> Self: ...
    @property
    def found(self) -> AuthFound:
        """Whether there is one."""
    @property
    def reason(self) -> str | None:
        """Why it cannot be read."""
    @property
    def value(self) -> builtins.bytes | None:
        """The value."""

class Authorization(Record):
    """The answer to a request with a key."""

    def __new__(
        cls,
        *,
        allowed: bool | None = None,
        decision: Decision | str | None = None,
        api_key: ApiKey | Mapping[str, Any] | None = None,
    ) -> Self: ...
    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
    @property
    def decision(self) -> Decision:
        """Allowed, or why not. Tell an outsider only *that* it is not."""
    @property
    def api_key(self) -> ApiKey | None:
        """The key's record, if the key is known."""

class Backup(Record):
    """A backup."""

    def __new__(
        cls,
        *,
        id: str | None = None,
        name: str | None = None,
        host: str | None = None,
        main_at: datetime | None = None,
        data_at: datetime | None = None,
        library: str | None = None,
        data_form: Form | str | None = None,
        data_engine: str | None = None,
        rows: int | None = None,
        bytes: int | None = None,
        sealed: bool | None = None,
        added: int | None = None,
    ) -> Self: ...
    @property
    def id(self) -> str:
        """Its id in the repository."""
    @property
    def name(self) -> str:
        """Name of the store."""
    @property
    def host(self) -> str:
        """The machine that made it."""
    @property
    def main_at(self) -> datetime:
        """The moment that it shows of Main."""
    @property
    def data_at(self) -> datetime:
        """The moment that it shows of Data."""
    @property
    def library(self) -> str:
        """Version of the library that made it."""
    @property
    def data_form(self) -> Form:
        """In which form Data is in it."""
    @property
    def data_engine(self) -> str:
        """Engine of Data, and its version."""
    @property
    def rows(self) -> int:
        """Rows of all tables."""
    @property
    def bytes(self) -> int:
        """Bytes of its files."""
    @property
    def sealed(self) -> bool:
        """Whether the secrets in it are sealed: a store that is restored from it opens with the
        store key only.
        """
    @property
    def added(self) -> int:
        """Bytes that it added to the repository."""

class BackupOptions(Record):
    """How to make a backup."""

    def __new__(
        cls,
        *,
        repo: BackupRepo | Mapping[str, Any] | None = None,
        name: str | None = None,
        prune: bool | None = None,
        keep: KeepRules | Mapping[str, Any] | None = None,
        temp_dir: str | None = None,
        pg_dump: str | None = None,
        read_all: bool | None = None,
    ) -> Self: ...
    @property
    def repo(self) -> BackupRepo:
        """Where to."""
    @property
    def name(self) -> str | None:
        """Name of the store, for a repository that several stores share; default `openwa`."""
    @property
    def prune(self) -> bool:
        """Afterwards forgets the backups that `keep` does not keep, and gives their space back."""
    @property
    def keep(self) -> KeepRules:
        """Which backups are kept."""
    @property
    def temp_dir(self) -> str | None:
        """Folder for the copies of the databases while they are written; default that of the Main
        database.
        """
    @property
    def pg_dump(self) -> str | None:
        """The program `pg_dump`, or `none`: Data on PostgreSQL is then written as a document;
        default one of at least the server's version, where there is one.
        """
    @property
    def read_all(self) -> bool:
        """Reads back the whole backup, not only what is new in the repository. On S3 that costs a
        download of everything.
        """

class BackupPrune(Record):
    """What a prune did."""

    def __new__(
        cls,
        *,
        kept: Iterable[str] | None = None,
        forgotten: Iterable[str] | None = None,
        freed: int | None = None,
        marked: int | None = None,
    ) -> Self: ...
    @property
    def kept(self) -> tuple[str, ...]:
        """Ids of the backups that are left, the oldest first."""
    @property
    def forgotten(self) -> tuple[str, ...]:
        """Ids of those that are gone."""
    @property
    def freed(self) -> int:
        """Bytes that the repository shrank by."""
    @property
    def marked(self) -> int:
        """Bytes that a later prune will remove."""

class BackupRepo(Record):
    """A repository of backups, and the password that opens it. A password that is lost cannot be
    had again, and the backups with it.
    """

    def __new__(
        cls,
        *,
        repo: str | None = None,
        password: str | None = None,
        password_file: str | None = None,
        password_command: str | None = None,
    ) -> Self: ...
    @property
    def repo(self) -> str | None:
        """Path of a folder, `s3:https://host/bucket/path` or `s3://bucket/path`; default what
        `OPENWA_BACKUP_REPO` says. For S3 the usual variables apply: `AWS_ACCESS_KEY_ID`,
        `AWS_SECRET_ACCESS_KEY`, `AWS_REGION` …
        """
    @property
    def password(self) -> str | None:
        """The password; default what `OPENWA_BACKUP_PASSWORD` says."""
    @property
    def password_file(self) -> str | None:
        """A file whose first line is the password."""
    @property
    def password_command(self) -> str | None:
        """A command for the shell that prints the password."""

class BackupReport(Record):
    """What a backup did."""

    def __new__(
        cls,
        *,
        backup: Backup | Mapping[str, Any] | None = None,
        tables: Iterable[TableRows | Mapping[str, Any]] | None = None,
        verified: int | None = None,
        prune: BackupPrune | Mapping[str, Any] | None = None,
    ) -> Self: ...
    @property
    def backup(self) -> Backup:
        """The new backup."""
    @property
    def tables(self) -> tuple[TableRows, ...]:
        """Rows per table."""
    @property
    def verified(self) -> int:
        """Bytes that were read back from the repository."""
    @property
    def prune(self) -> BackupPrune | None:
        """What the prune did, if one was asked for."""

class BackupVerify(Record):
    """What a verification found."""

    def __new__(
        cls,
        *,
        sound: Iterable[str] | None = None,
        damaged: Iterable[str] | None = None,
        bytes: int | None = None,
        problems: Iterable[str] | None = None,
    ) -> Self: ...
    @property
    def sound(self) -> tuple[str, ...]:
        """Ids of the backups that are whole."""
    @property
    def damaged(self) -> tuple[str, ...]:
        """Ids of those that are not."""
    @property
    def bytes(self) -> int:
        """Bytes of their files that were read."""
    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong, for people; empty: nothing is."""

class BatchJob(Record):
    """A bulk job."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        batch_id: str | None = None,
        session_id: UUID | str | None = None,
        status: BatchStatus | str | None = None,
        total_messages: int | None = None,
        sent_count: int | None = None,
        failed_count: int | None = None,
        cancelled_count: int | None = None,
        options: Any = None,
        error: str | None = None,
        started_at: datetime | None = None,
        completed_at: datetime | None = None,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the row."""
    @property
    def batch_id(self) -> str:
        """The host's own id of the job; unique within the session."""
    @property
    def session_id(self) -> UUID:
        """The session that sends."""
    @property
    def status(self) -> BatchStatus:
        """Where the job stands."""
    @property
    def total_messages(self) -> int:
        """How many messages it has."""
    @property
    def sent_count(self) -> int:
        """How many were sent."""
    @property
    def failed_count(self) -> int:
        """How many failed."""
    @property
    def cancelled_count(self) -> int:
        """How many were withdrawn."""
    @property
    def options(self) -> Any:
        """Settings of the host."""
    @property
    def error(self) -> str | None:
        """The fatal error, if one ended the job."""
    @property
    def started_at(self) -> datetime | None:
        """When the first message was handed out."""
    @property
    def completed_at(self) -> datetime | None:
        """When it ended."""
    @property
    def created_at(self) -> datetime:
        """When it was made."""
    @property
    def updated_at(self) -> datetime:
        """When it last changed."""

class BatchJobMessage(Record):
    """One message of a bulk job."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        batch_job_id: UUID | str | None = None,
        position: int | None = None,
        chat_id: str | None = None,
        message_type: str | None = None,
        content: Any = None,
        variables: Any = None,
        status: BatchMessageStatus | str | None = None,
        wa_message_id: str | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
        sent_at: datetime | None = None,
        created_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the row."""
    @property
    def batch_job_id(self) -> UUID:
        """The job."""
    @property
    def position(self) -> int:
        """Place in the sending order, from 0."""
    @property
    def chat_id(self) -> str:
        """Address of the chat."""
    @property
    def message_type(self) -> str:
        """`text`, `image` …"""
    @property
    def content(self) -> Any:
        """What to send."""
    @property
    def variables(self) -> Any:
        """Values for a template."""
    @property
    def status(self) -> BatchMessageStatus:
        """Where the message stands."""
    @property
    def wa_message_id(self) -> str | None:
        """WhatsApp's id once it is sent."""
    @property
    def error_code(self) -> str | None:
        """A short reason of a failure."""
    @property
    def error_message(self) -> str | None:
        """A long reason of a failure."""
    @property
    def sent_at(self) -> datetime | None:
        """When it was sent."""
    @property
    def created_at(self) -> datetime:
        """When the row was made."""

class BatchResult(Record):
    """How the sending of one message ended."""

    def __new__(
        cls,
        *,
        sent: bool | None = None,
        wa_message_id: str | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
    ) -> Self: ...
    @property
    def sent(self) -> bool:
        """Whether it was sent."""
    @property
    def wa_message_id(self) -> str | None:
        """WhatsApp's id of a message that was sent, if known."""
    @property
    def error_code(self) -> str | None:
        """A short reason why it was not."""
    @property
    def error_message(self) -> str | None:
        """A long reason why it was not."""

class Begin(Record):
    """Whether an event may go to a webhook."""

    def __new__(
        cls,
        *,
        is_new: bool | None = None,
        response_status: int | None = None,
        response_data: Any = None,
    ) -> Self: ...
    @property
    def is_new(self) -> bool:
        """It is new: deliver it, then call `finish`. Else it was taken up before."""
    @property
    def response_status(self) -> int | None:
        """HTTP status of the stored answer, if that delivery has finished."""
    @property
    def response_data(self) -> Any:
        """The stored answer."""

class Chat(Record):
    """A chat in the list of a session's chats."""

    def __new__(
        cls,
        *,
        chat_id: str | None = None,
        name: str | None = None,
        is_group: bool | None = None,
        unread: int | None = None,
        last_message: Message | Mapping[str, Any] | None = None,
    ) -> Self: ...
    @property
    def chat_id(self) -> str:
        """Address of the chat."""
    @property
    def name(self) -> str | None:
        """The name of the contact, if it is a known person."""
    @property
    def is_group(self) -> bool:
        """Whether it is a group."""
    @property
    def unread(self) -> int:
        """Incoming messages behind the last one that was read or answered; 1,000 stands for "or
        more".
        """
    @property
    def last_message(self) -> Message:
        """The newest message."""

class CheckReport(Record):
    """What a check found."""

    def __new__(
        cls,
        *,
        findings: Iterable[Finding | Mapping[str, Any]] | None = None,
        problems: Iterable[str] | None = None,
    ) -> Self: ...
    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong; empty: nothing is."""
    @property
    def problems(self) -> tuple[str, ...]:
        """The same for people, one line each."""

class Contact(Record):
    """A person that a session knows."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        session_id: UUID | str | None = None,
        wa_contact_id: str | None = None,
        name: str | None = None,
        push_name: str | None = None,
        phone: str | None = None,
        is_my_contact: bool | None = None,
        is_blocked: bool | None = None,
        profile_pic_url: str | None = None,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the row."""
    @property
    def session_id(self) -> UUID:
        """The session that knows the person."""
    @property
    def wa_contact_id(self) -> str:
        """The person's address; unique within the session."""
    @property
    def name(self) -> str | None:
        """The name in the phone's address book."""
    @property
    def push_name(self) -> str | None:
        """The name the person chose."""
    @property
    def phone(self) -> str | None:
        """The number, digits only; never the digits of a LID."""
    @property
    def is_my_contact(self) -> bool:
        """Whether the person is in the phone's address book."""
    @property
    def is_blocked(self) -> bool:
        """Whether the account blocks the person."""
    @property
    def profile_pic_url(self) -> str | None:
        """Where the picture is."""
    @property
    def created_at(self) -> datetime:
        """When the row was made."""
    @property
    def updated_at(self) -> datetime:
        """When it last changed."""

class ContactChange(Record):
    """What an event says of a contact; `None` says nothing."""

    def __new__(
        cls,
        *,
        wa_contact_id: str,
        name: str | None = None,
        push_name: str | None = None,
        is_my_contact: bool | None = None,
        is_blocked: bool | None = None,
        profile_pic_url: str | None = None,
    ) -> Self: ...
    @property
    def wa_contact_id(self) -> str:
        """Address of the person, in any form."""
    @property
    def name(self) -> str | None:
        """The name in the phone's address book."""
    @property
    def push_name(self) -> str | None:
        """The name the person chose."""
    @property
    def is_my_contact(self) -> bool | None:
        """Whether the person is in the phone's address book."""
    @property
    def is_blocked(self) -> bool | None:
        """Whether the account blocks the person."""
    @property
    def profile_pic_url(self) -> str | None:
        """Where the picture is."""

class ContactFilter(Record):
    """Which contacts of a session."""

    def __new__(
        cls,
        *,
        phone: str | None = None,
        blocked: bool | None = None,
    ) -> Self: ...
    @property
    def phone(self) -> str | None:
        """Only those with this number."""
    @property
    def blocked(self) -> bool | None:
        """Only blocked (`true`) or only not blocked ones."""

class CreatedKey(Record):
    """A new key. The key itself is in here and nowhere else: it is shown once and never stored."""

    def __new__(
        cls,
        *,
        key: str | None = None,
        api_key: ApiKey | Mapping[str, Any] | None = None,
    ) -> Self: ...
    @property
    def key(self) -> str:
        """The key to hand out."""
    @property
    def api_key(self) -> ApiKey:
        """Its record."""

class DatabaseOverview(Record):
    """One database on one line."""

    def __new__(
        cls,
        *,
        database: str | None = None,
        place: str | None = None,
        engine: str | None = None,
        schema_version: int | None = None,
        bytes: int | None = None,
        free_bytes: int | None = None,
        wal_bytes: int | None = None,
        disk_free_bytes: int | None = None,
        connections: int | None = None,
        max_connections: int | None = None,
        tables: Iterable[TableEstimate | Mapping[str, Any]] | None = None,
    ) -> Self: ...
    @property
    def database(self) -> str:
        """`main` or `data`."""
    @property
    def place(self) -> str:
        """Its path, `:memory:`, or the address of its server."""
    @property
    def engine(self) -> str:
        """Its engine and the engine's version."""
    @property
    def schema_version(self) -> int:
        """The version of its schema."""
    @property
    def bytes(self) -> int:
        """Bytes of the file; on PostgreSQL, of all tables and indexes."""
    @property
    def free_bytes(self) -> int | None:
        """Bytes in the file that a vacuum would give back. PostgreSQL does not tell."""
    @property
    def wal_bytes(self) -> int | None:
        """Bytes of the write-ahead log. A server's serves all its databases."""
    @property
    def disk_free_bytes(self) -> int | None:
        """Bytes left on the disk, where that is this machine's."""
    @property
    def connections(self) -> int | None:
        """Connections that this store holds to a server."""
    @property
    def max_connections(self) -> int | None:
        """The most that it may hold."""
    @property
    def tables(self) -> tuple[TableEstimate, ...]:
        """Rows per table."""

class DatabaseStatus(Record):
    """What one database tells about itself."""

    def __new__(
        cls,
        *,
        database: Database | str | None = None,
        path: str | None = None,
        engine: str | None = None,
        bytes: int | None = None,
        wal_bytes: int | None = None,
        steps: Iterable[Applied | Mapping[str, Any]] | None = None,
        rows: Iterable[TableRows | Mapping[str, Any]] | None = None,
    ) -> Self: ...
    @property
    def database(self) -> Database:
        """Which one."""
    @property
    def path(self) -> str:
        """Its path, `:memory:`, or the address of its server."""
    @property
    def engine(self) -> str:
        """Its engine and the engine's version."""
    @property
    def bytes(self) -> int:
        """Bytes of the database file; on PostgreSQL, of all tables and indexes."""
    @property
    def wal_bytes(self) -> int:
        """Bytes of the write-ahead log; on PostgreSQL 0, since the server's serves all databases."""
    @property
    def steps(self) -> tuple[Applied, ...]:
        """The steps of its schema."""
    @property
    def rows(self) -> tuple[TableRows, ...]:
        """Rows per table."""

class DayCount(Record):
    """The messages of one day."""

    def __new__(
        cls,
        *,
        day: datetime | None = None,
        messages: int | None = None,
    ) -> Self: ...
    @property
    def day(self) -> datetime:
        """Its first instant, UTC."""
    @property
    def messages(self) -> int:
        """How many messages were sent on it."""

class Deliveries(Record):
    """Attempts to deliver events to webhooks in the last 24 hours; of very many, the last 20,000."""

    def __new__(
        cls,
        *,
        attempts: int | None = None,
        delivered: int | None = None,
        webhooks: int | None = None,
    ) -> Self: ...
    @property
    def attempts(self) -> int:
        """All attempts."""
    @property
    def delivered(self) -> int:
        """Those that were answered with a status from 200 to 299."""
    @property
    def webhooks(self) -> int:
        """Webhooks that are active."""

class ExpiringKey(Record):
    """An API key that needs a successor."""

    def __new__(
        cls,
        *,
        name: str | None = None,
        key_prefix: str | None = None,
        expires_at: datetime | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """Its name."""
    @property
    def key_prefix(self) -> str:
        """Its first characters."""
    @property
    def expires_at(self) -> datetime:
        """When it stops, or stopped, working."""

class ExportOptions(Record):
    """What to export, and how."""

    def __new__(
        cls,
        *,
        main: bool | None = None,
        tables: Iterable[str] | None = None,
        redact: bool | None = None,
        compress: bool | None = None,
    ) -> Self: ...
    @property
    def main(self) -> bool:
        """Also the tables of the Main database: API keys, their logs, the audit trail."""
    @property
    def tables(self) -> tuple[str, ...] | None:
        """Only these tables, of either database; `None`: all of Data, and of Main if `main` is
        set.
        """
    @property
    def redact(self) -> bool:
        """Leaves out everything secret. A secret column is left out, or `{}` where it may not be
        null; a table that would be worthless without its secret (`session_auth`, `api_keys`) is
        left out with the tables that need it.
        """
    @property
    def compress(self) -> bool:
        """Compresses with zstd. A file whose name ends in `.zst` is compressed in any case."""

class ExportReport(Record):
    """What an export wrote."""

    def __new__(
        cls,
        *,
        exported_at: datetime | None = None,
        tables: Iterable[TableRows | Mapping[str, Any]] | None = None,
        redacted: Iterable[str] | None = None,
        sha256: str | None = None,
        bytes: int | None = None,
    ) -> Self: ...
    @property
    def exported_at(self) -> datetime:
        """When it was made, as in the document."""
    @property
    def tables(self) -> tuple[TableRows, ...]:
        """Rows per table, in the order of the document."""
    @property
    def redacted(self) -> tuple[str, ...]:
        """What was left out because it is secret: `table.column`, or `table`."""
    @property
    def sha256(self) -> str:
        """The checksum of the document's tables."""
    @property
    def bytes(self) -> int:
        """Bytes of the document before compression."""

class Failure(Record):
    """What went wrong."""

    def __new__(
        cls,
        *,
        code: int | None = None,
        kind: str | None = None,
        message: str | None = None,
        retryable: bool | None = None,
        context: Any = None,
    ) -> Self: ...
    @property
    def code(self) -> int:
        """The stable number of the kind of error."""
    @property
    def kind(self) -> str:
        """The stable name of the kind, for instance `INVALID_ARGUMENT`."""
    @property
    def message(self) -> str:
        """What went wrong, for people, without operation and context."""
    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later without any change by the caller."""
    @property
    def context(self) -> Any:
        """What it is about: an object with `column`, `table`, `row`, `path` …"""

class Finding(Record):
    """One thing that is wrong."""

    def __new__(
        cls,
        *,
        kind: FindingKind | str | None = None,
        database: str | None = None,
        table: str | None = None,
        part: str | None = None,
        count: int | None = None,
        example: str | None = None,
        repairable: bool | None = None,
        text: str | None = None,
        advice: str | None = None,
    ) -> Self: ...
    @property
    def kind(self) -> FindingKind:
        """In which way."""
    @property
    def database(self) -> str:
        """`main` or `data`."""
    @property
    def table(self) -> str:
        """The table; on PostgreSQL it may be that of a month. Empty: it cannot be told."""
    @property
    def part(self) -> str | None:
        """The column or index."""
    @property
    def count(self) -> int:
        """How many rows, or how many places."""
    @property
    def example(self) -> str | None:
        """The key of one of the rows, or what SQLite says."""
    @property
    def repairable(self) -> bool:
        """Whether `repair` can mend it."""
    @property
    def text(self) -> str:
        """What is wrong, for people."""
    @property
    def advice(self) -> str:
        """What to do about it, for people."""

class Growth(Record):
    """Where the store is going."""

    def __new__(
        cls,
        *,
        messages_per_day: int | None = None,
        bytes_per_day: int | None = None,
        oldest: datetime | None = None,
        window: timedelta | None = None,
        full_at: datetime | None = None,
        bytes_when_full: int | None = None,
    ) -> Self: ...
    @property
    def messages_per_day(self) -> int:
        """Messages per day, over the last seven whole days, or as long as there have been any."""
    @property
    def bytes_per_day(self) -> int:
        """Bytes that they take per day, indexes included."""
    @property
    def oldest(self) -> datetime | None:
        """When the oldest message was stored."""
    @property
    def window(self) -> timedelta | None:
        """How long retention keeps messages; None: for ever."""
    @property
    def full_at(self) -> datetime | None:
        """When the oldest message reaches the end of the window. From then on as much goes as
        comes. None: that was already, or will never be.
        """
    @property
    def bytes_when_full(self) -> int | None:
        """The size of Data from then on, if it goes on like this."""

class Identity(Record):
    """The two addresses of one person: a LID and, once known, a phone address."""

    def __new__(
        cls,
        *,
        session_id: UUID | str | None = None,
        lid: str | None = None,
        pn: str | None = None,
        updated_at: datetime | None = None,
    ) -> Self: ...
    @property
    def session_id(self) -> UUID:
        """The session that knows the person."""
    @property
    def lid(self) -> str:
        """The LID address, `…@lid`."""
    @property
    def pn(self) -> str | None:
        """The phone address, `…@s.whatsapp.net`."""
    @property
    def updated_at(self) -> datetime:
        """When it last changed."""

class ImportOptions(Record):
    """How to import."""

    def __new__(
        cls,
        *,
        mode: Mode | str | None = None,
        missing: Missing | str | None = None,
        dry_run: bool | None = None,
    ) -> Self: ...
    @property
    def mode(self) -> Mode:
        """What happens to rows that are there already."""
    @property
    def missing(self) -> Missing:
        """What happens to tables that the document does not have."""
    @property
    def dry_run(self) -> bool:
        """Does everything, then takes it back: the report says what an import would do."""

class ImportReport(Record):
    """What an import did, or with `dry_run` would do."""

    def __new__(
        cls,
        *,
        exported_at: datetime | None = None,
        dry_run: bool | None = None,
        tables: Iterable[ImportedTable | Mapping[str, Any]] | None = None,
        redacted: Iterable[str] | None = None,
        notes: Iterable[str] | None = None,
    ) -> Self: ...
    @property
    def exported_at(self) -> datetime:
        """When the document was made."""
    @property
    def dry_run(self) -> bool:
        """Whether nothing was kept of it."""
    @property
    def tables(self) -> tuple[ImportedTable, ...]:
        """What happened to each table, in the order of the document; then those that were emptied."""
    @property
    def redacted(self) -> tuple[str, ...]:
        """What the document leaves out because it is secret."""
    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, such as that retention waits."""

class ImportedTable(Record):
    """What an import did to one table."""

    def __new__(
        cls,
        *,
        table: str | None = None,
        rows: int | None = None,
        inserted: int | None = None,
        removed: int | None = None,
    ) -> Self: ...
    @property
    def table(self) -> str:
        """The table."""
    @property
    def rows(self) -> int:
        """Rows in the document."""
    @property
    def inserted(self) -> int:
        """Rows that were added; the others were there already."""
    @property
    def removed(self) -> int:
        """Rows that were removed before."""

class IndexInfo(Record):
    """One index of a database."""

    def __new__(
        cls,
        *,
        database: str | None = None,
        table: str | None = None,
        name: str | None = None,
        bytes: int | None = None,
        scans: int | None = None,
        unique: bool | None = None,
        valid: bool | None = None,
    ) -> Self: ...
    @property
    def database(self) -> str:
        """`main` or `data`."""
    @property
    def table(self) -> str:
        """The table that it belongs to; on PostgreSQL, of the month that it belongs to."""
    @property
    def name(self) -> str:
        """Its name."""
    @property
    def bytes(self) -> int:
        """Its size."""
    @property
    def scans(self) -> int | None:
        """How often a statement has used it since the server's counters were reset. SQLite does
        not count.
        """
    @property
    def unique(self) -> bool:
        """Whether values depend on it, so that it is needed however rarely it is read."""
    @property
    def valid(self) -> bool:
        """Whether it can be used; false after a rebuild that was broken off."""

class Ingested(Record):
    """What one event, or several in one commit, did."""

    def __new__(
        cls,
        *,
        messages: Iterable[Saved | Mapping[str, Any]] | None = None,
        skipped: Iterable[SkippedMessage | Mapping[str, Any]] | None = None,
        refused: Iterable[RefusedMessage | Mapping[str, Any]] | None = None,
        changes: int | None = None,
        unchanged: int | None = None,
        waiting: int | None = None,
        pairs: int | None = None,
        contacts: int | None = None,
        status: SessionStatus | str | None = None,
        unknown: Iterable[str] | None = None,
    ) -> Self: ...
    @property
    def messages(self) -> tuple[Saved, ...]:
        """Every delivery of a message, in order, with its outcome. Fire webhooks on those that are
        `inserted`.
        """
    @property
    def skipped(self) -> tuple[SkippedMessage, ...]:
        """Deliveries that are no messages to keep."""
    @property
    def refused(self) -> tuple[RefusedMessage, ...]:
        """Messages that could not be stored because something in them is not acceptable. The rest
        is not affected.
        """
    @property
    def changes(self) -> int:
        """Acks, edits, revokes and reactions that changed something."""
    @property
    def unchanged(self) -> int:
        """Those that said nothing new."""
    @property
    def waiting(self) -> int:
        """Those that wait for their message."""
    @property
    def pairs(self) -> int:
        """LID-phone pairs that were new."""
    @property
    def contacts(self) -> int:
        """Contacts that were new or changed."""
    @property
    def status(self) -> SessionStatus | None:
        """The session's new status, if it changed."""
    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of events that the library does not know."""

class IpWhitelistEntry(Record):
    """An address from which an API key may be used."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        api_key_id: UUID | str | None = None,
        ip_address: str | None = None,
        cidr_range: str | None = None,
        description: str | None = None,
        active: bool | None = None,
        created_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the entry."""
    @property
    def api_key_id(self) -> UUID:
        """The key it belongs to."""
    @property
    def ip_address(self) -> str:
        """An IPv4 or IPv6 address."""
    @property
    def cidr_range(self) -> str | None:
        """A network in CIDR notation; when given, it decides instead of `ip_address`."""
    @property
    def description(self) -> str | None:
        """What it is for."""
    @property
    def active(self) -> bool:
        """Whether the entry counts."""
    @property
    def created_at(self) -> datetime:
        """When it was made."""

class KeepRules(Record):
    """Which backups a prune keeps: the last one of each of so many hours, days, weeks, months and
    years that have one, in UTC. Without any number: 24 hourly and 7 daily ones. The newest
    backup is always kept.
    """

    def __new__(
        cls,
        *,
        last: int | None = None,
        hourly: int | None = None,
        daily: int | None = None,
        weekly: int | None = None,
        monthly: int | None = None,
        yearly: int | None = None,
        name: str | None = None,
    ) -> Self: ...
    @property
    def last(self) -> int | None:
        """The last backups, whenever they were made."""
    @property
    def hourly(self) -> int | None:
        """One per hour."""
    @property
    def daily(self) -> int | None:
        """One per day."""
    @property
    def weekly(self) -> int | None:
        """One per week, which begins on Monday."""
    @property
    def monthly(self) -> int | None:
        """One per month."""
    @property
    def yearly(self) -> int | None:
        """One per year."""
    @property
    def name(self) -> str | None:
        """Only backups of the store of this name; default of all, each store by itself."""

class KeyRules(Record):
    """What an API key may do and from where."""

    def __new__(
        cls,
        *,
        permissions: Any = None,
        allowed_sessions: Any = None,
        allowed_chats: Any = None,
        active: bool | None = None,
        expires_at: datetime | None = None,
        whitelist: Iterable[NewWhitelistEntry | Mapping[str, Any]] | None = None,
    ) -> Self: ...
    @property
    def permissions(self) -> Any:
        """A JSON array of permission names; default `["*"]`, full access."""
    @property
    def allowed_sessions(self) -> Any:
        """A JSON array of session ids or names; default all."""
    @property
    def allowed_chats(self) -> Any:
        """A JSON array of chat addresses; default all."""
    @property
    def active(self) -> bool | None:
        """Whether it may be used; default true."""
    @property
    def expires_at(self) -> datetime | None:
        """When it stops working; default never."""
    @property
    def whitelist(self) -> tuple[NewWhitelistEntry, ...] | None:
        """From where it may be used; default from anywhere."""

class LogBuffer(Record):
    """What waits in memory to be written to the logs of requests and deliveries."""

    def __new__(
        cls,
        *,
        waiting: int | None = None,
        dropped: int | None = None,
    ) -> Self: ...
    @property
    def waiting(self) -> int:
        """Rows that wait."""
    @property
    def dropped(self) -> int:
        """Rows that were lost since the store was opened: the oldest of too many, while the
        database was out of reach.
        """

class MaintenanceJob(Record):
    """A job of maintenance: when it ran, how that ended, when it runs next."""

    def __new__(
        cls,
        *,
        job: Job | str | None = None,
        database: Database | str | None = None,
        schedule: str | None = None,
        timezone: str | None = None,
        slot: datetime | None = None,
        attempt: int | None = None,
        runner: str | None = None,
        started_at: datetime | None = None,
        ended_at: datetime | None = None,
        running: bool | None = None,
        succeeded_at: datetime | None = None,
        error: str | None = None,
        error_at: datetime | None = None,
        next: datetime | None = None,
        waiting: str | None = None,
    ) -> Self: ...
    @property
    def job(self) -> Job:
        """The job."""
    @property
    def database(self) -> Database | None:
        """The database that it works on; `None`: each process does it for itself, and this is
        about the present one.
        """
    @property
    def schedule(self) -> str | None:
        """When it is due: the cron expression of this store's maintenance, else that of who ran it
        last; `None`: nobody has.
        """
    @property
    def timezone(self) -> str | None:
        """The time zone of the expression."""
    @property
    def slot(self) -> datetime | None:
        """When the last run was due; `None`: it never ran."""
    @property
    def attempt(self) -> int:
        """How often that slot was begun: more than 1 after failures and interruptions."""
    @property
    def runner(self) -> str | None:
        """Host and process of the last run."""
    @property
    def started_at(self) -> datetime | None:
        """When the last run began."""
    @property
    def ended_at(self) -> datetime | None:
        """When it ended; `None`: it has not, or was interrupted."""
    @property
    def running(self) -> bool:
        """Whether it runs at this moment."""
    @property
    def succeeded_at(self) -> datetime | None:
        """When a run succeeded last."""
    @property
    def error(self) -> str | None:
        """What the last failure was; it stays after a success."""
    @property
    def error_at(self) -> datetime | None:
        """When that was."""
    @property
    def next(self) -> datetime | None:
        """When it is due next; in the past: it is due."""
    @property
    def waiting(self) -> str | None:
        """Why retention deletes no messages: older ones moved in, and nobody has said yes."""

class MaintenanceOptions(Record):
    """When the jobs of maintenance run: cron expressions of five fields (`minute hour day month
    weekday`). Not given: the default; null: never.
    """

    def __new__(
        cls,
        *,
        retention: str | None = None,
        idempotency: str | None = None,
        partitions: str | None = None,
        usage: str | None = None,
        optimize: str | None = None,
        backup: str | None = None,
        backups: BackupOptions | Mapping[str, Any] | None = None,
        timezone: str | None = None,
        windows: RetentionWindows | Mapping[str, Any] | None = None,
    ) -> Self: ...
    @property
    def retention(self) -> str | None:
        """Retention; default daily at midnight, `0 0 * * *`."""
    @property
    def idempotency(self) -> str | None:
        """Old idempotency keys; default hourly, `0 * * * *`."""
    @property
    def partitions(self) -> str | None:
        """Months ahead, on PostgreSQL; default daily, `30 0 * * *`."""
    @property
    def usage(self) -> str | None:
        """Uses of API keys; default every minute, `* * * * *`."""
    @property
    def optimize(self) -> str | None:
        """Statistics and free pages; default daily, `45 3 * * *`."""
    @property
    def backup(self) -> str | None:
        """Backups; default never. `0 * * * *` makes one every hour, which costs about what has
        changed.
        """
    @property
    def backups(self) -> BackupOptions:
        """Where backups go, and which of them are kept if `prune` is set."""
    @property
    def timezone(self) -> str | None:
        """The time zone of the expressions, by its IANA name; default `UTC`. A local time that
        daylight saving time skips or repeats counts once.
        """
    @property
    def windows(self) -> RetentionWindows:
        """How long rows are kept."""

class MaintenanceRun(Record):
    """What became of a job that was run."""

    def __new__(
        cls,
        *,
        job: Job | str | None = None,
        database: Database | str | None = None,
        slot: datetime | None = None,
        attempt: int | None = None,
        outcome: MaintenanceOutcome | str | None = None,
        error: str | None = None,
        due: int | None = None,
        deleted: int | None = None,
        waiting: str | None = None,
    ) -> Self: ...
    @property
    def job(self) -> Job:
        """The job."""
    @property
    def database(self) -> Database | None:
        """The database that it worked on; `None`: it is each process's own."""
    @property
    def slot(self) -> datetime | None:
        """When it was due; `None`: it was not begun."""
    @property
    def attempt(self) -> int:
        """How often the slot was begun."""
    @property
    def outcome(self) -> MaintenanceOutcome:
        """How it ended."""
    @property
    def error(self) -> str | None:
        """Why it failed."""
    @property
    def due(self) -> int | None:
        """Rows that were older than their window before it began, without messages that wait.
        None: it deletes nothing.
        """
    @property
    def deleted(self) -> int | None:
        """Rows that it deleted. None: it deletes nothing, or did not come to that."""
    @property
    def waiting(self) -> str | None:
        """Why no messages were deleted: older ones moved in, and nobody has said yes."""

class Message(Record):
    """A message. There is one row per session and WhatsApp message id."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        session_id: UUID | str | None = None,
        wa_message_id: str | None = None,
        chat_id: str | None = None,
        from_number: str | None = None,
        to_number: str | None = None,
        type: str | None = None,
        body: str | None = None,
        media: Any = None,
        ack: int | None = None,
        from_me: bool | None = None,
        is_group: bool | None = None,
        wa_timestamp: datetime | None = None,
        created_at: datetime | None = None,
        edited_at: datetime | None = None,
        revoked_at: datetime | None = None,
        raw: builtins.bytes | bytearray | memoryview | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the row."""
    @property
    def session_id(self) -> UUID:
        """The session that sent or received it."""
    @property
    def wa_message_id(self) -> str | None:
        """WhatsApp's id; null while a send is queued or when it failed."""
    @property
    def chat_id(self) -> str:
        """Address of the chat: a person, a group, a newsletter."""
    @property
    def from_number(self) -> str:
        """Address of the sender."""
    @property
    def to_number(self) -> str | None:
        """Address of the recipient."""
    @property
    def type(self) -> str:
        """`text`, `image`, `ciphertext` …; an open list."""
    @property
    def body(self) -> str | None:
        """Text or caption."""
    @property
    def media(self) -> Any:
        """A JSON object about the attached file."""
    @property
    def ack(self) -> int | None:
        """−1 error, 0 pending, 1 server, 2 delivered, 3 read, 4 played, 5 reserved; null: none
        yet.
        """
    @property
    def from_me(self) -> bool:
        """Whether the session's own account wrote it."""
    @property
    def is_group(self) -> bool:
        """Whether the chat is a group."""
    @property
    def wa_timestamp(self) -> datetime:
        """WhatsApp's time of the message."""
    @property
    def created_at(self) -> datetime:
        """When the row was made; for history, the message's own time."""
    @property
    def edited_at(self) -> datetime | None:
        """When it was last edited."""
    @property
    def revoked_at(self) -> datetime | None:
        """When it was deleted for everyone."""
    @property
    def raw(self) -> builtins.bytes | None:
        """The engine's own encoded message, kept only on request."""

class MessageFilter(Record):
    """Which messages of a session."""

    def __new__(
        cls,
        *,
        chat: str | None = None,
        from_: datetime | None = None,
        until: datetime | None = None,
        type: str | None = None,
        from_me: bool | None = None,
        text: str | None = None,
        order: Order | str | None = None,
    ) -> Self: ...
    @property
    def chat(self) -> str | None:
        """Only this chat, by any of its addresses."""
    @property
    def from_(self) -> datetime | None:
        """Only from this time on, by `wa_timestamp`."""
    @property
    def until(self) -> datetime | None:
        """Only before this time, by `wa_timestamp`."""
    @property
    def type(self) -> str | None:
        """Only this type."""
    @property
    def from_me(self) -> bool | None:
        """Only own (`true`) or only incoming (`false`) messages."""
    @property
    def text(self) -> str | None:
        """Only those whose body contains this text; ASCII letters match in either case."""
    @property
    def order(self) -> Order:
        """In which order."""

class MessageReaction(Record):
    """The reaction of one person to one message."""

    def __new__(
        cls,
        *,
        session_id: UUID | str | None = None,
        wa_message_id: str | None = None,
        sender: str | None = None,
        emoji: str | None = None,
        reacted_at: datetime | None = None,
    ) -> Self: ...
    @property
    def session_id(self) -> UUID:
        """The session."""
    @property
    def wa_message_id(self) -> str:
        """The message reacted to."""
    @property
    def sender(self) -> str:
        """Address of the person, or `me`."""
    @property
    def emoji(self) -> str:
        """The reaction; empty: withdrawn."""
    @property
    def reacted_at(self) -> datetime:
        """When it was."""

class MigrateOptions(Record):
    """What to move, and what may be in the way."""

    def __new__(
        cls,
        *,
        main: bool | None = None,
        replace: bool | None = None,
    ) -> Self: ...
    @property
    def main(self) -> bool:
        """Also the tables of the Main database: API keys, their logs, the audit trail."""
    @property
    def replace(self) -> bool:
        """Replaces what the target has. If not, a target that has rows is refused."""

class MigrateReport(Record):
    """What a migration moved."""

    def __new__(
        cls,
        *,
        tables: Iterable[MigratedTable | Mapping[str, Any]] | None = None,
    ) -> Self: ...
    @property
    def tables(self) -> tuple[MigratedTable, ...]:
        """The tables, in the order in which they were moved."""

class MigratedTable(Record):
    """One table that was moved and compared."""

    def __new__(
        cls,
        *,
        table: str | None = None,
        rows: int | None = None,
        sha256: str | None = None,
    ) -> Self: ...
    @property
    def table(self) -> str:
        """The table."""
    @property
    def rows(self) -> int:
        """Its rows."""
    @property
    def sha256(self) -> str:
        """The SHA-256, in hex, of its rows in both stores, in the form of an export."""

class MovedIn(Record):
    """Messages that moved in since somebody last said yes to retention."""

    def __new__(
        cls,
        *,
        by: MovedBy | str | None = None,
        source: str | None = None,
        at: datetime | None = None,
        messages: int | None = None,
        oldest: datetime | None = None,
        age: timedelta | None = None,
    ) -> Self: ...
    @property
    def by(self) -> MovedBy:
        """How."""
    @property
    def source(self) -> str:
        """Where from."""
    @property
    def at(self) -> datetime:
        """When."""
    @property
    def messages(self) -> int:
        """How many."""
    @property
    def oldest(self) -> datetime:
        """When the oldest of them was stored, there."""
    @property
    def age(self) -> timedelta:
        """How old that was when it moved in: retention waits if this is more than its window."""

class NewApiKey(Record):
    """An API key to be created. Only the name is needed."""

    def __new__(
        cls,
        *,
        name: str,
        permissions: Any = None,
        allowed_sessions: Any = None,
        allowed_chats: Any = None,
        expires_at: datetime | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """What people call it, 1 to 100 characters."""
    @property
    def permissions(self) -> Any:
        """A JSON array of permission names; default `["*"]`, full access."""
    @property
    def allowed_sessions(self) -> Any:
        """A JSON array of session ids or names; default all."""
    @property
    def allowed_chats(self) -> Any:
        """A JSON array of chat addresses; default all."""
    @property
    def expires_at(self) -> datetime | None:
        """When it stops working; default never."""

class NewApiKeyLog(Record):
    """A request made with an API key, to be logged."""

    def __new__(
        cls,
        *,
        api_key_id: UUID | str | None = None,
        endpoint: str,
        method: str,
        ip_address: str | None = None,
        user_agent: str | None = None,
        status_code: int,
        response_time: int | None = None,
    ) -> Self: ...
    @property
    def api_key_id(self) -> UUID | None:
        """The key, if one was recognised."""
    @property
    def endpoint(self) -> str:
        """Path of the request; cut to 255 characters."""
    @property
    def method(self) -> str:
        """HTTP method."""
    @property
    def ip_address(self) -> str | None:
        """Address of the client."""
    @property
    def user_agent(self) -> str | None:
        """The client's own description."""
    @property
    def status_code(self) -> int:
        """HTTP status of the answer."""
    @property
    def response_time(self) -> int | None:
        """How long the answer took, in milliseconds."""

class NewAuditLog(Record):
    """Something to be audited. Only the action is needed."""

    def __new__(
        cls,
        *,
        action: str,
        severity: Severity | str | None = None,
        api_key_id: UUID | str | None = None,
        api_key_name: str | None = None,
        session_id: UUID | str | None = None,
        session_name: str | None = None,
        ip_address: str | None = None,
        user_agent: str | None = None,
        method: str | None = None,
        path: str | None = None,
        status_code: int | None = None,
        metadata: Any = None,
        error_message: str | None = None,
    ) -> Self: ...
    @property
    def action(self) -> str:
        """What was done, for instance `session.created`."""
    @property
    def severity(self) -> Severity | None:
        """How grave it is; default `info`."""
    @property
    def api_key_id(self) -> UUID | None:
        """The key that did it."""
    @property
    def api_key_name(self) -> str | None:
        """The key's name; copied, so that the entry outlives the key."""
    @property
    def session_id(self) -> UUID | None:
        """The session it was done to."""
    @property
    def session_name(self) -> str | None:
        """The session's name; copied."""
    @property
    def ip_address(self) -> str | None:
        """Address of the client."""
    @property
    def user_agent(self) -> str | None:
        """The client's own description."""
    @property
    def method(self) -> str | None:
        """HTTP method."""
    @property
    def path(self) -> str | None:
        """Path of the request."""
    @property
    def status_code(self) -> int | None:
        """HTTP status of the answer."""
    @property
    def metadata(self) -> Any:
        """Anything else."""
    @property
    def error_message(self) -> str | None:
        """What went wrong, if anything."""

class NewBatch(Record):
    """A bulk job to be created."""

    def __new__(
        cls,
        *,
        batch_id: str,
        messages: Iterable[NewBatchMessage | Mapping[str, Any]],
        options: Any = None,
    ) -> Self: ...
    @property
    def batch_id(self) -> str:
        """The host's own id of the job, 1 to 100 characters; unique within the session."""
    @property
    def messages(self) -> tuple[NewBatchMessage, ...]:
        """What to send, in order."""
    @property
    def options(self) -> Any:
        """Settings of the host; default `{}`."""

class NewBatchMessage(Record):
    """One message of a bulk job to be created."""

    def __new__(
        cls,
        *,
        chat_id: str,
        message_type: str,
        content: Any,
        variables: Any = None,
    ) -> Self: ...
    @property
    def chat_id(self) -> str:
        """Address of the chat."""
    @property
    def message_type(self) -> str:
        """`text`, `image` …"""
    @property
    def content(self) -> Any:
        """What to send."""
    @property
    def variables(self) -> Any:
        """Values for a template."""

class NewDelivery(Record):
    """One attempt to deliver, to be logged."""

    def __new__(
        cls,
        *,
        event: str,
        status_code: int | None = None,
        attempt: int | None = None,
        payload: Any,
        response: Any = None,
        error: str | None = None,
    ) -> Self: ...
    @property
    def event(self) -> str:
        """The event's name."""
    @property
    def status_code(self) -> int | None:
        """HTTP status of the answer; `None`: none came."""
    @property
    def attempt(self) -> int | None:
        """1 for the first try; default 1."""
    @property
    def payload(self) -> Any:
        """What was sent."""
    @property
    def response(self) -> Any:
        """What came back."""
    @property
    def error(self) -> str | None:
        """Why it failed."""

class NewMessage(Record):
    """A message to be saved. `chat_id`, `from_number`, `type` and `wa_timestamp` are needed; the
    rest has defaults.
    """

    def __new__(
        cls,
        *,
        wa_message_id: str | None = None,
        chat_id: str,
        from_number: str,
        to_number: str | None = None,
        type: str,
        body: str | None = None,
        media: Any = None,
        ack: int | None = None,
        from_me: bool | None = None,
        wa_timestamp: datetime | None = None,
        created_at: datetime | None = None,
        edited_at: datetime | None = None,
        revoked_at: datetime | None = None,
        raw: builtins.bytes | bytearray | memoryview | None = None,
    ) -> Self: ...
    @property
    def wa_message_id(self) -> str | None:
        """WhatsApp's id; `None` for a send that is queued or failed. Without one there is no
        deduplication.
        """
    @property
    def chat_id(self) -> str:
        """Address of the chat, in any form: phone or LID, with or without device."""
    @property
    def from_number(self) -> str:
        """Address of the sender, in any form."""
    @property
    def to_number(self) -> str | None:
        """Address of the recipient, in any form."""
    @property
    def type(self) -> str:
        """`text`, `image` …; an open list."""
    @property
    def body(self) -> str | None:
        """Text or caption."""
    @property
    def media(self) -> Any:
        """A JSON object about the attached file."""
    @property
    def ack(self) -> int | None:
        """Delivery state if the message carries one. An own message without one starts at 0."""
    @property
    def from_me(self) -> bool:
        """Whether the session's own account wrote it."""
    @property
    def wa_timestamp(self) -> datetime | None:
        """WhatsApp's time of the message; `None`: now."""
    @property
    def created_at(self) -> datetime | None:
        """When the row was made; `None`: now. History gives the message's own time here."""
    @property
    def edited_at(self) -> datetime | None:
        """When it was last edited, if it arrives edited."""
    @property
    def revoked_at(self) -> datetime | None:
        """When it was deleted for everyone, if it arrives deleted."""
    @property
    def raw(self) -> builtins.bytes | None:
        """The engine's own encoded message, to be kept."""

class NewSession(Record):
    """A session to be created. Only the name is needed."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        name: str,
        phone: str | None = None,
        push_name: str | None = None,
        config: Any = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID | None:
        """UUID to use; `None`: one is minted."""
    @property
    def name(self) -> str:
        """What people call it, 1 to 100 characters; unique."""
    @property
    def phone(self) -> str | None:
        """The account's own number, digits only."""
    @property
    def push_name(self) -> str | None:
        """The name the account shows."""
    @property
    def config(self) -> Any:
        """Settings: `autoReconnect`, `maxReconnectAttempts`, `puppeteer`, `proxy`, `history`,
        `retention` are checked, anything else is kept as it is. Default `{}`.
        """

class NewWebhook(Record):
    """A webhook to be created. Only the URL is needed."""

    def __new__(
        cls,
        *,
        url: str,
        events: Any = None,
        secret: str | None = None,
        headers: Any = None,
        retry_count: int | None = None,
        active: bool | None = None,
        allow_private: bool | None = None,
    ) -> Self: ...
    @property
    def url(self) -> str:
        """Where deliveries go, http or https, at most 2,048 characters."""
    @property
    def events(self) -> Any:
        """A JSON array of event names; default `["message.received"]`."""
    @property
    def secret(self) -> str | None:
        """Signs deliveries, at most 255 characters."""
    @property
    def headers(self) -> Any:
        """A JSON object of extra request headers; default `{}`."""
    @property
    def retry_count(self) -> int | None:
        """How often a failed delivery is tried again, 0 to 20; default 3."""
    @property
    def active(self) -> bool | None:
        """Whether it gets deliveries; default true."""
    @property
    def allow_private(self) -> bool:
        """Allows loopback, private and link-local addresses, which are refused by default."""

class NewWhitelistEntry(Record):
    """An address to be put on a key's whitelist."""

    def __new__(
        cls,
        *,
        ip_address: str,
        cidr_range: str | None = None,
        description: str | None = None,
        active: bool | None = None,
    ) -> Self: ...
    @property
    def ip_address(self) -> str:
        """An IPv4 or IPv6 address."""
    @property
    def cidr_range(self) -> str | None:
        """A network in CIDR notation; when given, it decides instead of the address."""
    @property
    def description(self) -> str | None:
        """What it is for."""
    @property
    def active(self) -> bool | None:
        """Whether it counts; default true."""

class OpenOptions(Record):
    """How a store is opened. Every option has a sensible default."""

    def __new__(
        cls,
        *,
        dir: str | None = None,
        main: str | None = None,
        data: str | None = None,
        from_env: bool | None = None,
        api_key_pepper: str | None = None,
        store_key: str | None = None,
        history: bool | None = None,
        durability: Durability | str | None = None,
        queue: int | None = None,
        group: int | None = None,
    ) -> Self: ...
    @property
    def dir(self) -> str | None:
        """The folder of the store, made if it is missing. None: everything lives in memory and is
        gone with the store.
        """
    @property
    def main(self) -> str | None:
        """File of the Main database; default `main.sqlite` in the folder."""
    @property
    def data(self) -> str | None:
        """Where the Data database is: path of a SQLite file, or
        `postgres://user:password@host:port/database`; default `data.sqlite` in the folder.
        """
    @property
    def from_env(self) -> bool:
        """Starts from what the gateway's environment says (`DATABASE_TYPE`, `DATABASE_NAME`,
        `API_KEY_PEPPER` …); the other options go before it.
        """
    @property
    def api_key_pepper(self) -> str | None:
        """Keys the hash of API keys; default none."""
    @property
    def store_key(self) -> str | None:
        """Seals the secrets of the store: 64 hexadecimal digits, or 32 bytes in base64; default
        none.
        """
    @property
    def history(self) -> bool | None:
        """Whether messages are kept; default true. When off, a save only tells new messages from
        repeated ones.
        """
    @property
    def durability(self) -> Durability | None:
        """How much a commit promises; default `full`."""
    @property
    def queue(self) -> int | None:
        """Writes that may wait before callers have to; default 8,192."""
    @property
    def group(self) -> int | None:
        """Writes that may share a commit; default 1,024."""

class OpenwaExportReport(Record):
    """What an export in OpenWA's format wrote."""

    def __new__(
        cls,
        *,
        tables: Iterable[OpenwaTable | Mapping[str, Any]] | None = None,
        bytes: int | None = None,
        left_out: Iterable[TableRows | Mapping[str, Any]] | None = None,
    ) -> Self: ...
    @property
    def tables(self) -> tuple[OpenwaTable, ...]:
        """Rows per table."""
    @property
    def bytes(self) -> int:
        """Bytes of the document before compression."""
    @property
    def left_out(self) -> tuple[TableRows, ...]:
        """What the format cannot hold, and how many rows of it there are."""

class OpenwaTable(Record):
    """A table of an export in OpenWA's format."""

    def __new__(
        cls,
        *,
        table: str | None = None,
        rows: int | None = None,
    ) -> Self: ...
    @property
    def table(self) -> str:
        """Its name in the document."""
    @property
    def rows(self) -> int:
        """Its rows."""

class Overview(Record):
    """A store on one screen."""

    def __new__(
        cls,
        *,
        version: str | None = None,
        at: datetime | None = None,
        problems: Iterable[str] | None = None,
        databases: Iterable[DatabaseOverview | Mapping[str, Any]] | None = None,
        sessions: Iterable[SessionCount | Mapping[str, Any]] | None = None,
        troubled: Iterable[TroubledSession | Mapping[str, Any]] | None = None,
        days: Iterable[DayCount | Mapping[str, Any]] | None = None,
        days_estimated: bool | None = None,
        growth: Growth | Mapping[str, Any] | None = None,
        deliveries: Deliveries | Mapping[str, Any] | None = None,
        keys: Iterable[ExpiringKey | Mapping[str, Any]] | None = None,
        last_retention: datetime | None = None,
    ) -> Self: ...
    @property
    def version(self) -> str:
        """The library's version."""
    @property
    def at(self) -> datetime:
        """When it was looked at."""
    @property
    def problems(self) -> tuple[str, ...]:
        """What needs attention, for people; empty: nothing does."""
    @property
    def databases(self) -> tuple[DatabaseOverview, ...]:
        """Main and Data."""
    @property
    def sessions(self) -> tuple[SessionCount, ...]:
        """How many sessions are in each state that occurs."""
    @property
    def troubled(self) -> tuple[TroubledSession, ...]:
        """Sessions that have failed or are disconnected, the latest first, twenty at most."""
    @property
    def days(self) -> tuple[DayCount, ...]:
        """Messages per day (UTC) by the time they were sent, oldest day first, today last."""
    @property
    def days_estimated(self) -> bool:
        """Whether these are estimates, from a sample of the rows."""
    @property
    def growth(self) -> Growth:
        """Where it is going."""
    @property
    def deliveries(self) -> Deliveries:
        """Deliveries to webhooks."""
    @property
    def keys(self) -> tuple[ExpiringKey, ...]:
        """API keys that expire within two weeks, or have in the last month, the first first,
        twenty at most.
        """
    @property
    def last_retention(self) -> datetime | None:
        """When retention last ran; None: never."""

class OverviewOptions(Record):
    """What to show."""

    def __new__(
        cls,
        *,
        days: int | None = None,
        window_days: int | None = None,
    ) -> Self: ...
    @property
    def days(self) -> int | None:
        """Days for which messages are counted, today included; default 14, at most 90."""
    @property
    def window_days(self) -> int | None:
        """How many days retention keeps messages, unless a session says otherwise; default 30, 0:
        for ever.
        """

class PageRequest(Record):
    """Which page of a list."""

    def __new__(
        cls,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> Self: ...
    @property
    def limit(self) -> int | None:
        """Rows of the page, 1 to 1,000; default 50."""
    @property
    def after(self) -> str | None:
        """The `next` of the page before."""

class PartitionInfo(Record):
    """One monthly table of `messages`."""

    def __new__(
        cls,
        *,
        name: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        rows: int | None = None,
        bytes: int | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """Its name: `messages_y2025m01`, or `messages_default` for what belongs to no month that
        has a table.
        """
    @property
    def since(self) -> datetime | None:
        """Its first instant; None for the default partition."""
    @property
    def until(self) -> datetime | None:
        """The first instant after it."""
    @property
    def rows(self) -> int | None:
        """Its rows, as the server estimates them; None: it has not looked yet."""
    @property
    def bytes(self) -> int:
        """Its size with indexes."""

class RefusedMessage(Record):
    """A message that could not be stored because something in it is not acceptable."""

    def __new__(
        cls,
        *,
        wa_message_id: str | None = None,
        error: Failure | Mapping[str, Any] | None = None,
    ) -> Self: ...
    @property
    def wa_message_id(self) -> str:
        """WhatsApp's id."""
    @property
    def error(self) -> Failure:
        """Why it was refused."""

class RepairOptions(Record):
    """How to repair."""

    def __new__(
        cls,
        *,
        dry_run: bool | None = None,
    ) -> Self: ...
    @property
    def dry_run(self) -> bool:
        """Only says what would be repaired."""

class RepairReport(Record):
    """What a repair did, or with `dry_run` would do."""

    def __new__(
        cls,
        *,
        found: Iterable[Finding | Mapping[str, Any]] | None = None,
        repaired: Iterable[Repaired | Mapping[str, Any]] | None = None,
        left: Iterable[Finding | Mapping[str, Any]] | None = None,
        failed: Iterable[str] | None = None,
    ) -> Self: ...
    @property
    def found(self) -> tuple[Finding, ...]:
        """What was wrong before."""
    @property
    def repaired(self) -> tuple[Repaired, ...]:
        """What was repaired, or would be."""
    @property
    def left(self) -> tuple[Finding, ...]:
        """What is still wrong after it, found by a second check; with `dry_run`, what would be
        left.
        """
    @property
    def failed(self) -> tuple[str, ...]:
        """Repairs that did not work, for people."""

class Repaired(Record):
    """One repair."""

    def __new__(
        cls,
        *,
        kind: FindingKind | str | None = None,
        database: str | None = None,
        table: str | None = None,
        count: int | None = None,
    ) -> Self: ...
    @property
    def kind(self) -> FindingKind:
        """What was wrong."""
    @property
    def database(self) -> str:
        """`main` or `data`."""
    @property
    def table(self) -> str:
        """The table."""
    @property
    def count(self) -> int:
        """How many rows, or how many places."""

class RestoreOptions(Record):
    """Which backup to restore, and how."""

    def __new__(
        cls,
        *,
        repo: BackupRepo | Mapping[str, Any] | None = None,
        backup: str | None = None,
        name: str | None = None,
        replace: bool | None = None,
        allow_old_credentials: bool | None = None,
    ) -> Self: ...
    @property
    def repo(self) -> BackupRepo:
        """Where it is."""
    @property
    def backup(self) -> str | None:
        """Its id, or the beginning of it; default the latest."""
    @property
    def name(self) -> str | None:
        """Name of the store whose latest backup it is; default of any."""
    @property
    def replace(self) -> bool:
        """Takes the place of a store that is there, which is set aside under another name."""
    @property
    def allow_old_credentials(self) -> bool:
        """Even if the store that is there has newer credentials. Their sessions will have to be
        paired again.
        """

class RestoreReport(Record):
    """What a restore did."""

    def __new__(
        cls,
        *,
        backup: Backup | Mapping[str, Any] | None = None,
        tables: Iterable[TableRows | Mapping[str, Any]] | None = None,
        set_aside: Iterable[str] | None = None,
        credentials_at: datetime | None = None,
    ) -> Self: ...
    @property
    def backup(self) -> Backup:
        """What was restored."""
    @property
    def tables(self) -> tuple[TableRows, ...]:
        """Rows per table."""
    @property
    def set_aside(self) -> tuple[str, ...]:
        """Where what was there before is now."""
    @property
    def credentials_at(self) -> datetime | None:
        """When the newest credentials in it last changed. Sessions that were used since have to be
        paired again.
        """

class RetentionOptions(Record):
    """What a run of retention goes by."""

    def __new__(
        cls,
        *,
        windows: RetentionWindows | Mapping[str, Any] | None = None,
        now: datetime | None = None,
        force: bool | None = None,
    ) -> Self: ...
    @property
    def windows(self) -> RetentionWindows:
        """How long each kind of row is kept."""
    @property
    def now(self) -> datetime | None:
        """Stands for the present; default the store's clock."""
    @property
    def force(self) -> bool:
        """Runs although the clock looks as if it had jumped."""

class RetentionReport(Record):
    """What a run of retention did, or would do."""

    def __new__(
        cls,
        *,
        tables: Iterable[TableRows | Mapping[str, Any]] | None = None,
        bytes_freed: int | None = None,
        already_running: bool | None = None,
        stopped: bool | None = None,
        waiting: str | None = None,
    ) -> Self: ...
    @property
    def tables(self) -> tuple[TableRows, ...]:
        """Rows deleted per table."""
    @property
    def bytes_freed(self) -> int:
        """Bytes by which the databases shrank."""
    @property
    def already_running(self) -> bool:
        """Another process is at it; this one did nothing."""
    @property
    def stopped(self) -> bool:
        """The callback stopped it. What was deleted so far stays deleted."""
    @property
    def waiting(self) -> str | None:
        """Why no messages are deleted: older ones moved in, and nobody has said yes
        (`accept_retention`). None: nothing waits.
        """

class RetentionStatus(Record):
    """What retention is about to do."""

    def __new__(
        cls,
        *,
        window: timedelta | None = None,
        tables: Iterable[TableRows | Mapping[str, Any]] | None = None,
        oldest: datetime | None = None,
        waiting: str | None = None,
        moved: Iterable[MovedIn | Mapping[str, Any]] | None = None,
        accepted_at: datetime | None = None,
        last_run: datetime | None = None,
    ) -> Self: ...
    @property
    def window(self) -> timedelta | None:
        """How long messages are kept, unless their session says otherwise. None: for ever."""
    @property
    def tables(self) -> tuple[TableRows, ...]:
        """Rows per table that are older than their window, messages that wait among them."""
    @property
    def oldest(self) -> datetime | None:
        """When the oldest message that would go was stored. None: none would."""
    @property
    def waiting(self) -> str | None:
        """Why no messages are deleted. None: nothing waits, the next run deletes them."""
    @property
    def moved(self) -> tuple[MovedIn, ...]:
        """Messages that moved in since the last yes."""
    @property
    def accepted_at(self) -> datetime | None:
        """When somebody last said yes. None: nobody has."""
    @property
    def last_run(self) -> datetime | None:
        """When retention last ran. None: never."""

class RetentionWindows(Record):
    """How long each kind of row is kept. Not given: the default; null: for ever."""

    def __new__(
        cls,
        *,
        messages: timedelta | None = None,
        session_logs: timedelta | None = None,
        webhook_logs: timedelta | None = None,
        api_key_logs: timedelta | None = None,
        audit_logs: timedelta | None = None,
        batches: timedelta | None = None,
        webhook_idempotency: timedelta | None = None,
        pending_changes: timedelta | None = None,
    ) -> Self: ...
    @property
    def messages(self) -> timedelta | None:
        """Messages; default 30 days. A session may have its own in its settings."""
    @property
    def session_logs(self) -> timedelta | None:
        """Session logs; default 7 days."""
    @property
    def webhook_logs(self) -> timedelta | None:
        """Webhook logs; default 7 days."""
    @property
    def api_key_logs(self) -> timedelta | None:
        """API key logs; default 30 days."""
    @property
    def audit_logs(self) -> timedelta | None:
        """The audit trail; default 90 days."""
    @property
    def batches(self) -> timedelta | None:
        """Bulk jobs, from the time they ended; default 30 days."""
    @property
    def webhook_idempotency(self) -> timedelta | None:
        """Idempotency keys of webhooks; default 24 hours."""
    @property
    def pending_changes(self) -> timedelta | None:
        """Changes whose message never came; default 7 days."""

class RetryPolicy(Record):
    """How deliveries are tried again."""

    def __new__(
        cls,
        *,
        retry_count: int | None = None,
        base: timedelta | None = None,
        cap: timedelta | None = None,
    ) -> Self: ...
    @property
    def retry_count(self) -> int | None:
        """How often a failed delivery is tried again; 0: never; default 3."""
    @property
    def base(self) -> timedelta | None:
        """The longest wait before the first retry; it doubles with each; default 5 seconds."""
    @property
    def cap(self) -> timedelta | None:
        """The longest wait of all; default 1 hour."""

class SaveResult(Record):
    """What became of one of many messages: it was saved, or it was refused."""

    def __new__(
        cls,
        *,
        saved: Saved | Mapping[str, Any] | None = None,
        error: Failure | Mapping[str, Any] | None = None,
    ) -> Self: ...
    @property
    def saved(self) -> Saved | None:
        """What the save did; null: it was refused."""
    @property
    def error(self) -> Failure | None:
        """Why it was refused; null: it was not."""

class Saved(Record):
    """What a save did, and the row as it stands now."""

    def __new__(
        cls,
        *,
        outcome: SaveOutcome | str | None = None,
        is_new: bool | None = None,
        upgraded: bool | None = None,
        message: Message | Mapping[str, Any] | None = None,
    ) -> Self: ...
    @property
    def outcome(self) -> SaveOutcome:
        """What the save did."""
    @property
    def is_new(self) -> bool:
        """Whether this message was not known before, kept or not."""
    @property
    def upgraded(self) -> bool:
        """Whether a placeholder got its content."""
    @property
    def message(self) -> Message:
        """The row as it stands (or would stand, if it is not kept)."""

class SecretsStatus(Record):
    """How the secrets of a store are kept, and whether this process can read them."""

    def __new__(
        cls,
        *,
        state: SecretsState | str | None = None,
        key: str | None = None,
        old_key: str | None = None,
        old_key_until: datetime | None = None,
        since: datetime | None = None,
        usable: bool | None = None,
        clean: bool | None = None,
    ) -> Self: ...
    @property
    def state(self) -> SecretsState:
        """How they are kept."""
    @property
    def key(self) -> str | None:
        """The id of the key that they are written with; None: in clear."""
    @property
    def old_key(self) -> str | None:
        """The id of the key before, which still opens the store."""
    @property
    def old_key_until(self) -> datetime | None:
        """Until when the old key opens the store; the first open after that takes its right."""
    @property
    def since(self) -> datetime | None:
        """Since when the key holds."""
    @property
    def usable(self) -> bool:
        """Whether this process has the key."""
    @property
    def clean(self) -> bool:
        """Whether free space of the database holds no secret of a time when they were in clear;
        `seal_secrets` sees to it.
        """

class Session(Record):
    """A WhatsApp account that a gateway drives."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        name: str | None = None,
        status: SessionStatus | str | None = None,
        phone: str | None = None,
        push_name: str | None = None,
        config: Any = None,
        auth_state: Any = None,
        connected_at: datetime | None = None,
        retained_from: datetime | None = None,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the session."""
    @property
    def name(self) -> str:
        """What people call it; unique."""
    @property
    def status(self) -> SessionStatus:
        """Where it stands in its life."""
    @property
    def phone(self) -> str | None:
        """The account's own number, digits only."""
    @property
    def push_name(self) -> str | None:
        """The name the account shows."""
    @property
    def config(self) -> Any:
        """Settings of the host; known keys are checked, unknown ones kept."""
    @property
    def auth_state(self) -> Any:
        """Opaque to the library: an encrypted blob, or where the engine keeps it."""
    @property
    def connected_at(self) -> datetime | None:
        """When it last became ready."""
    @property
    def retained_from(self) -> datetime | None:
        """Messages created before this were removed by retention; history sync does not bring them
        back.
        """
    @property
    def created_at(self) -> datetime:
        """When it was made."""
    @property
    def updated_at(self) -> datetime:
        """When it last changed."""

class SessionAuth(Record):
    """One piece of a session's credentials: engines keep thousands of Signal keys."""

    def __new__(
        cls,
        *,
        session_id: UUID | str | None = None,
        category: str | None = None,
        key_id: str | None = None,
        value: builtins.bytes | bytearray | memoryview | None = None,
        updated_at: datetime | None = None,
    ) -> Self: ...
    @property
    def session_id(self) -> UUID:
        """The session."""
    @property
    def category(self) -> str:
        """`creds`, `pre-key`, `session` …"""
    @property
    def key_id(self) -> str:
        """The key's id within its category."""
    @property
    def value(self) -> builtins.bytes:
        """Opaque bytes."""
    @property
    def updated_at(self) -> datetime:
        """When it last changed."""

class SessionCount(Record):
    """How many sessions are in a state."""

    def __new__(
        cls,
        *,
        status: SessionStatus | str | None = None,
        sessions: int | None = None,
    ) -> Self: ...
    @property
    def status(self) -> SessionStatus:
        """The state."""
    @property
    def sessions(self) -> int:
        """How many."""

class SessionFilter(Record):
    """Which sessions."""

    def __new__(
        cls,
        *,
        status: SessionStatus | str | None = None,
        phone: str | None = None,
    ) -> Self: ...
    @property
    def status(self) -> SessionStatus | None:
        """Only those in this status."""
    @property
    def phone(self) -> str | None:
        """Only those of this number."""

class SessionLog(Record):
    """One step in the life of a session."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        session_id: UUID | str | None = None,
        event: str | None = None,
        status: str | None = None,
        data: Any = None,
        created_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the entry."""
    @property
    def session_id(self) -> UUID:
        """The session."""
    @property
    def event(self) -> str:
        """What happened, for instance `status` or `identity.merged`."""
    @property
    def status(self) -> str | None:
        """The status after it."""
    @property
    def data(self) -> Any:
        """Anything else."""
    @property
    def created_at(self) -> datetime:
        """When it was."""

class SessionUpdate(Record):
    """What to change of a session; `None` leaves a field as it is, `Some(None)` empties it."""

    def __new__(
        cls,
        *,
        name: str | None = None,
        phone: str | None = None,
        push_name: str | None = None,
        config: Any = None,
        auth_state: Any = None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """A new name."""
    @property
    def phone(self) -> str | None:
        """The account's own number, digits only."""
    @property
    def push_name(self) -> str | None:
        """The name the account shows."""
    @property
    def config(self) -> Any:
        """New settings, replacing the old ones whole."""
    @property
    def auth_state(self) -> Any:
        """The engine's state: an encrypted blob, or where the engine keeps it."""

class SkippedMessage(Record):
    """A delivery that is no message to keep."""

    def __new__(
        cls,
        *,
        wa_message_id: str | None = None,
        reason: Skipped | str | None = None,
    ) -> Self: ...
    @property
    def wa_message_id(self) -> str:
        """WhatsApp's id."""
    @property
    def reason(self) -> Skipped:
        """Why it is not kept."""

class Status(Record):
    """What a store tells about itself."""

    def __new__(
        cls,
        *,
        version: str | None = None,
        databases: Iterable[DatabaseStatus | Mapping[str, Any]] | None = None,
    ) -> Self: ...
    @property
    def version(self) -> str:
        """The library's version."""
    @property
    def databases(self) -> tuple[DatabaseStatus, ...]:
        """Main and Data."""

class TableEstimate(Record):
    """How many rows a table has."""

    def __new__(
        cls,
        *,
        table: str | None = None,
        rows: int | None = None,
        exact: bool | None = None,
    ) -> Self: ...
    @property
    def table(self) -> str:
        """The table."""
    @property
    def rows(self) -> int:
        """Its rows."""
    @property
    def exact(self) -> bool:
        """Whether they were counted; else there are about as many."""

class TableRows(Record):
    """A number of rows of a table."""

    def __new__(
        cls,
        *,
        table: str | None = None,
        rows: int | None = None,
    ) -> Self: ...
    @property
    def table(self) -> str:
        """The table."""
    @property
    def rows(self) -> int:
        """How many rows."""

class TakeoverOptions(Record):
    """How to take over."""

    def __new__(
        cls,
        *,
        plan: bool | None = None,
        skip_bad_rows: bool | None = None,
        session: str | None = None,
    ) -> Self: ...
    @property
    def plan(self) -> bool:
        """Reads everything and reports; nothing is written."""
    @property
    def skip_bad_rows(self) -> bool:
        """Takes over the rows that are good and reports the others. If not set, one bad row means
        that nothing is written.
        """
    @property
    def session(self) -> str | None:
        """Name or id of the session that credentials belong to. `None`: the one called like their
        folder or archive, or with their telephone number; else a new one of that name.
        """

class TakeoverProblem(Record):
    """A row that cannot be taken over."""

    def __new__(
        cls,
        *,
        source: str | None = None,
        table: str | None = None,
        row: str | None = None,
        column: str | None = None,
        why: str | None = None,
    ) -> Self: ...
    @property
    def source(self) -> str:
        """The source."""
    @property
    def table(self) -> str:
        """The table, by its name in OpenWA's database."""
    @property
    def row(self) -> str:
        """The row's id, or its number from 1 where it has none."""
    @property
    def column(self) -> str:
        """The column; empty: the row as a whole."""
    @property
    def why(self) -> str:
        """What is wrong. It never repeats a value that may be secret."""

class TakeoverReport(Record):
    """What a takeover did, or with `plan` would do."""

    def __new__(
        cls,
        *,
        plan: bool | None = None,
        sources: Iterable[TakeoverSource | Mapping[str, Any]] | None = None,
        tables: Iterable[TakeoverTable | Mapping[str, Any]] | None = None,
        written: Iterable[TakeoverWritten | Mapping[str, Any]] | None = None,
        problems: Iterable[TakeoverProblem | Mapping[str, Any]] | None = None,
        problem_count: int | None = None,
        notes: Iterable[str] | None = None,
    ) -> Self: ...
    @property
    def plan(self) -> bool:
        """Whether it was only a plan."""
    @property
    def sources(self) -> tuple[TakeoverSource, ...]:
        """What was read."""
    @property
    def tables(self) -> tuple[TakeoverTable, ...]:
        """What became of the rows of each table of the sources."""
    @property
    def written(self) -> tuple[TakeoverWritten, ...]:
        """What was written to each of our tables; empty for a plan."""
    @property
    def problems(self) -> tuple[TakeoverProblem, ...]:
        """Rows that were not taken over, the first `MAX_PROBLEMS`."""
    @property
    def problem_count(self) -> int:
        """How many rows were not taken over."""
    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know beside that."""

class TakeoverSource(Record):
    """One source."""

    def __new__(
        cls,
        *,
        name: str | None = None,
        kind: str | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """Its path, or its address without the password."""
    @property
    def kind(self) -> str:
        """What it is."""

class TakeoverTable(Record):
    """One table of the sources."""

    def __new__(
        cls,
        *,
        table: str | None = None,
        rows: int | None = None,
        mapped: int | None = None,
        extra: int | None = None,
        bad: int | None = None,
        repeated: int | None = None,
        to: Iterable[str] | None = None,
        extra_columns: Iterable[str] | None = None,
    ) -> Self: ...
    @property
    def table(self) -> str:
        """Its name in OpenWA's database; credentials are a table of their own, `credentials`."""
    @property
    def rows(self) -> int:
        """Rows that were read."""
    @property
    def mapped(self) -> int:
        """Rows that have a place in our tables."""
    @property
    def extra(self) -> int:
        """Rows of which something, or all, is kept in `openwa_extra`."""
    @property
    def bad(self) -> int:
        """Rows that cannot be taken over."""
    @property
    def repeated(self) -> int:
        """Rows that an earlier source had too."""
    @property
    def to(self) -> tuple[str, ...]:
        """Our tables that its rows go to; empty: only to `openwa_extra`."""
    @property
    def extra_columns(self) -> tuple[str, ...]:
        """Columns that are kept in `openwa_extra`."""

class TakeoverWritten(Record):
    """One of our tables."""

    def __new__(
        cls,
        *,
        table: str | None = None,
        rows: int | None = None,
        inserted: int | None = None,
    ) -> Self: ...
    @property
    def table(self) -> str:
        """The table."""
    @property
    def rows(self) -> int:
        """Rows for it."""
    @property
    def inserted(self) -> int:
        """Rows that were added; the others were there already."""

class Transition(Record):
    """What a step of a session's life did."""

    def __new__(
        cls,
        *,
        changed: bool | None = None,
        from_: SessionStatus | str | None = None,
        session: Session | Mapping[str, Any] | None = None,
    ) -> Self: ...
    @property
    def changed(self) -> bool:
        """Whether the status changed (or a new QR code came); false for a repeated event."""
    @property
    def from_(self) -> SessionStatus:
        """The status before."""
    @property
    def session(self) -> Session:
        """The session as it stands now."""

class TroubledSession(Record):
    """A session that does not work."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        name: str | None = None,
        status: SessionStatus | str | None = None,
        since: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """Its id."""
    @property
    def name(self) -> str:
        """Its name."""
    @property
    def status(self) -> SessionStatus:
        """Its state."""
    @property
    def since(self) -> datetime:
        """When it last changed."""

class VacuumOptions(Record):
    """How to give space back."""

    def __new__(
        cls,
        *,
        full: bool | None = None,
    ) -> Self: ...
    @property
    def full(self) -> bool:
        """Writes everything anew, which also joins pages that are half empty. On SQLite nobody can
        write while that lasts, and it needs room for a second copy; on PostgreSQL nobody can
        use the table that it is at.
        """

class VacuumReport(Record):
    """What a vacuum did."""

    def __new__(
        cls,
        *,
        parts: Iterable[VacuumedPart | Mapping[str, Any]] | None = None,
        already_running: bool | None = None,
        stopped: bool | None = None,
    ) -> Self: ...
    @property
    def parts(self) -> tuple[VacuumedPart, ...]:
        """What was gone through, with its size before and after."""
    @property
    def already_running(self) -> bool:
        """Another process is at it; this one did nothing."""
    @property
    def stopped(self) -> bool:
        """The callback stopped it. What was given back so far stays so."""

class VacuumedPart(Record):
    """One file, or one table of a server."""

    def __new__(
        cls,
        *,
        database: str | None = None,
        table: str | None = None,
        bytes_before: int | None = None,
        bytes_after: int | None = None,
    ) -> Self: ...
    @property
    def database(self) -> str:
        """`main` or `data`."""
    @property
    def table(self) -> str | None:
        """The table, on PostgreSQL; on SQLite None: it is the whole file."""
    @property
    def bytes_before(self) -> int:
        """Bytes before, with indexes."""
    @property
    def bytes_after(self) -> int:
        """Bytes after."""

class VerifyOptions(Record):
    """Which backups to verify."""

    def __new__(
        cls,
        *,
        repo: BackupRepo | Mapping[str, Any] | None = None,
        backup: str | None = None,
    ) -> Self: ...
    @property
    def repo(self) -> BackupRepo:
        """Where they are."""
    @property
    def backup(self) -> str | None:
        """Id of one, or the beginning of it; `latest`; default all."""

class Webhook(Record):
    """An address that wants to hear of a session's events."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        session_id: UUID | str | None = None,
        url: str | None = None,
        events: Any = None,
        secret: str | None = None,
        headers: Any = None,
        active: bool | None = None,
        retry_count: int | None = None,
        last_triggered_at: datetime | None = None,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the webhook."""
    @property
    def session_id(self) -> UUID:
        """The session it listens to."""
    @property
    def url(self) -> str:
        """Where deliveries go, http or https."""
    @property
    def events(self) -> Any:
        """A JSON array of event names; `*` means all."""
    @property
    def secret(self) -> str | None:
        """Signs deliveries."""
    @property
    def headers(self) -> Any:
        """A JSON object of extra request headers."""
    @property
    def active(self) -> bool:
        """Whether it gets deliveries."""
    @property
    def retry_count(self) -> int:
        """How often a failed delivery is tried again, 0 to 20."""
    @property
    def last_triggered_at(self) -> datetime | None:
        """When it last got a delivery."""
    @property
    def created_at(self) -> datetime:
        """When it was made."""
    @property
    def updated_at(self) -> datetime:
        """When it last changed."""

class WebhookLog(Record):
    """One attempt to deliver an event to a webhook."""

    def __new__(
        cls,
        *,
        id: UUID | str | None = None,
        webhook_id: UUID | str | None = None,
        event: str | None = None,
        status_code: int | None = None,
        attempt: int | None = None,
        payload: Any = None,
        response: Any = None,
        error: str | None = None,
        created_at: datetime | None = None,
    ) -> Self: ...
    @property
    def id(self) -> UUID:
        """UUID of the entry."""
    @property
    def webhook_id(self) -> UUID:
        """The webhook."""
    @property
    def event(self) -> str:
        """The event's name."""
    @property
    def status_code(self) -> int | None:
        """HTTP status of the answer; null: none came."""
    @property
    def attempt(self) -> int:
        """1 for the first try."""
    @property
    def payload(self) -> Any:
        """What was sent."""
    @property
    def response(self) -> Any:
        """What came back."""
    @property
    def error(self) -> str | None:
        """Why it failed."""
    @property
    def created_at(self) -> datetime:
        """When it was."""

class WebhookUpdate(Record):
    """What to change of a webhook; `None` leaves a field as it is."""

    def __new__(
        cls,
        *,
        url: str | None = None,
        events: Any = None,
        secret: str | None = None,
        headers: Any = None,
        retry_count: int | None = None,
        active: bool | None = None,
        allow_private: bool | None = None,
    ) -> Self: ...
    @property
    def url(self) -> str:
        """Where deliveries go."""
    @property
    def events(self) -> Any:
        """A JSON array of event names."""
    @property
    def secret(self) -> str | None:
        """Signs deliveries; `Some(None)` removes it."""
    @property
    def headers(self) -> Any:
        """A JSON object of extra request headers."""
    @property
    def retry_count(self) -> int:
        """How often a failed delivery is tried again, 0 to 20."""
    @property
    def active(self) -> bool:
        """Whether it gets deliveries."""
    @property
    def allow_private(self) -> bool:
        """Allows loopback, private and link-local addresses for a new URL."""

class _Handle:
    def __new__(cls, of: _Handle) -> Self: ...

class ApiKeys(_Handle):
    """API keys, their whitelists and the log of their use."""

    def create(
        self,
        *,
        name: str,
        permissions: Any = None,
        allowed_sessions: Any = None,
        allowed_chats: Any = None,
        expires_at: datetime | None = None,
    ) -> CreatedKey:
        """Creates a key of 32 random bytes. The answer holds the only copy of it.

        Errors: `InvalidArgument` naming the column.
        """
    def register(
        self,
        key: str,
        *,
        name: str,
        permissions: Any = None,
        allowed_sessions: Any = None,
        allowed_chats: Any = None,
        expires_at: datetime | None = None,
    ) -> CreatedKey:
        """Registers a given string as a key, such as a bootstrap secret from the environment.

        Errors: `AlreadyExists` when it is registered, `InvalidArgument`.
        """
    def authorize(
        self,
        key: str,
        *,
        permission: Permission | str | None = None,
        ip: str | None = None,
        session: str | None = None,
        session_alias: str | None = None,
        chat: str | None = None,
    ) -> Authorization:
        """Decides whether a request with a key may go on. The hottest call of a gateway: it writes
        nothing in its own path, and sees a revocation by any process at the next call.

        Errors: those of the database; deny then.
        """
    def get(self, id: UUID | str) -> ApiKey:
        """One key's record by id.

        Errors: `NotFound`.
        """
    def find(self, key: str) -> ApiKey | None:
        """A key's record by the key itself, without counting a use.

        Errors: those of the database.
        """
    def list(self, *, limit: int | None = None, after: str | None = None) -> Page[ApiKey]:
        """One page of keys, in the order of creation.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(self) -> Iterator[ApiKey]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    def update(
        self,
        id: UUID | str,
        *,
        name: str | None = None,
        permissions: Any = None,
        allowed_sessions: Any = ...,
        allowed_chats: Any = ...,
        active: bool | None = None,
        expires_at: datetime | None = ...,
    ) -> ApiKey:
        """Changes a key. The next call with it, in any process, sees that.

        Errors: `LastFullAccessKey` when it is the last one and would lose full access,
        `NotFound`, `InvalidArgument`.
        """
    def revoke(self, id: UUID | str, force: bool | None = None) -> ApiKey:
        """Switches a key off for good. `force` does so even for the last one with full access.

        Errors: `LastFullAccessKey`, `NotFound`.
        """
    def delete(self, id: UUID | str, force: bool | None = None) -> bool:
        """Deletes a key's record; its log entries stay. False: there was none.

        Errors: `LastFullAccessKey`.
        """
    def whitelist(self, key: UUID | str) -> builtins.list[IpWhitelistEntry]:
        """The addresses from which a key may be used. None: from anywhere. Some, but none active:
        from nowhere.

        Errors: those of the database.
        """
    def allow_address(
        self,
        key: UUID | str,
        *,
        ip_address: str,
        cidr_range: str | None = None,
        description: str | None = None,
        active: bool | None = None,
    ) -> IpWhitelistEntry:
        """Adds an address or network to a key's whitelist.

        Errors: `InvalidArgument` for what is not strictly an address or network,
        `AlreadyExists`, `NotFound`.
        """
    def set_address_active(self, entry: UUID | str, active: bool | None = None) -> bool:
        """Switches a whitelist entry on or off. False: there is none."""
    def remove_address(self, entry: UUID | str) -> bool:
        """Removes a whitelist entry. False: there was none."""
    def log(
        self,
        *,
        api_key_id: UUID | str | None = None,
        endpoint: str,
        method: str,
        ip_address: str | None = None,
        user_agent: str | None = None,
        status_code: int,
        response_time: int | None = None,
    ) -> ApiKeyLog:
        """Logs a request that was made with a key."""
    def log_later(
        self,
        *,
        api_key_id: UUID | str | None = None,
        endpoint: str,
        method: str,
        ip_address: str | None = None,
        user_agent: str | None = None,
        status_code: int,
        response_time: int | None = None,
    ) -> None:
        """Logs a request without waiting: the row is written within a second, together with
        others, and before the log is read or the store closed. While the database cannot be
        reached rows wait, up to 10,000 or 16 MB; beyond that the oldest are lost and counted,
        see `log_buffer`.

        Errors: `InvalidArgument` naming the column, `Closed`. None of the database.
        """
    def logs(
        self,
        key: UUID | str | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[ApiKeyLog]:
        """One page of the log of requests, newest first, of one key or of all.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate_logs(self, key: UUID | str | None = None) -> Iterator[ApiKeyLog]:
        """Everything that `logs` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """

class Audit(_Handle):
    """The audit trail."""

    def log(
        self,
        *,
        action: str,
        severity: Severity | str | None = None,
        api_key_id: UUID | str | None = None,
        api_key_name: str | None = None,
        session_id: UUID | str | None = None,
        session_name: str | None = None,
        ip_address: str | None = None,
        user_agent: str | None = None,
        method: str | None = None,
        path: str | None = None,
        status_code: int | None = None,
        metadata: Any = None,
        error_message: str | None = None,
    ) -> AuditLog:
        """Writes one entry.

        Errors: `InvalidArgument` naming the column.
        """
    def list(
        self,
        *,
        action: str | None = None,
        session_id: UUID | str | None = None,
        api_key_id: UUID | str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[AuditLog]:
        """One page of the trail, newest first.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(
        self,
        *,
        action: str | None = None,
        session_id: UUID | str | None = None,
        api_key_id: UUID | str | None = None,
    ) -> Iterator[AuditLog]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """

class Auth(_Handle):
    """An engine's credentials."""

    def set(self, session: UUID | str, entries: Iterable[AuthEntry | Mapping[str, Any]]) -> None:
        """Sets and deletes any number of keys in one commit: all of them or none.

        Errors: `NotFound` for the session, `InvalidArgument`, `StoreKeyMissing`,
        `WrongStoreKey`.
        """
    def get(self, session: UUID | str, category: str, key_id: str) -> AuthValue:
        """One key: found, missing, or unreadable.

        Errors: those of the database. An engine must not take an error for a missing key.
        """
    def get_many(
        self,
        session: UUID | str,
        category: str,
        key_ids: Iterable[str],
    ) -> builtins.list[AuthValue]:
        """Several keys of a category, in the order asked for.

        Errors: as `get`.
        """
    def list(self, session: UUID | str, category: str) -> builtins.list[str]:
        """The ids of a category's keys, in order.

        Errors: those of the database.
        """
    def all(self, session: UUID | str) -> builtins.list[SessionAuth]:
        """Every key of a session.

        Errors: those of the database.
        """
    def clear(self, session: UUID | str, category: str | None = None) -> int:
        """Deletes a session's keys, all or those of one category; says how many."""

class Batches(_Handle):
    """Bulk jobs."""

    def create(
        self,
        session: UUID | str,
        *,
        batch_id: str,
        messages: Iterable[NewBatchMessage | Mapping[str, Any]],
        options: Any = None,
    ) -> BatchJob:
        """Creates a job with its messages, all or none.

        Errors: `AlreadyExists` for a batch id that the session has used, `InvalidArgument`,
        `NotFound`.
        """
    def get(self, id: UUID | str) -> BatchJob:
        """One job by its row id.

        Errors: `NotFound`.
        """
    def find(self, session: UUID | str, batch_id: str) -> BatchJob | None:
        """One job by the host's own id.

        Errors: those of the database.
        """
    def list(
        self,
        session: UUID | str,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[BatchJob]:
        """One page of a session's jobs, newest first.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(self, session: UUID | str) -> Iterator[BatchJob]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    def messages(
        self,
        job: UUID | str,
        position: int | None = None,
    ) -> builtins.list[BatchJobMessage]:
        """Up to a thousand messages of a job in sending order, from position `from` on.

        Errors: those of the database.
        """
    def claim_next(self, job: UUID | str) -> BatchJobMessage | None:
        """Hands out the next message of a job: in order, once, across threads and processes.
        `None`: there is none left, or the job has ended.
        """
    def record(
        self,
        message: UUID | str,
        *,
        sent: bool | None = None,
        wa_message_id: str | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
    ) -> BatchJob:
        """Records how the sending of a message ended; counters and, with the last one, the job's
        end come with it.

        Errors: `Conflict` for a message that is not being sent, `NotFound`.
        """
    def unknown(self, job: UUID | str) -> builtins.list[BatchJobMessage]:
        """Messages that were handed out and have no result. After a crash nobody knows whether
        they went out: ask WhatsApp or the user, then `record` it.

        Errors: those of the database.
        """
    def cancel(self, job: UUID | str) -> BatchJob:
        """Withdraws what is pending and ends the job. What is being sent may still get its result.

        Errors: `Conflict` for a job that has ended, `NotFound`.
        """
    def fail(self, job: UUID | str, error: str) -> BatchJob:
        """Ends a job with a fatal error; what is pending is withdrawn.

        Errors: `Conflict` for a job that has ended, `NotFound`.
        """

class Contacts(_Handle):
    """Contacts and the two addresses of a person."""

    def upsert(
        self,
        session: UUID | str,
        *,
        wa_contact_id: str,
        name: str | None = None,
        push_name: str | None = None,
        is_my_contact: bool | None = None,
        is_blocked: bool | None = None,
        profile_pic_url: str | None = None,
    ) -> Contact:
        """Creates a contact, or adds what is known of it; what the change does not say stays.

        Errors: `InvalidArgument` naming the column, `NotFound` for the session.
        """
    def get(self, session: UUID | str, address: str) -> Contact | None:
        """One contact by any of its addresses.

        Errors: those of the database.
        """
    def list(
        self,
        session: UUID | str,
        *,
        phone: str | None = None,
        blocked: bool | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[Contact]:
        """One page of a session's contacts, by address.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(
        self,
        session: UUID | str,
        *,
        phone: str | None = None,
        blocked: bool | None = None,
    ) -> Iterator[Contact]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    def delete(self, session: UUID | str, address: str) -> bool:
        """Deletes a contact. False: there was none."""
    def learn_identity(self, session: UUID | str, lid: str, pn: str) -> bool:
        """Learns that a LID and a phone address are one person. What was stored under the LID
        moves to the phone address in the same commit. False: that was known, or it is the
        account's own number.
        """
    def identities(self, session: UUID | str) -> builtins.list[Identity]:
        """Every LID-phone pair that a session knows, by LID.

        Errors: those of the database.
        """
    def canonical(self, session: UUID | str, address: str) -> str:
        """The address under which a person, group or newsletter is kept.

        Errors: those of the database.
        """

class Messages(_Handle):
    """Message history. Every verb accepts any address of a chat or person: phone or LID, with or
    without device.
    """

    def save(
        self,
        session: UUID | str,
        *,
        wa_message_id: str | None = None,
        chat_id: str,
        from_number: str,
        to_number: str | None = None,
        type: str,
        body: str | None = None,
        media: Any = None,
        ack: int | None = None,
        from_me: bool | None = None,
        wa_timestamp: datetime | None = None,
        created_at: datetime | None = None,
        edited_at: datetime | None = None,
        revoked_at: datetime | None = None,
        raw: builtins.bytes | bytearray | memoryview | None = None,
    ) -> Saved:
        """Stores a message, or merges it into the one with the same WhatsApp id, and says which.

        A repeated delivery never overwrites: it may fill what was empty, raise the ack, or give
        a placeholder its content.

        Errors: `InvalidArgument` naming the column, `NotFound` for the session.
        """
    def save_many(
        self,
        session: UUID | str,
        messages: Iterable[NewMessage | Mapping[str, Any]],
    ) -> builtins.list[SaveResult]:
        """Stores many messages in one commit, each with its own result. One that is refused does
        not affect the others.
        """
    def backfill(
        self,
        session: UUID | str,
        messages: Iterable[NewMessage | Mapping[str, Any]],
    ) -> builtins.list[SaveResult]:
        """Stores history: as `save_many`, but each row is made at its message's own time, and what
        retention has removed does not come back (`NotStored`).
        """
    def ack(self, session: UUID | str, wa_message_id: str, ack: int) -> Changed:
        """Raises the delivery state of a message: −1 error, 0 pending, 1 server, 2 delivered, 3
        read, 4 played. It never falls. A message that is not here yet gets it when it comes.
        """
    def edit(
        self,
        session: UUID | str,
        wa_message_id: str,
        body: str | None = None,
        at: datetime | None = None,
    ) -> Changed:
        """Gives a message a new body. The edit with the latest time wins; a revoked message stays
        empty.
        """
    def revoke(
        self,
        session: UUID | str,
        wa_message_id: str,
        at: datetime | None = None,
    ) -> Changed:
        """Deletes a message for everyone: body, media and raw are emptied for good, the row stays."""
    def react(
        self,
        session: UUID | str,
        wa_message_id: str,
        sender: str,
        emoji: str,
        at: datetime | None = None,
    ) -> Changed:
        """Sets the reaction of one person (`me` is the own account); an empty `emoji` withdraws
        it.
        """
    def get(self, id: UUID | str) -> Message | None:
        """One message by its row id.

        Errors: those of the database.
        """
    def find(self, session: UUID | str, wa_message_id: str) -> Message | None:
        """One message by WhatsApp's id.

        Errors: those of the database.
        """
    def list(
        self,
        session: UUID | str,
        *,
        chat: str | None = None,
        from_: datetime | None = None,
        until: datetime | None = None,
        type: str | None = None,
        from_me: bool | None = None,
        text: str | None = None,
        order: Order | str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[Message]:
        """One page of a session's messages, filtered, newest first unless the filter says
        otherwise.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(
        self,
        session: UUID | str,
        *,
        chat: str | None = None,
        from_: datetime | None = None,
        until: datetime | None = None,
        type: str | None = None,
        from_me: bool | None = None,
        text: str | None = None,
        order: Order | str | None = None,
    ) -> Iterator[Message]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    def count(
        self,
        session: UUID | str,
        *,
        chat: str | None = None,
        from_: datetime | None = None,
        until: datetime | None = None,
        type: str | None = None,
        from_me: bool | None = None,
        text: str | None = None,
        order: Order | str | None = None,
    ) -> int:
        """How many messages match.

        Errors: those of the database.
        """
    def chats(
        self,
        session: UUID | str,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[Chat]:
        """One page of a session's chats, the one with the newest message first.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate_chats(self, session: UUID | str) -> Iterator[Chat]:
        """Everything that `chats` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    def reactions(self, session: UUID | str, wa_message_id: str) -> builtins.list[MessageReaction]:
        """The reactions to one message, oldest first.

        Errors: those of the database.
        """
    def waiting(self, session: UUID | str, kind: PendingKind | str) -> int:
        """How many messages that are not here have changes of this kind waiting for them.

        Errors: those of the database.
        """

class Sessions(_Handle):
    """Sessions and their life."""

    def create(
        self,
        *,
        id: UUID | str | None = None,
        name: str,
        phone: str | None = None,
        push_name: str | None = None,
        config: Any = None,
    ) -> Session:
        """Creates a session in status `created`.

        Errors: `AlreadyExists` for a name that is taken, `InvalidArgument` naming the column.
        """
    def get(self, id: UUID | str) -> Session:
        """One session by id.

        Errors: `NotFound`.
        """
    def find(self, name: str) -> Session | None:
        """One session by name.

        Errors: those of the database.
        """
    def list(
        self,
        *,
        status: SessionStatus | str | None = None,
        phone: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[Session]:
        """One page of sessions, in the order of creation.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(
        self,
        *,
        status: SessionStatus | str | None = None,
        phone: str | None = None,
    ) -> Iterator[Session]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    def update(
        self,
        id: UUID | str,
        *,
        name: str | None = None,
        phone: str | None = ...,
        push_name: str | None = ...,
        config: Any = None,
        auth_state: Any = ...,
    ) -> Session:
        """Changes name, number, settings or the engine's state.

        Errors: `NotFound`, `AlreadyExists`, `InvalidArgument`.
        """
    def transition(
        self,
        id: UUID | str,
        to: SessionStatus | str,
        reason: str | None = None,
    ) -> Transition:
        """Moves a session to a status and logs it in the same commit. The same status again
        changes nothing, except that a new QR code is logged.

        Errors: `InvalidTransition` naming both states and what is allowed, `Conflict` when
        another process was faster, `NotFound`.
        """
    def restore(self) -> builtins.list[Session]:
        """After a start: every session that should run again. Those in a state that only a live
        engine can hold are `disconnected` now.
        """
    def recreate(self, id: UUID | str) -> Session:
        """Takes a failed session back to `created`, with its credentials cleared.

        Errors: `InvalidTransition` for a session that is not failed, `NotFound`.
        """
    def delete(self, id: UUID | str) -> bool:
        """Deletes a session and all that belongs to it: messages, contacts, webhooks, credentials,
        logs. False: there was none.
        """
    def log(self, id: UUID | str, event: str, data: Any = None) -> SessionLog:
        """Writes one line of a session's log."""
    def logs(
        self,
        id: UUID | str,
        event: str | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[SessionLog]:
        """One page of a session's log, newest first, all of it or one kind of event.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate_logs(self, id: UUID | str, event: str | None = None) -> Iterator[SessionLog]:
        """Everything that `logs` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """

class Webhooks(_Handle):
    """Webhooks, their delivery log, idempotency."""

    def create(
        self,
        session: UUID | str,
        *,
        url: str,
        events: Any = None,
        secret: str | None = None,
        headers: Any = None,
        retry_count: int | None = None,
        active: bool | None = None,
        allow_private: bool | None = None,
    ) -> Webhook:
        """Creates a webhook.

        Errors: `InvalidArgument` for URL, events, headers or retry count, `NotFound` for the
        session.
        """
    def get(self, id: UUID | str) -> Webhook:
        """One webhook by id.

        Errors: `NotFound`.
        """
    def list(
        self,
        session: UUID | str,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[Webhook]:
        """One page of a session's webhooks, in the order of creation.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(self, session: UUID | str) -> Iterator[Webhook]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    def subscribed(self, session: UUID | str, event: WebhookEvent | str) -> builtins.list[Webhook]:
        """The active webhooks of a session that want to hear of an event.

        Errors: those of the database.
        """
    def update(
        self,
        id: UUID | str,
        *,
        url: str | None = None,
        events: Any = None,
        secret: str | None = ...,
        headers: Any = None,
        retry_count: int | None = None,
        active: bool | None = None,
        allow_private: bool | None = None,
    ) -> Webhook:
        """Changes a webhook.

        Errors: `NotFound`, `InvalidArgument`.
        """
    def delete(self, id: UUID | str) -> bool:
        """Deletes a webhook with its log. False: there was none."""
    def log(
        self,
        webhook: UUID | str,
        *,
        event: str,
        status_code: int | None = None,
        attempt: int | None = None,
        payload: Any,
        response: Any = None,
        error: str | None = None,
    ) -> WebhookLog:
        """Logs one attempt to deliver.

        Errors: `NotFound` for the webhook, `InvalidArgument`.
        """
    def log_later(
        self,
        webhook: UUID | str,
        *,
        event: str,
        status_code: int | None = None,
        attempt: int | None = None,
        payload: Any,
        response: Any = None,
        error: str | None = None,
    ) -> None:
        """Logs an attempt without waiting: the row is written within a second, together with
        others, and before the log is read or the store closed. While the database cannot be
        reached rows wait, up to 10,000 or 16 MB; beyond that the oldest are lost and counted,
        see `log_buffer`. A row whose webhook is deleted by then goes with it.

        Errors: `InvalidArgument` naming the column, `Closed`. None of the database.
        """
    def logs(
        self,
        webhook: UUID | str,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[WebhookLog]:
        """One page of a webhook's delivery log, newest first.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate_logs(self, webhook: UUID | str) -> Iterator[WebhookLog]:
        """Everything that `logs` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    def begin(self, webhook: UUID | str, key: str, event: str) -> Begin:
        """Asks whether an event may be delivered to a webhook; of any number of processes exactly
        one hears `New`. Entries live 24 hours.
        """
    def finish(
        self,
        webhook: UUID | str,
        key: str,
        status: int | None = None,
        data: Any = None,
    ) -> None:
        """Stores the answer of a delivery, for those that come as duplicates.

        Errors: `NotFound` when it was not begun.
        """
    def forget(self, webhook: UUID | str, key: str) -> bool:
        """Takes a beginning back, so that a delivery that failed for good may be begun again.
        False: there was none.
        """

class Store(_Handle):
    """An open store. It may be used from any number of threads; every call releases the
    interpreter's lock.
    """

    @property
    def api_keys(self) -> ApiKeys:
        """API keys, their whitelists and the log of their use."""
    @property
    def audit(self) -> Audit:
        """The audit trail."""
    @property
    def auth(self) -> Auth:
        """An engine's credentials."""
    @property
    def batches(self) -> Batches:
        """Bulk jobs."""
    @property
    def contacts(self) -> Contacts:
        """Contacts and the two addresses of a person."""
    @property
    def messages(self) -> Messages:
        """Message history. Every verb accepts any address of a chat or person: phone or LID, with
        or without device.
        """
    @property
    def sessions(self) -> Sessions:
        """Sessions and their life."""
    @property
    def webhooks(self) -> Webhooks:
        """Webhooks, their delivery log, idempotency."""
    @classmethod
    def from_env(cls, dir: str | os.PathLike[str] = "./data") -> Self:
        """Opens the store that the gateway's environment names: `DATABASE_TYPE`, `DATABASE_NAME`,
        `MAIN_DATABASE_NAME`, `API_KEY_PEPPER` ... Relative paths are relative to `dir`.
        """
    def close(self) -> None:
        """Writes what is under way and closes the files. A second call does nothing."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def ingest(
        self,
        engine: Engine | str,
        session: UUID | str,
        event: Any,
        at: datetime | None = None,
    ) -> Ingested:
        """Takes what an engine emitted, as JSON, and applies all of it in one commit.

        `event` is one event (`{"event": "messages.upsert", "data": …}`), an array of them, or a
        Baileys event map (`{"messages.upsert": …, "chats.update": …}`). Unknown events and
        fields are counted, never an error; a message that is not acceptable is reported in
        `refused` and does not affect the rest.

        Errors: `InvalidArgument` for JSON that is no event, `NotFound` for the session.
        """
    def status(self) -> Status:
        """Sizes, schema versions and row counts. Counting reads the smallest index of every table
        once; of a large store `overview` tells nearly the same at once.

        Errors: those of the database.
        """
    def overview(self, *, days: int | None = None, window_days: int | None = None) -> Overview:
        """The store on one screen: what needs attention, sizes, sessions by state, messages per
        day, growth, deliveries to webhooks, keys that expire. Nothing large is counted, so that
        it takes milliseconds also with ten million messages; estimates are marked as such.

        Errors: those of the databases.
        """
    def check(self) -> CheckReport:
        """Checks both databases: pages and indexes (on SQLite), indexes that cannot be used, rows
        whose parent does not exist, counters of bulk jobs against a recount, ids of messages
        against messages, values that cannot be read, rows in the wrong place. It reads
        everything once, in constant memory, and holds nobody up; on a store that others write
        to, each question is answered of one moment.

        Errors: those of the database; what is wrong *in* it is in the report.
        """
    def repair(
        self,
        *,
        dry_run: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> RepairReport:
        """Checks, repairs what can be repaired without losing anything, and checks again. What is
        not certain, such as which of two rows is right, is reported and left. A file with
        damaged pages is not written to at all. With `dry_run` nothing is changed. The progress
        tells which table is being looked at, and rows where they are read one by one.

        Errors: `Cancelled` when the callback stops it (what is repaired stays), those of the
        database.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def vacuum(
        self,
        *,
        full: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> VacuumReport:
        """Gives the space of deleted rows back. By default it keeps nobody from working: on SQLite
        free pages go back to the file system in transactions of a few milliseconds; on
        PostgreSQL every table gets a `VACUUM (ANALYZE)`, which makes room in it for new rows
        and gives back what is free at its end. With `full` everything is written anew, see
        `full`. A crash in the middle loses nothing. The progress counts pages on SQLite, tables
        on PostgreSQL; stopping keeps what was given back until then. Of several processes one
        runs, the others answer `already_running`.

        Errors: `DiskFull` when `full` on SQLite finds less room than it needs, before anything
        is begun; those of the databases.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def export_file(
        self,
        path: str | os.PathLike[str],
        *,
        main: bool | None = None,
        tables: Iterable[str] | None = None,
        redact: bool | None = None,
        compress: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> ExportReport:
        """Like `export`, to a file that only its owner may read; compressed if its name ends in
        `.zst`. The file takes its place, and that of an older one, only when it is complete and
        durable.

        Errors: as `export`, with the path in the context.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        mode: Mode | str | None = None,
        missing: Missing | str | None = None,
        dry_run: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> ImportReport:
        """Like `import`, from a file.

        Errors: as `import`, with the path in the context.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def backup(
        self,
        *,
        repo: BackupRepo | Mapping[str, Any] | None = None,
        name: str | None = None,
        prune: bool | None = None,
        keep: KeepRules | Mapping[str, Any] | None = None,
        temp_dir: str | None = None,
        pg_dump: str | None = None,
        read_all: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> BackupReport:
        """Writes a backup of the store while it is in use: Main and Data as of one moment each,
        one behind the other. The repository is made if it is missing. What is in it already is
        not written again, so a backup every hour costs about what changed. It counts only when
        everything new was read back from the repository.

        It needs room for a copy of the databases beside Main, or in `temp_dir`. Writers go on
        meanwhile.

        Errors: `PermissionDenied` for a wrong password or wrong credentials, `NotFound` for a
        missing bucket, `Unavailable` when the storage does not answer, `Busy` while another
        process makes a backup of this store or writes to this repository, `Corrupt` when a
        database or the repository is damaged, `DiskFull`, `SchemaTooNew` for a repository of a
        newer version, `Cancelled`, `Unsupported` in a build without the feature. Earlier
        backups stay as they are.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def backups(
        self,
        *,
        repo: str | None = None,
        password: str | None = None,
        password_file: str | None = None,
        password_command: str | None = None,
    ) -> builtins.list[Backup]:
        """The backups in a repository, the oldest first; this store need not be one of them. What
        other programs put into it is left out.

        Errors: `NotFound` when there is no repository; those of `backup`.
        """
    def verify_backups(
        self,
        *,
        repo: BackupRepo | Mapping[str, Any] | None = None,
        backup: str | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> BackupVerify:
        """Reads backups back whole and compares them with what was written: every byte of every
        file.

        Errors: `NotFound` when there is no such backup; those of `backup`. What is wrong *in*
        backups is in the report.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def prune_backups(
        self,
        *,
        repo: str | None = None,
        password: str | None = None,
        password_file: str | None = None,
        password_command: str | None = None,
        last: int | None = None,
        hourly: int | None = None,
        daily: int | None = None,
        weekly: int | None = None,
        monthly: int | None = None,
        yearly: int | None = None,
        name: str | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> BackupPrune:
        """Forgets the backups that no rule keeps, and gives back the space that only they used: it
        is marked first, and removed by a prune at least 23 hours later, so that a backup which
        is being written meanwhile loses nothing.

        Errors: `Busy` while another process writes to the repository; those of `backup`.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def restore_backup(
        self,
        *,
        dir: str | None = None,
        main: str | None = None,
        data: str | None = None,
        from_env: bool | None = None,
        api_key_pepper: str | None = None,
        store_key: str | None = None,
        history: bool | None = None,
        durability: Durability | str | None = None,
        queue: int | None = None,
        group: int | None = None,
        repo: BackupRepo | Mapping[str, Any] | None = None,
        backup: str | None = None,
        name: str | None = None,
        replace: bool | None = None,
        allow_old_credentials: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> RestoreReport:
        """Restores a backup to where `target` says, which no process may have open: files into a
        new place or, with `replace`, in place of those that are there, which are set aside
        under another name; PostgreSQL into a schema without tables. Everything is verified
        before it takes its place: checksums, integrity, references, row counts. This store has
        no part in it and may be any, also one in memory.

        Engines' credentials move on with every message. Those of a backup that were used since
        break the account, so newer ones are not replaced unless that is allowed.

        Errors: `Conflict` when there is a store already, when its credentials are newer, or
        when the schema has tables; `Busy` while a process has the store open; `Corrupt` for a
        damaged backup; `SchemaTooNew`; `DiskFull`; those of `backup`. The target is left as it
        was.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def secrets_status(self) -> SecretsStatus:
        """How the secrets are kept, and whether this process can read them.

        Errors: those of the database.
        """
    def seal_secrets(
        self,
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> int:
        """Seals every secret that is in clear, and rids free space of what was: on SQLite the
        database is written anew, which takes about its size in disk space, and writers wait
        meanwhile; on PostgreSQL the tables with secrets are locked while they are. Opening with
        a key seals as well, but rids only small databases. Says how many rows were sealed. May
        be broken off and done again.

        Errors: `StoreKeyMissing` when the store was opened without a key, `WrongStoreKey`;
        `Unreadable` naming the first row that cannot be read, when all others are sealed;
        `Busy` while another process is at it; `Cancelled`; those of the database.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def unseal_secrets(
        self,
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> int:
        """Opens every secret, so that they are in clear again: give the store no key then, or the
        next open seals them anew. Says how many rows were opened. May be broken off and done
        again.

        Errors: as `seal_secrets`.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def rotate_store_key(
        self,
        new_key: str,
        retire: bool | None = None,
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> int:
        """Seals every secret with another key, while this and other processes go on: they learn of
        the new key by the old one. Says how many rows were sealed. A run that was broken off is
        finished by another one with the same key; until then the store opens with either.

        The old key goes on opening the store for 24 hours, so that gateways can be given the
        new one, and is then refused by the first open. With `retire` it is refused at once:
        processes that have not met the new key by then have to be opened anew. Calling it again
        with the same key and `retire` does that later.

        Errors: `Conflict` for a store that is not sealed; as `seal_secrets`.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def forget_secrets(
        self,
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> int:
        """For a store whose key is lost: drops every secret that this process cannot open.
        Sessions lose their credentials and go back to `created`, to be paired anew; webhooks
        lose secret and headers and are switched off; what a takeover kept of sessions and
        webhooks is gone. Messages, contacts and everything else stay. Says how many rows lost
        something. Open the store without a key for it; afterwards it may be opened with a new
        one.

        Errors: `Conflict` when this process has the key; `Busy`, `Cancelled`, those of the
        database.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def indexes(self) -> builtins.list[IndexInfo]:
        """Every index of both databases, the largest first.

        Errors: those of the databases.
        """
    def partitions(self) -> builtins.list[PartitionInfo]:
        """The monthly tables of messages, oldest first; none where `messages` is one table.

        Errors: those of the database.
        """
    def make_partitions(self) -> int:
        """Makes the monthly tables of this month and the next three, and moves rows that wait in
        the default partition to where they belong. Opening does it, and so does every run of
        retention; a gateway that runs for months without either calls this once a month. Says
        how many were made.

        Errors: `Busy` when a lock cannot be had for long; those of the database.
        """
    def reindex(
        self,
        table: str | None = None,
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> int:
        """Rebuilds the indexes of both databases, or those of one table, one by one, which gives
        space back and mends an index that is not valid. Says how many. On PostgreSQL others go
        on reading and writing meanwhile; on SQLite a writer waits for the index that is being
        rebuilt. The progress counts indexes.

        Errors: `InvalidArgument` for an unknown table, `Cancelled` when the callback stops it
        (what is rebuilt stays), those of the databases.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def migrate_to(
        self,
        data: str,
        *,
        main: bool | None = None,
        replace: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> MigrateReport:
        """Copies this store's rows into another one, whatever the engines of the two, as a stream:
        memory does not grow with the data. Before anything is kept, each table is read back and
        compared by number and checksum of its rows; any failure leaves the target as it was.
        This store may be used meanwhile; what changes after the beginning is not copied, so
        stop the gateway first when it shall move.

        Errors: `Conflict` for a target that has rows, unless they shall be replaced; those of
        `export` and `import`, with the store that they are about in the context.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def takeover(
        self,
        sources: Iterable[str],
        *,
        plan: bool | None = None,
        skip_bad_rows: bool | None = None,
        session: str | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> TakeoverReport:
        """Takes over what another gateway has: each source is a path or a `postgres://` URL, and
        is recognised by what it is:

        - OpenWA's databases as SQLite files (`main.sqlite`, `openwa.sqlite`), also with a
        journal beside; they are never changed;
        - OpenWA's database on a PostgreSQL server:
        `postgres://user:password@host/database?schema=public`;
        - OpenWA's export, plain or compressed with gzip or zstd;
        - an auth folder of Baileys; a session archive of whatsapp-web.js' `RemoteAuth`.

        All of it or nothing; see `import`. Rows that are there already stay as they are, so a
        second run changes nothing. What has no column here is kept in `openwa_extra`. Memory
        does not grow with the sources; a temporary file of about their size does.

        Errors: `InvalidData` saying what a source looks like, or naming table, row and column
        of the first bad row; `ForeignDatabase` for another program's database; `Busy` when a
        source is being written to; `Cancelled`; those of the databases.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def export_openwa_file(
        self,
        path: str | os.PathLike[str],
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> OpenwaExportReport:
        """Like `export_openwa`, to a file that only its owner may read; compressed if its name
        ends in `.zst`. It takes its place only when it is complete and durable.

        Errors: as `export`, with the path in the context.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def retention_preview(
        self,
        *,
        windows: RetentionWindows | Mapping[str, Any] | None = None,
        now: datetime | None = None,
        force: bool | None = None,
    ) -> RetentionReport:
        """Counts what `run_retention` would delete, and deletes nothing.

        Errors: `InvalidArgument` for a session whose settings have a window that makes no
        sense, and those of the database.
        """
    def run_retention(
        self,
        *,
        windows: RetentionWindows | Mapping[str, Any] | None = None,
        now: datetime | None = None,
        force: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> RetentionReport:
        """Deletes what is older than its window, in transactions of a few milliseconds, and gives
        the space back. Of several processes one runs, the others answer `already_running`.

        Errors: `ClockJump` when the clock seems to have jumped and `force` is not set,
        `InvalidArgument` for settings that make no sense, and those of the database.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def retention_status(
        self,
        *,
        windows: RetentionWindows | Mapping[str, Any] | None = None,
        now: datetime | None = None,
        force: bool | None = None,
    ) -> RetentionStatus:
        """What retention is about to do: how many rows are older than their window, and whether
        messages wait for a yes.

        Errors: as `retention_preview`.
        """
    def accept_retention(self) -> builtins.list[MovedIn]:
        """Says yes to retention: messages that moved in go with the next run if they are older
        than their window, and the clock is right as it stands, however far it has jumped.
        Answers what had moved in.

        Errors: those of the database.
        """
    def start_maintenance(
        self,
        *,
        retention: str | None = None,
        idempotency: str | None = None,
        partitions: str | None = None,
        usage: str | None = None,
        optimize: str | None = None,
        backup: str | None = None,
        backups: BackupOptions | Mapping[str, Any] | None = None,
        timezone: str | None = None,
        windows: RetentionWindows | Mapping[str, Any] | None = None,
    ) -> None:
        """Starts maintenance in a thread of this store: retention, months ahead, uses of API keys,
        statistics, each by its schedule. It ends with `stop_maintenance` or with the store.

        Any number of processes may run it on the same databases: one of them runs a slot. What
        was missed while nobody ran is made up for once; but what deletes has its first run in
        the next slot, so that it can be seen before (`retention_status`). A job that fails is
        tried again within its slot if that may help, and never keeps another one from running.

        Errors: `InvalidArgument` naming the job for what is no schedule or time zone,
        `Conflict` when it runs already.
        """
    def stop_maintenance(self) -> None:
        """Stops maintenance: a job that runs ends after its next step, and goes on when
        maintenance is started again. Does nothing when it does not run.

        Errors: `Forked`, `Closed`.
        """
    def run_maintenance(
        self,
        job: Job | str | None = None,
        *,
        retention: str | None = None,
        idempotency: str | None = None,
        partitions: str | None = None,
        usage: str | None = None,
        optimize: str | None = None,
        backup: str | None = None,
        backups: BackupOptions | Mapping[str, Any] | None = None,
        timezone: str | None = None,
        windows: RetentionWindows | Mapping[str, Any] | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> builtins.list[MaintenanceRun]:
        """Runs what is due now and returns: maintenance for a host that has its own scheduler,
        such as cron. With `job`, runs that one, due or not. The answer has one entry for each
        job that was run at a place, and says how it ended and how many rows it deleted; a
        failure of one keeps no other from running. One that deletes and never ran is
        `scheduled`. The progress counts each job's steps, with its name for a table; of one
        that deletes, it first tells of how many rows.

        Errors: `InvalidArgument` as `start_maintenance`, and for a job that has no schedule;
        `Closed`.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    def maintenance(self) -> builtins.list[MaintenanceJob]:
        """The jobs of maintenance: when each ran last, how that ended, when it runs next. Jobs of
        all processes that share the databases are among them, whether or not this one runs any.

        Errors: `Closed`. A database that cannot be asked shows in the errors of its jobs.
        """
    def flush_logs(self) -> None:
        """Writes what the verbs `log_later` of webhooks and API keys have left in memory. The
        store does so by itself within a second, before a log is read, and when it is closed.

        Errors: those of the databases; what could not be written waits on.
        """
    def log_buffer(self) -> LogBuffer:
        """How many rows wait in memory to be written to the logs of requests and deliveries, and
        how many were lost.

        Errors: `Closed`.
        """

def open_store(
    dir: str | os.PathLike[str] = "./data",
    *,
    main: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    from_env: bool | None = None,
    api_key_pepper: str | None = None,
    store_key: str | None = None,
    history: bool | None = None,
    durability: Durability | str | None = None,
    queue: int | None = None,
    group: int | None = None,
) -> Store:
    """Opens the store in the folder `dir`, making folder and databases if they are missing. `dir=":memory:"` is a
    store that is gone when it is closed. The other options are those of `OpenOptions`.
    """
