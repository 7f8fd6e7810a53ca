// One measurement in a process of its own: `start` to the first page, or what an `import` adds to the memory.
const begun = performance.now()
const [, , what, side, dir, arg] = process.argv
const { mkdirSync } = await import('node:fs')
mkdirSync(dir, { recursive: true })
const sides = await import('./sides.mjs')
const store = await sides[side](dir)
if (what === 'start') {
  const rows = await store.page(arg)
  if (rows.length === 0) throw new Error('an empty page')
  console.log(JSON.stringify({ ms: performance.now() - begun }))
} else {
  const rss = () => process.memoryUsage().rss
  gc()
  const before = rss()
  let peak = before
  const watch = setInterval(() => (peak = Math.max(peak, rss())), 5)
  const start = performance.now()
  await store.importFrom(arg)
  clearInterval(watch)
  peak = Math.max(peak, rss())
  console.log(JSON.stringify({ mib: Math.round((peak - before) / 2 ** 20), ms: Math.round(performance.now() - start) }))
}
await store.close()
