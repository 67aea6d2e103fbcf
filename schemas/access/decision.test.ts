import { describe, expect, it } from 'vitest'
import { DATASETS } from '../datasets/datasets.ts'
import { decide, type Resource, regionPrefix, rowScope } from './decision.ts'
import { conflictingDuty, DUTIES, type Duty, EXCLUSIVE_DUTIES } from './duties.ts'
import { isAudited, OPERATIONS, operationNamed } from './operations.ts'
import { exclusiveRoles, type Grant, ROLES, type RoleName } from './roles.ts'
import { OPERATOR, parseRights, type Subject } from './subjects.ts'

const FIELD = { regions: ['530000'], sectors: ['A01'], platforms: ['530000-01'] }
const having = (...roles: RoleName[]): Subject => ({ kind: 'client', id: 'x', perMinute: 1, ...FIELD, roles })
const code = (subject: Subject | null, operation: string, resource?: Resource): string => {
  const decision = decide(subject, operation, resource)
  return decision.allow ? 'allow' : decision.code
}

describe('the tables', () => {
  it('name every operation once, and every one that is not open is granted to somebody', () => {
    expect(new Set(OPERATIONS.map(row => row.name)).size).toBe(OPERATIONS.length)
    const granted = new Set(ROLES.flatMap(role => (role.grants as readonly Grant[]).map(([name]) => name)))
    expect(OPERATIONS.filter(row => row.kind !== 'open' && !granted.has(row.name)).map(row => row.name)).toEqual([])
    expect(OPERATIONS.filter(row => row.kind === 'open' && granted.has(row.name))).toEqual([])
  })

  it('grant an operation on datasets with its datasets, and any other without', () => {
    const open = DATASETS.filter(row => !row.reserved).map(row => row.name as string)
    for (const role of ROLES)
      for (const [name, datasets] of role.grants as readonly Grant[]) {
        const perDataset = operationNamed(name)?.datasets === true
        expect([role.name, name, datasets !== undefined]).toEqual([role.name, name, perDataset])
        expect(datasets?.filter(one => !open.includes(one)) ?? []).toEqual([])
      }
  })

  it('let those who supervise or count only read', () => {
    const acts = ROLES.filter(role => role.group === 'supervision' || role.group === 'figures').flatMap(role =>
      role.grants.filter(([name]) => operationNamed(name)?.kind !== 'read'),
    )
    expect(acts).toEqual([])
  })

  it('keep rights and audit with the officers: the operator token has neither', () => {
    const holders = (name: string) => ROLES.filter(role => role.grants.some(([one]) => one === name)).map(role => role.name)
    expect(holders('client.add')).toEqual(['security-administrator'])
    expect(holders('client.remove')).toEqual(['security-administrator'])
    expect(holders('audit.read')).toEqual(['auditor'])
    expect(holders('record.read').filter(name => name === 'auditor' || name.endsWith('administrator'))).toEqual([])
  })

  it('audit whatever acts or administers, and every read of personal or credit data', () => {
    const audited = (name: string, dataset?: string) => isAudited(operationNamed(name) as (typeof OPERATIONS)[number], dataset)
    for (const { name, kind } of OPERATIONS)
      if (kind === 'act' || kind === 'admin') expect([name, audited(name)]).toEqual([name, true])
    expect(['credit', 'expert', 'entity', 'trade'].map(dataset => audited('record.read', dataset))).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect([audited('envelope.read', 'credit'), audited('quarantine.read'), audited('ledger.read')]).toEqual([true, true, false])
  })
})

describe('roles that exclude each other', () => {
  const OFFICERS: readonly RoleName[] = ['system-administrator', 'security-administrator', 'auditor']

  it.each(OFFICERS.flatMap(a => ROLES.filter(b => b.name !== a).map(b => [a, b.name] as const)))('%s and %s', (a, b) => {
    expect(exclusiveRoles([a, b])).not.toBeNull()
    expect(exclusiveRoles([b, a])).not.toBeNull()
    expect(code(having(a, b), 'member.read')).toBe('ACCESS_DENIED')
    expect(() => parseRights({ roles: [a, b], ...FIELD })).toThrow(/CLIENT_INVALID/)
  })

  it('nobody supervises what he handles', () => {
    expect(exclusiveRoles(['centre-clerk', 'sector-supervisor'])).not.toBeNull()
    expect(exclusiveRoles(['centre-clerk', 'registrar'])).toBeNull()
    expect(exclusiveRoles(['discipline-inspector', 'statistician'])).toBeNull()
  })
})

describe('the decision', () => {
  it('denies what no table names, to everybody', () => {
    for (const subject of [null, OPERATOR, having('discipline-inspector')])
      expect(code(subject, 'record.burn')).toBe('ACCESS_DENIED')
  })

  it('asks for a credential for everything but what is open', () => {
    for (const { name, kind } of OPERATIONS)
      expect([name, code(null, name)]).toEqual([name, kind === 'open' ? 'allow' : 'REQUEST_UNAUTHORIZED'])
  })

  it.each<readonly [string, RoleName, string, Resource]>([
    ['allow', 'local-trading-system', 'record.ingest', { dataset: 'trade', platform: '530000-01' }],
    ['ACCESS_OUT_OF_SCOPE', 'local-trading-system', 'record.ingest', { dataset: 'trade', platform: '530100-07' }],
    ['ACCESS_DENIED', 'local-trading-system', 'record.ingest', { dataset: 'indicator', platform: '530000-01' }],
    ['ACCESS_DENIED', 'local-trading-system', 'record.erase', { dataset: 'trade' }],
    ['allow', 'registrar', 'record.ingest', { dataset: 'entity' }],
    ['ACCESS_DENIED', 'registrar', 'record.ingest', { dataset: 'trade' }],
    ['ACCESS_DENIED', 'statistician', 'record.read', { dataset: 'credit' }],
    ['allow', 'statistician', 'record.read', { dataset: 'indicator' }],
    ['ACCESS_DENIED', 'discipline-inspector', 'record.ingest', { dataset: 'trade' }],
    ['allow', 'discipline-inspector', 'record.read', { dataset: 'credit' }],
    ['allow', 'sector-supervisor', 'record.read', { dataset: 'trade', region: '530100', sector: 'A01' }],
    ['ACCESS_OUT_OF_SCOPE', 'sector-supervisor', 'record.read', { dataset: 'trade', region: '520100', sector: 'A01' }],
    ['ACCESS_OUT_OF_SCOPE', 'sector-supervisor', 'record.read', { dataset: 'trade', region: '530100', sector: 'D' }],
    ['allow', 'comprehensive-supervisor', 'record.read', { dataset: 'trade', region: '530100', sector: 'D' }],
    ['ACCESS_DENIED', 'system-administrator', 'record.read', { dataset: 'entity' }],
    ['ACCESS_DENIED', 'auditor', 'client.add', {}],
  ])('is %s for a %s who asks %s of %o', (expected, role, operation, resource) => {
    const regions = regionPrefix('530000')
    expect(code({ ...having(role), regions: [regions] }, operation, resource)).toBe(expected)
  })

  it('cuts rows down to regions and sectors, where the data has them', () => {
    const supervisor = having('sector-supervisor')
    expect(rowScope(supervisor, 'record.read', 'trade')).toEqual({ regions: ['53'], sectors: ['A01'] })
    expect(rowScope(supervisor, 'record.read', 'entity')).toEqual({ regions: null, sectors: null })
    expect(rowScope(having('comprehensive-supervisor'), 'record.read', 'trade')).toEqual({ regions: ['53'], sectors: null })
    expect(rowScope(having('sector-supervisor', 'discipline-inspector'), 'record.read', 'trade')).toEqual({
      regions: null,
      sectors: null,
    })
    expect([regionPrefix('530100'), regionPrefix('530102'), regionPrefix('000000')]).toEqual(['5301', '530102', ''])
  })

  it('keeps duties in one deal apart, in both orders, and not across deals', () => {
    for (const [a, b] of EXCLUSIVE_DUTIES) expect([conflictingDuty(a, [b]), conflictingDuty(b, [a])]).toEqual([b, a])
    for (const duty of Object.keys(DUTIES) as Duty[]) expect(conflictingDuty(duty, [duty])).toBeNull()
    const clerk = having('centre-clerk')
    expect(code(clerk, 'record.erase', { dataset: 'trade', duties: ['enter'] })).toBe('ACCESS_DUTY_CONFLICT')
    expect(code(clerk, 'record.erase', { dataset: 'trade', duties: [] })).toBe('allow')
    expect(code(OPERATOR, 'record.erase', { dataset: 'trade', duties: ['enter'] })).toBe('allow')
  })
})

describe('rights that are given', () => {
  it.each([
    [{}, 'roles'],
    [{ roles: [] }, 'roles'],
    [{ roles: ['king'] }, 'no role king'],
    [{ roles: ['operator'] }, 'no role operator'],
    [{ roles: ['sector-supervisor'], regions: ['530000'] }, 'sectors'],
    [{ roles: ['sector-supervisor'], sectors: ['A01'] }, 'regions'],
    [{ roles: ['local-trading-system'] }, 'platforms'],
    [{ roles: ['comprehensive-supervisor'], regions: ['53'] }, 'regions'],
    [{ roles: ['centre-clerk', 'discipline-inspector'] }, 'exclude'],
  ])('%o are refused: %s', (value, named) => {
    expect(() => parseRights(value)).toThrow(named)
  })
})
