// A bot that writes its credentials until it is killed; see process.test.mjs. Each round changes the credentials and
// keys of three types to one number, in one commit each, and says so afterwards.
import { openStore } from 'openwa-store'
import { useStoreAuthState } from 'openwa-store/baileys'

const [, , dir, session] = process.argv
const store = await openStore({ dir })
const { state, saveCreds } = await useStoreAuthState(store, session)
const ids = Array.from({ length: 20 }, (_, i) => String(i))
let [gone] = await store.auth.list(session, 'sender-key')
for (let round = state.creds.nextPreKeyId + 1; ; round++) {
  state.creds.nextPreKeyId = round
  await saveCreds()
  const value = { round, padding: Buffer.alloc(500, round) }
  await state.keys.set({
    'pre-key': Object.fromEntries(ids.map((id) => [id, value])),
    session: Object.fromEntries(ids.map((id) => [id, value])),
    'sender-key': { ...(gone && { [gone]: null }), [`gone-${round}`]: value }
  })
  gone = `gone-${round}`
  process.stdout.write(`${round}\n`)
}
