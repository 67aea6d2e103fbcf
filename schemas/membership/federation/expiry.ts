/**
 * Statements end; exchange between nodes does not. What a statement's end changes is what is shown: a warning in its last third, an
 * alarm past it, so that somebody renews it in time.
 */
export const STATEMENT_DAYS = 30
const WARNING_SHARE = 1 / 3

export type Expiry = { readonly state: 'valid' | 'soon' | 'expired'; readonly seconds_left: number }

export function expiryOf({ issuedAt, expiresAt }: { readonly issuedAt: Date; readonly expiresAt: Date }, now: Date): Expiry {
  const left = expiresAt.getTime() - now.getTime()
  const lifetime = expiresAt.getTime() - issuedAt.getTime()
  const state = left <= 0 ? 'expired' : left <= lifetime * WARNING_SHARE ? 'soon' : 'valid'
  return { state, seconds_left: Math.max(0, Math.floor(left / 1000)) }
}

/** From when on somebody should be told. */
export const expiresSoon = (statement: { readonly issuedAt: Date; readonly expiresAt: Date }, now: Date): boolean =>
  expiryOf(statement, now).state !== 'valid'
