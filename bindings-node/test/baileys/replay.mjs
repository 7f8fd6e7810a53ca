// Every event log of Baileys, emitted as it would, must come to what its *.expected.json says.
import { test } from 'node:test'

import { bindToBaileys } from 'openwa-store/baileys'

import { folder, log, openFor } from '../helpers.mjs'
import { compare, sessionsOf } from '../truth.mjs'

/** See baileys-7.test.mjs for what it is given. */
export function replays({ baileys, options }) {
  for (const name of ['baileys-small.jsonl', 'baileys-medium.jsonl.gz']) {
    test(name, async (t) => {
      const store = await openFor(t, { dir: folder(t) })
      const lines = log(name)
      const sessions = await sessionsOf(store, lines, (id, told) => {
        let emit
        const ev = { process: (handler) => void (emit = handler) }
        const binding = bindToBaileys({ ev }, store, id, { ...options, ...told.options })
        return { binding, emit: (map) => emit(map) }
      })
      for (let i = 0; i < lines.length; ) {
        const { session, map } = lines[i]
        const events = {}
        for (; i < lines.length && lines[i].session === session && lines[i].map === map; i++) {
          const { event, data, ser } = lines[i]
          events[event] = ser === 'raw' ? JSON.parse(JSON.stringify(data), baileys.BufferJSON.reviver) : data
        }
        void sessions.get(session).emit(events)
      }
      for (const { binding } of sessions.values()) await binding.close()
      await compare(store, name.split('.')[0], sessions)
    })
  }
}
