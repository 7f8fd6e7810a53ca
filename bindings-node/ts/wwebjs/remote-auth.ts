import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'

import { OpenWAError } from '../core.js'
import type { Store } from '../store.js'
import { zipProblem } from './zip.js'

export interface RemoteAuthOptions {
  /** The `dataPath` that `RemoteAuth` was given; default `./.wwebjs_auth`, as there. */
  dataPath?: string
}

/** What `new RemoteAuth({ store })` wants. */
export interface RemoteAuthStore {
  sessionExists(options: { session: string }): Promise<boolean>
  save(options: { session: string }): Promise<void>
  extract(options: { session: string; path: string }): Promise<void>
  delete(options: { session: string }): Promise<void>
}

const CATEGORY = 'remote-auth'
/** Profiles that are kept: the newest may be of a browser that was broken already. */
const KEPT = 3

/**
 * Keeps the browser's profile of a session in the store, for `RemoteAuth`. A profile is on the disk before `save`
 * resolves; a zip that is empty, cut off or damaged is refused, so that it never takes the place of a good one; the last
 * three are kept.
 */
export function remoteAuthStore(store: Store, session: string, options: RemoteAuthOptions = {}): RemoteAuthStore {
  const dataPath = options.dataPath ?? './.wwebjs_auth'
  // One at a time: each looks at which profiles there are.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work, work)
    last = done.catch(() => {})
    return done
  }

  /** The ids of the profiles of a name, oldest first. One that was taken over has no name: it is of any. */
  const profiles = async (name: string): Promise<string[]> => {
    const ids = (await store.auth.list(session, CATEGORY)).filter((id) => !id.includes('@') || id.startsWith(`${name}@`))
    return ids.sort((a, b) => (madeAt(a) < madeAt(b) ? -1 : 1))
  }

  return {
    async sessionExists({ session: given }) {
      return (await profiles(nameOf(given))).length > 0
    },

    save({ session: given }) {
      return inTurn(async () => {
        const name = nameOf(given)
        const path = await zipOf(given, dataPath)
        const value = await readFile(path)
        const problem = zipProblem(value)
        if (problem) {
          throw new OpenWAError('INVALID_DATA', `the profile ${problem}; the ones before it are kept`, { context: { path } })
        }
        const before = await profiles(name)
        // Later than the newest, whatever the clock says.
        const newest = before.length ? Date.parse(madeAt(before.at(-1)!)) + 1 : 0
        const at = new Date(Math.max(Date.now(), newest)).toISOString()
        await store.auth.set(session, [
          ...before.slice(0, Math.max(0, before.length + 1 - KEPT)).map((keyId) => ({ category: CATEGORY, keyId, value: null })),
          { category: CATEGORY, keyId: `${name}@${at}`, value }
        ])
      })
    },

    extract({ session: given, path }) {
      return inTurn(async () => {
        const name = nameOf(given)
        for (const keyId of (await profiles(name)).reverse()) {
          const { value } = await store.auth.get(session, CATEGORY, keyId)
          if (!value || zipProblem(value)) continue
          // On a new machine nobody has made RemoteAuth's folder yet.
          await mkdir(dirname(path), { recursive: true })
          const unfinished = `${path}.part`
          await writeFile(unfinished, value, { mode: 0o600 })
          return rename(unfinished, path)
        }
        throw new OpenWAError('NOT_FOUND', `no readable profile of ${name} is stored`, { context: { session: name } })
      })
    },

    delete({ session: given }) {
      return inTurn(async () => {
        const ids = await profiles(nameOf(given))
        await store.auth.set(session, ids.map((keyId) => ({ category: CATEGORY, keyId, value: null })))
      })
    }
  }
}

/** When a profile was made, in ISO form: the end of its id. */
const madeAt = (id: string): string => id.slice(id.indexOf('@') + 1)

const nameOf = (given: string): string => basename(given, '.zip')

/** Where `RemoteAuth` has put the zip: older versions name the whole path, newer ones the session alone. */
async function zipOf(given: string, dataPath: string): Promise<string> {
  const zip = given.endsWith('.zip') ? given : `${given}.zip`
  const candidates = isAbsolute(zip) || zip !== basename(zip) ? [zip] : [join(dataPath, zip), zip]
  for (const path of candidates) {
    if (await access(path).then(() => true, () => false)) return path
  }
  throw new OpenWAError('NOT_FOUND', `there is no zip to save: looked for ${candidates.join(' and ')}`, {
    context: { path: candidates[0]! }
  })
}
