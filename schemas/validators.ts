/**
 * The compiled validators: claims, records, and bodies in two forms. A body is checked closed at sealing (only fields that may cross)
 * with all its faults, so that the operator mends them at once; open at receiving, up to the first fault, since what a neighbour
 * may add without a new major version must pass. Each schema is compiled once, when it is first needed.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { isIdentityNumber } from './codes/identity-number.ts'
import type { OpenDatasetName } from './datasets/datasets.ts'
import { isDate, isDateTime } from './dates.ts'
import { ExchangeError } from './errors.ts'
import { type Fault, faultOf } from './faults.ts'
import { DATASET_SCHEMAS, type JsonSchema, WIRE_SCHEMAS } from './schema-files.ts'
import { openSchema } from './schema-parts.ts'
import type { TokenKind } from './tokens.ts'

export type { Fault } from './faults.ts'
/** Tokens whose claims have a schema. */
export type ClaimsKind = TokenKind & keyof typeof WIRE_SCHEMAS
export type BodyMode = 'sealing' | 'receiving'

const VALID: readonly Fault[] = Object.freeze([])
const MOST_FAULTS = 16

const compiler = (allErrors: boolean): Ajv2020 =>
  new Ajv2020({
    allErrors,
    strict: true,
    strictRequired: false,
    strictTypes: false,
    discriminator: true,
    formats: { date: isDate, 'date-time': isDateTime, 'party-code': (text: string) => !isIdentityNumber(text) },
    keywords: ['x-zh', 'x-source', 'x-national'],
  })

const compile = (schema: JsonSchema, allErrors: boolean): ValidateFunction => compiler(allErrors).compile(schema)

const lazy = <Name extends string>(
  schemas: { readonly [name in Name]: JsonSchema },
  make: (schema: JsonSchema) => ValidateFunction,
) => {
  const compiled = new Map<Name, ValidateFunction>()
  return (name: Name): ValidateFunction => {
    const known = compiled.get(name)
    if (known !== undefined) return known
    if (!Object.hasOwn(schemas, name)) throw new ExchangeError('DATASET_UNKNOWN', 'expected a dataset with a schema')
    const validate = make(schemas[name])
    compiled.set(name, validate)
    return validate
  }
}

const wire = lazy(WIRE_SCHEMAS, schema => compile(schema, false))
const bodies = {
  sealing: lazy<OpenDatasetName>(DATASET_SCHEMAS, schema => compile(schema, true)),
  receiving: lazy<OpenDatasetName>(DATASET_SCHEMAS, schema => compile(openSchema(schema), false)),
} as const satisfies { [mode in BodyMode]: unknown }

/** `if` only repeats that one of its branches failed. */
const faultsOf = ({ errors }: ValidateFunction): readonly Fault[] =>
  (errors ?? [])
    .filter(error => error.keyword !== 'if')
    .slice(0, MOST_FAULTS)
    .map(faultOf)

const check = (validate: ValidateFunction, value: unknown): readonly Fault[] => (validate(value) ? VALID : faultsOf(validate))

/** Empty if the claims of a token are those of its kind. */
export const checkClaims = (kind: ClaimsKind, value: unknown): readonly Fault[] => check(wire(kind), value)

/** Empty if the value is a record, its body apart. */
export const checkRecord = (value: unknown): readonly Fault[] => check(wire('record'), value)

/** Empty if the body is one of its dataset. @throws DATASET_UNKNOWN for a name without a schema */
export const checkBody = (dataset: OpenDatasetName, value: unknown, mode: BodyMode): readonly Fault[] =>
  check(bodies[mode](dataset), value)
