import { OpenWAError } from './error.js'

/** The addon. */
export interface Native {
  verbs(): string[]
  version(): string
  decisions(): string[]
  Runtime: new (wake: () => void, pack: (...items: unknown[]) => unknown[]) => NativeRuntime
}

/** `[0, value]` or `[1, failure]`. */
export type Outcome = [0 | 1, unknown]

/** `[code, message, retryable, operation, [name, value, …], [cause, …]]`. */
export type Failure = [string, string, boolean, string | null, string[], string[]]

export interface NativeRuntime {
  open(call: number, options: unknown): Failure | null
  drain(limit: number): unknown[]
  readonly isIdle: boolean
  callPure(verb: number, args: unknown[]): Outcome
  stop(call: number): void
}

/** 16 times the number of the key's record, plus the number of the decision; null: it was refused. */
export type Authorizer = (key: string, ...ask: Array<string | null | undefined>) => number | null

export interface Handle {
  call(call: number, verb: number, args: unknown[]): Failure | null
  authorizer(): Authorizer
  refused(): Failure | null
  keyRecord(number: number): unknown
  close(call: number): void
}

/** By napi's names: beside this package where it was built, else in the package for this platform that npm installed. */
function load(): Native {
  const { arch, platform } = process
  const libraries = { linux: ['-gnu', '-musl'], win32: ['-msvc'] }[platform as string] ?? ['']
  let reason: unknown
  for (const library of libraries) {
    const target = `${platform}-${arch}${library}`
    for (const name of [`../openwa-store.${target}.node`, `openwa-store-${target}`]) {
      try {
        return require(name)
      } catch (error) {
        // One that is there and does not load says more than those that are not there.
        if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') reason ??= error
      }
    }
  }
  const why = reason instanceof Error ? reason.message : 'its package is not installed; npm does that unless optional dependencies are left out'
  throw new OpenWAError('UNSUPPORTED', `the addon for ${platform}-${arch} cannot be loaded: ${why}`, { cause: reason })
}

export const native: Native = load()
