import { describe, expect, test } from 'vitest'
import type { ReasonCode } from './reasons.ts'
import {
  alternatives,
  ask,
  authority,
  constraints,
  directory,
  dns,
  email,
  holder,
  ip,
  named,
  other,
  root,
  uri,
} from './sample-paths.ts'

const top = root('root')
type Case = {
  readonly rule: string
  readonly permitted?: readonly Buffer[]
  readonly excluded?: readonly Buffer[]
  readonly names?: readonly Buffer[]
  readonly subject?: Buffer
  readonly reason: ReasonCode
}
const GOOD = 'GOOD'
const OUT = 'NAME_NOT_PERMITTED'
const EXCLUDED = 'NAME_EXCLUDED'
const UNSUPPORTED = 'NAME_CONSTRAINT_UNSUPPORTED'
const V6 = [0x20, 0x01, 0x0d, 0xb8, ...Array.from({ length: 12 }, () => 0)]
const MASK_32 = [255, 255, 255, 255, ...Array.from({ length: 12 }, () => 0)]

const CASES: readonly Case[] = [
  { rule: 'a host under a permitted domain', permitted: [dns('example.com')], names: [dns('a.b.example.com')], reason: GOOD },
  {
    rule: 'the permitted domain itself, in other letters',
    permitted: [dns('Example.COM')],
    names: [dns('eXample.com')],
    reason: GOOD,
  },
  { rule: 'a host that merely ends alike', permitted: [dns('example.com')], names: [dns('notexample.com')], reason: OUT },
  {
    rule: 'one of two names outside',
    permitted: [dns('example.com')],
    names: [dns('a.example.com'), dns('b.example.org')],
    reason: OUT,
  },
  {
    rule: 'excluded within permitted',
    permitted: [dns('example.com')],
    excluded: [dns('x.example.com')],
    names: [dns('y.x.example.com')],
    reason: EXCLUDED,
  },
  {
    rule: 'a wildcard that may become an excluded host',
    excluded: [dns('bar.example.com')],
    names: [dns('*.example.com')],
    reason: EXCLUDED,
  },
  { rule: 'a wildcard below an excluded domain', excluded: [dns('example.com')], names: [dns('*.example.com')], reason: EXCLUDED },
  { rule: 'a wildcard beside an excluded domain', excluded: [dns('example.org')], names: [dns('*.example.com')], reason: GOOD },
  {
    rule: 'a wildcard wider than what is permitted',
    permitted: [dns('foo.example.com')],
    names: [dns('*.example.com')],
    reason: OUT,
  },
  { rule: 'a wildcard within what is permitted', permitted: [dns('example.com')], names: [dns('*.example.com')], reason: GOOD },
  { rule: 'every host, the empty domain being permitted', permitted: [dns('')], names: [dns('example.com')], reason: GOOD },
  { rule: 'a name that is no host name', permitted: [dns('example.com')], names: [dns('.example.com')], reason: OUT },
  {
    rule: 'a constraint with a leading period, which only URIs know',
    permitted: [dns('.example.com')],
    names: [dns('a.example.com')],
    reason: UNSUPPORTED,
  },
  { rule: 'a constraint with a wildcard', permitted: [dns('*.example.com')], names: [dns('a.example.com')], reason: UNSUPPORTED },
  {
    rule: 'a malformed constraint on a kind that is absent',
    permitted: [dns('*.example.com')],
    names: [email('a@example.com')],
    reason: GOOD,
  },
  { rule: 'another kind of name', permitted: [ip(192, 0, 2, 0, 255, 255, 255, 0)], names: [dns('example.com')], reason: GOOD },
  {
    rule: 'the common name, which is no host name',
    permitted: [dns('example.com')],
    subject: named('CN=evil.org'),
    names: [dns('example.com')],
    reason: GOOD,
  },
  { rule: 'an address in a network', permitted: [ip(192, 0, 2, 0, 255, 255, 255, 0)], names: [ip(192, 0, 2, 9)], reason: GOOD },
  { rule: 'an address beside a network', permitted: [ip(192, 0, 2, 0, 255, 255, 255, 0)], names: [ip(192, 0, 3, 9)], reason: OUT },
  {
    rule: 'an address of version 6 where version 4 is permitted',
    permitted: [ip(192, 0, 2, 0, 255, 255, 255, 0)],
    names: [ip(...V6)],
    reason: OUT,
  },
  {
    rule: 'an excluded network of version 6',
    excluded: [ip(...V6, ...MASK_32)],
    names: [ip(...V6.slice(0, 15), 1)],
    reason: EXCLUDED,
  },
  {
    rule: 'an address in no octets of one',
    permitted: [ip(192, 0, 2, 0, 255, 255, 255, 0)],
    names: [ip(192, 0, 2, 0, 255, 255, 255, 0)],
    reason: OUT,
  },
  { rule: 'a constraint without a mask', permitted: [ip(127, 0, 0, 1)], names: [ip(127, 0, 0, 1)], reason: UNSUPPORTED },
  { rule: 'a mask with a hole', excluded: [ip(10, 0, 0, 0, 255, 0, 255, 0)], names: [ip(10, 1, 0, 1)], reason: UNSUPPORTED },
  { rule: 'a mailbox that is permitted', permitted: [email('a@example.com')], names: [email('a@EXAMPLE.com')], reason: GOOD },
  {
    rule: 'a mailbox in other letters, which is another',
    permitted: [email('a@example.com')],
    names: [email('A@example.com')],
    reason: OUT,
  },
  { rule: 'a mailbox on a permitted host', permitted: [email('example.com')], names: [email('b@example.com')], reason: GOOD },
  {
    rule: 'a mailbox below a permitted host',
    permitted: [email('example.com')],
    names: [email('b@mail.example.com')],
    reason: OUT,
  },
  {
    rule: 'a mailbox below a permitted domain',
    permitted: [email('.example.com')],
    names: [email('b@mail.example.com')],
    reason: GOOD,
  },
  {
    rule: 'a mailbox on a permitted domain itself',
    permitted: [email('.example.com')],
    names: [email('b@example.com')],
    reason: OUT,
  },
  {
    rule: 'an asterisk in a mailbox, which is a letter',
    permitted: [email('*@example.com')],
    names: [email('user@example.com')],
    reason: OUT,
  },
  { rule: 'the same asterisk', permitted: [email('*@example.com')], names: [email('*@example.com')], reason: GOOD },
  { rule: 'a mailbox with two @', permitted: [email('example.com')], names: [email('a@b@example.com')], reason: OUT },
  {
    rule: 'the e-mail address of the subject, for want of others',
    permitted: [email('example.com')],
    subject: named('CN=x', 'E=a@evil.org'),
    reason: OUT,
  },
  {
    rule: 'the e-mail address of the subject beside alternative names',
    permitted: [email('example.com')],
    subject: named('CN=x', 'E=a@evil.org'),
    names: [dns('example.com')],
    reason: GOOD,
  },
  {
    rule: 'a URI on a permitted host',
    permitted: [uri('example.com')],
    names: [uri('https://u@Example.com:8443/x')],
    reason: GOOD,
  },
  { rule: 'a URI below a permitted host', permitted: [uri('example.com')], names: [uri('https://www.example.com/')], reason: OUT },
  {
    rule: 'a URI below a permitted domain',
    permitted: [uri('.example.com')],
    names: [uri('https://www.example.com/')],
    reason: GOOD,
  },
  {
    rule: 'a URI on the permitted domain itself',
    permitted: [uri('.example.com')],
    names: [uri('https://example.com/')],
    reason: OUT,
  },
  { rule: 'a URI with an address for a host', excluded: [uri('example.com')], names: [uri('https://192.0.2.1/')], reason: OUT },
  { rule: 'a URI without a host', permitted: [uri('example.com')], names: [uri('urn:uuid:0')], reason: OUT },
  { rule: 'a subject below a permitted name', permitted: [directory(named('O=a'))], subject: named('O=A', 'CN=x'), reason: GOOD },
  { rule: 'a subject beside a permitted name', permitted: [directory(named('O=a'))], subject: named('O=ab', 'CN=x'), reason: OUT },
  {
    rule: 'a subject with the permitted name behind another',
    permitted: [directory(named('O=a'))],
    subject: named('C=CN', 'O=a'),
    reason: OUT,
  },
  {
    rule: 'an excluded name among the alternatives',
    excluded: [directory(named('O=a'))],
    names: [directory(named('O=a', 'CN=y'))],
    reason: EXCLUDED,
  },
  { rule: 'every name, the empty one being excluded', excluded: [directory(named())], subject: named('CN=x'), reason: EXCLUDED },
  { rule: 'an otherName under a constraint on it', excluded: [other('1.2.3.4')], names: [other('1.2.3.4')], reason: UNSUPPORTED },
  { rule: 'an otherName of another type', excluded: [other('1.2.3.4')], names: [other('1.2.3.5')], reason: GOOD },
]

describe('name constraints of a CA', () => {
  for (const { rule, permitted = [], excluded = [], names, subject = named('CN=leaf'), reason } of CASES)
    test(`${reason}: ${rule}`, () => {
      const ca = authority('ca', top, { extensions: [constraints(permitted, excluded)] })
      const leaf = holder('leaf', ca, { subject, ...(names && { extensions: [alternatives(...names)] }) })
      expect(ask([leaf, ca, top])).toMatchObject({ reason })
    })

  test('narrow what is below them, and never widen it', () => {
    const wide = authority('wide', top, { extensions: [constraints([dns('foo.com'), dns('bar.com')])] })
    const narrow = authority('narrow', wide, { extensions: [constraints([dns('bar.com')])] })
    const turned = authority('turned', authority('n', top, { extensions: [constraints([dns('bar.com')])] }), {
      extensions: [constraints([dns('foo.com'), dns('bar.com')])],
    })
    const leafOf = (by: typeof top, text: string) => holder('leaf', by, { extensions: [alternatives(dns(text))] })
    expect(ask([leafOf(narrow, 'a.foo.com'), narrow, wide, top]).reason).toBe(OUT)
    expect(ask([leafOf(narrow, 'a.bar.com'), narrow, wide, top]).reason).toBe(GOOD)
    expect(ask([leafOf(turned, 'a.foo.com'), turned, turned, top]).result).not.toBe('good')
  })

  test('of an anchor count, and pass over a CA that it issued to itself', () => {
    const anchor = root('same', { extensions: [constraints([dns('example.com')])] })
    const rolled = authority('same', anchor, { extensions: [alternatives(dns('other.org'))] })
    const leaf = holder('leaf', rolled, { extensions: [alternatives(dns('example.com'))] })
    const last = holder('same', rolled, { extensions: [alternatives(dns('other.org'))] })
    expect(ask([leaf, rolled, anchor]).reason).toBe(GOOD)
    expect(ask([last, rolled, anchor]).reason).toBe(OUT)
  })

  test('against names in their thousands end at the bound, unchecked', () => {
    const many = (prefix: string) => Array.from({ length: 2048 }, (_, index) => dns(`${prefix}${index}.test`))
    const anchor = root('hostile', { extensions: [constraints([...many('t'), dns('test')], many('x'))] })
    const leaf = holder('leaf', anchor, { extensions: [alternatives(...many('t'))] })
    const start = performance.now()
    expect(ask([leaf, anchor])).toMatchObject({ result: 'unchecked', reason: 'WORK_LIMIT' })
    expect(performance.now() - start).toBeLessThan(500)
  })
})
