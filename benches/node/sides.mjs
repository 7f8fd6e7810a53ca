// The three sides: this package, better-sqlite3 by hand, TypeORM. Each offers what it has under the same names.
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { once } from 'node:events'

import { PRAGMAS, SCHEMA, sample } from './schema.mjs'

export async function ours(dir) {
  const { openStore } = await import('../../bindings-node/dist/index.mjs')
  const store = await openStore({ dir })
  const session = (await store.sessions.find('bench')) ?? (await store.sessions.create({ name: 'bench' }))
  const message = (n) => {
    const { waMessageId, chatId, body, waTimestamp } = sample(n)
    return { waMessageId, chatId, fromNumber: chatId, type: 'text', body, waTimestamp }
  }
  return {
    save: (n) => store.messages.save(session.id, message(n)),
    saveMany: (from, count) => store.messages.saveMany(session.id, Array.from({ length: count }, (_, i) => message(from + i))),
    page: (chat) => store.messages.list({ session: session.id, chat, limit: 50 }).then((page) => page.items),
    key: async () => (await store.apiKeys.create({ name: 'k', permissions: ['messages:read'] })).key,
    authorize: (key) => store.apiKeys.authorizeSync(key, { permission: 'messages:read' }).allowed,
    exportTo: (path) => store.exportFile(path),
    importFrom: (path) => store.importFile(path),
    close: () => store.close()
  }
}

const COLUMNS = 'id, session_id, wa_message_id, chat_id, from_number, to_number, type, body, media, ack, from_me, is_group, wa_timestamp, created_at'
const INSERT = `INSERT INTO messages (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
const PAGE = `SELECT ${COLUMNS} FROM messages WHERE session_id = ? AND chat_id = ? ORDER BY wa_timestamp DESC LIMIT 50`

export async function byHand(dir) {
  const { default: Database } = await import('better-sqlite3')
  const db = new Database(join(dir, 'by-hand.sqlite'))
  for (const pragma of PRAGMAS) db.pragma(pragma)
  if (!db.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'messages'`).get()) db.exec(SCHEMA)
  let session = db.prepare('SELECT id FROM sessions').pluck().get()
  if (!session) db.prepare('INSERT INTO sessions (id, name) VALUES (?, ?)').run((session = randomUUID()), 'bench')
  const insert = db.prepare(INSERT)
  const put = (n) => {
    const { waMessageId, chatId, body, waTimestamp } = sample(n)
    const at = waTimestamp.toISOString()
    insert.run(randomUUID(), session, waMessageId, chatId, chatId, null, 'text', body, null, 0, 0, 0, at, at)
  }
  const putMany = db.transaction((from, count) => {
    for (let i = 0; i < count; i++) put(from + i)
  })
  const page = db.prepare(PAGE)
  const asMessage = (row) => ({
    id: row.id,
    sessionId: row.session_id,
    waMessageId: row.wa_message_id,
    chatId: row.chat_id,
    fromNumber: row.from_number,
    toNumber: row.to_number,
    type: row.type,
    body: row.body,
    media: row.media === null ? null : JSON.parse(row.media),
    ack: row.ack,
    fromMe: row.from_me !== 0,
    isGroup: row.is_group !== 0,
    waTimestamp: new Date(row.wa_timestamp),
    createdAt: new Date(row.created_at)
  })
  const byHash = db.prepare('SELECT id, permissions, active, expires_at FROM api_keys WHERE key_hash = ?')
  const hash = (key) => createHash('sha256').update(key).digest('hex')
  return {
    save: async (n) => put(n),
    saveMany: async (from, count) => putMany(from, count),
    page: async (chat) => page.all(session, chat).map(asMessage),
    key: async () => {
      const key = `owa_k1_${randomBytes(32).toString('hex')}`
      db.prepare('INSERT INTO api_keys (id, key_hash, name, permissions, created_at) VALUES (?, ?, ?, ?, ?)').run(
        randomUUID(), hash(key), 'k', '["messages:read"]', new Date().toISOString()
      )
      return key
    },
    authorize: (key) => {
      const row = byHash.get(hash(key))
      if (!row || !row.active || (row.expires_at && new Date(row.expires_at) <= new Date())) return false
      const permissions = JSON.parse(row.permissions)
      return permissions.includes('*') || permissions.includes('messages:read')
    },
    exportTo: async (path) => {
      const out = createWriteStream(path)
      for (const row of db.prepare(`SELECT ${COLUMNS} FROM messages`).iterate()) {
        if (!out.write(`${JSON.stringify(row)}\n`)) await once(out, 'drain')
      }
      out.end()
      await once(out, 'finish')
    },
    importFrom: async (path) => {
      // The file has messages alone; whose they are is not what is measured.
      db.pragma('foreign_keys = OFF')
      db.exec('BEGIN; DELETE FROM messages')
      for await (const line of createInterface({ input: createReadStream(path) })) {
        insert.run(...Object.values(JSON.parse(line)))
      }
      db.exec('COMMIT')
    },
    close: async () => void db.close()
  }
}

export async function typeorm(dir) {
  await import('reflect-metadata')
  const { DataSource, EntitySchema } = await import('typeorm')
  const text = { type: 'text' }
  const Message = new EntitySchema({
    name: 'Message',
    tableName: 'messages',
    columns: {
      id: { type: 'text', primary: true, generated: 'uuid' },
      sessionId: { ...text, name: 'session_id' },
      waMessageId: { ...text, name: 'wa_message_id' },
      chatId: { ...text, name: 'chat_id' },
      fromNumber: { ...text, name: 'from_number' },
      toNumber: { ...text, name: 'to_number', nullable: true },
      type: text,
      body: { ...text, nullable: true },
      media: { type: 'simple-json', nullable: true },
      ack: { type: 'integer', nullable: true },
      fromMe: { type: 'boolean', name: 'from_me' },
      isGroup: { type: 'boolean', name: 'is_group' },
      waTimestamp: { type: 'datetime', name: 'wa_timestamp' },
      createdAt: { type: 'datetime', name: 'created_at' }
    }
  })
  const source = new DataSource({
    type: 'better-sqlite3',
    database: join(dir, 'typeorm.sqlite'),
    entities: [Message],
    prepareDatabase: (db) => {
      for (const pragma of PRAGMAS) db.pragma(pragma)
      if (!db.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'messages'`).get()) db.exec(SCHEMA)
      db.exec(`INSERT OR IGNORE INTO sessions (id, name) VALUES ('bench', 'bench')`)
    }
  })
  await source.initialize()
  const messages = source.getRepository(Message)
  const make = (n) => {
    const { waMessageId, chatId, body, waTimestamp } = sample(n)
    return messages.create({ sessionId: 'bench', waMessageId, chatId, fromNumber: chatId, type: 'text', body, ack: 0, fromMe: false, isGroup: false, waTimestamp, createdAt: waTimestamp })
  }
  return {
    save: (n) => messages.save(make(n)),
    page: (chatId) => messages.find({ where: { sessionId: 'bench', chatId }, order: { waTimestamp: 'DESC' }, take: 50 }),
    saveMany: (from, count) => messages.save(Array.from({ length: count }, (_, i) => make(from + i))),
    close: () => source.destroy()
  }
}
