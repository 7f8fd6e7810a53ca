import type { AuthenticationCreds, AuthenticationState, SignalDataSet } from 'baileys' with { 'resolution-mode': 'import' }

import type { AuthEntry } from '../generated/types.js'
import { OpenWAError } from '../core.js'
import type { Store } from '../store.js'
import { load, type Engine } from './engine.js'
import { CREDS, decode, encode, without } from './keys.js'

export interface AuthStateOptions {
  /** The package, if it is not to be imported as `baileys` or `@whiskeysockets/baileys`. */
  baileys?: Engine
}

export interface StoreAuthState {
  /** For `makeWASocket({ auth: state })`. Wrap `state.keys` in `makeCacheableSignalKeyStore` as ever. */
  state: AuthenticationState
  /** Stores the credentials; call it on `creds.update`. */
  saveCreds(): Promise<void>
  /** Waits for what is being written; later changes are refused. It does not close the store. */
  close(): Promise<void>
}

/**
 * A session's credentials in the store, instead of thousands of files.
 *
 * Every `set` is one commit, across all types of keys: a crash leaves the old keys or the new ones, never a mixture.
 * Only credentials that are *missing* start a fresh pairing; credentials that are there and cannot be read are an
 * `UNREADABLE` error, for a pairing that was overwritten cannot be got back.
 */
export async function useStoreAuthState(
  store: Store,
  session: string,
  options: AuthStateOptions = {}
): Promise<StoreAuthState> {
  const { BufferJSON, initAuthCreds, proto } = await load(options.baileys)
  const stored = decode(await store.auth.get(session, CREDS, ''), BufferJSON, CREDS, '')
  if (stored !== undefined && !isCreds(stored)) {
    throw new OpenWAError('UNREADABLE', 'the stored creds are not what Baileys writes', {
      context: { category: CREDS }
    })
  }
  const creds = (stored ?? initAuthCreds()) as AuthenticationCreds

  const writing = new Set<Promise<void>>()
  let closed = false
  const write = (entries: AuthEntry[]): Promise<void> => {
    if (closed) return Promise.reject(new OpenWAError('CLOSED', 'this auth state is closed'))
    if (entries.length === 0) return Promise.resolve()
    const done = store.auth.set(session, entries)
    writing.add(done)
    const forget = (): void => void writing.delete(done)
    done.then(forget, forget)
    return done
  }

  const keys: AuthenticationState['keys'] = {
    async get(type, ids) {
      const rows = await store.auth.getMany(session, type, ids)
      const data: Record<string, unknown> = {}
      for (const [i, id] of ids.entries()) {
        const value = decode(rows[i]!, BufferJSON, type, id) ?? null
        data[id] =
          type === 'app-state-sync-key' && value ? proto.Message.AppStateSyncKeyData.fromObject(value as object) : value
      }
      // eslint-disable-next-line @typescript-eslint/no-explicit-any
      return data as any
    },
    set(data) {
      return write(changes(data))
    },
    async clear() {
      const rows = await store.auth.all(session)
      await write(rows.filter((row) => row.category !== CREDS).map((row) => without(row.category, row.keyId)))
    }
  }

  function changes(data: SignalDataSet): AuthEntry[] {
    const entries: AuthEntry[] = []
    for (const [category, byId] of Object.entries(data)) {
      for (const [keyId, value] of Object.entries(byId ?? {})) {
        entries.push(value ? { category, keyId, value: encode(value, BufferJSON) } : without(category, keyId))
      }
    }
    return entries
  }

  return {
    state: { creds, keys },
    saveCreds: () => write([{ category: CREDS, keyId: '', value: encode(creds, BufferJSON) }]),
    async close() {
      closed = true
      await Promise.allSettled(writing)
    }
  }
}

/** Whether these are credentials, and not some other JSON. */
export function isCreds(value: unknown): boolean {
  const { noiseKey, signedIdentityKey } = (value ?? {}) as Partial<AuthenticationCreds>
  return noiseKey?.private instanceof Uint8Array && signedIdentityKey?.private instanceof Uint8Array
}
