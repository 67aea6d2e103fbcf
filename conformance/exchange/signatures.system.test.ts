import { createHash } from 'node:crypto'
import { sm2 } from 'sm-crypto-v2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CATALOGUE } from '../../schemas/interfaces/catalogue.ts'
import { INTERFACE_OPERATIONS } from '../../schemas/interfaces/operations.ts'
import { INTERFACE_LIMITS } from '../../schemas/interfaces/requests.ts'
import type { JsonValue } from '../../schemas/record.ts'
import { draftEntity } from '../../schemas/trust/list-draft.ts'
import {
  bits,
  certificate,
  commonName,
  context,
  extension,
  int,
  oct,
  oid,
  printable,
  type SampleCertificate,
  seq,
  setOf,
  sm2Key,
} from '../../schemas/trust/sample-der.ts'
import { sampleSeal, sampleSealSignature } from '../../schemas/trust/sample-seals.ts'
import { ask, eventually, field, startTestbed, type Testbed } from './testbed.ts'
import { importFiles, SINCE } from './trust-ground.ts'

const OWN = '530000'
const DAY = 86_400_000
const NOW = Math.floor(Date.now() / 1000) * 1000
const USCC = '91530100MA6K00001A'
const CONTENT = Buffer.from('投标函')
const SIGNER_ID = 'HUTONG-SAMPLE-ID'

const period = { notBefore: NOW - 100 * DAY, notAfter: NOW + 300 * DAY }
const identity = [extension('1.2.156.10260.4.4', printable(USCC))]
const ca = certificate({ subject: commonName('云南示例机构', '云南示例机构 SM2 CA'), key: sm2Key(SIGNER_ID), ca: true, ...period })
const issue = (serial: number, more: Partial<Parameters<typeof certificate>[0]> = {}): SampleCertificate =>
  certificate({
    subject: commonName('云南示例建设有限公司', '云南示例建设有限公司'),
    key: sm2Key(SIGNER_ID),
    issuer: ca,
    serial,
    extensions: identity,
    ...period,
    ...more,
  })
const signing = issue(0x21)
const encrypting = issue(0x57, { usages: ['keyEncipherment', 'dataEncipherment'] })
const renewed = issue(0x99, { usages: ['keyEncipherment'], notBefore: NOW - DAY })
const foreign = certificate({ subject: commonName('外地公司', '外地公司'), key: sm2Key(), ...period })

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const ARC = '1.2.156.10197.6.1.4.2.'

function signedMessage(signer: SampleCertificate, content: Buffer): Buffer {
  const digest = seq(oid('1.2.156.10197.1.401'))
  const info = seq(
    int(1),
    seq(signer.issuer, signer.serial),
    digest,
    seq(oid('1.2.156.10197.1.301.1')),
    oct(signer.key.sign(content)),
  )
  const data = seq(oid(`${ARC}1`), context(0, oct(content)))
  return seq(oid(`${ARC}2`), context(0, seq(int(1), setOf(digest), data, context(0, signer.der), setOf(info))))
}
function envelope(recipient: SampleCertificate): Buffer {
  const point = recipient.key.spki.subarray(-65).toString('hex')
  const key = Buffer.from(sm2.doEncrypt(Buffer.alloc(16, 1), point, 1, { asn1: true }), 'hex')
  const info = seq(int(1), seq(recipient.issuer, recipient.serial), seq(oid('1.2.156.10197.1.301.3')), oct(key))
  const content = seq(
    oid(`${ARC}1`),
    seq(oid('1.2.156.10197.1.104.2'), oct(Buffer.alloc(16))),
    context(0, Buffer.alloc(5000), false),
  )
  return seq(oid(`${ARC}3`), context(0, seq(int(1), setOf(info), content)))
}

let bed: Testbed
const post = async (path: string, body: object) => ask(bed, OWN, path, body)
const verdict = (body: JsonValue | undefined) => ({ result: field(body, 'result'), reason: field(body, 'reason') })
const GOOD = { result: 'good', reason: 'GOOD' }

describe('signatures, seals and encrypted bids at a node', () => {
  beforeAll(async () => {
    bed = await startTestbed(1, { nodeSettings: { HUTONG_NODE_CERTIFICATES: 'serve' } })
    const entity = draftEntity({
      name: { zh: '云南示例机构', en: 'Yunnan sample authority' },
      region: OWN,
      services: [
        {
          name: { zh: '云南示例机构', en: 'Yunnan sample authority' },
          certificates: [ca.der],
          since: SINCE,
          profile: { SignerId: SIGNER_ID, Pair: 'separate', Revocation: 'none' },
        },
      ],
    })
    expect(await ask(bed, OWN, '/v1/trust-lists', { TrustedEntitiesList: [entity] })).toMatchObject({ status: 201 })
    const good = async (): Promise<JsonValue | undefined> =>
      field((await post('/v1/certificates/verify', { certificate: base64(encrypting.der), purpose: 'encrypt' })).body, 'result')
    await eventually('the list', good, result => result === 'good')
    await importFiles(bed, OWN, [
      { place: 'old.cer', bytes: encrypting.der },
      { place: 'new.cer', bytes: renewed.der },
    ])
  })
  afterAll(async () => bed?.[Symbol.asyncDispose]())

  it('verifies signed messages and bare signatures under the signer identity of the authority, one or many', async () => {
    const message = base64(signedMessage(signing, CONTENT))
    const { body } = await post('/v1/signatures/verify', { kind: 'cms', signature: message })
    expect(body).toMatchObject({ kind: 'cms', detached: false, signers: [{ certificate: { fingerprint: expect.any(String) } }] })
    const raw = {
      kind: 'raw',
      signature: base64(signing.key.sign(CONTENT)),
      certificate: base64(signing.der),
      content: base64(CONTENT),
    }
    const batch = await post('/v1/signatures/verify', {
      items: [raw, { ...raw, content: base64(Buffer.from('其他')) }, { kind: 'cms', signature: base64(Buffer.from('no message')) }],
    })
    expect(verdict(field(batch.body, 'items', 1))).toEqual({ result: 'bad', reason: 'DOCUMENT_SIGNATURE_BAD' })
    expect(field(batch.body, 'items', 2, 'problem', 'code')).toBe('SIGNATURE_MALFORMED')
    expect([verdict(body), verdict(field(batch.body, 'items', 0))]).toEqual([GOOD, GOOD])
    expect(JSON.stringify(body)).toContain(USCC)
  })

  it('refuses what a foreign certificate or the encryption certificate of the pair signed', async () => {
    const raw = (by: SampleCertificate) => ({
      kind: 'raw',
      signature: base64(by.key.sign(CONTENT)),
      certificate: base64(by.der),
      content: base64(CONTENT),
    })
    expect(verdict((await post('/v1/signatures/verify', raw(foreign))).body)).toEqual({
      result: 'unchecked',
      reason: 'ISSUER_UNKNOWN',
    })
    expect(verdict((await post('/v1/signatures/verify', raw(encrypting))).body).result).toBe('bad')
  })

  it('verifies seals of both standards, and documents sealed with them', async () => {
    const maker = issue(0x31)
    for (const edition of ['GM/T 0031-2014', 'GB/T 38540-2020'] as const) {
      const validity = { createdAt: NOW - 50 * DAY, validFrom: NOW - 50 * DAY, validUntil: NOW + 50 * DAY }
      const seal = sampleSeal({ edition, maker, holders: [signing], ...validity })
      expect(verdict((await post('/v1/seals/verify', { kind: 'seal', seal: base64(seal) })).body)).toEqual(GOOD)
      const sealed = sampleSealSignature({ edition, seal, signer: signing, at: NOW - DAY, document: CONTENT })
      const value = createHash('sm3').update(CONTENT).digest('hex')
      const question = { kind: 'seal-signature', seal: base64(sealed), digest: { algorithm: 'SM3', value } }
      const { body } = await post('/v1/seals/verify', question)
      expect(verdict(body)).toEqual(GOOD)
      expect(body).toMatchObject({
        seal: { edition, name: '示例建设公司公章' },
        signer: { holder: { uscc: USCC } },
        time_proven: false,
      })
      const other = await post('/v1/seals/verify', { ...question, digest: { algorithm: 'SM3', value: '00'.repeat(32) } })
      expect(verdict(other.body)).toEqual({ result: 'bad', reason: 'DOCUMENT_DIGEST_DIFFERS' })
    }
  })

  it('says of an encrypted bid that its certificate was replaced, knowing the certificates that were brought in', async () => {
    const opens_at = new Date(NOW + 20 * DAY).toISOString()
    const old = await post('/v1/bids/outlook', { envelope: base64(envelope(encrypting)), opens_at })
    expect(old.body).toMatchObject({
      result: 'unchecked',
      reason: 'RECIPIENT_KEY_REPLACED',
      content_algorithm: 'sm4-cbc',
      recipients: [{ serial: '57', replaced_by: { serial: '0099' } }],
    })
    expect(verdict((await post('/v1/bids/outlook', { envelope: base64(envelope(renewed)), opens_at })).body)).toEqual(GOOD)
    const beginning = base64(envelope(renewed).subarray(0, 1500))
    expect(verdict((await post('/v1/bids/outlook', { envelope: beginning, opens_at })).body)).toEqual(GOOD)
    const unknown = await post('/v1/bids/outlook', { envelope: base64(envelope(foreign)), opens_at })
    expect(field(unknown.body, 'reason')).toBe('RECIPIENT_UNKNOWN')
  })

  it('finds the encryption certificate of a signer', async () => {
    const { body } = await post('/v1/certificates/encryption', { certificate: base64(signing.der) })
    expect([field(body, 'items', 0, 'certificate'), field(body, 'items', 1, 'certificate')]).toEqual(
      [renewed.der, encrypting.der].map(base64),
    )
    expect(field(body, 'items', 0, 'verdict', 'result')).toBe('good')
  })

  it('refuses requests that say two things or nothing, and batches that are too long', async () => {
    const item = { kind: 'cms', signature: 'AAAA' }
    const refused: readonly (readonly [string, object])[] = [
      ['/v1/signatures/verify', {}],
      ['/v1/signatures/verify', { signature: 'AAAA' }],
      ['/v1/signatures/verify', { ...item, items: [item] }],
      ['/v1/signatures/verify', { ...item, signature: 'not base64!' }],
      ['/v1/signatures/verify', { kind: 'raw', signature: 'AAAA' }],
      ['/v1/signatures/verify', { ...item, content: 'AAAA', digest: { algorithm: 'SM3', value: '00'.repeat(32) } }],
      ['/v1/signatures/verify', { items: Array.from({ length: INTERFACE_LIMITS.items + 1 }, () => item) }],
      ['/v1/seals/verify', { kind: 'seal', seal: 'AAAA', at: 'yesterday' }],
      ['/v1/bids/outlook', { envelope: 'AAAA' }],
    ]
    for (const [path, body] of refused) {
      const answer = await post(path, body)
      expect({ status: answer.status, code: field(answer.body, 'code') }, JSON.stringify(body).slice(0, 80)).toEqual({
        status: 400,
        code: 'REQUEST_INVALID',
      })
    }
    expect(field((await post('/v1/seals/verify', { kind: 'seal', seal: base64(bits(CONTENT)) })).body, 'code')).toBe(
      'SEAL_MALFORMED',
    )
    expect(
      field(
        (
          await post('/v1/bids/outlook', {
            envelope: base64(signedMessage(signing, CONTENT)),
            opens_at: new Date(NOW).toISOString(),
          })
        ).body,
        'code',
      ),
    ).toBe('SIGNATURE_KIND_UNKNOWN')
  })

  it('publishes its catalogue, and every operation of it that a node offers is a route of the node', async () => {
    const read = async (url: string) => (await (await fetch(`${bed.node(OWN).url}${url}`)).json()) as JsonValue
    expect(await read('/v1/interfaces')).toMatchObject({
      version: '1.0.0',
      operations: expect.objectContaining({ length: CATALOGUE.length }),
    })
    expect(await read('/v1/interfaces/asyncapi.json')).toMatchObject({ asyncapi: '3.0.0' })
    const own = await read('/openapi.json')
    const published = await read('/v1/interfaces/openapi.json')
    for (const { id, server, path, method } of INTERFACE_OPERATIONS.filter(operation => operation.server === 'node')) {
      const route = field(own, 'paths', path, method)
      expect(route, `${server} ${id}`).toBeDefined()
      const names = (document: JsonValue) =>
        Object.keys(
          (field(document, 'paths', path, method, 'requestBody', 'content', 'application/json', 'schema', 'properties') ??
            {}) as object,
        ).sort()
      expect(names(own), id).toEqual(names(published))
    }
  })
})
