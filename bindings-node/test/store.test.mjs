// The package as a bot sees it: verbs, values, errors. The rules themselves are tested with the library; these cases are
// what may go wrong on the way between JavaScript and it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import vm from 'node:vm'

import { OpenWAError, Store, openStore, policy } from 'openwa-store'

import { after, all, folder, openFor, text } from './helpers.mjs'

const CHAT = '12025550143@s.whatsapp.net'

async function withSession(t, options) {
  const store = await openFor(t, options)
  const session = await store.sessions.create({ name: 'shop-1' })
  return { store, session: session.id }
}

test('import and require are one package', async () => {
  const required = createRequire(import.meta.url)('openwa-store')
  assert.equal(required.openStore, openStore)
  assert.equal(required.OpenWAError, OpenWAError)
})

test('the example of the documentation', async (t) => {
  const store = await openFor(t, { dir: folder(t) })
  const session = await store.sessions.create({ name: 'shop-1' })
  const waTimestamp = new Date()
  const message = { waMessageId: '3EB0', chatId: CHAT, fromNumber: CHAT, type: 'text', body: 'hi', waTimestamp }
  const saved = await store.messages.save(session.id, message)
  assert.equal(saved.outcome, 'inserted')
  assert.equal((await store.messages.save(session.id, message)).outcome, 'unchanged')
  assert.equal((await store.messages.save(session.id, { ...message, ack: 3 })).outcome, 'updated')
  const page = await store.messages.list({ session: session.id, chat: CHAT, limit: 50 })
  assert.deepEqual(page, { items: [{ ...saved.message, ack: 3 }], next: null })
  const { key, apiKey } = await store.apiKeys.create({ name: 'ci', permissions: ['messages:read'] })
  const decision = await store.apiKeys.authorize(key, { ip: '203.0.113.7', permission: 'messages:read' })
  assert.deepEqual([decision.allowed, decision.decision, decision.apiKey.id], [true, 'allowed', apiKey.id])
  assert.deepEqual(store.apiKeys.authorizeSync(key, { permission: 'messages:send' }).decision, 'permission_denied')
  assert.ok(store instanceof Store)
})

test('await using closes', async () => {
  const store = await openStore({ memory: true })
  // What the end of an `await using` block calls.
  await store[Symbol.asyncDispose]()
  await assert.rejects(store.sessions.list(), { code: 'CLOSED' })
  await store.close()
})

test('values come back as they went in', async (t) => {
  const { store, session } = await withSession(t, { dir: folder(t) })
  const raw = Buffer.from([0, 255, 10, 0])
  const media = { mimetype: 'image/png', nested: [1, 2.5, -3, null, true, { 'ключ\u0000': 'a\ud83d' }], big: 1e300 }
  for (const body of ['', 'a', '\u0000', 'a\ud83d', '\udc00b', '\u241b', '\u241bD83D', '\u{1F600}', 'שלום', 'x'.repeat(100_000), 'é'.repeat(5000)]) {
    const waMessageId = `id-${body.slice(0, 20)}`
    await store.messages.save(session, text(waMessageId, { body, media, raw, waTimestamp: new Date(1) }))
    const found = await store.messages.find(session, waMessageId)
    assert.equal(found.body, body)
    assert.equal(found.waMessageId, waMessageId)
    assert.deepEqual(found.media, media)
    assert.deepEqual(found.raw, raw)
    assert.equal(found.waTimestamp.getTime(), 1)
    assert.ok(found.createdAt instanceof Date)
  }
  const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
  await store.messages.save(session, text('view', { raw: bytes }))
  assert.deepEqual((await store.messages.find(session, 'view')).raw, Buffer.from([2, 3]))
  const ends = [new Date(-62167219200000), new Date(253402300799999)]
  for (const [i, waTimestamp] of ends.entries()) {
    const { message } = await store.messages.save(session, text(`end-${i}`, { waTimestamp }))
    assert.deepEqual(message.waTimestamp, waTimestamp)
  }
  const foreign = vm.runInNewContext('new Date(5)')
  assert.equal((await store.messages.save(session, text('realm', { waTimestamp: foreign }))).message.waTimestamp.getTime(), 5)
})

test('undefined is not given, null empties', async (t) => {
  const store = await openFor(t)
  const made = await store.sessions.create({ name: 'shop-1', phone: '12025550100', pushName: undefined, config: { a: 1 } })
  assert.deepEqual([made.phone, made.pushName, made.config], ['12025550100', null, { a: 1 }])
  assert.equal((await store.sessions.update(made.id, { phone: undefined })).phone, '12025550100')
  assert.equal((await store.sessions.update(made.id, { phone: null })).phone, null)
  await assert.rejects(store.sessions.update(made.id, { name: null }), { code: 'INVALID_ARGUMENT' })
})

test('errors name what is wrong', async (t) => {
  const { store, session } = await withSession(t)
  const refused = async (work, code, column, message = /./) =>
    assert.rejects(work, (error) => {
      assert.ok(error instanceof OpenWAError && error instanceof Error)
      assert.deepEqual([error.name, error.code, error.retryable, error.context.column], ['OpenWAError', code, false, column])
      assert.match(error.message, message)
      assert.match(error.stack, /OpenWAError/)
      return true
    })
  const bad = (more) => store.messages.save(session, text('A', more))
  await refused(bad({ waTimestamp: 1767600000 }), 'INVALID_ARGUMENT', 'waTimestamp', /a Date/)
  await refused(bad({ waTimestamp: new Date(NaN) }), 'INVALID_ARGUMENT', 'waTimestamp', /invalid Date/)
  await refused(bad({ waTimestamp: new Date(8.64e15) }), 'INVALID_ARGUMENT', 'wa_timestamp', /years/)
  await refused(bad({ body: 7 }), 'INVALID_ARGUMENT', 'body', /a string, not a number/)
  await refused(bad({ ack: 1.5 }), 'INVALID_ARGUMENT', 'ack', /whole number/)
  await refused(bad({ ack: 2n ** 63n }), 'INVALID_ARGUMENT', 'ack', /64 bits/)
  await refused(bad({ ack: 17 }), 'INVALID_ARGUMENT', 'ack')
  await refused(bad({ raw: 'text' }), 'INVALID_ARGUMENT', 'raw', /Buffer/)
  await refused(bad({ fromMe: 'yes' }), 'INVALID_ARGUMENT', 'fromMe', /true or false/)
  await refused(bad({ media: 5n }), 'INVALID_ARGUMENT', 'media', /JSON/)
  await refused(bad({ chatId: undefined }), 'INVALID_ARGUMENT', 'chat_id', /missing/)
  await refused(bad({ nonsense: 1 }), 'INVALID_ARGUMENT', 'nonsense', /no field nonsense.*waMessageId/)
  await refused(store.messages.save(session, null), 'INVALID_ARGUMENT', 'message', /NewMessage/)
  await refused(store.messages.save(session, 'text'), 'INVALID_ARGUMENT', 'message', /an object/)
  await refused(store.messages.saveMany(session, text('A')), 'INVALID_ARGUMENT', 'messages', /an array/)
  await refused(store.messages.saveMany(session, [text('A'), { ...text('B'), body: {} }]), 'INVALID_ARGUMENT', 'body')
  await refused(store.messages.list({ session, chatt: CHAT }), 'INVALID_ARGUMENT', 'chatt', /messages\.list.*chat/)
  await refused(store.messages.list({}), 'INVALID_ARGUMENT', 'session')
  await refused(store.messages.list(session), 'INVALID_ARGUMENT', 'query', /one object/)
  await refused(store.messages.list({ session, order: 'up' }), 'INVALID_ARGUMENT', 'order', /newest, oldest/)
  await refused(store.messages.get('7'), 'INVALID_ARGUMENT', 'id', /UUID/)
  await refused(store.sessions.create({ name: 'shop-1' }), 'ALREADY_EXISTS', 'name')
  await refused(store.sessions.get(crypto.randomUUID()), 'NOT_FOUND', undefined)
  await assert.rejects(store.sessions.transition(session, 'ready'), (error) => {
    assert.deepEqual([error.code, error.operation], ['INVALID_TRANSITION', 'sessions.transition'])
    return error.context.from === 'created' && error.context.to === 'ready'
  })
  assert.throws(() => policy.parseIp('010.0.0.1'), { code: 'INVALID_ARGUMENT' })
  assert.throws(() => store.apiKeys.authorizeSync('x', { permission: 'fly' }), { code: 'INVALID_ARGUMENT' })
})

test('opening', async (t) => {
  const dir = folder(t)
  await assert.rejects(openStore({ folder: dir }), { code: 'INVALID_ARGUMENT', message: /folder.*dir/ })
  await assert.rejects(openStore({ dir, durability: 'none' }), { code: 'INVALID_ARGUMENT', message: /full, normal/ })
  await assert.rejects(openStore({ dir, memory: true }), { code: 'INVALID_ARGUMENT' })
  await assert.rejects(openStore({ dir, data: 'postgres://' + 'x'.repeat(5) + ':port' }), { code: 'INVALID_ARGUMENT' })
  await assert.rejects(openStore({ dir: '/proc/nowhere' }), (error) => {
    assert.ok(error.context.path.includes('nowhere') && error.cause instanceof Error)
    return true
  })
  process.env.DATABASE_TYPE = 'oracle'
  t.after(() => delete process.env.DATABASE_TYPE)
  await assert.rejects(openStore.fromEnv({ dir }), { code: 'INVALID_ARGUMENT', message: /oracle/ })
  process.env.DATABASE_TYPE = 'sqlite'
  process.env.DATABASE_NAME = 'mine.sqlite'
  t.after(() => delete process.env.DATABASE_NAME)
  const store = await openStore.fromEnv({ dir })
  after(t, () => store.close())
  const { databases } = await store.status()
  assert.deepEqual(databases.map((d) => d.path), [join(dir, 'main.sqlite'), join(dir, 'mine.sqlite')])
})

test('a store is looked after', async (t) => {
  const { store, session } = await withSession(t)
  await store.messages.save(session, text('A'))
  const { days, databases, problems } = await store.overview({ days: 3 })
  assert.equal(days.length, 3)
  assert.ok(days[2].day instanceof Date && Array.isArray(problems))
  assert.equal(databases[1].tables.find((t) => t.table === 'messages').rows, 1)
  const { found, repaired, left } = await store.repair({ dryRun: true })
  assert.deepEqual([found, repaired, left], [[], [], []])
  const { parts, stopped } = await store.vacuum({ full: true })
  assert.deepEqual(parts.map((p) => [p.database, p.table]), [['main', null], ['data', null]])
  assert.equal(stopped, false)
})

test('one refused message does not affect the others', async (t) => {
  const { store, session } = await withSession(t)
  const results = await store.messages.saveMany(session, [text('A'), text('B', { type: 'x'.repeat(51) }), text('C')])
  assert.deepEqual(results.map((r) => r.saved?.outcome ?? r.error.code), ['inserted', 'INVALID_ARGUMENT', 'inserted'])
  assert.ok(results[1].error instanceof OpenWAError)
  assert.equal(results[1].error.context.column, 'type')
})

test('iteration reads a page at a time and stops when the loop does', async (t) => {
  const { store, session } = await withSession(t)
  const some = Array.from({ length: 1234 }, (_, i) => text(`A${i}`, { waTimestamp: new Date(1767600000000 + i) }))
  await store.messages.saveMany(session, some)
  const ids = (await all(store.messages.iterate({ session, chat: CHAT }))).map((m) => m.waMessageId)
  assert.deepEqual(ids, some.map((m) => m.waMessageId).reverse())
  assert.equal((await all(store.messages.iterate({ session, limit: 7, order: 'oldest' }))).length, 1234)
  let pages = 0
  const { run } = store.messages
  store.messages.run = function (...args) {
    pages++
    return run.apply(this, args)
  }
  t.after(() => delete store.messages.run)
  for await (const message of store.messages.iterate({ session, limit: 10 })) {
    assert.ok(message.id)
    if (pages === 3) break
  }
  assert.equal(pages, 3)
})

test('pages', async (t) => {
  const { store, session } = await withSession(t)
  await store.messages.saveMany(session, Array.from({ length: 25 }, (_, i) => text(`A${i}`, { waTimestamp: new Date(1767600000000 + i) })))
  const seen = []
  let after
  do {
    const page = await store.messages.list({ session, limit: 10, after })
    seen.push(...page.items.map((m) => m.waMessageId))
    after = page.next
  } while (after)
  assert.equal(new Set(seen).size, 25)
})

test('export and import, with progress and a way to stop', async (t) => {
  const dir = folder(t)
  const { store, session } = await withSession(t, { dir: join(dir, 'a') })
  await store.messages.saveMany(session, Array.from({ length: 5000 }, (_, i) => text(`A${i}`, { body: 'é\ud83d\u0000' })))
  const file = join(dir, 'export.json.zst')
  const heard = []
  const report = await store.exportFile(file, {}, { onProgress: (progress) => heard.push(progress) })
  assert.equal(report.tables.find((r) => r.table === 'messages').rows, 5000)
  assert.deepEqual(heard.filter((p) => p.table === 'messages').at(-1), { table: 'messages', rows: 5000, total: 5000 })

  const other = await openFor(t, { dir: join(dir, 'b') })
  const stop = new AbortController()
  const reason = new Error('enough')
  await assert.rejects(
    other.importFile(file, {}, { signal: stop.signal, onProgress: () => stop.abort(reason) }),
    (error) => error.code === 'CANCELLED' && error.cause === reason
  )
  assert.deepEqual((await other.sessions.list()).items, [])
  await assert.rejects(other.importFile(file, {}, { signal: AbortSignal.abort() }), { code: 'CANCELLED' })
  await other.importFile(file)
  assert.equal(await other.messages.count({ session }), 5000)
  assert.equal((await other.messages.find(session, 'A7')).body, 'é\ud83d\u0000')
  await assert.rejects(other.importFile(join(dir, 'nothing.json')), { code: 'NOT_FOUND' })
})

test('history switched off', async (t) => {
  const { store, session } = await withSession(t, { memory: true, history: false })
  const first = await store.messages.save(session, text('A'))
  assert.deepEqual([first.outcome, first.isNew], ['notStored', true])
  const second = await store.messages.save(session, text('A'))
  assert.deepEqual([second.outcome, second.isNew], ['notStored', false])
})

test('more writes than the queue holds wait, in their order', async (t) => {
  // Many short rounds: the writer must sometimes be faster than the first look at its answer.
  for (let round = 0; round < 20; round++) {
    const { store, session } = await withSession(t, { memory: true, queue: 4 })
    const order = []
    await Promise.all(
      Array.from({ length: 500 }, (_, i) => store.messages.save(session, text(`A${i}`)).then(() => order.push(i)))
    )
    assert.deepEqual(order, Array.from({ length: 500 }, (_, i) => i))
    await store.close()
  }
})

test('what a progress callback throws ends its own call', async (t) => {
  const { store, session } = await withSession(t, { dir: folder(t) })
  const error = new Error('of the host')
  const failing = store.exportFile(join(folder(t), 'export.json'), {}, { onProgress: () => { throw error } })
  const [other] = await Promise.all([store.messages.save(session, text('A')), assert.rejects(failing, error)])
  assert.equal(other.outcome, 'inserted')
})

test('secrets are sealed', async (t) => {
  const [first, second] = ['01'.repeat(32), '02'.repeat(32)]
  const dir = folder(t)
  const { store, session } = await withSession(t, { dir, storeKey: first })
  await store.auth.set(session, [{ category: 'creds', keyId: 'me', value: Buffer.from('s3cret') }])
  const tables = []
  const onProgress = ({ table }) => void tables.push(table)
  assert.equal(await store.rotateStoreKey(second, true, { onProgress }), 1)
  assert.ok(tables.includes('session_auth'))
  assert.equal(String((await store.auth.get(session, 'creds', 'me')).value), 's3cret')
  await store.close()

  await assert.rejects(openStore({ dir, storeKey: first }), (e) => e.code === 'WRONG_STORE_KEY' && !e.message.includes(first))
  await assert.rejects(openStore({ dir, storeKey: 'short' }), { code: 'INVALID_ARGUMENT' })
  const without = await openFor(t, { dir })
  const { state, usable } = await without.secretsStatus()
  assert.deepEqual([state, usable], ['sealed', false])
  await assert.rejects(without.auth.get(session, 'creds', 'me'), { code: 'STORE_KEY_MISSING' })
  assert.ok(!readFileSync(join(dir, 'data.sqlite')).includes('s3cret'))
})

test('batches, webhooks, contacts, audit', async (t) => {
  const { store, session } = await withSession(t)
  const job = await store.batches.create(session, {
    batchId: 'b-1',
    messages: [1, 2].map((n) => ({ chatId: CHAT, messageType: 'text', content: { text: `hi ${n}` } }))
  })
  const first = await store.batches.claimNext(job.id)
  assert.deepEqual([first.position, first.content], [0, { text: 'hi 1' }])
  await store.batches.record(first.id, { sent: true, waMessageId: 'X' })
  const second = await store.batches.claimNext(job.id)
  const done = await store.batches.record(second.id, { sent: false, errorCode: 'GONE' })
  assert.deepEqual([done.status, done.sentCount, done.failedCount], ['completed', 1, 1])
  assert.equal(await store.batches.claimNext(job.id), null)

  const webhook = await store.webhooks.create(session, { url: 'https://example.com/hook', events: ['message.received'], headers: { 'x-a': '1' } })
  assert.deepEqual(webhook.headers, { 'x-a': '1' })
  assert.deepEqual((await store.webhooks.subscribed(session, 'message.received')).map((w) => w.id), [webhook.id])
  assert.equal((await store.webhooks.begin(webhook.id, 'k', 'message.received')).isNew, true)
  await store.webhooks.finish(webhook.id, 'k', 200, { ok: true })
  assert.deepEqual(await store.webhooks.begin(webhook.id, 'k', 'message.received'), { isNew: false, responseStatus: 200, responseData: { ok: true } })

  await store.contacts.upsert(session, { waContactId: '40000000000000@lid', pushName: 'Ann' })
  assert.equal(await store.contacts.learnIdentity(session, '40000000000000@lid', CHAT), true)
  assert.equal((await store.contacts.get(session, CHAT)).pushName, 'Ann')

  await store.audit.log({ action: 'session.created', sessionId: session, metadata: { by: 'test' } })
  assert.deepEqual((await store.audit.list({ action: 'session.created' })).items[0].metadata, { by: 'test' })
})

test('a backup comes back', async (t) => {
  const dir = folder(t)
  const { store, session } = await withSession(t, { dir: join(dir, 'store') })
  await store.messages.save(session, text('A1'))
  const repo = { repo: join(dir, 'repo'), password: 'secret' }
  await assert.rejects(store.backups(repo), { code: 'NOT_FOUND' })
  const phases = new Set()
  const made = await store.backup({ repo }, { onProgress: ({ table }) => phases.add(table) })
  assert.deepEqual([made.backup.dataForm, made.backup.sealed, phases.has('copy')], ['sqlite', false, true])
  assert.deepEqual(await store.backups(repo), [made.backup])
  await assert.rejects(store.backups({ ...repo, password: 'other' }), { code: 'PERMISSION_DENIED' })
  assert.deepEqual((await store.verifyBackups({ repo })).sound, [made.backup.id])
  assert.deepEqual((await store.pruneBackups(repo, { last: 1 })).kept, [made.backup.id])

  const target = { dir: join(dir, 'new') }
  assert.equal((await store.restoreBackup(target, { repo })).backup.id, made.backup.id)
  await assert.rejects(store.restoreBackup(target, { repo }), { code: 'CONFLICT' })
  const again = await openFor(t, target)
  assert.deepEqual(await again.messages.find(session, 'A1'), await store.messages.find(session, 'A1'))
})
