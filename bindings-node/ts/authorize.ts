import { text } from './codec.js'
import { failure } from './error.js'
import { readApiKey, writeAsk } from './generated/codec.js'
import type { ApiKey, Ask, Authorization, Decision } from './generated/types.js'
import { native, type Authorizer, type Handle } from './native.js'

const DECISIONS = native.decisions() as Decision[]
/** Records that are kept per store, as in the addon. */
const KEPT = 10_000

/** What a store is asked with, and the records that it has told of, by their numbers: each is read once. */
interface Known {
  readonly authorize: Authorizer
  readonly records: Map<number, ApiKey>
}
const known = new WeakMap<Handle, Known>()

const FIELDS = new Set(writeAsk.fields)
const isText = (value: unknown): boolean => value === undefined || value === null || typeof value === 'string'

/** Decides on a request with a key, on this thread. */
export function authorizeSync(handle: Handle, key: string, ask: Ask = {}): Authorization {
  const { permission, ip, session, sessionAlias, chat } = ask
  let fits = typeof key === 'string' && isText(permission) && isText(ip) && isText(session) && isText(sessionAlias) && isText(chat)
  for (const field in ask) fits &&= FIELDS.has(field)
  if (!fits) {
    // These say what is wrong.
    text(key, 'key')
    writeAsk(ask, 'ask')
  }
  let store = known.get(handle)
  if (!store) known.set(handle, (store = { authorize: handle.authorizer(), records: new Map() }))
  // Few arguments are faster than many that are not given.
  const scoped = (session ?? sessionAlias ?? chat) != null
  const answer = scoped
    ? store.authorize(key, permission, ip, session, sessionAlias, chat)
    : store.authorize(key, permission, ip)
  if (answer === null) throw failure(handle.refused()!)
  const decision = DECISIONS[answer % 16]!
  return { allowed: decision === 'allowed', decision, apiKey: record(handle, store.records, Math.floor(answer / 16)) }
}

function record(handle: Handle, records: Map<number, ApiKey>, number: number): ApiKey | null {
  if (number === 0) return null
  let found = records.get(number)
  if (!found) {
    found = readApiKey(handle.keyRecord(number))
    for (const list of [found.permissions, found.allowedSessions, found.allowedChats]) Object.freeze(list)
    if (records.size >= KEPT) records.clear()
    records.set(number, Object.freeze(found))
  }
  return found
}
