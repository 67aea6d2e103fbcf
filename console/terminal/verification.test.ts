import fc from 'fast-check'
import { exportJWK, generateKeyPair } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { formatEnvelopeFile } from '../../schemas/bundle.ts'
import { type SealedEntry, sealEnvelope, sealOpening } from '../../schemas/envelope.ts'
import type { LogId } from '../../schemas/log.ts'
import { type Membership, parseMembership } from '../../schemas/membership.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'
import { sealHead, sealReceipt } from '../../schemas/statements.ts'
import { createSigner, type Signer } from '../../schemas/tokens.ts'
import { type Check, verifyFile } from './verification.ts'
import { formatVerification } from './verify.ts'

const LOG: LogId = { origin: '530000', dataset: 'entity', audience: 'all' }
const NOW = new Date('2026-01-01T00:00:00Z')
/** Taken back, so that the batch is right whatever the dataset's schema asks of a body. */
const RECORD: ExchangeRecord = {
  key: '91530000',
  op: 'retract',
  why: 'withdrawn',
  ver: 2,
  at: '2026-01-01T08:00:00+08:00',
  platform: '530000',
}

let membership: Membership
let member: Signer
let hub: Signer
let stranger: Signer
let opening: SealedEntry
let envelope: SealedEntry

const keyPair = async (kid: string): Promise<{ signer: Signer; published: { kid: string; x: string } }> => {
  const { publicKey, privateKey } = await generateKeyPair('Ed25519', { extractable: true })
  const { x = '' } = await exportJWK(publicKey)
  return { signer: createSigner(kid, 'Ed25519', privateKey), published: { kid, x } }
}
const contextOf = (signer: Signer) => ({ fed: 'demo-1', mem: 0, signer, now: NOW })
const seal = (log: LogId, signer: Signer, records: readonly ExchangeRecord[] = [RECORD]): Promise<SealedEntry> =>
  sealEnvelope(log, opening, records, { ...contextOf(signer), salt: 'AAAAAAAAAAAAAAAAAAAAAA' })
const fileOf = ({ token, body }: SealedEntry): Buffer => formatEnvelopeFile({ token, body: body ?? new Uint8Array() })

beforeAll(async () => {
  const [own, central, foreign] = await Promise.all([keyPair('own'), keyPair('hub'), keyPair('own')])
  member = own.signer
  hub = central.signer
  stranger = foreign.signer
  membership = await parseMembership(
    JSON.stringify({
      fed: 'demo-1',
      position: 0,
      hub: { keys: [central.published] },
      members: [{ code: '530000', kind: 'province', zh: '云南', en: 'Yunnan', writes: ['entity'], keys: [own.published] }],
    }),
  )
  opening = await sealOpening(LOG, 1, null, contextOf(member))
  envelope = await seal(LOG, member)
})

const verdicts = (checks: readonly Check[]): string => checks.map(({ id, verdict, code }) => `${id} ${code ?? verdict}`).join(', ')

describe('an envelope file', () => {
  test('passes every check but the chain, which needs a log', async () => {
    const { valid, checks, says } = await verifyFile(fileOf(envelope), membership)
    expect(verdicts(checks)).toBe(
      'form passed, member passed, signature passed, allowed passed, chain unchecked, digest passed, records passed',
    )
    expect({ valid, says }).toEqual({ valid: true, says: '530000/entity/all 1.1' })
  })

  test('is refused by a holder of another federation', async () => {
    const { valid, checks } = await verifyFile(fileOf(envelope), { ...membership, fed: 'demo-2' })
    expect(valid).toBe(false)
    expect(verdicts(checks)).toMatch(/^form passed, member FEDERATION_FOREIGN, signature unchecked, .* records unchecked$/)
  })

  test('is refused under a foreign key of the same name', async () => {
    const { valid, checks } = await verifyFile(fileOf(await seal(LOG, stranger)), membership)
    expect(valid).toBe(false)
    expect(verdicts(checks)).toMatch(/^form passed, member passed, signature TOKEN_SIGNATURE_INVALID, allowed unchecked/)
  })

  test('is refused where the origin may not write the dataset', async () => {
    const { valid, checks } = await verifyFile(fileOf(await seal({ ...LOG, dataset: 'trade' }, member)), membership)
    expect(valid).toBe(false)
    expect(verdicts(checks)).toMatch(/signature passed, allowed DATASET_NOT_ALLOWED, chain unchecked, digest unchecked/)
  })

  test('is refused with the place of a record that does not match its schema', async () => {
    const bad = { ...RECORD, ver: 0 }
    const { valid, checks } = await verifyFile(fileOf(await seal(LOG, member, [RECORD, bad])), membership)
    expect(valid).toBe(false)
    expect(checks.at(-1)).toMatchObject({ id: 'records', code: 'RECORD_SCHEMA_INVALID', note: expect.stringContaining('record 1') })
  })

  test('is refused with another body, and its records are not reached', async () => {
    const other = await seal(LOG, member, [{ ...RECORD, ver: 3 }])
    const { checks } = await verifyFile(fileOf({ ...envelope, body: other.body }), membership)
    expect(verdicts(checks)).toMatch(/digest BODY_DIGEST_MISMATCH, records unchecked$/)
  })

  test('is refused after a change of any byte of token, line feed or body', async () => {
    const bytes = fileOf(envelope)
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(change, async ([place, by]) => {
        const changed = Buffer.from(bytes)
        changed[place] = (changed[place] ?? 0) ^ by
        return !(await verifyFile(changed, membership)).valid
      }),
      { numRuns: 400 },
    )
  })
})

describe('a token alone', () => {
  test.each(['', '\n'])('is verified without its body, which counts as unchecked (end of line %j)', async end => {
    const { valid, checks } = await verifyFile(Buffer.from(envelope.token + end), membership)
    expect(valid).toBe(true)
    expect(verdicts(checks)).toMatch(/allowed passed, chain unchecked, digest unchecked, records unchecked$/)
  })

  test('that opens an epoch has no body', async () => {
    expect(await verifyFile(fileOf(opening), membership)).toMatchObject({
      kind: 'epoch',
      valid: true,
      says: '530000/entity/all 1.0',
    })
    const { valid, checks } = await verifyFile(fileOf({ ...opening, body: Buffer.from('x') }), membership)
    expect({ valid, last: checks.at(-1)?.code }).toEqual({ valid: false, last: 'BODY_MALFORMED' })
  })

  test('that is a receipt counts under the hub’s key only', async () => {
    const genuine = await sealReceipt(LOG, envelope, contextOf(hub))
    expect(await verifyFile(Buffer.from(genuine), membership)).toMatchObject({ kind: 'receipt', valid: true })
    const forged = await verifyFile(Buffer.from(await sealReceipt(LOG, envelope, contextOf(member))), membership)
    expect(verdicts(forged.checks)).toBe('form passed, member KEY_UNKNOWN, signature unchecked')
  })

  test('that is a head is verified with its origin’s key', async () => {
    const token = await sealHead('530000', 'all', [{ log: LOG, head: envelope }], [], contextOf(member))
    expect(await verifyFile(Buffer.from(token), membership)).toMatchObject({ kind: 'head', valid: true })
    expect((await verifyFile(Buffer.from(`${token}\nmore`), membership)).valid).toBe(false)
  })

  test.each(['', '\n', 'no token', '{}', 'a.b.c'])('that is none is refused in its form: %j', async text => {
    const { valid, checks } = await verifyFile(Buffer.from(text), membership)
    expect({ valid, first: checks[0]?.verdict }).toEqual({ valid: false, first: 'failed' })
  })
})

test('a verdict is printed in both languages, and the chain never as passed', async () => {
  const text = formatVerification('e.hutong', await verifyFile(fileOf(envelope), membership))
  expect(text).toContain('– 链上位置 chain position')
  expect(text).toContain('✔ 签名 signature')
  const refused = formatVerification('e', await verifyFile(fileOf(envelope), { ...membership, fed: 'demo-2' }))
  expect(refused).toContain('令牌属于其他联盟。 The token belongs to another federation.')
})
