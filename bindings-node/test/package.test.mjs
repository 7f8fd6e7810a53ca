// The package as npm gives it to a stranger: packed, installed into an empty project, no toolchain.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { folder } from './helpers.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const examples = fileURLToPath(new URL('../../examples/node', import.meta.url))
const { version } = JSON.parse(readFileSync(join(root, 'package.json')))
const addon = readdirSync(root).find((name) => name.endsWith('.node'))

/** Node and npm alone: no compiler, no Rust. */
const PATH = [dirname(process.execPath), '/bin'].join(':')
const run = (cwd, command, ...args) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, PATH, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'pipe'] })
const npm = (cwd, ...args) => {
  // A project of its own must not hear of the project that its test runs in.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')))
  return execFileSync('npm', args, { cwd, encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] })
}
const pack = (from, to) => join(to, JSON.parse(npm(from, 'pack', '--json', '--ignore-scripts', '--pack-destination', to))[0].filename)

const USE = `
const store = await openStore({ dir: process.argv[2] })
const { id } = await store.sessions.create({ name: String(Math.random()) })
const { outcome } = await store.messages.save(id, { waMessageId: 'A', chatId: '1@g.us', fromNumber: '12025550143@s.whatsapp.net', type: 'text', body: 'hi', waTimestamp: new Date() })
await store.close()
console.log(outcome, OpenWAError.name, typeof useStoreAuthState, typeof remoteAuthStore)
`

test('one tarball: installed, compiled against, run', async (t) => {
  const dir = folder(t)
  const project = join(dir, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  const tarball = pack(root, dir)
  const { typescript, '@types/node': node } = JSON.parse(readFileSync(join(root, 'package.json'))).devDependencies
  npm(project, 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball, `typescript@${typescript}`, `@types/node@${node}`)
  const installed = JSON.parse(readFileSync(join(project, 'node_modules/openwa-store/package.json')))
  assert.equal(Object.keys(installed.scripts).some((name) => /install|prepare/.test(name)), false, 'no install script')
  assert.equal(installed.dependencies, undefined)

  writeFileSync(
    join(project, 'use.mjs'),
    `import { OpenWAError, openStore } from 'openwa-store'
     import { useStoreAuthState } from 'openwa-store/baileys'
     import { remoteAuthStore } from 'openwa-store/wwebjs'
     ${USE}`
  )
  writeFileSync(
    join(project, 'use.cjs'),
    `const { OpenWAError, openStore } = require('openwa-store')
     const { useStoreAuthState } = require('openwa-store/baileys')
     const { remoteAuthStore } = require('openwa-store/wwebjs')
     ;(async () => { ${USE} })()`
  )
  for (const file of ['use.mjs', 'use.cjs']) {
    assert.equal(run(project, process.execPath, file, join(dir, 'data')), 'inserted OpenWAError function function\n', file)
  }

  // The examples, in strict TypeScript, with what they import beside.
  const link = (name, from = name) => {
    const path = join(project, 'node_modules', name)
    mkdirSync(dirname(path), { recursive: true })
    rmSync(path, { force: true })
    symlinkSync(join(root, 'node_modules', from), path)
  }
  for (const name of ['@nestjs/common', '@types/express', 'baileys', 'express', 'reflect-metadata', 'rxjs', 'whatsapp-web.js']) link(name)
  for (const file of readdirSync(examples)) if (/\.(ts|json)$/.test(file)) copyFileSync(join(examples, file), join(project, file))
  const tsc = join(project, 'node_modules/typescript/bin/tsc')
  run(project, process.execPath, tsc, '-p', '.')
  const out = run(project, process.execPath, 'dist/quickstart.js', join(dir, 'quickstart'))
  assert.match(out, /^inserted Hello\n.*Hello\nallowed: true\nALREADY_EXISTS \{ column: 'name' \}\n$/s)

  // As CommonJS, with every library checked as well.
  writeFileSync(
    join(project, 'strict.cts'),
    `import { openStore, type Message, type Store } from 'openwa-store'
     export async function last(store: Store, session: string): Promise<Message | undefined> {
       for await (const message of store.messages.iterate({ session, limit: 1 })) {
         const seconds: number = message.waTimestamp.getTime() / 1000
         const body: string | null = message.body
         if (seconds && body) return message
       }
       // @ts-expect-error: no such status
       await store.sessions.transition(session, 'running')
       // @ts-expect-error: a chat is needed
       await store.messages.save(session, { fromNumber: 'x', type: 'text', waTimestamp: new Date() })
       return undefined
     }
     export const open = (): Promise<Store> => openStore({ data: 'postgres://localhost/openwa' })`
  )
  const strict = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--types', 'node']
  run(project, process.execPath, tsc, ...strict, '--noEmit', 'strict.cts')

  // With Baileys 6.17 in the place of 7: its types, and its package found by name.
  writeFileSync(
    join(project, 'six.ts'),
    `import { makeWASocket, makeCacheableSignalKeyStore } from 'baileys'
     import { openStore } from 'openwa-store'
     import { bindToBaileys, useStoreAuthState, type BaileysBinding } from 'openwa-store/baileys'
     const store = await openStore({ memory: true })
     const { id } = await store.sessions.create({ name: 'bot' })
     const { state, saveCreds, close } = await useStoreAuthState(store, id)
     export function connect(logger: Parameters<typeof makeCacheableSignalKeyStore>[1]): BaileysBinding {
       let binding: BaileysBinding
       const sock = makeWASocket({
         auth: { creds: state.creds, keys: makeCacheableSignalKeyStore(state.keys, logger) },
         getMessage: async (key) => binding.getMessage(key),
         cachedGroupMetadata: async (group) => binding.cachedGroupMetadata(group)
       })
       binding = bindToBaileys(sock, store, id, { onIngested: ({ messages }) => console.log(messages.length) })
       sock.ev.on('creds.update', () => void saveCreds())
       return binding
     }
     await saveCreds()
     await close()
     console.log('advSecretKey' in state.creds, (await useStoreAuthState(store, id)).state.creds.advSecretKey === state.creds.advSecretKey)
     await store.close()`
  )
  link('baileys', 'baileys-6')
  run(project, process.execPath, tsc, ...strict, '--skipLibCheck', 'six.ts')
  assert.equal(run(project, process.execPath, 'six.js'), 'true true\n')
})

test('packages per platform, as they are published', async (t) => {
  const dir = folder(t)
  const stage = join(dir, 'main')
  for (const name of ['package.json', 'dist']) cpSync(join(root, name), join(stage, name), { recursive: true })
  npm(root, 'exec', '--', 'napi', 'create-npm-dirs', '--cwd', stage)
  const platforms = readdirSync(join(stage, 'npm'))
  assert.equal(platforms.length, 8)
  for (const platform of platforms) {
    const { os, cpu, libc, scripts } = JSON.parse(readFileSync(join(stage, 'npm', platform, 'package.json')))
    const expected = platform.endsWith('gnu') ? ['glibc'] : platform.endsWith('musl') ? ['musl'] : undefined
    assert.deepEqual([os.length, cpu.length, libc, scripts], [1, 1, expected, undefined], platform)
  }
  const here = addon.split('.')[1]
  copyFileSync(join(root, addon), join(stage, 'npm', here, addon))
  const project = join(dir, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "private": true }')
  npm(project, 'install', '--offline', '--no-audit', '--no-fund', pack(stage, dir), pack(join(stage, 'npm', here), dir))
  const code = `const { openStore } = require('openwa-store'); openStore({ memory: true }).then((s) => s.status()).then((s) => console.log(s.version))`
  assert.equal(run(project, process.execPath, '-e', code), `${version}\n`)
  rmSync(join(project, 'node_modules', `openwa-store-${here}`), { recursive: true })
  const told = `try { require('openwa-store') } catch (e) { console.log(e.code, e.message) }`
  assert.match(run(project, process.execPath, '-e', told), /^UNSUPPORTED the addon for .* cannot be loaded: its package is not installed; npm /)
  const broken = join(project, 'node_modules', 'openwa-store', addon)
  writeFileSync(broken, 'no addon')
  assert.match(run(project, process.execPath, '-e', told), /^UNSUPPORTED .* cannot be loaded: .*openwa-store/)
})
