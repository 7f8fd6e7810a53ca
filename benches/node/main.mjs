// The figures of issue "npm package": every row runs both sides in turn and shows medians and the median *ratio*. The
// machine's other load then hits both alike.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { sample } from './schema.mjs'
import { byHand, ours, typeorm } from './sides.mjs'

const ROUNDS = Number(process.env.ROUNDS ?? 5)
const dir = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'openwa-bench-'))
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1]
const results = []

/** Runs `theirs` and `mine`, each telling how many it did in its turn, in alternation. */
async function compare(work, yardstick, atLeast, mine, theirs) {
  const rates = { mine: [], theirs: [], ratio: [] }
  const rate = async (run, round) => {
    const start = performance.now()
    const count = await run(round)
    return count / ((performance.now() - start) / 1000)
  }
  for (let round = 0; round < ROUNDS; round++) {
    const [a, b] = [await rate(mine, round), await rate(theirs, round)]
    rates.mine.push(a)
    rates.theirs.push(b)
    rates.ratio.push(a / b)
  }
  const [m, t, r] = [median(rates.mine), median(rates.theirs), median(rates.ratio)]
  const show = (n) => `${Math.round(n).toLocaleString('en')}/s`
  console.log(`| ${work} | ${yardstick} | ${show(m)} | ${show(t)} | ${r.toFixed(2)} | ${atLeast} |`)
  results.push([work, r >= atLeast])
}

console.log('| work | against | ours | theirs | ratio | at least |\n|---|---|---|---|---|---|')
const [our, hand, orm] = [await ours(join(dir, 'ours')), await byHand(dir), await typeorm(dir)]
let next = 0
/** `count` saves from `lanes` concurrent promises. */
const saves = (side, count, lanes) => async () => {
  const end = next + count
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (next < end) await side.save(next++)
    })
  )
  return count
}
await saves(our, 5000, 1000)()
await compare('single saves, 1,000 promises', 'better-sqlite3, a transaction each', 5, saves(our, 20_000, 1000), saves(hand, 2000, 1000))
await compare('single saves, 1,000 promises', 'TypeORM, a transaction each', 7, saves(our, 20_000, 1000), saves(orm, 1000, 1000))

/** Batches of 500 from four concurrent promises; those of better-sqlite3 come one after the other all the same. */
const batches = (side, count) => async () => {
  const end = next + count * 500
  const lane = async () => {
    while (next < end) await side.saveMany((next += 500) - 500, 500)
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  return count * 500
}
await compare('batches of 500, 4 promises', 'better-sqlite3, a transaction each', 1.5, batches(our, 40), batches(hand, 20))

// The same chats with the same 200 messages on all sides.
for (const side of [our, hand, orm]) for (let n = 0; n < 200; n++) await side.saveMany(10_000_000 + n * 500, 1)
const chat = sample(10_000_000).chatId
const pages = (side, count) => async () => {
  let rows = 0
  for (let i = 0; i < count; i++) rows += (await side.page(chat)).length
  if (rows !== 50 * count) throw new Error(`${rows} rows in ${count} pages`)
  return count
}
await pages(our, 2000)()
await pages(hand, 2000)()
await compare('page of 50 as objects with Dates', 'better-sqlite3, mapped', 1, pages(our, 2000), pages(hand, 2000))
await compare('page of 50 as objects with Dates', 'TypeORM', 2, pages(our, 1000), pages(orm, 300))

const checks = (side, keys, count) => async () => {
  for (let i = 0; i < count; i++) if (!side.authorize(keys[i % keys.length])) throw new Error('denied')
  return count
}
const keys = async (side) => Promise.all(Array.from({ length: 1000 }, () => side.key()))
const [ourKeys, theirKeys] = [await keys(our), await keys(hand)]
await checks(our, ourKeys, 20_000)()
await compare('authorizeSync, 1,000 keys', 'better-sqlite3, hash and lookup', 2, checks(our, ourKeys, 50_000), checks(hand, theirKeys, 50_000))

for (const side of [our, hand, orm]) await side.close()

// Export and import of 100,000 messages, in folders of their own.
const [a, b] = [join(dir, 'export-ours'), join(dir, 'export-hand')]
execFileSync('mkdir', [a, b])
const [mine, theirs] = [await ours(a), await byHand(b)]
for (let n = 0; n < 100_000; n += 500) await Promise.all([mine.saveMany(n, 500), theirs.saveMany(n, 500)])
const files = { mine: join(a, 'out.json'), theirs: join(b, 'out.jsonl') }
const exported = (side, path) => async () => (await side.exportTo(path), 100_000)
await compare('export of 100,000 messages', 'better-sqlite3, streamed', 4, exported(mine, files.mine), exported(theirs, files.theirs))
await Promise.all([mine.close(), theirs.close()])

/** What a process of its own tells; see child.mjs. */
const child = (...args) => JSON.parse(execFileSync(process.execPath, ['--expose-gc', fileURLToPath(new URL('child.mjs', import.meta.url)), ...args]))
const grown = { mine: child('import', 'ours', join(dir, 'import-ours'), files.mine), theirs: child('import', 'byHand', join(dir, 'import-hand'), files.theirs) }
console.log(`\nImport of 100,000 messages grows the process by ${grown.mine.mib} MiB (at most 64), better-sqlite3 by ${grown.theirs.mib} MiB; ${grown.mine.ms} and ${grown.theirs.ms} ms.`)
results.push(['import', grown.mine.mib < 64])

const starts = { ours: [], byHand: [] }
for (let i = 0; i < ROUNDS * 2; i++) {
  starts.ours.push(child('start', 'ours', a, chat).ms)
  starts.byHand.push(child('start', 'byHand', b, chat).ms)
}
const [s, h] = [median(starts.ours), median(starts.byHand)]
console.log(`From start to the first page: ${s.toFixed(1)} ms, better-sqlite3 ${h.toFixed(1)} ms.`)
results.push(['start', s <= h])

const missed = results.filter(([, ok]) => !ok).map(([work]) => work)
if (missed.length > 0) {
  console.log(`\nMissed: ${missed.join(', ')}`)
  process.exitCode = 1
}
