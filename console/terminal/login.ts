/**
 * A person logs in with his browser at the province's identity provider (authorization code with PKCE, back to a port of this machine:
 * RFC 8252) and gets an access token for one program. No password passes through here.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oidc from 'openid-client'
import { ExchangeError } from '../../schemas/errors.ts'
import { type FederationFile, holderNamed } from './federation-file.ts'
import type { Terminal } from './text.ts'

const CLIENT_ID = 'hutong-terminal'
const WAIT_MS = 300_000

/** What a login begins and ends with, whoever walks the way between. @throws IDENTITY_PROVIDER_UNAVAILABLE */
export async function beginLogin(
  issuer: URL,
  redirectUri: string,
  audience: string,
): Promise<{ readonly start: URL; finish(back: URL): Promise<string> }> {
  const insecure = issuer.protocol === 'http:' ? { execute: [oidc.allowInsecureRequests] } : {}
  const config = await oidc
    .discovery(issuer, CLIENT_ID, { id_token_signed_response_alg: 'ES256' }, oidc.None(), insecure)
    .catch((cause: unknown) => {
      throw new ExchangeError('IDENTITY_PROVIDER_UNAVAILABLE', `${issuer.href}: 没有应答 does not answer`, { cause })
    })
  const verifier = oidc.randomPKCECodeVerifier()
  const state = oidc.randomState()
  const start = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid',
    resource: audience,
    state,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  return {
    start,
    async finish(back) {
      const checks = { pkceCodeVerifier: verifier, expectedState: state }
      const tokens = await oidc.authorizationCodeGrant(config, back, checks).catch((cause: unknown) => {
        throw new ExchangeError('REQUEST_UNAUTHORIZED', '身份认证服务未予登录 the identity provider did not log you in', { cause })
      })
      return tokens.access_token
    },
  }
}

/** @throws IDENTITY_PROVIDER_UNAVAILABLE, REQUEST_UNAUTHORIZED, PROGRAM_UNKNOWN */
export async function runLogin(file: FederationFile, at: string, terminal: Terminal): Promise<number> {
  const { name } = holderNamed(file, at)
  const audience = file.people?.audiences[name]
  if (file.people === undefined || audience === undefined)
    throw new ExchangeError('PROGRAM_UNKNOWN', '联盟文件中没有身份认证服务 the federation file names no identity provider')
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const here = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`
    const { start, finish } = await beginLogin(new URL(file.people.url), here, audience)
    terminal.err.write(`在浏览器中打开 Open in a browser:\n${start.href}\n`)
    const [request, response] = (await once(server, 'request', { signal: AbortSignal.timeout(WAIT_MS) })) as [
      IncomingMessage,
      ServerResponse,
    ]
    response.end('已登录，可关闭此页 Logged in, this page can be closed\n')
    terminal.out.write(`${await finish(new URL(request.url ?? '/', here))}\n`)
    return 0
  } finally {
    server.closeAllConnections()
    server.close()
  }
}
