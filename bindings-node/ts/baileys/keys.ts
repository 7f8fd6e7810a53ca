/** The rows of `session_auth` that hold Baileys' credentials: one row per key, the type as its category. */
import type { AuthEntry, AuthValue } from '../generated/types.js'
import { OpenWAError } from '../core.js'

/** Category of the credentials themselves; the id of their one row is empty. */
export const CREDS = 'creds'

/** The types of Signal keys that Baileys 7 has; a type that is not listed is kept all the same. */
export const KEY_TYPES = [
  'app-state-sync-key',
  'app-state-sync-version',
  'device-list',
  'identity-key',
  'lid-mapping',
  'pre-key',
  'sender-key',
  'sender-key-memory',
  'session',
  'tctoken'
] as const

/** Bytes as JSON writes them. */
interface Codec {
  replacer(this: unknown, key: string, value: unknown): unknown
  reviver(this: unknown, key: string, value: unknown): unknown
}

export const encode = (value: unknown, codec: Codec): Buffer => Buffer.from(JSON.stringify(value, codec.replacer))

/**
 * The value of a row; `undefined`: there is none. What is there and cannot be read is an error: taken for missing, it
 * would be overwritten, and the pairing lost.
 */
export function decode(row: AuthValue, codec: Codec, type: string, id: string): unknown {
  if (row.found === 'missing') return undefined
  const about = { context: { category: type, key_id: id } }
  if (row.found === 'unreadable' || row.value === null) {
    throw new OpenWAError('UNREADABLE', `the stored ${type} cannot be read: ${row.reason}`, about)
  }
  try {
    return JSON.parse(row.value.toString(), codec.reviver)
  } catch (cause) {
    throw new OpenWAError('UNREADABLE', `the stored ${type} is not what Baileys writes`, { ...about, cause })
  }
}

/**
 * The id of a key whose file has this name. Baileys writes `/` as `__` and `:` as `-`, so some names do not tell; the
 * library keeps such a key under this mark, and finds it by its true id until it is written again.
 */
export const idOfFile = (name: string): string => (/-|__/.test(name) ? `baileys-file:${name}` : name)

/** Deletes a key. */
export const without = (category: string, keyId: string): AuthEntry => ({ category, keyId, value: null })
