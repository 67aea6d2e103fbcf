/** What the federation accepts. A policy that would leave somebody without a key that is accepted is not entered. */
import { TERRITORY_EDITION } from '../../runtime/membership/founding.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { algorithmRow, SIGNING_ALGORITHM } from '../../schemas/algorithms.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { lockedOut } from '../../schemas/membership/anchor.ts'
import type { ActOf } from '../../schemas/membership/entries.ts'
import type { Policy } from '../../schemas/membership/state.ts'
import type { MembershipLog } from './log.ts'

export type PolicyShown = Policy & { readonly territory: string; readonly position: number }
export type PolicyOffice = {
  shown(): PolicyShown
  /** @throws TOKEN_ALGORITHM_REFUSED for an algorithm that is in no table, POLICY_LOCKS_OUT */
  set(change: Partial<Policy>): Promise<PolicyShown>
}

export function createPolicyOffice({
  keeper,
  log,
}: {
  readonly keeper: MembershipKeeper
  readonly log: MembershipLog
}): PolicyOffice {
  const shown = (): PolicyShown => {
    const { policy, edition, position } = keeper.state()
    return { ...policy, territory: edition, position }
  }
  return {
    shown,
    async set(change) {
      const before = keeper.state().policy
      const policy: Policy = { algorithms: change.algorithms ?? before.algorithms, approvals: change.approvals ?? before.approvals }
      const unknown = policy.algorithms.filter(name => algorithmRow(name) === undefined)
      if (unknown.length > 0)
        throw new ExchangeError('TOKEN_ALGORITHM_REFUSED', `expected algorithms of the table, got ${unknown.join(', ')}`)
      const out = lockedOut(keeper.state(), policy)
      if (out.length > 0)
        throw new ExchangeError(
          'POLICY_LOCKS_OUT',
          `${out.join(', ')}: expected an active key for one of ${policy.algorithms.join(', ')}; roll over first`,
          { detail: { members: out } },
        )
      // What programs of this version make is that; without it no new key could ever enter.
      if (!policy.algorithms.includes(SIGNING_ALGORITHM))
        throw new ExchangeError('POLICY_LOCKS_OUT', `expected ${SIGNING_ALGORITHM} among them: nodes make new keys for it`)
      const same = policy.approvals === before.approvals && policy.algorithms.join() === before.algorithms.join()
      if (!same) {
        const algorithms = [...policy.algorithms] as ActOf<'policy'>['policy']['algorithms']
        await log.append({ act: 'policy', policy: { algorithms, approvals: policy.approvals }, territory: TERRITORY_EDITION })
      }
      return shown()
    },
  }
}
