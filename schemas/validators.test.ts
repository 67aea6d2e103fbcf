import { describe, expect, test } from 'vitest'
import { makeUscc } from './codes/uscc.ts'
import type { OpenDatasetName } from './datasets/datasets.ts'
import { isExchangeError } from './errors.ts'
import type { DatasetBodies } from './schema-files.ts'
import { checkBody, checkClaims, checkRecord } from './validators.ts'

const DIGEST = `sha-256:${'A'.repeat(43)}`
const code = makeUscc('530100', 'MA6K0001')
const bodies: { readonly [name in OpenDatasetName]: DatasetBodies[name] } = {
  entity: { name: '云南示例有限公司', code, code_verdict: { kind: 'uscc', outer: 'right', inner: 'right' }, roles: ['bidder'] },
  trade: {
    deal_code: 'D-1',
    level: 'deal',
    class: 'D',
    kind: 'procurement',
    stage: 'awarded',
    title: '采购',
    region: '530000',
    amount: '1.50',
    currency: 'CNY',
  },
  credit: {
    record_code: 'B1',
    subject: { code, name: '某公司', type: 'enterprise' },
    kind: 'penalty',
    authority: '某局',
    decided_on: '2019-05-31',
    region: '530000',
  },
  expert: { pseudonym: 'p'.repeat(22), classes: [{ code: 'A08', level: 2 }], main_class: 'A08', region: '530000', available: true },
  trust: {
    list_id: '530000',
    territory: '530000',
    sequence: 1,
    issued_at: '2019-05-31T00:00:00Z',
    next_update: '2019-06-30T00:00:00Z',
    list: `${'A'.repeat(50)}.${'A'.repeat(50)}.${'A'.repeat(86)}`,
  },
  indicator: {
    indicator: 'trade-monthly',
    edition: '1',
    period: '2019-05',
    rows: [{ number: 1, amount: '1.5', currency: 'CNY', expert_seats: 5 }],
    inputs: [{ origin: '530000', dataset: 'trade', audience: 'all', epoch: 1, seq: 1, digest: DIGEST, records: 1, root: DIGEST }],
    late: ['520000'],
  },
  supervision: {
    kind: 'certificate-use',
    region: '520000',
    use: 'sign-in',
    venue: '530000',
    system: 'yunnan-trading',
    uscc: '915200007098765437',
    certificate: DIGEST,
    ca_name: '某某电子认证服务有限公司',
  },
}
const names = Object.keys(bodies) as OpenDatasetName[]
const rules = (faults: readonly { path: string; rule: string }[]): string[] => faults.map(({ path, rule }) => `${path} ${rule}`)
const put = { key: 'k', op: 'put', ver: 1, at: '2019-05-31T09:30:00+08:00', platform: '530100-01', body: {} }
const retract = { key: 'k', op: 'retract', ver: 2, at: '2019-05-31T09:30:00+08:00', platform: '530100-01', why: 'repaired' }

describe('bodies', () => {
  test.each(names)('%s: a good body passes at sealing and at receiving, and gives one frozen empty list', name => {
    expect(checkBody(name, bodies[name], 'sealing')).toEqual([])
    expect(checkBody(name, bodies[name], 'receiving')).toBe(checkBody(name, bodies[name], 'sealing'))
  })

  test.each(names)('%s: an unknown field is refused at sealing and kept at receiving', name => {
    const more = { ...bodies[name], later_field: 1 }
    expect(rules(checkBody(name, more, 'sealing'))).toEqual(['/later_field additionalProperties'])
    expect(checkBody(name, more, 'receiving')).toEqual([])
  })

  test('unknown fields deep inside and unknown words of enumerations are accepted at receiving only', () => {
    const more = { ...bodies.trade, stage: 'suspended', winners: [{ name: '某公司', later_field: 1 }] }
    expect(rules(checkBody('trade', more, 'sealing')).sort()).toEqual([
      '/stage enum',
      '/winners/0/later_field additionalProperties',
    ])
    expect(checkBody('trade', more, 'receiving')).toEqual([])
  })

  test('an opened enumeration keeps its type, and required fields stay required', () => {
    const { title: _, ...untitled } = bodies.trade
    expect(rules(checkBody('trade', { ...bodies.trade, stage: 7 }, 'receiving'))).toEqual(['/stage type'])
    expect(rules(checkBody('trade', untitled, 'receiving'))).toEqual(['/title required'])
  })

  test.each(['1.2345678', '01', '1e3', '+1', '1.', '.5', '1,000', '', '1'.repeat(19)])(
    'the amount %j is no exact decimal',
    amount => {
      expect(rules(checkBody('trade', { ...bodies.trade, amount }, 'receiving'))).toEqual(['/amount pattern'])
    },
  )

  test('an amount without a currency is refused', () => {
    const { currency: _, ...bare } = bodies.trade
    expect(rules(checkBody('trade', bare, 'sealing'))).toEqual(['/currency dependentRequired'])
  })

  test('an identity number is no code of a party', () => {
    const entity = { ...bodies.entity, code: '11010519491231002X' }
    expect(rules(checkBody('entity', entity, 'sealing'))).toEqual(['/code format'])
    expect(rules(checkBody('entity', entity, 'receiving'))).toEqual(['/code format'])
  })

  test('a fault names place, rule and expectation in both languages, and never the value or a name made by it', () => {
    const secret = '13800000000'
    const faults = checkBody(
      'entity',
      { ...bodies.entity, registered_on: secret, status: { [secret]: secret }, [secret]: 1 },
      'sealing',
    )
    expect(faults.length).toBe(3)
    expect(JSON.stringify(faults)).not.toContain(secret)
    for (const fault of faults) expect([fault.expected !== '', /\p{Script=Han}/u.test(fault.zh)]).toEqual([true, true])
  })

  test('the faults of one body are at most sixteen', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`field${index}`, 1]))
    expect(checkBody('entity', { ...bodies.entity, ...many }, 'sealing')).toHaveLength(16)
  })

  test('a name without a schema is an unknown dataset', () => {
    for (const name of ['session', 'toString']) {
      expect(() => checkBody(name as OpenDatasetName, {}, 'receiving')).toThrow(
        expect.toSatisfy(error => isExchangeError(error) && error.code === 'DATASET_UNKNOWN'),
      )
    }
  })
})

describe('records', () => {
  test.each([put, retract, { ...put, body: null }])('accepts a put, a retract and an erased put', record => {
    expect(checkRecord(record)).toEqual([])
  })

  test.each([
    ['a put without body', { ...put, body: undefined }, '/body required'],
    ['a put with a reason', { ...put, why: 'repaired' }, '/why forbidden'],
    ['a retract without a reason', { ...retract, why: undefined }, '/why required'],
    ['a retract with a body', { ...retract, body: {} }, '/body forbidden'],
    ['an empty key', { ...put, key: '' }, '/key pattern'],
    ['a control character in the key', { ...put, key: 'a\u0000' }, '/key pattern'],
    ['a key of 129 characters', { ...put, key: 'k'.repeat(129) }, '/key pattern'],
    ['version 0', { ...put, ver: 0 }, '/ver minimum'],
    ['a version past 2^31-1', { ...put, ver: 2 ** 31 }, '/ver maximum'],
    ['a time without offset', { ...put, at: '2019-05-31T09:30:00' }, '/at format'],
    ['a platform with a space', { ...put, platform: '5301 00' }, '/platform pattern'],
    ['another operation', { ...put, op: 'erase', body: undefined, why: 'ordered' }, '/op enum'],
    ['an unknown member', { ...put, extra: 1 }, '/extra additionalProperties'],
    ['no object', null, ' type'],
  ])('refuses %s', (_, record, fault) => {
    expect(rules(checkRecord(JSON.parse(JSON.stringify(record))))).toEqual([fault])
  })
})

describe('claims', () => {
  const log = { fed: 'pilot', aud: 'all', ds: 'trade', ep: 1, iat: 1 }
  const closing = { ep: 1, seq: 4, dig: DIGEST }
  const envelope = { ...log, iss: '530000', sch: 'trade/1.0', seq: 1, prv: DIGEST, n: 1, mem: 0, dig: DIGEST }
  const epoch = { ...log, iss: '530000', mem: 0 }
  const receipt = { ...log, iss: 'hub', org: '530000', seq: 0, dig: DIGEST }
  const head = {
    fed: 'pilot',
    iss: '530000',
    aud: 'all',
    iat: 1,
    logs: [{ ds: 'trade', ep: 1, seq: 0, dig: DIGEST }],
    held: [],
    mem: 0,
  }

  test('accepts the claims of each kind', () => {
    expect(checkClaims('envelope', envelope)).toEqual([])
    expect(checkClaims('envelope', { ...envelope, aud: 'alliance-west', pdg: DIGEST.replace('sha-256', 'sm3') })).toEqual([])
    expect(checkClaims('epoch', epoch)).toEqual([])
    expect(checkClaims('epoch', { ...epoch, ep: 2, cls: closing })).toEqual([])
    const lost = { ep: 1, seq: 3, prv: DIGEST, ver: 512 }
    expect(checkClaims('epoch', { ...epoch, ep: 2, cls: closing, lst: lost })).toEqual([])
    expect(checkClaims('epoch', { ...epoch, ep: 2, lst: { ep: 1, seq: 0, ver: 0 } })).toEqual([])
    expect(checkClaims('receipt', receipt)).toEqual([])
    expect(checkClaims('head', head)).toEqual([])
  })

  test.each([
    ['an audience list', 'envelope', { ...envelope, aud: ['all'] }, '/aud type'],
    ['an audience with a wildcard', 'envelope', { ...envelope, aud: 'alliance-*' }, '/aud pattern'],
    ['a fractional time', 'envelope', { ...envelope, iat: 1.5 }, '/iat type'],
    ['513 records', 'envelope', { ...envelope, n: 513 }, '/n maximum'],
    ['position 0', 'envelope', { ...envelope, seq: 0 }, '/seq minimum'],
    ['a foreign digest', 'envelope', { ...envelope, dig: `md5:${'A'.repeat(43)}` }, '/dig pattern'],
    ['an unknown claim', 'envelope', { ...envelope, exp: 1 }, '/exp additionalProperties'],
    ['a later epoch that names no closing position', 'epoch', { ...epoch, ep: 2 }, '/cls required'],
    ['a first epoch that names a closing position', 'epoch', { ...epoch, cls: closing }, '/cls forbidden'],
    ['a first epoch that declares a loss', 'epoch', { ...epoch, lst: { ep: 1, seq: 0, ver: 0 } }, '/lst forbidden'],
    ['a receipt of a member', 'receipt', { ...receipt, iss: '530000' }, '/iss const'],
    ['a head without its logs', 'head', { ...head, logs: undefined }, '/logs required'],
  ] as const)('refuses %s', (_, kind, claims, fault) => {
    expect(rules(checkClaims(kind, JSON.parse(JSON.stringify(claims))))).toEqual([fault])
  })
})
