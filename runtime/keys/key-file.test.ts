import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FlattenedSign } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { algorithmOfKey } from '../../schemas/algorithms.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { createKeyFile, readKeyFile, signerOf } from './key-file.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hutong-key-'))
})
afterAll(() => rm(folder, { recursive: true }))

// RFC 8037 appendix A.1 to A.3: a key, and its thumbprint
const KEY = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
}
const THUMBPRINT = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'

const written = async (name: string, content: unknown, mode = 0o600): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content), { mode })
  await chmod(path, mode)
  return path
}

const refusal = async (work: Promise<unknown>): Promise<string> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!isExchangeError(error) || error.code !== 'KEY_FILE_INVALID') throw new Error('expected KEY_FILE_INVALID', { cause: error })
  const shown = JSON.stringify([error.message, error.reason, error.detail, String(error.cause)])
  expect(shown).not.toContain(KEY.d)
  return error.reason.slice(error.reason.indexOf(': ') + 2)
}

test('names the key of RFC 8037 by the thumbprint that the RFC gives', async () => {
  const { kid, publicJwk } = await readKeyFile(await written('rfc.jwk', KEY))
  expect(kid).toBe(THUMBPRINT)
  expect(publicJwk).toEqual({ kty: 'OKP', crv: 'Ed25519', x: KEY.x, kid: THUMBPRINT })
})

test('creates a key that others cannot read, that signs, and whose private half cannot be taken out', async () => {
  const path = join(folder, 'new.jwk')
  const { privateKey, publicJwk, kid } = await createKeyFile(path)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readKeyFile(path)).toMatchObject({ kid, publicJwk })
  if (!('extractable' in privateKey)) throw new Error('expected a key that the platform holds')
  expect(privateKey.extractable).toBe(false)
  const jws = await new FlattenedSign(Buffer.from('x')).setProtectedHeader({ alg: 'Ed25519' }).sign(privateKey)
  const key = createPublicKey({ key: { ...publicJwk }, format: 'jwk' })
  expect(verify(null, Buffer.from(`${jws.protected}.${jws.payload}`), key, Buffer.from(jws.signature, 'base64url'))).toBe(true)
})

test('creates an SM2 key whose signatures verify by its public half', async () => {
  const key = await createKeyFile(join(folder, 'sm2.jwk'), { alg: 'SM2' })
  const row = algorithmOfKey(key.publicJwk)
  expect([key.alg, row.digest]).toEqual(['SM2', 'sm3'])
  const compact = await signerOf(key).sign('head', { fed: 'test' })
  expect(await row.verify(compact, 'SM2', await row.importPublic(key.publicJwk))).toBe(true)
})

test('keeps a key under a passphrase: nothing of it can be read without, and another passphrase does not open it', async () => {
  const path = join(folder, 'sealed.jwe')
  const { kid, publicJwk } = await createKeyFile(path, { passphrase: '正确的口令 correct' })
  const text = await readFile(path, 'utf8')
  expect(text).not.toContain(publicJwk.x)
  expect(text).not.toContain(kid)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readKeyFile(path, '正确的口令 correct')).toMatchObject({ kid, publicJwk })
  expect(await refusal(readKeyFile(path, 'wrong'))).toBe('the passphrase does not open it, or the file is damaged')
  expect(await refusal(readKeyFile(path))).toBe('the key is under a passphrase, and none is configured')
})

test('never replaces a file, and leaves no draft behind', async () => {
  await mkdir(join(folder, 'sub'))
  const path = await written('sub/taken.jwk', 'precious')
  expect(await refusal(createKeyFile(path))).toBe('a file of this name exists already')
  expect(await readFile(path, 'utf8')).toBe('precious')
  expect(await readdir(join(folder, 'sub'))).toEqual(['taken.jwk'])
  expect(await refusal(createKeyFile(join(folder, 'absent', 'a.jwk')))).toBe('the file cannot be written')
})

test.each([0o640, 0o604, 0o620, 0o601])('refuses a file of mode %o', async mode => {
  expect(await refusal(readKeyFile(await written(`mode-${mode}.jwk`, KEY, mode)))).toContain('lets others in')
})

const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })

test.each([
  ['not JSON', `{"d":"${KEY.d}",`, 'expected one JSON object, a JWK'],
  ['a list', [KEY], 'expected one JSON object, a JWK'],
  ['another key type', { ...KEY, kty: 'EC' }, 'expected kty OKP and crv Ed25519 (RFC 8037), or kty EC and crv SM2'],
  ['another curve', { ...KEY, crv: 'X25519' }, 'expected kty OKP and crv Ed25519 (RFC 8037), or kty EC and crv SM2'],
  ['another algorithm', { ...KEY, alg: 'ES256' }, 'alg is for another algorithm than Ed25519'],
  ['a public key', { ...KEY, d: undefined }, 'a public key; the private member d is missing'],
  ['a short private half', { ...KEY, d: 'AAAA' }, 'd is not 32 bytes in base64url'],
  ['a second spelling of the same bytes', { ...KEY, x: KEY.x.replace(/o$/, 'p') }, 'x is not 32 bytes in base64url'],
  ['halves of two keys', { ...KEY, x: other.x }, 'x does not belong to d'],
  ['a name that is not its own', { ...KEY, kid: 'hub-1' }, 'kid is not the thumbprint of the key (RFC 7638)'],
  ['too much', { ...KEY, note: 'x'.repeat(5000) }, 'larger than 4096 bytes'],
])('refuses %s', async (name, content, reason) => {
  expect(await refusal(readKeyFile(await written(`${name}.jwk`, content)))).toBe(reason)
})

test('refuses what is not there, and what is not a file', async () => {
  expect(await refusal(readKeyFile(join(folder, 'nowhere.jwk')))).toBe('the file cannot be opened')
  expect(await refusal(readKeyFile(folder))).toBe('not a regular file')
})
