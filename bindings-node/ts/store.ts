import { OpenWAError } from './error.js'
import { Groups } from './generated/groups.js'
import type { Handle } from './native.js'
import { close, open } from './runtime.js'

/** How a store is opened. Everything has a sensible default. */
export interface OpenOptions {
  /** The folder of the store, made if it is missing; default `./data`. */
  dir?: string
  /** File of the Main database (API keys, audit); default `main.sqlite` in the folder. */
  main?: string
  /** Where the Data database is: a file for SQLite (default `data.sqlite` in the folder) or `postgres://…`. */
  data?: string
  /** Everything in memory, gone when the store is closed. For tests. */
  memory?: boolean
  /** Keys the hash of API keys. Without one, plain SHA-256 is used. */
  apiKeyPepper?: string
  /** Whether messages are kept; default true. When off, `save` only tells new messages from repeated ones. */
  history?: boolean
  /** `full` (default): an answer means that the row is on the disk. `normal`: a power cut may lose the last moment. */
  durability?: 'full' | 'normal'
  /** Writes that may wait in the library; default 8,192. More wait in JavaScript, so no save ever fails for that. */
  queue?: number
  /** Writes that may share a commit; default 1,024. */
  group?: number
}

const OPTIONS = ['dir', 'main', 'data', 'memory', 'apiKeyPepper', 'history', 'durability', 'queue', 'group']

/**
 * An open store. Any number may be open in one process and in worker threads; two of one folder see each other's
 * writes. `await using store = await openStore(…)` closes it at the end of the block.
 */
export class Store extends Groups {
  readonly #handle: Handle
  #closing: Promise<void> | undefined

  /** @internal Use {@link openStore}. */
  constructor(handle: Handle) {
    super(handle)
    this.#handle = handle
  }

  /** Writes what was asked for, then closes the files. A second call does nothing. */
  close(): Promise<void> {
    return (this.#closing ??= close(this.#handle))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

async function openWith(options: OpenOptions, fromEnv: boolean): Promise<Store> {
  if (typeof options !== 'object' || options === null) {
    throw OpenWAError.invalid('options', 'openStore takes an object, for instance { dir: "./data" }')
  }
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) {
    throw OpenWAError.invalid(unknown, `openStore knows no ${unknown}; it takes: ${OPTIONS.join(', ')}`)
  }
  const { memory, ...given } = options
  if (memory && (given.dir ?? given.main ?? given.data) !== undefined) {
    throw OpenWAError.invalid('memory', 'a store in memory has neither folder nor files')
  }
  const dir = memory ? undefined : (given.dir ?? './data')
  return new Store(await open({ ...given, dir, fromEnv }))
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
