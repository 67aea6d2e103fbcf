/**
 * The login's own door: nothing of the node but the login stands at this address, since holders come to it from anywhere. What belongs to
 * OpenID Connect is handed to the provider under the address that the issuer names, whatever a request claims about where it arrived.
 * Builds the server; does not listen.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errors, type Interaction, type Provider } from 'oidc-provider'
import type { HealthCheck } from '../../runtime/http/health.ts'
import { buildServer } from '../../runtime/http/server.ts'
import type { Logger } from '../../runtime/log.ts'
import { ERRORS, ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { LOGIN_ACR } from '../../schemas/login/scopes.ts'
import type { Accounts } from './accounts.ts'
import type { Assets } from './assets.ts'
import type { Challenges } from './challenges.ts'
import type { LoginClient } from './clients.ts'
import type { GoodCertificate, HolderCheck } from './holder.ts'
import { ANSWER_SCHEMA, judgeAnswer, type LoginAnswer } from './proof.ts'
import { LOGIN_PATHS, SESSION_COOKIE } from './provider.ts'

export type SignedIn = {
  readonly client: LoginClient
  readonly verdict: GoodCertificate
  readonly der: Uint8Array
  readonly at: Date
}

type Parts = {
  readonly own: string
  readonly issuer: string
  readonly logger: Logger
  readonly checks: readonly HealthCheck[]
  readonly provider: () => Provider
  readonly clients: ReadonlyMap<string, LoginClient>
  readonly challenges: Challenges
  readonly accounts: Accounts
  readonly assets: Assets
  readonly check: HolderCheck
  readonly signedIn: (login: SignedIn) => Promise<void>
  readonly refused: (error: ExchangeError, client: string) => void
  readonly clock: () => Date
}

/** Behind one address a whole province may sit; a login is bounded by its own attempts. */
const PER_MINUTE = 6000
const BODY_BYTES = 131_072
/** Signing agents and vendors' drivers listen on the holder's own machine, at ports and in protocols of their own. */
const AGENT_SOURCES = ['http', 'https', 'ws', 'wss'].flatMap(scheme => [`${scheme}://127.0.0.1:*`, `${scheme}://localhost:*`])
/** Asked of the provider: GET or POST, and under which path. */
const PROVIDED = [
  ['GET', LOGIN_PATHS.discovery],
  ['GET', LOGIN_PATHS.jwks],
  ['GET', LOGIN_PATHS.authorization],
  ['GET', `${LOGIN_PATHS.authorization}/:uid`],
  ['POST', LOGIN_PATHS.token],
  ['GET', LOGIN_PATHS.userinfo],
  ['POST', LOGIN_PATHS.userinfo],
] as const
const REFUSED_PARAMETERS = ['request', 'request_uri', 'registration', 'claims', 'id_token_hint'] as const

const uid = { type: 'object', properties: { uid: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' } } } as const
type Login = { Params: { uid: string } }

/** Without the cookie of a session, so that every login stands for itself. */
const withoutSession = (cookies: string | undefined): string =>
  (cookies ?? '')
    .split(/; */)
    .filter(cookie => cookie !== '' && !cookie.startsWith(SESSION_COOKIE))
    .join('; ')

export async function buildLoginServer(parts: Parts): Promise<FastifyInstance> {
  const { issuer, clients, challenges, assets, clock } = parts
  const { host, origin, protocol, pathname } = new URL(issuer)
  const base = pathname.replace(/\/$/, '')
  const server = await buildServer({
    program: `node-${parts.own}-login`,
    logger: parts.logger,
    openapi: { title: `Certificate login at ${parts.own}`, titleZh: `${parts.own} 证书登录`, version: '1.0.0' },
    checks: parts.checks,
    rateLimit: { perMinute: PER_MINUTE },
    logAddresses: false,
    bodyLimitBytes: BODY_BYTES,
    contentSecurityPolicy: {
      'default-src': ["'none'"],
      'script-src': ["'self'"],
      'style-src': ["'self'"],
      'img-src': ["'self'"],
      'connect-src': ["'self'", ...AGENT_SOURCES],
      // A login may be abandoned by a form; where it goes after that is the client's redirect URI.
      'form-action': [
        "'self'",
        ...new Set([...clients.values()].flatMap(({ redirectUris }) => redirectUris.map(uri => new URL(uri).origin))),
      ],
      'base-uri': ["'none'"],
      'frame-ancestors': ["'none'"],
    },
  })
  // Read by the provider itself.
  server.addContentTypeParser('application/x-www-form-urlencoded', (_request, _payload, done) => done(null))

  /** What the issuer says about where this is, whatever the request says. */
  function settled({ raw }: FastifyRequest): FastifyRequest['raw'] {
    raw.headers.host = host
    raw.headers['x-forwarded-host'] = host
    raw.headers['x-forwarded-proto'] = protocol.slice(0, -1)
    raw.headers.cookie = withoutSession(raw.headers.cookie)
    return raw
  }

  async function provide(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const raw = settled(request)
    if (base !== '' && raw.url !== undefined) {
      ;(raw as { originalUrl?: string }).originalUrl = raw.url
      raw.url = raw.url.slice(base.length)
    }
    reply.hijack()
    await parts.provider().callback()(raw, reply.raw)
  }

  for (const [method, path] of PROVIDED)
    server.route({
      method,
      url: `${base}${path}`,
      schema: { hide: true, querystring: { type: 'object', additionalProperties: true } },
      handler: async (request, reply) => {
        const query = request.query as { readonly [name: string]: unknown }
        const surplus = path === LOGIN_PATHS.authorization ? REFUSED_PARAMETERS.find(name => query[name] !== undefined) : undefined
        const mode = query.response_mode ?? 'query'
        if (surplus !== undefined || mode !== 'query') {
          const error = new ExchangeError('LOGIN_REQUEST_REFUSED', `${surplus ?? 'response_mode'}: not accepted here`)
          return showProblem(error, reply)
        }
        return provide(request, reply)
      },
    })

  const showProblem = ({ code, status, retry }: ExchangeError, reply: FastifyReply): FastifyReply => {
    if (retry) reply.header('retry-after', 5)
    const { zh, en } = ERRORS[code]
    return reply
      .code(status)
      .header('cache-control', 'no-store')
      .type('text/html; charset=utf-8')
      .send(assets.errorPage({ zh, en, code }))
  }

  /** The login that this browser has under way. @throws LOGIN_REQUEST_UNKNOWN */
  async function interactionOf(
    request: FastifyRequest<Login>,
    reply: FastifyReply,
  ): Promise<{ interaction: Interaction; client: LoginClient }> {
    const interaction = await parts
      .provider()
      .interactionDetails(settled(request), reply.raw)
      .catch((cause: unknown) => {
        if (!(cause instanceof errors.SessionNotFound)) throw cause
        throw new ExchangeError('LOGIN_REQUEST_UNKNOWN', 'expected the cookie of a login under way', { cause })
      })
    const client = clients.get(String(interaction.params.client_id))
    if (interaction.uid !== request.params.uid || client === undefined)
      throw new ExchangeError('LOGIN_REQUEST_UNKNOWN', 'the cookie is of another login than the address')
    return { interaction, client }
  }

  /** Fetch Metadata and Origin: both are set by the browser, out of reach of a page. @throws LOGIN_ORIGIN_FOREIGN */
  function fromOwnPage({ headers }: FastifyRequest): void {
    const { origin: from } = headers
    const site = headers['sec-fetch-site']
    if (from !== origin || (site !== undefined && site !== 'same-origin'))
      throw new ExchangeError('LOGIN_ORIGIN_FOREIGN', `expected a request of ${origin}`)
  }

  server.get<{ Params: { '*': string } }>(`${base}/assets/*`, { schema: { hide: true } }, async (request, reply) => {
    const asset = assets.find(request.params['*'])
    if (asset === undefined) throw new ExchangeError('ROUTE_UNKNOWN', 'there is no such file')
    reply.header('etag', asset.etag).header('cache-control', 'no-cache').header('cross-origin-resource-policy', 'same-origin')
    if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send()
    return reply.type(asset.type).send(asset.bytes)
  })

  server.get<Login>(`${base}${LOGIN_PATHS.signIn}/:uid`, { schema: { hide: true, params: uid } }, async (request, reply) => {
    try {
      const { interaction, client } = await interactionOf(request, reply)
      const asked = String(interaction.params.scope ?? '').split(' ')
      const scopes = client.scopes.filter(scope => asked.includes(scope))
      const path = `${base}${LOGIN_PATHS.signIn}/${interaction.uid}`
      // With no referrer at all, a browser would not say either which page a form was sent from.
      reply.header('referrer-policy', 'same-origin').header('cache-control', 'no-store')
      return reply.type('text/html; charset=utf-8').send(assets.page({ client, scopes, path }))
    } catch (error) {
      if (isExchangeError(error)) return showProblem(error, reply)
      throw error
    }
  })

  server.post<Login>(
    `${base}${LOGIN_PATHS.signIn}/:uid/challenge`,
    {
      schema: {
        summary: 'The text that is to be signed for this login; each is answered once, within 5 minutes',
        tags: ['login'],
        params: uid,
        body: { type: 'object', additionalProperties: false },
      },
    },
    async (request, reply) => {
      fromOwnPage(request)
      const { interaction, client } = await interactionOf(request, reply)
      const { statement, expires } = await challenges.issue(interaction.uid, client.id)
      return reply.header('cache-control', 'no-store').send({ statement, expires: expires.toISOString() })
    },
  )

  server.post<Login & { Body: LoginAnswer }>(
    `${base}${LOGIN_PATHS.signIn}/:uid`,
    { schema: { summary: 'The signature over it, and where to go on', tags: ['login'], params: uid, body: ANSWER_SCHEMA } },
    async (request, reply) => {
      fromOwnPage(request)
      const { interaction, client } = await interactionOf(request, reply)
      try {
        const statement = await challenges.use(interaction.uid, request.body.nonce)
        const at = clock()
        const { verdict, der } = await judgeAnswer(request.body, statement, { check: parts.check, now: at })
        const accountId = await parts.accounts.open(client, verdict, der)
        await parts.signedIn({ client, verdict, der, at })
        const result = { login: { accountId, remember: false, acr: LOGIN_ACR } }
        const location = await parts.provider().interactionResult(settled(request), reply.raw, result)
        return reply.header('cache-control', 'no-store').send({ location })
      } catch (error) {
        if (isExchangeError(error)) parts.refused(error, client.id)
        throw error
      }
    },
  )

  server.post<Login>(
    `${base}${LOGIN_PATHS.signIn}/:uid/cancel`,
    { schema: { hide: true, params: uid } },
    async (request, reply) => {
      try {
        fromOwnPage(request)
        await interactionOf(request, reply)
        const result = { error: 'access_denied', error_description: 'the holder did not log in' }
        return reply.redirect(await parts.provider().interactionResult(settled(request), reply.raw, result), 303)
      } catch (error) {
        if (isExchangeError(error)) return showProblem(error, reply)
        throw error
      }
    },
  )
  return server
}
