// The event loop keeps turning while thousands of promises are open, and nothing is left of a million calls.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { policy } from 'openwa-store'

import { folder, openFor, text } from './helpers.mjs'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')
const threads = () => readdirSync('/proc/self/task').length

test('100,000 saves, one promise each, ten thousand at a time', async (t) => {
  const store = await openFor(t, { dir: folder(t) })
  const { id } = await store.sessions.create({ name: 'shop-1' })
  const before = threads()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let next = 0
  const lane = async () => {
    while (next < 100_000) {
      const n = next++
      const { outcome } = await store.messages.save(id, text(`A${n}`, { waTimestamp: new Date(1767600000000 + n) }))
      assert.equal(outcome, 'inserted')
    }
  }
  delay.enable()
  const lanes = []
  while (lanes.length < 10_000) {
    // A bot's messages come from its sockets, a few in each turn of the loop.
    for (let i = 0; i < 100; i++) lanes.push(lane())
    await new Promise(setImmediate)
  }
  assert.ok(threads() - before <= 1, 'no thread per promise')
  await Promise.all(lanes)
  delay.disable()
  const ms = (ns) => (ns / 1e6).toFixed(1)
  t.diagnostic(`event loop delay p50 ${ms(delay.percentile(50))} ms, p99 ${ms(delay.percentile(99))} ms, max ${ms(delay.max)} ms`)
  assert.equal(await store.messages.count({ session: id }), 100_000)
  assert.ok(delay.percentile(99) < 10e6, `p99 ${ms(delay.percentile(99))} ms`)
})

test('nothing is left of a million calls', { timeout: 180_000 }, async (t) => {
  const store = await openFor(t)
  const { id } = await store.sessions.create({ name: 'shop-1' })
  const { key } = await store.apiKeys.create({ name: 'ci' })
  await store.messages.save(id, text('A', { raw: Buffer.alloc(2000), media: { a: 1 } }))
  const refused = (work) => work.then(() => assert.fail('it was accepted'), () => {})
  /** A thousand calls of every kind: sync, reads, writes, refusals here and in the library. */
  const round = async () => {
    for (let i = 0; i < 400; i++) store.apiKeys.authorizeSync(key, { permission: 'messages:read', ip: '203.0.113.7' })
    for (let i = 0; i < 300; i++) policy.hashKey(`key ${i}`)
    const calls = []
    for (let i = 0; i < 100; i++) calls.push(store.messages.find(id, 'A'))
    for (let i = 0; i < 150; i++) calls.push(store.messages.save(id, text('A', { media: { n: i }, raw: Buffer.alloc(100) })))
    for (let i = 0; i < 25; i++) calls.push(refused(store.messages.save(id, { nonsense: i })))
    for (let i = 0; i < 25; i++) calls.push(refused(store.sessions.create({ name: 'shop-1' })))
    await Promise.all(calls)
  }
  const ROUNDS = Number(process.env.OPENWA_LEAK_CALLS ?? 100_000) / 1000
  const used = () => (gc(), process.memoryUsage().rss / 2 ** 20)
  for (let i = 0; i < ROUNDS / 5; i++) await round()
  const before = used()
  for (let i = 0; i < ROUNDS; i++) await round()
  const grown = used() - before
  t.diagnostic(`${ROUNDS * 1000} calls, ${grown.toFixed(1)} MiB more`)
  assert.ok(grown < 16, `${grown.toFixed(1)} MiB more after ${ROUNDS * 1000} calls`)
})
