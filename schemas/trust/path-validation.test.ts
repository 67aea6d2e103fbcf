import { describe, expect, test } from 'vitest'
import { LEGACY_ALGORITHM_POLICY } from './algorithm-policy.ts'
import { type Certificate, parseCertificate } from './certificate.ts'
import { createProven, type PathQuestion, validatePath } from './path-validation.ts'
import { EXTENDED_KEY_USAGE, PURPOSES } from './purposes.ts'
import { REASONS, type ReasonCode } from './reasons.ts'
import { bool, context, ed25519Key, extension, int, keyId, name, oct, rsaKey, seq, tlv } from './sample-der.ts'
import {
  AT,
  alternatives,
  ask,
  authority,
  derOf,
  dns,
  email,
  holder,
  ip,
  type Made,
  made,
  named,
  purposes,
  root,
} from './sample-paths.ts'

const top = root('root')
const ca = authority('ca', top)
const leaf = holder('leaf', ca)
const rsa = rsaKey()
const YEAR = 365 * 86_400_000

describe('a path', () => {
  test('is good from leaf to anchor, and the verdict lists every step with its clause', () => {
    const verdict = ask([leaf, ca, top])
    expect(verdict).toMatchObject({ result: 'good', reason: 'GOOD', work: { signatures: 2, visited: 2 } })
    expect(verdict.chain.map(({ fingerprint }) => fingerprint)).toEqual(
      [leaf, ca, top].map(({ certificate }) => certificate.fingerprint),
    )
    expect(verdict.steps.every(({ ok, clause }) => ok && /^(RFC|GB)/.test(clause))).toBe(true)
    expect(new Set(verdict.steps.map(({ check }) => check))).toContain('signature')
  })

  test('that leads to no anchor is unchecked, at no cost', () => {
    expect(ask([leaf, ca, top], { anchors: [] })).toMatchObject({
      result: 'unchecked',
      reason: 'ISSUER_UNKNOWN',
      work: { signatures: 0 },
    })
    expect(ask([leaf, top])).toMatchObject({ reason: 'ISSUER_UNKNOWN' })
  })

  test('ends at an anchor that is no root', () => {
    expect(ask([leaf, ca], { intermediates: [top.certificate] }).result).toBe('good')
  })

  test('of nothing but an anchor is good', () => {
    expect(ask([top])).toMatchObject({ result: 'good', chain: [top.certificate] })
    expect(ask([top], { at: AT + 20 * YEAR }).reason).toBe('EXPIRED')
  })

  test('whose signature is another key’s is bad, and the failing step is the last', () => {
    const forged = holder('leaf', ca, { signer: ed25519Key() })
    const verdict = ask([forged, ca, top])
    expect(verdict).toMatchObject({ result: 'bad', reason: 'SIGNATURE_BAD' })
    expect(verdict.steps.at(-1)).toMatchObject({ ok: false, check: 'signature', certificate: forged.certificate.fingerprint })
  })

  test('finds the way on which nothing is wrong', () => {
    const other = root('other')
    const expired = authority('ca', other, { key: ca.key, until: AT - YEAR / 2 })
    const question = { anchors: [other.certificate, top.certificate], intermediates: [expired.certificate, ca.certificate] }
    expect(ask([leaf, top], question).chain).toHaveLength(3)
    expect(ask([leaf, top], { ...question, intermediates: [expired.certificate] })).toMatchObject({
      result: 'bad',
      reason: 'EXPIRED',
    })
  })

  test('goes through a CA that renews its key, which adds nothing to its length', () => {
    const first = authority('renewed', top, { pathLength: 0 })
    const second = authority('renewed', first)
    const one = holder('one', second)
    expect(ask([one, second, first, top], { maxPathLength: 1 }).result).toBe('good')
    expect(ask([one, second, first, top], { maxPathLength: 0 }).reason).toBe('PATH_TOO_LONG')
    expect(ask([holder('two', authority('below', first)), authority('below', first), first, top]).result).not.toBe('good')
  })

  test('may not be longer than a CA or an anchor says; a CA as leaf does not count', () => {
    const narrow = authority('narrow', top, { pathLength: 0 })
    const below = authority('below', narrow)
    expect(ask([holder('x', below), below, narrow, top]).reason).toBe('PATH_TOO_LONG')
    expect(ask([below, narrow, top]).result).toBe('good')
    const anchor = root('short', { pathLength: 0 })
    const under = authority('under', anchor)
    expect(ask([holder('y', under), under, anchor]).reason).toBe('PATH_TOO_LONG')
  })
})

describe('each certificate is held to its role', () => {
  const cases: readonly (readonly [string, ReasonCode, () => readonly Made[]])[] = [
    ['an issuer without basicConstraints', 'NOT_A_CA', () => below(authority('x', top, { without: ['2.5.29.19'] }))],
    [
      'an issuer with cA false',
      'NOT_A_CA',
      () => below(authority('x', top, { extensions: [extension('2.5.29.19', seq(), true)] })),
    ],
    [
      'an issuer that may not sign certificates',
      'CERTIFICATE_SIGNING_NOT_ALLOWED',
      () => below(authority('x', top, { usages: ['cRLSign'] })),
    ],
    ['an anchor of version 3 without basicConstraints', 'NOT_A_CA', () => belowAnchor(root('x', { without: ['2.5.29.19'] }))],
    [
      'an anchor that may not sign certificates',
      'CERTIFICATE_SIGNING_NOT_ALLOWED',
      () => belowAnchor(root('x', { usages: ['cRLSign'] })),
    ],
    ['an anchor that has expired', 'EXPIRED', () => belowAnchor(root('x', { until: AT - YEAR }))],
    ['a leaf that is not yet valid', 'NOT_YET_VALID', () => [holder('x', ca, { from: AT + YEAR }), ca, top]],
    [
      'a leaf with an unknown critical extension',
      'CRITICAL_EXTENSION_UNKNOWN',
      () => [holder('x', ca, { extensions: [UNKNOWN] }), ca, top],
    ],
    [
      'an anchor with an unknown critical extension',
      'CRITICAL_EXTENSION_UNKNOWN',
      () => belowAnchor(root('x', { extensions: [UNKNOWN] })),
    ],
    [
      'a leaf with two different algorithms',
      'SIGNATURE_ALGORITHM_MISMATCH',
      () => [holder('x', ca, { algorithm: rsa.algorithm }), ca, top],
    ],
  ]
  const UNKNOWN = extension('1.3.6.1.4.1.55738.666.1', Buffer.of(5, 0), true)
  const below = (issuer: Made): readonly Made[] => [holder('below', issuer), issuer, top]
  const belowAnchor = (anchor: Made): readonly Made[] => [holder('below', anchor), anchor]
  for (const [what, reason, chain] of cases)
    test(`${what}: ${reason}`, () => {
      expect(ask(chain())).toMatchObject({ reason, result: REASONS[reason].result })
    })

  test('an anchor of version 1 is a CA because somebody said so, an intermediate of version 1 is none', () => {
    const old = root('old', { version: 1 })
    expect(ask([holder('x', old), old]).result).toBe('good')
    const between = authority('between', top, { version: 1 })
    expect(ask([holder('x', between), between, top]).reason).toBe('NOT_A_CA')
  })

  test('time is taken to the second, both ends included', () => {
    const { notAfter, notBefore } = leaf.certificate
    const wide = root('wide', { from: 0, until: Date.UTC(2049, 0, 1) })
    const one = holder('one', wide)
    const at = (time: number) => ask([one, wide], { at: time }).reason
    expect([at(notAfter), at(notAfter + 999), at(notAfter + 1000)]).toEqual(['GOOD', 'GOOD', 'EXPIRED'])
    expect([at(notBefore), at(notBefore - 1)]).toEqual(['GOOD', 'NOT_YET_VALID'])
  })
})

describe('the question', () => {
  const served = holder('served', ca, {
    usages: ['digitalSignature'],
    extensions: [
      alternatives(dns('a.example.com'), dns('*.example.org'), ip(192, 0, 2, 1), email('Me@example.com')),
      purposes(EXTENDED_KEY_USAGE.server),
    ],
  })
  const reason = (question: Partial<PathQuestion>, chain: readonly Made[] = [served, ca, top]) => ask(chain, question).reason

  test('names what the key and the certificate are for', () => {
    expect(reason({ purpose: PURPOSES.sign })).toBe('GOOD')
    expect(reason({ purpose: PURPOSES.encrypt })).toBe('KEY_USAGE_REFUSED')
    expect(reason({ purpose: PURPOSES.server })).toBe('GOOD')
    expect(reason({ purpose: PURPOSES.login })).toBe('EXTENDED_KEY_USAGE_REFUSED')
    expect(reason({ purpose: PURPOSES.ca })).toBe('NOT_A_CA')
    expect(reason({ purpose: PURPOSES.ca }, [ca, top])).toBe('GOOD')
    expect(reason({ purpose: PURPOSES.timestamp }, [leaf, ca, top])).toBe('EXTENDED_KEY_USAGE_REFUSED')
    expect(reason({ purpose: { keyUsage: ['digitalSignature', 'nonRepudiation'] } })).toBe('KEY_USAGE_REFUSED')
  })

  test('holds the CAs above to the purposes they name', () => {
    const limited = authority('limited', top, { extensions: [purposes(EXTENDED_KEY_USAGE.email)] })
    const open = authority('open', top, { extensions: [purposes(EXTENDED_KEY_USAGE.any)] })
    const under = (by: Made): readonly Made[] => [holder('x', by, { extensions: [purposes(EXTENDED_KEY_USAGE.server)] }), by, top]
    expect(reason({ purpose: PURPOSES.server }, under(limited))).toBe('EXTENDED_KEY_USAGE_REFUSED')
    expect(reason({ purpose: PURPOSES.server }, under(open))).toBe('GOOD')
    expect(reason({}, under(limited))).toBe('GOOD')
  })

  const names: readonly (readonly [NonNullable<PathQuestion['names']>[number], boolean])[] = [
    [{ kind: 'dns', value: 'A.example.com' }, true],
    [{ kind: 'dns', value: 'b.example.org' }, true],
    [{ kind: 'dns', value: 'b.c.example.org' }, false],
    [{ kind: 'dns', value: 'example.org' }, false],
    [{ kind: 'dns', value: '*.example.org' }, true],
    [{ kind: 'dns', value: 'served' }, false],
    [{ kind: 'ip', value: '192.0.2.1' }, true],
    [{ kind: 'ip', value: '::ffff:192.0.2.1' }, false],
    [{ kind: 'ip', value: 'a.example.com' }, false],
    [{ kind: 'email', value: 'Me@EXAMPLE.com' }, true],
    [{ kind: 'email', value: 'me@example.com' }, false],
  ]
  for (const [peer, is] of names)
    test(`${peer.kind} ${peer.value} is ${is ? '' : 'not '}presented`, () => {
      expect(reason({ names: [peer] })).toBe(is ? 'GOOD' : 'PEER_NAME_MISMATCH')
    })

  test('is answered only if every name is presented', () => {
    expect(reason({ names: [names[0]?.[0] ?? { kind: 'dns', value: '' }, { kind: 'dns', value: 'x.y' }] })).toBe(
      'PEER_NAME_MISMATCH',
    )
  })

  test('says which algorithms and sizes are accepted', () => {
    const none = { ...LEGACY_ALGORITHM_POLICY, signatures: new Set(['sm2-sm3']) }
    expect(reason({ algorithms: none })).toBe('SIGNATURE_ALGORITHM_REFUSED')
    expect(reason({ algorithms: { ...LEGACY_ALGORITHM_POLICY, keys: { rsa: 2048 } } })).toBe('KEY_REFUSED')
  })
})

describe('profiles', () => {
  const strict = (chain: readonly Made[]) => [ask(chain).reason, ask(chain, { profile: 'issuance' }).reason]
  const cases: readonly (readonly [ReasonCode, () => readonly Made[]])[] = [
    ['SERIAL_NOT_POSITIVE', () => [holder('x', ca, { serial: 0 }), ca, top]],
    ['SERIAL_NOT_POSITIVE', () => [holder('x', ca, { serial: Buffer.of(0x80) }), ca, top]],
    ['SERIAL_TOO_LONG', () => [holder('x', ca, { serial: Buffer.alloc(21, 1) }), ca, top]],
    ['ALTERNATIVE_NAME_MISSING', () => [holder('x', ca, { subject: named() }), ca, top]],
    [
      'ALTERNATIVE_NAME_NOT_CRITICAL',
      () => [holder('x', ca, { subject: named(), extensions: [alternatives(dns('a.b'))] }), ca, top],
    ],
    ['ALTERNATIVE_NAME_MALFORMED', () => [holder('x', ca, { extensions: [alternatives(dns('a_b.example.com'))] }), ca, top]],
    ['ALTERNATIVE_NAME_MALFORMED', () => [holder('x', ca, { extensions: [alternatives(dns('8.8.8.8'))] }), ca, top]],
    ['ALTERNATIVE_NAME_MALFORMED', () => [holder('x', ca, { extensions: [alternatives(dns('\u00e9.example.com'))] }), ca, top]],
    ['NAME_TEXT', () => [holder('x', ca, { subject: name(['2.5.4.10', tlv(0x13, Buffer.of(0xb9, 0xfa))]) }), ca, top]],
    ['AUTHORITY_KEY_ID_MISSING', () => [holder('x', ca, { without: ['2.5.29.35'] }), ca, top]],
    ['SUBJECT_KEY_ID_MISSING', () => belowRoot({ without: ['2.5.29.14'] })],
    ['EXTENSION_CRITICALITY', () => belowRoot({ extensions: [extension('2.5.29.19', seq(bool(true)))] })],
    ['EXTENSION_CRITICALITY', () => belowRoot({ key: rsa, extensions: [extension('2.5.29.14', oct(keyId(rsa)), true)] })],
    ['KEY_USAGE_EMPTY', () => [holder('x', ca, { usages: [] }), ca, top]],
    ['BASIC_CONSTRAINTS_INCONSISTENT', () => [holder('x', ca, { usages: ['keyCertSign'] }), ca, top]],
    [
      'NAME_CONSTRAINTS_NOT_CA',
      () => [holder('x', ca, { extensions: [extension('2.5.29.30', seq(context(0, seq(dns('a.b')))), true)] }), ca, top],
    ],
  ]
  const belowRoot = (shape: Parameters<typeof root>[1]): readonly Made[] => {
    const anchor = root('odd', shape)
    return [holder('x', anchor), anchor]
  }
  for (const [index, [reason, chain]] of cases.entries())
    test(`${reason} (${index + 1}) is a matter of how it was issued, not of the path`, () => {
      expect(strict(chain())).toEqual(['GOOD', reason])
    })

  test('a root may leave out who signed it', () => {
    expect(strict([leaf, ca, top])).toEqual(['GOOD', 'GOOD'])
  })
})

describe('hostile material', () => {
  const many = (count: number, shape: (index: number) => Certificate): Certificate[] =>
    Array.from({ length: count }, (_, index) => shape(index))

  test('of CAs that all certify each other is searched within the bound, and the way out is found at once', () => {
    const keys = many(50, () => leaf.certificate).map(() => ed25519Key())
    const name = (index: number) => named(`CN=web ${index}`)
    const web = keys.flatMap((key, to) =>
      keys.flatMap((signer, from) => (from === to ? [] : [parseCertificate(webOf(name(to), key, name(from), signer))])),
    )
    const [first, last] = [keys[0] ?? ed25519Key(), keys[49] ?? ed25519Key()]
    const bottom = made({ subject: named('CN=bottom'), issuer: name(49), signer: last })
    const entry = parseCertificate(webOf(name(0), first, top.subject, top.key))
    const question = { at: AT, crls: [], revocation: 'ignored' as const, leaf: bottom.certificate }
    const good = validatePath({ ...question, anchors: [top.certificate], intermediates: [...web, entry] })
    expect(good).toMatchObject({ result: 'good', work: { signatures: 3 } })
    expect(validatePath({ ...question, anchors: [top.certificate], intermediates: web })).toMatchObject({
      reason: 'ISSUER_UNKNOWN',
    })
    const refused = validatePath({ ...question, anchors: [top.certificate], intermediates: [...web, entry], maxPathLength: 0 })
    expect(refused.result).not.toBe('good')
    expect(refused.work.signatures).toBeLessThanOrEqual(256)
  })

  test('of a crowd of CAs with one name costs no more signatures than the bound, and the key identifier leads to the right one', () => {
    const key = ed25519Key()
    const spare = Array.from({ length: 40 }, () => ed25519Key())
    const crowd = many(1500, index => parseCertificate(webOf(ca.subject, spare[index % 40] ?? key, top.subject, top.key)))
    const question = {
      at: AT,
      crls: [],
      revocation: 'ignored' as const,
      anchors: [top.certificate],
      intermediates: [...crowd, ca.certificate],
    }
    expect(validatePath({ ...question, leaf: leaf.certificate })).toMatchObject({ result: 'good', work: { signatures: 2 } })
    const blind = holder('blind', ca, { without: ['2.5.29.35'], signer: key })
    expect(validatePath({ ...question, leaf: blind.certificate }).work.signatures).toBeLessThanOrEqual(256)
  })

  test('of a long chain ends at the bound on depth', () => {
    let by = top
    const chain = [top]
    for (let index = 0; index < 30; index++) {
      by = authority(`ca ${index}`, by)
      chain.unshift(by)
    }
    expect(ask([holder('deep', by), ...chain])).toMatchObject({ result: 'unchecked', reason: 'WORK_LIMIT' })
  })

  test('with one certificate twice, or the leaf among the CAs, is no loop', () => {
    expect(ask([leaf, leaf, ca, ca, top, top]).result).toBe('good')
    const self = made({ subject: named('CN=self'), ca: true })
    expect(ask([self, self, top]).reason).toBe('ISSUER_UNKNOWN')
  })

  function webOf(
    subject: Buffer,
    key: ReturnType<typeof ed25519Key>,
    issuer: Buffer,
    signer: ReturnType<typeof ed25519Key>,
  ): Buffer {
    return derOf(
      {
        subject,
        issuer,
        signer,
        ca: true,
        serial: int(Math.floor(Math.random() * 2 ** 31)).subarray(2),
        extensions: [extension('2.5.29.35', seq(context(0, keyId(signer), false)))],
      },
      key,
    )
  }
})

describe('what earlier questions have shown', () => {
  test('is not checked again, and changes no verdict', () => {
    const proven = createProven()
    expect(ask([leaf, ca, top], { proven }).work.signatures).toBe(2)
    expect(ask([leaf, ca, top], { proven }).work.signatures).toBe(0)
    expect(ask([holder('next', ca), ca, top], { proven })).toMatchObject({ result: 'good', work: { signatures: 1 } })
    expect(ask([leaf, ca, top], { proven, at: AT + 20 * YEAR }).reason).toBe('EXPIRED')
    const forged = holder('leaf', ca, { signer: ed25519Key() })
    expect(ask([forged, ca, top], { proven }).reason).toBe('SIGNATURE_BAD')
    expect(ask([forged, ca, top], { proven }).reason).toBe('SIGNATURE_BAD')
  })

  test('is bounded', () => {
    const proven = createProven(2)
    for (let index = 0; index < 5; index++) ask([holder(`${index}`, ca), ca, top], { proven })
    expect(proven.signatures.size).toBeLessThanOrEqual(2)
  })
})

test('every reason is told in both languages, with its clause', () => {
  for (const [code, { clause, en, zh }] of Object.entries(REASONS)) {
    expect(en, code).toMatch(/^[A-Za-z].*\.$/)
    expect(zh, code).toMatch(/[一-鿿].*。$/)
    expect(clause, code).not.toBe('')
  }
})
