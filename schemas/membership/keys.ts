/**
 * The keys of one signer, a member or the hub, and how they change. A key is announced, then active, then retired; only an active one
 * signs. It begins at a position of the membership log (an envelope names the position that its origin had applied) and ends at one
 * position of each log that it signed, so no clock decides what is good. What enters here proves that its owner holds it, and no key
 * comes back. A change is signed under an active key; theft, and the next recovery key, are said under the recovery key alone,
 * because a thief holds the other. Changes are counted, so none is taken twice.
 */
import { createHash } from 'node:crypto'
import { algorithmOfKey, algorithmRow, type PublicKey } from '../algorithms.ts'
import type { Digest } from '../digest.ts'
import { ExchangeError } from '../errors.ts'
import type { PossessionClaims } from '../generated/possession.ts'
import { formatLogId, type LogHead, type LogId } from '../log.ts'
import { parseToken, type Signer, type VerificationKey, verifyToken } from '../tokens.ts'
import { checkClaims } from '../validators.ts'

/** A public key with its name: the thumbprint of RFC 7638. */
export type KeyJwk = { readonly kid: string; readonly kty: string; readonly crv: string; readonly x: string; readonly y?: string }
/** A closing as it stands on the wire; `org` in those of the hub's own keys only. */
export type WireClosing = {
  readonly org?: string
  readonly ds: string
  readonly aud: string
  readonly ep: number
  readonly seq: number
  readonly dig: Digest
}
/** Where logs end, by `formatLogId`. */
export type Closings = ReadonlyMap<string, LogHead>

export type RegisteredKey = {
  readonly kid: string
  readonly alg: string
  readonly jwk: KeyJwk
  /** positions of the membership log */
  readonly announcedAt: number
  readonly activeFrom: number | null
  readonly retiredAt: number | null
  readonly stolen: boolean
  /** null until it is retired */
  readonly closings: Closings | null
}
export type RegisteredEncKey = { readonly jwk: KeyJwk; readonly from: number }
export type KeyRing = {
  /** number of the last change, 0 before the first */
  readonly counter: number
  readonly keys: readonly RegisteredKey[]
  /** the newest is last; the hub has none */
  readonly enc: readonly RegisteredEncKey[]
  readonly recovery: KeyJwk
}

export type KeyState = 'announced' | 'active' | 'retired'
export const keyState = ({ activeFrom, retiredAt }: RegisteredKey): KeyState =>
  retiredAt !== null ? 'retired' : activeFrom === null ? 'announced' : 'active'
export const activeKeys = (ring: KeyRing): RegisteredKey[] => ring.keys.filter(key => keyState(key) === 'active')

/** The key that was activated last and still signs: a ring always has one. */
export const newestKey = (ring: KeyRing): RegisteredKey =>
  activeKeys(ring).reduce((best, key) => ((key.activeFrom ?? 0) >= (best.activeFrom ?? 0) ? key : best))

/** What a signer changes about its own keys. */
export type KeyChange = {
  readonly n: number
  readonly announce?: readonly KeyJwk[]
  readonly activate?: readonly string[]
  readonly retire?: readonly { readonly kid: string; readonly closings: readonly WireClosing[] }[]
  readonly stolen?: true
  readonly enc?: KeyJwk
  /** the next key at the broker */
  readonly nkey?: string
  readonly recovery?: KeyJwk
  readonly proofs?: readonly string[]
}

export const closingsOf = (origin: string, closings: readonly WireClosing[]): Closings =>
  new Map(
    closings.map(({ org = origin, ds, aud, ep, seq, dig }) => [
      formatLogId({ origin: org, dataset: ds, audience: aud }),
      { epoch: ep, seq, digest: dig },
    ]),
  )

export const wireClosing = (log: LogId, head: LogHead): WireClosing => ({
  ds: log.dataset,
  aud: log.audience,
  ep: head.epoch,
  seq: head.seq,
  dig: head.digest,
})

/** Rows of the keys that content keys are wrapped for. The names are those of ECDH-ES (RFC 7518 §4.6, RFC 8037 §3.2). */
const ENC_CURVES: readonly { readonly kty: string; readonly crv: string; readonly members: readonly ('x' | 'y')[] }[] = [
  { kty: 'OKP', crv: 'X25519', members: ['x'] },
  { kty: 'EC', crv: 'P-256', members: ['x', 'y'] },
]

/** RFC 7638 §3.2: the required members in the order of their names, nothing else. For SM2 and X25519 as for their kinds. */
export function thumbprint(jwk: Omit<KeyJwk, 'kid'>): string {
  const members = jwk.kty === 'OKP' ? { crv: jwk.crv, kty: jwk.kty, x: jwk.x } : { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}

/** The public half of a key, named. Drops everything else that the JWK carries, the private half among it. */
export function namedJwk({ kty, crv, x, y }: Omit<KeyJwk, 'kid'>): KeyJwk {
  const jwk = { kty, crv, x, ...(y === undefined ? {} : { y }) }
  return { kid: thumbprint(jwk), ...jwk }
}

/** @throws KEY_INVALID */
function checkNamed(jwk: KeyJwk): void {
  if ((jwk.kty === 'OKP') !== (jwk.y === undefined)) throw new ExchangeError('KEY_INVALID', 'expected y for keys of type EC only')
  if (thumbprint(jwk) !== jwk.kid) throw new ExchangeError('KEY_INVALID', 'expected kid to be the thumbprint of the key (RFC 7638)')
}

/** @throws KEY_INVALID */
export function checkEncKey(jwk: KeyJwk): void {
  checkNamed(jwk)
  if (!ENC_CURVES.some(row => row.kty === jwk.kty && row.crv === jwk.crv))
    throw new ExchangeError('KEY_INVALID', `expected a key of ${ENC_CURVES.map(row => `${row.kty} ${row.crv}`).join(' or ')}`)
}

/** Importing an SM2 key prepares a table. A key's name is the digest of its content, so whoever finds it here finds that key. */
const imported = new Map<string, PublicKey>()
const MOST_IMPORTED = 1024

/** @throws KEY_INVALID */
export async function verificationKey(jwk: KeyJwk): Promise<VerificationKey> {
  checkNamed(jwk)
  const row = algorithmOfKey(jwk)
  const known = imported.get(jwk.kid)
  if (known !== undefined) return { alg: row.alg, key: known }
  const key = await row.importPublic(jwk)
  if (imported.size >= MOST_IMPORTED) imported.clear()
  imported.set(jwk.kid, key)
  return { alg: row.alg, key }
}

/** Whether a key is for one of the algorithms of a policy. */
export const isAccepted = ({ crv }: Pick<KeyJwk, 'crv'>, algorithms: readonly string[]): boolean =>
  algorithms.some(name => algorithmRow(name)?.crv === crv)

/** @throws KEY_INVALID, TOKEN_ALGORITHM_REFUSED if the federation's policy does not accept the key's algorithm */
export async function checkSigningKey(jwk: KeyJwk, algorithms: readonly string[]): Promise<string> {
  const { alg } = await verificationKey(jwk)
  if (!isAccepted(jwk, algorithms))
    throw new ExchangeError('TOKEN_ALGORITHM_REFUSED', `expected a key for one of ${algorithms.join(', ')}, got ${alg}`)
  return alg
}

/** Says with a key that it may stand for a signer, in its change `n` (0: request to join, founding). */
export const provePossession = (
  signer: Signer,
  { fed, owner, n, now }: { readonly fed: string; readonly owner: string; readonly n: number; readonly now: Date },
): Promise<string> =>
  signer.sign('possession', { fed, iss: owner, n, iat: Math.floor(now.getTime() / 1000) } satisfies PossessionClaims)

export type NewKeys = {
  readonly fed: string
  readonly owner: string
  readonly n: number
  /** the key that signs the token they stand in */
  readonly signedBy: string
  readonly proofs: readonly string[]
}

/**
 * Every key that enters, but the one that signs, has its own proof.
 * @throws KEY_POSSESSION_UNPROVEN
 */
export async function checkPossession(jwks: readonly KeyJwk[], { fed, owner, n, signedBy, proofs }: NewKeys): Promise<void> {
  const proven = new Set([signedBy])
  for (const proof of proofs) {
    const parsed = parseToken(proof, 'possession')
    const jwk = jwks.find(one => one.kid === parsed.kid)
    const [fault] = checkClaims('possession', parsed.claims)
    const claims = parsed.claims as PossessionClaims
    if (jwk === undefined || fault !== undefined || claims.fed !== fed || claims.iss !== owner || claims.n !== n)
      throw new ExchangeError(
        'KEY_POSSESSION_UNPROVEN',
        `${owner}: expected proofs of keys that enter with change ${n} of it alone`,
      )
    await verifyToken(parsed, await verificationKey(jwk))
    proven.add(jwk.kid)
  }
  const unproven = jwks.find(jwk => !proven.has(jwk.kid))
  if (unproven !== undefined)
    throw new ExchangeError('KEY_POSSESSION_UNPROVEN', `${owner}: expected a proof of key ${unproven.kid}`)
}

/** A ring at its beginning: all keys active from `seq` on. */
export const newRing = (keys: readonly KeyJwk[], recovery: KeyJwk, enc: KeyJwk | null, seq: number): KeyRing => ({
  counter: 0,
  keys: keys.map(jwk => ({ ...announced(jwk, seq), activeFrom: seq })),
  enc: enc === null ? [] : [{ jwk: enc, from: seq }],
  recovery,
})

const announced = (jwk: KeyJwk, seq: number): RegisteredKey => ({
  kid: jwk.kid,
  alg: algorithmOfKey(jwk).alg,
  jwk,
  announcedAt: seq,
  activeFrom: null,
  retiredAt: null,
  stolen: false,
  closings: null,
})

export type ChangeContext = {
  readonly fed: string
  /** code of the member, or `hub` */
  readonly owner: string
  /** membership position at which the change is taken up */
  readonly seq: number
  /** kid that signed the change, whose signature was checked */
  readonly signedBy: string
  readonly algorithms: readonly string[]
  /** whether a key is registered anywhere else in the federation */
  isTaken(kid: string): boolean
}

const invalidChange = (reason: string): ExchangeError => new ExchangeError('KEY_CHANGE_INVALID', reason)

/**
 * The ring after a change.
 * @throws KEY_CHANGE_REPLAYED, KEY_RECOVERY_REQUIRED, KEY_CHANGE_INVALID, KEY_TAKEN, KEY_INVALID, KEY_POSSESSION_UNPROVEN,
 * TOKEN_ALGORITHM_REFUSED
 */
export async function changeRing(ring: KeyRing, change: KeyChange, context: ChangeContext): Promise<KeyRing> {
  const { owner, seq } = context
  if (change.n !== ring.counter + 1)
    throw new ExchangeError('KEY_CHANGE_REPLAYED', `${owner}: expected change ${ring.counter + 1}, got ${change.n}`)
  const byRecovery = context.signedBy === ring.recovery.kid
  if (!byRecovery && (change.stolen === true || change.recovery !== undefined))
    throw new ExchangeError('KEY_RECOVERY_REQUIRED', `${owner}: expected theft or a new recovery key under the recovery key`)
  if (change.stolen === true && change.retire === undefined) throw invalidChange(`${owner}: expected the stolen keys to be retired`)
  await checkEntering(ring, change, context)
  let keys: readonly RegisteredKey[] = [...ring.keys, ...(change.announce ?? []).map(jwk => announced(jwk, seq))]
  for (const kid of change.activate ?? []) keys = activated(keys, kid, { owner, seq, byRecovery })
  for (const { kid, closings } of change.retire ?? [])
    keys = retired(keys, kid, { owner, seq, stolen: change.stolen === true, closings: closingsOf(owner, closings) })
  const after: KeyRing = {
    counter: change.n,
    keys,
    enc: change.enc === undefined ? ring.enc : [...ring.enc, { jwk: change.enc, from: seq }],
    recovery: change.recovery ?? ring.recovery,
  }
  if (activeKeys(after).length === 0) throw invalidChange(`${owner}: expected at least one active key to remain`)
  return after
}

/** What enters is named rightly, of an accepted algorithm, new in the federation, and proven. */
async function checkEntering(ring: KeyRing, change: KeyChange, context: ChangeContext): Promise<void> {
  const { fed, owner, signedBy, algorithms, isTaken } = context
  const entering = [...(change.announce ?? []), ...(change.recovery === undefined ? [] : [change.recovery])]
  const own = new Set([...ring.keys.map(key => key.kid), ring.recovery.kid])
  for (const { kid } of entering) {
    if (own.has(kid) || isTaken(kid)) throw new ExchangeError('KEY_TAKEN', `${owner}: expected a key that was never registered`)
    own.add(kid)
  }
  for (const jwk of entering) await checkSigningKey(jwk, algorithms)
  await checkPossession(entering, { fed, owner, n: change.n, signedBy, proofs: change.proofs ?? [] })
  if (change.enc !== undefined) {
    checkEncKey(change.enc)
    if (ring.enc.some(({ jwk }) => jwk.kid === change.enc?.kid))
      throw new ExchangeError('KEY_TAKEN', `${owner}: expected a new enc key`)
  }
}

/** Two stages: what was announced by an entry before. In an emergency the recovery key does both at once. */
function activated(
  keys: readonly RegisteredKey[],
  kid: string,
  { owner, seq, byRecovery }: { owner: string; seq: number; byRecovery: boolean },
): RegisteredKey[] {
  const key = keys.find(one => one.kid === kid)
  if (key === undefined || keyState(key) !== 'announced' || (key.announcedAt === seq && !byRecovery))
    throw invalidChange(`${owner}: expected to activate a key that was announced by an earlier change`)
  return keys.map(one => (one === key ? { ...one, activeFrom: seq } : one))
}

function retired(
  keys: readonly RegisteredKey[],
  kid: string,
  { owner, seq, stolen, closings }: { owner: string; seq: number; stolen: boolean; closings: Closings },
): RegisteredKey[] {
  const key = keys.find(one => one.kid === kid)
  if (key === undefined || keyState(key) === 'retired' || key.announcedAt === seq)
    throw invalidChange(`${owner}: expected to retire a key that is announced or active`)
  return keys.map(one => (one === key ? { ...one, retiredAt: seq, stolen, closings } : one))
}
