import { expect, test } from 'vitest'
import { isExchangeError } from '../errors.ts'
import { DATASET_SCHEMAS, type JsonSchema, WIRE_SCHEMAS } from '../schema-files.ts'
import { mapSchema, propertiesOf } from '../schema-parts.ts'
import { DATASETS, parseDatasetName } from './datasets.ts'

const files: readonly (readonly [string, JsonSchema])[] = [...Object.entries(DATASET_SCHEMAS), ...Object.entries(WIRE_SCHEMAS)]
const CHINESE = /\p{Script=Han}/u
/** National field names that hold data of a person: they never cross. */
const PERSONAL = ['ID_CARD', 'EXPERT_NAME', 'BIRTHDAY', 'SEX', 'COMPANY', 'POST_ADDRESS', 'PHONE_NUMBER', 'LEGAL_REPRESENT']

test('every dataset has a schema or is reserved', () => {
  const open = DATASETS.filter(row => !row.reserved).map(row => row.name)
  expect([...open].sort()).toEqual(Object.keys(DATASET_SCHEMAS).sort())
})

test.each(files)('%s: every property is described in English and Chinese', (_, schema) => {
  const all = propertiesOf(schema)
  expect(all.length).toBeGreaterThan(0)
  const poor = all.filter(({ part }) => CHINESE.test(String(part.description ?? '漏')) || !CHINESE.test(String(part['x-zh'])))
  expect(poor.map(({ pointer }) => pointer)).toEqual([])
})

test.each(files)('%s: every property names its source', (_, schema) => {
  expect(
    propertiesOf(schema)
      .filter(({ part }) => typeof part['x-source'] !== 'string')
      .map(({ pointer }) => pointer),
  ).toEqual([])
})

test.each(files)('%s: every object with properties is closed, by itself or by each of its kinds', (_, schema) => {
  const open: unknown[] = []
  mapSchema(schema, part => {
    if (part.type === 'object' && part.additionalProperties !== false && part.discriminator === undefined) open.push(part)
    for (const kind of part.discriminator === undefined ? [] : (part.oneOf as JsonSchema[]))
      if (kind.additionalProperties !== false) open.push(kind)
    return part
  })
  expect(open).toEqual([])
})

test('no field of a dataset is one of a person', () => {
  const named = Object.values(DATASET_SCHEMAS).flatMap(schema => propertiesOf(schema).map(({ part }) => part['x-national']))
  expect(named.filter(name => PERSONAL.includes(String(name)))).toEqual([])
})

test('a reserved name and an unknown name are no dataset to write', () => {
  expect(parseDatasetName('trade')).toBe('trade')
  for (const name of ['session', 'membership', 'Trade', '']) {
    expect(() => parseDatasetName(name)).toThrow(
      expect.toSatisfy(error => isExchangeError(error) && error.code === 'DATASET_UNKNOWN'),
    )
  }
})
