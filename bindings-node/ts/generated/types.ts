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
  | 'INTERNAL'

/**
 * Where a session stands in its life; see [`crate::policy::session`] for the allowed steps.
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
 * What a save did.
 *
 * * `inserted`: The message is new. Fire webhooks on this.
 * * `updated`: It was known and something was added: a gap was filled, the ack rose, a placeholder got its content.
 * * `unchanged`: It was known, and nothing was new.
 * * `notStored`: It is not kept: history is off, or retention has removed its time already.
 */
export type SaveOutcome = 'inserted' | 'updated' | 'unchanged' | 'notStored'

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

/** A session to be created. Only the name is needed. */
export interface NewSession {
  /** UUID to use; `None`: one is minted. */
  id?: string | null
  /** What people call it, 1 to 100 characters; unique. At most 100 characters. */
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
  limit?: number | bigint | null
  /** The `next` of the page before. */
  after?: string | null
}

/** What to change of a session; `None` leaves a field as it is, `Some(None)` empties it. */
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

/** A message to be saved. `chat_id`, `from_number`, `type` and `wa_timestamp` are needed; the rest has defaults. */
export interface NewMessage {
  /** WhatsApp's id; `None` for a send that is queued or failed. Without one there is no deduplication. At most 255 characters. */
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
  ack?: number | bigint | null
  /** Whether the session's own account wrote it. */
  fromMe?: boolean
  /** WhatsApp's time of the message; `None`: now. */
  waTimestamp?: Date | null
  /** When the row was made; `None`: now. History gives the message's own time here. */
  createdAt?: Date | null
  /** When it was last edited, if it arrives edited. */
  editedAt?: Date | null
  /** When it was deleted for everyone, if it arrives deleted. */
  revokedAt?: Date | null
  /** The engine's own encoded message, to be kept. */
  raw?: Uint8Array | null
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
  /** Only from this time on, by `wa_timestamp`. */
  from?: Date | null
  /** Only before this time, by `wa_timestamp`. */
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
