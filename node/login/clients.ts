/**
 * The trading systems that may have their users logged in here, from a file that the province writes. Nothing in it is a secret: a
 * client proves itself with a key whose public half stands here, or with a secret of which only the digest does. What is not listed is
 * refused, and a file with a fault lets nobody in: all faults are told at once.
 *
 *   [{"id": "yunnan-trading", "zh": "云南交易系统", "en": "Yunnan trading system", "redirect_uris": ["https://jy.example.cn/callback"],
 *     "scopes": ["openid", "organisation"], "auth": "private_key_jwt", "keys": [{"kty": "EC", …}]}]
 */
import { readFile } from 'node:fs/promises'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { isLoginScope, LOGIN_SCOPES, type LoginScope } from '../../schemas/login/scopes.ts'
import { CLIENT_ID } from '../../schemas/login/statement.ts'

/** How a client proves at the token endpoint that it is itself (OpenID Connect Core 1.0 §9), and what the file says for it. */
const CLIENT_AUTH = {
  none: [],
  client_secret_basic: ['secret_sha256'],
  client_secret_post: ['secret_sha256'],
  private_key_jwt: ['keys'],
} as const
export type ClientAuth = keyof typeof CLIENT_AUTH

/** The first is used unless a client names another. */
export const ID_TOKEN_ALGORITHMS = ['ES256', 'EdDSA', 'RS256'] as const
export type IdTokenAlgorithm = (typeof ID_TOKEN_ALGORITHMS)[number]

export type LoginClient = {
  readonly id: string
  readonly zh: string
  readonly en: string
  readonly redirectUris: readonly string[]
  readonly scopes: readonly LoginScope[]
  readonly auth: ClientAuth
  /** of the secret, lower-case hexadecimal */
  readonly secretSha256: string | null
  readonly keys: readonly object[]
  readonly idTokenAlgorithm: IdTokenAlgorithm
  /** Clients with one sector see one pseudonym of a person (OpenID Connect Core 1.0 §8.1). */
  readonly sector: string
}

const MEMBERS = ['id', 'zh', 'en', 'redirect_uris', 'scopes', 'auth', 'secret_sha256', 'keys', 'id_token_alg', 'sector']
const LIST_MAX = 16
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'k', 'priv']

type Fields = { readonly [name: string]: unknown }
const fieldsOf = (value: unknown): Fields | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null

const isLoopback = ({ hostname }: URL): boolean => hostname === '[::1]' || hostname === 'localhost' || /^127\./.test(hostname)

/** Compared character by character when it is used, so only what a URL parser leaves as it is may be written. */
function isRedirectUri(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > 512 || !/^[\x21-\x7e]+$/.test(value) || !URL.canParse(value)) return false
  const url = new URL(value)
  const safe = url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))
  return safe && !value.includes('#') && !value.includes('*') && url.username === '' && url.password === '' && url.href === value
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value) && value.length > 0 && value.length <= LIST_MAX

function isPublicJwk(value: unknown): boolean {
  const jwk = fieldsOf(value)
  return jwk !== null && ['EC', 'OKP', 'RSA'].includes(String(jwk.kty)) && !PRIVATE_MEMBERS.some(name => Object.hasOwn(jwk, name))
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 128 && !/\p{Cc}/u.test(value)

function parseClient(value: unknown, where: string, faults: string[]): LoginClient {
  const fields = fieldsOf(value) ?? {}
  const fault = (holds: boolean, reason: string): void => {
    if (!holds) faults.push(`${where}: ${reason}`)
  }
  const { id, zh, en, redirect_uris: uris, scopes = ['openid'], auth = 'none', secret_sha256: secret, keys } = fields
  const { id_token_alg: algorithm = ID_TOKEN_ALGORITHMS[0], sector = id } = fields
  for (const name of Object.keys(fields)) fault(MEMBERS.includes(name), `${name.slice(0, 32)} is none of ${MEMBERS.join(', ')}`)
  fault(typeof id === 'string' && CLIENT_ID.test(id), 'id: expected 2 to 63 lower-case letters, digits and hyphens')
  fault(isName(zh) && isName(en), 'zh, en: expected the name that the page shows')
  fault(
    isList(uris) && uris.every(isRedirectUri),
    'redirect_uris: expected exact https:// addresses (http:// on this machine only)',
  )
  fault(
    isList(scopes) && scopes.every(isLoginScope) && scopes.includes('openid'),
    `scopes: expected openid and any of ${LOGIN_SCOPES.map(row => row.name).join(', ')}`,
  )
  const needed: readonly string[] | undefined = Object.hasOwn(CLIENT_AUTH, String(auth))
    ? CLIENT_AUTH[auth as ClientAuth]
    : undefined
  fault(needed !== undefined, `auth: expected one of ${Object.keys(CLIENT_AUTH).join(', ')}`)
  for (const name of ['secret_sha256', 'keys'])
    if (needed !== undefined) {
      const wanted = needed.includes(name)
      fault((fields[name] !== undefined) === wanted, `${name}: ${wanted ? 'needed' : 'does not go'} with auth ${String(auth)}`)
    }
  fault(secret === undefined || /^[0-9a-f]{64}$/.test(String(secret)), 'secret_sha256: expected 64 hexadecimal digits')
  fault(keys === undefined || (isList(keys) && keys.every(isPublicJwk)), 'keys: expected public JWKs')
  fault(
    ID_TOKEN_ALGORITHMS.some(one => one === algorithm),
    `id_token_alg: expected one of ${ID_TOKEN_ALGORITHMS.join(', ')}`,
  )
  fault(typeof sector === 'string' && CLIENT_ID.test(sector), 'sector: expected lower-case letters, digits and hyphens')
  return {
    id: String(id),
    zh: String(zh),
    en: String(en),
    redirectUris: (isList(uris) ? uris : []).map(String),
    scopes: (isList(scopes) ? scopes : []).filter(isLoginScope),
    auth: auth as ClientAuth,
    secretSha256: typeof secret === 'string' ? secret : null,
    keys: isList(keys) ? (keys as readonly object[]) : [],
    idTokenAlgorithm: algorithm as IdTokenAlgorithm,
    sector: String(sector),
  }
}

/** @throws CONFIG_INVALID naming every fault */
export function parseLoginClients(text: string): readonly LoginClient[] {
  let list: unknown = null
  try {
    list = JSON.parse(text)
  } catch {
    // told below, without a quotation
  }
  const faults: string[] = []
  const clients = Array.isArray(list) ? list.map((value, index) => parseClient(value, `client ${index + 1}`, faults)) : []
  if (!Array.isArray(list)) faults.push('expected a JSON list of clients')
  const ids = clients.map(({ id }) => id)
  for (const id of new Set(ids.filter((one, index) => ids.indexOf(one) !== index)))
    faults.push(`id ${id.slice(0, 64)} stands twice`)
  if (faults.length > 0) throw new ExchangeError('CONFIG_INVALID', faults.join('; '), { detail: { faults } })
  return clients
}

/** @throws CONFIG_INVALID */
export async function readLoginClients(path: string): Promise<readonly LoginClient[]> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new ExchangeError('CONFIG_INVALID', `login clients file ${path}: expected a readable file`, { cause })
  })
  try {
    return parseLoginClients(text)
  } catch (error) {
    if (!isExchangeError(error)) throw error
    throw new ExchangeError(error.code, `login clients file ${path}: ${error.reason}`, { detail: error.detail, cause: error })
  }
}
