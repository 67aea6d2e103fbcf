/**
 * Roles of a trading platform, a row each: what each may do, and in which scope. What no row grants is denied. The three officers
 * (三员: system administrator, security administrator, auditor) exclude each other and every role that handles business, so that whoever
 * gives out rights neither uses them nor judges their use. Whoever supervises does not handle (管办分离).
 */
import type { OpenDatasetName } from '../datasets/datasets.ts'
import type { OperationName } from './operations.ts'

/** What the holder's rights are cut down to: nothing, regions, regions and sectors, or the platforms of a system. */
export type RoleScope = 'none' | 'region' | 'region-sector' | 'platform'
type RoleGroup = 'officer' | 'handling' | 'supervision' | 'figures' | 'bootstrap'
export type Datasets = readonly OpenDatasetName[]
export type Grant = readonly [operation: OperationName, datasets?: Datasets]
type Row = {
  readonly name: string
  readonly zh: string
  readonly en: string
  readonly group: RoleGroup
  readonly scope: RoleScope
  readonly grants: readonly Grant[]
}

const EVERYTHING: Datasets = ['entity', 'trust', 'credit', 'expert', 'trade', 'indicator']
/** With what only supervision may see: where holders at home use their certificates. */
const SUPERVISED: Datasets = [...EVERYTHING, 'supervision']
const DEALS: Datasets = ['entity', 'trust', 'credit', 'expert', 'trade']

export const ROLES = [
  {
    name: 'system-administrator',
    zh: '系统管理员',
    en: 'system administrator',
    group: 'officer',
    scope: 'none',
    grants: [
      ['ledger.read'],
      ['login.rotate'],
      ['ledger.verify'],
      ['ledger.reopen'],
      ['quarantine.read'],
      ['member.read'],
      ['mapping.add'],
      ['bundle.import'],
      ['membership.read'],
      ['membership.invite'],
      ['key.change'],
      ['alliance.change'],
      ['trust.read'],
      ['certificate.import'],
    ],
  },
  {
    name: 'security-administrator',
    zh: '安全保密管理员',
    en: 'security administrator',
    group: 'officer',
    scope: 'none',
    grants: [
      ['client.read'],
      ['client.add'],
      ['client.remove'],
      ['member.read'],
      ['proof.read'],
      ['membership.read'],
      ['membership.approve'],
      ['membership.suspend'],
      ['policy.change'],
      ['broker.rotate'],
      ['trust.read'],
      ['trust.publish'],
    ],
  },
  {
    name: 'auditor',
    zh: '安全审计员',
    en: 'auditor',
    group: 'officer',
    scope: 'none',
    grants: [['audit.read'], ['client.read'], ['member.read'], ['proof.read'], ['membership.read']],
  },
  {
    name: 'registrar',
    zh: '主体登记员',
    en: 'registrar',
    group: 'handling',
    scope: 'none',
    grants: [
      ['record.ingest', ['entity']],
      ['record.read', ['entity', 'trust']],
      ['quarantine.read'],
      ['trust.read'],
      ['certificate.verify'],
      ['signature.verify'],
      ['certificate.read'],
    ],
  },
  {
    name: 'centre-clerk',
    zh: '交易中心经办',
    en: 'clerk of a trading centre',
    group: 'handling',
    scope: 'none',
    grants: [
      ['record.ingest', ['entity', 'trade']],
      ['record.read', DEALS],
      ['record.erase', ['entity', 'trade']],
      ['quarantine.read'],
      ['quarantine.release'],
      ['mapping.add'],
      ['ledger.read'],
      ['statistics.read'],
      ['trust.read'],
      ['certificate.verify'],
      ['signature.verify'],
    ],
  },
  {
    name: 'local-trading-system',
    zh: '本地交易系统',
    en: 'local trading system',
    group: 'handling',
    scope: 'platform',
    grants: [
      ['record.ingest', DEALS],
      ['record.read', EVERYTHING],
      ['mapping.add'],
      ['ledger.read'],
      ['certificate-use.report'],
      ['trust.read'],
      ['certificate.verify'],
      ['signature.verify'],
      ['certificate.read'],
    ],
  },
  {
    name: 'sector-supervisor',
    zh: '行业监管',
    en: 'supervisor of a sector',
    group: 'supervision',
    scope: 'region-sector',
    grants: [
      ['record.read', EVERYTHING],
      ['statistics.read'],
      ['proof.read'],
      ['ledger.read'],
      ['trust.read'],
      ['certificate.verify'],
      ['signature.verify'],
    ],
  },
  {
    name: 'comprehensive-supervisor',
    zh: '综合监管',
    en: 'comprehensive supervisor',
    group: 'supervision',
    scope: 'region',
    grants: [
      ['record.read', SUPERVISED],
      ['certificate-use.read'],
      ['watch.read'],
      ['statistics.read'],
      ['proof.read'],
      ['ledger.read'],
      ['member.read'],
      ['trust.read'],
      ['certificate.verify'],
      ['signature.verify'],
      ['certificate.read'],
    ],
  },
  {
    name: 'discipline-inspector',
    zh: '纪检监察（只读）',
    en: 'discipline inspector, who only reads',
    group: 'supervision',
    scope: 'none',
    grants: [
      ['record.read', SUPERVISED],
      ['certificate-use.read'],
      ['watch.read'],
      ['envelope.read', EVERYTHING],
      ['statistics.read'],
      ['proof.read'],
      ['ledger.read'],
      ['quarantine.read'],
      ['member.read'],
      ['trust.read'],
      ['certificate.verify'],
      ['signature.verify'],
      ['certificate.read'],
    ],
  },
  {
    name: 'statistician',
    zh: '统计人员',
    en: 'statistician',
    group: 'figures',
    scope: 'none',
    grants: [['statistics.read'], ['record.read', ['indicator']], ['ledger.read']],
  },
  {
    // Whoever holds the machine's operator token. Never given to a client or a person, and without rights on clients and audit.
    name: 'operator',
    zh: '运维令牌',
    en: 'operator token of the program',
    group: 'bootstrap',
    scope: 'none',
    grants: [
      ['record.read', EVERYTHING],
      ['envelope.read', EVERYTHING],
      ['statistics.read'],
      ['watch.read'],
      ['watch.change'],
      ['login.rotate'],
      ['ledger.read'],
      ['proof.read'],
      ['quarantine.read'],
      ['member.read'],
      ['record.ingest', EVERYTHING],
      ['mapping.add'],
      ['record.erase', EVERYTHING],
      ['quarantine.release'],
      ['bundle.import'],
      ['ledger.verify'],
      ['ledger.reopen'],
      ['membership.read'],
      ['membership.invite'],
      ['membership.approve'],
      ['membership.suspend'],
      ['policy.change'],
      ['broker.rotate'],
      ['key.change'],
      ['alliance.change'],
      ['trust.read'],
      ['trust.publish'],
      ['certificate.verify'],
      ['signature.verify'],
      ['certificate.read'],
      ['certificate.import'],
    ],
  },
] as const satisfies readonly Row[]

export type RoleName = (typeof ROLES)[number]['name']
export type Role = Row & { readonly name: RoleName }

const BY_NAME: ReadonlyMap<string, Role> = new Map(ROLES.map(row => [row.name, row as Role]))

export const roleNamed = (name: string): Role | undefined => BY_NAME.get(name)

/** Groups whose roles do not go together in one subject; an officer goes with no other role at all. */
const EXCLUSIVE_GROUPS: readonly (readonly [RoleGroup, RoleGroup])[] = [['handling', 'supervision']]

/** The first two roles that one subject may not hold together; null if there are none. */
export function exclusiveRoles(names: readonly RoleName[]): readonly [Role, Role] | null {
  const roles = names.flatMap(name => roleNamed(name) ?? [])
  for (const [index, a] of roles.entries())
    for (const b of roles.slice(index + 1)) {
      if (a.name === b.name) continue
      const alone = [a, b].some(({ group }) => group === 'officer' || group === 'bootstrap')
      const apart = EXCLUSIVE_GROUPS.some(pair => pair.includes(a.group) && pair.includes(b.group) && a.group !== b.group)
      if (alone || apart) return [a, b]
    }
  return null
}
