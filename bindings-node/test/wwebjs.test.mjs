// The browser's profile through RemoteAuth's own class, and what goes wrong with zips.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'

import { bindToClient, remoteAuthStore } from 'openwa-store/wwebjs'
import { openStore } from 'openwa-store'

import { folder, openFor } from './helpers.mjs'

const { RemoteAuth } = createRequire(import.meta.url)('whatsapp-web.js')

/** RemoteAuth with a client that has no browser. */
async function remoteAuth(store, dataPath, clientId) {
  const auth = new RemoteAuth({ store, clientId, dataPath, backupSyncIntervalMs: 60000 })
  const client = Object.assign(new EventEmitter(), { options: { puppeteer: {} } })
  auth.setup(client)
  await auth.beforeBrowserInitialized()
  return { auth, client, profile: join(dataPath, `RemoteAuth-${clientId}`) }
}

async function browse(profile, text) {
  await mkdir(join(profile, 'Default', 'Local Storage', 'leveldb'), { recursive: true })
  await writeFile(join(profile, 'Default', 'Local Storage', 'leveldb', '000003.log'), text)
}

test("RemoteAuth's own class keeps a profile across machines, and forgets it at logout", async (t) => {
  const dir = folder(t)
  const store = await openStore({ dir: join(dir, 'store') })
  const { id } = await store.sessions.create({ name: 'shop-1' })

  const here = join(dir, 'here')
  const zips = remoteAuthStore(store, id, { dataPath: here })
  const first = await remoteAuth(zips, here, 'shop-1')
  await browse(first.profile, 'logged in')
  const told = []
  first.client.on('remote_session_saved', () => told.push('saved'))
  await first.auth.storeRemoteSession({ emit: true })
  assert.deepEqual(told, ['saved'])
  await store.close()

  const again = await openFor(t, { dir: join(dir, 'store') })
  const there = join(dir, 'there')
  const second = await remoteAuth(remoteAuthStore(again, id, { dataPath: there }), there, 'shop-1')
  const file = join(second.profile, 'Default', 'Local Storage', 'leveldb', '000003.log')
  // RemoteAuth goes on when its unzipper has read everything, which may be before it has written everything.
  const written = async () => readFile(file, 'utf8').catch(() => '')
  for (let tries = 0; (await written()) === '' && tries < 100; tries++) await setTimeout(20)
  assert.equal(await written(), 'logged in')
  await second.auth.logout()
  assert.equal(await remoteAuthStore(again, id).sessionExists({ session: 'RemoteAuth-shop-1' }), false)
})

/** The zip that RemoteAuth would make of a profile with this text. */
async function zipped(dir, text) {
  const data = join(dir, 'data')
  const nothing = { sessionExists: async () => false, save: async () => {} }
  const { auth, profile } = await remoteAuth(nothing, data, 'x')
  await browse(profile, text)
  const zip = await readFile(await auth.compressSession())
  await rm(data, { recursive: true })
  return zip
}

test('zips that are empty, cut off or damaged are refused, and the last three good ones kept', async (t) => {
  const dir = folder(t)
  const store = await openFor(t)
  const { id } = await store.sessions.create({ name: 'shop-1' })
  const zips = remoteAuthStore(store, id, { dataPath: dir })
  const path = join(dir, 'RemoteAuth-x.zip')
  const save = async (bytes, session = 'RemoteAuth-x') => {
    await writeFile(path, bytes)
    await zips.save({ session })
  }
  const good = await zipped(dir, 'good')
  await save(good)

  const end = good.length - 22
  const damaged = Buffer.from(good)
  damaged.writeUInt32LE(0, 0)
  const outside = Buffer.from(good)
  outside.writeUInt32LE(good.length, end + 16)
  const empty = Buffer.from('504b0506000000000000000000000000000000000000', 'hex')
  for (const bad of [Buffer.alloc(0), empty, damaged, outside, Buffer.from('no zip at all'), good.subarray(1)]) {
    await assert.rejects(save(bad), { code: 'INVALID_DATA' })
  }
  for (let length = 1; length < good.length; length += 7) {
    await assert.rejects(save(good.subarray(0, length)), { code: 'INVALID_DATA' }, `cut off at ${length}`)
  }
  await rm(path)
  await assert.rejects(zips.save({ session: 'RemoteAuth-x' }), { code: 'NOT_FOUND' })
  const extracted = join(dir, 'out.zip')
  await zips.extract({ session: 'RemoteAuth-x', path: extracted })
  assert.deepEqual(await readFile(extracted), good)
  assert.equal((await stat(extracted)).mode & 0o777, 0o600)

  // The whole path, as older versions name it, and the bare name are one session.
  const rounds = [good]
  for (const text of ['second', 'third', 'fourth']) {
    const zip = await zipped(dir, text)
    rounds.push(zip)
    await save(zip, text === 'third' ? join(dir, 'RemoteAuth-x') : 'RemoteAuth-x')
  }
  const kept = (await store.auth.all(id)).map((row) => row.value)
  assert.deepEqual(kept, rounds.slice(1))

  // Should the newest be unreadable after all, the one before it serves.
  const newest = (await store.auth.list(id, 'remote-auth')).at(-1)
  await store.auth.set(id, [{ category: 'remote-auth', keyId: newest, value: Buffer.from('rotten') }])
  await zips.extract({ session: 'RemoteAuth-x', path: extracted })
  assert.deepEqual(await readFile(extracted), rounds[2])

  assert.equal(await zips.sessionExists({ session: 'RemoteAuth' }), false, 'a name is not the beginning of another')
  await zips.delete({ session: 'RemoteAuth-x' })
  assert.equal(await zips.sessionExists({ session: join(dir, 'RemoteAuth-x') }), false)
  await assert.rejects(zips.extract({ session: 'RemoteAuth-x', path: extracted }), { code: 'NOT_FOUND' })
})

test('secrets of a login do not reach the store, and errors reach the host', async (t) => {
  const store = await openFor(t)
  const { id } = await store.sessions.create({ name: 'shop-1' })
  const client = Object.assign(new EventEmitter(), { getContacts: async () => Promise.reject(new Error('no browser')) })
  const heard = []
  const binding = bindToClient(client, store, id, {
    onIngested: (_, event) => heard.push(event),
    onError: (error, event) => heard.push([error.message, event.event])
  })
  client.emit('qr', 'secret')
  client.emit('authenticated', { token: 'secret' })
  client.emit('ready')
  await binding.flush()
  assert.deepEqual(heard.filter((h) => !Array.isArray(h)), ['qr', 'authenticated', 'ready'].map((event) => ({ event, data: [] })))
  assert.deepEqual(heard.filter(Array.isArray), [['no browser', '@getContacts']])
  assert.equal((await store.sessions.get(id)).status, 'ready')
  await binding.close()
  assert.equal(client.eventNames().length, 0)
})
