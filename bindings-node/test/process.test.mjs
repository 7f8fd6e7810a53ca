// What happens to the process: killed, exiting in the middle, with worker threads, with stores nobody holds.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

import { openStore } from 'openwa-store'
import { useStoreAuthState } from 'openwa-store/baileys'

import { folder, openFor, text } from './helpers.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const ROUNDS = Number(process.env.OPENWA_CRASH_ROUNDS ?? 10)

/** Runs a piece of JavaScript in a process of its own; what it printed, and how it ended. */
async function run(code, args = [], flags = []) {
  const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', code, '--', ...args], { cwd: here })
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => (out += data))
  child.stderr.on('data', (data) => (err += data))
  const [status, signal] = await once(child, 'close')
  return { lines: out.split('\n').filter(Boolean), err, status, signal }
}

test(`credentials survive ${ROUNDS} kills, old or new, never mixed, never fresh`, async (t) => {
  const dir = folder(t)
  let store = await openStore({ dir })
  const { id } = await store.sessions.create({ name: 'shop-1' })
  const fresh = await useStoreAuthState(store, id)
  await fresh.saveCreds()
  const identity = fresh.state.creds.signedIdentityKey
  await store.close()

  let acknowledged = 0
  for (let round = 0; round < ROUNDS; round++) {
    const child = spawn(process.execPath, [join(here, 'auth-writer.mjs'), dir, id], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.on('data', (data) => (acknowledged = Number(String(data).trim().split('\n').at(-1))))
    await once(child.stdout, 'data')
    await setTimeout(Math.random() * 60)
    child.kill('SIGKILL')
    await once(child, 'close')

    store = await openStore({ dir })
    const { state } = await useStoreAuthState(store, id)
    assert.deepEqual(state.creds.signedIdentityKey, identity, 'never fresh')
    const written = state.creds.nextPreKeyId
    assert.ok(written === acknowledged || written === acknowledged + 1, `creds of ${written}, acknowledged ${acknowledged}`)
    const ids = Array.from({ length: 20 }, (_, i) => String(i))
    const all = [...Object.values(await state.keys.get('pre-key', ids)), ...Object.values(await state.keys.get('session', ids))]
    const rounds = new Set(all.map((value) => value.round))
    assert.equal(rounds.size, 1, `keys of ${[...rounds]}`)
    const [last] = rounds
    assert.ok(last === acknowledged || last === acknowledged + 1, `keys of ${last}, acknowledged ${acknowledged}`)
    assert.deepEqual(await store.auth.list(id, 'sender-key'), [`gone-${last}`], 'deletions are part of it')
    assert.ok(all.every((value) => value.padding.equals(Buffer.alloc(500, last))))
    await store.close()
  }
})

test('process.exit in the middle loses nothing that was acknowledged', async (t) => {
  const dir = folder(t)
  const { lines, err, status } = await run(
    `import { openStore } from 'openwa-store'
     import { text } from './helpers.mjs'
     const store = await openStore({ dir: process.argv[1] })
     const { id } = await store.sessions.create({ name: 'shop-1' })
     let done = 0
     for (let i = 0; i < 20000; i++) store.messages.save(id, text('A' + i)).then(() => { if (++done === 3000) { console.log(done); process.exit(7) } })`,
    [dir]
  )
  assert.deepEqual([status, err, lines], [7, '', ['3000']])
  const store = await openFor(t, { dir })
  const { id } = await store.sessions.find('shop-1')
  assert.ok((await store.messages.count({ session: id })) >= 3000)
  assert.deepEqual((await store.check()).problems, [])
})

test('a process waits for what it has asked for, and then ends by itself', async (t) => {
  const dir = folder(t)
  const { lines, err, status } = await run(
    `import { openStore } from 'openwa-store'
     import { text } from './helpers.mjs'
     const store = await openStore({ dir: process.argv[1] })
     const { id } = await store.sessions.create({ name: 'shop-1' })
     for (let i = 0; i < 500; i++) store.messages.save(id, text('A' + i))
     process.on('exit', () => console.log('bye'))`,
    [dir]
  )
  assert.deepEqual([status, err, lines], [0, '', ['bye']])
  const store = await openFor(t, { dir })
  assert.equal(await store.messages.count({ session: (await store.sessions.find('shop-1')).id }), 500)
})

test('worker threads share a folder, and ending them in the middle harms nobody', async (t) => {
  const dir = folder(t)
  const store = await openFor(t, { dir })
  const { id } = await store.sessions.create({ name: 'shop-1' })
  const code = `
    const { workerData, parentPort } = require('node:worker_threads')
    const { openStore } = require('openwa-store')
    import(workerData.helpers).then(async ({ text }) => {
      const store = await openStore({ dir: workerData.dir })
      for (let i = 0; ; i++) {
        await Promise.all(Array.from({ length: 50 }, (_, j) => store.messages.save(workerData.id, text(workerData.name + i + '-' + j))))
        parentPort.postMessage(50)
        if (i === 3 && workerData.polite) return store.close()
      }
    })`
  const counts = new Map()
  const start = (name, polite) => {
    const helpers = new URL('helpers.mjs', import.meta.url).href
    const worker = new Worker(code, { eval: true, workerData: { dir, id, name, polite, helpers } })
    worker.on('message', (n) => counts.set(name, (counts.get(name) ?? 0) + n))
    return worker
  }
  const polite = [start('a', true), start('b', true)]
  const rude = [start('c', false), start('d', false)]
  await Promise.all(polite.map((w) => once(w, 'exit')))
  for (const worker of rude) if (!counts.has(worker === rude[0] ? 'c' : 'd')) await once(worker, 'message')
  await Promise.all(rude.map((w) => w.terminate()))
  const acknowledged = [...counts.values()].reduce((a, b) => a + b)
  assert.ok(acknowledged >= 500)
  assert.ok((await store.messages.count({ session: id })) >= acknowledged)
  await store.messages.save(id, text('after'))
})

test('an addon that only a worker used may be unloaded', async (t) => {
  const { err, status, signal } = await run(
    `import { Worker } from 'node:worker_threads'
     import { once } from 'node:events'
     for (let i = 0; i < 5; i++) {
       const worker = new Worker(\`
         import { openStore } from 'openwa-store'
         const store = await openStore({ dir: process.argv[2] })
         for (let i = 0; i < 500; i++) store.sessions.create({ name: Math.random() + '' })
         process.exit()
       \`, { eval: true, argv: [process.argv[1]] })
       await once(worker, 'exit')
     }
     await new Promise((resolve) => setTimeout(resolve, 100))`,
    [folder(t)]
  )
  assert.deepEqual([status, signal, err], [0, null, ''])
})

test('stores nobody holds are closed, and what they were asked is done', async (t) => {
  const dir = folder(t)
  const { lines, err, status } = await run(
    `import { openStore } from 'openwa-store'
     import { readdirSync } from 'node:fs'
     import { text } from './helpers.mjs'
     const threads = () => readdirSync('/proc/self/task').length
     const before = threads()
     let saved = 0
     const work = async () => {
       for (let i = 0; i < 40; i++) {
         const store = await openStore(i % 2 ? { memory: true } : { dir: process.argv[1] + '/' + i })
         const { id } = await store.sessions.create({ name: 'shop-1' })
         store.messages.save(id, text('A')).then(() => saved++)
       }
     }
     await work()
     for (let i = 0; i < 100 && (saved < 40 || threads() > before + 10); i++) { gc(); await new Promise((r) => setTimeout(r, 50)) }
     console.log(saved, threads() <= before + 10)`,
    [dir],
    ['--expose-gc']
  )
  assert.deepEqual([status, err, lines], [0, '', ['40 true']])
})

test('several stores at once, closed while at work', async (t) => {
  const stores = await Promise.all(Array.from({ length: 10 }, () => openStore({ memory: true })))
  const ids = await Promise.all(stores.map(async (store) => (await store.sessions.create({ name: 'shop-1' })).id))
  const outcomes = stores.flatMap((store, n) => {
    const saves = Array.from({ length: 6000 }, (_, i) => store.messages.save(ids[n], text(`A${i}`)))
    return [...saves, store.close().then(() => 'closed')]
  })
  const results = await Promise.allSettled(outcomes)
  assert.deepEqual(results.filter((r) => r.status === 'rejected').slice(0, 3), [], 'what was asked before close is done')
  await assert.rejects(stores[0].messages.get(ids[0]), { code: 'CLOSED' })
  await assert.rejects(stores[0].messages.save(ids[0], text('late')), { code: 'CLOSED' })
  assert.throws(() => stores[0].apiKeys.authorizeSync('x'), { code: 'CLOSED' })
})

test('maintenance keeps no process alive', async (t) => {
  const dir = folder(t)
  const code = `
    import { openStore } from 'openwa-store'
    const store = await openStore({ dir: process.argv[1] })
    await store.startMaintenance({ retention: '30 2 * * *', timezone: 'Europe/Berlin' })
    console.log('started')`
  const { lines, err, status } = await run(code, [dir])
  assert.deepEqual([lines, err, status], [['started'], '', 0])

  const store = await openStore({ dir })
  const runs = await store.runMaintenance({}, 'retention')
  assert.deepEqual(new Set(runs.map((run) => run.outcome)), new Set(['done']))
  await store.startMaintenance()
  assert.ok((await store.maintenance()).some((job) => job.job === 'optimize'))
  await store.close()
})
