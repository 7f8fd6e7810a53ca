// A bot on whatsapp-web.js whose browser profile and history live in the store. Run: node dist/wwebjs-bot.js
import { openStore } from 'openwa-store'
import { bindToClient, remoteAuthStore } from 'openwa-store/wwebjs'
import wwebjs from 'whatsapp-web.js'

const store = await openStore({ dir: './data' })
const session = (await store.sessions.find('web')) ?? (await store.sessions.create({ name: 'web' }))

const client = new wwebjs.Client({
  authStrategy: new wwebjs.RemoteAuth({
    clientId: session.name,
    store: remoteAuthStore(store, session.id),
    backupSyncIntervalMs: 300_000
  })
})
const binding = bindToClient(client, store, session.id, {
  onIngested({ messages }) {
    for (const { outcome, message } of messages) {
      // Told once per message, however often WhatsApp delivers it.
      if (outcome !== 'inserted' || message.fromMe || message.body !== '!ping') continue
      void client.sendMessage(message.chatId.replace('@s.whatsapp.net', '@c.us'), 'pong')
    }
  }
})
client.on('qr', (qr) => console.log('Scan this with WhatsApp:', qr))
process.once('SIGINT', async () => {
  await client.destroy()
  await binding.close()
  await store.close()
})
await client.initialize()
