import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ExchangeError, isExchangeError } from '../errors.ts'
import { parseCertificate, parsePem } from './certificate.ts'
import { parseCrl } from './crl.ts'
import { INPUT_LIMITS } from './limits.ts'
import { validatePath } from './path-validation.ts'
import { REASONS } from './reasons.ts'
import { bits, bool, context, ed25519Key, extension, int, oct, pem, seq, tlv, utcTime, utf8 } from './sample-der.ts'
import {
  AT,
  alternatives,
  authority,
  constraints,
  directory,
  dns,
  email,
  holder,
  ip,
  list,
  named,
  policies,
  purposes,
  root,
  uri,
} from './sample-paths.ts'

const key = ed25519Key()
const top = root('root', {
  extensions: [constraints([dns('example.com'), ip(10, 0, 0, 0, 255, 0, 0, 0)], [directory(named('O=x'))])],
})
const ca = authority('ca', top, { extensions: [policies('1.2.3', '2.5.29.32.0')] })
const leaf = holder('leaf', ca, {
  extensions: [
    alternatives(dns('a.example.com'), ip(10, 1, 2, 3), email('a@b.example'), uri('https://example.com/')),
    purposes('1.3.6.1.5.5.7.3.2'),
    extension('2.5.29.31', seq(seq(context(0, context(0, uri('http://x/')))))),
    extension('1.3.6.1.5.5.7.1.1', seq(seq(tlv(6, Buffer.of(0x2a, 3)), uri('http://y/')))),
  ],
})
const refused = expect.objectContaining({ code: 'CERTIFICATE_MALFORMED' })

/** The parts of a certificate, to be put together wrongly. */
type Parts = {
  [part in
    | 'version'
    | 'serial'
    | 'algorithm'
    | 'issuer'
    | 'validity'
    | 'subject'
    | 'spki'
    | 'rest'
    | 'outer'
    | 'signature'
    | 'after']: Buffer
}
function assembled(change: Partial<Parts>): Buffer {
  const parts: Parts = {
    version: context(0, int(2)),
    serial: int(1),
    algorithm: key.algorithm,
    issuer: named('CN=a'),
    validity: seq(utcTime(AT), utcTime(AT)),
    subject: named('CN=b'),
    spki: key.spki,
    rest: context(3, seq(extension('1.2.3', Buffer.of(5, 0)))),
    outer: key.algorithm,
    signature: bits(Buffer.alloc(64, 1)),
    after: Buffer.of(),
    ...change,
  }
  const { version, serial, algorithm, issuer, validity, subject, spki, rest, outer, signature, after } = parts
  return Buffer.concat([seq(seq(version, serial, algorithm, issuer, validity, subject, spki, rest), outer, signature), after])
}

describe('a certificate', () => {
  test('is read with everything in it', () => {
    const { certificate } = leaf
    expect(certificate).toMatchObject({ version: 3, faults: [], issuer: ca.certificate.subject })
    expect(certificate.extensions.subjectAltName?.map(({ kind }) => kind)).toEqual(['dns', 'ip', 'email', 'uri'])
    expect(certificate.extensions.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    expect(top.certificate.extensions.nameConstraints).toMatchObject({
      permitted: [{ minimum: 0 }, { minimum: 0 }],
      excluded: [{ minimum: 0 }],
    })
    expect(parseCertificate(assembled({})).serial).toBe('01')
  })

  const bad: readonly (readonly [string, Partial<Parts>])[] = [
    ['with something behind it', { after: Buffer.of(0) }],
    ['that writes version 1', { version: context(0, int(0)) }],
    ['of version 4', { version: context(0, int(3)) }],
    ['of version 1 with extensions', { version: Buffer.of() }],
    ['of version 2 with extensions', { version: context(0, int(1)) }],
    ['with a padded serial number', { serial: tlv(2, Buffer.of(0, 1)) }],
    ['with an empty list of extensions', { rest: context(3, seq()) }],
    [
      'with an extension twice',
      { rest: context(3, seq(extension('1.2.3', Buffer.of(5, 0)), extension('1.2.3', Buffer.of(5, 0)))) },
    ],
    ['that writes critical FALSE', { rest: context(3, seq(seq(tlv(6, Buffer.of(0x2a, 3)), bool(false), oct(Buffer.of(5, 0))))) }],
    ['that writes cA FALSE', { rest: context(3, seq(extension('2.5.29.19', seq(bool(false))))) }],
    ['whose cA is TRUE in other bits', { rest: context(3, seq(extension('2.5.29.19', seq(tlv(1, Buffer.of(1)))))) }],
    ['with an alternative name that is plain text', { rest: context(3, seq(extension('2.5.29.17', Buffer.from('example.com')))) }],
    ['with no alternative names in their list', { rest: context(3, seq(extension('2.5.29.17', seq()))) }],
    ['with an alternative name of no kind', { rest: context(3, seq(alternatives(tlv(0x89, Buffer.of(1))))) }],
    ['with an otherName that is not constructed', { rest: context(3, seq(alternatives(tlv(0x80, Buffer.from('a.b'))))) }],
    ['with an empty list of purposes', { rest: context(3, seq(purposes())) }],
    [
      'with a subtree that writes its minimum',
      { rest: context(3, seq(extension('2.5.29.30', seq(context(0, seq(dns('a'), tlv(0x80, Buffer.of(0)))))))) },
    ],
    ['with a time without seconds', { validity: seq(tlv(0x17, Buffer.from('2601010000Z')), utcTime(AT)) }],
    ['with three times', { validity: seq(utcTime(AT), utcTime(AT), utcTime(AT)) }],
    ['with a name that is a string', { subject: utf8('b') }],
    ['with a signature of broken octets', { signature: bits(Buffer.alloc(64, 8), 3) }],
    [
      'with bytes between its fields',
      { rest: Buffer.concat([context(3, seq(extension('1.2.3', Buffer.of(5, 0)))), Buffer.of(5, 0)]) },
    ],
  ]
  for (const [what, change] of bad)
    test(`${what} is malformed`, () => expect(() => parseCertificate(assembled(change))).toThrow(refused))

  test('that is too large is not looked at', () => {
    expect(() => parseCertificate(Buffer.alloc(INPUT_LIMITS.certificateBytes + 1))).toThrow(refused)
  })

  test('is a copy of the bytes it was read from', () => {
    const der = Buffer.from(leaf.certificate.der)
    const read = parseCertificate(der)
    der.fill(0)
    expect(parseCertificate(read.der).fingerprint).toBe(leaf.certificate.fingerprint)
  })

  test('is found in PEM, among other things, or as DER', () => {
    const text = `subject: x\n${pem('CERTIFICATE', leaf.certificate.der)}${pem('PRIVATE KEY', Buffer.of(1))}${pem('CERTIFICATE', ca.certificate.der)}`
    expect(parsePem(text).map(der => parseCertificate(der).fingerprint)).toEqual(
      [leaf, ca].map(({ certificate }) => certificate.fingerprint),
    )
    expect(parsePem(leaf.certificate.der)).toHaveLength(1)
    expect(() => parsePem('nothing')).toThrow(refused)
  })
})

/** What a fuzzer does to bytes, and to their lengths. */
const mutated = (source: Uint8Array): fc.Arbitrary<Buffer> =>
  fc
    .array(
      fc.record({
        at: fc.nat(source.length - 1),
        octet: fc.nat(255),
        act: fc.constantFrom('set', 'set', 'set', 'set', 'set', 'drop', 'insert', 'cut', 'twice'),
      }),
      {
        minLength: 1,
        maxLength: 2,
      },
    )
    .map(changes => {
      let bytes = Buffer.from(source)
      for (const { at, octet, act } of changes) {
        const place = Math.min(at, bytes.length - 1)
        if (bytes.length === 0) break
        if (act === 'set') bytes[place] = octet
        else if (act === 'cut') bytes = bytes.subarray(0, place)
        else if (act === 'drop') bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1)])
        else if (act === 'insert') bytes = Buffer.concat([bytes.subarray(0, place), Buffer.of(octet), bytes.subarray(place)])
        else bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(Math.max(0, place - octet))])
      }
      return bytes
    })

function parsed<T>(parse: (der: Uint8Array) => T, der: Uint8Array, code: ExchangeError['code']): T | undefined {
  try {
    return parse(der)
  } catch (error) {
    if (isExchangeError(error) && error.code === code) return undefined
    throw error
  }
}

describe('whatever is done to the bytes', () => {
  const crl = list(ca, { entries: [{ serial: leaf.certificate.serial, reason: 1 }] })
  const sources = [leaf, ca, top].map(({ certificate }) => certificate)
  const change = fc.nat(2).chain(which => mutated((sources[which] ?? leaf.certificate).der).map(der => ({ which, der })))

  test('a certificate is malformed, or its verdict has a reason and no accident happens', () => {
    let read = 0
    fc.assert(
      fc.property(change, ({ which, der }) => {
        const other = parsed(parseCertificate, der, 'CERTIFICATE_MALFORMED')
        if (other === undefined) return
        read++
        const [end, middle, anchor] = sources.map((one, index) => (index === which ? other : one))
        if (end === undefined || middle === undefined || anchor === undefined) throw new RangeError('expected three')
        const question = {
          leaf: end,
          intermediates: [middle],
          anchors: [anchor],
          at: AT,
          revocation: 'when-known' as const,
          profile: 'issuance' as const,
        }
        const { result, reason } = validatePath({ ...question, crls: [crl], names: [{ kind: 'dns', value: 'a.example.com' }] })
        expect(REASONS[reason].result).toBe(result)
        expect(Buffer.from(other.der).equals(Buffer.from(sources[which]?.der ?? [])) || which === 2 || result !== 'good').toBe(true)
      }),
      { numRuns: 1500 },
    )
    expect(read).toBeGreaterThan(50)
  })

  test('a list is malformed, or says nothing that its signer did not sign', () => {
    fc.assert(
      fc.property(mutated(crl.der), der => {
        const other = parsed(parseCrl, der, 'CRL_MALFORMED')
        if (other === undefined || Buffer.from(other.der).equals(Buffer.from(crl.der))) return
        const [, , anchor] = sources
        if (anchor === undefined) throw new RangeError('expected an anchor')
        const verdict = validatePath({
          leaf: leaf.certificate,
          intermediates: [ca.certificate],
          anchors: [anchor],
          crls: [other],
          at: AT,
          revocation: 'required',
        })
        expect(verdict.reason).toBe('REVOCATION_UNKNOWN')
      }),
      { numRuns: 1500 },
    )
  })
})
