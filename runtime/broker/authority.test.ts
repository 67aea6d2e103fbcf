import { mkdtempDisposable, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Account, decode, type User } from '@nats-io/jwt'
import { createUser, fromSeed } from '@nats-io/nkeys'
import { expect, test } from 'vitest'
import { isExchangeError } from '../../schemas/errors.ts'
import { type Authority, foundAuthority, openAuthority } from './authority.ts'
import { acceptToken, prepareCredentials, readBrokerCredentials, readHubCredentials } from './credentials.ts'

const MEMBERS = ['530000', '520000'].map(code => ({ code, audiences: ['all', `node-${code}`] }))
const key = (): string => createUser().getPublicKey()

async function founded() {
  const folder = await mkdtempDisposable(join(tmpdir(), 'hutong-authority-'))
  const path = join(folder.path, 'authority.json')
  const root = join(folder.path, 'operator.seed')
  return { folder, path, root, authority: await foundAuthority(path, root, 'test'), [Symbol.asyncDispose]: () => folder.remove() }
}
const tokenOf = async (authority: Authority, name: string): Promise<string> =>
  (await authority.claims(MEMBERS)).find(claim => claim.name === name)?.token ?? ''

test('the authority is founded once, in files of its owner, and the root key is in none but its own', async () => {
  await using place = await founded()
  for (const path of [place.path, place.root]) expect((await stat(path)).mode & 0o777).toBe(0o600)
  const root = (await readFile(place.root, 'utf8')).trim()
  expect(await readFile(place.path, 'utf8')).not.toContain(root)
  expect(decode(place.authority.operatorToken).iss).toBe(fromSeed(new TextEncoder().encode(root)).getPublicKey())
  await expect(foundAuthority(place.path, place.root, 'test')).rejects.toMatchObject({ code: 'KEY_FILE_INVALID' })
})

test('an authority that is opened again says the same of the same members', async () => {
  await using place = await founded()
  const accounts = async (authority: Authority) => (await authority.claims(MEMBERS)).map(({ name, account }) => [name, account])
  const first = await accounts(place.authority)
  expect(first.map(([name]) => name)).toEqual(['530000', '520000', 'hub'])
  expect(await accounts(await openAuthority(place.path))).toEqual(first)
})

test('claims that did not change are the same token, so that nothing is pushed for nothing', async () => {
  await using place = await founded()
  const before = await tokenOf(place.authority, '530000')
  expect(await tokenOf(place.authority, '530000')).toBe(before)
  await place.authority.revoke('530000', key())
  expect(await tokenOf(place.authority, '530000')).not.toBe(before)
})

test('what is revoked is revoked for ever, at the next start too, and never admitted again', async () => {
  await using place = await founded()
  const lost = key()
  await place.authority.admit('530000', lost)
  await place.authority.revoke('530000', lost)
  const again = await openAuthority(place.path)
  const claims = decode<Account>(await tokenOf(again, '530000'))
  expect(claims.nats.revocations?.[lost]).toBeGreaterThan(Date.parse('9999-12-31') / 1000)
  await expect(again.admit('530000', lost)).rejects.toMatchObject({ code: 'KEY_OUT_OF_RANGE' })
})

test('a member’s account has limits, imports nothing of another’s, and no JetStream', async () => {
  await using place = await founded()
  const { nats } = decode<Account>(await tokenOf(place.authority, '530000'))
  expect(nats.limits).toMatchObject({ conn: 16, leaf: 0, payload: 1_048_576, subs: 2048, disallow_bearer: true })
  expect(nats.limits).not.toHaveProperty('disk_storage')
  for (const { subject, local_subject = subject } of nats.imports ?? []) {
    expect(subject).toMatch(/530000|^heard\.\*\.all$/)
    expect(local_subject).not.toMatch(/520000/)
  }
  expect(nats.exports?.map(({ subject }) => subject)).toEqual(['asked.530000.*.*'])
})

test('two changes at once are both kept', async () => {
  await using place = await founded()
  const keys = [key(), key(), key()]
  await Promise.all([...keys.map(one => place.authority.revoke('530000', one)), place.authority.rotate('520000')])
  const { nats } = decode<Account>(await tokenOf(await openAuthority(place.path), '530000'))
  expect(Object.keys(nats.revocations ?? {}).sort()).toEqual([...keys].sort())
})

test('a program’s seed is made by the program, stays in its file, and the token is accepted for that key alone', async () => {
  await using place = await founded()
  const path = join(place.folder.path, 'broker-530000.json')
  const { key: made } = await prepareCredentials(path)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await prepareCredentials(path)).key).toBe(made)
  await expect(readBrokerCredentials(path)).rejects.toThrow('not admitted')
  await expect(acceptToken(path, await place.authority.admit('530000', key()))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(acceptToken(path, 'a.b.c')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  const token = await place.authority.admit('530000', made)
  expect(token.length).toBeLessThan(1024)
  await acceptToken(path, token)
  const credentials = await readBrokerCredentials(path)
  expect(credentials.jwt).toBe(token)
  expect(decode<User>(token)).toMatchObject({ sub: made, nats: { type: 'user', allowed_connection_types: ['STANDARD'] } })
  expect(await readFile(place.path, 'utf8')).not.toContain(credentials.seed)
})

test('a hub needs no credentials beside the authority, and has none without either', async () => {
  await using place = await founded()
  expect(await readHubCredentials(undefined, null)).toBeNull()
  const { jwt } = (await readHubCredentials(undefined, place.authority)) ?? { jwt: '' }
  const hub = (await place.authority.claims(MEMBERS)).find(({ name }) => name === 'hub')
  expect(decode<User>(jwt).nats.issuer_account).toBe(hub?.account)
})

test.each(['{}', 'x', '{"fed":"test"}', '[]'])(
  'a file that is no authority is refused, and nothing of it is quoted: %j',
  async text => {
    await using place = await founded()
    const path = join(place.folder.path, 'other.json')
    await writeFile(path, text, { mode: 0o600 })
    await expect(openAuthority(path)).rejects.toSatisfy(
      error => isExchangeError(error) && error.code === 'KEY_FILE_INVALID' && error.cause === undefined,
    )
  },
)

test('a key that is not a user’s is refused', async () => {
  await using place = await founded()
  for (const wrong of ['', 'UNONSENSE', (await place.authority.system()).account])
    await expect(place.authority.admit('530000', wrong)).rejects.toMatchObject({ code: 'KEY_FILE_INVALID' })
})
