/** Joining, and the office's orders, over HTTP. A joiner has no credential yet but the one-time secret of its invitation. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { RouteAccess } from '../../runtime/http/access/guard.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { DATASETS } from '../../schemas/datasets/datasets.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { newestKey } from '../../schemas/membership/keys.ts'
import { NATIONAL_CODE } from '../../schemas/membership/territory.ts'
import { MEMBER_KINDS } from '../../schemas/membership.ts'
import type { AnchorKeys } from './anchor-keys.ts'
import type { BrokerAccess } from './broker-access.ts'
import type { Changes } from './changes.ts'
import type { Office } from './office.ts'
import type { PolicyOffice } from './policy.ts'
import type { Standings } from './standings.ts'

type Code = { readonly Params: { readonly code: string } }

const LIFETIME_MS = 7 * 86_400_000
const LOG_BYTES = 4 * 1024 * 1024
const DEFAULT_WRITES = ['entity', 'credit', 'expert', 'trade', 'trust', 'supervision']
const CODE = { type: 'string', pattern: '^[0-9]{6}$' } as const
const TEXT = { type: 'string', minLength: 1, maxLength: 200 } as const
const params = { type: 'object', properties: { code: CODE } } as const

const secretOf = (request: FastifyRequest): string => {
  const secret = /^Bearer ([A-Za-z0-9_-]{43})$/.exec(request.headers.authorization ?? '')?.[1]
  if (secret === undefined) throw new ExchangeError('REQUEST_UNAUTHORIZED', 'expected the one-time secret of an invitation')
  return secret
}

const who = (request: FastifyRequest): string => request.subject?.id ?? ''

const about = (operation: RouteAccess['operation']) => ({
  access: {
    operation,
    asked: (request: FastifyRequest) => ({ name: `member/${(request.params as { code?: string }).code ?? ''}` }),
  },
})

const kindOf = (code: string): string => (code === NATIONAL_CODE ? 'national' : code.endsWith('0000') ? 'province' : 'city')

type Invitation = {
  readonly code: string
  readonly kind?: string
  readonly zh: string
  readonly en: string
  readonly writes?: string[]
  readonly territory?: string[]
  readonly platforms?: string[]
  readonly lifetime_ms?: number
}

export function addMembershipRoutes(
  server: FastifyInstance,
  parts: {
    readonly office: Office
    readonly standings: Standings
    readonly anchorKeys: AnchorKeys
    readonly keeper: MembershipKeeper
    /** null where this hub has no authority over the broker */
    readonly access: BrokerAccess | null
    readonly policy: PolicyOffice
    readonly changes: Changes
  },
): void {
  const { office, standings, anchorKeys, keeper, policy, changes } = parts
  const tags = ['membership']

  server.post<{ Body: { ticket: string; request: string } }>(
    '/v1/join',
    {
      config: { access: { operation: 'membership.join' } },
      schema: {
        summary: 'A signed request to join, under the one-time secret of an invitation; the same again is the same answer',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['ticket', 'request'],
          properties: { ticket: { type: 'string', maxLength: 64 }, request: { type: 'string', maxLength: 65_536 } },
        },
      },
    },
    async (request, reply) => {
      const answer = await office.request(request.body.ticket, secretOf(request), request.body.request)
      return reply.code(answer.state === 'pending' ? 202 : 200).send(answer)
    },
  )
  server.get<Code>(
    '/v1/join/:code',
    {
      config: { access: { operation: 'membership.join' } },
      schema: {
        summary: 'How a request stands: what is missing and who must act; once admitted, what the joiner needs',
        tags,
        params,
      },
    },
    request => office.poll(request.params.code, secretOf(request)),
  )
  server.get<{ Querystring: { from: number } }>(
    '/v1/membership/log',
    {
      config: { access: { operation: 'federation.read' } },
      schema: {
        summary: 'Entries of the membership log from a position on; every holder verifies them the same',
        tags,
        querystring: { type: 'object', properties: { from: { type: 'integer', minimum: 1, default: 1 } } },
      },
    },
    async request => {
      const { fed, hub, position, tokens } = keeper.state()
      const entries: string[] = []
      let bytes = 0
      for (const token of tokens.slice(request.query.from - 1)) {
        bytes += token.length
        if (bytes > LOG_BYTES && entries.length > 0) break
        entries.push(token)
      }
      return { fed, anchor: newestKey(hub).kid, position, entries }
    },
  )
  server.post<{ Body: Invitation }>(
    '/v1/membership/invitations',
    {
      config: {
        access: { operation: 'membership.invite', askedBody: request => ({ name: `member/${(request.body as Invitation).code}` }) },
      },
      schema: {
        summary: 'Invites an organisation; the answer is the join file, which is shown once',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['code', 'zh', 'en'],
          properties: {
            code: CODE,
            kind: { type: 'string', enum: [...MEMBER_KINDS] },
            zh: TEXT,
            en: TEXT,
            writes: { type: 'array', items: { type: 'string', enum: DATASETS.filter(row => !row.reserved).map(row => row.name) } },
            territory: { type: 'array', items: CODE },
            platforms: { type: 'array', items: { type: 'string', maxLength: 64 } },
            lifetime_ms: { type: 'integer', minimum: 1000, maximum: 30 * 86_400_000 },
          },
        },
      },
    },
    async (request, reply) => {
      const { code, zh, en, platforms, lifetime_ms = LIFETIME_MS } = request.body
      const kind = request.body.kind ?? kindOf(code)
      const admission = {
        kind,
        zh,
        en,
        writes: request.body.writes ?? (kind === 'national' ? ['indicator'] : DEFAULT_WRITES),
        territory: request.body.territory ?? (kind === 'national' ? [] : [code]),
        ...(platforms === undefined ? {} : { platforms }),
      }
      const file = await office.invite({ code, admission, lifetimeMs: lifetime_ms }, who(request))
      return reply.code(201).header('cache-control', 'no-store').send(file)
    },
  )
  server.get(
    '/v1/membership/requests',
    {
      config: { access: { operation: 'membership.read' } },
      schema: { summary: 'Invitations and requests: how each stands, what is missing, who must act', tags },
    },
    async () => ({ requests: await office.pending() }),
  )

  const order = <Body extends object>(
    name: string,
    operation: RouteAccess['operation'],
    summary: string,
    properties: { readonly [name in keyof Body]: object },
    act: (code: string, body: Body, by: string) => Promise<number | null>,
  ): void => {
    server.post<Code & { Body: Body }>(
      `/v1/membership/members/:code/${name}`,
      {
        config: about(operation),
        schema: {
          summary,
          tags,
          params,
          body: { type: 'object', additionalProperties: false, required: Object.keys(properties), properties },
        },
      },
      async request => {
        const seq = await act(request.params.code, request.body as Body, who(request))
        return { code: request.params.code, ...(seq === null ? {} : { position: seq }) }
      },
    )
  }
  order<{ fingerprint: string }>(
    'approve',
    'membership.approve',
    'Admits a joiner whose key has this fingerprint, as it was told by another way than the network',
    { fingerprint: TEXT },
    (code, { fingerprint }, by) => office.approve(code, fingerprint, by),
  )
  order<{ reason: string }>(
    'refuse',
    'membership.approve',
    'Refuses a request, with its reason',
    { reason: TEXT },
    async (code, { reason }, by) => {
      await office.refuse(code, reason, by)
      return null
    },
  )
  order<{ why: string }>(
    'suspend',
    'membership.suspend',
    'Suspends a member: its logs end where the ledger holds them, and its connections to the broker end',
    { why: TEXT },
    async (code, { why }) => (await standings.suspend(code, why)).claims.seq,
  )
  order<Record<never, never>>(
    'resume',
    'membership.suspend',
    'Ends a suspension',
    {},
    async code => (await standings.resume(code)).claims.seq,
  )
  order<{ mark: string; until: string; digest: string }>(
    'marks',
    'membership.approve',
    'Gives a mark, with the digest of its evidence and an end',
    { mark: TEXT, until: { type: 'string', format: 'date-time' }, digest: TEXT },
    async (code, { mark, until, digest }) => (await standings.mark(code, { mark, until: new Date(until), digest })).claims.seq,
  )
  const brokerAccess = (): BrokerAccess => {
    if (parts.access !== null) return parts.access
    throw new ExchangeError('BROKER_UNAVAILABLE', 'expected an authority over the broker here')
  }
  server.get<Code & { Querystring: { key: string } }>(
    '/v1/membership/members/:code/broker',
    {
      config: { access: { operation: 'federation.read' } },
      schema: {
        summary: 'The token for the newest key that a member named for the broker; only who holds its seed can use it',
        tags,
        params,
        querystring: { type: 'object', required: ['key'], properties: { key: { type: 'string', pattern: '^U[A-Z2-7]{55}$' } } },
      },
    },
    async request => ({ jwt: await brokerAccess().tokenFor(request.params.code, request.query.key) }),
  )
  server.post<{ Body: { change: string } }>(
    '/v1/membership/changes',
    {
      config: { access: { operation: 'membership.change' } },
      schema: {
        summary: 'A change that a member signed itself, from one that the broker does not let in',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['change'],
          properties: { change: { type: 'string', maxLength: 65_536 } },
        },
      },
    },
    async request => ({ position: await changes.take(request.body.change) }),
  )
  server.post<{ Params: { program: string } }>(
    '/v1/membership/broker/:program/rotate',
    {
      config: {
        access: {
          operation: 'broker.rotate',
          asked: request => ({ name: `broker/${(request.params as { program?: string }).program ?? ''}` }),
        },
      },
      schema: {
        summary: 'Whatever the hub or a member had at the broker is void at once; its program makes a new key by itself',
        tags,
        params: { type: 'object', properties: { program: { type: 'string', pattern: '^(hub|[0-9]{6})$' } } },
      },
    },
    async request => {
      await brokerAccess().rotate(request.params.program)
      return { program: request.params.program }
    },
  )
  server.get(
    '/v1/membership/policy',
    { config: { access: { operation: 'membership.read' } }, schema: { summary: 'What the federation accepts', tags } },
    () => policy.shown(),
  )
  server.post<{ Body: { algorithms?: string[]; approvals?: 1 | 2 } }>(
    '/v1/membership/policy',
    {
      config: { access: { operation: 'policy.change' } },
      schema: {
        summary: 'Changes what the federation accepts; refused if it would lock somebody out',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          minProperties: 1,
          properties: {
            algorithms: { type: 'array', minItems: 1, maxItems: 8, uniqueItems: true, items: { type: 'string', maxLength: 16 } },
            approvals: { type: 'integer', enum: [1, 2] },
          },
        },
      },
    },
    request => policy.set(request.body),
  )
  server.post<{ Body: { stage: 'announce' | 'activate' | 'retire' } }>(
    '/v1/membership/anchor',
    {
      config: { access: { operation: 'key.change' } },
      schema: {
        summary: 'One stage of the rollover of the anchor key',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['stage'],
          properties: { stage: { type: 'string', enum: ['announce', 'activate', 'retire'] } },
        },
      },
    },
    request => anchorKeys.roll(request.body.stage),
  )
  server.post<{ Body: { ends?: number } }>(
    '/v1/membership/anchor/replacement',
    {
      config: { access: { operation: 'key.change' } },
      schema: {
        summary: 'After a theft: makes a new anchor key; the answer is for the recovery key of the hub to sign',
        tags,
        body: { type: 'object', additionalProperties: false, properties: { ends: { type: 'integer', minimum: 1 } } },
      },
    },
    request => anchorKeys.prepareReplacement(request.body.ends ?? null),
  )
  server.post<{ Body: { token: string } }>(
    '/v1/membership/anchor/replacement/signed',
    {
      config: { access: { operation: 'key.change' } },
      schema: {
        summary: 'Replaces the stolen anchor keys, under the recovery key of the hub',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['token'],
          properties: { token: { type: 'string', maxLength: 262_144 } },
        },
      },
    },
    request => anchorKeys.replace(request.body.token),
  )
}
