// The event log of whatsapp-web.js, emitted as it would, must come to what its *.expected.json says.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'

import { bindToClient } from 'openwa-store/wwebjs'

import { folder, log, openFor } from './helpers.mjs'
import { compare, sessionsOf } from './truth.mjs'

test('wwebjs-small.jsonl', async (t) => {
  const store = await openFor(t, { dir: folder(t) })
  const lines = log('wwebjs-small.jsonl')
  const answer = (method) => lines.find((line) => line.event === `@${method}`).data[0]
  const sessions = await sessionsOf(store, lines, (id, told) => {
    const client = new EventEmitter()
    client.getContacts = async () => answer('getContacts')
    client.getContactLidAndPhone = async (ids) => {
      assert.deepEqual(ids, answer('getContacts').filter((c) => c.isUser).map((c) => c.id._serialized))
      return answer('getContactLidAndPhone')
    }
    return { client, binding: bindToClient(client, store, id, told.options) }
  })
  for (const { session, event, data } of lines) {
    if (event.startsWith('@')) continue
    const { client, binding } = sessions.get(session)
    client.emit(event, ...data)
    if (event === 'ready') await binding.flush()
  }
  for (const { binding } of sessions.values()) await binding.close()
  await compare(store, 'wwebjs-small', sessions)
})
