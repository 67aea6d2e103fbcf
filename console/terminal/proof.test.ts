import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../schemas/digest.ts'
import type { LogHead } from '../../schemas/log.ts'
import { formatProof } from '../../schemas/proof.ts'
import { sealHead, sealReceipt } from '../../schemas/statements.ts'
import { createSigner, type Signer } from '../../schemas/tokens.ts'
import { runCommandLine } from './program.ts'

const LOG = { origin: '530000', dataset: 'entity', audience: 'all' }
const NOW = new Date('2026-11-01T00:00:00Z')

let home: string
let own: Signer
let hub: Signer
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'hutong-proof-'))
  const pairs = await Promise.all([0, 1].map(() => generateKeyPair('Ed25519', { extractable: true })))
  const [a, b] = await Promise.all(
    pairs.map(async ({ publicKey, privateKey }, index) => {
      const kid = `key-${index}`
      return { signer: createSigner(kid, 'Ed25519', privateKey), published: { kid, x: (await exportJWK(publicKey)).x } }
    }),
  )
  if (a === undefined || b === undefined) throw new Error('no keys')
  own = a.signer
  hub = b.signer
  const member = { code: '530000', kind: 'province', zh: '云南', en: 'Yunnan', writes: ['entity'], keys: [a.published] }
  const membership = { fed: 'demo-1', position: 0, hub: { keys: [b.published] }, members: [member] }
  await writeFile(join(home, 'membership.json'), JSON.stringify(membership))
})
afterAll(() => rm(home, { recursive: true, force: true }))

const at = (text: string): LogHead => ({ epoch: 1, seq: 3, digest: digestOf(text) })
const head = (text: string) =>
  sealHead('530000', 'all', [{ log: LOG, head: at(text) }], [], { fed: 'demo-1', mem: 0, signer: own, now: NOW })
const receipt = (text: string) => sealReceipt(LOG, at(text), { fed: 'demo-1', signer: hub, now: NOW })

async function verify(text: string): Promise<{ code: number; out: string; json: { readonly [name: string]: unknown } }> {
  const path = join(home, 'statements.proof')
  await writeFile(path, text)
  const run = async (...more: string[]) => {
    let out = ''
    const terminal = { out: { write: (piece: string) => (out += piece) }, err: { write: (piece: string) => (out += piece) } }
    return {
      code: await runCommandLine(['verify', path, '--membership', join(home, 'membership.json'), ...more], {}, terminal),
      out,
    }
  }
  const { code, out } = await run()
  return { code, out, json: JSON.parse((await run('--json')).out) as { readonly [name: string]: unknown } }
}

describe('hutong verify, of a proof', () => {
  test('ends with 0 where it holds, and says whose key signed and why it cannot be, in Chinese and English', async () => {
    const { code, out, json } = await verify(formatProof([await head('one'), await head('other')]))
    expect(code).toBe(0)
    expect(out).toContain('530000/entity/all：位置 1.3 有两个摘要')
    expect(out).toContain('530000/entity/all: two digests at 1.3')
    expect(out).toContain('530000, kid key-0')
    expect(out).toContain('✔ 证明成立')
    expect(json).toMatchObject({ kind: 'proof', valid: true, signer: '530000', log: LOG, code: null })
  })

  test('says of two receipts that the hub alone is convicted', async () => {
    const { code, out, json } = await verify(formatProof([await receipt('one'), await receipt('other')]))
    expect([code, json.signer]).toEqual([0, 'hub'])
    expect(out).toContain('the logs go on')
  })

  test('ends with 1 and a stable code where it does not hold, and says in which statement', async () => {
    const one = await head('one')
    const forged = `${one.slice(0, -20)}${one.at(-20) === 'A' ? 'B' : 'A'}${one.slice(-19)}`
    const { code, out, json } = await verify(formatProof([await head('other'), forged]))
    expect([code, json.code, json.at]).toEqual([1, 'TOKEN_SIGNATURE_INVALID', 2])
    expect(out).toContain('✘ 证明不成立')
    expect((await verify(formatProof([one, one]))).json).toMatchObject({ valid: false, code: 'PROOF_STATEMENTS_AGREE', at: null })
    expect((await verify(formatProof([one, await receipt('other')]))).json).toMatchObject({ code: 'PROOF_SIGNERS_DIFFER' })
    expect((await verify(`${formatProof([one, one])}more\n`)).json).toMatchObject({ code: 'PROOF_MALFORMED', at: null })
  })
})
