import type { ErrorCode } from './generated/types.js'
import type { Failure } from './native.js'

/** What every call of this package fails with. */
export class OpenWAError extends Error {
  override readonly name = 'OpenWAError'
  /** What went wrong, for a program. */
  readonly code: ErrorCode
  /** Whether the same call may succeed later without any change by the caller. */
  readonly retryable: boolean
  /** The verb that failed, for instance `messages.save`. */
  readonly operation: string | undefined
  /** What it is about: `column`, `table`, `row`, `path` … */
  readonly context: Readonly<Record<string, string>>

  constructor(
    code: ErrorCode,
    message: string,
    more: {
      retryable?: boolean
      operation?: string | undefined
      context?: Record<string, string>
      cause?: unknown
    } = {}
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.code = code
    this.retryable = more.retryable ?? false
    this.operation = more.operation
    this.context = more.context ?? {}
  }

  /** An argument that is not acceptable. */
  static invalid(argument: string, message: string): OpenWAError {
    return new this('INVALID_ARGUMENT', message, { context: { column: argument } })
  }
}

/** The error that the addon describes. */
export function failure([code, message, retryable, operation, pairs, causes]: Failure): OpenWAError {
  const context: Record<string, string> = {}
  for (let i = 0; i < pairs.length; i += 2) context[pairs[i]!] = pairs[i + 1]!
  let cause: Error | undefined
  for (const text of causes.reverse()) cause = new Error(text, cause ? { cause } : undefined)
  return new OpenWAError(code as ErrorCode, message, { retryable, operation: operation ?? undefined, context, cause })
}
