/**
 * What members sign about themselves: the request to join, changes of their keys (leaving is one), and consents to an alliance.
 * Opening checks form, federation and what the token alone can show. A request to join proves every key that it brings; whose key
 * signed a change or a consent is judged against the state (`state.ts`).
 */
import { ExchangeError } from '../errors.ts'
import type { AllianceClaims } from '../generated/alliance.ts'
import type { JoinClaims } from '../generated/join.ts'
import type { KeysClaims } from '../generated/keys.ts'
import { type ParsedToken, parseToken, type Signer, verifyToken } from '../tokens.ts'
import { type ClaimsKind, checkClaims } from '../validators.ts'
import {
  checkEncKey,
  checkPossession,
  type KeyChange,
  type KeyJwk,
  provePossession,
  verificationKey,
  type WireClosing,
} from './keys.ts'

export type Consent<Claims> = {
  readonly token: string
  readonly kid: string
  readonly claims: Claims
  readonly parsed: ParsedToken
}
export type JoinRequest = Consent<JoinClaims>
export type KeysConsent = Consent<KeysClaims>
export type AllianceConsent = Consent<AllianceClaims>

const seconds = (now: Date): number => Math.floor(now.getTime() / 1000)

/** @throws TOKEN_*, FEDERATION_FOREIGN */
function openConsent<Claims extends { readonly fed: string }>(
  kind: ClaimsKind,
  token: string,
  fed: string | null,
): Consent<Claims> {
  const parsed = parseToken(token, kind)
  const [fault] = checkClaims(kind, parsed.claims)
  if (fault !== undefined)
    throw new ExchangeError('TOKEN_CLAIM_INVALID', `${fault.path === '' ? 'claims' : fault.path}: ${fault.expected}`, {
      detail: { rule: fault.rule },
    })
  const claims = parsed.claims as Claims
  if (fed !== null && claims.fed !== fed) throw new ExchangeError('FEDERATION_FOREIGN', `expected federation ${fed}`)
  return { token, kid: parsed.kid, claims, parsed }
}

/**
 * `signer` holds `keys[0]`, `others` every other key of `keys` and the recovery key; each proves itself.
 * Public JWKs are named by `namedJwk`.
 */
export async function sealJoin(
  request: {
    readonly fed: string
    readonly code: string
    readonly anchor: string
    readonly ticket: string
    readonly keys: readonly KeyJwk[]
    readonly enc: KeyJwk
    readonly recovery: KeyJwk
    readonly nkey: string
    readonly base?: string
  },
  { signer, others, now }: { readonly signer: Signer; readonly others: readonly Signer[]; readonly now: Date },
): Promise<string> {
  const { fed, code, keys, base, ...rest } = request
  const proofs = await Promise.all(others.map(one => provePossession(one, { fed, owner: code, n: 0, now })))
  const claims = { fed, iss: code, iat: seconds(now), ...rest, keys, ...(base === undefined ? {} : { base }), proofs }
  return signer.sign('join', claims satisfies { [name in keyof JoinClaims]: unknown })
}

/**
 * A request to join, whole and signed by each key that it brings. What the hub and every holder then ask of it is the admission's.
 * @throws TOKEN_*, FEDERATION_FOREIGN, KEY_INVALID, KEY_TAKEN, KEY_UNKNOWN, KEY_POSSESSION_UNPROVEN
 */
export async function openJoin(token: string, fed: string | null): Promise<JoinRequest> {
  const consent = openConsent<JoinClaims>('join', token, fed)
  const { keys, enc, recovery, proofs, iss } = consent.claims
  const signed = keys.find(key => key.kid === consent.kid)
  if (signed === undefined) throw new ExchangeError('KEY_UNKNOWN', `${iss}: expected one of the keys of the request to sign it`)
  const entering = [...keys, recovery]
  if (new Set(entering.map(key => key.kid)).size !== entering.length)
    throw new ExchangeError('KEY_TAKEN', `${iss}: expected keys that differ, the recovery key from all others`)
  for (const jwk of entering) await verificationKey(jwk)
  checkEncKey(enc)
  await verifyToken(consent.parsed, await verificationKey(signed))
  await checkPossession(entering, { fed: consent.claims.fed, owner: iss, n: 0, signedBy: consent.kid, proofs })
  return consent
}

/** A change of a member's own keys; with `leave`, the closings of its logs, the member leaves. `others` hold the keys that enter. */
export async function sealKeys(
  change: Omit<KeyChange, 'proofs'> & { readonly fed: string; readonly code: string; readonly leave?: readonly WireClosing[] },
  { signer, others, now }: { readonly signer: Signer; readonly others: readonly Signer[]; readonly now: Date },
): Promise<string> {
  const { fed, code, n, ...rest } = change
  const proofs = await Promise.all(others.map(one => provePossession(one, { fed, owner: code, n, now })))
  return signer.sign('keys', { fed, iss: code, n, iat: seconds(now), ...rest, ...(proofs.length === 0 ? {} : { proofs }) })
}

/** The signature is not checked yet: whose key it is, the state knows. @throws TOKEN_*, FEDERATION_FOREIGN */
export const openKeys = (token: string, fed: string): KeysConsent => openConsent<KeysClaims>('keys', token, fed)

export const sealAllianceConsent = (
  consent: {
    readonly fed: string
    readonly code: string
    readonly id: string
    readonly members: readonly string[]
    readonly past: boolean
    readonly n: number
  },
  { signer, now }: { readonly signer: Signer; readonly now: Date },
): Promise<string> => {
  const { fed, code, id, members, past, n } = consent
  return signer.sign('alliance', { fed, iss: code, id, members, past, n, iat: seconds(now) } satisfies {
    [name in keyof AllianceClaims]: unknown
  })
}

/** The signature is not checked yet. @throws TOKEN_*, FEDERATION_FOREIGN */
export const openAllianceConsent = (token: string, fed: string): AllianceConsent =>
  openConsent<AllianceClaims>('alliance', token, fed)
