// The package is built once, as CommonJS, so that `require` and `import` share one addon and one `OpenWAError`. Beside
// each entry point lies the module that gives `import` its names.
import { writeFileSync } from 'node:fs'

for (const entry of ['index', 'baileys/index', 'wwebjs/index']) {
  const again = `export * from './index.js'\n`
  writeFileSync(new URL(`../dist/${entry}.mjs`, import.meta.url), again)
  writeFileSync(new URL(`../dist/${entry}.d.mts`, import.meta.url), again)
}
