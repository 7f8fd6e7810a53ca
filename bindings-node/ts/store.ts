import { OpenWAError } from './error.js'
import { writeOpenOptions } from './generated/codec.js'
import { Groups } from './generated/groups.js'
import type { OpenOptions } from './generated/types.js'
import { close, open } from './runtime.js'

/**
 * An open store. Any number may be open in one process and in worker threads; two of one folder see each other's
 * writes. `await using store = await openStore(…)` closes it at the end of the block.
 */
export class Store extends Groups {
  #closing: Promise<void> | undefined

  /** Writes what was asked for, then closes the files. A second call does nothing. */
  close(): Promise<void> {
    return (this.#closing ??= close(this.handle))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

async function openWith({ memory, ...options }: OpenOptions, fromEnv: boolean): Promise<Store> {
  if (memory && (options.dir ?? options.main ?? options.data) !== undefined) {
    throw OpenWAError.invalid('memory', 'a store in memory has neither folder nor files')
  }
  const dir = memory ? undefined : (options.dir ?? './data')
  return new Store(await open(writeOpenOptions({ ...options, dir, fromEnv }, 'options')))
}

/** Opens a store and brings its databases to this version. */
export function openStore(options: OpenOptions = {}): Promise<Store> {
  return openWith(options, false)
}

/**
 * Opens the store that the environment describes, with the names that gateways use: `DATABASE_TYPE`, `DATABASE_NAME`,
 * `MAIN_DATABASE_NAME`, `API_KEY_PEPPER` and so on. Relative paths are relative to `dir`, and so are unset ones.
 */
openStore.fromEnv = (options: OpenOptions = {}): Promise<Store> => openWith(options, true)
