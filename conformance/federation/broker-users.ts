/**
 * Who may say and hear what at the broker: rows, one for each program. A member writes under its own code and reads through its own
 * consumers; the broker refuses the rest. Only names from the federation's table become part of a permission.
 */
import type { MemberPlan } from './members.ts'

export type BrokerUser = {
  readonly user: string
  readonly password: string
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

const memberRights = ({ code, kind, alliances = [] }: MemberPlan): Pick<BrokerUser, 'publish' | 'subscribe'> => ({
  publish: [
    `log.${code}.>`,
    `head.${code}.>`,
    `ask.hub.*.${code}`,
    '$JS.API.INFO',
    `$JS.API.CONSUMER.INFO.*.READER-${code}`,
    `$JS.API.CONSUMER.MSG.NEXT.*.READER-${code}`,
    `$JS.ACK.*.READER-${code}.>`,
  ],
  subscribe: [
    'head.*.all',
    `head.*.node-${code}`,
    ...(kind === 'national' ? ['head.*.national'] : []),
    ...alliances.map(id => `head.*.alliance-${id}`),
    `receipt.${code}`,
    `_INBOX_${code}.>`,
  ],
})

export const brokerUsers = (members: readonly MemberPlan[], passwords: ReadonlyMap<string, string>): BrokerUser[] => [
  { user: 'hub', password: passwords.get('hub') ?? '', publish: ['>'], subscribe: ['>'] },
  ...members.map(member => ({ user: member.code, password: passwords.get(member.code) ?? '', ...memberRights(member) })),
]
