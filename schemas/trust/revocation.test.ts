import { describe, expect, test } from 'vitest'
import type { Crl } from './crl.ts'
import { validatePath } from './path-validation.ts'
import { bits, context, extension, oid, seq, tlv, utf8 } from './sample-der.ts'
import { AT, ask, authority, directory, holder, type ListShape, list, type Made, named, root, uri } from './sample-paths.ts'

const DAY = 86_400_000
const top = root('root')
const ca = authority('ca', top)
const rootList = list(top)

const flag = (number: number): Buffer => tlv(0x80 | number, Buffer.of(0xff))
const scope = (...parts: readonly Buffer[]): Buffer => seq(...parts)
const full = (...names: readonly Buffer[]): Buffer => context(0, context(0, Buffer.concat(names)))
const relative = (text: string): Buffer => context(0, context(1, seq(oid('2.5.4.3'), utf8(text))))
const only = (octet: number, unused: number, second?: number): Buffer =>
  tlv(0x83, Buffer.from([unused, octet, ...(second === undefined ? [] : [second])]))
/** reasons as a distribution point names them: [1] */
const pointReasons = (octet: number, unused: number): Buffer => tlv(0x81, Buffer.of(unused, octet))
const points = (...all: readonly (readonly Buffer[])[]): Buffer => extension('2.5.29.31', seq(...all.map(parts => seq(...parts))))
const crlIssuer = (dn: Buffer): Buffer => context(2, directory(dn))
const HERE = uri('http://ca.example/crl')
const KEY_COMPROMISE = 0b0100_0000

function status(leaf: Made, crls: readonly Crl[], chain: readonly Made[] = [ca, top], more: readonly Made[] = []) {
  return ask([leaf, ...chain.slice(0, -1), ...more, ...chain.slice(-1)], { crls, revocation: 'required' })
}
const leaf = holder('leaf', ca)
const revoked = (one: Made, reason?: number): NonNullable<ListShape['entries']>[number] => ({
  serial: one.certificate.serial,
  ...(reason !== undefined && { reason }),
})

describe('without a distribution point', () => {
  test('a certificate that the list of its issuer does not name is good, and every CA above it needs a list too', () => {
    expect(status(leaf, [rootList, list(ca)])).toMatchObject({
      result: 'good',
      revocation: [{ status: 'good' }, { status: 'good' }],
    })
    expect(status(leaf, [list(ca)])).toMatchObject({ result: 'unchecked', reason: 'REVOCATION_UNKNOWN' })
    expect(status(leaf, [rootList])).toMatchObject({ result: 'unchecked', reason: 'REVOCATION_UNKNOWN' })
  })

  test('one that is named is revoked, with reason and time', () => {
    const verdict = status(leaf, [rootList, list(ca, { entries: [revoked(leaf, 1)] })])
    expect(verdict).toMatchObject({ result: 'bad', reason: 'REVOKED', detail: 'keyCompromise' })
    expect(verdict.revocation.at(-1)).toMatchObject({ status: 'revoked', revokedAt: AT - 30 * DAY })
    expect(status(leaf, [list(top, { entries: [revoked(ca)] }), list(ca)])).toMatchObject({ reason: 'REVOKED' })
  })

  test('unknown is let pass only where it is asked for, revoked never', () => {
    const when = (crls: readonly Crl[]) => ask([leaf, ca, top], { crls, revocation: 'when-known' })
    expect(when([]).result).toBe('good')
    expect(when([list(ca, { entries: [revoked(leaf)] })]).reason).toBe('REVOKED')
    expect(ask([leaf, ca, top], { crls: [list(ca, { entries: [revoked(leaf)] })] }).result).toBe('good')
  })

  const unusable: readonly (readonly [string, Crl])[] = [
    ['of another issuer', list(top, { entries: [] })],
    ['that has run out', list(ca, { from: AT - 9 * DAY, until: AT - DAY })],
    ['that is of a later time', list(ca, { from: AT + DAY })],
    ['without an end', list(ca, { until: null })],
    ['signed with another key', list(ca, { signer: top.key })],
    ['with a critical extension that is unknown', list(ca, { extensions: [extension('1.2.3.4', Buffer.of(5, 0), true)] })],
    [
      'with a critical extension of an entry that is unknown',
      list(ca, { entries: [{ serial: '77', extensions: [extension('1.2.3.4', Buffer.of(5, 0), true)] }] }),
    ],
    ['for attribute certificates', list(ca, { scope: scope(flag(5)) })],
    ['for CA certificates', list(ca, { scope: scope(flag(2)) })],
    ['for a distribution point that the certificate does not name', list(ca, { scope: scope(full(HERE)) })],
    ['for some reasons', list(ca, { scope: scope(only(KEY_COMPROMISE, 6)) })],
    ['that is a delta', list(ca, { base: 3, number: 9 })],
  ]
  for (const [what, crl] of unusable)
    test(`a list ${what} says nothing`, () => {
      expect(status(leaf, [rootList, crl])).toMatchObject({ result: 'unchecked', reason: 'REVOCATION_UNKNOWN' })
    })

  test('a list for users does not speak for CAs, and the reverse', () => {
    expect(status(leaf, [rootList, list(ca, { scope: scope(flag(1)) })]).result).toBe('good')
    expect(status(leaf, [list(top, { scope: scope(flag(2)) }), list(ca)]).result).toBe('good')
    expect(status(leaf, [list(top, { scope: scope(flag(1)) }), list(ca)]).reason).toBe('REVOCATION_UNKNOWN')
  })

  test('a CA that may not sign lists signs none', () => {
    const mute = authority('mute', top, { usages: ['keyCertSign'] })
    const one = holder('one', mute)
    expect(status(one, [rootList, list(mute)], [mute, top]).reason).toBe('REVOCATION_UNKNOWN')
  })

  test('the newest of two lists decides', () => {
    const older = list(ca, { number: 1, from: AT - 9 * DAY })
    const newer = list(ca, { number: 2, from: AT - DAY, entries: [revoked(leaf)] })
    expect(status(leaf, [rootList, older, newer]).reason).toBe('REVOKED')
    expect(status(leaf, [rootList, newer, older]).reason).toBe('REVOKED')
  })

  test('a list without a number is judged as it is issued', () => {
    const crls = [rootList, list(ca, { number: null })]
    expect(ask([leaf, ca, top], { crls, revocation: 'required' }).result).toBe('good')
    expect(ask([leaf, ca, top], { crls, revocation: 'required', profile: 'issuance' }).reason).toBe('REVOCATION_UNKNOWN')
  })
})

describe('with distribution points', () => {
  const at = (...parts: readonly Buffer[]) => holder('pointed', ca, { extensions: [points(parts)] })

  test('the scope of a list matches by any of its full names', () => {
    const pointed = at(full(uri('http://other/'), HERE))
    expect(status(pointed, [rootList, list(ca, { scope: scope(full(HERE, uri('http://third/'))) })]).result).toBe('good')
    expect(status(pointed, [rootList, list(ca, { scope: scope(full(uri('http://third/'))) })]).reason).toBe('REVOCATION_UNKNOWN')
  })

  test('names relative to the issuer are the same as full ones', () => {
    const dn = directory(named('CN=ca', 'CN=part1'))
    expect(status(at(relative('part1')), [rootList, list(ca, { scope: scope(full(dn)) })]).result).toBe('good')
    expect(status(at(full(dn)), [rootList, list(ca, { scope: scope(relative('part1')) })]).result).toBe('good')
    expect(status(at(relative('part2')), [rootList, list(ca, { scope: scope(full(dn)) })]).reason).toBe('REVOCATION_UNKNOWN')
  })

  test('lists of some reasons add up to all of them', () => {
    const pointed = holder('two', ca, {
      extensions: [points([full(HERE), pointReasons(0b0110_0000, 5)], [full(uri('http://rest/'))])],
    })
    const some = list(ca, { number: 1, scope: scope(full(HERE), only(0b0110_0000, 5)) })
    const rest = list(ca, { number: 2, scope: scope(full(uri('http://rest/')), only(0b0001_1111, 7, 0b1000_0000)) })
    expect(status(pointed, [rootList, some, rest]).result).toBe('good')
    expect(status(pointed, [rootList, some])).toMatchObject({ reason: 'REVOCATION_UNKNOWN', detail: 'not every reason is covered' })
    const hit = list(ca, {
      number: 2,
      scope: scope(full(uri('http://rest/')), only(0b0001_1111, 7, 0b1000_0000)),
      entries: [revoked(pointed)],
    })
    expect(status(pointed, [rootList, some, hit]).reason).toBe('REVOKED')
  })
})

describe('indirect lists', () => {
  const signer = holder('lists', top, { usages: ['cRLSign'] })
  const listed = holder('listed', ca, { extensions: [points([full(HERE), crlIssuer(signer.subject)])] })
  const indirect = (entries: NonNullable<ListShape['entries']> = []): Crl =>
    list(signer, { entries, scope: scope(full(HERE), flag(4)) })
  const find = (crls: readonly Crl[], one = listed) => status(one, [rootList, ...crls], [ca, top], [signer])

  test('speak for a certificate that names their issuer, by the issuer that an entry names', () => {
    expect(find([indirect()]).result).toBe('good')
    expect(find([indirect([{ ...revoked(listed), issuer: ca.subject }])]).reason).toBe('REVOKED')
    expect(find([indirect([{ ...revoked(listed), issuer: top.subject }])]).result).toBe('good')
    expect(find([indirect([revoked(listed)])]).result).toBe('good')
  })

  test('carry the issuer of an entry on to the next', () => {
    expect(find([indirect([{ serial: '11', issuer: ca.subject }, revoked(listed)])]).reason).toBe('REVOKED')
  })

  test('say nothing where an entry names an issuer by no name of a directory', () => {
    const nameless = extension('2.5.29.29', seq(uri('http://ca.example/')), true)
    const crl = indirect([{ serial: '11', extensions: [nameless] }, revoked(listed)])
    expect(find([crl])).toMatchObject({ reason: 'REVOCATION_UNKNOWN', detail: 'it cannot be processed' })
  })

  test('with points named relative to their issuer, the one of several that it is', () => {
    const other = named('CN=elsewhere')
    const pointed = holder('several', ca, {
      extensions: [points([relative('part'), context(2, Buffer.concat([directory(other), directory(signer.subject)]))])],
    })
    const crl = list(signer, { scope: scope(relative('part'), flag(4)) })
    expect(find([crl], pointed).result).toBe('good')
  })

  test('say nothing if they are not marked as such, or the certificate does not name them', () => {
    expect(find([list(signer, { scope: scope(full(HERE)) })]).reason).toBe('REVOCATION_UNKNOWN')
    expect(find([indirect()], leaf).reason).toBe('REVOCATION_UNKNOWN')
  })

  test('need a signer with a path to the same anchor', () => {
    const foreign = root('foreign')
    const stranger = holder('lists', foreign, { usages: ['cRLSign'] })
    const crl = list(stranger, { scope: scope(full(HERE), flag(4)) })
    const crls = [rootList, list(foreign), crl]
    const verdict = validatePath({
      leaf: listed.certificate,
      intermediates: [ca.certificate, stranger.certificate],
      anchors: [top.certificate, foreign.certificate],
      crls,
      at: AT,
      revocation: 'required',
    })
    expect(verdict.reason).toBe('REVOCATION_UNKNOWN')
  })

  test('of a signer that is revoked say nothing', () => {
    const crls = [list(top, { entries: [revoked(signer)] }), indirect()]
    expect(status(listed, crls, [ca, top], [signer])).toMatchObject({ reason: 'REVOCATION_UNKNOWN', detail: 'its signer: REVOKED' })
  })

  test('may speak of their own signer, where its issuer says so; in a wider circle nobody vouches for anybody', () => {
    const own = named('CN=own lists')
    const self = holder('own lists', ca, { usages: ['cRLSign'], extensions: [points([full(HERE), crlIssuer(own)])] })
    const pointed = holder('pointed', ca, { extensions: [points([full(HERE), crlIssuer(own)])] })
    const crl = (entries: NonNullable<ListShape['entries']> = []) => list(self, { entries, scope: scope(full(HERE), flag(4)) })
    expect(status(pointed, [rootList, crl()], [ca, top], [self]).result).toBe('good')
    expect(status(pointed, [rootList, crl([{ ...revoked(self), issuer: ca.subject }])], [ca, top], [self]).reason).toBe(
      'REVOCATION_UNKNOWN',
    )
    const [a, b] = [named('CN=a'), named('CN=b')]
    const first = holder('a', ca, { usages: ['cRLSign'], extensions: [points([full(HERE), crlIssuer(b)])] })
    const second = holder('b', ca, { usages: ['cRLSign'], extensions: [points([full(HERE), crlIssuer(a)])] })
    const asked = holder('asked', ca, { extensions: [points([full(HERE), crlIssuer(a)])] })
    const circle = [first, second].map(one => list(one, { scope: scope(full(HERE), flag(4)) }))
    expect(status(asked, [rootList, ...circle], [ca, top], [first, second]).reason).toBe('REVOCATION_UNKNOWN')
  })

  test('signed with another key of the same CA count once that key has its own path', () => {
    const renewed = authority('ca', top)
    expect(status(leaf, [rootList, list(renewed)], [ca, top], [renewed]).result).toBe('good')
    expect(status(leaf, [rootList, list(renewed, { entries: [revoked(leaf)] })], [ca, top], [renewed]).reason).toBe('REVOKED')
    expect(status(leaf, [rootList, list(renewed)]).reason).toBe('REVOCATION_UNKNOWN')
  })
})

describe('deltas', () => {
  const base = (shape: ListShape = {}): Crl => list(ca, { number: 5, ...shape })
  const delta = (shape: ListShape = {}): Crl => list(ca, { number: 8, base: 5, from: AT - DAY, ...shape })
  const HOLD = 6
  const REMOVE = 8

  test('add to the list that they start from, and take back from it', () => {
    expect(status(leaf, [rootList, base(), delta({ entries: [revoked(leaf)] })]).reason).toBe('REVOKED')
    expect(status(leaf, [rootList, base({ entries: [revoked(leaf, HOLD)] }), delta()]).reason).toBe('REVOKED')
    expect(
      status(leaf, [rootList, base({ entries: [revoked(leaf, HOLD)] }), delta({ entries: [revoked(leaf, REMOVE)] })]).result,
    ).toBe('good')
  })

  test('keep a list alive that has run out', () => {
    const old = base({ from: AT - 20 * DAY, until: AT - 5 * DAY })
    expect(status(leaf, [rootList, old, delta()]).result).toBe('good')
    expect(status(leaf, [rootList, old, delta({ base: 6 })]).reason).toBe('REVOCATION_UNKNOWN')
    expect(status(leaf, [rootList, old, delta({ until: AT - DAY / 2 })]).reason).toBe('REVOCATION_UNKNOWN')
    expect(status(leaf, [rootList, old, delta({ signer: top.key })]).reason).toBe('REVOCATION_UNKNOWN')
  })

  test('of somebody else do not hide the one behind them', () => {
    const real = delta({ entries: [revoked(leaf)] })
    const forged = [1, 2, 3].map(later => delta({ number: 8 + later, from: AT - DAY / 2, signer: top.key }))
    expect(status(leaf, [rootList, base(), real, ...forged]).reason).toBe('REVOKED')
    const withUnknown = delta({ number: 9, from: AT - DAY / 2, extensions: [extension('1.2.3.4', Buffer.of(5, 0), true)] })
    expect(status(leaf, [rootList, base(), real, withUnknown]).reason).toBe('REVOKED')
  })

  test('of another scope, or not ahead of the list, are not used', () => {
    const hit = { entries: [revoked(leaf)] }
    expect(status(leaf, [rootList, base(), delta({ ...hit, scope: scope(flag(1)) })]).result).toBe('good')
    expect(status(leaf, [rootList, base(), delta({ ...hit, number: 5 })]).result).toBe('good')
  })
})

test('lists in their thousands end at the bound, unchecked', () => {
  const crls = Array.from({ length: 50 }, (_, index) =>
    list(ca, { number: index + 1, extensions: [extension('1.2.3.4', bits(Buffer.of(1)), true)] }),
  )
  const verdict = ask([leaf, ca, top], { crls: [rootList, ...crls], revocation: 'required', limits: { crls: 20 } })
  expect(verdict).toMatchObject({ result: 'unchecked', reason: 'WORK_LIMIT' })
})
