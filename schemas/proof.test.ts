import { exportJWK, generateKeyPair } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from './digest.ts'
import { type SealedEntry, sealEnvelope, sealOpening } from './envelope.ts'
import { isExchangeError } from './errors.ts'
import type { LogHead, LogId } from './log.ts'
import { type Membership, parseMembership } from './membership.ts'
import { formatProof, isProofFile, openProof, parseProof, proofIdentity } from './proof.ts'
import type { ExchangeRecord } from './record.ts'
import { sealHead, sealReceipt } from './statements.ts'
import { createSigner, type Signer } from './tokens.ts'

const LOG: LogId = { origin: '530000', dataset: 'entity', audience: 'all' }
const OTHER: LogId = { ...LOG, dataset: 'trade' }
const NOW = new Date('2026-11-01T00:00:00Z')
const SALT = 'AAAAAAAAAAAAAAAAAAAAAA'

let membership: Membership
let own: Signer
let neighbour: Signer
let hub: Signer
let stranger: Signer
let opening: SealedEntry
let first: SealedEntry
let second: SealedEntry

const keyPair = async (kid: string) => {
  const { publicKey, privateKey } = await generateKeyPair('Ed25519', { extractable: true })
  const { x = '' } = await exportJWK(publicKey)
  return { signer: createSigner(kid, 'Ed25519', privateKey), published: { kid, x } }
}
const contextOf = (signer: Signer, fed = 'demo-1') => ({ fed, mem: 0, signer, now: NOW })
const record = (key: string): ExchangeRecord => ({
  ...{ key, op: 'retract', why: 'withdrawn', ver: 2 },
  ...{ at: '2026-11-01T08:00:00+08:00', platform: '530000-01' },
})
const seal = (log: LogId, before: LogHead, key: string, signer = own, fed = 'demo-1'): Promise<SealedEntry> =>
  sealEnvelope(log, before, [record(key)], { ...contextOf(signer, fed), salt: SALT })
const head = (log: LogId, at: LogHead, signer = own) =>
  sealHead(log.origin, log.audience, [{ log, head: at }], [], contextOf(signer))
const receipt = (log: LogId, at: LogHead, fed = 'demo-1') => sealReceipt(log, at, contextOf(hub, fed))
const at = (seq: number, text: string): LogHead => ({ epoch: 1, seq, digest: digestOf(text) })

beforeAll(async () => {
  const [a, b, c, d] = await Promise.all([keyPair('own'), keyPair('neighbour'), keyPair('hub'), keyPair('own')])
  own = a.signer
  neighbour = b.signer
  hub = c.signer
  stranger = d.signer
  const member = (code: string, keys: object[]) => ({
    code,
    kind: 'province',
    zh: code,
    en: code,
    writes: ['entity', 'trade'],
    keys,
  })
  const members = [member('530000', [a.published]), member('520000', [b.published])]
  membership = await parseMembership(JSON.stringify({ fed: 'demo-1', position: 0, hub: { keys: [c.published] }, members }))
  opening = await sealOpening(LOG, 1, null, contextOf(own))
  first = await seal(LOG, opening, 'A')
  second = await seal(LOG, first, 'B')
})

const codeOf = async (statements: readonly [string, string]): Promise<string> => {
  try {
    await openProof(statements, membership)
    return 'holds'
  } catch (error) {
    return isExchangeError(error) ? error.code : String(error)
  }
}

describe('a proof holds', () => {
  type Pair = readonly [string, string]
  test.each<[string, string, string, () => Promise<Pair>]>([
    [
      'two entries at one position',
      '530000',
      'two digests at 1.1',
      async () => [first.token, (await seal(LOG, opening, 'X')).token],
    ],
    [
      'two openings of one log',
      '530000',
      'two digests at 1.0',
      async () => [opening.token, (await sealOpening(LOG, 1, null, { ...contextOf(own), now: new Date(0) })).token],
    ],
    [
      'an entry that follows another past',
      '530000',
      'two digests at 1.1',
      async () => [first.token, (await seal(LOG, at(1, 'another past'), 'X')).token],
    ],
    [
      'an opening that closes the epoch before an entry of it',
      '530000',
      'ends at 1.1 and goes on to 1.2',
      async () => [second.token, (await sealOpening(LOG, 2, first, contextOf(own))).token],
    ],
    ['a head and an entry', '530000', 'two digests at 1.1', async () => [await head(LOG, at(1, 'no such entry')), first.token]],
    ['two heads', '530000', 'two digests at 1.7', async () => [await head(LOG, at(7, 'one')), await head(LOG, at(7, 'other'))]],
    [
      'two receipts, which convict the hub',
      'hub',
      'two digests at 1.1',
      async () => [await receipt(LOG, first), await receipt(LOG, at(1, 'x'))],
    ],
  ])('in %s, and says whose and why in both languages', async (_, signer, reason, make) => {
    const [a, b] = await make()
    for (const statements of [[a, b] as const, [b, a] as const]) {
      const proven = await openProof(parseProof(Buffer.from(formatProof(statements))), membership)
      expect(proven).toMatchObject({ signer, contradiction: { log: LOG } })
      expect(proven.reason.en).toContain(reason)
      expect(proven.reason.zh).toMatch(/^530000\/entity\/all：.*(摘要|止于)/)
    }
  })
})

describe('a proof is refused', () => {
  test.each<[string, string, () => Promise<readonly [string, string]>]>([
    ['of two statements that agree', 'PROOF_STATEMENTS_AGREE', async () => [first.token, second.token]],
    ['of one statement twice', 'PROOF_STATEMENTS_AGREE', async () => [first.token, first.token]],
    ['of a head and the entry that it names', 'PROOF_STATEMENTS_AGREE', async () => [await head(LOG, first), first.token]],
    ['of different logs', 'PROOF_LOGS_DIFFER', async () => [await head(LOG, at(1, 'one')), await head(OTHER, at(1, 'other'))]],
    [
      'of different signers: a hub that receipts what an origin did not sign convicts itself only against itself',
      'PROOF_SIGNERS_DIFFER',
      async () => [first.token, await receipt(LOG, at(1, 'x'))],
    ],
    [
      'of different members',
      'PROOF_SIGNERS_DIFFER',
      async () => [await head(LOG, at(1, 'x')), await head({ ...LOG, origin: '520000' }, at(1, 'y'), neighbour)],
    ],
    [
      'with an entry signed by a neighbour',
      'KEY_UNKNOWN',
      async () => [first.token, (await seal(LOG, opening, 'X', neighbour)).token],
    ],
    [
      'with an entry under a foreign key of the same name',
      'TOKEN_SIGNATURE_INVALID',
      async () => [first.token, (await seal(LOG, opening, 'X', stranger)).token],
    ],
    [
      'with an entry of another federation',
      'FEDERATION_FOREIGN',
      async () => [first.token, (await seal(LOG, opening, 'X', own, 'demo-2')).token],
    ],
    [
      'with a receipt of another federation',
      'FEDERATION_FOREIGN',
      async () => [await receipt(LOG, first), await receipt(LOG, at(1, 'x'), 'demo-2')],
    ],
    ['with what is no statement about a log', 'PROOF_MALFORMED', async () => [first.token, 'a.b.c']],
  ])('%s', async (_, code, make) => {
    const [a, b] = await make()
    expect(await codeOf([a, b])).toBe(code)
    expect(await codeOf([b, a])).toBe(code)
  })

  test('with any one character of either token changed', async () => {
    const forged = (await seal(LOG, opening, 'X')).token
    for (const index of [5, forged.indexOf('.') + 30, forged.length - 40]) {
      const changed = `${forged.slice(0, index)}${forged[index] === 'A' ? 'B' : 'A'}${forged.slice(index + 1)}`
      expect(await codeOf([first.token, changed])).not.toBe('holds')
    }
  })
})

describe('a proof file', () => {
  test('is told from others by its first line, and is one whichever statement stands first', () => {
    expect(isProofFile(Buffer.from(formatProof(['a', 'b'])))).toBe(true)
    expect(isProofFile(Buffer.from(`${first.token}\n{}`))).toBe(false)
    expect(proofIdentity(['a', 'b'])).toBe(proofIdentity(['b', 'a']))
  })

  test.each([
    ['one statement', 'hutong-proof/1\na\n'],
    ['three statements', 'hutong-proof/1\na\nb\nc\n'],
    ['another version', 'hutong-proof/2\na\nb\n'],
    ['nothing', ''],
    ['more than two tokens can be', `hutong-proof/1\n${'a'.repeat(600_000)}\nb\n`],
  ])('of %s is malformed', (_, text) => {
    expect(() => parseProof(Buffer.from(text))).toThrow(
      expect.toSatisfy(error => isExchangeError(error) && error.code === 'PROOF_MALFORMED'),
    )
  })
})
