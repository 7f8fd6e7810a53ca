import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

import type { AuthEntry } from '../generated/types.js'
import { OpenWAError } from '../core.js'
import type { Store } from '../store.js'
import { isCreds, type AuthStateOptions } from './auth-state.js'
import { load } from './engine.js'
import { CREDS, KEY_TYPES, idOfFile, without } from './keys.js'

export interface MultiFileOptions extends AuthStateOptions {
  /** Replaces what the session has; otherwise a session with credentials is an `ALREADY_EXISTS` error. */
  overwrite?: boolean
  /** Leaves out key files that cannot be read (a crash may have torn one) instead of failing. Never `creds.json`. */
  skipUnreadable?: boolean
}

export interface MultiFileImport {
  /** How many keys were imported, beside the credentials. */
  keys: number
  /** Files that were left out: not of Baileys, or unreadable. */
  skipped: string[]
}

/** Longer names first: a file `sender-key-memory-…` is no `sender-key`. */
const TYPES = [...KEY_TYPES].sort((a, b) => b.length - a.length)

/**
 * Takes over a folder of `useMultiFileAuthState`: all of it in one commit, or nothing.
 *
 * What Baileys reads there by an id, {@link useStoreAuthState} reads here by the same id. The folder is left as it is.
 */
export async function importMultiFileAuth(
  dir: string,
  store: Store,
  session: string,
  options: MultiFileOptions = {}
): Promise<MultiFileImport> {
  const { BufferJSON } = await load(options.baileys)
  const entries: AuthEntry[] = []
  const skipped: string[] = []
  let hasCreds = false
  for (const name of (await readdir(dir)).sort()) {
    const key = name === 'creds.json' ? ([CREDS, ''] as const) : keyOf(name)
    if (!key) {
      skipped.push(name)
      continue
    }
    const [category, keyId] = key
    const value = await readFile(join(dir, name))
    const problem = unreadable(value, category, BufferJSON.reviver)
    if (problem === undefined) {
      hasCreds ||= category === CREDS
      entries.push({ category, keyId, value })
    } else if (options.skipUnreadable && category !== CREDS) {
      skipped.push(name)
    } else {
      throw new OpenWAError('INVALID_DATA', `${name} ${problem}; nothing was imported`, {
        context: { path: join(dir, name) }
      })
    }
  }
  if (!hasCreds) {
    throw new OpenWAError('NOT_FOUND', `there is no creds.json in ${dir}`, { context: { path: dir } })
  }
  await store.auth.set(session, [...(await inTheWay(store, session, options)), ...entries])
  return { keys: entries.length - 1, skipped }
}

/** Deletes what the session has, if that is allowed. */
async function inTheWay(store: Store, session: string, { overwrite }: MultiFileOptions): Promise<AuthEntry[]> {
  const rows = await store.auth.all(session)
  if (!overwrite && rows.some((row) => row.category === CREDS)) {
    throw new OpenWAError('ALREADY_EXISTS', 'the session has credentials; overwrite: true replaces them', {
      context: { session }
    })
  }
  return rows.map((row) => without(row.category, row.keyId))
}

/** Type and id of a key file. */
function keyOf(name: string): [string, string] | undefined {
  if (!name.endsWith('.json')) return undefined
  const type = TYPES.find((type) => name.startsWith(`${type}-`))
  return type && [type, idOfFile(name.slice(type.length + 1, -'.json'.length))]
}

/** Why a file is nothing that Baileys wrote. */
function unreadable(
  value: Buffer,
  category: string,
  reviver: (key: string, value: unknown) => unknown
): string | undefined {
  if (value.length === 0) return 'is empty'
  try {
    const parsed: unknown = JSON.parse(value.toString(), reviver)
    return category === CREDS && !isCreds(parsed) ? 'holds no credentials' : undefined
  } catch {
    return 'is not JSON; it may be cut off'
  }
}
