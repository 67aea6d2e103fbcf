import { describe, expect, it } from 'vitest'
import type { TrustListClaims } from '../generated/trust-list.ts'
import { draftEntity } from './list-draft.ts'
import { certificate, commonName, p256Key } from './sample-der.ts'
import { claimsOf, ISSUED, sealList, signerOf, UNTIL, YUNNAN } from './sample-lists.ts'
import {
  carryHistory,
  checkListClaims,
  parseTrustList,
  readTrustList,
  recognisedUntil,
  recognitionAt,
  sealTrustList,
} from './trust-list.ts'

const ca = certificate({ subject: commonName('某认证', '某 CA'), key: p256Key(), ca: true })
const day = (number: number): Date => new Date(Date.UTC(2026, 0, number))
const service = { name: { zh: '签发', en: 'issuing' }, certificates: [ca.der], since: day(1) }
const entity = { name: { zh: '某认证', en: 'Some CA' }, region: YUNNAN, services: [service] }
type Change = (claims: TrustListClaims) => void
const changed = (change: Change): TrustListClaims => {
  const claims = structuredClone(claimsOf({ entities: [entity] }))
  change(claims)
  return claims
}
const about = (claims: TrustListClaims) => claims.LoTE.ListAndSchemeInformation
const firstService = (claims: TrustListClaims) =>
  claims.LoTE.TrustedEntitiesList[0]?.TrustedEntityServices[0] as never as {
    ServiceInformation: { ServiceDigitalIdentity: { X509Certificates: { val: string }[] } }
    ServiceHistory?: object[]
  }

describe('a trust list', () => {
  it('is read back from its token as its operator said it', async () => {
    const list = parseTrustList(
      await sealList({
        entities: [
          {
            ...entity,
            services: [{ ...service, crl: ['http://ca.example/a.crl'], profile: { SignerId: 'abc', Pair: 'separate' } }],
          },
        ],
      }),
    )
    expect(list).toMatchObject({ id: YUNNAN, operator: YUNNAN, sequence: 1, issuedAt: ISSUED, nextUpdate: UNTIL })
    expect(list.entities[0]).toMatchObject({ name: { zh: '某认证', en: 'Some CA' }, region: YUNNAN })
    expect(list.entities[0]?.services[0]).toMatchObject({
      type: 'ca',
      crl: ['http://ca.example/a.crl'],
      profile: { signerId: 'abc', pair: 'separate', revocation: 'crl', format: 'RFC5280' },
      statuses: [{ status: 'granted', from: day(1).getTime() }],
    })
  })

  it('of another version is refused before anything else in it is read', async () => {
    const claims = changed(one => {
      about(one).LoTEVersionIdentifier = 2
      one.LoTE.TrustedEntitiesList = ['of another shape'] as never
    })
    const token = await (await signerOf(YUNNAN)).sign('trust-list', claims)
    expect(() => parseTrustList(token)).toThrow('TRUST_LIST_VERSION_UNKNOWN')
  })

  const cases: readonly (readonly [what: string, change: Change])[] = [
    ['a field that the form does not know', one => Object.assign(one.LoTE, { Other: 1 })],
    ["another's identifier", one => (one.lst = '520000')],
    ['the type of a list of lists', one => (about(one).LoTEType = 'urn:hutong:trust:list-of-lists')],
    ['the territory of the country', one => (about(one).SchemeTerritory = 'CN')],
    ['an end before its issue', one => (about(one).NextUpdate = about(one).ListIssueDateTime)],
    [
      'pointers to other lists',
      one =>
        (about(one).PointersToOtherLoTE = [
          {
            LoTELocation: 'urn:hutong:trust-list:520000/520000',
            LoTEQualifiers: [
              { LoTEType: 'urn:hutong:trust:list', SchemeOperatorName: [{ lang: 'zh', value: 'x' }], SchemeTerritory: '520000' },
            ],
          },
        ]),
    ],
    [
      'bytes that are no certificate',
      one => (firstService(one).ServiceInformation.ServiceDigitalIdentity.X509Certificates = [{ val: 'A'.repeat(64) }]),
    ],
    ['one certificate twice', one => one.LoTE.TrustedEntitiesList.push(one.LoTE.TrustedEntitiesList[0] as never)],
    [
      'a history that is not behind the status',
      one =>
        (firstService(one).ServiceHistory = [
          {
            ServiceTypeIdentifier: 'http://uri.etsi.org/TrstSvc/Svctype/CA/PKC',
            ServiceName: [{ lang: 'zh', value: 'x' }],
            ServiceStatus: 'urn:hutong:trust:status:suspended',
            StatusStartingTime: day(2).toISOString(),
          },
        ]),
    ],
  ]
  it.each(cases)('with %s is refused', async (_, change) => {
    const claims = changed(change)
    expect(() => readTrustList(checkListClaims(claims))).toThrow('TRUST_LIST_STRUCTURE_INVALID')
    await expect(sealTrustList(claims, await signerOf(YUNNAN))).rejects.toThrow('TRUST_LIST_STRUCTURE_INVALID')
  })
})

describe('the history of a service', () => {
  const next = (status: 'suspended' | 'granted' | 'withdrawn', since: Date, certificates = service.certificates) =>
    draftEntity({ ...entity, services: [{ ...service, certificates, status, since, why: { zh: '原因', en: 'why' } }] })

  it('is carried on by the next issue, and answers how the service stood at any time', () => {
    const second = carryHistory([draftEntity(entity)], [next('suspended', day(10))])
    const third = carryHistory(second, [next('granted', day(20))])
    const claims = claimsOf({})
    claims.LoTE.TrustedEntitiesList = third
    const [read] = readTrustList(checkListClaims(claims)).entities[0]?.services ?? []
    if (read === undefined) throw new Error('no service')
    const at = (number: number) => recognitionAt(read, day(number).getTime()).status
    expect([0, 1, 9, 10, 19, 20, 30].map(at)).toEqual([
      'not-yet',
      'granted',
      'granted',
      'suspended',
      'suspended',
      'granted',
      'granted',
    ])
    expect(recognitionAt(read, day(15).getTime()).why).toEqual({ zh: '原因', en: 'why' })
    expect(recognisedUntil(read, day(5).getTime())).toBe(day(10).getTime())
    expect(recognisedUntil(read, day(25).getTime())).toBeNull()
  })

  it('cannot be left out, begun anew or changed', () => {
    const first = [draftEntity(entity)]
    const other = certificate({ subject: commonName('另一认证', '另一 CA'), key: p256Key(), ca: true })
    expect(() => carryHistory(first, [])).toThrow('TRUST_LIST_HISTORY_LOST')
    expect(() => carryHistory(first, [next('granted', day(1), [other.der])])).toThrow('TRUST_LIST_HISTORY_LOST')
    expect(() => carryHistory(first, [next('withdrawn', day(0))])).toThrow('TRUST_LIST_HISTORY_LOST')
    expect(() => carryHistory(first, [next('withdrawn', day(1))])).toThrow('TRUST_LIST_HISTORY_LOST')
  })

  it('is untouched by an issue that says the same', () => {
    expect(carryHistory([draftEntity(entity)], [draftEntity(entity)])).toEqual([draftEntity(entity)])
  })
})
