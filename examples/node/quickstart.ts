// Open a store, keep a message, read a page, check a key. Run: npm run quickstart
import { OpenWAError, openStore } from 'openwa-store'

await using store = await openStore({ dir: process.argv[2] ?? './data' })

const session = (await store.sessions.find('shop-1')) ?? (await store.sessions.create({ name: 'shop-1' }))
const chatId = '12025550143@s.whatsapp.net'

const { outcome, message } = await store.messages.save(session.id, {
  waMessageId: '3EB0C431C26A1916E07A',
  chatId,
  fromNumber: chatId,
  type: 'text',
  body: 'Hello',
  waTimestamp: new Date()
})
// A message that is delivered twice is 'inserted' once: that is when to fire webhooks.
console.log(outcome, message.body)

const page = await store.messages.list({ session: session.id, chat: chatId, limit: 50 })
for (const { fromNumber, body, waTimestamp } of page.items) console.log(waTimestamp.toISOString(), fromNumber, body)

const { key } = await store.apiKeys.create({ name: 'ci', permissions: ['messages:read'] })
const { allowed } = await store.apiKeys.authorize(key, { ip: '203.0.113.7', permission: 'messages:read' })
console.log('allowed:', allowed)

try {
  await store.sessions.create({ name: 'shop-1' })
} catch (error) {
  if (!(error instanceof OpenWAError)) throw error
  console.log(error.code, error.context)
}
