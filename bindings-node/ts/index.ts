/** The embedded store for WhatsApp gateways. Start with {@link openStore}. */
export { OpenWAError } from './error.js'
export * from './generated/groups.js'
export type * from './generated/types.js'
export type { Page } from './group.js'
export type { LongOptions, Progress } from './runtime.js'
export { openStore, Store } from './store.js'
