import type { Handle } from './native.js'
import { call, callLong, type LongOptions, type Verb } from './runtime.js'

/** One page of a longer list. */
export interface Page<T> {
  /** The rows. */
  items: T[]
  /** Give this as `after` to get the next page; null: there is none. */
  next: string | null
}

/** Rows that an iteration fetches at a time. */
const ROWS = 500

/** Verbs of an open store. */
export abstract class Group {
  /** @internal */
  protected readonly handle: Handle

  /** @internal */
  constructor(handle: Handle) {
    this.handle = handle
  }

  /** @internal */
  protected run<T>(verb: Verb<T>, args: readonly unknown[]): Promise<T> {
    return call(this.handle, verb, args)
  }

  /** @internal */
  protected runLong<T>(verb: Verb<T>, args: readonly unknown[], options?: LongOptions): Promise<T> {
    return callLong(this.handle, verb, args, options)
  }

  /**
   * Every row, a page at a time: the next page is read when the loop gets there, so memory does not grow.
   * @internal
   */
  protected async *walk<T>(verb: Verb<Page<T>>, query: object): AsyncGenerator<T, void, undefined> {
    let after = (query as { after?: string }).after
    do {
      const page: Page<T> = await this.run(verb, [{ limit: ROWS, ...query, after }])
      yield* page.items
      after = page.next ?? undefined
    } while (after !== undefined)
  }
}
