/** whatsapp-web.js on the store: the browser's profile for RemoteAuth, and message history. */
export { bindToClient, type Client, type ClientBinding, type ClientOptions } from './bind.js'
export { remoteAuthStore, type RemoteAuthOptions, type RemoteAuthStore } from './remote-auth.js'
