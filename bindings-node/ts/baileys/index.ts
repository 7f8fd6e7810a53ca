/** Baileys (7.0.0-rc and 6.17) on the store: credentials, message history, retries. */
export { useStoreAuthState, type StoreAuthState, type AuthStateOptions } from './auth-state.js'
export { bindToBaileys, type BaileysBinding, type BindOptions } from './bind.js'
export { importMultiFileAuth, type MultiFileImport, type MultiFileOptions } from './multi-file.js'
