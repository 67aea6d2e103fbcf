/** What is said to a restricted audience, as it stands on the wire. */
import { exportJWK, generateKeyPair } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  createContentKey,
  encryptBody,
  generateEncryptionKey,
  importUnwrappingKey,
  openSealedBody,
  READERS_MAX,
  sealedFault,
  unwrapContentKey,
  type WrappedKey,
  wrapContentKey,
} from './content-key.ts'
import { digestOf } from './digest.ts'
import { cutBatch, formatBody, sealEnvelope, sealOpening } from './envelope.ts'
import type { EnvelopeClaims } from './generated/envelope.ts'
import type { EpochClaims } from './generated/epoch.ts'
import { LIMITS } from './limits.ts'
import { readersChangedAt } from './membership/content-keys.ts'
import { type Membership, parseMembership } from './membership.ts'
import { openBytes, openToken } from './opening.ts'
import type { ExchangeRecord } from './record.ts'
import { createSigner, parseToken, type Signer } from './tokens.ts'

const LOG = { origin: '530000', dataset: 'entity', audience: 'national' }
const SALT = 'AAAAAAAAAAAAAAAAAAAAAA'
const record = (key: string, text = ''): ExchangeRecord => ({
  ...{ key, op: 'retract', why: 'withdrawn', ver: 2, at: `2026-11-01T08:00:00+08:00`, platform: `530000-01${text}` },
})

let membership: Membership
let signer: Signer
const context = () => ({ fed: 'demo-1', mem: 0, signer, now: new Date(0) })
beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('Ed25519', { extractable: true })
  const { x = '' } = await exportJWK(publicKey)
  signer = createSigner('own', 'Ed25519', privateKey)
  const keys = [{ kid: 'own', x }]
  const member = (code: string, kind: string) => ({
    code,
    kind,
    zh: '某',
    en: 'Some',
    writes: kind === 'national' ? [] : ['entity', 'supervision'],
    keys,
  })
  const members = [member('530000', 'province'), member('000000', 'national')]
  membership = await parseMembership(JSON.stringify({ fed: 'demo-1', position: 0, hub: { keys }, members }))
})

async function readerNamed(code: string) {
  const { d, ...jwk } = await generateEncryptionKey()
  const kid = `${code}${'k'.repeat(43 - code.length)}`
  return { reader: { code, enc: { ...jwk, kid } }, key: await importUnwrappingKey({ ...jwk, d }) }
}

describe('the opening of a restricted log', () => {
  it.each([1, 2, READERS_MAX])('carries its content key for %i readers, within its limit, to each of them', async count => {
    const all = await Promise.all(Array.from({ length: count }, (_, index) => readerNamed(String(530_000 + index))))
    const contentKey = createContentKey()
    const readers = all.map(({ reader }) => reader)
    const keys = { wrapped: await wrapContentKey(contentKey, readers), past: [] }
    const { token } = await sealOpening(LOG, 1, null, context(), null, keys)
    expect(token.length).toBeLessThan(LIMITS.epochTokenBytes)
    expect(await openToken('epoch', token, membership, LOG)).toMatchObject({ refusal: null, claims: null })
    const { cek } = parseToken(token, 'epoch').claims as EpochClaims
    for (const { reader, key } of [all.at(0), all.at(-1)].flatMap(one => one ?? []))
      expect(await unwrapContentKey(cek as WrappedKey, reader.enc.kid, key)).toEqual(new Uint8Array(contentKey))
  })

  it('is the only kind there is of a dataset that is for named members: one for everybody is refused, wherever it arrives', async () => {
    const log = { origin: '530000', dataset: 'supervision', audience: 'all' }
    const { token } = await sealOpening(log, 1, null, context(), null)
    const opened = await openToken('epoch', token, membership, log)
    expect(opened.refusal).toMatchObject({ code: 'AUDIENCE_NOT_ALLOWED' })
  })

  it('gives earlier keys to those who may have them', async () => {
    const { reader, key } = await readerNamed('000000')
    const other = await readerNamed('530000')
    const earlier = createContentKey()
    const wrapped = await wrapContentKey(createContentKey(), [reader, other.reader])
    const past = [{ epoch: 1, wrapped: await wrapContentKey(earlier, [reader, other.reader]) }]
    const closing = { epoch: 1, seq: 3, digest: digestOf('x') }
    const { token } = await sealOpening(LOG, 2, closing, context(), null, { wrapped, past })
    await openToken('epoch', token, membership, LOG)
    const [first] = (parseToken(token, 'epoch').claims as EpochClaims).past ?? []
    expect(first?.ep).toBe(1)
    expect(await unwrapContentKey(first?.cek as WrappedKey, reader.enc.kid, key)).toEqual(new Uint8Array(earlier))
  })

  it('is not sealed over its limit: the broker takes no larger header', async () => {
    const many = await Promise.all(Array.from({ length: READERS_MAX }, async () => (await readerNamed('530000')).reader))
    const wrapped = await wrapContentKey(createContentKey(), many)
    const past = [1, 2, 3].map(epoch => ({ epoch, wrapped }))
    const closing = { epoch: 3, seq: 0, digest: digestOf('x') }
    await expect(sealOpening(LOG, 4, closing, context(), null, { wrapped, past })).rejects.toMatchObject({
      code: 'TOKEN_TOO_LARGE',
    })
  })
})

describe('an envelope of a restricted log', () => {
  const contentKey = createContentKey()
  const sealed = () =>
    sealEnvelope(LOG, { epoch: 1, seq: 0, digest: digestOf('x') }, [record('a')], { ...context(), salt: SALT, contentKey })
  const claimsOf = (token: string) => parseToken(token, 'envelope').claims as EnvelopeClaims

  it('names the digest of its ciphertext and that of its plain text', async () => {
    const { token, body } = await sealed()
    const claims = claimsOf(token)
    const bytes = await openBytes(claims, body ?? new Uint8Array(), 'identity')
    expect(sealedFault(claims)).toBeNull()
    expect(openSealedBody(contentKey, claims, claims.pdg, bytes)).toEqual(formatBody(SALT, [record('a')]))
  })

  it('is refused by everyone where its body is plain', async () => {
    const { token } = await sealEnvelope(LOG, { epoch: 1, seq: 0, digest: digestOf('x') }, [record('a')], {
      ...context(),
      salt: SALT,
    })
    expect(sealedFault(claimsOf(token))).toMatchObject({ code: 'BODY_UNREADABLE' })
    expect(sealedFault({ ...claimsOf(token), aud: 'all' })).toBeNull()
  })

  it('does not open at another position, nor to another text than the one signed', async () => {
    const { token, body } = await sealed()
    const claims = claimsOf(token)
    const bytes = body ?? new Uint8Array()
    const unreadable = expect.objectContaining({ code: 'BODY_UNREADABLE' })
    expect(() => openSealedBody(contentKey, { ...claims, seq: 2 }, claims.pdg, bytes)).toThrowError(unreadable)
    expect(() => openSealedBody(contentKey, claims, undefined, bytes)).toThrowError(unreadable)
    const other = encryptBody(contentKey, claims.fed, LOG, { epoch: 1, seq: 1 }, formatBody(SALT, [record('b')]))
    expect(() => openSealedBody(contentKey, claims, claims.pdg, other)).toThrowError(unreadable)
  })

  it('has no content key where everyone reads', async () => {
    const work = sealEnvelope({ ...LOG, audience: 'all' }, { epoch: 1, seq: 0, digest: digestOf('x') }, [record('a')], {
      ...context(),
      salt: SALT,
      contentKey,
    })
    await expect(work).rejects.toMatchObject({ code: 'AUDIENCE_NOT_ALLOWED' })
  })

  it('fits, encrypted, whatever was cut to fit', async () => {
    const records = Array.from({ length: 90 }, (_, index) => record(`k${index}`, 'x'.repeat(9000 + index * 7)))
    for (const batch of cutBatch(records)) {
      const entry = await sealEnvelope(LOG, { epoch: 1, seq: 0, digest: digestOf('x') }, batch, {
        ...context(),
        salt: SALT,
        contentKey,
      })
      expect(entry.body?.length).toBeLessThanOrEqual(LIMITS.bodyBytes)
    }
  })
})

it('what the national reader is given ends with its membership', () => {
  const reader = membership.members.get('000000')
  if (reader === undefined) throw new Error('no national member')
  const left = new Map(membership.members).set('000000', { ...reader, standing: 'left', standingSince: 7 })
  expect(readersChangedAt(membership, '530000', 'national')).toBe(0)
  expect(readersChangedAt({ ...membership, members: left }, '530000', 'national')).toBe(7)
})
