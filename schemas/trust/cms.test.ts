import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parseCertificate } from './certificate.ts'
import type { Judge } from './checks.ts'
import { parseSignedData } from './cms.ts'
import { type Content, verifySignedData } from './cms-verification.ts'
import { pathJudge } from './path-judge.ts'
import {
  certificate,
  commonName,
  context,
  crl,
  ed25519Key,
  int,
  NOT_BEFORE,
  nil,
  oct,
  oid,
  p256Key,
  pem,
  privatePem,
  rsaKey,
  SAMPLE_OIDS,
  type SampleCertificate,
  type SampleKey,
  seq,
  setOf,
  sm2Key,
  tlv,
  utcTime,
} from './sample-der.ts'

const AT = NOT_BEFORE + 90 * 86_400_000
const CONTENT = Buffer.from('投标文件第一册')
const folder = mkdtempSync(join(tmpdir(), 'hutong-cms-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const openssl = (...args: readonly string[]): Buffer =>
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
const hasOpenssl = ((): boolean => {
  try {
    return openssl('version').toString().startsWith('OpenSSL 3')
  } catch {
    process.stdout.write('skipped: the openssl command (3.0 or later) is not here, so nothing is cross-checked against it\n')
    return false
  }
})()
const file = (name: string, bytes: string | Uint8Array): string => {
  writeFileSync(join(folder, name), bytes)
  return name
}

const KEYS = { rsa: rsaKey, p256: p256Key, ed25519: ed25519Key, sm2: () => sm2Key() } as const
const DIGEST_OF: { readonly [kind in SampleKey['kind']]: readonly [oid: string, hash: string] } = {
  rsa: [SAMPLE_OIDS.sha256, 'sha256'],
  p256: [SAMPLE_OIDS.sha256, 'sha256'],
  ed25519: ['2.16.840.1.101.3.4.2.3', 'sha512'],
  sm2: [SAMPLE_OIDS.sm3, 'sm3'],
}

type Pki = {
  readonly ca: SampleCertificate
  readonly signer: SampleCertificate
  readonly encrypter: SampleCertificate
  readonly judge: Judge
}
function pki(make: () => SampleKey, caName = 'Sample CA'): Pki {
  const ca = certificate({ subject: commonName('示例认证机构', caName), key: make(), ca: true })
  const signer = certificate({ subject: commonName('示例建设公司', 'Signer'), key: make(), issuer: ca, serial: 0x1001 })
  const encrypter = certificate({
    subject: commonName('示例建设公司', 'Signer'),
    key: make(),
    issuer: ca,
    serial: 0x1002,
    usages: ['keyEncipherment', 'dataEncipherment'],
  })
  return { ca, signer, encrypter, judge: judgeOf(ca) }
}
const judgeOf = (ca: SampleCertificate, revocation: 'ignored' | 'required' = 'ignored'): Judge =>
  pathJudge({ anchors: [parseCertificate(ca.der)], intermediates: [], crls: [], revocation })

const attribute = (type: string, ...values: readonly Buffer[]): Buffer => seq(oid(type), setOf(...values))
const PKCS9 = '1.2.840.113549.1.9.'

type Made = {
  readonly signer: SampleCertificate
  readonly form?: 'cms' | 'gm'
  readonly content?: Buffer
  readonly detached?: boolean
  readonly attributes?: 'yes' | 'no' | readonly Buffer[]
  readonly contentType?: string
  readonly digest?: readonly [string, string]
  readonly algorithm?: Buffer
  readonly certificates?: readonly Buffer[]
  readonly crls?: readonly Buffer[]
  readonly keyId?: boolean
  readonly signers?: readonly Buffer[]
}
const ARC = { cms: '1.2.840.113549.1.7.', gm: '1.2.156.10197.6.1.4.2.' } as const

function signerInfo(made: Made): Buffer {
  const { signer, form = 'cms', content = CONTENT, attributes = 'yes' } = made
  const [digestOid, hash] = made.digest ?? DIGEST_OF[signer.key.kind]
  const dataType = made.contentType ?? `${ARC[form]}1`
  const list =
    attributes === 'no'
      ? null
      : attributes === 'yes'
        ? [
            attribute(`${PKCS9}3`, oid(dataType)),
            attribute(`${PKCS9}4`, oct(createHash(hash).update(content).digest())),
            attribute(`${PKCS9}5`, utcTime(AT - 1000)),
          ]
        : attributes
  const signed = list === null ? content : setOf(...list)
  return seq(
    int(made.keyId === true ? 3 : 1),
    made.keyId === true
      ? context(0, createHash('sha1').update(signer.key.spki).digest(), false)
      : seq(signer.issuer, signer.serial),
    seq(oid(digestOid)),
    ...(list === null ? [] : [context(0, setOf(...list).subarray(setOf(...list).length - Buffer.concat(list).length))]),
    made.algorithm ?? signer.key.algorithm,
    oct(signer.key.sign(signed)),
  )
}

function message(made: Made): Buffer {
  const { signer, form = 'cms', content = CONTENT, certificates = [signer.der] } = made
  const [digestOid] = made.digest ?? DIGEST_OF[signer.key.kind]
  return seq(
    oid(`${ARC[form]}2`),
    context(
      0,
      seq(
        int(1),
        setOf(seq(oid(digestOid))),
        seq(oid(made.contentType ?? `${ARC[form]}1`), ...(made.detached === true ? [] : [context(0, oct(content))])),
        ...(certificates.length === 0 ? [] : [context(0, Buffer.concat(certificates))]),
        ...(made.crls === undefined ? [] : [context(1, Buffer.concat(made.crls))]),
        setOf(...(made.signers ?? [signerInfo(made)])),
      ),
    ),
  )
}

const judged = (bytes: Uint8Array, { judge }: Pick<Pki, 'judge'>, content?: Content, known: readonly SampleCertificate[] = []) =>
  verifySignedData({
    message: parseSignedData(bytes),
    at: AT,
    judge,
    known: known.map(({ der }) => parseCertificate(der)),
    ...(content === undefined ? {} : { content }),
  })

const PKI = Object.fromEntries(Object.entries(KEYS).map(([kind, make]) => [kind, pki(make)])) as {
  readonly [kind in SampleKey['kind']]: Pki
}

describe.each(Object.entries(PKI))('a message signed with %s', (kind, parts) => {
  const { signer } = parts

  test('is good with attributes and without, attached and detached', () => {
    for (const attributes of ['yes', 'no'] as const) {
      expect(judged(message({ signer, attributes }), parts)).toMatchObject({ result: 'good', reason: 'GOOD', detached: false })
      const detached = message({ signer, attributes, detached: true })
      expect(judged(detached, parts, { bytes: CONTENT })).toMatchObject({ result: 'good', detached: true })
      expect(judged(detached, parts)).toMatchObject({ result: 'unchecked', reason: 'CONTENT_MISSING' })
      expect(judged(detached, parts, { bytes: Buffer.from('其他') }).result).toBe('bad')
    }
  })

  test('is good under its digest alone where attributes hold the digest', () => {
    const [, hash] = DIGEST_OF[signer.key.kind]
    const value = createHash(hash).update(CONTENT).digest()
    const content = { digest: { algorithm: DIGEST_OF[signer.key.kind][0], value } }
    expect(judged(message({ signer, detached: true }), parts, content)).toMatchObject({ result: 'good' })
    expect(judged(message({ signer, detached: true, attributes: 'no' }), parts, content).reason).toBe('CONTENT_MISSING')
  })

  test('is bad with one bit of content, digest, attributes or signature changed', () => {
    const bytes = message({ signer })
    const at = (part: Uint8Array): number => bytes.indexOf(part)
    const { signedAttributes, signature } = parseSignedData(bytes).signers[0] ?? expect.fail('no signer')
    const places = {
      MESSAGE_DIGEST_DIFFERS: at(CONTENT),
      DOCUMENT_SIGNATURE_BAD: at(signature) + signature.length - 1,
    }
    for (const [reason, place] of Object.entries(places)) {
      const changed = Buffer.from(bytes)
      changed[place] = (changed[place] ?? 0) ^ 1
      expect(judged(changed, parts), reason).toMatchObject({ result: 'bad', reason })
    }
    expect(signedAttributes?.der[0]).toBe(0x31)
  })

  test('names its signer by issuer and serial number or by key identifier, in the message or known before', () => {
    expect(judged(message({ signer, keyId: true }), parts).result).toBe('good')
    const bare = message({ signer, certificates: [] })
    expect(judged(bare, parts)).toMatchObject({ result: 'unchecked', reason: 'SIGNER_CERTIFICATE_UNKNOWN' })
    expect(judged(bare, parts, undefined, [signer]).result).toBe('good')
  })

  test('is refused from the encryption certificate of the pair', () => {
    expect(judged(message({ signer: parts.encrypter }), parts)).toMatchObject({ result: 'bad', reason: 'KEY_USAGE_REFUSED' })
  })

  test('is not trusted for a root that it brings along', () => {
    const foreign = pki(KEYS[kind as SampleKey['kind']], 'Foreign CA')
    const bytes = message({ signer: foreign.signer, certificates: [foreign.signer.der, foreign.ca.der] })
    expect(judged(bytes, parts)).toMatchObject({ result: 'unchecked', reason: 'ISSUER_UNKNOWN' })
  })
})

describe('a signed message', () => {
  const { signer } = PKI.rsa

  test('of GB/T 35275 has its own identifiers and is judged alike, its algorithm named bare or whole', () => {
    const { signer: gm } = PKI.sm2
    for (const algorithm of [SAMPLE_OIDS.sm2Sm3, '1.2.156.10197.1.301.1', '1.2.156.10197.1.301'])
      for (const attributes of ['yes', 'no'] as const) {
        const bytes = message({ signer: gm, form: 'gm', algorithm: seq(oid(algorithm), nil()), attributes })
        expect(parseSignedData(bytes).form).toBe('gm')
        expect(judged(bytes, PKI.sm2), algorithm).toMatchObject({ result: 'good' })
      }
  })

  test('signed under another signer identity is bad, unless the policy of its authority has that one', () => {
    const ca = PKI.sm2.ca
    const other = certificate({
      subject: commonName('某公司', 'Other ID'),
      key: sm2Key('ALICE123@YAHOO.COM'),
      issuer: ca,
      serial: 7,
    })
    const bytes = message({ signer: other, form: 'gm' })
    expect(judged(bytes, PKI.sm2).reason).toBe('DOCUMENT_SIGNATURE_BAD')
    const verdict = verifySignedData({
      message: parseSignedData(bytes),
      at: AT,
      judge: PKI.sm2.judge,
      sm2Id: () => 'ALICE123@YAHOO.COM',
    })
    expect(verdict.result).toBe('good')
  })

  test('needs content type and message digest among its attributes, once each', () => {
    const digest = attribute(`${PKCS9}4`, oct(createHash('sha256').update(CONTENT).digest()))
    const type = attribute(`${PKCS9}3`, oid(`${ARC.cms}1`))
    const other = attribute(`${PKCS9}4`, oct(createHash('sha256').update('x').digest()))
    const cases: readonly (readonly [readonly Buffer[], string])[] = [
      [[type], 'SIGNED_ATTRIBUTE_INVALID'],
      [[digest], 'SIGNED_ATTRIBUTE_INVALID'],
      [[type, digest, other], 'SIGNED_ATTRIBUTE_INVALID'],
      [
        [type, attribute(`${PKCS9}4`, oct(createHash('sha256').update(CONTENT).digest()), oct(Buffer.alloc(32)))],
        'SIGNED_ATTRIBUTE_INVALID',
      ],
      [[attribute(`${PKCS9}3`, oid(`${ARC.cms}3`)), digest], 'CONTENT_TYPE_DIFFERS'],
      [[type, other], 'MESSAGE_DIGEST_DIFFERS'],
    ]
    for (const [attributes, reason] of cases)
      expect(judged(message({ signer, attributes }), PKI.rsa), reason).toMatchObject({ result: 'bad', reason })
    expect(judged(message({ signer, attributes: [type, digest] }), PKI.rsa).result).toBe('good')
  })

  test('of a type that is not plain data needs signed attributes', () => {
    const contentType = '1.2.840.113549.1.9.16.1.4'
    expect(judged(message({ signer, contentType }), PKI.rsa).result).toBe('good')
    expect(judged(message({ signer, contentType, attributes: 'no' }), PKI.rsa).reason).toBe('SIGNED_ATTRIBUTES_MISSING')
  })

  test('whose content is the attributes of another message is refused', () => {
    const attributes = setOf(attribute(`${PKCS9}3`, oid(`${ARC.cms}1`)), attribute(`${PKCS9}4`, oct(Buffer.alloc(32))))
    expect(judged(message({ signer, content: attributes, attributes: 'no' }), PKI.rsa).reason).toBe('CONTENT_AMBIGUOUS')
  })

  test('reports the signing time and does not judge by it', () => {
    const late = certificate({
      subject: commonName('某公司', 'Late'),
      key: rsaKey(),
      issuer: PKI.rsa.ca,
      serial: 9,
      notBefore: AT + 1000,
    })
    const verdict = judged(message({ signer: late }), PKI.rsa)
    expect(verdict.signers[0]?.signingTime).toBe(AT - 1000)
    expect(verdict.reason).toBe('NOT_YET_VALID')
  })

  test('is good only if every signer is, and bad without any', () => {
    const two = [signerInfo({ signer }), signerInfo({ signer: PKI.rsa.encrypter })]
    const both = message({ signer, certificates: [signer.der, PKI.rsa.encrypter.der], signers: two })
    expect(judged(both, PKI.rsa)).toMatchObject({ result: 'bad', reason: 'KEY_USAGE_REFUSED' })
    expect(
      judged(both, PKI.rsa)
        .signers.map(({ result }) => result)
        .sort(),
    ).toEqual(['bad', 'good'])
    expect(judged(message({ signer, signers: [] }), PKI.rsa).reason).toBe('SIGNER_MISSING')
  })

  test('finds the certificate that signed where two have one issuer and serial number', () => {
    const twin = certificate({ subject: commonName('他人', 'Twin'), key: rsaKey(), issuer: PKI.rsa.ca, serial: 0x1001 })
    const bytes = message({ signer, certificates: [twin.der, signer.der] })
    const verdict = judged(bytes, PKI.rsa)
    expect(verdict.result).toBe('good')
    expect(verdict.signers[0]?.certificate?.fingerprint).toBe(parseCertificate(signer.der).fingerprint)
  })

  test('may bring the revocation list along, which is believed for its signature alone', () => {
    const judge = judgeOf(PKI.rsa.ca, 'required')
    const period = { thisUpdate: AT - 86_400_000, nextUpdate: AT + 86_400_000 }
    const revoked = crl(PKI.rsa.ca, [{ serial: signer.serial, at: AT - 5000 }], period)
    expect(judged(message({ signer }), { judge })).toMatchObject({ result: 'unchecked', reason: 'REVOCATION_UNKNOWN' })
    expect(judged(message({ signer, crls: [crl(PKI.rsa.ca, [], period)] }), { judge }).result).toBe('good')
    expect(judged(message({ signer, crls: [revoked] }), { judge }).reason).toBe('REVOKED')
    const forged = crl({ ...PKI.rsa.ca, key: rsaKey() }, [], period)
    expect(judged(message({ signer, crls: [forged] }), { judge }).reason).toBe('REVOCATION_UNKNOWN')
  })

  test('with digest and signature that do not go together, or a weak digest, is bad', () => {
    const sha512 = message({ signer, digest: ['2.16.840.1.101.3.4.2.3', 'sha512'] })
    expect(judged(sha512, PKI.rsa).reason).toBe('SIGNATURE_ALGORITHMS_DISAGREE')
    const sha1 = message({ signer, digest: ['1.3.14.3.2.26', 'sha1'], algorithm: seq(oid(SAMPLE_OIDS.rsa), nil()) })
    expect(judged(sha1, PKI.rsa).reason).toBe('DIGEST_ALGORITHM_WEAK')
    expect(judged(message({ signer, digest: ['1.2.3.4', 'sha256'] }), PKI.rsa)).toMatchObject({
      result: 'unchecked',
      reason: 'DIGEST_ALGORITHM_UNKNOWN',
    })
  })

  test('beside content that it also carries must be over that content', () => {
    expect(judged(message({ signer }), PKI.rsa, { bytes: Buffer.from('其他') }).reason).toBe('CONTENT_DIFFERS')
    expect(judged(message({ signer }), PKI.rsa, { bytes: CONTENT }).result).toBe('good')
  })

  test('is refused in form: too many signers, too deep, trailing bytes, another kind', () => {
    const many = Array.from({ length: 17 }, () => signerInfo({ signer }))
    expect(() => parseSignedData(message({ signer, signers: many }))).toThrow(/at most 16 signers/)
    let deep: Buffer = Buffer.from([0x30, 0])
    for (let level = 0; level < 60; level += 1) deep = tlv(0x30, deep)
    expect(() => parseSignedData(seq(oid(`${ARC.cms}2`), context(0, deep)))).toThrow(/SIGNATURE_MALFORMED/)
    expect(() => parseSignedData(Buffer.concat([message({ signer }), Buffer.of(0)]))).toThrow(/nothing behind/)
    expect(() => parseSignedData(seq(oid(`${ARC.cms}3`), context(0, seq())))).toThrow(/SIGNATURE_KIND_UNKNOWN/)
    for (const cut of [0, 1, 5, 40, 400])
      expect(() => parseSignedData(message({ signer }).subarray(0, cut))).toThrow(/SIGNATURE_MALFORMED/)
  })
})

/** The same message with indefinite lengths, its content in two pieces and its attributes out of order. */
function streamed(der: Uint8Array, order: 'kept' | 'reversed' = 'reversed'): Buffer {
  const indefinite = (identifier: number, ...parts: readonly Uint8Array[]): Buffer =>
    Buffer.concat([Buffer.of(identifier, 0x80), ...parts, Buffer.of(0, 0)])
  const parts = (bytes: Buffer): Buffer[] => {
    const found: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const first = bytes[at + 1] ?? 0
      const octets = first < 0x80 ? 0 : first & 0x7f
      const length = octets === 0 ? first : bytes.readUIntBE(at + 2, octets)
      found.push(bytes.subarray(at, at + 2 + octets + length))
      at += 2 + octets + length
    }
    return found
  }
  const inner = (element: Buffer): Buffer => {
    const first = element[1] ?? 0
    return element.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f))
  }
  const turned = (list: Buffer[]): Buffer[] => (order === 'kept' ? list : list.reverse())
  const bytes = Buffer.from(der)
  const [type, wrapper] = parts(inner(bytes)) as [Buffer, Buffer]
  const [version, digests, encapsulated, certificates, signers] = parts(inner(inner(wrapper))) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ]
  const [dataType, explicit] = parts(inner(encapsulated)) as [Buffer, Buffer]
  const content = inner(inner(explicit))
  const pieces = indefinite(0x24, oct(content.subarray(0, 3)), oct(content.subarray(3)))
  const signer = parts(inner(signers)).map(one => {
    const fields = parts(inner(one))
    const attributes = fields.findIndex(field => field[0] === 0xa0)
    if (attributes >= 0) fields[attributes] = indefinite(0xa0, ...turned(parts(inner(fields[attributes] as Buffer))))
    return indefinite(0x30, ...fields)
  })
  return indefinite(
    0x30,
    type,
    indefinite(
      0xa0,
      indefinite(
        0x30,
        version,
        digests,
        indefinite(0x30, dataType, indefinite(0xa0, pieces)),
        indefinite(0xa0, inner(certificates)),
        indefinite(0x31, ...signer),
      ),
    ),
  )
}

test('a message in BER, in pieces and with attributes out of order, is judged as its DER', () => {
  for (const parts of Object.values(PKI)) {
    const bytes = streamed(message({ signer: parts.signer }))
    expect(Buffer.from(parseSignedData(bytes).content ?? []).equals(CONTENT)).toBe(true)
    expect(judged(bytes, parts).result).toBe('good')
  }
})

describe.runIf(hasOpenssl)('against the openssl command', () => {
  const write = (name: string, parts: Pki): void => {
    file(`${name}.key`, privatePem(parts.signer.key))
    file(`${name}.crt`, pem('CERTIFICATE', parts.signer.der))
    file(`${name}.ca`, pem('CERTIFICATE', parts.ca.der))
    file('content', CONTENT)
  }
  const made: readonly (readonly [name: string, parts: Pki, flags: readonly string[]])[] = [
    ['rsa', PKI.rsa, ['-md', 'sha256']],
    ['rsa-bare', PKI.rsa, ['-md', 'sha256', '-noattr']],
    ['rsa-stream', PKI.rsa, ['-md', 'sha384', '-stream']],
    ['rsa-keyid', PKI.rsa, ['-md', 'sha256', '-keyid']],
    ['rsa-pss', PKI.rsa, ['-md', 'sha256', '-keyopt', 'rsa_padding_mode:pss']],
    ['p256', PKI.p256, ['-md', 'sha256']],
    ['p256-stream', PKI.p256, ['-md', 'sha512', '-stream', '-noattr']],
  ]

  test.each(made)('what it signs is good here, attached and detached: %s', (name, parts, flags) => {
    write(name, parts)
    // the command streams attached messages only, and signs no CMS with Ed25519
    for (const attached of flags.includes('-stream') ? [true] : [true, false]) {
      const common = [
        '-binary',
        '-in',
        'content',
        '-signer',
        `${name}.crt`,
        '-inkey',
        `${name}.key`,
        '-outform',
        'DER',
        '-out',
        'out',
      ]
      openssl('cms', '-sign', ...common, ...flags, ...(attached ? ['-nodetach'] : []))
      const bytes = readFileSync(join(folder, 'out'))
      const verdict = judged(bytes, parts, attached ? undefined : { bytes: CONTENT })
      expect(verdict, `${name} ${JSON.stringify(verdict.signers[0]?.checks)}`).toMatchObject({
        result: 'good',
        detached: !attached,
      })
      const { signature } = parseSignedData(bytes).signers[0] ?? expect.fail('no signer')
      const changed = Buffer.from(bytes)
      const last = bytes.indexOf(signature) + signature.length - 1
      changed[last] = (changed[last] ?? 0) ^ 1
      expect(judged(changed, parts, attached ? undefined : { bytes: CONTENT }).result).toBe('bad')
    }
  })

  test.each(['rsa', 'p256'] as const)('what is written here is good there: %s', kind => {
    write(kind, PKI[kind])
    const attime = String(AT / 1000)
    const verify = (bytes: Uint8Array): string => {
      file('message', bytes)
      return openssl(
        'cms',
        '-verify',
        '-inform',
        'DER',
        '-in',
        'message',
        '-binary',
        '-CAfile',
        `${kind}.ca`,
        '-attime',
        attime,
      ).toString()
    }
    expect(verify(message({ signer: PKI[kind].signer }))).toBe(CONTENT.toString())
    // the command does not sort attributes before it hashes them
    expect(verify(streamed(message({ signer: PKI[kind].signer }), 'kept'))).toBe(CONTENT.toString())
  })

  test('an SM2 message: the command verifies the signature over the attributes that are checked here', () => {
    write('sm2', PKI.sm2)
    const bytes = message({ signer: PKI.sm2.signer, form: 'gm' })
    const [signer] = parseSignedData(bytes).signers
    file('attributes', signer?.signedAttributes?.der ?? Buffer.alloc(0))
    file('signature', signer?.signature ?? Buffer.alloc(0))
    file('sm2.pub', pem('PUBLIC KEY', PKI.sm2.signer.key.spki))
    const distid = ['-sigopt', 'distid:1234567812345678']
    expect(openssl('dgst', '-sm3', ...distid, '-verify', 'sm2.pub', '-signature', 'signature', 'attributes').toString()).toContain(
      'Verified OK',
    )
    openssl('dgst', '-sm3', ...distid, '-sign', 'sm2.key', '-out', 'signature', 'attributes')
    const fresh = Buffer.from(readFileSync(join(folder, 'signature')))
    const foreign = { ...PKI.sm2.signer, key: { ...PKI.sm2.signer.key, sign: () => fresh } }
    expect(judged(message({ signer: foreign, form: 'gm' }), PKI.sm2).result).toBe('good')
  })
})
