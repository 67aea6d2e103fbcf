/** The other side of the token endpoint: a client with a private key that gets itself tokens and keeps each while it is good. */
import { readFile } from 'node:fs/promises'
import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK, SignJWT } from 'jose'
import { ExchangeError } from '../../../schemas/errors.ts'

export type ClientFile = {
  readonly id: string
  /** of the program that it speaks to: the audience of its assertions */
  readonly issuer: string
  /** private */
  readonly jwk: JWK
}

const ASSERTION_SECONDS = 60
/** A token is fetched anew this long before it ends. */
const MARGIN_MS = 30_000
const TIMEOUT_MS = 10_000

const asKey = async (jwk: JWK): Promise<CryptoKey> => {
  const key = await importJWK(jwk, 'Ed25519').catch((): null => null)
  if (key === null || key instanceof Uint8Array) throw new ExchangeError('KEY_FILE_INVALID', 'expected a private Ed25519 key')
  return key
}

/** @throws KEY_FILE_INVALID, which quotes nothing of the file */
export async function readClientFile(path: string): Promise<ClientFile> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new ExchangeError('KEY_FILE_INVALID', `${path}: the file cannot be read`, { cause })
  })
  let file: Partial<ClientFile> = {}
  try {
    file = JSON.parse(text) ?? {}
  } catch {
    // the message would quote the key
  }
  const { id, issuer, jwk } = file
  if (typeof id === 'string' && typeof issuer === 'string' && typeof jwk?.d === 'string') return { id, issuer, jwk }
  throw new ExchangeError('KEY_FILE_INVALID', `${path}: expected {id, issuer, jwk} with a private key`)
}

export async function signAssertion({ id, issuer, jwk }: ClientFile, now = new Date()): Promise<string> {
  const seconds = Math.floor(now.getTime() / 1000)
  return new SignJWT({})
    .setProtectedHeader({ alg: 'Ed25519', typ: 'JWT', kid: await calculateJwkThumbprint(jwk) })
    .setIssuer(id)
    .setSubject(id)
    .setAudience(issuer)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + ASSERTION_SECONDS)
    .setJti(crypto.randomUUID())
    .sign(await asKey(jwk))
}

/** @throws REQUEST_UNAUTHORIZED, PROGRAM_UNREACHABLE */
export async function requestToken(url: string, client: ClientFile): Promise<{ token: string; expiresAt: number }> {
  const asked = Date.now()
  const answer = await fetch(`${url}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await signAssertion(client),
    }),
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((cause: unknown) => {
    throw new ExchangeError('PROGRAM_UNREACHABLE', `${url} does not answer`, { cause })
  })
  const body = (await answer.json().catch((): null => null)) as { [name: string]: unknown } | null
  if (answer.status === 401) throw new ExchangeError('REQUEST_UNAUTHORIZED', `${url}: ${String(body?.error_description)}`)
  if (!answer.ok || typeof body?.access_token !== 'string')
    throw new ExchangeError('PROGRAM_UNREACHABLE', `${url}: expected an access token, got HTTP ${answer.status}`)
  return { token: body.access_token, expiresAt: asked + Number(body.expires_in) * 1000 }
}

/** Tokens as they are needed. `forget` after a 401: a restarted program knows none of those it gave out. */
export function createTokenSource(url: string, client: ClientFile): { token(): Promise<string>; forget(): void } {
  let held: Promise<{ token: string; expiresAt: number }> | null = null
  return {
    async token() {
      const last = await held?.catch((): null => null)
      if (last == null || last.expiresAt - MARGIN_MS < Date.now()) held = requestToken(url, client)
      return (await (held as NonNullable<typeof held>)).token
    },
    forget() {
      held = null
    },
  }
}
