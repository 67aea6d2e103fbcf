/**
 * Who may say what to whom at the broker, as the claims of NATS accounts. The hub has one account, in which all streams lie, and each
 * member one of its own, from which nothing reaches the hub's but through the imports below: under its own code, to its own consumers.
 * The broker itself writes the subject that an answer goes to, so that no reply subject can make another account speak.
 *
 * Two names differ on the two sides of an account's wall, because an account may not import what it exports: a question is put at
 * `ask.…` and heard at `asked.…`, a head is said at `head.…` and heard at `heard.…`. What is imported as a service is not exported as a
 * stream by the broker, so heads cross by way of a small stream that the broker publishes again (`HEADS_STREAM`).
 */
import type { Account, Export, Import, Permissions } from '@nats-io/jwt'
import { audiencesRead, type Membership } from '../../schemas/membership.ts'
import { ACK_PREFIX, API_PREFIX, inboxPrefix, MEMBER_API_PREFIX, SUBJECT_TOKEN } from '../../schemas/subjects.ts'

export type BrokerMember = {
  /** validated before it stands in any claim: a name such as `*` would speak for others */
  readonly code: string
  readonly audiences: readonly string[]
  /** suspended or left: nobody may connect */
  readonly closed?: boolean
}

export const brokerMembers = (membership: Membership): BrokerMember[] =>
  [...membership.members.values()].map(member => ({
    code: member.code,
    audiences: audiencesRead(member),
    closed: member.standing !== 'admitted',
  }))

/** Times of a revocation lie beyond every possible time of issue: a token dated in the future escapes none. */
export const REVOKED_FOR_EVER = 253_402_300_799
const EVERYONE = '*'

/** a range of 64 entries and its end, within the time that the asker waits */
const ANSWERS = { max: 66, ttl: 15_000_000_000 }
/** A body of 768 KiB with its headers fits. */
const PAYLOAD_BYTES = 1_048_576
const UNLIMITED = -1
/** A node holds one connection; rolling over to a new key, and somebody who looks, take two more each. */
const MEMBER_LIMITS = {
  conn: 16,
  leaf: 0,
  subs: 2048,
  payload: PAYLOAD_BYTES,
  data: UNLIMITED,
  imports: UNLIMITED,
  exports: UNLIMITED,
  wildcards: true,
  disallow_bearer: true,
}
const HUB_LIMITS = {
  ...MEMBER_LIMITS,
  conn: 64,
  subs: UNLIMITED,
  streams: UNLIMITED,
  consumer: UNLIMITED,
  disk_storage: UNLIMITED,
  mem_storage: UNLIMITED,
}

type Way = {
  readonly name: string
  readonly type: 'service' | 'stream'
  readonly answers?: 'Singleton' | 'Stream'
  /** what the hub's account offers, to any account that its JWT lets import it */
  readonly offered: string
  /** what one member imports of it; more than one for what depends on the audiences */
  readonly imported: (member: BrokerMember) => readonly string[]
  /** the same seen from inside the member's account, where it differs */
  readonly local?: (member: BrokerMember) => string
}

const one =
  (subject: (code: string) => string) =>
  ({ code }: BrokerMember): string[] => [subject(code)]

/** THE table: between a member and the hub's account nothing crosses that stands in no row. */
const WAYS: readonly Way[] = [
  { name: 'log', type: 'service', answers: 'Singleton', offered: 'log.*.*.*', imported: one(code => `log.${code}.*.*`) },
  { name: 'head', type: 'service', offered: 'head.*.*', imported: one(code => `head.${code}.*`) },
  {
    name: 'question',
    type: 'service',
    answers: 'Stream',
    offered: 'ask.*.*.*',
    imported: one(code => `ask.*.*.${code}`),
  },
  {
    name: 'consumer',
    type: 'service',
    answers: 'Singleton',
    offered: `${API_PREFIX}.CONSUMER.INFO.*.*`,
    imported: one(code => `${API_PREFIX}.CONSUMER.INFO.*.READER-${code}`),
    local: ({ code }) => `${MEMBER_API_PREFIX}.CONSUMER.INFO.*.READER-${code}`,
  },
  {
    name: 'pull',
    type: 'service',
    answers: 'Stream',
    offered: `${API_PREFIX}.CONSUMER.MSG.NEXT.*.*`,
    imported: one(code => `${API_PREFIX}.CONSUMER.MSG.NEXT.*.READER-${code}`),
    local: ({ code }) => `${MEMBER_API_PREFIX}.CONSUMER.MSG.NEXT.*.READER-${code}`,
  },
  {
    name: 'acknowledgement',
    type: 'service',
    offered: `${ACK_PREFIX}.*.*.>`,
    imported: one(code => `${ACK_PREFIX}.*.READER-${code}.>`),
  },
  {
    name: 'heard',
    type: 'stream',
    offered: 'heard.*.*',
    imported: ({ audiences }) => audiences.map(audience => `heard.*.${audience}`),
  },
  { name: 'receipt', type: 'stream', offered: 'receipt.*', imported: one(code => `receipt.${code}`) },
]

const exported = ({ name, type, answers, offered }: Way): Export => ({
  name,
  type,
  subject: offered,
  ...(answers === undefined ? {} : { response_type: answers }),
})

/** Wildcards of the local subject stand in the order of the imported one's, so that each becomes the other. */
const imports = (way: Way, member: BrokerMember, account: string): Import[] =>
  way.imported(member).map(subject => ({
    name: way.name,
    type: way.type,
    account,
    subject,
    ...(way.local === undefined ? {} : { local_subject: way.local(member) }),
  }))

const ASKED: Omit<Export, 'subject'> = { name: 'asked', type: 'service', response_type: 'Stream' }
const askedOf = (code: string): string => `asked.${code}.*.*`

const validated = (token: string): string => {
  if (!SUBJECT_TOKEN.test(token)) throw new TypeError('a member’s code and its audiences are one subject token each')
  return token
}

/** What the users of one member's account may publish and hear inside it; the broker tells them when they try anything else. */
const memberPermissions = (member: BrokerMember): Partial<Permissions> => ({
  pub: {
    allow: WAYS.filter(({ type }) => type === 'service').flatMap(way =>
      way.local === undefined ? way.imported(member) : [way.local(member)],
    ),
  },
  sub: {
    allow: [
      ...WAYS.filter(({ type }) => type === 'stream').flatMap(way => way.imported(member)),
      askedOf(member.code),
      `${inboxPrefix(member.code)}.>`,
    ],
  },
  resp: ANSWERS,
})

/** Of one member: its imports from the hub's account, and the questions put to it as its only export. */
export const memberAccount = (
  member: BrokerMember,
  hub: string,
  { signer, revoked = [] }: { readonly signer: string; readonly revoked?: readonly string[] },
): Partial<Account> => {
  for (const token of [member.code, ...member.audiences]) validated(token)
  const barred = member.closed === true ? [...revoked, EVERYONE] : revoked
  return {
    imports: WAYS.flatMap(way => imports(way, member, hub)),
    exports: [{ ...ASKED, subject: askedOf(member.code) }],
    limits: MEMBER_LIMITS,
    signing_keys: [signer],
    default_permissions: memberPermissions(member),
    revocations: Object.fromEntries(barred.map(key => [key, REVOKED_FOR_EVER])),
  }
}

/** JWT claims that the library's type leaves out (`Account.Mappings` of the JWT specification, version 2). */
type Mapped = { readonly mappings: { readonly [from: string]: readonly { readonly subject: string; readonly weight: number }[] } }

/** Of the hub: it exports the ways, and imports from each member the questions put to it; a question changes its name in between. */
export const hubAccount = (
  members: readonly { readonly code: string; readonly account: string }[],
  { signer, revoked = [] }: { readonly signer: string; readonly revoked?: readonly string[] },
): Partial<Account> & Mapped => ({
  exports: WAYS.map(exported),
  imports: members.map(({ code, account }) => ({ ...ASKED, account, subject: askedOf(validated(code)) })),
  limits: HUB_LIMITS,
  signing_keys: [signer],
  mappings: { 'ask.*.*.*': [{ subject: 'asked.$1.$2.$3', weight: 100 }] },
  revocations: Object.fromEntries(revoked.map(key => [key, REVOKED_FOR_EVER])),
})

/** Of the servers themselves; its users push account claims and may do nothing else. */
export const systemAccount = ({ signer }: { readonly signer: string }): Partial<Account> => ({
  limits: { ...MEMBER_LIMITS, conn: 8 },
  signing_keys: [signer],
  default_permissions: {
    pub: { allow: ['$SYS.REQ.CLAIMS.UPDATE', '$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP'] },
    sub: { allow: [`${inboxPrefix('hub')}.>`] },
  },
})
