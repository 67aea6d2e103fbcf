import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { verificationKey } from '../../schemas/membership/keys.ts'
import type { MemberKey } from '../../schemas/membership.ts'
import { startAgent } from '../keys/agent.ts'
import { createKeyFile } from '../keys/key-file.ts'
import { type HeldKey, openKeyring } from './keyring.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hutong-keyring-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const registered = async ({ jwk }: HeldKey, since: number | null, retired = false): Promise<MemberKey> => ({
  kid: jwk.kid,
  ...(await verificationKey(jwk)),
  since,
  closings: retired ? new Map() : null,
  stolen: false,
})

test('the newest active key signs: neither one that is only announced, nor one that is retired, nor one that is not here', async () => {
  const keyring = await openKeyring({ folder: join(folder, 'a'), passphrase: null })
  const [old, current, announced] = [await keyring.create(), await keyring.create(), await keyring.create()]
  const elsewhere = await (await openKeyring({ folder: join(folder, 'b'), passphrase: null })).create()
  const keys = [
    await registered(old, 2, true),
    await registered(current, 5),
    await registered(announced, null),
    await registered(elsewhere, 9),
  ]
  expect(keyring.active(keys).kid).toBe(current.jwk.kid)
  expect(() => keyring.active(keys.filter(({ kid }) => kid !== current.jwk.kid))).toThrow('KEY_UNKNOWN')
})

test('keys are found again in the folder, under their passphrase', async () => {
  const first = await openKeyring({ folder: join(folder, 'c'), passphrase: 'correct' })
  const made = await first.create()
  const again = await openKeyring({ folder: join(folder, 'c'), passphrase: 'correct' })
  expect(again.all().map(({ jwk }) => jwk)).toEqual([made.jwk])
  await expect(openKeyring({ folder: join(folder, 'c'), passphrase: null })).rejects.toMatchObject({ code: 'KEY_FILE_INVALID' })
})

test('a key that a signing agent holds signs without being here', async () => {
  const key = await createKeyFile(join(folder, 'agent.jwk.json'))
  const socketPath = join(folder, 'agent', 'socket')
  await using _agent = await startAgent({
    socketPath,
    issuer: '530000',
    keys: [key],
    make: null,
    events: { created() {}, signed() {}, refused() {} },
  })
  const keyring = await openKeyring({ folder: join(folder, 'd'), passphrase: null, agentSocket: socketPath })
  expect(keyring.all().map(({ jwk }) => jwk.kid)).toEqual([key.kid])
  const token = await keyring.named(key.kid)?.signer.sign('head', { iss: '530000' })
  expect(token?.split('.')).toHaveLength(3)
})
