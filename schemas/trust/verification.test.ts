import { describe, expect, it } from 'vitest'
import { parseCertificate } from './certificate.ts'
import { parseCrl } from './crl.ts'
import type { EntityDraft } from './list-draft.ts'
import { certificate, commonName, crl, extension, int, p256Key, type SampleCertificate, sm2Key, utf8 } from './sample-der.ts'
import { claimsOf, GUIZHOU, ISSUED, type ListSample, NATIONAL, UNTIL, YUNNAN } from './sample-lists.ts'
import { checkListClaims, readTrustList } from './trust-list.ts'
import { createTrustMaterial, hasAnchors } from './trust-material.ts'
import { type HeldMaterial, keyUseOf, verifyCertificate } from './verification.ts'

const AT = ISSUED + 86_400_000
const root = certificate({ subject: commonName('国家根', '根'), key: sm2Key(), ca: true, serial: 1 })
const ca = certificate({ subject: commonName('云南认证', '云南 CA'), key: sm2Key(), ca: true, issuer: root, serial: 2 })
const leaf = certificate({
  subject: commonName('某公司', '某公司'),
  key: sm2Key(),
  issuer: ca,
  serial: 7,
  extensions: [extension('1.2.156.10260.4.4', utf8('91530100MA6K00001A'))],
})
const good = crl(ca, [], { thisUpdate: ISSUED, nextUpdate: UNTIL })

type Draft = Partial<EntityDraft['services'][number]>
const entity = (of: SampleCertificate, more: Draft = {}, region = YUNNAN): EntityDraft => ({
  name: { zh: '云南认证', en: 'Yunnan CA' },
  region,
  services: [{ name: { zh: '签发', en: 'issuing' }, certificates: [of.der], since: new Date(ISSUED), ...more }],
})
const listOf = (sample: ListSample, withdrawnAt: number | null = null) => {
  const token = JSON.stringify(sample, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value))
  return { list: readTrustList(checkListClaims(claimsOf(sample)), token), withdrawnAt }
}
const materialOf = (samples: readonly ListSample[], nationalNeeded = false): HeldMaterial => ({
  trust: createTrustMaterial(
    samples.map(sample => listOf(sample)),
    nationalNeeded,
  ),
  crls: [parseCrl(good)],
  authorities: [],
})
const ask = (held: HeldMaterial, more: Partial<Parameters<typeof verifyCertificate>[0]> = {}) =>
  verifyCertificate({ leaf: parseCertificate(leaf.der), intermediates: [], at: AT, purpose: 'sign', ...more }, held)
const said = (held: HeldMaterial, more: Partial<Parameters<typeof verifyCertificate>[0]> = {}) => {
  const { result, reason } = ask(held, more)
  return `${result} ${reason}`
}

describe('a certificate is judged by what the lists said at that time', () => {
  it('good under an authority that is granted, with its holder and where it comes from', () => {
    expect(ask(materialOf([{ entities: [entity(ca)] }]))).toMatchObject({
      result: 'good',
      holder: { kind: 'organisation', uscc: '91530100MA6K00001A' },
      ca: { region: YUNNAN, list: YUNNAN, status: 'granted' },
    })
  })

  it.each([
    ['suspended', 'bad CA_SUSPENDED'],
    ['withdrawn', 'bad CA_WITHDRAWN'],
  ] as const)('bad while it is %s, though the mathematics are right', (status, expected) => {
    expect(said(materialOf([{ entities: [entity(ca, { status })] }]))).toBe(expected)
  })

  it('bad before the authority was recognised, and unchecked once its list has expired', () => {
    const held = materialOf([{ entities: [entity(ca)] }])
    expect(said(held, { at: ISSUED - 1000 })).toBe('bad CA_NOT_RECOGNISED_YET')
    expect(said(held, { at: UNTIL })).toBe('unchecked TRUST_LIST_EXPIRED')
  })

  it('a root in the lists brings no withdrawn authority back', () => {
    const held = materialOf([{ entities: [entity(root, { type: 'root' }), entity(ca, { status: 'withdrawn' })] }])
    expect(said(held, { intermediates: [parseCertificate(ca.der)] })).toBe('bad CA_WITHDRAWN')
  })

  it('a cross-certificate of another authority brings it back neither', () => {
    const other = certificate({ subject: commonName('别处认证', '别处 CA'), key: p256Key(), ca: true, serial: 3 })
    const cross = certificate({ subject: ca.subject, key: ca.key, issuer: other, ca: true, serial: 4 })
    const held = materialOf([{ entities: [entity(other), entity(ca, { status: 'withdrawn' })] }])
    const crls = [parseCrl(good), parseCrl(crl(other, [], { thisUpdate: ISSUED, nextUpdate: UNTIL }))]
    expect(said({ ...held, crls }, { intermediates: [parseCertificate(cross.der)] })).toBe('bad CA_WITHDRAWN')
  })

  it('one list that grants it is enough, whoever else has withdrawn it', () => {
    const held = materialOf([
      { entities: [entity(ca, { status: 'withdrawn' })] },
      { operator: GUIZHOU, entities: [entity(ca, {}, GUIZHOU)] },
    ])
    expect(ask(held)).toMatchObject({ result: 'good', ca: { list: GUIZHOU } })
  })

  it('a root alone vouches for authorities, not for their holders', () => {
    const held = materialOf([{ entities: [entity(root, { type: 'root' })] }])
    expect(said(held, { intermediates: [parseCertificate(ca.der)] })).toBe('unchecked ISSUER_UNKNOWN')
    expect(said(held, { leaf: parseCertificate(ca.der), purpose: 'ca', revocation: 'when-known' })).toBe('good GOOD')
  })

  it('a list that was taken back counts up to that time', () => {
    const trust = createTrustMaterial([listOf({ entities: [entity(ca)] }, AT)], false)
    const held = { trust, crls: [parseCrl(good)], authorities: [] }
    expect([said(held, { at: AT - 1 }), said(held)]).toEqual(['good GOOD', 'bad CA_WITHDRAWN'])
  })
})

describe('the national list of lists', () => {
  const own = { entities: [entity(ca)] }
  it('is waited for where the membership log has somebody to operate it', () => {
    const held = materialOf([own], true)
    expect(hasAnchors(held.trust, AT)).toBe(false)
    expect(said(held)).toBe('unchecked TRUST_ANCHORS_MISSING')
  })
  it('decides which lists count', () => {
    expect(said(materialOf([own, { operator: NATIONAL, names: [YUNNAN] }], true))).toBe('good GOOD')
    expect(said(materialOf([own, { operator: NATIONAL, names: [GUIZHOU] }], true))).not.toBe('good GOOD')
  })
})

describe('revocation', () => {
  it('that is unknown is never "not revoked"', () => {
    expect(said({ ...materialOf([{ entities: [entity(ca)] }]), crls: [] })).toBe('unchecked REVOCATION_UNKNOWN')
  })
  it('is asked for unless the list says that the authority publishes none', () => {
    expect(said({ ...materialOf([{ entities: [entity(ca, { profile: { Revocation: 'none' } })] }]), crls: [] })).toBe('good GOOD')
  })
  it('takes effect, and the verdict before it says when it ends', () => {
    const at = AT + 5000
    const crls = [parseCrl(crl(ca, [{ serial: int(7), at }], { thisUpdate: ISSUED, nextUpdate: UNTIL }))]
    const held = { ...materialOf([{ entities: [entity(ca)] }]), crls }
    expect(said(held, { at: at + 1000 })).toBe('bad REVOKED')
  })
})

describe('the profile of an authority', () => {
  it('refuses an algorithm that it does not issue with', () => {
    expect(said(materialOf([{ entities: [entity(ca, { profile: { Algorithms: ['1.2.840.10045.4.3.2'] } })] }]))).toBe(
      'bad ALGORITHM_NOT_OF_PROFILE',
    )
    expect(said(materialOf([{ entities: [entity(ca, { profile: { Algorithms: ['1.2.156.10197.1.501'] } })] }]))).toBe('good GOOD')
  })
  it('with another signer ID makes every signature of the authority another one', () => {
    expect(said(materialOf([{ entities: [entity(ca, { profile: { SignerId: 'another' } })] }]))).toMatch(/^bad /)
  })
  it('with pairs never takes the signature of a key that also encrypts', () => {
    const both = certificate({
      subject: leaf.subject,
      key: leaf.key,
      issuer: ca,
      serial: 8,
      usages: ['digitalSignature', 'keyEncipherment'],
    })
    const one = parseCertificate(both.der)
    expect(keyUseOf(one)).toBe('both')
    const held = materialOf([{ entities: [entity(ca, { profile: { Pair: 'separate' } })] }])
    expect(said(held, { leaf: one })).toBe('bad PAIR_RULE')
    expect(said(held, { leaf: one, purpose: 'encrypt' })).toBe('good GOOD')
  })
})

it('a verdict names the first time at which it may change', () => {
  const held = materialOf([{ entities: [entity(ca)], nextUpdate: AT + 9000 }])
  expect(ask(held).validUntil).toBe(AT + 9000)
})

it('the list of an operator that has left the federation counts no more', () => {
  const trust = createTrustMaterial([listOf({ entities: [entity(ca)] })], false, new Set([YUNNAN]))
  expect(said({ trust, crls: [parseCrl(good)], authorities: [] })).toBe('unchecked TRUST_ANCHORS_MISSING')
})
