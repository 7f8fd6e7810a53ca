import { RawJson } from '../core.js'
import { Ingestion, type IngestOptions } from '../ingestion.js'
import type { Store } from '../store.js'

/** What is used of a client of whatsapp-web.js. */
export interface Client {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  on(event: string, listener: (...args: any[]) => void): unknown
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  off(event: string, listener: (...args: any[]) => void): unknown
  readonly info?: unknown
  getContacts?: () => Promise<object[]>
  getContactLidAndPhone?: (ids: string[]) => Promise<object[]>
}

/** One event, with the arguments of its listener. */
export interface ClientEvent {
  event: string
  data: unknown[]
}

export interface ClientOptions extends IngestOptions<ClientEvent> {
  /** Whether contacts and their two addresses are asked for when the client is ready; default true. */
  contacts?: boolean
}

export interface ClientBinding {
  /** Waits until everything that was heard so far is stored. */
  flush(): Promise<void>
  /** Stops listening, and waits as `flush` does. It does not close the store. */
  close(): Promise<void>
}

/** Events that tell the store something by their arguments. */
const TELLING = [
  'auth_failure',
  'disconnected',
  'group_admin_changed',
  'group_join',
  'group_leave',
  'group_membership_request',
  'group_update',
  'message',
  'message_ack',
  'message_ciphertext',
  'message_ciphertext_failed',
  'message_create',
  'message_edit',
  'message_reaction',
  'message_revoke_everyone'
]
/** Events whose coming is enough; a login's secrets are none of the store's business. */
const SILENT = ['authenticated', 'code', 'qr']
/** People whose addresses are asked for at once: each is looked up in the browser. */
const PEOPLE = 200

/**
 * Stores everything that a client tells: messages, acks, edits, deletions, reactions, contacts, addresses, status. Each
 * event is one commit; what comes twice is recognised.
 */
export function bindToClient(client: Client, store: Store, session: string, options: ClientOptions = {}): ClientBinding {
  const ingestion = new Ingestion<ClientEvent>(options, (json) => store.ingest('wwebjs', session, new RawJson(json)))
  const asked = new Set<Promise<void>>()
  const take = (event: string, data: unknown[]): Promise<void> => {
    const told = { event, data }
    return ingestion.take(told, JSON.stringify(told))
  }

  const ready = (): void => {
    void take('ready', client.info ? [client.info] : [])
    if (options.contacts === false) return
    const work = people().catch((error: unknown) => ingestion.report(error, { event: '@getContacts', data: [] }))
    asked.add(work)
    void work.finally(() => asked.delete(work))
  }

  async function people(): Promise<void> {
    const contacts = (await client.getContacts?.()) as Array<{ id?: { _serialized?: string }; isUser?: boolean }> | undefined
    if (!contacts) return
    await take('@getContacts', [contacts])
    const ids = contacts.flatMap(({ id, isUser }) => (isUser !== false && id?._serialized ? [id._serialized] : []))
    for (let i = 0; client.getContactLidAndPhone && i < ids.length; i += PEOPLE) {
      await take('@getContactLidAndPhone', [await client.getContactLidAndPhone(ids.slice(i, i + PEOPLE))])
    }
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const listeners: Array<[string, (...args: any[]) => void]> = [
    ...TELLING.map((event): [string, (...args: unknown[]) => void] => [event, (...args) => void take(event, args)]),
    ...SILENT.map((event): [string, () => void] => [event, () => void take(event, [])]),
    ['ready', ready]
  ]
  for (const [event, listener] of listeners) client.on(event, listener)

  const flush = async (): Promise<void> => {
    await Promise.all(asked)
    await ingestion.flush()
  }
  return {
    flush,
    async close() {
      for (const [event, listener] of listeners) client.off(event, listener)
      await flush()
    }
  }
}
