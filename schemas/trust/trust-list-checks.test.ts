import { beforeAll, describe, expect, it } from 'vitest'
import type { Membership } from '../membership.ts'
import type { EntityDraft } from './list-draft.ts'
import { certificate, commonName, p256Key } from './sample-der.ts'
import { claimsOf, GUIZHOU, ISSUED, NATIONAL, sealList, signerOf, trustFederation, UNTIL, YUNNAN } from './sample-lists.ts'
import { parseTrustList } from './trust-list.ts'
import { checkSuccession, judgeTrustList, LIST_CHECKS } from './trust-list-checks.ts'

const ca = certificate({ subject: commonName('某认证', '某 CA'), key: p256Key(), ca: true })
const entityOf = (region: string): EntityDraft => ({
  name: { zh: '某认证', en: 'Some CA' },
  region,
  services: [{ name: { zh: '签发', en: 'issuing' }, certificates: [ca.der], since: new Date(ISSUED) }],
})

let membership: Membership
let withNational: Membership
beforeAll(async () => {
  membership = await trustFederation()
  withNational = await trustFederation({ national: true })
})

const judge = (token: string, more: Partial<Parameters<typeof judgeTrustList>[1]> = {}) =>
  judgeTrustList(token, { membership, at: null, now: ISSUED + 1000, completeAt: null, budgetSeconds: 3600, ...more })
const verdicts = async (token: string, more: Partial<Parameters<typeof judgeTrustList>[1]> = {}) =>
  Object.fromEntries((await judge(token, more)).checks.map(({ id, verdict, code }) => [id, verdict === 'failed' ? code : verdict]))
const ALL_PASSED = { version: 'passed', structure: 'passed', signature: 'passed', expiry: 'passed', freshness: 'passed' }

describe('the five checks of a list', () => {
  it('are five, each reported by itself', async () => {
    expect(Object.keys(LIST_CHECKS)).toHaveLength(5)
    expect(await verdicts(await sealList({ entities: [entityOf(YUNNAN)] }))).toEqual(ALL_PASSED)
  })

  it('an expired list is genuine and expired, and nothing else', async () => {
    const token = await sealList({ entities: [entityOf(YUNNAN)] })
    expect(await verdicts(token, { now: UNTIL })).toEqual({ ...ALL_PASSED, expiry: 'TRUST_LIST_EXPIRED' })
    expect((await judge(token, { now: UNTIL })).genuine).toBe(true)
  })

  it('a list that nobody has confirmed lately is stale, and nothing else', async () => {
    const now = ISSUED + 10_000_000
    const token = await sealList({ entities: [entityOf(YUNNAN)] })
    expect(await verdicts(token, { now, completeAt: now - 3_600_000 })).toEqual(ALL_PASSED)
    expect(await verdicts(token, { now, completeAt: now - 3_601_000 })).toEqual({ ...ALL_PASSED, freshness: 'TRUST_LIST_STALE' })
  })

  it("a list signed with another's key is badly signed, and no list at all", async () => {
    const token = await (await signerOf(GUIZHOU)).sign('trust-list', claimsOf({ entities: [entityOf(YUNNAN)] }))
    expect(await verdicts(token)).toMatchObject({ structure: 'passed', signature: 'TRUST_LIST_SIGNATURE_INVALID' })
    expect((await judge(token)).genuine).toBe(false)
  })

  it('a list of another version has its version refused and nothing else judged', async () => {
    const claims = claimsOf({ entities: [entityOf(YUNNAN)] })
    claims.LoTE.ListAndSchemeInformation.LoTEVersionIdentifier = 2
    const token = await (await signerOf(YUNNAN)).sign('trust-list', claims)
    expect(await verdicts(token)).toEqual({
      version: 'TRUST_LIST_VERSION_UNKNOWN',
      structure: 'unchecked',
      signature: 'unchecked',
      expiry: 'unchecked',
      freshness: 'unchecked',
    })
  })

  it.each(['', 'a.b.c', 'x'.repeat(600_000)])('bytes that are no token have a structure that is refused (%#)', async token => {
    expect(await verdicts(token)).toMatchObject({ structure: 'TRUST_LIST_STRUCTURE_INVALID', signature: 'unchecked' })
  })
})

describe('who may operate a list', () => {
  it('a member for authorities of its own territory, cities of it among them', async () => {
    expect(await verdicts(await sealList({ entities: [entityOf('530100')] }))).toEqual(ALL_PASSED)
  })
  it.each([GUIZHOU, 'CN', '990000'])('not for authorities of %s', async region => {
    expect(await verdicts(await sealList({ entities: [entityOf(region)] }))).toMatchObject({ signature: 'TERRITORY_FOREIGN' })
  })
  it('the list of lists is operated by the national member that the membership log has, and by nobody else', async () => {
    const token = await sealList({ operator: NATIONAL, names: [YUNNAN] })
    expect(await verdicts(token, { membership: withNational })).toEqual(ALL_PASSED)
    expect(await verdicts(token)).toMatchObject({ signature: 'TRUST_LIST_SIGNATURE_INVALID' })
  })
  it('a list stands in the log of its own operator', async () => {
    const at = { log: { origin: GUIZHOU, dataset: 'trust', audience: 'all' }, position: { epoch: 1, seq: 1 } }
    expect(await verdicts(await sealList({}), { at })).toMatchObject({ signature: 'TRUST_LIST_OPERATOR_FOREIGN' })
  })
})

describe('succession', () => {
  it('only a later issue replaces an issue', async () => {
    const [first, second, other] = await Promise.all(
      [{ sequence: 1 }, { sequence: 2 }, { sequence: 2, nextUpdate: UNTIL + 1000 }].map(async sample =>
        parseTrustList(await sealList(sample)),
      ),
    )
    if (first === undefined || second === undefined || other === undefined) throw new Error('no lists')
    expect(checkSuccession(null, first)).toBe('newer')
    expect(checkSuccession(first, second)).toBe('newer')
    expect(checkSuccession(second, second)).toBe('same')
    expect(() => checkSuccession(second, first)).toThrow('TRUST_LIST_OLDER')
    expect(() => checkSuccession(second, other)).toThrow('TRUST_LIST_ISSUE_TWICE')
  })
})
