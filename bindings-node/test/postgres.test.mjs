// The same package with PostgreSQL as the Data database; the store starts a server of its own.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'

import { openStore } from 'openwa-store'
import { useStoreAuthState } from 'openwa-store/baileys'

import { after, all, folder, text } from './helpers.mjs'

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

test('PostgreSQL', { timeout: 120_000 }, async (t) => {
  const dir = folder(t)
  // PostgreSQL does not run as root; the user who runs it then must get to its folder.
  await chmod(dir, 0o755)
  const options = { dir: join(dir, 'store'), data: `postgres://localhost:${await freePort()}/openwa?builtin=true` }
  let store = await openStore(options)
  after(t, () => store.close())
  const { databases } = await store.status()
  assert.match(databases[1].engine, /^PostgreSQL/)
  const session = await store.sessions.create({ name: 'shop-1' })
  const body = 'a\ud83d\u0000\u241b'
  const media = { 'ключ\u0000': ['\udc00', 1.5, null] }
  const saves = Array.from({ length: 2000 }, (_, i) => store.messages.save(session.id, text(`A${i % 1900}`, { body, media, raw: Buffer.from([0, 255]) })))
  const outcomes = (await Promise.all(saves)).map((saved) => saved.outcome)
  assert.equal(outcomes.filter((outcome) => outcome === 'inserted').length, 1900)
  const found = await store.messages.find(session.id, 'A7')
  assert.deepEqual([found.body, found.media, found.raw, found.waTimestamp], [body, media, Buffer.from([0, 255]), text('').waTimestamp])
  assert.equal((await all(store.messages.iterate({ session: session.id }))).length, 1900)
  await assert.rejects(store.sessions.create({ name: 'shop-1' }), { code: 'ALREADY_EXISTS' })

  const { state, saveCreds } = await useStoreAuthState(store, session.id)
  await Promise.all([saveCreds(), state.keys.set({ session: { 'a.0': Buffer.from('x') }, 'pre-key': { 1: null } })])
  await store.close()
  store = await openStore(options)
  const again = await useStoreAuthState(store, session.id)
  assert.deepEqual(again.state.creds.noiseKey, state.creds.noiseKey)
  assert.deepEqual((await again.state.keys.get('session', ['a.0']))['a.0'], Buffer.from('x'))
})
