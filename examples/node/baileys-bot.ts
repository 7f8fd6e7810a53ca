// A bot on Baileys whose login, history and retries live in the store. Run: node dist/baileys-bot.js
import makeWASocket, { DisconnectReason, makeCacheableSignalKeyStore } from 'baileys'
import { openStore } from 'openwa-store'
import { bindToBaileys, useStoreAuthState, type BaileysBinding } from 'openwa-store/baileys'

const store = await openStore({ dir: './data' })
const session = (await store.sessions.find('bot')) ?? (await store.sessions.create({ name: 'bot' }))

async function connect(): Promise<void> {
  const { state, saveCreds, close } = await useStoreAuthState(store, session.id)
  let binding: BaileysBinding | undefined
  const sock = makeWASocket({
    auth: { creds: state.creds, keys: makeCacheableSignalKeyStore(state.keys) },
    getMessage: async (key) => binding?.getMessage(key),
    cachedGroupMetadata: async (id) => binding?.cachedGroupMetadata(id)
  })
  binding = bindToBaileys(sock, store, session.id, {
    onIngested({ messages }) {
      for (const { outcome, message } of messages) {
        // Told once per message, however often WhatsApp delivers it.
        if (outcome !== 'inserted' || message.fromMe || message.body !== '!ping') continue
        void sock.sendMessage(message.chatId, { text: 'pong' })
      }
    }
  })
  sock.ev.on('creds.update', () => void saveCreds())
  sock.ev.on('connection.update', async ({ connection, lastDisconnect, qr }) => {
    if (qr) console.log('Scan this with WhatsApp:', qr)
    if (connection !== 'close') return
    await Promise.all([binding?.close(), close()])
    const { statusCode } = (lastDisconnect?.error as { output?: { statusCode?: number } } | undefined)?.output ?? {}
    if (statusCode !== DisconnectReason.loggedOut) return connect()
    await store.auth.clear(session.id)
    await store.close()
  })
}

await connect()
