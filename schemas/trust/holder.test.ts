import { describe, expect, test } from 'vitest'
import { makeUscc } from '../codes/uscc.ts'
import { parseCertificate } from './certificate.ts'
import { extractHolder, type Holder, holderId } from './holder.ts'
import { certificate, commonName, context, extension, ia5, name, oct, p256Key, printable, seq, setOf, utf8 } from './sample-der.ts'
import type { HolderRule } from './trust-list.ts'

const KEY = { key: Buffer.alloc(32, 9) }
const USCC = makeUscc('520000', '32244566')
/** The example of GB 11643. */
const IDENTITY = '11010519491231002X'
const key = p256Key()
const holderOf = (
  extensions: readonly (readonly [oid: string, value: Buffer])[],
  rules: readonly HolderRule[] = [],
  subject = commonName('示例建设公司', '经办人甲'),
): Holder | null =>
  extractHolder(
    parseCertificate(certificate({ subject, key, extensions: extensions.map(([oid, value]) => extension(oid, value)) }).der),
    rules,
    KEY,
  )

describe('the holder of a certificate', () => {
  test.each([
    ['1.2.156.10260.4.4', printable(USCC)],
    ['1.2.156.10260.4.1.4', printable(USCC)],
    ['1.2.156.10260.4.1.4', utf8(USCC)],
    ['1.2.156.10260.4.1.4', ia5(USCC)],
    ['1.2.86.11.7.3', oct(Buffer.from(USCC))],
    ['1.2.156.10260.4.1.3', Buffer.from(USCC)],
    ['1.2.86.11.7.4', printable(` ${USCC.toLowerCase()} `)],
  ])('is an organisation by its credit code at %s, whatever string holds it', (oid, value) => {
    expect(holderOf([[oid, value]])).toMatchObject({
      kind: 'organisation',
      uscc: USCC,
      judgement: { outer: 'right', inner: 'right' },
      organisationCode: USCC.slice(8, 17),
      name: '示例建设公司',
      pseudonym: null,
    })
  })

  test('keeps a code whose check fails, with the verdict', () => {
    const wrong = `${USCC.slice(0, 17)}${USCC.endsWith('A') ? 'B' : 'A'}`
    expect(holderOf([['1.2.156.10260.4.4', printable(wrong)]])).toMatchObject({
      uscc: wrong,
      judgement: { outer: 'wrong', inner: 'right' },
    })
  })

  test('has an organisation code or the number of a licence where there is no credit code', () => {
    expect(holderOf([['1.2.156.10260.4.1.4', printable('32244566-9')]])).toMatchObject({
      uscc: null,
      organisationCode: '322445669',
    })
    expect(holderOf([['1.2.156.10260.4.1.3', printable('520000000012345')]])).toMatchObject({ businessLicence: '520000000012345' })
  })

  test.each([
    ['1.2.156.10260.4.1.1', printable(IDENTITY)],
    ['1.2.156.10260.4.1.1', setOf(context(0, Buffer.from(IDENTITY), false))],
    ['1.2.156.10260.4.1.1', seq(context(0, printable(IDENTITY)))],
    ['1.2.86.11.7.1', printable(IDENTITY)],
    ['1.2.156.10260.4.1.4', printable(IDENTITY)],
    ['1.2.156.10260.4.4', printable(IDENTITY)],
    ['1.2.156.10260.4.1.3', printable(IDENTITY)],
  ])('is a person by a keyed hash wherever an identity number stands (%s), and neither number nor name is given', (oid, value) => {
    const holder = holderOf([[oid, value]])
    expect(holder).toMatchObject({ kind: 'person', uscc: null, organisationCode: null, businessLicence: null, name: null })
    expect(holder?.pseudonym).toMatch(/^[A-Za-z0-9_-]{43}$/)
    const said = JSON.stringify(holder)
    for (const secret of [IDENTITY, '经办人甲', '示例建设公司', Buffer.from(IDENTITY).toString('hex')])
      expect(said).not.toContain(secret)
  })

  test('has one pseudonym under one key, another under another, none without', () => {
    const [one, same] = ['1.2.156.10260.4.1.1', '1.2.86.11.7.1'].map(oid => holderOf([[oid, printable(IDENTITY)]])?.pseudonym)
    expect(one).toBe(same)
    const parsed = parseCertificate(
      certificate({ subject: commonName('a', 'b'), key, extensions: [extension('1.2.86.11.7.1', printable(IDENTITY))] }).der,
    )
    expect(extractHolder(parsed, [], { key: Buffer.alloc(32, 8) })?.pseudonym).not.toBe(one)
    expect(extractHolder(parsed, [], { ...KEY, hash: 'sm3' })?.pseudonym).not.toBe(one)
    expect(extractHolder(parsed, [])).toMatchObject({ kind: 'person', pseudonym: null })
    expect(holderId(extractHolder(parsed, []) ?? expect.fail('no holder'))).toBe(null)
  })

  test('is the organisation where a certificate names it and whoever applied', () => {
    const holder = holderOf([
      ['1.2.156.10260.4.1.1', printable(IDENTITY)],
      ['1.2.156.10260.4.1.4', printable(USCC)],
    ])
    expect(holder).toMatchObject({ kind: 'organisation', uscc: USCC, pseudonym: null })
    expect(JSON.stringify(holder)).not.toContain(IDENTITY)
  })

  test('is looked for in the order and at the places of the profile alone', () => {
    const rules: readonly HolderRule[] = [
      { oid: '2.5.4.5', kind: 'auto', where: 'subject' },
      { oid: '1.2.3.4.5', kind: 'uscc', where: 'extension' },
    ]
    const other = makeUscc('530000', '76708455')
    const subject = name(['2.5.4.10', utf8('另一公司')], ['2.5.4.5', printable(other)])
    expect(holderOf([['1.2.3.4.5', printable(USCC)]], rules, subject)).toMatchObject({
      uscc: other,
      foundAt: { oid: '2.5.4.5', where: 'subject' },
    })
    expect(holderOf([['1.2.3.4.5', printable(USCC)]], rules)).toMatchObject({
      uscc: USCC,
      foundAt: { oid: '1.2.3.4.5', where: 'extension' },
    })
    expect(holderOf([['1.2.156.10260.4.4', printable(USCC)]], rules)).toBe(null)
  })

  test('may stand in the subject with a prefix that says what it is', () => {
    const subject = name(['2.5.4.10', utf8('示例建设公司')], ['2.5.4.97', utf8(`NTRCN-${USCC}`)])
    expect(holderOf([], [], subject)).toMatchObject({ uscc: USCC })
  })

  test('is nobody where nothing is found, or what is found is no text', () => {
    expect(holderOf([])).toBe(null)
    for (const value of [
      Buffer.of(0xff, 0xfe),
      Buffer.alloc(0),
      seq(),
      utf8(''),
      Buffer.from('0c02fffe', 'hex'),
      seq(seq(seq(seq(seq(printable(USCC)))))),
    ])
      expect(holderOf([['1.2.156.10260.4.4', value]])).toBe(null)
  })

  test('has one text to be found by', () => {
    expect(holderId(holderOf([['1.2.156.10260.4.4', printable(USCC)]]) ?? expect.fail('no holder'))).toBe(`uscc:${USCC}`)
    expect(holderId(holderOf([['1.2.86.11.7.1', printable(IDENTITY)]]) ?? expect.fail('no holder'))).toMatch(/^person:/)
  })
})
