/**
 * Entries of the membership log: the hub's own hash-chained log of who is a member and with which keys. An entry carries, whole, what
 * the member signed; the hub's signature over it says where it stands and nothing more. Position 1 founds the federation.
 */
import { tokenDigest } from '../envelope.ts'
import { ExchangeError } from '../errors.ts'
import type { MembershipClaims } from '../generated/membership.ts'
import { type ParsedToken, parseToken, type Signer } from '../tokens.ts'
import { checkClaims } from '../validators.ts'

type Without<Type, Names extends PropertyKey> = Type extends unknown ? Omit<Type, Names> : never
/** What an entry does, by `act`; federation, position, predecessor and time are added at sealing. */
export type MembershipAct = Without<MembershipClaims, 'fed' | 'iss' | 'seq' | 'prv' | 'iat'>
export type ActName = MembershipAct['act']
export type ActOf<Name extends ActName> = Extract<MembershipAct, { readonly act: Name }>

/** An entry taken apart. Its signature is checked where it is applied: which key the hub had there, the entries before it say. */
export type MembershipEntry = {
  readonly token: string
  readonly digest: string
  readonly kid: string
  readonly claims: MembershipClaims
  readonly parsed: ParsedToken
}

type Place = { readonly fed: string; readonly seq: number; readonly head: string | null; readonly now: Date }

/** What is signed. `head` is the token of the entry before, null before the founding. */
export function entryClaims(act: MembershipAct, { fed, seq, head, now }: Place): object {
  const { act: name, ...rest } = act
  const place = {
    fed,
    iss: 'hub',
    seq,
    ...(head === null ? {} : { prv: tokenDigest(head) }),
    iat: Math.floor(now.getTime() / 1000),
  }
  return { ...place, act: name, ...rest }
}

export const sealEntry = (act: MembershipAct, { signer, ...place }: Place & { readonly signer: Signer }): Promise<string> =>
  signer.sign('membership', entryClaims(act, place))

/** @throws TOKEN_*; FEDERATION_FOREIGN where `fed` is given */
export function openEntry(token: string, fed: string | null): MembershipEntry {
  const parsed = parseToken(token, 'membership')
  const [fault] = checkClaims('membership', parsed.claims)
  if (fault !== undefined)
    throw new ExchangeError('TOKEN_CLAIM_INVALID', `${fault.path === '' ? 'claims' : fault.path}: ${fault.expected}`, {
      detail: { rule: fault.rule },
    })
  const claims = parsed.claims as MembershipClaims
  if (fed !== null && claims.fed !== fed) throw new ExchangeError('FEDERATION_FOREIGN', `expected federation ${fed}`)
  const first = claims.seq === 1
  if (first !== (claims.act === 'found') || first !== (claims.prv === undefined))
    throw new ExchangeError('TOKEN_CLAIM_INVALID', 'expected position 1, the founding and no predecessor together')
  return { token, digest: tokenDigest(token), kid: parsed.kid, claims, parsed }
}
