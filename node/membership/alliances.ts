/** What this member says about alliances: a membership that it proposes, one that it consents to, or that it leaves. */
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import type { Keyring } from '../../runtime/membership/keyring.ts'
import type { MembershipRoad } from '../../runtime/membership/road.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { seatedIn } from '../../schemas/membership/alliances.ts'
import { sealAllianceConsent } from '../../schemas/membership/consents.ts'
import type { Consented, HubQuestions, Proposal } from './hub-questions.ts'
import type { OwnStatements } from './own-statements.ts'

export type Alliances = {
  list(): Promise<{
    readonly proposals: readonly Proposal[]
    readonly alliances: readonly { id: string; zh: string; en: string; members: readonly string[] }[]
  }>
  propose(order: { id: string; zh: string; en: string; members: readonly string[]; past: boolean }): Promise<Consented>
  /** @throws ALLIANCE_CONSENT_MISSING if nothing of that name waits */
  consent(id: string): Promise<Consented>
  leave(id: string): Promise<Consented>
}

export function createAlliances(options: {
  readonly own: string
  readonly keeper: MembershipKeeper
  readonly keyring: Keyring
  readonly road: MembershipRoad
  readonly hub: HubQuestions
  readonly statements: OwnStatements
  readonly clock: () => Date
}): Alliances {
  const { own, keeper, keyring, hub } = options

  async function say(
    id: string,
    members: readonly string[],
    past: boolean,
    names: { zh?: string; en?: string },
  ): Promise<Consented> {
    const { fed, alliances } = keeper.state()
    const n = (alliances.get(id)?.consented.get(own) ?? 0) + 1
    const signer = keyring.active(keeper.membership().members.get(own)?.keys ?? [])
    const sorted = [...new Set(members)].sort()
    const token = await sealAllianceConsent({ fed, code: own, id, members: sorted, past, n }, { signer, now: options.clock() })
    await options.statements.note('alliance', token)
    const answer = await hub.consent(token, names)
    if (answer.position !== null) await options.road.catchUp(answer.position)
    return answer
  }

  return {
    async list() {
      const standing = [...keeper.state().alliances.values()].map(alliance => ({
        id: alliance.id,
        zh: alliance.zh,
        en: alliance.en,
        members: seatedIn(alliance),
      }))
      return { proposals: await hub.proposals(), alliances: standing }
    },
    propose: ({ id, zh, en, members, past }) => say(id, [...members], past, { zh, en }),
    async consent(id) {
      const proposal = (await hub.proposals()).find(one => one.id === id)
      if (proposal === undefined)
        throw new ExchangeError('ALLIANCE_CONSENT_MISSING', `${id}: expected a proposal that waits for consents`)
      return say(id, proposal.members, proposal.past, {})
    },
    async leave(id) {
      const alliance = keeper.state().alliances.get(id)
      const seated = alliance === undefined ? [] : seatedIn(alliance)
      if (alliance === undefined || !seated.includes(own))
        throw new ExchangeError('ALLIANCE_CONSENT_INVALID', `${id}: expected an alliance that ${own} is in`)
      return say(
        id,
        seated.filter(code => code !== own),
        alliance.past,
        {},
      )
    },
  }
}
