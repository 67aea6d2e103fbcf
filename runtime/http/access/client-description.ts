/** A client as the security administrator registers it: identifier, public keys, rights, rate. Never a secret. */
import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK } from 'jose'
import { parseRights, type Rights } from '../../../schemas/access/subjects.ts'
import { ExchangeError } from '../../../schemas/errors.ts'

/** What a client may sign with, by its key; the key decides, never the header of what it signs. */
const CLIENT_KEYS: readonly {
  readonly kty: string
  readonly crv?: string
  readonly algorithms: readonly [string, ...string[]]
  readonly members: readonly string[]
}[] = [
  { kty: 'OKP', crv: 'Ed25519', algorithms: ['Ed25519', 'EdDSA'], members: ['crv', 'x'] },
  { kty: 'EC', crv: 'P-256', algorithms: ['ES256'], members: ['crv', 'x', 'y'] },
  { kty: 'RSA', algorithms: ['PS256'], members: ['n', 'e'] },
]
const RSA_MODULUS_CHARACTERS = Math.ceil((2048 / 8) * (4 / 3))

export type ClientKey = { readonly kid: string; readonly algorithms: readonly string[]; readonly key: CryptoKey; readonly jwk: JWK }
export type ClientDescription = Rights & {
  readonly id: string
  readonly name: string
  readonly keys: readonly ClientKey[]
  readonly perMinute: number
}

const MEMBERS = ['id', 'name', 'keys', 'roles', 'regions', 'sectors', 'platforms', 'per_minute']
const KEYS_MAX = 4
const PER_MINUTE = 600
const PER_MINUTE_MAX = 60_000

const invalid = (reason: string): ExchangeError => new ExchangeError('CLIENT_INVALID', reason)

async function parseKey(value: unknown): Promise<ClientKey> {
  const given = (typeof value === 'object' && value !== null ? value : {}) as { readonly [name: string]: unknown }
  if (given.d !== undefined) throw invalid('keys: a private key; it stays with the client, only its public half is registered')
  const row = CLIENT_KEYS.find(one => one.kty === given.kty && (one.crv === undefined || one.crv === given.crv))
  if (row === undefined) throw invalid('keys: expected JWKs of Ed25519, P-256 or RSA')
  const jwk = Object.fromEntries([['kty', row.kty], ...row.members.map(name => [name, given[name]])]) as JWK
  if (!row.members.every(name => typeof given[name] === 'string'))
    throw invalid(`keys: expected the members ${row.members.join(', ')}`)
  if (row.kty === 'RSA' && String(given.n).length < RSA_MODULUS_CHARACTERS)
    throw invalid('keys: expected at least 2048 bits of RSA')
  const key = await importJWK(jwk, row.algorithms[0]).catch((): null => null)
  if (key === null || key instanceof Uint8Array) throw invalid('keys: expected a usable public key')
  return { kid: await calculateJwkThumbprint(jwk), algorithms: row.algorithms, key, jwk }
}

/** @throws CLIENT_INVALID */
export async function parseClient(value: unknown): Promise<ClientDescription> {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as { readonly [name: string]: unknown }
  const { id, name = id, keys, per_minute: perMinute = PER_MINUTE } = fields
  const surplus = Object.keys(fields).find(member => !MEMBERS.includes(member))
  if (surplus !== undefined) throw invalid(`${JSON.stringify(surplus.slice(0, 64))} is none of ${MEMBERS.join(', ')}`)
  if (typeof id !== 'string' || !/^[a-z0-9][a-z0-9-]{1,62}$/.test(id) || id === 'operator')
    throw invalid('id: expected 2 to 63 lower-case letters, digits and hyphens')
  if (typeof name !== 'string' || name.length > 128 || /\p{Cc}/u.test(name)) throw invalid('name: expected at most 128 characters')
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > KEYS_MAX)
    throw invalid(`keys: expected 1 to ${KEYS_MAX} public JWKs`)
  if (!Number.isSafeInteger(perMinute) || Number(perMinute) < 1 || Number(perMinute) > PER_MINUTE_MAX)
    throw invalid(`per_minute: expected a whole number from 1 to ${PER_MINUTE_MAX}`)
  return { id, name, keys: await Promise.all(keys.map(parseKey)), perMinute: Number(perMinute), ...parseRights(fields) }
}

export const formatClient = ({ id, name, keys, perMinute, roles, regions, sectors, platforms }: ClientDescription) => ({
  id,
  name,
  keys: keys.map(({ kid, jwk }) => ({ ...jwk, kid })),
  roles,
  ...(regions === null ? {} : { regions }),
  ...(sectors === null ? {} : { sectors }),
  ...(platforms === null ? {} : { platforms }),
  per_minute: perMinute,
})
