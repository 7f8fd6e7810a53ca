// The adapter behind Baileys 6.17, which is CommonJS and known as `baileys-6` here. In a process of its own: the classes of
// the messages are global, so that of two versions in one the first would get those of the second.
import { describe } from 'node:test'

import baileys from 'baileys-6'
import { makeLibSignalRepository } from 'baileys-6/lib/Signal/libsignal.js'

import { authState } from './baileys/auth.mjs'
import { binds } from './baileys/bind.mjs'
import { replays } from './baileys/replay.mjs'

const engine = { baileys, options: { baileys }, makeLibSignalRepository, member: (id) => id }
describe('Baileys 6.17', () => {
  for (const suite of [authState, binds, replays]) suite(engine)
})
