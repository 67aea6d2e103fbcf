/** Which keys are registered, and whose: one key never stands for two, or either could speak for the other. */
import { ExchangeError, isExchangeError } from '../errors.ts'
import { type ParsedToken, verifyToken } from '../tokens.ts'
import { type KeyRing, keyState, verificationKey } from './keys.ts'
import type { MemberState, MembershipState } from './state.ts'

const holds = (ring: KeyRing, kid: string): boolean => ring.recovery.kid === kid || ring.keys.some(key => key.kid === kid)

export const isTaken = (state: MembershipState, kid: string): boolean =>
  holds(state.hub, kid) || [...state.members.values()].some(member => holds(member.ring, kid))

/** @throws MEMBER_UNKNOWN */
export function memberIn(state: MembershipState, code: string): MemberState {
  const member = state.members.get(code)
  if (member === undefined) throw new ExchangeError('MEMBER_UNKNOWN', `expected a member of ${state.fed}, got ${code}`)
  return member
}

export const withMember = (state: MembershipState, member: MemberState): MembershipState => ({
  ...state,
  members: new Map(state.members).set(member.code, member),
})

/** Refusals that mean: the member did not sign this. All others it did sign, and they speak for themselves. */
const UNSIGNED = new Set(['KEY_UNKNOWN', 'KEY_NOT_ACTIVE', 'KEY_OUT_OF_RANGE', 'KEY_INVALID'])

/** @throws MEMBERSHIP_FORGED in place of a refusal that means that the member did not sign */
export async function signedByMember<Type>(code: string, open: () => Type | Promise<Type>): Promise<Type> {
  try {
    return await open()
  } catch (cause) {
    if (!isExchangeError(cause) || !(cause.code.startsWith('TOKEN_') || UNSIGNED.has(cause.code))) throw cause
    throw new ExchangeError('MEMBERSHIP_FORGED', `${code}: expected what the member itself signed: ${cause.reason}`, {
      detail: { member: code, cause: cause.code },
      cause,
    })
  }
}

/**
 * Checks a signature of a member: under one of its active keys, or its recovery key where that may sign.
 * @throws KEY_UNKNOWN, KEY_NOT_ACTIVE, KEY_OUT_OF_RANGE, TOKEN_SIGNATURE_INVALID, TOKEN_ALGORITHM_REFUSED
 */
export async function checkMemberSignature(
  member: MemberState,
  { kid, parsed }: { readonly kid: string; readonly parsed: ParsedToken },
  signers: 'active' | 'active-or-recovery',
): Promise<void> {
  const { ring } = member
  if (signers === 'active-or-recovery' && kid === ring.recovery.kid)
    return verifyToken(parsed, await verificationKey(ring.recovery))
  const key = ring.keys.find(one => one.kid === kid)
  if (key === undefined) throw new ExchangeError('KEY_UNKNOWN', `${member.code}: expected one of its own keys`)
  const stands = keyState(key)
  if (stands === 'announced')
    throw new ExchangeError('KEY_NOT_ACTIVE', `${member.code}: expected an active key, got an announced one`)
  if (stands === 'retired') throw new ExchangeError('KEY_OUT_OF_RANGE', `${member.code}: expected an active key, got a retired one`)
  return verifyToken(parsed, await verificationKey(key.jwk))
}

/** Whether any key that a member ever had made this signature, its recovery key included. */
export async function isSignedBy(
  { ring }: MemberState,
  { kid, parsed }: { readonly kid: string; readonly parsed: ParsedToken },
): Promise<boolean> {
  const jwk = [ring.recovery, ...ring.keys.map(key => key.jwk)].find(one => one.kid === kid)
  if (jwk === undefined) return false
  const key = await verificationKey(jwk)
  return verifyToken(parsed, key).then(
    () => true,
    () => false,
  )
}
