// What an event log must come to: its *.expected.json.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { all, shared } from './helpers.mjs'

const REASONS = ['status_broadcast', 'control', 'reaction_carriers', 'poll_votes', 'system_stubs', 'empty']

/** Adds up what a binding tells. */
class Tally {
  deliveries = 0
  upgraded = 0
  dropped = 0
  skipped = new Map(REASONS.map((reason) => [reason, new Set()]))
  errors = []

  options = {
    onIngested: ({ messages, skipped, refused }) => {
      this.deliveries += messages.length
      for (const { outcome, upgraded } of messages) {
        if (upgraded) this.upgraded++
        else if (outcome === 'updated' || outcome === 'unchanged') this.dropped++
      }
      for (const { reason, waMessageId } of skipped) this.skipped.get(reason).add(waMessageId)
      this.errors.push(...refused.map((r) => r.error))
    },
    onError: (error) => this.errors.push(error)
  }
}

const count = (rows, which) => rows.filter(which).length
const tally = (values) => {
  const out = {}
  for (const v of values) out[v] = (out[v] ?? 0) + 1
  return out
}
const sha = (data) => createHash('sha256').update(data).digest('hex')
/** JavaScript's own order of strings is that of UTF-16 code units. */
const digest = (rows, value) =>
  sha(rows.sort((a, b) => (a.waMessageId < b.waMessageId ? -1 : 1)).map((m) => `${m.waMessageId}\t${value(m)}\n`).join(''))

/** Everything of a session's ground truth that a store keeps, as the store has it. */
async function found(store, session, told) {
  const rows = await all(store.messages.iterate({ session }))
  const own = rows.filter((m) => m.fromMe)
  const incoming = rows.filter((m) => !m.fromMe)
  const chats = new Set(rows.map((m) => m.chatId))
  const seconds = (m) => Math.floor(m.waTimestamp.getTime() / 1000)
  const inRange = rows.map(seconds).filter((s) => s > 0)
  const unresolved = count(rows, (m) => m.type === 'ciphertext')
  const waiting = (kind) => store.messages.waiting(session, kind)
  let reactions = 0
  for (const m of rows) reactions += (await store.messages.reactions(session, m.waMessageId)).length
  const contacts = async (more) => (await all(store.contacts.iterate({ session, ...more }))).length
  return {
    deliveries: told.deliveries,
    distinct_messages: rows.length,
    duplicates_dropped: told.dropped,
    ciphertext: { stubs_seen: told.upgraded + unresolved, upgraded: told.upgraded, unresolved },
    from_me: { true: own.length, false: incoming.length },
    in_groups: count(rows, (m) => m.isGroup),
    in_newsletters: count(rows, (m) => m.chatId.endsWith('@newsletter')),
    group_chats: count([...chats], (c) => c.endsWith('@g.us')),
    chats: chats.size,
    types: tally(rows.map((m) => m.type)),
    ack_from_me: tally(own.map((m) => m.ack)),
    ack_digest: digest(own, (m) => m.ack),
    incoming_read: count(incoming, (m) => m.ack >= 3),
    acks_unknown: await waiting('ack'),
    revoked: count(rows, (m) => m.revokedAt),
    revokes_unknown: await waiting('revoke'),
    edited: count(rows, (m) => m.editedAt && !m.revokedAt),
    edits_unknown: await waiting('edit'),
    reactions,
    reactions_unknown: await waiting('reaction'),
    contacts: await contacts({}),
    blocked: await contacts({ blocked: true }),
    lid_pn_pairs: count(await store.contacts.identities(session), (i) => i.pn !== null),
    first_wa_timestamp: Math.min(...inRange),
    last_wa_timestamp: Math.max(...inRange),
    timestamps_out_of_range: rows.length - inRange.length,
    timestamp_digest: digest(rows, seconds),
    body_digest: digest(rows, (m) => (m.body === null ? '-' : sha(Buffer.from(m.body, 'utf16le')))),
    not_stored: Object.fromEntries(REASONS.map((reason) => [reason, told.skipped.get(reason).size]))
  }
}

/** What the ground truth tells and no table keeps. */
const NOT_KEPT = ['me', 'distinct_messages_by_key', 'groups_upserted', 'group_receipts', 'deleted_for_me', 'calls', 'derived_from_log']

export async function compare(store, name, sessions) {
  const truth = JSON.parse(readFileSync(shared(`fixtures/${name}.expected.json`))).sessions
  assert.deepEqual(Object.keys(truth).sort(), [...sessions.keys()].sort())
  for (const [session, { id, told }] of sessions) {
    assert.deepEqual(told.errors, [])
    const have = await found(store, id, told)
    for (const [field, want] of Object.entries(truth[session])) {
      if (NOT_KEPT.includes(field)) continue
      assert.ok(field in have, `${session}: nobody looks at ${field}`)
      // Ground truth leaves zeros of a list out now and then.
      const plain = (v) => (typeof v === 'object' && v ? Object.fromEntries(Object.entries(v).filter(([, n]) => n)) : v)
      assert.deepEqual(plain(have[field]), plain(want), `${session}: ${field}`)
    }
  }
}

/** One session of the store for each of the log, with what `bind` makes of it. */
export async function sessionsOf(store, lines, bind) {
  const sessions = new Map()
  for (const { session: name } of lines) {
    if (sessions.has(name)) continue
    const { id } = await store.sessions.create({ name })
    const told = new Tally()
    sessions.set(name, { id, told, ...bind(id, told) })
  }
  return sessions
}
