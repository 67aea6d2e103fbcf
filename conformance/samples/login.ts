/**
 * The sample trading systems as clients of the login: what any system needs to have companies of every province log in, with a stock
 * OpenID Connect library and nothing of ours. `GET /login/<code>` begins at the node of that province; the callback ends it.
 */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import * as oidc from 'openid-client'

export type LoginPlace = { readonly code: string; readonly zh: string; readonly issuer: string }

type Begun = {
  readonly config: oidc.Configuration
  readonly verifier: string
  readonly state: string
  readonly nonce: string
  readonly until: number
}

const COOKIE = 'hutong_sample'
const WAIT_MS = 900_000
const BEGUN_MAX = 1000
const ALGORITHM = 'ES256'
export const CALLBACK_PATH = '/login/callback'

const ESCAPES: { readonly [letter: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string): string => text.replace(/[&<>"]/g, letter => ESCAPES[letter] ?? '')
const page = (reply: FastifyReply, status: number, title: string, body: string): FastifyReply =>
  reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('text/html; charset=utf-8')
    .send(
      `<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>\n`,
    )

export function addLoginRoutes(
  server: FastifyInstance,
  { places, own }: { readonly places: readonly LoginPlace[]; readonly own: () => string },
): void {
  const begun = new Map<string, Begun>()
  const open = { type: 'object', additionalProperties: true } as const

  const keep = (login: Begun): string => {
    for (const [id, { until }] of begun) if (until < Date.now() || begun.size >= BEGUN_MAX) begun.delete(id)
    const id = randomUUID()
    begun.set(id, login)
    return id
  }

  server.get<{ Params: { code: string } }>('/login/:code', { schema: { hide: true } }, async ({ params }, reply) => {
    const place = places.find(({ code }) => code === params.code)
    if (place === undefined) {
      const links = places.map(({ code, zh }) => `<li><a href="/login/${code}">${escaped(zh)}样例交易系统</a></li>`).join('')
      return page(reply, 404, '证书登录 Certificate login', `<ul>${links}</ul>`)
    }
    const insecure = place.issuer.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {}
    const metadata = { id_token_signed_response_alg: ALGORITHM }
    const config = await oidc.discovery(new URL(place.issuer), `samples-${place.code}`, metadata, oidc.None(), insecure)
    const [verifier, state, nonce] = [oidc.randomPKCECodeVerifier(), oidc.randomState(), oidc.randomNonce()]
    const id = keep({ config, verifier, state, nonce, until: Date.now() + WAIT_MS })
    const start = oidc.buildAuthorizationUrl(config, {
      redirect_uri: `${own()}${CALLBACK_PATH}`,
      scope: 'openid organisation certificate province',
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    return reply.header('set-cookie', `${COOKIE}=${id}; HttpOnly; SameSite=Lax; Path=/login`).redirect(start.href, 303)
  })

  server.get(CALLBACK_PATH, { schema: { hide: true, querystring: open } }, async ({ headers, url }, reply) => {
    const id = new RegExp(`(?:^|; )${COOKIE}=([0-9a-f-]{36})`).exec(headers.cookie ?? '')?.[1] ?? ''
    const login = begun.get(id)
    begun.delete(id)
    if (login === undefined || login.until < Date.now()) return page(reply, 400, '请重新登录 Log in again', '')
    try {
      const tokens = await oidc.authorizationCodeGrant(login.config, new URL(url, own()), {
        pkceCodeVerifier: login.verifier,
        expectedState: login.state,
        expectedNonce: login.nonce,
      })
      const {
        uscc,
        organisation_name: name,
        ca_name: ca,
        province,
        sub,
      } = { ...tokens.claims() } as { readonly [name: string]: unknown }
      const facts = [
        ['单位 organisation', name],
        ['统一社会信用代码 credit code', uscc ?? sub],
        ['注册地 province', province],
        ['颁发机构 authority', ca],
      ]
      const rows = facts.map(([what, value]) => `<dt>${String(what)}</dt><dd>${escaped(String(value ?? '–'))}</dd>`).join('')
      return page(reply, 200, '已登录 Logged in', `<dl>${rows}</dl>`)
    } catch (error) {
      const said = error instanceof oidc.AuthorizationResponseError ? error.error : 'login failed'
      return page(reply, 403, '未登录 Not logged in', `<p>${escaped(said)}</p>`)
    }
  })
}
