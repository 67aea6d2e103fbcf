import { describe, expect, it } from 'vitest'
import { makeUscc } from '../../schemas/codes/uscc.ts'
import type { Holder } from '../../schemas/trust/holder.ts'
import type { CertificateVerdict } from '../../schemas/trust/verification.ts'
import { claimsOf, subjectOf } from './accounts.ts'
import { judged, regionOfHolder } from './certificate-check.ts'

const AT = new Date('2026-11-24T00:00:00Z')
const USCC = makeUscc('520102', 'MA6AAAA1')

const HOLDER: Holder = {
  kind: 'organisation',
  uscc: USCC,
  judgement: null,
  organisationCode: USCC.slice(8, 17),
  businessLicence: null,
  pseudonym: null,
  name: '某公司',
  foundAt: { oid: '1.2.3', where: 'extension' },
}
const verdict = (change: object = {}): CertificateVerdict =>
  ({
    result: 'good',
    reason: 'GOOD',
    detail: '',
    at: AT.getTime(),
    holder: HOLDER,
    ca: { entity: { zh: '某机构', en: 'x' }, region: '530000' },
    ...change,
  }) as CertificateVerdict

describe('what the login makes of a verdict', () => {
  it('is the holder, the authority, and where the holder is registered: by the code, not by the authority', () => {
    expect(judged(verdict())).toEqual({
      result: 'good',
      holder: { kind: 'organisation', id: `uscc:${USCC}`, uscc: USCC, name: '某公司' },
      ca: { name: '某机构' },
      region: '520102',
    })
  })

  it.each([
    ['a code of a province', '91520100MA6AAAAA1X', '530000', '520100'],
    ['a code of the state registers', '91100000MA6AAAAA1X', '530000', '530000'],
    ['no code', null, '530000', '530000'],
    ['a region that there is not', '91990000MA6AAAAA1X', '530000', '530000'],
    ['an authority of the whole country', null, 'CN', null],
  ])('with %s stands in the right region', (_, uscc, authority, region) => {
    expect(regionOfHolder(uscc, authority, AT)).toBe(region)
  })

  it('is bad where nobody can be read from the certificate', () => {
    expect(judged(verdict({ holder: null }))).toMatchObject({ result: 'bad', reason: { code: 'HOLDER_UNKNOWN' } })
    const nobody = { ...HOLDER, kind: 'person', uscc: null, organisationCode: null, name: null }
    expect(judged(verdict({ holder: nobody }))).toMatchObject({ result: 'bad', reason: { code: 'HOLDER_UNKNOWN' } })
  })

  it('tells what cannot be checked from what is bad, each with its sentence', () => {
    expect(judged(verdict({ result: 'unchecked', reason: 'REVOCATION_UNKNOWN' }))).toMatchObject({
      result: 'unchecked',
      reason: { code: 'REVOCATION_UNKNOWN', zh: '无法确定证书是否已被吊销。' },
    })
  })
})

describe('what a client learns', () => {
  const KEY = Buffer.alloc(32, 7).toString('base64url')
  const person = { kind: 'person', id: 'person:abc', uscc: null, name: null } as const

  it('is a pseudonym of a person in each sector, and the code of an organisation in all', () => {
    expect(subjectOf(person, 'a', KEY)).toMatch(/^p-[\w-]{43}$/)
    expect(subjectOf(person, 'a', KEY)).toBe(subjectOf({ ...person }, 'a', KEY))
    expect(
      new Set([subjectOf(person, 'a', KEY), subjectOf(person, 'b', KEY), subjectOf({ ...person, id: 'person:abd' }, 'a', KEY)])
        .size,
    ).toBe(3)
    expect(subjectOf({ kind: 'organisation', id: `uscc:${USCC}`, uscc: USCC, name: null }, 'a', KEY)).toBe(USCC)
  })

  it('holds nothing by which two clients could find out that they have the same person', () => {
    const good = { result: 'good', holder: person, ca: { name: '某机构' }, region: '520102' } as const
    expect(claimsOf(good, Buffer.from('der'))).toEqual({
      acr: 'urn:hutong:acr:recognised-certificate',
      holder_kind: 'person',
      ca_name: '某机构',
      province: '520000',
    })
  })
})
