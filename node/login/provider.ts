/**
 * The OpenID provider: authorization code with PKCE (S256) and nothing else. Every login is a signature of its own: no session is
 * carried from one to the next, no consent is asked for (the page says what is handed over, the province registers who gets it), and no
 * token outlives the minutes in which a client turns its code into an ID token.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { interactionPolicy, Provider } from 'oidc-provider'
import { LOGIN_ACR, LOGIN_SCOPES } from '../../schemas/login/scopes.ts'
import type { Accounts } from './accounts.ts'
import type { StateAdapter } from './adapter.ts'
import { INTERACTION_SECONDS } from './challenges.ts'
import { ID_TOKEN_ALGORITHMS, type LoginClient } from './clients.ts'
import type { LoginKeys } from './keys.ts'

const CODE_SECONDS = 60
const TOKEN_SECONDS = 300

/** Addresses of the provider; the login's own page stands at `signIn`. */
export const LOGIN_PATHS = {
  discovery: '/.well-known/openid-configuration',
  authorization: '/authorize',
  token: '/token',
  userinfo: '/userinfo',
  jwks: '/jwks',
  signIn: '/sign-in',
} as const

/** A cookie of this name is in no request that the provider sees: a login stands for itself. */
export const SESSION_COOKIE = 'hutong_session'
const COOKIES = { session: SESSION_COOKIE, interaction: 'hutong_login', resume: 'hutong_login_resume' } as const

const clientMetadata = (client: LoginClient): object => ({
  client_id: client.id,
  client_name: client.zh,
  // Whatever the type would allow, an address is compared as it is written: see below.
  application_type: client.redirectUris.some(uri => uri.startsWith('http:')) ? 'native' : 'web',
  token_endpoint_auth_method: client.auth,
  grant_types: ['authorization_code'],
  response_types: ['code'],
  response_modes: ['query'],
  redirect_uris: client.redirectUris,
  scope: client.scopes.join(' '),
  id_token_signed_response_alg: client.idTokenAlgorithm,
  subject_type: 'pairwise',
  ...(client.secretSha256 === null ? {} : { client_secret: client.secretSha256 }),
  ...(client.auth === 'private_key_jwt' ? { jwks: { keys: client.keys } } : {}),
})

/** What is asked of the context that the provider hands to its configuration. */
type Context = {
  readonly oidc: {
    readonly result?: { readonly login?: unknown }
    readonly client: { readonly clientId: string; readonly scope: string }
    readonly account: { readonly accountId: string }
    readonly params: { readonly scope?: string }
    readonly provider: Provider
  }
}

async function grantWhatIsRegistered({ oidc }: Context) {
  const { client, account, params, provider } = oidc
  const grant = new provider.Grant({ clientId: client.clientId, accountId: account.accountId })
  const registered = client.scope.split(' ')
  grant.addOIDCScope(
    (params.scope ?? '')
      .split(' ')
      .filter(scope => registered.includes(scope))
      .join(' '),
  )
  await grant.save(INTERACTION_SECONDS)
  return grant
}

type ClientPrototype = {
  redirectUriAllowed(this: { readonly redirectUris: readonly string[] }, uri: unknown): boolean
  compareClientSecret(this: { readonly clientSecret: string }, given: string): boolean
}

export function buildProvider(options: {
  readonly issuer: string
  readonly clients: readonly LoginClient[]
  readonly keys: LoginKeys
  readonly accounts: Accounts
  readonly adapter: (kind: string) => StateAdapter
  /** shows an error that cannot be given to the client; null where it wants no page */
  readonly showError: (code: string) => string
  readonly failed: (error: unknown) => void
}): Provider {
  const { issuer, keys, accounts } = options
  const secure = issuer.startsWith('https:')
  const base = new URL(issuer).pathname.replace(/\/$/, '')
  const cookie = { httpOnly: true, sameSite: 'lax', signed: true, secure, overwrite: true } as const
  const off = { enabled: false } as const
  const policy = interactionPolicy.base()
  policy.remove('consent')
  const provider = new Provider(issuer, {
    adapter: (kind: string) => options.adapter(kind),
    clients: options.clients.map(clientMetadata),
    jwks: { keys: keys.generations.flatMap(({ signing }) => signing) },
    cookies: { keys: keys.generations.map(({ cookie: key }) => key), names: COOKIES, long: cookie, short: cookie },
    routes: {
      authorization: LOGIN_PATHS.authorization,
      token: LOGIN_PATHS.token,
      userinfo: LOGIN_PATHS.userinfo,
      jwks: LOGIN_PATHS.jwks,
    },
    scopes: LOGIN_SCOPES.map(row => row.name),
    claims: Object.fromEntries(LOGIN_SCOPES.map(row => [row.name, row.claims])),
    acrValues: [LOGIN_ACR],
    responseTypes: ['code'],
    subjectTypes: ['pairwise'],
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    clientDefaults: { id_token_signed_response_alg: ID_TOKEN_ALGORITHMS[0] },
    enabledJWA: {
      idTokenSigningAlgValues: ID_TOKEN_ALGORITHMS,
      clientAuthSigningAlgValues: ['ES256', 'EdDSA', 'PS256', 'RS256'],
    },
    pkce: { required: () => true },
    // Stock clients read the ID token; it says what userinfo says.
    conformIdTokenClaims: false,
    allowOmittingSingleRegisteredRedirectUri: false,
    clientBasedCORS: () => false,
    ttl: {
      AccessToken: TOKEN_SECONDS,
      AuthorizationCode: CODE_SECONDS,
      Grant: INTERACTION_SECONDS,
      IdToken: TOKEN_SECONDS,
      Interaction: INTERACTION_SECONDS,
      Session: INTERACTION_SECONDS,
    },
    features: {
      devInteractions: off,
      rpInitiatedLogout: off,
      claimsParameter: off,
      pushedAuthorizationRequests: off,
      resourceIndicators: off,
      revocation: off,
      introspection: off,
      dPoP: off,
      userinfo: { enabled: true },
    },
    interactions: { policy, url: (_: unknown, { uid }: { readonly uid: string }) => `${base}${LOGIN_PATHS.signIn}/${uid}` },
    loadExistingGrant: grantWhatIsRegistered,
    async findAccount(_: unknown, id: string) {
      const account = await accounts.find(id)
      return account === null ? undefined : { accountId: id, claims: () => ({ ...account.claims, sub: id }) }
    },
    pairwiseIdentifier: async (_: unknown, id: string) => (await accounts.find(id))?.sub ?? id,
    renderError(context: { type: string; body: unknown }, { error }: { readonly error: string }) {
      context.type = 'html'
      context.body = options.showError(error)
    },
  })
  const prototype = (provider as unknown as { readonly Client: { readonly prototype: ClientPrototype } }).Client.prototype
  // Character by character (RFC 9700 §2.1), the port of this machine included.
  prototype.redirectUriAllowed = function redirectUriAllowed(uri) {
    return typeof uri === 'string' && this.redirectUris.includes(uri)
  }
  // Only the digest of a secret is kept.
  prototype.compareClientSecret = function compareClientSecret(given) {
    const digest = createHash('sha256').update(given).digest()
    return timingSafeEqual(digest, Buffer.from(this.clientSecret, 'hex'))
  }
  // Where it is reached is what the issuer says, whatever a request claims: the server in front of this sets both.
  provider.proxy = true
  provider.on('server_error', (_, error) => options.failed(error))
  return provider
}
