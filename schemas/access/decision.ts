/**
 * The one decision on every request: subject, operation, resource in; allow or deny out, with a code and a reason. Pure. What is not
 * granted is denied, an operation outside the table too.
 */
import type { OpenDatasetName } from '../datasets/datasets.ts'
import type { ErrorCode } from '../errors.ts'
import { conflictingDuty, DUTIES, type Duty } from './duties.ts'
import { type Operation, operationNamed } from './operations.ts'
import { exclusiveRoles, type Grant, type Role, roleNamed } from './roles.ts'
import type { Scope, Subject } from './subjects.ts'

/** What is known of it when the decision falls; what is not known yet is decided where it is. */
export type Resource = {
  readonly dataset?: string
  readonly region?: string | null
  /** class of the trade */
  readonly sector?: string | null
  readonly platform?: string
  /** the duties that the subject holds already in the deal that it is about */
  readonly duties?: readonly Duty[]
}
export type Decision =
  | { readonly allow: true }
  | {
      readonly allow: false
      readonly code: Extract<ErrorCode, `ACCESS_${string}` | 'REQUEST_UNAUTHORIZED'>
      readonly reason: string
    }

const ALLOW: Decision = { allow: true }
const deny = (code: Exclude<Decision, { allow: true }>['code'], reason: string): Decision => ({ allow: false, code, reason })

/** Whose records lie in a region, and are supervised there. Identities, lists and figures are everybody's to look up. */
const REGIONAL: readonly string[] = ['trade', 'credit', 'expert'] satisfies OpenDatasetName[]
const SECTORAL: readonly string[] = ['trade'] satisfies OpenDatasetName[]

/** `530000` covers `530100`, `000000` all: the zeros at the end stand for whatever lies within. */
export const regionPrefix = (region: string): string => region.replace(/(?:00)+$/, '')

const covers = (listed: readonly string[] | null, value: string | null | undefined): boolean =>
  listed === null || (value != null && listed.some(one => value.startsWith(one)))

const grants = (role: Role, operation: Operation, dataset: string | undefined): boolean =>
  (role.grants as readonly Grant[]).some(
    ([name, datasets]) =>
      name === operation.name &&
      (dataset === undefined || operation.datasets === undefined || datasets?.some(one => one === dataset) === true),
  )

const grantingRoles = (subject: Subject, operation: Operation, dataset: string | undefined): Role[] =>
  subject.roles.flatMap(name => roleNamed(name) ?? []).filter(role => grants(role, operation, dataset))

export type RowScope = { readonly regions: readonly string[] | null; readonly sectors: readonly string[] | null }

/** What of a dataset the subject may see: beginnings of region codes and of classes, null where nothing is cut off. */
export function rowScope(subject: Subject, operationName: string, dataset: string): RowScope {
  const operation = operationNamed(operationName)
  const roles = operation === undefined ? [] : grantingRoles(subject, operation, dataset)
  const limited = (scopes: readonly Role['scope'][]): boolean => roles.every(role => scopes.includes(role.scope))
  return {
    regions: REGIONAL.includes(dataset) && limited(['region', 'region-sector']) ? (subject.regions ?? []).map(regionPrefix) : null,
    sectors: SECTORAL.includes(dataset) && limited(['region-sector']) ? (subject.sectors ?? []) : null,
  }
}

function outOfScope(subject: Subject, operation: Operation, resource: Resource, roles: readonly Role[]): keyof Scope | null {
  const { dataset, region, sector, platform } = resource
  if (dataset !== undefined) {
    const scope = rowScope(subject, operation.name, dataset)
    if (region !== undefined && !covers(scope.regions, region)) return 'regions'
    if (sector !== undefined && !covers(scope.sectors, sector)) return 'sectors'
  }
  const bound = roles.every(role => role.scope === 'platform')
  return platform !== undefined && bound && subject.platforms?.includes(platform) !== true ? 'platforms' : null
}

export function decide(subject: Subject | null, operationName: string, resource: Resource = {}): Decision {
  const operation = operationNamed(operationName)
  if (operation === undefined) return deny('ACCESS_DENIED', 'this operation is in no table, so nobody may do it')
  if (operation.kind === 'open') return ALLOW
  if (subject === null) return deny('REQUEST_UNAUTHORIZED', `${operation.name} needs a credential`)
  const pair = exclusiveRoles(subject.roles)
  if (pair !== null) return deny('ACCESS_DENIED', `${pair[0].name} and ${pair[1].name} exclude each other`)
  const roles = grantingRoles(subject, operation, resource.dataset)
  if (roles.length === 0) {
    const of = operation.datasets === undefined || resource.dataset === undefined ? '' : ` of ${resource.dataset}`
    return deny('ACCESS_DENIED', `${operation.name}${of} is granted to no role of ${subject.roles.join(', ') || 'this subject'}`)
  }
  const outside = outOfScope(subject, operation, resource, roles)
  if (outside !== null) return deny('ACCESS_OUT_OF_SCOPE', `it lies outside the ${outside} that this subject is limited to`)
  // The operator token is nobody in particular: it cannot hold a duty, and every use of it stands in the audit log.
  if (operation.duty !== undefined && subject.kind !== 'operator') {
    const held = conflictingDuty(operation.duty, resource.duties ?? [])
    if (held !== null)
      return deny(
        'ACCESS_DUTY_CONFLICT',
        `${DUTIES[operation.duty].en} does not go with ${DUTIES[held].en}, which this subject did`,
      )
  }
  return ALLOW
}
