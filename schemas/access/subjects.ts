/**
 * Who asks: a registered client (a system, or an officer's workstation with a key of its own), a person that the province's identity
 * provider vouches for, or the holder of the operator token. Roles and scope are parsed once, here; a subject that holds roles which
 * exclude each other does not come to be.
 */
import { ExchangeError } from '../errors.ts'
import { exclusiveRoles, type RoleName, type RoleScope, roleNamed } from './roles.ts'

export type Scope = {
  /** region codes, each with what lies within it; null means not limited */
  readonly regions: readonly string[] | null
  /** classes of trade by their beginning: `A` is all works, `A01` buildings */
  readonly sectors: readonly string[] | null
  /** PLATFORM_CODEs that a system may speak for */
  readonly platforms: readonly string[] | null
}

export type Rights = { readonly roles: readonly RoleName[] } & Scope
export type Subject = Rights & {
  readonly kind: 'client' | 'person' | 'operator'
  /** of a client its identifier; of a person a pseudonym, never a name */
  readonly id: string
  /** requests a minute; null where they are not counted */
  readonly perMinute: number | null
}

const invalid = (reason: string): ExchangeError => new ExchangeError('CLIENT_INVALID', reason)

const SCOPES: readonly (readonly [member: keyof Scope, shape: RegExp, expected: string])[] = [
  ['regions', /^[0-9]{6}$/, 'codes of six digits'],
  ['sectors', /^[A-Z][0-9]{0,2}$/, 'classes of trade such as A01 or D'],
  ['platforms', /^[0-9A-Za-z-]{1,32}$/, 'platform codes'],
]
const NEEDED: { readonly [scope in RoleScope]: readonly (keyof Scope)[] } = {
  none: [],
  region: ['regions'],
  'region-sector': ['regions', 'sectors'],
  platform: ['platforms'],
}
const LISTED_MAX = 64

function parseList(value: unknown, name: string, shape: RegExp, expected: string): readonly string[] | null {
  if (value === undefined || value === null) return null
  const list = Array.isArray(value) ? value : []
  if (list.length === 0 || list.length > LISTED_MAX || !list.every(one => typeof one === 'string' && shape.test(one)))
    throw invalid(`${name}: expected a list of 1 to ${LISTED_MAX} ${expected}`)
  return [...new Set(list as string[])]
}

/** Roles and scope of a client or a person. @throws CLIENT_INVALID */
export function parseRights(value: { readonly [name: string]: unknown }): Rights {
  const names = parseList(value.roles, 'roles', /^[a-z-]{1,40}$/, 'names of roles')
  if (names === null) throw invalid('roles: expected at least one role')
  const roles = names.map(name => {
    const role = roleNamed(name)
    if (role === undefined || role.group === 'bootstrap') throw invalid(`roles: there is no role ${name} to give`)
    return role
  })
  const pair = exclusiveRoles(roles.map(role => role.name))
  if (pair !== null) throw invalid(`roles: ${pair[0].name} and ${pair[1].name} exclude each other`)
  const [regions = null, sectors = null, platforms = null] = SCOPES.map(([member, shape, expected]) =>
    parseList(value[member], member, shape, expected),
  )
  const scope = { regions, sectors, platforms }
  for (const role of roles)
    for (const member of NEEDED[role.scope])
      if (scope[member] === null) throw invalid(`${member}: the role ${role.name} needs them`)
  return { roles: roles.map(role => role.name), ...scope }
}

export const OPERATOR: Subject = {
  kind: 'operator',
  id: 'operator',
  roles: ['operator'],
  regions: null,
  sectors: null,
  platforms: null,
  perMinute: null,
}
