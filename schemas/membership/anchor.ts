/** The hub's own acts: the founding, changes of its keys by the same rules as a member's, and policy. */
import { ExchangeError } from '../errors.ts'
import { activeKeys, changeRing, checkPossession, checkSigningKey, isAccepted, newRing } from './keys.ts'
import { isTaken } from './registrations.ts'
import type { MembershipState, Policy, Rules } from './state.ts'

/**
 * Who would sign by keys that a policy accepts no more: the hub, and members that have not left. Whoever enters a policy asks this
 * first; each must have rolled over to an accepted algorithm. Keys that stand stay good, so a holder need not judge it.
 */
export const lockedOut = (state: MembershipState, { algorithms }: Policy): string[] =>
  [
    { name: 'hub', ring: state.hub },
    ...[...state.members.values()].flatMap(({ code, standing, ring }) => (standing === 'left' ? [] : [{ name: code, ring }])),
  ].flatMap(({ name, ring }) => (activeKeys(ring).some(({ jwk }) => isAccepted(jwk, algorithms)) ? [] : [name]))

export const ANCHOR_RULES = {
  async found(state, act, { seq, entry }) {
    const { keys, recovery, policy } = act
    const entering = [...keys, recovery]
    if (new Set(entering.map(key => key.kid)).size !== entering.length)
      throw new ExchangeError('KEY_TAKEN', 'hub: expected keys that differ, the recovery key from all others')
    for (const jwk of entering) await checkSigningKey(jwk, policy.algorithms)
    await checkPossession(entering, { fed: state.fed, owner: 'hub', n: 0, signedBy: entry.kid, proofs: act.proofs })
    return { state: { ...state, base: act.base, policy, edition: act.territory, hub: newRing(keys, recovery, null, seq) } }
  },
  async anchor(state, act, { seq, entry }) {
    const hub = await changeRing(state.hub, act, {
      fed: state.fed,
      owner: 'hub',
      seq,
      signedBy: entry.kid,
      algorithms: state.policy.algorithms,
      isTaken: kid => isTaken(state, kid),
    })
    return { state: { ...state, hub } }
  },
  policy: async (state, { policy, territory }) => ({ state: { ...state, policy, edition: territory } }),
} satisfies Pick<Rules, 'found' | 'anchor' | 'policy'>
