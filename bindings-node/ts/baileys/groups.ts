import type { BaileysEventMap, GroupMetadata } from 'baileys' with { 'resolution-mode': 'import' }

/** Groups whose members are kept, those used last. */
const KEPT = 1000

type Events = Partial<BaileysEventMap>

/** The groups that a connection has told about, kept up to date by its events. */
export class Groups {
  readonly #known = new Map<string, GroupMetadata>()

  get(id: string): GroupMetadata | undefined {
    const group = this.#known.get(id)
    if (group) this.put(group)
    return group
  }

  put(group: GroupMetadata): void {
    this.#known.delete(group.id)
    this.#known.set(group.id, group)
    if (this.#known.size > KEPT) this.#known.delete(this.#known.keys().next().value!)
  }

  hear(events: Events): void {
    for (const group of events['groups.upsert'] ?? []) this.put(group)
    for (const update of events['groups.update'] ?? []) {
      const known = update.id ? this.#known.get(update.id) : undefined
      if (known) this.put({ ...known, ...update })
      // A full answer of the server comes as an update, too.
      else if (update.id && update.participants) this.put(update as GroupMetadata)
    }
    const change = events['group-participants.update']
    if (change) this.#members(change)
  }

  #members({ id, participants, action }: BaileysEventMap['group-participants.update']): void {
    const group = this.#known.get(id)
    if (!group) return
    // Baileys 6 names participants by address alone.
    const named = participants.map((p) => (typeof p === 'string' ? { id: p as string } : p))
    const ids = new Set(named.map((p) => p.id))
    const others = group.participants.filter((p) => !ids.has(p.id))
    switch (action) {
      case 'add':
        this.put({ ...group, participants: [...others, ...named] })
        break
      case 'remove':
        this.put({ ...group, participants: others })
        break
      case 'promote':
      case 'demote': {
        const admin = action === 'promote' ? 'admin' : null
        const participants = group.participants.map((p) => (ids.has(p.id) ? { ...p, admin } : p))
        this.put({ ...group, participants: participants as GroupMetadata['participants'] })
        break
      }
      default:
        // Somebody changed their address: who is who is for the server to say.
        this.#known.delete(id)
    }
  }
}
