// The adapter behind Baileys 7.
import { describe } from 'node:test'

import * as baileys from 'baileys'
import { makeLibSignalRepository } from 'baileys/lib/Signal/libsignal.js'

import { authState } from './baileys/auth.mjs'
import { binds } from './baileys/bind.mjs'
import { replays } from './baileys/replay.mjs'

const engine = {
  baileys,
  /** How a bot tells the adapter which package to use: here not at all, it finds `baileys`. */
  options: {},
  makeLibSignalRepository,
  /** How an event names somebody who joins a group or leaves it. */
  member: (id) => ({ id })
}
describe('Baileys 7', () => {
  for (const suite of [authState, binds, replays]) suite(engine)
})
