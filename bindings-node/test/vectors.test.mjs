// The shared truth in tests/vectors, through the package. Rust, C and Python run the same files.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { OpenWAError, policy } from 'openwa-store'

import { shared } from './helpers.mjs'

/** Runs every case of a list and tells all that fail at once. */
function each(file, list, expect, run) {
  const cases = JSON.parse(readFileSync(shared(`vectors/${file}.json`)))[list]
  assert.ok(cases.length > 0, `${file}: ${list} is empty`)
  const failures = cases.flatMap((c, i) => {
    assert.ok(expect in c, `${file}: ${list}[${i}] has no ${expect}`)
    const found = run(c)
    try {
      assert.deepEqual(found, c[expect])
      return []
    } catch {
      return [`${list}[${i}] ${JSON.stringify(c)}\n    the package says ${JSON.stringify(found)}`]
    }
  })
  assert.equal(failures.length, 0, `${file}:\n  ${failures.join('\n  ')}`)
}

/** What the library accepted; null when it refused the argument. */
function accepted(run) {
  try {
    return run()
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof OpenWAError && error.code === 'INVALID_ARGUMENT')) return null
    throw error
  }
}
const isAccepted = (run) => accepted(() => (run(), true)) ?? false
const code = (run) => {
  try {
    run()
  } catch (error) {
    return error
  }
}

test('keys', () => {
  const pepper = (c) => (c.pepper === null ? undefined : Buffer.from(c.pepper))
  each('keys', 'cases', 'hash', (c) => policy.hashKey(c.key, pepper(c)))
  each('keys', 'cases', 'prefix', (c) => policy.keyPrefix(c.key))
  each('keys', 'cases', 'hash', (c) => (policy.sameHash(c.hash, policy.hashKey(c.key, pepper(c))) ? c.hash : null))
})

test('permissions', () => {
  each('permissions', 'parse', 'permissions', (c) => accepted(() => policy.parsePermissions(JSON.parse(c.json))))
  each('permissions', 'allows', 'allows', (c) => policy.permits(c.permissions, c.asks))
})

test('addresses, networks, clients', () => {
  each('addresses_ip', 'addresses', 'address', (c) => accepted(() => policy.parseIp(c.text)))
  each('addresses_ip', 'networks', 'network', (c) => accepted(() => policy.parseNetwork(c.text)))
  each('addresses_ip', 'contains', 'contains', (c) => policy.networkContains(c.network, c.address))
  each('addresses_ip', 'client_ip', 'client', (c) => policy.clientIp(c.peer, c.x_forwarded_for, c.trusted))
})

test('status edges', () => {
  each('status_edges', 'edges', 'result', ({ from, to }) => {
    try {
      return policy.checkTransition(from, to)
    } catch (error) {
      const named = error.context.from === from && error.context.to === to
      const listed = policy.allowedTransitions(from).every((status) => error.message.includes(status))
      return error.code === 'INVALID_TRANSITION' && named && listed ? 'refused' : 'vague'
    }
  })
  each('status_edges', 'on_start', 'needs_engine', (c) => policy.needsEngine(c.status))
  each('status_edges', 'on_start', 'should_restore', (c) => policy.shouldRestore(c.status))
  each('status_edges', 'on_start', 'recreate', (c) => code(() => policy.checkRecreate(c.status)) === undefined)
})

test('acks only rise', () => {
  each('acks', 'cases', 'result', (c) => policy.raiseAck(c.current, c.new))
})

test('webhooks', () => {
  each('webhooks', 'events', 'events', (c) => accepted(() => policy.parseWebhookEvents(JSON.parse(c.json))))
  each('webhooks', 'hears', 'hears', (c) => policy.webhookHears(c.events, c.event))
  each('webhooks', 'urls', 'default', (c) => isAccepted(() => policy.checkWebhookUrl(c.url)))
  each('webhooks', 'urls', 'private_allowed', (c) => isAccepted(() => policy.checkWebhookUrl(c.url, true)))
  each('webhooks', 'headers', 'ok', (c) => isAccepted(() => policy.checkWebhookHeaders(JSON.parse(c.json))))
  each('webhooks', 'sign', 'signature', (c) => policy.signWebhook(c.secret, Buffer.from(c.body)))
  each('webhooks', 'verify', 'valid', (c) => policy.verifyWebhook(c.secret, Buffer.from(c.body), c.signature))
})

test('retries', () => {
  each('retry', 'cases', 'wait_ms', (c) =>
    policy.nextAttempt(c.attempt, c.random, { retryCount: c.retry_count, base: c.base_ms, cap: c.cap_ms })
  )
})

test('authorization', () => {
  const { key: defaults, now } = JSON.parse(readFileSync(shared('vectors/authorize.json')))
  const date = (iso) => (iso === null ? null : policy.parseTime(iso))
  each('authorize', 'cases', 'decision', (c) => {
    const key = { ...defaults, ...c.key }
    const rules = {
      permissions: key.permissions,
      allowedSessions: key.allowed_sessions,
      allowedChats: key.allowed_chats,
      active: key.active,
      expiresAt: date(key.expires_at),
      whitelist: key.whitelist.map((w) => ({ ipAddress: w.ip_address, cidrRange: w.cidr_range, active: w.active }))
    }
    const { permission, ip, session, session_alias, chat } = c.request
    return policy.decide(policy.parseTime(now), rules, { permission, ip, session, sessionAlias: session_alias, chat })
  })
})

test('dates', () => {
  each('dates', 'cases', 'ms', (c) => accepted(() => policy.parseTime(c.text).getTime()))
  const { iso, parsed } = JSON.parse(readFileSync(shared('vectors/dates_node.json')))
  assert.deepEqual([iso.length, parsed.length], [10_000, 2000])
  for (const [ms, written] of iso) {
    assert.equal(policy.formatTime(new Date(ms)), written)
    assert.equal(policy.parseTime(written).getTime(), ms)
  }
  for (const [written, ms] of parsed) assert.equal(accepted(() => policy.parseTime(written).getTime()), ms, written)
})
