import { describe, expect, it } from 'vitest'
import { certificatesOf, isCrlFile } from './certificate-files.ts'
import { certificate, commonName, context, crl, int, nil, oid, p256Key, pem, seq, setOf } from './sample-der.ts'

const one = certificate({ subject: commonName('甲', '甲'), key: p256Key(), ca: true })
const two = certificate({ subject: commonName('乙', '乙'), key: p256Key(), issuer: one, serial: 2 })
const hex = (ders: readonly Uint8Array[]): string[] => ders.map(der => Buffer.from(der).toString('hex'))
const both = hex([one.der, two.der])
/** RFC 5652 §5.1, of certificates alone */
const bag = seq(
  oid('1.2.840.113549.1.7.2'),
  context(0, seq(int(1), setOf(), seq(oid('1.2.840.113549.1.7.1')), context(0, Buffer.concat([one.der, two.der])), setOf())),
)
const list = crl(one, [], { thisUpdate: Date.UTC(2026, 0, 1), nextUpdate: Date.UTC(2027, 0, 1) })

describe('files of certificates', () => {
  it('are DER, PEM with one or many, bare base64, and PKCS #7 in both', () => {
    expect(hex(certificatesOf(one.der))).toEqual(both.slice(0, 1))
    expect(hex(certificatesOf(Buffer.from(`text\n${pem('CERTIFICATE', one.der)}\n${pem('CERTIFICATE', two.der)}`)))).toEqual(both)
    expect(hex(certificatesOf(Buffer.from(`${one.der.toString('base64')}\n`)))).toEqual(both.slice(0, 1))
    expect(hex(certificatesOf(bag))).toEqual(both)
    expect(hex(certificatesOf(Buffer.from(pem('PKCS7', bag))))).toEqual(both)
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('not a certificate')],
    ['a key', Buffer.from(pem('PRIVATE KEY', nil()))],
    ['a bag that is cut off', bag.subarray(0, 40)],
  ])('that hold %s are refused', (_, bytes) => {
    expect(() => certificatesOf(bytes)).toThrow('CERTIFICATE_MALFORMED')
  })

  it('are told apart from revocation lists', () => {
    expect([list, Buffer.from(pem('X509 CRL', list))].map(isCrlFile)).toEqual([true, true])
    expect([one.der, bag, Buffer.from(pem('CERTIFICATE', one.der)), Buffer.alloc(0), Buffer.of(0x30)].map(isCrlFile)).toEqual(
      Array(5).fill(false),
    )
  })
})
