/**
 * Calls under way. The addon rings `drain` once for any number of answers that are ready; they are taken in portions,
 * so that timers and sockets have their turn however many promises resolve.
 */
import type { Decode, Encode } from './codec.js'
import { OpenWAError, failure } from './error.js'
import { native, type Failure, type Handle } from './native.js'

/** How long the event loop may be held up by one portion of answers and by what the host does with them, in milliseconds. */
const TURN = 1.5
/** The smallest and the largest portion. */
const [FEW, MANY] = [8, 256]

interface Waiting {
  resolve(value: unknown): void
  reject(error: unknown): void
  decode: Decode
  /** Keeps the store open until it has answered. */
  handle: Handle | undefined
  onProgress: ((progress: Progress) => void) | undefined
}

/** How far a long call has come. */
export interface Progress {
  /** The table that is being worked on. */
  table: string
  /** Its rows that are done. */
  rows: number
  /** All its rows, where that is known. */
  total: number | null
}

/** What a call that may take minutes accepts beside its arguments. */
export interface LongOptions {
  /** Hears of progress every thousand rows or so. */
  onProgress?: (progress: Progress) => void
  /** Stops the call, which fails with `CANCELLED`. */
  signal?: AbortSignal
}

/** The calls under way, each at its number; the numbers that are free. A map would grow and shrink all the time. */
const waiting: Array<Waiting | undefined> = []
const free: number[] = []
let underWay = 0
// The addon's bell does not keep the process alive; this does while something is under way.
const alive = setInterval(() => {}, 0x7fffffff)
alive.unref()

const runtime = new native.Runtime(drain, (...items) => items)

let portion = 64
/** When the portion before this one was given; the host's part of the work is done by the next turn. */
let given: number | undefined

function drain(): void {
  const now = performance.now()
  if (given !== undefined) {
    const took = now - given
    if (took > TURN) portion = Math.max(FEW, portion >> 1)
    else if (took < TURN / 2) portion = Math.min(MANY, portion << 1)
  }
  const events = runtime.drain(portion)
  for (let i = 0; i < events.length; i += 3) {
    settle(events[i] as number, events[i + 1] as number, events[i + 2])
  }
  given = runtime.isIdle ? undefined : now
  if (given !== undefined) setImmediate(drain)
}

function settle(call: number, what: number, value: unknown): void {
  const entry = waiting[call]
  if (!entry) return
  if (what === 2) {
    const [table, rows, total] = value as [string, number, number | null]
    entry.onProgress?.({ table, rows, total })
    return
  }
  end(call)
  if (what === 1) return entry.reject(failure(value as Failure))
  try {
    entry.resolve(entry.decode(value))
  } catch (error) {
    entry.reject(error)
  }
}

function end(call: number): void {
  waiting[call] = undefined
  free.push(call)
  if (--underWay === 0) alive.unref()
}

/** A promise for what `run` starts under the number that it is given. */
function begin<T>(
  handle: Handle | undefined,
  decode: Decode<T>,
  run: (call: number) => Failure | null | void,
  onProgress?: (progress: Progress) => void
): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = free.pop() ?? waiting.length
    waiting[call] = { resolve: resolve as (value: unknown) => void, reject, decode, handle, onProgress }
    if (underWay++ === 0) alive.ref()
    try {
      const refused = run(call)
      if (!refused) return
      reject(failure(refused))
    } catch (error) {
      reject(error)
    }
    end(call)
  })
}

const numbers = new Map(native.verbs().map((path, i) => [path, i]))

/** One verb of the library, as the generated classes name it. */
export interface Verb<T> {
  readonly path: string
  readonly number: number
  /** Makes the arguments simple. */
  encode(args: readonly unknown[]): unknown[]
  readonly decode: Decode<T>
}

function number(path: string): number {
  const found = numbers.get(path)
  if (found === undefined) {
    throw new OpenWAError('INTERNAL', `the addon has no ${path}: it is of another version (${native.version()})`)
  }
  return found
}

/** A verb that takes its arguments in order. */
export function verb<T>(path: string, params: ReadonlyArray<readonly [string, Encode]>, decode: Decode<T>): Verb<T> {
  const encode = (args: readonly unknown[]): unknown[] =>
    params.map(([name, param], i) => {
      const given = args[i]
      return given === undefined || given === null ? given : param(given, name)
    })
  return { path, number: number(path), encode, decode }
}

/** A verb that takes all its arguments, and the fields of those that are records, as one object. */
export function query<T>(path: string, params: ReadonlyArray<readonly [string, Encode]>, decode: Decode<T>): Verb<T> {
  const known = new Set(params.flatMap(([name, param]) => param.fields ?? [name]))
  const encode = ([given = {}]: readonly unknown[]): unknown[] => {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      throw OpenWAError.invalid('query', `${path} takes one object, with: ${[...known].join(', ')}`)
    }
    const fields = given as Record<string, unknown>
    for (const name in fields) {
      if (!known.has(name)) {
        throw OpenWAError.invalid(name, `${path} knows no ${name}; it takes: ${[...known].join(', ')}`)
      }
    }
    return params.map(([name, param]) => {
      if (param.fields) return param(pick(fields, param.fields), name)
      const value = fields[name]
      return value === undefined || value === null ? value : param(value, name)
    })
  }
  return { path, number: number(path), encode, decode }
}

function pick(from: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const name of names) if (from[name] !== undefined) out[name] = from[name]
  return out
}

/** Runs a verb of a store. */
export function call<T>(handle: Handle, verb: Verb<T>, args: readonly unknown[]): Promise<T> {
  let simple: unknown[]
  try {
    simple = verb.encode(args)
  } catch (error) {
    return Promise.reject(error)
  }
  return begin(handle, verb.decode, (call) => handle.call(call, verb.number, simple))
}

/** Runs a verb that may take minutes. */
export async function callLong<T>(
  handle: Handle,
  verb: Verb<T>,
  args: readonly unknown[],
  { onProgress, signal }: LongOptions = {}
): Promise<T> {
  const simple = verb.encode(args)
  const cancelled = (): OpenWAError =>
    new OpenWAError('CANCELLED', `${verb.path} was stopped`, { operation: verb.path, cause: signal?.reason })
  if (signal?.aborted) throw cancelled()
  let stop: (() => void) | undefined
  try {
    return await begin(
      handle,
      verb.decode,
      (call) => {
        stop = () => runtime.stop(call)
        signal?.addEventListener('abort', stop, { once: true })
        return handle.call(call, verb.number, simple)
      },
      onProgress
    )
  } catch (error) {
    throw error instanceof OpenWAError && error.code === 'CANCELLED' ? cancelled() : error
  } finally {
    if (stop) signal?.removeEventListener('abort', stop)
  }
}

/** Runs a rule, which needs no store. */
export function callPure<T>(verb: Verb<T>, args: readonly unknown[]): T {
  const [failed, value] = runtime.callPure(verb.number, verb.encode(args))
  if (failed) throw failure(value as Failure)
  return verb.decode(value)
}

/** Opens a store. */
export function open(options: unknown): Promise<Handle> {
  return begin(undefined, (handle: Handle) => handle, (call) => runtime.open(call, options))
}

/** Closes one. */
export function close(handle: Handle): Promise<void> {
  return begin(handle, () => undefined, (call) => handle.close(call))
}
