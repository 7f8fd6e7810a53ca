/** The addon, found for this platform by napi's own loader. */
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

export const native: Native = require('../native.js')
