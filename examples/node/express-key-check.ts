// Express: an API key for each route. app.get('/messages', needs(store, 'messages:read'), handler)
import type { RequestHandler } from 'express'
import type { Permission, Store } from 'openwa-store'

export function needs(store: Store, permission: Permission): RequestHandler {
  return async (request, response, next) => {
    const key = request.get('x-api-key') ?? ''
    const answer = await store.apiKeys.authorize(key, { permission, ip: request.ip ?? null })
    if (answer.allowed) return next()
    // Tell an outsider only *that* it is not allowed, never why.
    response.status(answer.apiKey ? 403 : 401).json({ error: 'not allowed' })
  }
}
