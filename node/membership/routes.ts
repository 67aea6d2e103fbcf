/** The member's own affairs over HTTP: its keys, its alliances, what was tried in its name. */
import type { FastifyInstance } from 'fastify'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { OwnEntryWatch } from './alarm.ts'
import type { Alliances } from './alliances.ts'
import type { AnchorWatch } from './anchor-watch.ts'
import type { OwnBrokerCredentials } from './broker-credentials.ts'
import type { KeyChanges, RollStage } from './key-changes.ts'

const ID = { type: 'string', pattern: '^[a-z0-9]{1,32}$' } as const
const TEXT = { type: 'string', minLength: 1, maxLength: 100 } as const
const tags = ['membership']

export function addOwnMembershipRoutes(
  server: FastifyInstance,
  parts: {
    readonly own: string
    readonly keeper: MembershipKeeper
    readonly keys: KeyChanges
    readonly alliances: Alliances
    readonly watch: OwnEntryWatch
    readonly anchors: AnchorWatch
    /** null where the broker asks for none */
    readonly brokerCredentials: OwnBrokerCredentials | null
  },
): void {
  const { own, keeper, keys, alliances, watch, anchors, brokerCredentials } = parts
  const read = { access: { operation: 'member.read' } } as const
  const change = { access: { operation: 'key.change' } } as const

  server.get('/v1/membership', { config: read, schema: { summary: 'How this member stands, and its keys', tags } }, async () => {
    const { fed, position, members } = keeper.state()
    const member = members.get(own)
    return {
      fed,
      code: own,
      position,
      standing: member?.standing ?? null,
      why: member?.why ?? null,
      alarms: (await watch.alarms()).length,
      anchors: await anchors.anchors(),
      ...keys.table(),
    }
  })
  server.get(
    '/v1/membership/alarms',
    { config: read, schema: { summary: 'Entries that change this member without its signature: the proofs', tags } },
    async () => ({ alarms: await watch.alarms() }),
  )
  server.post<{ Body: { stage?: RollStage } }>(
    '/v1/membership/rollover',
    {
      config: change,
      schema: {
        summary: 'The stage of a rollover that is due, or the one named',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          properties: { stage: { type: 'string', enum: ['announce', 'activate', 'retire'] } },
        },
      },
    },
    request => keys.roll(request.body.stage ?? null),
  )
  server.post(
    '/v1/membership/replacement',
    { config: change, schema: { summary: 'Makes a new key and holds sealing; the answer is for the recovery key to sign', tags } },
    () => keys.prepareReplacement(),
  )
  server.post<{ Body: { token: string; since?: string } }>(
    '/v1/membership/replacement/signed',
    {
      config: change,
      schema: {
        summary: 'Replaces stolen keys under the recovery key, and lists the records that the stolen ones signed',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['token'],
          properties: { token: { type: 'string', maxLength: 65_536 }, since: { type: 'string', format: 'date-time' } },
        },
      },
    },
    request => keys.replace(request.body.token, request.body.since === undefined ? null : new Date(request.body.since)),
  )
  server.post(
    '/v1/membership/encryption',
    {
      config: change,
      schema: { summary: 'A new key that content keys are wrapped for, in force at once', tags },
    },
    () => keys.renewEncryption(),
  )
  server.post(
    '/v1/membership/broker',
    { config: change, schema: { summary: 'A new key at the broker; the one before is revoked there', tags } },
    async () => {
      if (brokerCredentials === null) throw new ExchangeError('REQUEST_INVALID', 'expected a broker that asks for credentials')
      return { key: await brokerCredentials.renew() }
    },
  )
  server.post<{ Body: { fingerprint: string } }>(
    '/v1/membership/anchor',
    {
      config: change,
      schema: {
        summary: 'Says that a key of the hub was compared with the fingerprint that its people told by another way',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['fingerprint'],
          properties: { fingerprint: { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' } },
        },
      },
    },
    async request => {
      await anchors.confirm(request.body.fingerprint)
      return { anchors: await anchors.anchors() }
    },
  )
  server.post(
    '/v1/membership/leave',
    { config: change, schema: { summary: 'Leaves the federation; the logs end here', tags } },
    () => keys.leave(),
  )
  server.get('/v1/alliances', { config: read, schema: { summary: 'Alliances, and proposals that wait for consents', tags } }, () =>
    alliances.list(),
  )
  const alliance = { access: { operation: 'alliance.change' } } as const
  server.post<{ Body: { id: string; zh: string; en: string; members: string[]; past?: boolean } }>(
    '/v1/alliances',
    {
      config: alliance,
      schema: {
        summary: 'Proposes a membership of an alliance, and consents to it',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['id', 'zh', 'en', 'members'],
          properties: {
            id: ID,
            zh: TEXT,
            en: TEXT,
            members: { type: 'array', minItems: 1, maxItems: 64, items: { type: 'string', pattern: '^[0-9]{6}$' } },
            past: { type: 'boolean' },
          },
        },
      },
    },
    request => alliances.propose({ ...request.body, past: request.body.past ?? false }),
  )
  for (const act of ['consent', 'leave'] as const)
    server.post<{ Params: { id: string } }>(
      `/v1/alliances/:id/${act}`,
      {
        config: alliance,
        schema: {
          summary: act === 'consent' ? 'Consents to the proposal that waits' : 'Leaves the alliance',
          tags,
          params: { type: 'object', properties: { id: ID } },
        },
      },
      request => alliances[act](request.params.id),
    )
}
