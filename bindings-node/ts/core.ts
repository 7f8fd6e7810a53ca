/** What every entry point shares. The build joins it into one file: at each start of a bot, every file costs time. */
export { RawJson } from './codec.js'
export { OpenWAError } from './error.js'
export * from './generated/groups.js'
export { openStore, Store } from './store.js'
