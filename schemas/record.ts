/**
 * A record is one statement of its origin about one key of one dataset. Its identity is (origin, dataset, audience, key); its
 * state is the highest `ver` accepted. `Candidate` is a record that its origin has not sealed yet: the node adds `ver`.
 */

/** Why a record is taken back: corrected at home, repaired (信用修复), withdrawn by its source, ordered by an authority. */
export const RETRACT_REASONS = ['corrected', 'repaired', 'withdrawn', 'ordered'] as const
export type RetractReason = (typeof RETRACT_REASONS)[number]

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue | undefined }
export type JsonObject = { readonly [name: string]: JsonValue | undefined }

type Common = {
  /** identity within (origin, dataset, audience): 1 to 128 characters, no control characters */
  readonly key: string
  /** business time, RFC 3339 with offset */
  readonly at: string
  /** PLATFORM_CODE of the trading centre that it comes from */
  readonly platform: string
}

export type Candidate =
  | (Common & { readonly op: 'put'; readonly body: JsonObject })
  | (Common & { readonly op: 'retract'; readonly why: RetractReason })

/** `ver` counts from 1 per key, at the origin. */
export type ExchangeRecord = Candidate & { readonly ver: number }

/** Whether two values say the same: members in any order, one that is undefined being absent, numbers by value. */
export function isSameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, index) => isSameJson(one, b[index]))
  }
  const present = (value: object): string[] => Object.keys(value).filter(name => (value as JsonObject)[name] !== undefined)
  const names = present(a)
  return (
    names.length === present(b).length &&
    names.every(name => Object.hasOwn(b, name) && isSameJson((a as JsonObject)[name], (b as JsonObject)[name]))
  )
}
