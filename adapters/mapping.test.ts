import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ExchangeError } from '../schemas/errors.ts'
import { ADAPTERS, adapterNamed } from './adapters.ts'
import { CONVERTER_NAMES } from './converters.ts'
import schema from './mapping.schema.json' with { type: 'json' }
import { parseMapping } from './mapping.ts'

const good = readFileSync(new URL('csv/entities.mapping.yaml', import.meta.url), 'utf8')

const faultsOf = (text: string): readonly string[] => {
  try {
    parseMapping(text)
  } catch (error) {
    if (error instanceof ExchangeError && error.code === 'MAPPING_INVALID' && Array.isArray(error.detail.faults))
      return error.detail.faults
    throw error
  }
  return []
}

describe('a mapping file', () => {
  it('is read with its defaults where it is silent', () => {
    const mapping = parseMapping(good)
    expect(mapping).toMatchObject({
      adapter: 'csv',
      dataset: 'entity',
      encoding: 'utf-8',
      delimiter: ',',
      key: 'code',
      at: 'registered_on',
    })
    expect(mapping.empties.has('N/A')).toBe(true)
    expect(mapping.fields.find(field => field.target === 'region')?.readings).toHaveLength(2)
  })

  it('lets a file state its own list of empties', () => {
    const { empties } = parseMapping(`${good}empty: [无]\n`)
    expect([empties.has('无'), empties.has(''), empties.has('N/A')]).toEqual([true, true, false])
  })

  it('reports every fault at once, each with its line and what was expected', () => {
    const faults = faultsOf('adapter: csv\ndataset: entities\nkey: code\ncolour: red\nfields:\n  name: { from: a, as: txt }\n')
    expect(faults).toHaveLength(3)
    expect(faults.map(fault => fault.slice(0, 7)).toSorted()).toEqual(['line 2:', 'line 4:', 'line 6:'])
    expect(faults.join()).toContain('region-of-uscc')
  })

  it('refuses a key that no required field gives, a time that is no date and a code table without values', () => {
    const faults = faultsOf(
      'adapter: csv\ndataset: entity\nkey: code\nat: name\nfields:\n  code: { from: a, as: code }\n  name: { from: b, as: code-table }\n',
    )
    expect(faults.map(fault => fault.slice(0, 7))).toEqual(['line 3:', 'line 4:', 'line 7:'])
  })

  it('refuses to read a personal column', () => {
    expect(faultsOf(good.replace('企业名称, as', '法定代表人, as'))).toEqual([expect.stringContaining('法定代表人')])
  })

  it('refuses what is not YAML, a doubled field and an expanded alias', () => {
    expect(faultsOf('adapter: [')).not.toEqual([])
    expect(faultsOf(`${good}  name: { from: x, as: text }\n`)).toEqual([
      expect.stringMatching(/^line \d+: Map keys must be unique/),
    ])
    expect(faultsOf('adapter: &a csv\ndataset: *a\n')).not.toEqual([])
  })

  it('names the converters that there are', () => {
    expect(schema.$defs.converter.enum).toEqual(CONVERTER_NAMES)
  })
})

describe('the adapters', () => {
  it('are found by name, and an unknown name is an error', () => {
    for (const adapter of ADAPTERS) expect(adapterNamed(adapter.name)).toBe(adapter)
    expect(() => adapterNamed('xlsx')).toThrow(expect.objectContaining({ code: 'ADAPTER_UNKNOWN' }))
  })
})
