// Generated from the library's description by `BLESS=1 cargo test -p openwa-node`. Do not edit.
import type { OpenWAError } from '../error.js'

/** What a JSON column may hold. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** What can go wrong. */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'INVALID_TRANSITION'
  | 'CONFLICT'
  | 'LAST_FULL_ACCESS_KEY'
  | 'CANCELLED'
  | 'SCHEMA_TOO_NEW'
  | 'SCHEMA_CHANGED'
  | 'FOREIGN_DATABASE'
  | 'UNREADABLE'
  | 'CORRUPT'
  | 'INVALID_DATA'
  | 'STORE_KEY_MISSING'
  | 'WRONG_STORE_KEY'
  | 'UNAVAILABLE'
  | 'BUSY'
  | 'QUEUE_FULL'
  | 'TIMEOUT'
  | 'DISK_FULL'
  | 'CLOCK_JUMP'
  | 'CLOSED'
  | 'FORKED'
  | 'PERMISSION_DENIED'
  | 'IO'
  | 'UNSUPPORTED'
  | 'FILE_GONE'
  | 'INTERNAL'

/**
 * How much a commit promises.
 *
 * * `full`: Synced: it survives a loss of power.
 * * `normal`: Written: it survives a crash of the program; the last commits may be lost with the power.
 */
export type Durability = 'full' | 'normal'

/**
 * The library that speaks to WhatsApp.
 *
 * * `baileys`: Baileys, for Node.
 * * `wwebjs`: whatsapp-web.js, for Node, through a browser.
 * * `neonize`: neonize, for Python, over whatsmeow.
 */
export type Engine = 'baileys' | 'wwebjs' | 'neonize'

/**
 * What a save did.
 *
 * * `inserted`: The message is new. Fire webhooks on this.
 * * `updated`: It was known and something was added: a gap was filled, the ack rose, a placeholder got its content.
 * * `unchanged`: It was known, and nothing was new.
 * * `notStored`: It is not kept: history is off, or retention has removed its time already.
 */
export type SaveOutcome = 'inserted' | 'updated' | 'unchanged' | 'notStored'

/**
 * Why a delivery is no message to keep.
 *
 * * `status_broadcast`: A status post.
 * * `control`: A protocol message; what it asks for is applied.
 * * `reaction_carriers`: A stanza that carries a reaction; the reaction is applied.
 * * `poll_votes`: A vote in a poll.
 * * `system_stubs`: A notice of the system, such as "created the group".
 * * `empty`: Nothing at all.
 */
export type Skipped = 'status_broadcast' | 'control' | 'reaction_carriers' | 'poll_votes' | 'system_stubs' | 'empty'

/**
 * Where a session stands in its life; see `session` for the allowed steps.
 *
 * * `created`: Created, never started.
 * * `initializing`: The engine is starting.
 * * `qr_ready`: A QR code waits to be scanned.
 * * `authenticating`: The code was scanned, the login is under way.
 * * `ready`: Connected.
 * * `disconnected`: The connection is lost and may come back.
 * * `failed`: Broken for good: recreate or delete it.
 */
export type SessionStatus = 'created' | 'initializing' | 'qr_ready' | 'authenticating' | 'ready' | 'disconnected' | 'failed'

/**
 * Which of the two databases a table lives in.
 *
 * * `main`: API keys and the audit trail; always SQLite.
 * * `data`: Everything else; SQLite or PostgreSQL.
 */
export type Database = 'main' | 'data'

/**
 * A way in which something can be wrong.
 *
 * * `damaged_pages`: The file itself is damaged.
 * * `damaged_index`: An index does not agree with its table, or cannot be used.
 * * `orphan`: Rows belong to a row that does not exist.
 * * `wrong_counters`: The counters of a bulk job are not what its messages say.
 * * `message_without_id`: Messages cannot be found by their WhatsApp id (PostgreSQL).
 * * `id_without_message`: A WhatsApp id is taken by a message that does not exist, so that it can never be stored (PostgreSQL).
 * * `duplicate_message`: Several messages of one session have the same WhatsApp id.
 * * `unlisted_month`: A month has rows that claim to be of a later one, and the list of such months does not say so (PostgreSQL).
 * * `misplaced_row`: Rows are in the default partition although they belong to a month (PostgreSQL).
 * * `lost_reaction`: Reactions to a message that is not there.
 * * `unreadable_value`: Values that cannot be read: no time, no UUID, no JSON, none of the known names.
 */
export type FindingKind = 'damaged_pages' | 'damaged_index' | 'orphan' | 'wrong_counters' | 'message_without_id' | 'id_without_message' | 'duplicate_message' | 'unlisted_month' | 'misplaced_row' | 'lost_reaction' | 'unreadable_value'

/**
 * What happens to rows that are there already.
 *
 * * `replace`: Every table of the document replaces the one in the store.
 * * `merge`: Rows that are new are added, rows that are there stay as they are. A row is there when its primary key or a unique value of it is. A row that belongs to one that was not added, because its name was taken by a row with another id, is an error: nothing is dropped silently, and nobody's rows are mixed.
 */
export type Mode = 'replace' | 'merge'

/**
 * What happens to tables that the document does not have.
 *
 * * `keep`: They are left alone.
 * * `clear`: They are emptied, in every database that the document has a table of: a document without tables of Main never touches the keys.
 */
export type Missing = 'keep' | 'clear'

/**
 * In which form a database is in a backup.
 *
 * * `sqlite`: A SQLite file.
 * * `pgDump`: What `pgDump` wrote, in its custom format.
 * * `document`: A document as `export` writes it, where there was no `pgDump` for the server.
 */
export type Form = 'sqlite' | 'pg_dump' | 'document'

/**
 * How the secrets of a store are kept.
 *
 * * `clear`: In clear.
 * * `sealing`: They are being sealed: new ones are, old ones may be in clear.
 * * `sealed`: All of them are sealed.
 * * `rotating`: The key is being changed: some are sealed with the old one.
 * * `opening`: They are being opened, or those that nobody can open are being dropped.
 */
export type SecretsState = 'clear' | 'sealing' | 'sealed' | 'rotating' | 'opening'

/**
 * How messages moved in.
 *
 * * `takeover`: From another gateway.
 * * `import`: From a document, or a backup restored by one.
 * * `migration`: From another store.
 * * `backfill`: By an engine's history.
 */
export type MovedBy = 'takeover' | 'import' | 'migration' | 'backfill'

/**
 * Work that maintenance does by itself.
 *
 * * `retention`: Deletes what is older than its window.
 * * `idempotency`: Deletes old idempotency keys of webhooks, of which there are many and which live for a day.
 * * `partitions`: Makes the coming months' tables of messages, on PostgreSQL.
 * * `usage`: Writes how often API keys were used. Every process has counted for itself, so each writes its own.
 * * `optimize`: Renews what the databases know about their tables, so that they find rows the short way, and gives free pages back.
 * * `backup`: Makes a backup. Each host backs up its own Main, and Data with it.
 */
export type Job = 'retention' | 'idempotency' | 'partitions' | 'usage' | 'optimize' | 'backup'

/**
 * How a run of a job ended.
 *
 * * `done`: It is done.
 * * `stopped`: It was stopped on request; what it did stays done.
 * * `failed`: It failed; the error says why.
 * * `elsewhere`: Another process is running it.
 * * `scheduled`: It never ran, and its first run waits for its slot: `slot` says when that is, `due` what it would delete now.
 */
export type MaintenanceOutcome = 'done' | 'stopped' | 'failed' | 'elsewhere' | 'scheduled'

/**
 * What a change of a message did.
 *
 * * `updated`: The row changed.
 * * `unchanged`: The row says so already, or something later.
 * * `waiting`: The message is not here yet; the change waits for it, seven days by default.
 */
export type Changed = 'updated' | 'unchanged' | 'waiting'

/**
 * In which order messages are listed.
 *
 * * `newest`: Newest first.
 * * `oldest`: Oldest first.
 */
export type Order = 'newest' | 'oldest'

/**
 * What kind of change waits for its message.
 *
 * * `ack`: A delivery state.
 * * `edit`: A new body.
 * * `revoke`: A deletion for everyone.
 * * `reaction`: A reaction of one person.
 * * `seen`: No change: the message itself was seen while history was off, so that it counts as new only once.
 */
export type PendingKind = 'ack' | 'edit' | 'revoke' | 'reaction' | 'seen'

/**
 * What a webhook can hear of.
 *
 * * `message.received`: A message came in.
 * * `message.sent`: A message went out.
 * * `message.ack`: A message's delivery state rose.
 * * `message.revoked`: A message was deleted for everyone.
 * * `session.status`: The session's status changed.
 * * `session.qr`: A QR code waits to be scanned.
 * * `session.authenticated`: The login succeeded.
 * * `session.disconnected`: The connection was lost.
 * * `group.join`: Somebody joined a group.
 * * `group.leave`: Somebody left a group.
 * * `group.update`: A group's name, picture or settings changed.
 * * `message.failed`: A message could not be sent.
 * * `message.reaction`: Somebody reacted to a message.
 * * `message.edited`: A message was edited.
 * * `status.received`: Somebody posted a status.
 * * `session.reconnect_loop`: The session reconnects again and again.
 * * `session.restriction`: WhatsApp restricted the account.
 * * `presence.update`: Somebody came online, went away or types.
 * * `group.join_request`: Somebody asks to join a group.
 * * `call.received`: A call rings.
 * * `call.accepted`: A call was taken.
 * * `call.rejected`: A call was declined.
 * * `call.missed`: A call was not taken.
 * * `*`: Every event there is, now and later.
 */
export type WebhookEvent = 'message.received' | 'message.sent' | 'message.ack' | 'message.revoked' | 'session.status' | 'session.qr' | 'session.authenticated' | 'session.disconnected' | 'group.join' | 'group.leave' | 'group.update' | 'message.failed' | 'message.reaction' | 'message.edited' | 'status.received' | 'session.reconnect_loop' | 'session.restriction' | 'presence.update' | 'group.join_request' | 'call.received' | 'call.accepted' | 'call.rejected' | 'call.missed' | '*'

/**
 * Where a bulk job stands.
 *
 * * `pending`: Nothing sent yet.
 * * `processing`: Some messages were handed out.
 * * `completed`: Every message has its result.
 * * `cancelled`: Stopped on request.
 * * `failed`: Stopped by a fatal error.
 */
export type BatchStatus = 'pending' | 'processing' | 'completed' | 'cancelled' | 'failed'

/**
 * Where one message of a bulk job stands.
 *
 * * `pending`: Waits to be handed out.
 * * `sending`: Handed out, no result yet. After a crash: unknown, and never sent again silently.
 * * `sent`: Sent.
 * * `failed`: Could not be sent.
 * * `cancelled`: Withdrawn before it was handed out.
 */
export type BatchMessageStatus = 'pending' | 'sending' | 'sent' | 'failed' | 'cancelled'

/**
 * What a read of a credential found. Only a *missing* one may make an engine start a fresh pairing.
 *
 * * `found`: There is one.
 * * `missing`: There is none.
 * * `unreadable`: There is one, but it cannot be read.
 */
export type AuthFound = 'found' | 'missing' | 'unreadable'

/**
 * One thing that an API key may be allowed to do.
 *
 * * `*`: Full access: every permission there is, now and later.
 * * `sessions:read`: See sessions.
 * * `sessions:write`: Create, start, stop and delete sessions.
 * * `messages:send`: Send messages.
 * * `messages:read`: Read the message history.
 * * `webhooks:manage`: Create, change and delete webhooks.
 * * `contacts:read`: See contacts.
 * * `groups:read`: See groups.
 * * `groups:write`: Create and change groups.
 */
export type Permission = '*' | 'sessions:read' | 'sessions:write' | 'messages:send' | 'messages:read' | 'webhooks:manage' | 'contacts:read' | 'groups:read' | 'groups:write'

/**
 * The answer to a request, in the order in which the tests run.
 *
 * * `allowed`: The key may do it.
 * * `unknown_key`: No such key. The lookup says this; `decide` never does.
 * * `inactive`: The key is switched off.
 * * `expired`: The key's time is over.
 * * `ip_denied`: The client's address is not on the key's whitelist.
 * * `permission_denied`: The key lacks the permission.
 * * `session_denied`: The key is confined to other sessions.
 * * `chat_denied`: The key is confined to other chats.
 */
export type Decision = 'allowed' | 'unknown_key' | 'inactive' | 'expired' | 'ip_denied' | 'permission_denied' | 'session_denied' | 'chat_denied'

/**
 * How grave an audited event is.
 *
 * * `info`: In the normal course of things.
 * * `warn`: Worth a look.
 * * `error`: Something failed.
 */
export type Severity = 'info' | 'warn' | 'error'

/**
 * What an allowed step does.
 *
 * * `move`: The session moves: its row and a log row are written.
 * * `same`: It is there already: nothing is written.
 */
export type Step = 'move' | 'same'

/** What one event, or several in one commit, did. */
export interface Ingested {
  /** Every delivery of a message, in order, with its outcome. Fire webhooks on those that are `inserted`. */
  messages: Saved[]
  /** Deliveries that are no messages to keep. */
  skipped: SkippedMessage[]
  /** Messages that could not be stored because something in them is not acceptable. The rest is not affected. */
  refused: RefusedMessage[]
  /** Acks, edits, revokes and reactions that changed something. */
  changes: number
  /** Those that said nothing new. */
  unchanged: number
  /** Those that wait for their message. */
  waiting: number
  /** LID-phone pairs that were new. */
  pairs: number
  /** Contacts that were new or changed. */
  contacts: number
  /** The session's new status, if it changed. */
  status: SessionStatus | null
  /** Names of events that the library does not know. */
  unknown: string[]
}

/** What a save did, and the row as it stands now. */
export interface Saved {
  /** What the save did. */
  outcome: SaveOutcome
  /** Whether this message was not known before, kept or not. */
  isNew: boolean
  /** Whether a placeholder got its content. */
  upgraded: boolean
  /** The row as it stands (or would stand, if it is not kept). */
  message: Message
}

/** A message. There is one row per session and WhatsApp message id. */
export interface Message {
  /** UUID of the row. */
  id: string
  /** The session that sent or received it. */
  sessionId: string
  /** WhatsApp's id; null while a send is queued or when it failed. */
  waMessageId: string | null
  /** Address of the chat: a person, a group, a newsletter. */
  chatId: string
  /** Address of the sender. */
  fromNumber: string
  /** Address of the recipient. */
  toNumber: string | null
  /** `text`, `image`, `ciphertext` …; an open list. */
  type: string
  /** Text or caption. */
  body: string | null
  /** A JSON object about the attached file. */
  media: Json | null
  /** −1 error, 0 pending, 1 server, 2 delivered, 3 read, 4 played, 5 reserved; null: none yet. */
  ack: number | null
  /** Whether the session's own account wrote it. */
  fromMe: boolean
  /** Whether the chat is a group. */
  isGroup: boolean
  /** WhatsApp's time of the message. */
  waTimestamp: Date
  /** When the row was made; for history, the message's own time. */
  createdAt: Date
  /** When it was last edited. */
  editedAt: Date | null
  /** When it was deleted for everyone. */
  revokedAt: Date | null
  /** The engine's own encoded message, kept only on request. */
  raw: Buffer | null
}

/** A delivery that is no message to keep. */
export interface SkippedMessage {
  /** WhatsApp's id. */
  waMessageId: string
  /** Why it is not kept. */
  reason: Skipped
}

/** A message that could not be stored because something in it is not acceptable. */
export interface RefusedMessage {
  /** WhatsApp's id. */
  waMessageId: string
  /** Why it was refused. */
  error: OpenWAError
}

/** What a store tells about itself. */
export interface Status {
  /** The library's version. */
  version: string
  /** Main and Data. */
  databases: DatabaseStatus[]
}

/** What one database tells about itself. */
export interface DatabaseStatus {
  /** Which one. */
  database: Database
  /** Its path, `:memory:`, or the address of its server. */
  path: string
  /** Its engine and the engine's version. */
  engine: string
  /** Bytes of the database file; on PostgreSQL, of all tables and indexes. */
  bytes: number
  /** Bytes of the write-ahead log; on PostgreSQL 0, since the server's serves all databases. */
  walBytes: number
  /** The steps of its schema. */
  steps: Applied[]
  /** Rows per table. */
  rows: TableRows[]
}

/** What the ledger says of one step. */
export interface Applied {
  /** The step's number, from 1. */
  version: number
  /** The step's file name. */
  name: string
  /** When it was applied; null: not yet. */
  appliedAt: Date | null
}

/** A number of rows of a table. */
export interface TableRows {
  /** The table. */
  table: string
  /** How many rows. */
  rows: number
}

/** What to show. */
export interface OverviewOptions {
  /** Days for which messages are counted, today included; default 14, at most 90. */
  days?: number | null
  /** How many days retention keeps messages, unless a session says otherwise; default 30, 0: for ever. */
  windowDays?: number | null
}

/** A store on one screen. */
export interface Overview {
  /** The library's version. */
  version: string
  /** When it was looked at. */
  at: Date
  /** What needs attention, for people; empty: nothing does. */
  problems: string[]
  /** Main and Data. */
  databases: DatabaseOverview[]
  /** How many sessions are in each state that occurs. */
  sessions: SessionCount[]
  /** Sessions that have failed or are disconnected, the latest first, twenty at most. */
  troubled: TroubledSession[]
  /** Messages per day (UTC) by the time they were sent, oldest day first, today last. */
  days: DayCount[]
  /** Whether these are estimates, from a sample of the rows. */
  daysEstimated: boolean
  /** Where it is going. */
  growth: Growth
  /** Deliveries to webhooks. */
  deliveries: Deliveries
  /** API keys that expire within two weeks, or have in the last month, the first first, twenty at most. */
  keys: ExpiringKey[]
  /** When retention last ran; None: never. */
  lastRetention: Date | null
}

/** One database on one line. */
export interface DatabaseOverview {
  /** `main` or `data`. */
  database: string
  /** Its path, `:memory:`, or the address of its server. */
  place: string
  /** Its engine and the engine's version. */
  engine: string
  /** The version of its schema. */
  schemaVersion: number
  /** Bytes of the file; on PostgreSQL, of all tables and indexes. */
  bytes: number
  /** Bytes in the file that a vacuum would give back. PostgreSQL does not tell. */
  freeBytes: number | null
  /** Bytes of the write-ahead log. A server's serves all its databases. */
  walBytes: number | null
  /** Bytes left on the disk, where that is this machine's. */
  diskFreeBytes: number | null
  /** Connections that this store holds to a server. */
  connections: number | null
  /** The most that it may hold. */
  maxConnections: number | null
  /** Rows per table. */
  tables: TableEstimate[]
}

/** How many rows a table has. */
export interface TableEstimate {
  /** The table. */
  table: string
  /** Its rows. */
  rows: number
  /** Whether they were counted; else there are about as many. */
  exact: boolean
}

/** How many sessions are in a state. */
export interface SessionCount {
  /** The state. */
  status: SessionStatus
  /** How many. */
  sessions: number
}

/** A session that does not work. */
export interface TroubledSession {
  /** Its id. */
  id: string
  /** Its name. */
  name: string
  /** Its state. */
  status: SessionStatus
  /** When it last changed. */
  since: Date
}

/** The messages of one day. */
export interface DayCount {
  /** Its first instant, UTC. */
  day: Date
  /** How many messages were sent on it. */
  messages: number
}

/** Where the store is going. */
export interface Growth {
  /** Messages per day, over the last seven whole days, or as long as there have been any. */
  messagesPerDay: number
  /** Bytes that they take per day, indexes included. */
  bytesPerDay: number
  /** When the oldest message was stored. */
  oldest: Date | null
  /** How long retention keeps messages; None: for ever. In milliseconds. */
  window: number | null
  /** When the oldest message reaches the end of the window. From then on as much goes as comes. None: that was already, or will never be. */
  fullAt: Date | null
  /** The size of Data from then on, if it goes on like this. */
  bytesWhenFull: number | null
}

/** Attempts to deliver events to webhooks in the last 24 hours; of very many, the last 20,000. */
export interface Deliveries {
  /** All attempts. */
  attempts: number
  /** Those that were answered with a status from 200 to 299. */
  delivered: number
  /** Webhooks that are active. */
  webhooks: number
}

/** An API key that needs a successor. */
export interface ExpiringKey {
  /** Its name. */
  name: string
  /** Its first characters. */
  keyPrefix: string
  /** When it stops, or stopped, working. */
  expiresAt: Date
}

/** What a check found. */
export interface CheckReport {
  /** Everything that is wrong; empty: nothing is. */
  findings: Finding[]
  /** The same for people, one line each. */
  problems: string[]
}

/** One thing that is wrong. */
export interface Finding {
  /** In which way. */
  kind: FindingKind
  /** `main` or `data`. */
  database: string
  /** The table; on PostgreSQL it may be that of a month. Empty: it cannot be told. */
  table: string
  /** The column or index. */
  part: string | null
  /** How many rows, or how many places. */
  count: number
  /** The key of one of the rows, or what SQLite says. */
  example: string | null
  /** Whether `repair` can mend it. */
  repairable: boolean
  /** What is wrong, for people. */
  text: string
  /** What to do about it, for people. */
  advice: string
}

/** How to repair. */
export interface RepairOptions {
  /** Only says what would be repaired. */
  dryRun?: boolean
}

/** What a repair did, or with `dryRun` would do. */
export interface RepairReport {
  /** What was wrong before. */
  found: Finding[]
  /** What was repaired, or would be. */
  repaired: Repaired[]
  /** What is still wrong after it, found by a second check; with `dryRun`, what would be left. */
  left: Finding[]
  /** Repairs that did not work, for people. */
  failed: string[]
}

/** One repair. */
export interface Repaired {
  /** What was wrong. */
  kind: FindingKind
  /** `main` or `data`. */
  database: string
  /** The table. */
  table: string
  /** How many rows, or how many places. */
  count: number
}

/** How to give space back. */
export interface VacuumOptions {
  /** Writes everything anew, which also joins pages that are half empty. On SQLite nobody can write while that lasts, and it needs room for a second copy; on PostgreSQL nobody can use the table that it is at. */
  full?: boolean
}

/** What a vacuum did. */
export interface VacuumReport {
  /** What was gone through, with its size before and after. */
  parts: VacuumedPart[]
  /** Another process is at it; this one did nothing. */
  alreadyRunning: boolean
  /** The callback stopped it. What was given back so far stays so. */
  stopped: boolean
}

/** One file, or one table of a server. */
export interface VacuumedPart {
  /** `main` or `data`. */
  database: string
  /** The table, on PostgreSQL; on SQLite None: it is the whole file. */
  table: string | null
  /** Bytes before, with indexes. */
  bytesBefore: number
  /** Bytes after. */
  bytesAfter: number
}

/** What to export, and how. */
export interface ExportOptions {
  /** Also the tables of the Main database: API keys, their logs, the audit trail. */
  main?: boolean
  /** Only these tables, of either database; not given: all of Data, and of Main if `main` is set. */
  tables?: string[] | null
  /** Leaves out everything secret. A secret column is left out, or `{}` where it may not be null; a table that would be worthless without its secret (`session_auth`, `api_keys`) is left out with the tables that need it. */
  redact?: boolean
  /** Compresses with zstd. A file whose name ends in `.zst` is compressed in any case. */
  compress?: boolean
}

/** What an export wrote. */
export interface ExportReport {
  /** When it was made, as in the document. */
  exportedAt: Date
  /** Rows per table, in the order of the document. */
  tables: TableRows[]
  /** What was left out because it is secret: `table.column`, or `table`. */
  redacted: string[]
  /** The checksum of the document's tables. */
  sha256: string
  /** Bytes of the document before compression. */
  bytes: number
}

/** How to import. */
export interface ImportOptions {
  /** What happens to rows that are there already. */
  mode?: Mode
  /** What happens to tables that the document does not have. */
  missing?: Missing
  /** Does everything, then takes it back: the report says what an import would do. */
  dryRun?: boolean
}

/** What an import did, or with `dryRun` would do. */
export interface ImportReport {
  /** When the document was made. */
  exportedAt: Date
  /** Whether nothing was kept of it. */
  dryRun: boolean
  /** What happened to each table, in the order of the document; then those that were emptied. */
  tables: ImportedTable[]
  /** What the document leaves out because it is secret. */
  redacted: string[]
  /** What a person should know, such as that retention waits. */
  notes: string[]
}

/** What an import did to one table. */
export interface ImportedTable {
  /** The table. */
  table: string
  /** Rows in the document. */
  rows: number
  /** Rows that were added; the others were there already. */
  inserted: number
  /** Rows that were removed before. */
  removed: number
}

/** How to make a backup. */
export interface BackupOptions {
  /** Where to. */
  repo?: BackupRepo
  /** Name of the store, for a repository that several stores share; default `openwa`. */
  name?: string | null
  /** Afterwards forgets the backups that `keep` does not keep, and gives their space back. */
  prune?: boolean
  /** Which backups are kept. */
  keep?: KeepRules
  /** Folder for the copies of the databases while they are written; default that of the Main database. */
  tempDir?: string | null
  /** The program `pgDump`, or `none`: Data on PostgreSQL is then written as a document; default one of at least the server's version, where there is one. */
  pgDump?: string | null
  /** Reads back the whole backup, not only what is new in the repository. On S3 that costs a download of everything. */
  readAll?: boolean
}

/** A repository of backups, and the password that opens it. A password that is lost cannot be had again, and the backups with it. */
export interface BackupRepo {
  /** Path of a folder, `s3:https://host/bucket/path` or `s3://bucket/path`; default what `OPENWA_BACKUP_REPO` says. For S3 the usual variables apply: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION` … */
  repo?: string | null
  /** The password; default what `OPENWA_BACKUP_PASSWORD` says. */
  password?: string | null
  /** A file whose first line is the password. */
  passwordFile?: string | null
  /** A command for the shell that prints the password. */
  passwordCommand?: string | null
}

/** Which backups a prune keeps: the last one of each of so many hours, days, weeks, months and years that have one, in UTC. Without any number: 24 hourly and 7 daily ones. The newest backup is always kept. */
export interface KeepRules {
  /** The last backups, whenever they were made. */
  last?: number | null
  /** One per hour. */
  hourly?: number | null
  /** One per day. */
  daily?: number | null
  /** One per week, which begins on Monday. */
  weekly?: number | null
  /** One per month. */
  monthly?: number | null
  /** One per year. */
  yearly?: number | null
  /** Only backups of the store of this name; default of all, each store by itself. */
  name?: string | null
}

/** What a backup did. */
export interface BackupReport {
  /** The new backup. */
  backup: Backup
  /** Rows per table. */
  tables: TableRows[]
  /** Bytes that were read back from the repository. */
  verified: number
  /** What the prune did, if one was asked for. */
  prune: BackupPrune | null
}

/** A backup. */
export interface Backup {
  /** Its id in the repository. */
  id: string
  /** Name of the store. */
  name: string
  /** The machine that made it. */
  host: string
  /** The moment that it shows of Main. */
  mainAt: Date
  /** The moment that it shows of Data. */
  dataAt: Date
  /** Version of the library that made it. */
  library: string
  /** In which form Data is in it. */
  dataForm: Form
  /** Engine of Data, and its version. */
  dataEngine: string
  /** Rows of all tables. */
  rows: number
  /** Bytes of its files. */
  bytes: number
  /** Whether the secrets in it are sealed: a store that is restored from it opens with the store key only. */
  sealed: boolean
  /** Bytes that it added to the repository. */
  added: number
}

/** What a prune did. */
export interface BackupPrune {
  /** Ids of the backups that are left, the oldest first. */
  kept: string[]
  /** Ids of those that are gone. */
  forgotten: string[]
  /** Bytes that the repository shrank by. */
  freed: number
  /** Bytes that a later prune will remove. */
  marked: number
}

/** Which backups to verify. */
export interface VerifyOptions {
  /** Where they are. */
  repo?: BackupRepo
  /** Id of one, or the beginning of it; `latest`; default all. */
  backup?: string | null
}

/** What a verification found. */
export interface BackupVerify {
  /** Ids of the backups that are whole. */
  sound: string[]
  /** Ids of those that are not. */
  damaged: string[]
  /** Bytes of their files that were read. */
  bytes: number
  /** Everything that is wrong, for people; empty: nothing is. */
  problems: string[]
}

/** Which backup to restore, and how. */
export interface RestoreOptions {
  /** Where it is. */
  repo?: BackupRepo
  /** Its id, or the beginning of it; default the latest. */
  backup?: string | null
  /** Name of the store whose latest backup it is; default of any. */
  name?: string | null
  /** Takes the place of a store that is there, which is set aside under another name. */
  replace?: boolean
  /** Even if the store that is there has newer credentials. Their sessions will have to be paired again. */
  allowOldCredentials?: boolean
}

/** What a restore did. */
export interface RestoreReport {
  /** What was restored. */
  backup: Backup
  /** Rows per table. */
  tables: TableRows[]
  /** Where what was there before is now. */
  setAside: string[]
  /** When the newest credentials in it last changed. Sessions that were used since have to be paired again. */
  credentialsAt: Date | null
}

/** How the secrets of a store are kept, and whether this process can read them. */
export interface SecretsStatus {
  /** How they are kept. */
  state: SecretsState
  /** The id of the key that they are written with; None: in clear. */
  key: string | null
  /** The id of the key before, which still opens the store. */
  oldKey: string | null
  /** Until when the old key opens the store; the first open after that takes its right. */
  oldKeyUntil: Date | null
  /** Since when the key holds. */
  since: Date | null
  /** Whether this process has the key. */
  usable: boolean
  /** Whether free space of the database holds no secret of a time when they were in clear; `sealSecrets` sees to it. */
  clean: boolean
}

/** One index of a database. */
export interface IndexInfo {
  /** `main` or `data`. */
  database: string
  /** The table that it belongs to; on PostgreSQL, of the month that it belongs to. */
  table: string
  /** Its name. */
  name: string
  /** Its size. */
  bytes: number
  /** How often a statement has used it since the server's counters were reset. SQLite does not count. */
  scans: number | null
  /** Whether values depend on it, so that it is needed however rarely it is read. */
  unique: boolean
  /** Whether it can be used; false after a rebuild that was broken off. */
  valid: boolean
}

/** One monthly table of `messages`. */
export interface PartitionInfo {
  /** Its name: `messages_y2025m01`, or `messages_default` for what belongs to no month that has a table. */
  name: string
  /** Its first instant; None for the default partition. */
  since: Date | null
  /** The first instant after it. */
  until: Date | null
  /** Its rows, as the server estimates them; None: it has not looked yet. */
  rows: number | null
  /** Its size with indexes. */
  bytes: number
}

/** What to move, and what may be in the way. */
export interface MigrateOptions {
  /** Also the tables of the Main database: API keys, their logs, the audit trail. */
  main?: boolean
  /** Replaces what the target has. If not, a target that has rows is refused. */
  replace?: boolean
}

/** What a migration moved. */
export interface MigrateReport {
  /** The tables, in the order in which they were moved. */
  tables: MigratedTable[]
}

/** One table that was moved and compared. */
export interface MigratedTable {
  /** The table. */
  table: string
  /** Its rows. */
  rows: number
  /** The SHA-256, in hex, of its rows in both stores, in the form of an export. */
  sha256: string
}

/** How to take over. */
export interface TakeoverOptions {
  /** Reads everything and reports; nothing is written. */
  plan?: boolean
  /** Takes over the rows that are good and reports the others. If not set, one bad row means that nothing is written. */
  skipBadRows?: boolean
  /** Name or id of the session that credentials belong to. Not given: the one called like their folder or archive, or with their telephone number; else a new one of that name. */
  session?: string | null
}

/** What a takeover did, or with `plan` would do. */
export interface TakeoverReport {
  /** Whether it was only a plan. */
  plan: boolean
  /** What was read. */
  sources: TakeoverSource[]
  /** What became of the rows of each table of the sources. */
  tables: TakeoverTable[]
  /** What was written to each of our tables; empty for a plan. */
  written: TakeoverWritten[]
  /** Rows that were not taken over, the first `MAX_PROBLEMS`. */
  problems: TakeoverProblem[]
  /** How many rows were not taken over. */
  problemCount: number
  /** What people should know beside that. */
  notes: string[]
}

/** One source. */
export interface TakeoverSource {
  /** Its path, or its address without the password. */
  name: string
  /** What it is. */
  kind: string
}

/** One table of the sources. */
export interface TakeoverTable {
  /** Its name in OpenWA's database; credentials are a table of their own, `credentials`. */
  table: string
  /** Rows that were read. */
  rows: number
  /** Rows that have a place in our tables. */
  mapped: number
  /** Rows of which something, or all, is kept in `openwa_extra`. */
  extra: number
  /** Rows that cannot be taken over. */
  bad: number
  /** Rows that an earlier source had too. */
  repeated: number
  /** Our tables that its rows go to; empty: only to `openwa_extra`. */
  to: string[]
  /** Columns that are kept in `openwa_extra`. */
  extraColumns: string[]
}

/** One of our tables. */
export interface TakeoverWritten {
  /** The table. */
  table: string
  /** Rows for it. */
  rows: number
  /** Rows that were added; the others were there already. */
  inserted: number
}

/** A row that cannot be taken over. */
export interface TakeoverProblem {
  /** The source. */
  source: string
  /** The table, by its name in OpenWA's database. */
  table: string
  /** The row's id, or its number from 1 where it has none. */
  row: string
  /** The column; empty: the row as a whole. */
  column: string
  /** What is wrong. It never repeats a value that may be secret. */
  why: string
}

/** What an export in OpenWA's format wrote. */
export interface OpenwaExportReport {
  /** Rows per table. */
  tables: OpenwaTable[]
  /** Bytes of the document before compression. */
  bytes: number
  /** What the format cannot hold, and how many rows of it there are. */
  leftOut: TableRows[]
}

/** A table of an export in OpenWA's format. */
export interface OpenwaTable {
  /** Its name in the document. */
  table: string
  /** Its rows. */
  rows: number
}

/** What a run of retention goes by. */
export interface RetentionOptions {
  /** How long each kind of row is kept. */
  windows?: RetentionWindows
  /** Stands for the present; default the store's clock. */
  now?: Date | null
  /** Runs although the clock looks as if it had jumped. */
  force?: boolean
}

/** How long each kind of row is kept. Not given: the default; null: for ever. */
export interface RetentionWindows {
  /** Messages; default 30 days. A session may have its own in its settings. In milliseconds. */
  messages?: number | null
  /** Session logs; default 7 days. In milliseconds. */
  sessionLogs?: number | null
  /** Webhook logs; default 7 days. In milliseconds. */
  webhookLogs?: number | null
  /** API key logs; default 30 days. In milliseconds. */
  apiKeyLogs?: number | null
  /** The audit trail; default 90 days. In milliseconds. */
  auditLogs?: number | null
  /** Bulk jobs, from the time they ended; default 30 days. In milliseconds. */
  batches?: number | null
  /** Idempotency keys of webhooks; default 24 hours. In milliseconds. */
  webhookIdempotency?: number | null
  /** Changes whose message never came; default 7 days. In milliseconds. */
  pendingChanges?: number | null
}

/** What a run of retention did, or would do. */
export interface RetentionReport {
  /** Rows deleted per table. */
  tables: TableRows[]
  /** Bytes by which the databases shrank. */
  bytesFreed: number
  /** Another process is at it; this one did nothing. */
  alreadyRunning: boolean
  /** The callback stopped it. What was deleted so far stays deleted. */
  stopped: boolean
  /** Why no messages are deleted: older ones moved in, and nobody has said yes (`acceptRetention`). None: nothing waits. */
  waiting: string | null
}

/** What retention is about to do. */
export interface RetentionStatus {
  /** How long messages are kept, unless their session says otherwise. None: for ever. In milliseconds. */
  window: number | null
  /** Rows per table that are older than their window, messages that wait among them. */
  tables: TableRows[]
  /** When the oldest message that would go was stored. None: none would. */
  oldest: Date | null
  /** Why no messages are deleted. None: nothing waits, the next run deletes them. */
  waiting: string | null
  /** Messages that moved in since the last yes. */
  moved: MovedIn[]
  /** When somebody last said yes. None: nobody has. */
  acceptedAt: Date | null
  /** When retention last ran. None: never. */
  lastRun: Date | null
}

/** Messages that moved in since somebody last said yes to retention. */
export interface MovedIn {
  /** How. */
  by: MovedBy
  /** Where from. */
  source: string
  /** When. */
  at: Date
  /** How many. */
  messages: number
  /** When the oldest of them was stored, there. */
  oldest: Date
  /** How old that was when it moved in: retention waits if this is more than its window. In milliseconds. */
  age: number
}

/** When the jobs of maintenance run: cron expressions of five fields (`minute hour day month weekday`). Not given: the default; null: never. */
export interface MaintenanceOptions {
  /** Retention; default daily at midnight, `0 0 * * *`. */
  retention?: string | null
  /** Old idempotency keys; default hourly, `0 * * * *`. */
  idempotency?: string | null
  /** Months ahead, on PostgreSQL; default daily, `30 0 * * *`. */
  partitions?: string | null
  /** Uses of API keys; default every minute, `* * * * *`. */
  usage?: string | null
  /** Statistics and free pages; default daily, `45 3 * * *`. */
  optimize?: string | null
  /** Backups; default never. `0 * * * *` makes one every hour, which costs about what has changed. */
  backup?: string | null
  /** Where backups go, and which of them are kept if `prune` is set. */
  backups?: BackupOptions
  /** The time zone of the expressions, by its IANA name; default `UTC`. A local time that daylight saving time skips or repeats counts once. */
  timezone?: string | null
  /** How long rows are kept. */
  windows?: RetentionWindows
}

/** What became of a job that was run. */
export interface MaintenanceRun {
  /** The job. */
  job: Job
  /** The database that it worked on; null: it is each process's own. */
  database: Database | null
  /** When it was due; null: it was not begun. */
  slot: Date | null
  /** How often the slot was begun. */
  attempt: number
  /** How it ended. */
  outcome: MaintenanceOutcome
  /** Why it failed. */
  error: string | null
  /** Rows that were older than their window before it began, without messages that wait. None: it deletes nothing. */
  due: number | null
  /** Rows that it deleted. None: it deletes nothing, or did not come to that. */
  deleted: number | null
  /** Why no messages were deleted: older ones moved in, and nobody has said yes. */
  waiting: string | null
}

/** A job of maintenance: when it ran, how that ended, when it runs next. */
export interface MaintenanceJob {
  /** The job. */
  job: Job
  /** The database that it works on; null: each process does it for itself, and this is about the present one. */
  database: Database | null
  /** When it is due: the cron expression of this store's maintenance, else that of who ran it last; null: nobody has. */
  schedule: string | null
  /** The time zone of the expression. */
  timezone: string | null
  /** When the last run was due; null: it never ran. */
  slot: Date | null
  /** How often that slot was begun: more than 1 after failures and interruptions. */
  attempt: number
  /** Host and process of the last run. */
  runner: string | null
  /** When the last run began. */
  startedAt: Date | null
  /** When it ended; null: it has not, or was interrupted. */
  endedAt: Date | null
  /** Whether it runs at this moment. */
  running: boolean
  /** When a run succeeded last. */
  succeededAt: Date | null
  /** What the last failure was; it stays after a success. */
  error: string | null
  /** When that was. */
  errorAt: Date | null
  /** When it is due next; in the past: it is due. */
  next: Date | null
  /** Why retention deletes no messages: older ones moved in, and nobody has said yes. */
  waiting: string | null
}

/** What waits in memory to be written to the logs of requests and deliveries. */
export interface LogBuffer {
  /** Rows that wait. */
  waiting: number
  /** Rows that were lost since the store was opened: the oldest of too many, while the database was out of reach. */
  dropped: number
}

/** A session to be created. Only the name is needed. */
export interface NewSession {
  /** UUID to use; not given: one is minted. */
  id?: string | null
  /** What people call it, 1 to 100 characters; unique. */
  name: string
  /** The account's own number, digits only. At most 20 characters. */
  phone?: string | null
  /** The name the account shows. At most 100 characters. */
  pushName?: string | null
  /** Settings: `autoReconnect`, `maxReconnectAttempts`, `puppeteer`, `proxy`, `history`, `retention` are checked, anything else is kept as it is. Default `{}`. */
  config?: unknown
}

/** A WhatsApp account that a gateway drives. */
export interface Session {
  /** UUID of the session. */
  id: string
  /** What people call it; unique. */
  name: string
  /** Where it stands in its life. */
  status: SessionStatus
  /** The account's own number, digits only. */
  phone: string | null
  /** The name the account shows. */
  pushName: string | null
  /** Settings of the host; known keys are checked, unknown ones kept. */
  config: Json
  /** Opaque to the library: an encrypted blob, or where the engine keeps it. */
  authState: Json | null
  /** When it last became ready. */
  connectedAt: Date | null
  /** Messages created before this were removed by retention; history sync does not bring them back. */
  retainedFrom: Date | null
  /** When it was made. */
  createdAt: Date
  /** When it last changed. */
  updatedAt: Date
}

/** Which sessions. */
export interface SessionFilter {
  /** Only those in this status. */
  status?: SessionStatus | null
  /** Only those of this number. At most 20 characters. */
  phone?: string | null
}

/** Which page of a list. */
export interface PageRequest {
  /** Rows of the page, 1 to 1,000; default 50. */
  limit?: number | null
  /** The `next` of the page before. */
  after?: string | null
}

/** What to change of a session; not given leaves a field as it is, null empties it. */
export interface SessionUpdate {
  /** A new name. At most 100 characters. */
  name?: string
  /** The account's own number, digits only. At most 20 characters. */
  phone?: string | null
  /** The name the account shows. At most 100 characters. */
  pushName?: string | null
  /** New settings, replacing the old ones whole. */
  config?: unknown
  /** The engine's state: an encrypted blob, or where the engine keeps it. */
  authState?: unknown
}

/** What a step of a session's life did. */
export interface Transition {
  /** Whether the status changed (or a new QR code came); false for a repeated event. */
  changed: boolean
  /** The status before. */
  from: SessionStatus
  /** The session as it stands now. */
  session: Session
}

/** One step in the life of a session. */
export interface SessionLog {
  /** UUID of the entry. */
  id: string
  /** The session. */
  sessionId: string
  /** What happened, for instance `status` or `identity.merged`. */
  event: string
  /** The status after it. */
  status: string | null
  /** Anything else. */
  data: Json | null
  /** When it was. */
  createdAt: Date
}

/** A message to be saved. `chatId`, `fromNumber`, `type` and `waTimestamp` are needed; the rest has defaults. */
export interface NewMessage {
  /** WhatsApp's id; not given for a send that is queued or failed. Without one there is no deduplication. At most 255 characters. */
  waMessageId?: string | null
  /** Address of the chat, in any form: phone or LID, with or without device. At most 255 characters. */
  chatId: string
  /** Address of the sender, in any form. At most 255 characters. */
  fromNumber: string
  /** Address of the recipient, in any form. At most 255 characters. */
  toNumber?: string | null
  /** `text`, `image` …; an open list. At most 50 characters. */
  type: string
  /** Text or caption. */
  body?: string | null
  /** A JSON object about the attached file. */
  media?: unknown
  /** Delivery state if the message carries one. An own message without one starts at 0. */
  ack?: number | null
  /** Whether the session's own account wrote it. */
  fromMe?: boolean
  /** WhatsApp's time of the message; not given: now. */
  waTimestamp?: Date | null
  /** When the row was made; not given: now. History gives the message's own time here. */
  createdAt?: Date | null
  /** When it was last edited, if it arrives edited. */
  editedAt?: Date | null
  /** When it was deleted for everyone, if it arrives deleted. */
  revokedAt?: Date | null
  /** The engine's own encoded message, to be kept. */
  raw?: Uint8Array | null
}

/** What became of one of many messages: it was saved, or it was refused. */
export interface SaveResult {
  /** What the save did; null: it was refused. */
  saved: Saved | null
  /** Why it was refused; null: it was not. */
  error: OpenWAError | null
}

/** Which messages of a session. */
export interface MessageFilter {
  /** Only this chat, by any of its addresses. */
  chat?: string | null
  /** Only from this time on, by `waTimestamp`. */
  from?: Date | null
  /** Only before this time, by `waTimestamp`. */
  until?: Date | null
  /** Only this type. */
  type?: string | null
  /** Only own (`true`) or only incoming (`false`) messages. */
  fromMe?: boolean | null
  /** Only those whose body contains this text; ASCII letters match in either case. */
  text?: string | null
  /** In which order. */
  order?: Order
}

/** A chat in the list of a session's chats. */
export interface Chat {
  /** Address of the chat. */
  chatId: string
  /** The name of the contact, if it is a known person. */
  name: string | null
  /** Whether it is a group. */
  isGroup: boolean
  /** Incoming messages behind the last one that was read or answered; 1,000 stands for "or more". */
  unread: number
  /** The newest message. */
  lastMessage: Message
}

/** The reaction of one person to one message. */
export interface MessageReaction {
  /** The session. */
  sessionId: string
  /** The message reacted to. */
  waMessageId: string
  /** Address of the person, or `me`. */
  sender: string
  /** The reaction; empty: withdrawn. */
  emoji: string
  /** When it was. */
  reactedAt: Date
}

/** What an event says of a contact; not given says nothing. */
export interface ContactChange {
  /** Address of the person, in any form. At most 255 characters. */
  waContactId: string
  /** The name in the phone's address book. At most 255 characters. */
  name?: string | null
  /** The name the person chose. At most 255 characters. */
  pushName?: string | null
  /** Whether the person is in the phone's address book. */
  isMyContact?: boolean | null
  /** Whether the account blocks the person. */
  isBlocked?: boolean | null
  /** Where the picture is. */
  profilePicUrl?: string | null
}

/** A person that a session knows. */
export interface Contact {
  /** UUID of the row. */
  id: string
  /** The session that knows the person. */
  sessionId: string
  /** The person's address; unique within the session. */
  waContactId: string
  /** The name in the phone's address book. */
  name: string | null
  /** The name the person chose. */
  pushName: string | null
  /** The number, digits only; never the digits of a LID. */
  phone: string | null
  /** Whether the person is in the phone's address book. */
  isMyContact: boolean
  /** Whether the account blocks the person. */
  isBlocked: boolean
  /** Where the picture is. */
  profilePicUrl: string | null
  /** When the row was made. */
  createdAt: Date
  /** When it last changed. */
  updatedAt: Date
}

/** Which contacts of a session. */
export interface ContactFilter {
  /** Only those with this number. At most 20 characters. */
  phone?: string | null
  /** Only blocked (`true`) or only not blocked ones. */
  blocked?: boolean | null
}

/** The two addresses of one person: a LID and, once known, a phone address. */
export interface Identity {
  /** The session that knows the person. */
  sessionId: string
  /** The LID address, `…@lid`. */
  lid: string
  /** The phone address, `…@s.whatsapp.net`. */
  pn: string | null
  /** When it last changed. */
  updatedAt: Date
}

/** A webhook to be created. Only the URL is needed. */
export interface NewWebhook {
  /** Where deliveries go, http or https, at most 2,048 characters. At most 2048 characters. */
  url: string
  /** A JSON array of event names; default `["message.received"]`. */
  events?: WebhookEvent[] | null
  /** Signs deliveries, at most 255 characters. */
  secret?: string | null
  /** A JSON object of extra request headers; default `{}`. */
  headers?: Record<string, string> | null
  /** How often a failed delivery is tried again, 0 to 20; default 3. */
  retryCount?: number | null
  /** Whether it gets deliveries; default true. */
  active?: boolean | null
  /** Allows loopback, private and link-local addresses, which are refused by default. */
  allowPrivate?: boolean
}

/** An address that wants to hear of a session's events. */
export interface Webhook {
  /** UUID of the webhook. */
  id: string
  /** The session it listens to. */
  sessionId: string
  /** Where deliveries go, http or https. */
  url: string
  /** A JSON array of event names; `*` means all. */
  events: WebhookEvent[]
  /** Signs deliveries. */
  secret: string | null
  /** A JSON object of extra request headers. */
  headers: Record<string, string>
  /** Whether it gets deliveries. */
  active: boolean
  /** How often a failed delivery is tried again, 0 to 20. */
  retryCount: number
  /** When it last got a delivery. */
  lastTriggeredAt: Date | null
  /** When it was made. */
  createdAt: Date
  /** When it last changed. */
  updatedAt: Date
}

/** What to change of a webhook; not given leaves a field as it is. */
export interface WebhookUpdate {
  /** Where deliveries go. At most 2048 characters. */
  url?: string
  /** A JSON array of event names. */
  events?: WebhookEvent[]
  /** Signs deliveries; null removes it. At most 255 characters. */
  secret?: string | null
  /** A JSON object of extra request headers. */
  headers?: Record<string, string>
  /** How often a failed delivery is tried again, 0 to 20. */
  retryCount?: number
  /** Whether it gets deliveries. */
  active?: boolean
  /** Allows loopback, private and link-local addresses for a new URL. */
  allowPrivate?: boolean
}

/** One attempt to deliver, to be logged. */
export interface NewDelivery {
  /** The event's name. At most 100 characters. */
  event: string
  /** HTTP status of the answer; not given: none came. */
  statusCode?: number | null
  /** 1 for the first try; default 1. */
  attempt?: number | null
  /** What was sent. */
  payload: unknown
  /** What came back. */
  response?: unknown
  /** Why it failed. */
  error?: string | null
}

/** One attempt to deliver an event to a webhook. */
export interface WebhookLog {
  /** UUID of the entry. */
  id: string
  /** The webhook. */
  webhookId: string
  /** The event's name. */
  event: string
  /** HTTP status of the answer; null: none came. */
  statusCode: number | null
  /** 1 for the first try. */
  attempt: number
  /** What was sent. */
  payload: Json
  /** What came back. */
  response: Json | null
  /** Why it failed. */
  error: string | null
  /** When it was. */
  createdAt: Date
}

/** Whether an event may go to a webhook. */
export interface Begin {
  /** It is new: deliver it, then call `finish`. Else it was taken up before. */
  isNew: boolean
  /** HTTP status of the stored answer, if that delivery has finished. */
  responseStatus: number | null
  /** The stored answer. */
  responseData: Json | null
}

/** A bulk job to be created. */
export interface NewBatch {
  /** The host's own id of the job, 1 to 100 characters; unique within the session. */
  batchId: string
  /** What to send, in order. */
  messages: NewBatchMessage[]
  /** Settings of the host; default `{}`. */
  options?: unknown
}

/** One message of a bulk job to be created. */
export interface NewBatchMessage {
  /** Address of the chat. At most 255 characters. */
  chatId: string
  /** `text`, `image` … At most 50 characters. */
  messageType: string
  /** What to send. */
  content: unknown
  /** Values for a template. */
  variables?: unknown
}

/** A bulk job. */
export interface BatchJob {
  /** UUID of the row. */
  id: string
  /** The host's own id of the job; unique within the session. */
  batchId: string
  /** The session that sends. */
  sessionId: string
  /** Where the job stands. */
  status: BatchStatus
  /** How many messages it has. */
  totalMessages: number
  /** How many were sent. */
  sentCount: number
  /** How many failed. */
  failedCount: number
  /** How many were withdrawn. */
  cancelledCount: number
  /** Settings of the host. */
  options: Json
  /** The fatal error, if one ended the job. */
  error: string | null
  /** When the first message was handed out. */
  startedAt: Date | null
  /** When it ended. */
  completedAt: Date | null
  /** When it was made. */
  createdAt: Date
  /** When it last changed. */
  updatedAt: Date
}

/** One message of a bulk job. */
export interface BatchJobMessage {
  /** UUID of the row. */
  id: string
  /** The job. */
  batchJobId: string
  /** Place in the sending order, from 0. */
  position: number
  /** Address of the chat. */
  chatId: string
  /** `text`, `image` … */
  messageType: string
  /** What to send. */
  content: Json
  /** Values for a template. */
  variables: Json | null
  /** Where the message stands. */
  status: BatchMessageStatus
  /** WhatsApp's id once it is sent. */
  waMessageId: string | null
  /** A short reason of a failure. */
  errorCode: string | null
  /** A long reason of a failure. */
  errorMessage: string | null
  /** When it was sent. */
  sentAt: Date | null
  /** When the row was made. */
  createdAt: Date
}

/** How the sending of one message ended. */
export interface BatchResult {
  /** Whether it was sent. */
  sent?: boolean
  /** WhatsApp's id of a message that was sent, if known. */
  waMessageId?: string | null
  /** A short reason why it was not. */
  errorCode?: string | null
  /** A long reason why it was not. */
  errorMessage?: string | null
}

/** One change of a session's credentials. */
export interface AuthEntry {
  /** `creds`, `pre-key`, `session` …, 1 to 64 characters. */
  category: string
  /** The key's id within its category, at most 512 characters. */
  keyId: string
  /** The value; not given deletes. */
  value?: Uint8Array | null
}

/** What a read of a credential found. */
export interface AuthValue {
  /** Whether there is one. */
  found: AuthFound
  /** Why it cannot be read. */
  reason: string | null
  /** The value. */
  value: Buffer | null
}

/** One piece of a session's credentials: engines keep thousands of Signal keys. */
export interface SessionAuth {
  /** The session. */
  sessionId: string
  /** `creds`, `pre-key`, `session` … */
  category: string
  /** The key's id within its category. */
  keyId: string
  /** Opaque bytes. */
  value: Buffer
  /** When it last changed. */
  updatedAt: Date
}

/** An API key to be created. Only the name is needed. */
export interface NewApiKey {
  /** What people call it, 1 to 100 characters. */
  name: string
  /** A JSON array of permission names; default `["*"]`, full access. */
  permissions?: Permission[] | null
  /** A JSON array of session ids or names; default all. */
  allowedSessions?: string[] | null
  /** A JSON array of chat addresses; default all. */
  allowedChats?: string[] | null
  /** When it stops working; default never. */
  expiresAt?: Date | null
}

/** A new key. The key itself is in here and nowhere else: it is shown once and never stored. */
export interface CreatedKey {
  /** The key to hand out. */
  key: string
  /** Its record. */
  apiKey: ApiKey
}

/** An API key. The key itself is never stored, only its hash. */
export interface ApiKey {
  /** UUID of the key's record. */
  id: string
  /** SHA-256 or peppered HMAC-SHA256 of the key, 64 lower-case hex digits; unique. */
  keyHash: string
  /** The first 12 characters of the key, so that people can tell keys apart. */
  keyPrefix: string
  /** What people call it. */
  name: string
  /** A JSON array of permission names; `["*"]` is full access, `[]` denies everything. */
  permissions: Permission[]
  /** A JSON array of session ids or names that the key may use; null: all. */
  allowedSessions: string[] | null
  /** A JSON array of chat ids that the key may use; null: all. */
  allowedChats: string[] | null
  /** Whether the key may be used at all. */
  active: boolean
  /** When it stops working. */
  expiresAt: Date | null
  /** When it was last used, at most a few seconds late. */
  lastUsedAt: Date | null
  /** How often it was used, at most a few seconds late. */
  usageCount: number
  /** When it was made. */
  createdAt: Date
}

/** What a request with a key asks for. */
export interface Ask {
  /** The permission it needs; none: any will do. */
  permission?: Permission | null
  /** Address of the client. */
  ip?: string | null
  /** Id (lower case, with hyphens) or name of the session it is about. */
  session?: string | null
  /** The other one of the two, if known: a key may be confined by either. */
  sessionAlias?: string | null
  /** Address of the chat it is about. */
  chat?: string | null
}

/** The answer to a request with a key. */
export interface Authorization {
  /** Whether the request may go on. */
  allowed: boolean
  /** Allowed, or why not. Tell an outsider only *that* it is not. */
  decision: Decision
  /** The key's record, if the key is known. */
  apiKey: ApiKey | null
}

/** What to change of an API key; not given leaves a field as it is. */
export interface ApiKeyUpdate {
  /** What people call it. At most 100 characters. */
  name?: string
  /** A JSON array of permission names. */
  permissions?: Permission[]
  /** A JSON array of session ids or names; null: all. */
  allowedSessions?: string[] | null
  /** A JSON array of chat addresses; null: all. */
  allowedChats?: string[] | null
  /** Whether it may be used. */
  active?: boolean
  /** When it stops working; null: never. */
  expiresAt?: Date | null
}

/** An address from which an API key may be used. */
export interface IpWhitelistEntry {
  /** UUID of the entry. */
  id: string
  /** The key it belongs to. */
  apiKeyId: string
  /** An IPv4 or IPv6 address. */
  ipAddress: string
  /** A network in CIDR notation; when given, it decides instead of `ipAddress`. */
  cidrRange: string | null
  /** What it is for. */
  description: string | null
  /** Whether the entry counts. */
  active: boolean
  /** When it was made. */
  createdAt: Date
}

/** An address to be put on a key's whitelist. */
export interface NewWhitelistEntry {
  /** An IPv4 or IPv6 address. At most 45 characters. */
  ipAddress: string
  /** A network in CIDR notation; when given, it decides instead of the address. At most 50 characters. */
  cidrRange?: string | null
  /** What it is for. At most 255 characters. */
  description?: string | null
  /** Whether it counts; default true. */
  active?: boolean | null
}

/** A request made with an API key, to be logged. */
export interface NewApiKeyLog {
  /** The key, if one was recognised. */
  apiKeyId?: string | null
  /** Path of the request; cut to 255 characters. */
  endpoint: string
  /** HTTP method. At most 10 characters. */
  method: string
  /** Address of the client. At most 45 characters. */
  ipAddress?: string | null
  /** The client's own description. */
  userAgent?: string | null
  /** HTTP status of the answer. */
  statusCode: number
  /** How long the answer took, in milliseconds. */
  responseTime?: number | null
}

/** One request that was made with an API key. */
export interface ApiKeyLog {
  /** UUID of the entry. */
  id: string
  /** The key; null once it is deleted. */
  apiKeyId: string | null
  /** Path of the request. */
  endpoint: string
  /** HTTP method. */
  method: string
  /** Address of the client. */
  ipAddress: string | null
  /** The client's own description. */
  userAgent: string | null
  /** HTTP status of the answer. */
  statusCode: number
  /** How long the answer took, in milliseconds. */
  responseTime: number | null
  /** When it was. */
  createdAt: Date
}

/** Something to be audited. Only the action is needed. */
export interface NewAuditLog {
  /** What was done, for instance `session.created`. At most 100 characters. */
  action: string
  /** How grave it is; default `info`. */
  severity?: Severity | null
  /** The key that did it. */
  apiKeyId?: string | null
  /** The key's name; copied, so that the entry outlives the key. At most 100 characters. */
  apiKeyName?: string | null
  /** The session it was done to. */
  sessionId?: string | null
  /** The session's name; copied. At most 100 characters. */
  sessionName?: string | null
  /** Address of the client. At most 45 characters. */
  ipAddress?: string | null
  /** The client's own description. */
  userAgent?: string | null
  /** HTTP method. At most 10 characters. */
  method?: string | null
  /** Path of the request. */
  path?: string | null
  /** HTTP status of the answer. */
  statusCode?: number | null
  /** Anything else. */
  metadata?: unknown
  /** What went wrong, if anything. */
  errorMessage?: string | null
}

/** One entry of the audit trail. It copies what it names, so that it outlives it. */
export interface AuditLog {
  /** UUID of the entry. */
  id: string
  /** What was done, for instance `session.created`. */
  action: string
  /** How grave it is. */
  severity: Severity
  /** The key that did it. */
  apiKeyId: string | null
  /** The key's name at that time. */
  apiKeyName: string | null
  /** The session it was done to. */
  sessionId: string | null
  /** The session's name at that time. */
  sessionName: string | null
  /** Address of the client. */
  ipAddress: string | null
  /** The client's own description. */
  userAgent: string | null
  /** HTTP method. */
  method: string | null
  /** Path of the request. */
  path: string | null
  /** HTTP status of the answer. */
  statusCode: number | null
  /** Anything else. */
  metadata: Json | null
  /** What went wrong, if anything. */
  errorMessage: string | null
  /** When it was. */
  createdAt: Date
}

/** Which audit entries: at most one of the fields. None: all. */
export interface AuditFilter {
  /** Those of one action. At most 100 characters. */
  action?: string | null
  /** Those about one session. */
  sessionId?: string | null
  /** Those made with one key. */
  apiKeyId?: string | null
}

/** What an API key may do and from where. */
export interface KeyRules {
  /** A JSON array of permission names; default `["*"]`, full access. */
  permissions?: Permission[] | null
  /** A JSON array of session ids or names; default all. */
  allowedSessions?: string[] | null
  /** A JSON array of chat addresses; default all. */
  allowedChats?: string[] | null
  /** Whether it may be used; default true. */
  active?: boolean | null
  /** When it stops working; default never. */
  expiresAt?: Date | null
  /** From where it may be used; default from anywhere. */
  whitelist?: NewWhitelistEntry[] | null
}

/** How deliveries are tried again. */
export interface RetryPolicy {
  /** How often a failed delivery is tried again; 0: never; default 3. */
  retryCount?: number | null
  /** The longest wait before the first retry; it doubles with each; default 5 seconds. In milliseconds. */
  base?: number | null
  /** The longest wait of all; default 1 hour. In milliseconds. */
  cap?: number | null
}

/** How a store is opened. Every option has a sensible default. */
export interface OpenOptions {
  /** The folder of the store, made if it is missing; default `./data`. */
  dir?: string
  /** Everything in memory, gone when the store is closed. For tests. */
  memory?: boolean
  /** File of the Main database; default `main.sqlite` in the folder. */
  main?: string | null
  /** Where the Data database is: path of a SQLite file, or `postgres://user:password@host:port/database`; default `data.sqlite` in the folder. */
  data?: string | null
  /** Keys the hash of API keys; default none. */
  apiKeyPepper?: string | null
  /** Seals the secrets of the store: 64 hexadecimal digits, or 32 bytes in base64; default none. */
  storeKey?: string | null
  /** Whether messages are kept; default true. When off, a save only tells new messages from repeated ones. */
  history?: boolean | null
  /** How much a commit promises; default `full`. */
  durability?: Durability | null
  /** Writes that may wait before callers have to; default 8,192. */
  queue?: number | null
  /** Writes that may share a commit; default 1,024. */
  group?: number | null
}

/** What `sessions.list` takes. */
export interface SessionsListQuery extends SessionFilter, PageRequest {}

/** What `sessions.logs` takes. */
export interface SessionsLogsQuery extends PageRequest {
  /** The session. */
  id: string
  /** Only this kind of event. */
  event?: string | null
}

/** What `messages.list` takes. */
export interface MessagesListQuery extends MessageFilter, PageRequest {
  /** The session. */
  session: string
}

/** What `messages.count` takes. */
export interface MessagesCountQuery extends MessageFilter {
  /** The session. */
  session: string
}

/** What `messages.chats` takes. */
export interface MessagesChatsQuery extends PageRequest {
  /** The session. */
  session: string
}

/** What `contacts.list` takes. */
export interface ContactsListQuery extends ContactFilter, PageRequest {
  /** The session. */
  session: string
}

/** What `webhooks.list` takes. */
export interface WebhooksListQuery extends PageRequest {
  /** The session. */
  session: string
}

/** What `webhooks.logs` takes. */
export interface WebhooksLogsQuery extends PageRequest {
  /** The webhook. */
  webhook: string
}

/** What `batches.list` takes. */
export interface BatchesListQuery extends PageRequest {
  /** The session. */
  session: string
}

/** What `apiKeys.list` takes. */
export interface ApiKeysListQuery extends PageRequest {}

/** What `apiKeys.logs` takes. */
export interface ApiKeysLogsQuery extends PageRequest {
  /** Only those of this key. */
  key?: string | null
}

/** What `audit.list` takes. */
export interface AuditListQuery extends AuditFilter, PageRequest {}
