/**
 * An OpenID provider for the demo and the tests, in the place of the province's own. It lets in whoever names one of its people, so it
 * listens on this machine only and is no part of a province's installation. Its keys are made at each start, which is what a rotation
 * looks like from outside.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import { PEOPLE } from './people.ts'

const CLIENT_ID = 'hutong-terminal'
export const REDIRECT_URI = 'http://127.0.0.1/callback'
const ALGORITHM = 'ES256'
const TOKEN_SECONDS = 300

export type DemoProvider = AsyncDisposable & { readonly issuer: string }

const signingKey = async (): Promise<object> => {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true })
  return { ...(await exportJWK(privateKey)), alg: ALGORITHM, use: 'sig', kid: randomBytes(8).toString('hex') }
}

export async function startDemoProvider({ port }: { readonly port: number }): Promise<DemoProvider> {
  const server = createServer()
  const bound = await listening(server, port)
  const issuer = `http://127.0.0.1:${bound}`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        response_types: ['code'],
        redirect_uris: [REDIRECT_URI],
        id_token_signed_response_alg: ALGORITHM,
      },
    ],
    jwks: { keys: [await signingKey()] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    ttl: { Interaction: 600, Session: 3600, Grant: 3600, AccessToken: TOKEN_SECONDS, IdToken: TOKEN_SECONDS },
    pkce: { required: () => true },
    findAccount: (_: unknown, sub: string) =>
      Object.hasOwn(PEOPLE, sub) ? { accountId: sub, claims: () => ({ sub }) } : undefined,
    extraTokenClaims: (_: unknown, token: { accountId?: string }) => ({ groups: PEOPLE[token.accountId ?? ''] ?? [] }),
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_: unknown, resource: string) => ({
          scope: '',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: TOKEN_SECONDS,
          jwt: { sign: { alg: ALGORITHM } },
        }),
      },
    },
  })
  const answer = provider.callback()
  server.on('request', (request, response) => {
    if (request.url === '/health/ready') response.end('ready')
    else void answer(request, response)
  })
  return {
    issuer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

const listening = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
