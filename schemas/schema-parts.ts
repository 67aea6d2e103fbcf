/**
 * Walks a JSON Schema by its keywords, so that a property which happens to be called `enum` or `title` is never taken for one.
 * `openSchema` makes the receiving form: an unknown field is kept and an unknown word of an enumeration is accepted, so that an
 * additive change of a neighbour is not refused here (types, patterns, formats and required fields stay).
 */
import type { JsonSchema } from './schema-files.ts'

const MAPS = new Set(['properties', 'patternProperties', '$defs', 'dependentSchemas'])
const LISTS = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const SINGLES = new Set([
  'items',
  'additionalProperties',
  'unevaluatedProperties',
  'contains',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
])

const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Rewrites a schema and every schema inside it, the inner ones first. */
export function mapSchema(schema: JsonSchema, change: (part: JsonSchema) => JsonSchema): JsonSchema {
  const inner = (value: unknown): unknown => (isSchema(value) ? mapSchema(value, change) : value)
  const part = Object.entries(schema).map(([keyword, value]): [string, unknown] => {
    if (MAPS.has(keyword) && isSchema(value)) {
      return [keyword, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, inner(one)]))]
    }
    if (LISTS.has(keyword) && Array.isArray(value)) return [keyword, value.map(inner)]
    return [keyword, SINGLES.has(keyword) ? inner(value) : value]
  })
  return change(Object.fromEntries(part))
}

export const openSchema = (schema: JsonSchema): JsonSchema =>
  mapSchema(schema, ({ additionalProperties, enum: words, ...part }) => ({
    ...part,
    ...(additionalProperties === undefined || additionalProperties === false ? {} : { additionalProperties }),
    ...(words === undefined || part.type === 'string' ? {} : { enum: words }),
  }))

/** Every property of a schema with its JSON pointer, in the order of the file. */
export function propertiesOf(schema: JsonSchema): { readonly pointer: string; readonly part: JsonSchema }[] {
  const found: { pointer: string; part: JsonSchema }[] = []
  const walk = (part: JsonSchema, pointer: string): void => {
    if (isSchema(part.properties)) {
      for (const [name, one] of Object.entries(part.properties)) {
        if (!isSchema(one)) continue
        found.push({ pointer: `${pointer}/${name}`, part: one })
        walk(one, `${pointer}/${name}`)
      }
    }
    if (isSchema(part.items)) walk(part.items, `${pointer}/*`)
  }
  walk(schema, '')
  return found
}
