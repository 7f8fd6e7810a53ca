// The package is built once, as CommonJS, so that `require` and `import` share one addon and one `OpenWAError`. What every
// entry point shares becomes one file; beside each entry point lies the module that gives `import` its names. It requires
// rather than imports: Node would read every file of the package twice to find the names.
import { buildSync } from 'esbuild'
import { rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const require = createRequire(import.meta.url)
const names = (entry) => Object.keys(require(join(dist, `${entry}.js`))).join(', ')

for (const entry of ['index', 'baileys/index', 'wwebjs/index']) {
  const from = entry === 'index' ? './core.js' : './index.js'
  const module = `import { createRequire } from 'node:module'\n\nexport const { ${names(entry)} } = createRequire(import.meta.url)('${from}')\n`
  writeFileSync(join(dist, `${entry}.mjs`), module)
  writeFileSync(join(dist, `${entry}.d.mts`), `export * from './index.js'\n`)
}

const all = names('index')
writeFileSync(join(dist, 'index.js'), `'use strict'\nconst { ${all} } = require('./core.js')\nmodule.exports = { ${all} }\n`)
// From the sources, which makes it one scope: a function around each module is read twice, once to find its end. Names stay
// as they are, for whoever reads a stack.
const how = { bundle: true, format: 'cjs', platform: 'node', target: 'node20', minifyWhitespace: true, minifySyntax: true }
const { metafile } = buildSync({ ...how, absWorkingDir: root, entryPoints: ['ts/core.ts'], outfile: 'dist/core.js', allowOverwrite: true, metafile: true })
for (const joined of Object.keys(metafile.inputs)) {
  if (joined !== 'ts/core.ts') rmSync(join(root, joined.replace(/^ts/, 'dist').replace(/ts$/, 'js')))
}
