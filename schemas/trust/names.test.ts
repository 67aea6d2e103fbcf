import { describe, expect, test } from 'vitest'
import { readDer } from './der.ts'
import { hostOfUri, isDnsName, isPresentedDns, mailboxOf, octetsOfIp } from './name-forms.ts'
import { isSameName, isSoundText, nameOf, prepareText, textOfName } from './names.ts'
import { ia5, name, oid, printable, seq, setOf, tlv, utf8 } from './sample-der.ts'

const O = '2.5.4.10'
const CN = '2.5.4.3'
const of = (der: Buffer) => nameOf(readDer(der))
const same = (a: Buffer, b: Buffer): boolean => isSameName(of(a), of(b))
const organisation = (value: Buffer): Buffer => name([O, value])
const bmp = (text: string): Buffer => tlv(0x1e, Buffer.from(text, 'utf16le').swap16())

describe('names are the same', () => {
  const equal: readonly (readonly [string, Buffer, Buffer])[] = [
    ['in other letters', organisation(utf8('Good CA')), organisation(utf8('gOOD ca'))],
    ['in another string type', organisation(printable('Good CA')), organisation(utf8('Good CA'))],
    ['with other spaces', organisation(utf8('  Good   CA ')), organisation(utf8('Good CA'))],
    ['in full width', organisation(utf8('ＡＢＣ公司')), organisation(utf8('abc公司'))],
    ['composed and decomposed', organisation(utf8('Café')), organisation(utf8('Cafe\u0301'))],
    ['as BMPString', organisation(bmp('国家')), organisation(utf8('国家'))],
    ['with a soft hyphen within', organisation(utf8('Go\u00adod')), organisation(utf8('Good'))],
    [
      'with the attributes of one RDN in another order',
      seq(tlv(0x31, Buffer.concat([seq(oid(CN), utf8('a')), seq(oid(O), utf8('b'))]))),
      seq(tlv(0x31, Buffer.concat([seq(oid(O), utf8('b')), seq(oid(CN), utf8('a'))]))),
    ],
  ]
  for (const [what, a, b] of equal) test(what, () => expect(same(a, b)).toBe(true))

  const unequal: readonly (readonly [string, Buffer, Buffer])[] = [
    ['in another order', name([O, utf8('a')], [CN, utf8('b')]), name([CN, utf8('b')], [O, utf8('a')])],
    ['one being longer', name([O, utf8('a')]), name([O, utf8('a')], [CN, utf8('b')])],
    ['with another attribute', name([O, utf8('a')]), name([CN, utf8('a')])],
    [
      'with two attributes in one RDN or in two',
      seq(setOf(seq(oid(O), utf8('a')), seq(oid(CN), utf8('b')))),
      name([O, utf8('a')], [CN, utf8('b')]),
    ],
    ['with what separates in the value', name([O, utf8('a","b')]), name([O, utf8('a')], [O, utf8('b')])],
    ['with values that are no text', name([O, tlv(0x04, Buffer.of(1))]), name([O, tlv(0x04, Buffer.of(2))])],
  ]
  for (const [what, a, b] of unequal) test(`but not ${what}`, () => expect(same(a, b)).toBe(false))

  test('by their octets, where text is not of its encoding', () => {
    for (const value of [
      tlv(0x0c, Buffer.of(0xff)),
      tlv(0x13, Buffer.of(0xe9)),
      tlv(0x1c, Buffer.of(0, 0, 0)),
      tlv(0x1c, Buffer.of(0, 0x11, 0, 0)),
    ]) {
      expect(isSoundText(of(organisation(value)))).toBe(false)
      expect(same(organisation(value), organisation(value))).toBe(true)
      expect(same(organisation(value), organisation(utf8('')))).toBe(false)
    }
  })

  test('once what is not seen is left out', () => {
    expect(prepareText('\tA \u3000 b ')).toBe('a b')
  })

  test('and are shown as people write them', () => {
    expect(textOfName(of(name(['2.5.4.6', printable('CN')], [O, utf8('a, b')], ['1.2.3', ia5('x')])))).toBe('1.2.3=x,O=a\\, b,C=CN')
  })
})

describe('forms', () => {
  test('of host names', () => {
    for (const text of ['localhost', 'a.example.com', 'xn--fiqs8s.cn', '1a.2b.c3']) expect(isDnsName(text), text).toBe(true)
    for (const text of [
      '',
      '.',
      '.a',
      'a.',
      'a..b',
      'a_b.c',
      '-a.b',
      'a-.b',
      '1.2.3.4',
      'a b',
      '*.a',
      `${'a'.repeat(64)}.b`,
      `${'a.'.repeat(130)}b`,
    ])
      expect(isDnsName(text), text).toBe(false)
    expect(['*.a.b', 'a.b', 'a*.b', '*', '*.*.a'].map(isPresentedDns)).toEqual([true, true, false, false, false])
  })

  test('of mailboxes', () => {
    expect(mailboxOf('Me@EXAMPLE.com')).toEqual({ local: 'Me', host: 'example.com' })
    expect(mailboxOf('"a@b"@example.com')).toMatchObject({ local: '"a@b"' })
    for (const text of ['a@b@c.d', '@a.b', 'a@', 'a b@c.d', 'a@[1.2.3.4]', 'a', 'é@a.b'])
      expect(mailboxOf(text), text).toBeUndefined()
  })

  test('of hosts in URIs', () => {
    expect(hostOfUri('https://user:pw@Host.example.com:443/path?x#y')).toBe('host.example.com')
    for (const text of ['urn:a:b', 'https:///x', 'https://1.2.3.4/', 'https://[::1]/', '/relative', 'https://a_b/'])
      expect(hostOfUri(text), text).toBeUndefined()
  })

  test('of addresses', () => {
    expect(octetsOfIp('192.0.2.1')?.toString('hex')).toBe('c0000201')
    expect(octetsOfIp('::1')?.toString('hex')).toBe(`${'00'.repeat(15)}01`)
    expect(octetsOfIp('2001:db8::192.0.2.1')?.toString('hex')).toBe('20010db80000000000000000c0000201')
    expect(octetsOfIp('1:2:3:4:5:6:7:8')?.toString('hex')).toBe('00010002000300040005000600070008')
    for (const text of [
      '1.2.3',
      '1.2.3.256',
      '01.2.3.4',
      '::1::',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      'g::',
      '1:2:3:4:5:6:7::8:9',
      '',
    ])
      expect(octetsOfIp(text), text).toBeUndefined()
  })
})
