import type {
  BaileysEventMap,
  GroupMetadata,
  WAMessage,
  WAMessageContent,
  WAMessageKey
} from 'baileys' with { 'resolution-mode': 'import' }

import { RawJson } from '../core.js'
import { Ingestion, type IngestOptions } from '../ingestion.js'
import type { Store } from '../store.js'
import type { AuthStateOptions } from './auth-state.js'
import { load, type Engine } from './engine.js'
import { Groups } from './groups.js'

type Events = Partial<BaileysEventMap>

/** What is used of a socket of Baileys. */
export interface Socket {
  ev: { process(handler: (events: Events) => void | Promise<void>): (() => void) | void }
  groupMetadata?: (id: string) => Promise<GroupMetadata>
}

export interface BindOptions extends AuthStateOptions, IngestOptions<Events> {
  /**
   * Whose messages are kept in encoded form, for {@link BaileysBinding.getMessage}: `own` (default) are the account's
   * own, and what others may be asked back about (polls, events); `all` and `none` are what they say.
   */
  keepRaw?: 'own' | 'all' | 'none'
}

export interface BaileysBinding {
  /** The original content of a message, for `makeWASocket({ getMessage })`; `undefined` if it is not kept. */
  getMessage(key: WAMessageKey): Promise<WAMessageContent | undefined>
  /** The members of a group, for `makeWASocket({ cachedGroupMetadata })`, asked from the server once. */
  cachedGroupMetadata(id: string): Promise<GroupMetadata | undefined>
  /** Waits until everything that was heard so far is stored. */
  flush(): Promise<void>
  /** Stops listening, and waits as `flush` does. It does not close the store. */
  close(): Promise<void>
}

/**
 * Stores everything that a socket tells: messages, acks, edits, deletions, reactions, contacts, addresses, status. Each
 * event map is one commit. Bind every new socket of a session; what comes twice is recognised.
 */
export function bindToBaileys(sock: Socket, store: Store, session: string, options: BindOptions = {}): BaileysBinding {
  const groups = new Groups()
  const ingestion = new Ingestion<Events>(options, (json) => store.ingest('baileys', session, new RawJson(json)))
  let engine = options.baileys
  const ready = load(options.baileys).then((loaded) => (engine = loaded))
  // Whoever awaits `ready` hears of the error.
  ready.catch(() => {})

  const hear = async (events: Events): Promise<void> => {
    groups.hear(events)
    // Events keep their order: those that come before the package is loaded wait for it.
    const json = (loaded: Engine): string => write(events, loaded, options.keepRaw ?? 'own')
    return ingestion.take(events, engine ? json(engine) : ready.then(json))
  }
  const stop = sock.ev.process(hear)

  return {
    async getMessage({ id }) {
      if (!id) return undefined
      await ingestion.flush()
      const raw = (await store.messages.find(session, id))?.raw
      return raw ? (await ready).proto.Message.decode(raw) : undefined
    },
    async cachedGroupMetadata(id) {
      const known = groups.get(id)
      if (known || !sock.groupMetadata) return known
      try {
        const group = await sock.groupMetadata(id)
        groups.put(group)
        return group
      } catch {
        // Baileys asks by itself then, and reports the reason.
        return undefined
      }
    },
    flush: () => ingestion.flush(),
    async close() {
      stop?.()
      await ingestion.flush()
    }
  }
}

/** An event map as JSON. Keys, thumbnails and other bytes say nothing to the store; credentials are none of its business. */
function write(events: Events, engine: Engine, keep: NonNullable<BindOptions['keepRaw']>): string {
  const creds = events['creds.update']
  const told = creds ? { ...events, 'creds.update': { me: creds.me } } : events
  const raw = new Map<unknown, string>()
  for (const message of messagesOf(events)) {
    const base64 = encoded(message, engine, keep)
    if (base64) raw.set(message, base64)
  }
  return JSON.stringify(told, function (this: Record<string, unknown>, key, value) {
    const original = this[key]
    if (original instanceof Uint8Array) return undefined
    const text = raw.get(original)
    return text === undefined ? value : { ...value, raw: text }
  })
}

function* messagesOf(events: Events): Generator<WAMessage> {
  yield* events['messages.upsert']?.messages ?? []
  yield* events['messaging-history.set']?.messages ?? []
}

/** What Baileys may ask back: own messages for a retry, polls and events to understand the answers to them. */
const ASKED_BACK = /^(pollCreationMessage(V\d)?|eventMessage)$/

function encoded({ key, message }: WAMessage, { proto }: Engine, keep: BindOptions['keepRaw']): string | undefined {
  if (!message || keep === 'none') return undefined
  if (keep === 'own' && !key?.fromMe && !Object.keys(message).some((kind) => ASKED_BACK.test(kind))) return undefined
  try {
    return Buffer.from(proto.Message.encode(proto.Message.fromObject(message)).finish()).toString('base64')
  } catch {
    // A message that cannot be encoded can still be stored.
    return undefined
  }
}
