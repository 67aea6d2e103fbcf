/**
 * People, by OpenID Connect: the province's own identity provider vouches for them, and a table in the configuration turns what it says
 * of them into our roles. Here only its access tokens for this program are checked (RFC 9068): issuer, audience, signature under the
 * keys that it publishes. A new key is fetched when a token names one; a provider that does not answer is not a wrong token.
 */
import { readFile } from 'node:fs/promises'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import { parseRights, type Rights } from '../../../schemas/access/subjects.ts'
import { ExchangeError, isExchangeError } from '../../../schemas/errors.ts'

export type IdentityProviderConfig = {
  readonly issuer: string
  /** what a token must be addressed to */
  readonly audience: string
  /** claim that lists the groups of a person; members of members with dots between them */
  readonly claim: string
  /** group → roles and scope */
  readonly groups: ReadonlyMap<string, Rights>
  readonly perMinute: number
}
export type Person = Rights & { readonly subject: string; readonly perMinute: number }
export type IdentityProvider = {
  readonly issuer: string
  /** @throws REQUEST_UNAUTHORIZED, IDENTITY_PROVIDER_UNAVAILABLE, ACCESS_DENIED for a person without a role here */
  personOf(token: string): Promise<Person>
}

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']
const TYPE = 'at+jwt'
const TIMEOUT_MS = 5000
/** An unknown key makes us ask again, but not more often than this: anybody can name unknown keys. */
const COOLDOWN_MS = 2000
const PER_MINUTE = 300
const MEMBERS = ['issuer', 'audience', 'claim', 'groups', 'per_minute']

const isLoopback = ({ hostname }: URL): boolean => hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
const isSafe = (text: unknown): text is string => {
  if (typeof text !== 'string' || !URL.canParse(text)) return false
  const url = new URL(text)
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))
}

/** @throws CONFIG_INVALID */
export function parseIdentityProvider(text: string, path: string): IdentityProviderConfig {
  const invalid = (reason: string): ExchangeError =>
    new ExchangeError('CONFIG_INVALID', `identity provider file ${path}: ${reason}`)
  let fields: { readonly [name: string]: unknown }
  try {
    fields = JSON.parse(text) ?? {}
  } catch {
    throw invalid('expected JSON')
  }
  const { issuer, audience, claim = 'groups', groups, per_minute: perMinute = PER_MINUTE } = fields
  const surplus = Object.keys(fields).find(name => !MEMBERS.includes(name))
  if (surplus !== undefined) throw invalid(`${surplus} is none of ${MEMBERS.join(', ')}`)
  if (!isSafe(issuer)) throw invalid('issuer: expected an https:// URL (http:// on this machine only)')
  if (typeof audience !== 'string' || audience === '')
    throw invalid('audience: expected the name that tokens for this program carry')
  if (typeof claim !== 'string' || claim === '') throw invalid('claim: expected the name of a claim')
  if (!Number.isSafeInteger(perMinute) || Number(perMinute) < 1) throw invalid('per_minute: expected a whole number from 1')
  if (typeof groups !== 'object' || groups === null || Array.isArray(groups)) throw invalid('groups: expected {group: {roles, …}}')
  const rights = Object.entries(groups).map(([group, value]) => {
    try {
      return [group, parseRights(value ?? {})] as const
    } catch (error) {
      throw invalid(`groups.${group}: ${isExchangeError(error) ? error.reason : 'not valid'}`)
    }
  })
  return { issuer, audience, claim, groups: new Map(rights), perMinute: Number(perMinute) }
}

export async function readIdentityProvider(path: string): Promise<IdentityProviderConfig> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new ExchangeError('CONFIG_INVALID', `identity provider file ${path}: expected a readable file`, { cause })
  })
  return parseIdentityProvider(text, path)
}

const groupsOf = (payload: object, claim: string): string[] => {
  const value = claim
    .split('.')
    .reduce<unknown>((at, name) => (at as { [name: string]: unknown } | null | undefined)?.[name], payload)
  return (Array.isArray(value) ? value : [value]).filter(one => typeof one === 'string')
}

const joined = (lists: readonly (readonly string[] | null)[]): readonly string[] | null => {
  const given = lists.filter(list => list !== null)
  return given.length === 0 ? null : [...new Set(given.flat())]
}

const DIMENSIONS = ['roles', 'regions', 'sectors', 'platforms'] as const

/**
 * Whether scopes can be added up without giving more than the groups did: the works of one city and the waters of another are not the
 * works and waters of both.
 */
function addUp(found: readonly Rights[]): boolean {
  const scoped = found.filter(({ regions, sectors, platforms }) => regions !== null || sectors !== null || platforms !== null)
  const differing = DIMENSIONS.filter(name => new Set(scoped.map(one => JSON.stringify(one[name]))).size > 1)
  return differing.length <= 1
}

/** The roles of all groups together. @throws CLIENT_INVALID where they exclude each other, or their scopes do not add up */
export function rightsOf(groups: readonly string[], config: IdentityProviderConfig): Rights | null {
  const found = groups.flatMap(group => config.groups.get(group) ?? [])
  if (found.length === 0) return null
  if (!addUp(found)) throw new ExchangeError('CLIENT_INVALID', 'the scopes of several groups do not add up to one')
  return parseRights({
    roles: found.flatMap(one => one.roles),
    regions: joined(found.map(one => one.regions)),
    sectors: joined(found.map(one => one.sectors)),
    platforms: joined(found.map(one => one.platforms)),
  })
}

/** Nothing is asked before the first token comes, so that a program starts without its provider. */
export function createIdentityProvider(config: IdentityProviderConfig): IdentityProvider {
  type KeySet = ReturnType<typeof createRemoteJWKSet>
  let keys: Promise<KeySet> | null = null
  const unavailable = (cause: unknown): ExchangeError =>
    new ExchangeError('IDENTITY_PROVIDER_UNAVAILABLE', `${config.issuer} does not answer as a provider`, { cause })

  /** OpenID Connect Discovery 1.0 §4.3: what is found must be what was asked for. */
  async function discover(): Promise<KeySet> {
    const response = await fetch(`${config.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const { issuer, jwks_uri: uri } = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown }
    if (!response.ok || issuer !== config.issuer || !isSafe(uri)) throw unavailable('its configuration is of another issuer')
    return createRemoteJWKSet(new URL(uri), { cooldownDuration: COOLDOWN_MS, timeoutDuration: TIMEOUT_MS })
  }

  async function keySet(): Promise<KeySet> {
    keys ??= discover()
    try {
      return await keys
    } catch (error) {
      keys = null
      throw isExchangeError(error) ? error : unavailable(error)
    }
  }

  return {
    issuer: config.issuer,
    async personOf(token) {
      const { payload } = await jwtVerify(token, await keySet(), {
        algorithms: ALGORITHMS,
        typ: TYPE,
        issuer: config.issuer,
        audience: config.audience,
        requiredClaims: ['exp', 'sub'],
      }).catch((cause: unknown) => {
        // what was fetched and is no key set has the generic code
        const wrong =
          cause instanceof errors.JOSEError && !(cause instanceof errors.JWKSTimeout) && cause.code !== 'ERR_JOSE_GENERIC'
        if (!wrong) throw unavailable(cause)
        throw new ExchangeError(
          'REQUEST_UNAUTHORIZED',
          'the access token of the identity provider has expired or does not verify',
          {
            cause,
          },
        )
      })
      let rights: Rights | null
      try {
        rights = rightsOf(groupsOf(payload, config.claim), config)
      } catch (cause) {
        throw new ExchangeError('ACCESS_DENIED', isExchangeError(cause) ? cause.reason : 'roles that do not go together', { cause })
      }
      if (rights === null) throw new ExchangeError('ACCESS_DENIED', 'none of the groups of this person has a role here')
      return { ...rights, subject: `${config.issuer} ${payload.sub}`, perMinute: config.perMinute }
    },
  }
}
