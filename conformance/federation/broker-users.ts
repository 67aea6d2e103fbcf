/**
 * Who may say and hear what at the broker: rows, one for each program. A member writes under its own code and reads through its own
 * consumers; the broker refuses the rest. Only names from the federation's table become part of a permission.
 */
import type { BrokerUser } from '../../runtime/broker/configuration.ts'
import type { MemberPlan } from './members.ts'

type Rights = Pick<BrokerUser, 'publish' | 'subscribe' | 'answers'>

const memberRights = ({ code, kind, alliances = [] }: MemberPlan): Rights => ({
  publish: [
    `log.${code}.>`,
    `head.${code}.>`,
    `ask.*.*.${code}`,
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
    `ask.${code}.*.*`,
    `_INBOX_${code}.>`,
  ],
  answers: true,
})

/** The password of each program's user comes from the caller. */
export const brokerUsers = (members: readonly MemberPlan[], password: (user: string) => string): BrokerUser[] => [
  { user: 'hub', password: password('hub'), publish: ['>'], subscribe: ['>'] },
  ...members.map(member => ({ user: member.code, password: password(member.code), ...memberRights(member) })),
]
