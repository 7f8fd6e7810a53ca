import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

import { openStore } from 'openwa-store'

export const shared = (path) => fileURLToPath(new URL(`../../tests/${path}`, import.meta.url))

const undone = new WeakMap()

/** Does something after the test; what was set up last goes first. */
export function after(t, work) {
  let stack = undone.get(t)
  if (!stack) {
    undone.set(t, (stack = []))
    t.after(async () => {
      while (stack.length > 0) await stack.pop()()
    })
  }
  stack.push(work)
}

/** A folder that is gone after the test. */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'openwa-node-'))
  after(t, () => rmSync(path, { recursive: true, force: true }))
  return path
}

/** An open store of its own, in memory or in a folder. */
export async function openFor(t, options = { memory: true }) {
  const store = await openStore(options)
  after(t, () => store.close())
  return store
}

export const text = (id, more = {}) => ({
  waMessageId: id,
  chatId: '12025550143@s.whatsapp.net',
  fromNumber: '12025550143@s.whatsapp.net',
  type: 'text',
  body: 'hello',
  waTimestamp: new Date(1767600000000),
  ...more
})

/** The lines of an event log. */
export function log(name) {
  const bytes = readFileSync(shared(`fixtures/${name}`))
  const lines = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n')
  return lines.filter(Boolean).map((line) => JSON.parse(line))
}

export async function all(iterable) {
  const out = []
  for await (const item of iterable) out.push(item)
  return out
}
