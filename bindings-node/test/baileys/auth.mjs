// The auth state behind Baileys' own code.
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { openStore } from 'openwa-store'
import { importMultiFileAuth, useStoreAuthState } from 'openwa-store/baileys'

import { folder, openFor } from '../helpers.mjs'
import { quiet } from './quiet.mjs'

/** See baileys-7.test.mjs for what it is given. */
export function authState({ baileys, options, makeLibSignalRepository }) {
  const { BufferJSON, Curve, addTransactionCapability, initAuthCreds, makeCacheableSignalKeyStore, proto } = baileys
  const { useMultiFileAuthState } = baileys
  const authOf = (store, session) => useStoreAuthState(store, session, options)
  const moveIn = (dir, store, session, more) => importMultiFileAuth(dir, store, session, { ...options, ...more })

  /** Values of every type of key that Baileys has, with ids as it makes them. */
  const pair = () => Curve.generateKeyPair()
  const someOfEverything = () => ({
    'pre-key': { 1: pair(), 2: pair() },
    session: { '12025550101.0': Buffer.from([1, 2, 3]), '12025550102_1.3': Buffer.from('x') },
    'sender-key': {
      '120363000000000001@g.us::12025550101::0': Buffer.from('a'),
      '12025550101-1500000000@g.us::12025550102_1::12': Buffer.from('b')
    },
    'sender-key-memory': { '12025550101-1500000000@g.us': { '12025550101:3@s.whatsapp.net': true } },
    'app-state-sync-key': {
      'AAAA/B+/==': proto.Message.AppStateSyncKeyData.fromObject({
        keyData: Buffer.from([7, 8]),
        fingerprint: { rawId: 5, currentIndex: 1, deviceIndexes: [0, 1] },
        timestamp: 1767600000000
      })
    },
    'app-state-sync-version': {
      regular_high: { version: 3, hash: Buffer.alloc(128, 1), indexValueMap: { 'ab/c=': { valueMac: Buffer.from([9]) } } }
    },
    'lid-mapping': { 12025550101: '40000000000000', '40000000000000_reverse': '12025550101' },
    'device-list': { 12025550101: ['0', '3'] },
    tctoken: {
      '12025550101@s.whatsapp.net': { token: Buffer.from('t'), timestamp: '1767600000' },
      __index: { token: Buffer.from('[]') }
    },
    'identity-key': { '12025550101.0': Buffer.alloc(33, 5) },
    // Strange, but a name all the same.
    'a-new-type': { 'a/b:c__d-e': { n: 1 } }
  })

  async function session(store, name = 'shop-1') {
    return (await store.sessions.create({ name })).id
  }

  /** Every value as Baileys would write it, so that Buffers of different classes compare. */
  const plain = (value) => JSON.parse(JSON.stringify(value, BufferJSON.replacer))

  async function readBack(keys, of) {
    const out = {}
    for (const [type, byId] of Object.entries(of)) out[type] = await keys.get(type, Object.keys(byId))
    return out
  }

  test('a session without credentials starts a fresh pairing, once', async (t) => {
    const store = await openFor(t)
    const id = await session(store)
    const first = await authOf(store, id)
    assert.equal(first.state.creds.registered, false)
    first.state.creds.me = { id: '12025550100:1@s.whatsapp.net', name: 'Shop' }
    await first.saveCreds()
    const again = await authOf(store, id)
    assert.deepEqual(again.state.creds, JSON.parse(JSON.stringify(first.state.creds, BufferJSON.replacer), BufferJSON.reviver))
    assert.ok(Buffer.isBuffer(again.state.creds.noiseKey.private))
  })

  test('credentials that cannot be read never start a fresh pairing', async (t) => {
    const store = await openFor(t)
    const id = await session(store)
    for (const value of ['{"noiseKey":', '', 'null', '[]', '{"noiseKey":{}}', '"text"']) {
      await store.auth.set(id, [{ category: 'creds', keyId: '', value: Buffer.from(value) }])
      await assert.rejects(authOf(store, id), { name: 'OpenWAError', code: 'UNREADABLE' }, value)
      assert.equal((await store.auth.get(id, 'creds', '')).value.toString(), value, 'it is left as it was')
    }
    await assert.rejects(authOf(store, crypto.randomUUID()).then((s) => s.saveCreds()), { code: 'NOT_FOUND' })
  })

  test('a key that cannot be read is an error, not a missing key', async (t) => {
    const store = await openFor(t)
    const id = await session(store)
    const { state } = await authOf(store, id)
    await store.auth.set(id, [{ category: 'session', keyId: '12025550101.0', value: Buffer.from('{') }])
    await assert.rejects(async () => state.keys.get('session', ['12025550101.0']), { code: 'UNREADABLE' })
  })

  test('every type of key comes back, null deletes, unknown types stay', async (t) => {
    const store = await openFor(t)
    const { state } = await authOf(store, await session(store))
    const data = someOfEverything()
    await state.keys.set(data)
    const back = await readBack(state.keys, data)
    assert.deepEqual(plain(back), plain(data))
    assert.ok(back['app-state-sync-key']['AAAA/B+/=='] instanceof proto.Message.AppStateSyncKeyData)

    await state.keys.set({ 'pre-key': { 1: null, 3: pair() }, session: { '12025550101.0': null } })
    assert.deepEqual(Object.entries(await state.keys.get('pre-key', ['1', '2', '3', '4'])).map(([id, v]) => [id, v !== null]), [
      ['1', false],
      ['2', true],
      ['3', true],
      ['4', false]
    ])
    await state.keys.clear()
    assert.equal((await state.keys.get('pre-key', ['2']))['2'], null)
    assert.equal(state.creds.registered, false, 'clearing keys leaves the credentials')
  })

  test('a set is one commit', async (t) => {
    const store = await openFor(t)
    const id = await session(store)
    const { state } = await authOf(store, id)
    await assert.rejects(async () => state.keys.set({ 'pre-key': { 1: pair() }, session: { ['x'.repeat(600)]: Buffer.from('a') } }), {
      code: 'INVALID_ARGUMENT'
    })
    assert.deepEqual(await store.auth.all(id), [])
  })

  test('a closed state refuses what comes late', async (t) => {
    const store = await openFor(t)
    const auth = await authOf(store, await session(store))
    const underWay = auth.saveCreds()
    await auth.close()
    await underWay
    await assert.rejects(auth.saveCreds(), { code: 'CLOSED' })
  })

  /** An account as a socket of Baileys holds it. */
  async function account(store, id) {
    const auth = await authOf(store, id)
    const cached = makeCacheableSignalKeyStore(auth.state.keys, quiet)
    const keys = addTransactionCapability(cached, quiet, { maxCommitRetries: 3, delayBetweenTriesMs: 10 })
    const creds = auth.state.creds
    return { ...auth, creds, keys, signal: makeLibSignalRepository({ creds, keys }, quiet, async () => []) }
  }

  test('two accounts talk through the store, across restarts', async (t) => {
    const dir = folder(t)
    const [A, B] = ['12025550101@s.whatsapp.net', '12025550102@s.whatsapp.net']
    let store = await openStore({ dir })
    const [idA, idB] = [await session(store, 'a'), await session(store, 'b')]
    let [a, b] = [await account(store, idA), await account(store, idB)]
    await Promise.all([a.saveCreds(), b.saveCreds()])

    const preKey = pair()
    await b.keys.set({ 'pre-key': { 1: preKey } })
    const { signedPreKey, signedIdentityKey, registrationId } = b.creds
    const prefixed = (key) => Buffer.concat([Buffer.from([5]), key])
    await a.signal.injectE2ESession({
      jid: B,
      session: {
        registrationId,
        identityKey: prefixed(signedIdentityKey.public),
        signedPreKey: {
          keyId: signedPreKey.keyId,
          publicKey: prefixed(signedPreKey.keyPair.public),
          signature: signedPreKey.signature
        },
        preKey: { keyId: 1, publicKey: prefixed(preKey.public) }
      }
    })

    const say = async (from, to, fromJid, toJid, text) => {
      const { type, ciphertext } = await from.signal.encryptMessage({ jid: toJid, data: Buffer.from(text) })
      const plain = await to.signal.decryptMessage({ jid: fromJid, type, ciphertext })
      assert.equal(Buffer.from(plain).toString(), text)
      return type
    }
    assert.equal(await say(a, b, A, B, 'hello'), 'pkmsg')
    assert.equal(await say(b, a, B, A, 'hello yourself'), 'msg')

    for (let round = 0; round < 3; round++) {
      await Promise.all([a.close(), b.close()])
      await store.close()
      store = await openStore({ dir })
      ;[a, b] = [await account(store, idA), await account(store, idB)]
      assert.equal(await say(a, b, A, B, `round ${round}`), 'msg')
      assert.equal(await say(b, a, B, A, `answer ${round}`), 'msg')
    }
    await store.close()
  })

  test('a folder of useMultiFileAuthState moves in: what Baileys reads there, it reads here', async (t) => {
    const dir = folder(t)
    const files = await useMultiFileAuthState(join(dir, 'auth'))
    const data = someOfEverything()
    delete data['a-new-type']
    // Names that Baileys' files cannot tell apart from others.
    data.session['a/b:c__d-e'] = Buffer.from('strange')
    await files.state.keys.set(data)
    await files.saveCreds()
    await writeFile(join(dir, 'auth', 'notes.txt'), 'mine')

    const store = await openFor(t, { dir: join(dir, 'store') })
    const id = await session(store)
    const done = await moveIn(join(dir, 'auth'), store, id)
    assert.deepEqual(done, { keys: (await readdir(join(dir, 'auth'))).length - 2, skipped: ['notes.txt'] })

    const { state, saveCreds } = await authOf(store, id)
    const again = (await useMultiFileAuthState(join(dir, 'auth'))).state
    assert.deepEqual(state.creds, again.creds)
    assert.deepEqual(plain(await readBack(state.keys, data)), plain(await readBack(again.keys, data)))

    // From here on the store goes its own way.
    await state.keys.set({ session: { 'a/b:c__d-e': Buffer.from('new') }, 'sender-key': { '120363000000000001@g.us::12025550101::0': null } })
    await saveCreds()
    assert.equal((await state.keys.get('session', ['a/b:c__d-e']))['a/b:c__d-e'].toString(), 'new')
    const key = '120363000000000001@g.us::12025550101::0'
    assert.equal((await state.keys.get('sender-key', [key]))[key], null)

    await assert.rejects(moveIn(join(dir, 'auth'), store, id), { code: 'ALREADY_EXISTS' })
    await moveIn(join(dir, 'auth'), store, id, { overwrite: true })
    assert.deepEqual(plain(await readBack(state.keys, data)), plain(await readBack(again.keys, data)))
  })

  test('a session that moved in with a takeover goes on', async (t) => {
    const dir = folder(t)
    const files = await useMultiFileAuthState(join(dir, 'bot'))
    files.state.creds.me = { id: '12025550100:1@s.whatsapp.net', name: 'Shop' }
    const data = someOfEverything()
    delete data['a-new-type']
    await files.state.keys.set(data)
    await files.saveCreds()
    const store = await openFor(t)
    await store.takeover([join(dir, 'bot')])
    const [moved] = (await store.sessions.list()).items
    const { state } = await authOf(store, moved.id)
    assert.deepEqual(state.creds, (await useMultiFileAuthState(join(dir, 'bot'))).state.creds)
    assert.deepEqual(plain(await readBack(state.keys, data)), plain(data))
  })

  test('torn files', async (t) => {
    const dir = folder(t)
    const auth = join(dir, 'auth')
    const store = await openFor(t)
    const id = await session(store)
    await mkdir(auth)
    await assert.rejects(moveIn(auth, store, id), { code: 'NOT_FOUND' })
    await writeFile(join(auth, 'creds.json'), '{"noiseKey":')
    await assert.rejects(moveIn(auth, store, id, { skipUnreadable: true }), { code: 'INVALID_DATA' })
    await writeFile(join(auth, 'creds.json'), JSON.stringify(initAuthCreds(), BufferJSON.replacer))
    await writeFile(join(auth, 'pre-key-1.json'), '')
    await assert.rejects(moveIn(auth, store, id), { code: 'INVALID_DATA' })
    assert.deepEqual(await store.auth.all(id), [])
    assert.deepEqual(await moveIn(auth, store, id, { skipUnreadable: true }), { keys: 0, skipped: ['pre-key-1.json'] })
  })
}
