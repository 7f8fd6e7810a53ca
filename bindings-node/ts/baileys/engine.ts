import type * as Baileys from 'baileys' with { 'resolution-mode': 'import' }

import { OpenWAError } from '../core.js'

/** What the adapter uses of the package. */
export type Engine = Pick<typeof Baileys, 'BufferJSON' | 'initAuthCreds' | 'proto'>

/** The package, under either of its names. */
export async function load(given: Engine | undefined): Promise<Engine> {
  if (given) return given
  let cause: unknown
  for (const name of ['baileys', '@whiskeysockets/baileys']) {
    try {
      const found = (await import(name)) as Engine & { default?: Engine }
      return found.default && !('initAuthCreds' in found) ? (found as { default: Engine }).default : found
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error
      cause = error
    }
  }
  throw new OpenWAError('UNSUPPORTED', 'the package baileys is not installed; npm install baileys', { cause })
}
