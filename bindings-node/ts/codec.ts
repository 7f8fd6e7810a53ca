/**
 * Values between JavaScript and the addon. What goes in is made simple here: a `Date` becomes a number, JSON its text,
 * a record the list of its fields in the order of its shape; `undefined` stays and means "not given". What comes out is
 * turned back by the generated readers.
 */
import { OpenWAError } from './error.js'

/** Makes a value simple; `name` is what the caller knows it by. */
export interface Encode {
  (value: unknown, name: string): unknown
  /** The fields of a record. */
  readonly fields?: readonly string[]
}

/** Makes a value of what the addon answered. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Decode<T = any> = (value: any) => T

const refuse = (name: string, wanted: string, value: unknown): never => {
  throw OpenWAError.invalid(name, `${name} must be ${wanted}, not ${what(value)}`)
}

/** Names a value without showing it: it may be secret. */
function what(value: unknown): string {
  if (value === null) return 'null'
  if (value instanceof Date) return 'a Date'
  if (Array.isArray(value)) return 'an array'
  return /^[aeiou]/.test(typeof value) ? `an ${typeof value}` : `a ${typeof value}`
}

export const text: Encode = (value, name) => (typeof value === 'string' ? value : refuse(name, 'a string', value))

export const bool: Encode = (value, name) => (typeof value === 'boolean' ? value : refuse(name, 'true or false', value))

export const float: Encode = (value, name) => (typeof value === 'number' ? value : refuse(name, 'a number', value))

export const int: Encode = (value, name) => {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return value
  return refuse(name, 'a whole number below 2^53, or a bigint', value)
}

export const time: Encode = (value, name) => {
  // A Date of another realm (a vm context, a test runner) is a Date, too.
  if (Object.prototype.toString.call(value) !== '[object Date]') {
    return refuse(name, 'a Date (from seconds: new Date(seconds * 1000))', value)
  }
  const ms = (value as Date).getTime()
  if (Number.isNaN(ms)) throw OpenWAError.invalid(name, `${name} is an invalid Date`)
  return ms
}

/** JSON that is text already. */
export class RawJson {
  constructor(readonly text: string) {}
}

export const json: Encode = (value, name) => {
  if (value instanceof RawJson) return value.text
  let written: string | undefined
  try {
    written = JSON.stringify(value)
  } catch (cause) {
    throw new OpenWAError('INVALID_ARGUMENT', `${name} cannot be written as JSON`, { context: { column: name }, cause })
  }
  return written ?? refuse(name, 'what JSON can hold', value)
}

export const bytes: Encode = (value, name) =>
  value instanceof Uint8Array ? value : refuse(name, 'a Buffer or Uint8Array', value)

export const list =
  (item: Encode): Encode =>
  (value, name) => {
    if (!Array.isArray(value)) return refuse(name, 'an array', value)
    return value.map((v, i) => item(v, `${name}[${i}]`))
  }

export function record(shape: string, types: Readonly<Record<string, Encode>>): Encode {
  const fields = Object.keys(types)
  const encoders = Object.values(types)
  const positions = new Map(fields.map((field, i) => [field, i]))
  const encode = (value: unknown, name: string): unknown[] => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(name, 'an object', value)
    const out: unknown[] = new Array(fields.length)
    for (const field in value) {
      const at = positions.get(field)
      const given = (value as Record<string, unknown>)[field]
      if (at === undefined) {
        throw OpenWAError.invalid(field, `${shape} has no field ${field}; it has: ${fields.join(', ')}`)
      }
      if (given !== undefined) out[at] = given === null ? null : encoders[at]!(given, field)
    }
    return out
  }
  return Object.assign(encode, { fields })
}

export const same: Decode = (value) => value
export const list_of =
  <T>(item: Decode<T>): Decode<T[]> =>
  (values: unknown[]) =>
    values.map((value) => item(value))
export const page_of =
  <T>(item: Decode<T>): Decode<{ items: T[]; next: string | null }> =>
  ([items, next]: [unknown[], string | null]) => ({ items: items.map((value) => item(value)), next })
export const maybe =
  <T>(read: Decode<T>): Decode<T | null> =>
  (value) =>
    value === null ? null : read(value)
