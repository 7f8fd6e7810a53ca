import { text } from './codec.js'
import { failure } from './error.js'
import { readApiKey, writeAsk } from './generated/codec.js'
import type { ApiKey, Ask, Authorization, Decision } from './generated/types.js'
import { native, type Handle } from './native.js'

const DECISIONS = native.decisions() as Decision[]
/** Records that are kept per store, as in the addon. */
const KEPT = 10_000

/** The records that a store has told of, by their numbers: each is read once, not at every question. */
const known = new WeakMap<Handle, Map<number, ApiKey>>()

/** Decides on a request with a key, on this thread. */
export function authorizeSync(handle: Handle, key: string, ask: Ask = {}): Authorization {
  const asked = writeAsk(ask, 'ask') as [string?, string?, string?, string?, string?]
  const answer = handle.authorize(text(key, 'key') as string, ...asked)
  if (answer === null) throw failure(handle.refused()!)
  const decision = DECISIONS[answer % 16]!
  return { allowed: decision === 'allowed', decision, apiKey: record(handle, Math.floor(answer / 16)) }
}

function record(handle: Handle, number: number): ApiKey | null {
  if (number === 0) return null
  let records = known.get(handle)
  if (!records) known.set(handle, (records = new Map()))
  let found = records.get(number)
  if (!found) {
    found = readApiKey(handle.keyRecord(number))
    for (const list of [found.permissions, found.allowedSessions, found.allowedChats]) Object.freeze(list)
    if (records.size >= KEPT) records.clear()
    records.set(number, Object.freeze(found))
  }
  return found
}
