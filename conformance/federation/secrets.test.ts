import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readKeyFile } from '../../runtime/keys/key-file.ts'
import { parseMembership } from '../../schemas/membership.ts'
import { DEMO_MEMBERS } from './members.ts'
import { prepareSecrets } from './secrets.ts'

let home = ''
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'hutong-secrets-'))
})
afterAll(() => rm(home, { recursive: true }))

test('a federation is founded once and found again as it was', async () => {
  const first = await prepareSecrets(home, DEMO_MEMBERS)
  const text = await readFile(first.membershipFile, 'utf8')
  const password = await first.password('database-hub')
  const second = await prepareSecrets(home, DEMO_MEMBERS)
  expect(second.fed).toBe(first.fed)
  expect(await readFile(second.membershipFile, 'utf8')).toBe(text)
  expect(await second.password('database-hub')).toBe(password)
  expect(await second.password('database-530000')).not.toBe(password)
})

test('the membership names the keys that stand in the folder, and what is secret is the owner’s alone', async () => {
  const secrets = await prepareSecrets(home, DEMO_MEMBERS)
  const membership = await parseMembership(await readFile(secrets.membershipFile, 'utf8'))
  for (const { code } of DEMO_MEMBERS) {
    const { kid } = await readKeyFile(secrets.keyFile(code))
    expect(membership.members.get(code)?.keys.map(key => key.kid)).toEqual([kid])
    expect((await stat(secrets.operatorTokenFile(code))).mode & 0o777).toBe(0o600)
    expect((await readFile(secrets.operatorTokenFile(code), 'utf8')).trim()).toMatch(/^[\w-]{43}$/)
  }
})

test('a folder with another federation’s keys is refused', async () => {
  await prepareSecrets(home, DEMO_MEMBERS)
  await rm(join(home, 'keys'), { recursive: true })
  await expect(prepareSecrets(home, DEMO_MEMBERS)).rejects.toMatchObject({ code: 'MEMBERSHIP_FILE_INVALID' })
})
