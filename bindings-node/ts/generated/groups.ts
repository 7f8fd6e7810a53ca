// Generated from the library's description by `BLESS=1 cargo test -p openwa-node`. Do not edit.
import { bool, bytes, float, int, json, list, same, text, time } from '../codec.js'
import type { OpenWAError } from '../error.js'
import { Group, type Page } from '../group.js'
import type { Handle } from '../native.js'
import { callPure, query, verb, type LongOptions } from '../runtime.js'
import { readChat, readMessage, readMessageReaction, readSaveResult, readSaved, readSession, readSessionLog, readTransition, writeMessageFilter, writeNewMessage, writeNewSession, writePageRequest, writeSessionFilter, writeSessionUpdate } from './codec.js'
import type * as t from './types.js'

/* eslint-disable @typescript-eslint/no-explicit-any */

const sessionsCreate = verb<t.Session>('sessions.create', [['values', writeNewSession]], (v: any) => readSession(v))
const sessionsGet = verb<t.Session>('sessions.get', [['id', text]], (v: any) => readSession(v))
const sessionsFind = verb<t.Session | null>('sessions.find', [['name', text]], (v: any) => (v === null ? null : readSession(v)))
const sessionsList = query<Page<t.Session>>('sessions.list', [['filter', writeSessionFilter], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readSession), next: v[1] }))
const sessionsUpdate = verb<t.Session>('sessions.update', [['id', text], ['changes', writeSessionUpdate]], (v: any) => readSession(v))
const sessionsTransition = verb<t.Transition>('sessions.transition', [['id', text], ['to', text], ['reason', text]], (v: any) => readTransition(v))
const sessionsRestore = verb<t.Session[]>('sessions.restore', [], (v: any) => v.map((v: any) => readSession(v)))
const sessionsRecreate = verb<t.Session>('sessions.recreate', [['id', text]], (v: any) => readSession(v))
const sessionsDelete = verb<boolean>('sessions.delete', [['id', text]], same)
const sessionsLog = verb<t.SessionLog>('sessions.log', [['id', text], ['event', text], ['data', json]], (v: any) => readSessionLog(v))
const sessionsLogs = query<Page<t.SessionLog>>('sessions.logs', [['id', text], ['event', text], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readSessionLog), next: v[1] }))
const messagesSave = verb<t.Saved>('messages.save', [['session', text], ['message', writeNewMessage]], (v: any) => readSaved(v))
const messagesSaveMany = verb<t.SaveResult[]>('messages.save_many', [['session', text], ['messages', list(writeNewMessage)]], (v: any) => v.map((v: any) => readSaveResult(v)))
const messagesBackfill = verb<t.SaveResult[]>('messages.backfill', [['session', text], ['messages', list(writeNewMessage)]], (v: any) => v.map((v: any) => readSaveResult(v)))
const messagesAck = verb<t.Changed>('messages.ack', [['session', text], ['waMessageId', text], ['ack', int]], same)
const messagesEdit = verb<t.Changed>('messages.edit', [['session', text], ['waMessageId', text], ['body', text], ['at', time]], same)
const messagesRevoke = verb<t.Changed>('messages.revoke', [['session', text], ['waMessageId', text], ['at', time]], same)
const messagesReact = verb<t.Changed>('messages.react', [['session', text], ['waMessageId', text], ['sender', text], ['emoji', text], ['at', time]], same)
const messagesGet = verb<t.Message | null>('messages.get', [['id', text]], (v: any) => (v === null ? null : readMessage(v)))
const messagesFind = verb<t.Message | null>('messages.find', [['session', text], ['waMessageId', text]], (v: any) => (v === null ? null : readMessage(v)))
const messagesList = query<Page<t.Message>>('messages.list', [['session', text], ['filter', writeMessageFilter], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readMessage), next: v[1] }))
const messagesCount = query<number>('messages.count', [['session', text], ['filter', writeMessageFilter]], same)
const messagesChats = query<Page<t.Chat>>('messages.chats', [['session', text], ['page', writePageRequest]], (v: any) => ({ items: v[0].map(readChat), next: v[1] }))
const messagesReactions = verb<t.MessageReaction[]>('messages.reactions', [['session', text], ['waMessageId', text]], (v: any) => v.map((v: any) => readMessageReaction(v)))
const messagesWaiting = verb<number>('messages.waiting', [['session', text], ['kind', text]], same)

/** See `store.sessions`. */
export class Sessions extends Group {
  create(values: t.NewSession): Promise<t.Session> {
    return this.run(sessionsCreate, [values])
  }

  get(id: string): Promise<t.Session> {
    return this.run(sessionsGet, [id])
  }

  find(name: string): Promise<t.Session | null> {
    return this.run(sessionsFind, [name])
  }

  list(query: t.SessionsListQuery = {}): Promise<Page<t.Session>> {
    return this.run(sessionsList, [query])
  }

  /** Every row of {@link list}, in constant memory; `limit` is how many are fetched at a time. */
  iterate(query: t.SessionsListQuery = {}): AsyncGenerator<t.Session, void, undefined> {
    return this.walk(sessionsList, query)
  }

  update(id: string, changes: t.SessionUpdate): Promise<t.Session> {
    return this.run(sessionsUpdate, [id, changes])
  }

  transition(id: string, to: t.SessionStatus, reason?: string | null): Promise<t.Transition> {
    return this.run(sessionsTransition, [id, to, reason])
  }

  restore(): Promise<t.Session[]> {
    return this.run(sessionsRestore, [])
  }

  recreate(id: string): Promise<t.Session> {
    return this.run(sessionsRecreate, [id])
  }

  delete(id: string): Promise<boolean> {
    return this.run(sessionsDelete, [id])
  }

  log(id: string, event: string, data?: unknown): Promise<t.SessionLog> {
    return this.run(sessionsLog, [id, event, data])
  }

  logs(query: t.SessionsLogsQuery): Promise<Page<t.SessionLog>> {
    return this.run(sessionsLogs, [query])
  }
}

/** See `store.messages`. */
export class Messages extends Group {
  save(session: string, message: t.NewMessage): Promise<t.Saved> {
    return this.run(messagesSave, [session, message])
  }

  saveMany(session: string, messages: t.NewMessage[]): Promise<t.SaveResult[]> {
    return this.run(messagesSaveMany, [session, messages])
  }

  backfill(session: string, messages: t.NewMessage[]): Promise<t.SaveResult[]> {
    return this.run(messagesBackfill, [session, messages])
  }

  ack(session: string, waMessageId: string, ack: number | bigint): Promise<t.Changed> {
    return this.run(messagesAck, [session, waMessageId, ack])
  }

  edit(session: string, waMessageId: string, body?: string | null, at?: Date | null): Promise<t.Changed> {
    return this.run(messagesEdit, [session, waMessageId, body, at])
  }

  revoke(session: string, waMessageId: string, at?: Date | null): Promise<t.Changed> {
    return this.run(messagesRevoke, [session, waMessageId, at])
  }

  react(session: string, waMessageId: string, sender: string, emoji: string, at?: Date | null): Promise<t.Changed> {
    return this.run(messagesReact, [session, waMessageId, sender, emoji, at])
  }

  get(id: string): Promise<t.Message | null> {
    return this.run(messagesGet, [id])
  }

  find(session: string, waMessageId: string): Promise<t.Message | null> {
    return this.run(messagesFind, [session, waMessageId])
  }

  list(query: t.MessagesListQuery): Promise<Page<t.Message>> {
    return this.run(messagesList, [query])
  }

  /** Every row of {@link list}, in constant memory; `limit` is how many are fetched at a time. */
  iterate(query: t.MessagesListQuery): AsyncGenerator<t.Message, void, undefined> {
    return this.walk(messagesList, query)
  }

  count(query: t.MessagesCountQuery): Promise<number> {
    return this.run(messagesCount, [query])
  }

  chats(query: t.MessagesChatsQuery): Promise<Page<t.Chat>> {
    return this.run(messagesChats, [query])
  }

  reactions(session: string, waMessageId: string): Promise<t.MessageReaction[]> {
    return this.run(messagesReactions, [session, waMessageId])
  }

  waiting(session: string, kind: t.PendingKind): Promise<number> {
    return this.run(messagesWaiting, [session, kind])
  }
}

/** The verbs of an open store, group by group. */
export abstract class Groups extends Group {
  readonly sessions: Sessions
  readonly messages: Messages

  /** @internal */
  constructor(handle: Handle) {
    super(handle)
    this.sessions = new Sessions(handle)
    this.messages = new Messages(handle)
  }
}
