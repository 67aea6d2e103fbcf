/** The people of the demo: a login and the groups that the provider says they are in. Any password will do. */
import type { RoleName } from '../../schemas/access/roles.ts'

export const PEOPLE: { readonly [login: string]: readonly string[] } = {
  sysadmin: ['it-operations'],
  security: ['it-security'],
  auditor: ['audit-office'],
  clerk: ['trading-centre'],
  supervisor: ['housing-bureau'],
  inspector: ['discipline-commission'],
  statistician: ['statistics-office'],
  double: ['it-security', 'audit-office'],
  visitor: [],
}

type GroupRights = {
  readonly roles: readonly RoleName[]
  readonly regions?: readonly string[]
  readonly sectors?: readonly string[]
}

/** What a province's node makes of the groups. */
export const groupsAt = (code: string): { readonly [group: string]: GroupRights } => ({
  'it-operations': { roles: ['system-administrator'] },
  'it-security': { roles: ['security-administrator'] },
  'audit-office': { roles: ['auditor'] },
  'trading-centre': { roles: ['centre-clerk'] },
  'housing-bureau': { roles: ['sector-supervisor'], regions: [code], sectors: ['A01', 'A02'] },
  'discipline-commission': { roles: ['discipline-inspector'] },
  'statistics-office': { roles: ['statistician'] },
})

/** The file that the node reads. */
export const formatProviderFile = (issuer: string, audience: string, code: string): string =>
  `${JSON.stringify({ issuer, audience, claim: 'groups', groups: groupsAt(code) }, null, 2)}\n`
