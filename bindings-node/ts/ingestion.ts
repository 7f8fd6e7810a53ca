import type { Ingested } from './generated/types.js'
import { OpenWAError } from './core.js'

/** What bindings of engines have in common. */
export interface IngestOptions<Events> {
  /** Hears what each event did, once it is on the disk: fire webhooks on messages whose outcome is `inserted`. */
  onIngested?: (result: Ingested, events: Events) => void
  /** Hears of events that could not be stored; default: a warning of the process. */
  onError?: (error: unknown, events: Events) => void
}

/** How long a store that is busy is asked again: five times, a second after the fourth. */
const RETRY_AFTER = [50, 100, 300, 1000]

/** Events on their way into the store. An error of one is reported and never reaches the engine. */
export class Ingestion<Events> {
  readonly #options: IngestOptions<Events>
  readonly #ingest: (json: string) => Promise<Ingested>
  readonly #underWay = new Set<Promise<void>>()

  constructor(options: IngestOptions<Events>, ingest: (json: string) => Promise<Ingested>) {
    this.#options = options
    this.#ingest = ingest
  }

  /** Stores events that were written as JSON; resolves when that is done, or has been reported as failed. */
  take(events: Events, json: string | Promise<string>): Promise<void> {
    // What is at hand is submitted at once, so that events keep their order.
    const result = typeof json === 'string' ? this.#patiently(json) : json.then((json) => this.#patiently(json))
    const work = result.then(
      (result) => this.#options.onIngested?.(result, events),
      (error: unknown) => this.report(error, events)
    )
    this.#underWay.add(work)
    const forget = (): void => void this.#underWay.delete(work)
    work.then(forget, forget)
    return work
  }

  /** Waits until everything that was taken so far is done. */
  async flush(): Promise<void> {
    await Promise.allSettled(this.#underWay)
  }

  async #patiently(json: string): Promise<Ingested> {
    for (const ms of RETRY_AFTER) {
      try {
        return await this.#ingest(json)
      } catch (error) {
        if (!(error instanceof OpenWAError) || !error.retryable) throw error
        await new Promise((resolve) => setTimeout(resolve, ms))
      }
    }
    return this.#ingest(json)
  }

  /** Tells of events that could not be had. */
  report(error: unknown, events: Events): void {
    if (this.#options.onError) return this.#options.onError(error, events)
    process.emitWarning(error instanceof Error ? error : String(error))
  }
}
