/**
 * Constraints of a subordinate statement (OpenID Federation 1.0 §6.2) on every entity below it: how many intermediates, which hosts,
 * which entity types; and, as a constraint of ours, which regions: whoever states a region in its metadata lies in every territory
 * above it (`schemas/membership/territory.ts`), on the day that is asked for.
 */
import { ExchangeError } from '../../errors.ts'
import { chineseDay, coverage } from '../territory.ts'
import { type EntityStatement, isObject, type JsonObject } from './statements.ts'

/** Region codes; of entity types whose metadata have `region`. */
export const TERRITORY_CONSTRAINT = 'hutong_territory'

export type Below = {
  /** intermediates between who set the constraint and the subject of the chain */
  readonly intermediates: number
  /** identifiers of all entities below */
  readonly entities: readonly string[]
  /** metadata of the subject of the chain */
  readonly metadata: EntityStatement['metadata']
  readonly now: Date
}

const constrained = (reason: string): ExchangeError => new ExchangeError('TRUST_CHAIN_CONSTRAINED', reason)
const malformed = (name: string): ExchangeError =>
  new ExchangeError('STATEMENT_MALFORMED', `constraints: expected ${name} as §6.2 has it`)
const texts = (value: unknown, name: string): string[] => {
  if (value === undefined) return []
  if (!Array.isArray(value) || !value.every(one => typeof one === 'string')) throw malformed(name)
  return value
}

/** §6.2.2 by RFC 5280 §4.2.1.10: a name beginning with a period covers every host below it, any other that host alone. */
const covers = (name: string, entity: string): boolean => {
  const host = new URL(entity).hostname.toLowerCase()
  const wanted = name.toLowerCase()
  return wanted.startsWith('.') ? host.endsWith(wanted) && host.length > wanted.length : host === wanted
}

const ROWS: readonly { readonly name: string; check(value: unknown, below: Below): void }[] = [
  {
    name: 'max_path_length',
    check(value, { intermediates }) {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed('max_path_length')
      if (intermediates > value) throw constrained(`expected at most ${value} intermediates, got ${intermediates}`)
    },
  },
  {
    name: 'naming_constraints',
    check(value, { entities }) {
      if (!isObject(value)) throw malformed('naming_constraints')
      const excluded = texts(value.excluded, 'excluded')
      const permitted = value.permitted === undefined ? null : texts(value.permitted, 'permitted')
      for (const entity of entities) {
        const outside = permitted !== null && !permitted.some(name => covers(name, entity))
        if (outside || excluded.some(name => covers(name, entity)))
          throw constrained(`${entity}: expected a host that is permitted`)
      }
    },
  },
  {
    name: 'allowed_entity_types',
    check(value, { metadata }) {
      const allowed = [...texts(value, 'allowed_entity_types'), 'federation_entity']
      const foreign = Object.keys(metadata).find(type => !allowed.includes(type))
      if (foreign !== undefined) throw constrained(`expected entity types ${allowed.join(', ')}, got ${foreign}`)
    },
  },
  {
    name: TERRITORY_CONSTRAINT,
    check(value, { metadata, now }) {
      const territory = texts(value, TERRITORY_CONSTRAINT)
      for (const [type, { region }] of Object.entries(metadata)) {
        if (typeof region === 'string' && coverage(territory, region, chineseDay(now)) === null)
          throw constrained(`${type}: expected a region within ${territory.join(', ')}, got ${region}`)
      }
    },
  },
]

/** @throws TRUST_CHAIN_CONSTRAINED, STATEMENT_MALFORMED */
export function checkConstraints(claims: JsonObject, below: Below): void {
  const { constraints } = claims
  if (constraints === undefined) return
  if (!isObject(constraints)) throw malformed('an object')
  for (const row of ROWS) if (constraints[row.name] !== undefined) row.check(constraints[row.name], below)
}
