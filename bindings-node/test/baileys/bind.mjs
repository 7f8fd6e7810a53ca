// What bindToBaileys gives beside history: messages for retries, groups, and errors that reach the host.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'

import { bindToBaileys } from 'openwa-store/baileys'

import { openFor } from '../helpers.mjs'
import { quiet } from './quiet.mjs'

const [CHAT, GROUP] = ['12025550143@s.whatsapp.net', '120363000000000001@g.us']

const key = (id, fromMe = true, remoteJid = CHAT) => ({ id, fromMe, remoteJid })
/** See baileys-7.test.mjs for what it is given. */
export function binds({ baileys: { makeEventBuffer, proto }, options, member }) {
  const upsert = (key, message, more = {}) => ({
    messages: [proto.WebMessageInfo.fromObject({ key, message, messageTimestamp: 1767600000, ...more })],
    type: 'append'
  })

  /** A session bound to an event buffer of Baileys. */
  async function bound(t, more, sock = {}) {
    const store = await openFor(t)
    const { id } = await store.sessions.create({ name: 'shop-1' })
    const ev = makeEventBuffer(quiet)
    const binding = bindToBaileys({ ev, ...sock }, store, id, { ...options, ...more })
    return { store, id, ev, binding }
  }

  test('getMessage gives the original back, and undefined for what is not kept', async (t) => {
    const { ev, binding, store, id } = await bound(t)
    const message = {
      imageMessage: { caption: 'a "cat" \u{1F408}', mediaKey: Buffer.alloc(32, 3), fileLength: 12345, jpegThumbnail: Buffer.from('jpeg') },
      messageContextInfo: { messageSecret: Buffer.alloc(32, 9) }
    }
    ev.emit('messages.upsert', upsert(key('OWN'), message))
    const found = await binding.getMessage(key('OWN'))
    assert.deepEqual(proto.Message.toObject(found), proto.Message.toObject(proto.Message.fromObject(message)))
    assert.equal((await store.messages.find(id, 'OWN')).body, 'a "cat" \u{1F408}')

    ev.emit('messages.upsert', upsert(key('THEIRS', false), { conversation: 'hi' }))
    ev.emit('messages.upsert', upsert(key('POLL', false), { pollCreationMessageV3: { name: 'When?', options: [], selectableOptionsCount: 1 } }))
    assert.equal(await binding.getMessage(key('THEIRS', false)), undefined)
    assert.equal((await binding.getMessage(key('POLL', false))).pollCreationMessageV3.name, 'When?')
    assert.equal(await binding.getMessage(key('NEVER')), undefined)
    assert.equal(await binding.getMessage({}), undefined)

    ev.emit('messages.update', [{ key: key('OWN'), update: { message: null, messageStubType: 1 } }])
    assert.equal(await binding.getMessage(key('OWN')), undefined, 'what was deleted for everyone is not sent again')
  })

  test('keepRaw decides whose messages are kept', async (t) => {
    for (const [keepRaw, own, theirs] of [['all', true, true], ['none', false, false]]) {
      const { ev, binding } = await bound(t, { keepRaw })
      ev.emit('messages.upsert', upsert(key('OWN'), { conversation: 'x' }))
      ev.emit('messages.upsert', upsert(key('THEIRS', false), { conversation: 'y' }))
      assert.equal((await binding.getMessage(key('OWN'))) !== undefined, own)
      assert.equal((await binding.getMessage(key('THEIRS', false))) !== undefined, theirs)
    }
  })

  test('an event map is one commit, and what is new is told once', async (t) => {
    const heard = []
    const { ev, binding, store, id } = await bound(t, { onIngested: (result) => heard.push(result.messages.map((m) => m.outcome)) })
    ev.buffer()
    ev.emit('messages.upsert', upsert(key('A', false), { conversation: 'x' }))
    ev.emit('contacts.upsert', [{ id: CHAT, notify: 'Ann' }])
    ev.flush()
    ev.emit('messages.upsert', upsert(key('A', false), { conversation: 'x' }))
    await binding.flush()
    assert.deepEqual(heard, [['inserted'], ['unchanged']])
    assert.equal((await store.contacts.get(id, CHAT)).pushName, 'Ann')
  })

  test('credentials do not reach the history', async (t) => {
    const { ev, binding, store, id } = await bound(t)
    ev.emit('creds.update', { me: { id: '12025550100:7@s.whatsapp.net', name: 'Shop' }, advSecretKey: 'secret' })
    ev.emit('connection.update', { connection: 'open' })
    await binding.flush()
    const session = await store.sessions.get(id)
    assert.deepEqual([session.phone, session.pushName, session.status], ['12025550100', 'Shop', 'ready'])
  })

  test('who is behind a LID is learned, in the words of either version', async (t) => {
    const { ev, binding, store, id } = await bound(t)
    ev.emit('chats.phoneNumberShare', { lid: '40000000000001@lid', jid: '12025550101@s.whatsapp.net' })
    ev.emit('lid-mapping.update', { lid: '40000000000002@lid', pn: '12025550102@s.whatsapp.net' })
    ev.emit('contacts.upsert', [{ id: '12025550103@s.whatsapp.net', lid: '40000000000003@lid' }])
    await binding.flush()
    const known = (await store.contacts.identities(id)).map(({ lid, pn }) => [lid, pn])
    assert.deepEqual(
      known.sort(),
      [1, 2, 3].map((n) => [`4000000000000${n}@lid`, `1202555010${n}@s.whatsapp.net`])
    )
  })

  test('groups are kept up to date', async (t) => {
    let asked = 0
    const groupMetadata = async (id) => {
      asked++
      if (id !== GROUP) throw new Error('no such group')
      return { id, subject: 'from the server', owner: undefined, participants: [{ id: 'a@lid', admin: null }] }
    }
    const { ev, binding } = await bound(t, {}, { groupMetadata })
    const members = async () => (await binding.cachedGroupMetadata(GROUP)).participants.map((p) => `${p.id}${p.admin ? '*' : ''}`)
    assert.deepEqual(await members(), ['a@lid'])
    assert.deepEqual(await members(), ['a@lid'])
    assert.equal(asked, 1)
    const change = (action, ...ids) => ev.emit('group-participants.update', { id: GROUP, author: 'a@lid', action, participants: ids.map(member) })
    change('add', 'b@lid', 'c@lid')
    change('promote', 'b@lid')
    change('remove', 'a@lid')
    assert.deepEqual(await members(), ['b@lid*', 'c@lid'])
    change('demote', 'b@lid')
    ev.emit('groups.update', [{ id: GROUP, subject: 'renamed' }])
    assert.deepEqual(await members(), ['b@lid', 'c@lid'])
    assert.equal((await binding.cachedGroupMetadata(GROUP)).subject, 'renamed')
    assert.equal(asked, 1)
    assert.equal(await binding.cachedGroupMetadata('1@g.us'), undefined)

    const without = await bound(t)
    assert.equal(await without.binding.cachedGroupMetadata(GROUP), undefined)
    without.ev.emit('groups.upsert', [{ id: GROUP, subject: 'told', owner: undefined, participants: [] }])
    assert.equal((await without.binding.cachedGroupMetadata(GROUP)).subject, 'told')
  })

  test('an event that cannot be stored reaches the host, not Baileys', async (t) => {
    const errors = []
    const { ev, binding, store } = await bound(t, { onError: (error, events) => errors.push([error.code, Object.keys(events)]) })
    await store.close()
    ev.emit('messages.upsert', upsert(key('A'), { conversation: 'x' }))
    await binding.flush()
    assert.deepEqual(errors, [['CLOSED', ['messages.upsert']]])

    const silent = await bound(t)
    await silent.store.close()
    silent.ev.emit('messages.upsert', upsert(key('A'), { conversation: 'x' }))
    const [warning] = await once(process, 'warning')
    assert.equal(warning.code, 'CLOSED')
  })

  test('a closed binding hears nothing more', async (t) => {
    const { ev, binding, store, id } = await bound(t)
    ev.emit('messages.upsert', upsert(key('A'), { conversation: 'x' }))
    await binding.close()
    ev.emit('messages.upsert', upsert(key('B'), { conversation: 'x' }))
    assert.equal(await store.messages.count({ session: id }), 1)
  })
}
