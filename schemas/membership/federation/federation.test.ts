import { generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { createSigner } from '../../tokens.ts'
import { closingAt, keyNamed, SampleFederation } from '../sample-federation.ts'
import { expiresSoon, expiryOf } from './expiry.ts'
import {
  anchorConfiguration,
  historicalKeys,
  listedEntities,
  memberConfiguration,
  signHistoricalKeys,
  signStatement,
  signTrustMark,
  subordinateStatement,
  trustMarkClaims,
} from './publication.ts'
import { type JsonObject, jwksOf, parseSigned, parseStatement, verifySigned } from './statements.ts'
import { verifyTrustChain } from './trust-chain.ts'
import { listedTrustMarks, openTrustMark } from './trust-marks.ts'

const NOW = new Date('2026-04-01T00:00:00Z')
const later = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000)
const YUNNAN = '530000'
const BASE = 'https://hub.example'

async function published() {
  const federation = await SampleFederation.found()
  await federation.admit(YUNNAN)
  await federation.enter({
    act: 'mark',
    code: YUNNAN,
    mark: 'conformance',
    until: Math.floor(later(10).getTime() / 1000),
    dig: closingAt('e', 'all', 1, 1).dig,
  })
  const { state, anchor } = federation
  const member = await keyNamed(`${YUNNAN} first`)
  const issue = { now: NOW }
  const anchors = [{ id: BASE, jwks: jwksOf(anchorConfiguration(state, issue).jwks) }]
  const mark = await signTrustMark(anchor.signer, trustMarkClaims(state, YUNNAN, 'conformance', NOW))
  const own = memberConfiguration(state, YUNNAN, [{ type: `${BASE}/marks/conformance`, token: mark }], issue)
  const chainWith = async (change: JsonObject = {}, ownChange: JsonObject = {}) => [
    await signStatement(member.signer, { ...own, ...ownChange }),
    await signStatement(anchor.signer, { ...subordinateStatement(state, YUNNAN, issue), ...change }),
  ]
  return { federation, state, anchor, member, anchors, mark, own, chainWith, issue }
}

describe('what the hub and a member publish', () => {
  test('is a trust chain from the member to the anchor, with or without the anchor’s configuration', async () => {
    const { anchors, chainWith, anchor, state, issue } = await published()
    const chain = await chainWith()
    const found = await verifyTrustChain(chain, anchors, NOW)
    expect(found).toMatchObject({ subject: `${BASE}/${YUNNAN}`, anchor: BASE, expiresAt: later(30) })
    expect(found.metadata.hutong_node).toMatchObject({
      code: YUNNAN,
      writes: ['entity', 'trade'],
      audiences: ['all', `node-${YUNNAN}`],
    })
    const whole = [...chain, await signStatement(anchor.signer, anchorConfiguration(state, issue))]
    expect((await verifyTrustChain(whole, anchors, NOW)).anchor).toBe(BASE)
    expect(listedEntities(state)).toEqual([`${BASE}/${YUNNAN}`])
  })

  test('says nothing of a member that is suspended, has left, or is none', async () => {
    const { federation, issue } = await published()
    await federation.enter({ act: 'suspend', code: YUNNAN, closings: [], why: 'inquiry' })
    expect(() => subordinateStatement(federation.state, YUNNAN, issue)).toThrow('MEMBER_SUSPENDED')
    expect(listedEntities(federation.state)).toEqual([])
    await federation.enter({ act: 'leave', code: YUNNAN, change: await federation.change(YUNNAN, { leave: [] }) })
    expect(() => subordinateStatement(federation.state, YUNNAN, issue)).toThrow('MEMBER_UNKNOWN')
    expect(() => subordinateStatement(federation.state, '520000', issue)).toThrow('MEMBER_UNKNOWN')
  })

  test('names retired keys with their end and the positions they are good for', async () => {
    const { federation, anchor, anchors } = await published()
    const next = await keyNamed('next')
    const by = `${YUNNAN} first recovery`
    const retire = [{ kid: (await keyNamed(`${YUNNAN} first`)).jwk.kid, closings: [closingAt('entity', 'all', 1, 7)] }]
    const change = await federation.change(
      YUNNAN,
      { announce: [next.jwk], activate: [next.jwk.kid], retire, stolen: true },
      { by, entering: ['next'] },
    )
    expect(await federation.enter({ act: 'keys', code: YUNNAN, change })).toMatchObject({ kind: 'applied' })
    const token = await signHistoricalKeys(anchor.signer, historicalKeys(federation.state, NOW))
    const parsed = parseSigned(token, 'key-set')
    await verifySigned(parsed, anchors[0]?.jwks ?? [])
    expect(parsed.claims.keys).toMatchObject([
      {
        hutong_owner: `${BASE}/${YUNNAN}`,
        revoked: { reason: 'compromised' },
        hutong_closings: { [`${YUNNAN}/entity/all`]: '1.7' },
      },
    ])
  })
})

describe('a trust chain', () => {
  test('is refused past the end of any statement, and before it was issued', async () => {
    const { anchors, chainWith } = await published()
    const chain = await chainWith()
    await expect(verifyTrustChain(chain, anchors, later(30))).rejects.toThrow('STATEMENT_EXPIRED')
    await expect(verifyTrustChain(chain, anchors, later(-1))).rejects.toThrow('STATEMENT_EXPIRED')
  })

  test('is refused to an anchor that nobody trusts, with a statement about another, and under another key', async () => {
    const { anchors, anchor, state, issue, chainWith, member, own } = await published()
    const chain = await chainWith()
    await expect(verifyTrustChain(chain, [{ id: 'https://other.example', jwks: anchors[0]?.jwks ?? [] }], NOW)).rejects.toThrow(
      'TRUST_CHAIN_BROKEN',
    )
    await expect(verifyTrustChain(await chainWith({ sub: `${BASE}/520000` }), anchors, NOW)).rejects.toThrow('TRUST_CHAIN_BROKEN')
    await expect(verifyTrustChain(chain.slice(1), anchors, NOW)).rejects.toThrow('TRUST_CHAIN_BROKEN')
    await expect(verifyTrustChain([], anchors, NOW)).rejects.toThrow('TRUST_CHAIN_BROKEN')
    const stranger = await keyNamed('stranger')
    const posing = createSigner(member.jwk.kid, 'Ed25519', (await generateKeyPair('Ed25519')).privateKey)
    const posed = [await signStatement(posing, own), chain[1] ?? '']
    await expect(verifyTrustChain(posed, anchors, NOW)).rejects.toThrow('TOKEN_SIGNATURE_INVALID')
    const keyless = await signStatement(member.signer, { ...own, jwks: { keys: [{ ...stranger.jwk }] } })
    await expect(verifyTrustChain([keyless, chain[1] ?? ''], anchors, NOW)).rejects.toThrow('KEY_UNKNOWN')
    const top = await signStatement(anchor.signer, anchorConfiguration(state, issue))
    await expect(verifyTrustChain([...chain, top, top], anchors, NOW)).rejects.toThrow('TRUST_CHAIN_BROKEN')
    const header = Buffer.from(JSON.stringify({ typ: 'entity-statement+jwt', alg: 'SM2', kid: member.jwk.kid })).toString(
      'base64url',
    )
    const renamed = [(chain[0] ?? '').replace(/^[^.]+/, header), chain[1] ?? '']
    await expect(verifyTrustChain(renamed, anchors, NOW)).rejects.toThrow('TOKEN_ALGORITHM_REFUSED')
    const self = await signStatement(stranger.signer, { ...own, jwks: { keys: [{ ...stranger.jwk }] } })
    await expect(verifyTrustChain([self, chain[1] ?? ''], anchors, NOW)).rejects.toThrow('KEY_UNKNOWN')
  })

  test.each([
    ['a region outside the territory', {}, { hutong_platform: { region: '510100' } }, 'TRUST_CHAIN_CONSTRAINED'],
    ['an entity type that is not allowed', {}, { openid_provider: {} }, 'TRUST_CHAIN_CONSTRAINED'],
    ['a host that is not permitted', { naming_constraints: { permitted: ['.example.cn'] } }, {}, 'TRUST_CHAIN_CONSTRAINED'],
    ['a host that is excluded', { naming_constraints: { excluded: ['hub.example'] } }, {}, 'TRUST_CHAIN_CONSTRAINED'],
    ['a constraint that is none', { max_path_length: -1 }, {}, 'STATEMENT_MALFORMED'],
  ])('is refused with %s', async (_, constraints, metadata, code) => {
    const { anchors, chainWith, own, state, issue } = await published()
    const stated = subordinateStatement(state, YUNNAN, issue).constraints as JsonObject
    const changed = await chainWith(
      { constraints: { ...stated, ...constraints } },
      { metadata: { ...(own.metadata as JsonObject), ...metadata } },
    )
    await expect(verifyTrustChain(changed, anchors, NOW)).rejects.toThrow(code)
  })

  test('is refused where it is longer than the anchor allows, and reaches what a member vouches for where it is not', async () => {
    const { anchors, chainWith, member } = await published()
    const id = `${BASE}/${YUNNAN}/530100-01`
    const platform = await keyNamed('platform')
    const times = { iat: NOW.getTime() / 1000, exp: NOW.getTime() / 1000 + 60 }
    const jwks = { keys: [platform.jwk] }
    const region = { metadata: { hutong_platform: { region: '530100' } } }
    const below = [
      await signStatement(platform.signer, { iss: id, sub: id, ...times, jwks, ...region }),
      await signStatement(member.signer, { iss: `${BASE}/${YUNNAN}`, sub: id, ...times, jwks }),
    ]
    const upTo = async (change: JsonObject = {}) => verifyTrustChain([...below, (await chainWith(change))[1] ?? ''], anchors, NOW)
    expect((await upTo()).subject).toBe(id)
    await expect(upTo({ constraints: { max_path_length: 0 } })).rejects.toThrow('TRUST_CHAIN_CONSTRAINED')
    await expect(upTo({ metadata_policy: {} })).rejects.toThrow('TRUST_CHAIN_CONSTRAINED')
  })
})

describe('a statement', () => {
  test.each([
    ['without exp', { exp: undefined }],
    ['without keys', { jwks: undefined }],
    [
      'with a key twice',
      {
        jwks: {
          keys: [
            { kid: 'a', kty: 'OKP' },
            { kid: 'a', kty: 'OKP' },
          ],
        },
      },
    ],
    ['with a critical claim', { crit: ['x'] }],
    ['of an entity that is no URL', { iss: YUNNAN }],
    ['whose metadata are a list', { metadata: [] }],
  ])('is malformed %s', async (_, change) => {
    const { member, own } = await published()
    const token = await signStatement(member.signer, { ...own, ...change })
    expect(() => parseStatement(token)).toThrow('STATEMENT_MALFORMED')
  })

  test('is no other token, and none at all is none', async () => {
    const { mark } = await published()
    for (const token of [mark, 'a.b', '', 'e30.e30.e30']) expect(() => parseStatement(token)).toThrow('STATEMENT_MALFORMED')
  })
})

describe('a trust mark', () => {
  const issuersOf = (anchors: Awaited<ReturnType<typeof published>>['anchors']) =>
    anchors.map(one => ({ ...one, types: [`${BASE}/marks/conformance`] }))

  test('holds for its entity until it ends', async () => {
    const { anchors, own, mark, state } = await published()
    const expected = { subject: `${BASE}/${YUNNAN}`, issuers: issuersOf(anchors) }
    expect(listedTrustMarks({ claims: own })).toEqual([{ type: `${BASE}/marks/conformance`, token: mark }])
    expect(await openTrustMark(mark, expected, NOW)).toMatchObject({ type: `${BASE}/marks/conformance`, expiresAt: later(10) })
    await expect(openTrustMark(mark, expected, later(10))).rejects.toThrow('STATEMENT_EXPIRED')
    expect(() => trustMarkClaims(state, YUNNAN, 'conformance', later(10))).toThrow('TRUST_MARK_INVALID')
    expect(() => trustMarkClaims(state, YUNNAN, 'miping', NOW)).toThrow('TRUST_MARK_INVALID')
  })

  test('is none of another entity, of another type, or of an issuer that is not trusted for it', async () => {
    const { anchors, mark } = await published()
    const expected = { subject: `${BASE}/${YUNNAN}`, issuers: issuersOf(anchors) }
    const refused = (change: Partial<Parameters<typeof openTrustMark>[1]>) =>
      expect(openTrustMark(mark, { ...expected, ...change }, NOW)).rejects.toThrow('TRUST_MARK_INVALID')
    await refused({ subject: `${BASE}/520000` })
    await refused({ type: `${BASE}/marks/miping` })
    await refused({ issuers: anchors.map(one => ({ ...one, types: [] })) })
    expect(() => listedTrustMarks({ claims: { trust_marks: [1] } })).toThrow('STATEMENT_MALFORMED')
    expect(() => listedTrustMarks({ claims: { trust_marks: {} } })).toThrow('STATEMENT_MALFORMED')
  })
})

test('the end of a statement is told in its last third, and nothing stops with it', () => {
  const statement = { issuedAt: NOW, expiresAt: later(30) }
  expect(expiryOf(statement, later(19)).state).toBe('valid')
  expect(expiryOf(statement, later(21))).toEqual({ state: 'soon', seconds_left: 9 * 86_400 })
  expect(expiryOf(statement, later(31))).toEqual({ state: 'expired', seconds_left: 0 })
  expect([expiresSoon(statement, NOW), expiresSoon(statement, later(21))]).toEqual([false, true])
})
