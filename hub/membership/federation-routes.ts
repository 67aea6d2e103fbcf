/**
 * The endpoints of OpenID Federation 1.0: the anchor's configuration (§9), statements about members (§8.1), who they are (§8.2), trust
 * marks' status (§8.4) and keys that sign no more (§8.7). All of it follows from the membership log; nobody's exchange waits for it.
 */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import {
  anchorConfiguration,
  entityIdOf,
  FEDERATION_PATHS,
  historicalKeys,
  listedEntities,
  markTypeOf,
  signHistoricalKeys,
  signStatement,
  signTrustMark,
  subordinateStatement,
  trustMarkClaims,
} from '../../schemas/membership/federation/publication.ts'
import type { Signer } from '../../schemas/tokens.ts'

const config = { access: { operation: 'federation.read' } } as const
const tags = ['federation']
const text = (reply: FastifyReply, type: string, body: string): FastifyReply => reply.type(`application/${type}`).send(body)

export function addFederationRoutes(
  server: FastifyInstance,
  options: {
    readonly keeper: MembershipKeeper
    readonly signer: () => Signer
    readonly lifetimeMs: number
    readonly clock: () => Date
  },
): void {
  const { keeper, signer, clock } = options
  const issue = () => ({ now: clock(), lifetimeSeconds: Math.floor(options.lifetimeMs / 1000) })
  const memberNamed = (sub: string): string => {
    const code = [...keeper.state().members.keys()].find(one => entityIdOf(keeper.state(), one) === sub)
    if (code === undefined) throw new ExchangeError('MEMBER_UNKNOWN', 'expected the entity identifier of a member')
    return code
  }
  const querystring = (...names: readonly string[]) => ({
    type: 'object',
    required: names.filter(name => name === 'sub'),
    properties: Object.fromEntries(names.map(name => [name, { type: 'string', maxLength: 2000 }])),
  })

  server.get(
    FEDERATION_PATHS.configuration,
    { config, schema: { summary: 'Entity configuration of the trust anchor', tags } },
    async (_request, reply) =>
      text(reply, 'entity-statement+jwt', await signStatement(signer(), anchorConfiguration(keeper.state(), issue()))),
  )
  server.get<{ Querystring: { sub: string } }>(
    FEDERATION_PATHS.fetch,
    { config, schema: { summary: 'Statement of the anchor about a member', tags, querystring: querystring('sub') } },
    async (request, reply) => {
      const claims = subordinateStatement(keeper.state(), memberNamed(request.query.sub), issue())
      return text(reply, 'entity-statement+jwt', await signStatement(signer(), claims))
    },
  )
  server.get(FEDERATION_PATHS.list, { config, schema: { summary: 'Entity identifiers of the members', tags } }, async () =>
    listedEntities(keeper.state()),
  )
  server.get(
    FEDERATION_PATHS.historicalKeys,
    { config, schema: { summary: 'Keys of hub and members that sign no more, and what they are good for', tags } },
    async (_request, reply) =>
      text(reply, 'jwk-set+jwt', await signHistoricalKeys(signer(), historicalKeys(keeper.state(), clock()))),
  )
  server.get<{ Querystring: { sub: string; trust_mark_type?: string } }>(
    '/federation/trust-mark',
    { config, schema: { summary: 'A trust mark of a member', tags, querystring: querystring('sub', 'trust_mark_type') } },
    async (request, reply) => {
      const { sub, trust_mark_type: wanted } = request.query
      const code = memberNamed(sub)
      const mark = keeper
        .state()
        .members.get(code)
        ?.marks.find(one => markTypeOf(keeper.state(), one.mark) === wanted)
      if (mark === undefined) throw new ExchangeError('TRUST_MARK_INVALID', `${code}: expected one of its marks`)
      return text(reply, 'trust-mark+jwt', await signTrustMark(signer(), trustMarkClaims(keeper.state(), code, mark.mark, clock())))
    },
  )
  server.get<{ Querystring: { sub: string; trust_mark_type?: string } }>(
    '/federation/trust-mark-status',
    { config, schema: { summary: 'Whether a trust mark holds now', tags, querystring: querystring('sub', 'trust_mark_type') } },
    async request => {
      const { sub, trust_mark_type: wanted } = request.query
      const marks = keeper.state().members.get(memberNamed(sub))?.marks ?? []
      return { active: marks.some(({ mark, until }) => markTypeOf(keeper.state(), mark) === wanted && until > clock()) }
    },
  )
}
