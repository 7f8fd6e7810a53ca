// The package is built once, as CommonJS, so that `require` and `import` share one addon and one `OpenWAError`. Beside
// each entry point lies the module that gives `import` its names. It requires rather than imports: Node would read every
// file of the package twice to find the names, which costs ten milliseconds at each start.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
for (const entry of ['index', 'baileys/index', 'wwebjs/index']) {
  const names = Object.keys(require(`../dist/${entry}.js`)).join(', ')
  const module = `import { createRequire } from 'node:module'\n\nexport const { ${names} } = createRequire(import.meta.url)('./index.js')\n`
  writeFileSync(new URL(`../dist/${entry}.mjs`, import.meta.url), module)
  writeFileSync(new URL(`../dist/${entry}.d.mts`, import.meta.url), `export * from './index.js'\n`)
}
