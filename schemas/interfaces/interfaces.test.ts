import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { describe, expect, test } from 'vitest'
import { differences } from '../codegen.ts'
import { CATALOGUE, EVENTS, GROUPS, REFUSALS } from './catalogue.ts'
import { documentFiles, exampleOf, publishedDocuments } from './documents.ts'
import { INTERFACE_OPERATIONS } from './operations.ts'

type Document = { readonly [name: string]: unknown }
const documents = JSON.parse(JSON.stringify(publishedDocuments())) as {
  readonly [name in 'catalogue' | 'openapi' | 'asyncapi']: Document
}
const { catalogue, openapi, asyncapi } = documents
type Message = { readonly name: string; readonly payload: unknown; readonly examples: readonly { readonly payload: unknown }[] }
const { messages } = asyncapi.components as { readonly messages: { readonly [name: string]: Message } }

/** What a document's own `$ref`s name; undefined for one that names nothing. */
function resolve(document: unknown, pointer: string): unknown {
  return pointer
    .slice(2)
    .split('/')
    .reduce<unknown>(
      (at, step) => (at as { [name: string]: unknown } | undefined)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')],
      document,
    )
}
function refsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, part]) => (name === '$ref' && typeof part === 'string' ? [part] : refsOf(part)))
}
function validatorOf(document: { readonly [name: string]: unknown }) {
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  ajv.addFormat('party-code', true)
  ajv.addSchema({ $id: 'urn:hutong:document', components: document.components })
  return (schema: unknown, value: unknown): string => {
    const absolute = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"urn:hutong:document#/')) as object
    return ajv.validate(absolute, value) ? '' : ajv.errorsText()
  }
}

describe('the catalogue', () => {
  test('has fifty operations in the seven groups and eight events, each once', () => {
    expect([CATALOGUE.length, EVENTS.length]).toEqual([50, 8])
    expect(new Set(CATALOGUE.map(({ id }) => id)).size).toBe(50)
    expect(new Set(EVENTS.map(({ id }) => id)).size).toBe(8)
    expect(new Set(CATALOGUE.map(({ group }) => group))).toEqual(new Set(Object.keys(GROUPS)))
  })

  test('offers each operation or refuses it with a reason, in both languages', () => {
    for (const { id, offered, refused, en, zh, basis } of CATALOGUE) {
      expect(
        [offered, refused].filter(one => one !== undefined),
        id,
      ).toHaveLength(1)
      expect(zh, id).toMatch(/[\u4e00-\u9fff]/)
      expect(en.length * basis.length, id).toBeGreaterThan(0)
    }
    const used = new Set(CATALOGUE.flatMap(({ refused }) => refused ?? []))
    expect(used).toEqual(new Set(Object.keys(REFUSALS)))
  })

  test('offers nothing that needs a private key but the signature of a login, at the machine of the holder', () => {
    const keyed = CATALOGUE.filter(({ group }) => group === 'sign' || group === 'device')
    expect(keyed.filter(({ offered }) => offered !== undefined).map(({ id }) => id)).toEqual(['sign.login-statement'])
    expect(INTERFACE_OPERATIONS.find(({ id }) => id === 'signLoginStatement')?.server).toBe('signer')
  })

  test('says that its list is its own', () => {
    expect(JSON.stringify(catalogue.about)).toContain('numbering are this catalogue’s own')
  })
})

describe('the OpenAPI document', () => {
  type Operation = {
    readonly operationId: string
    readonly requestBody?: {
      readonly content: { readonly 'application/json': { readonly schema: unknown; readonly example: unknown } }
    }
    readonly parameters?: readonly { readonly schema: unknown; readonly example: unknown }[]
    readonly responses: {
      readonly [status: string]: {
        readonly content?: { readonly [media: string]: { readonly schema: unknown; readonly example: unknown } }
      }
    }
  }
  const paths = openapi.paths as { readonly [path: string]: { readonly [method: string]: Operation } }
  const operations = Object.values(paths).flatMap(methods => Object.values(methods))

  test('has every operation that is offered, with an example of what is asked and answered', () => {
    const named = new Map(operations.map(operation => [operation.operationId, operation]))
    expect(named.size).toBe(operations.length)
    for (const { id, offered } of CATALOGUE) {
      if (offered === undefined) continue
      const operation = named.get(offered)
      expect(operation, `${id} → ${offered}`).toBeDefined()
      const examples = [
        operation?.requestBody?.content['application/json'].example,
        operation?.responses['200']?.content?.['application/json']?.example,
      ]
      expect(examples.some(example => example !== undefined) || (operation?.parameters?.length ?? 0) > 0, offered).toBe(true)
    }
  })

  test('has no example that its own schema refuses', () => {
    const faults = validatorOf(openapi)
    for (const operation of operations) {
      const asked = operation.requestBody?.content['application/json']
      if (asked !== undefined) expect(faults(asked.schema, asked.example), operation.operationId).toBe('')
      for (const parameter of operation.parameters ?? [])
        expect(faults(parameter.schema, parameter.example), operation.operationId).toBe('')
      const answered = operation.responses['200']?.content?.['application/json']
      if (answered !== undefined) expect(faults(answered.schema, answered.example), operation.operationId).toBe('')
    }
  })

  test('and the AsyncAPI document name nothing that they do not have', () => {
    for (const document of [openapi, asyncapi])
      for (const ref of refsOf(document)) expect(resolve(document, ref), ref).toBeDefined()
  })
})

describe('the AsyncAPI document', () => {
  test('has a channel, an operation and a message with a schema for every event, and its example fits', () => {
    const faults = validatorOf(asyncapi)
    expect(Object.values(messages).map(({ name }) => name)).toEqual(EVENTS.map(({ id }) => id))
    expect(Object.keys(asyncapi.operations as object)).toHaveLength(8)
    for (const { name, payload, examples } of Object.values(messages)) expect(faults(payload, examples[0]?.payload), name).toBe('')
  })

  test('tells the events of one log apart', () => {
    const faults = validatorOf(asyncapi)
    for (const row of EVENTS) {
      const batch = { salt: 'c2FsdA', records: [JSON.parse(JSON.stringify(exampleOf(row))) as object] }
      const fitting = Object.values(messages)
        .filter(({ payload }) => faults(payload, batch) === '')
        .map(({ name }) => name)
      const ofLog = EVENTS.filter(({ dataset, id }) => dataset === row.dataset && fitting.includes(id)).map(({ id }) => id)
      expect(ofLog, row.id).toEqual([row.id])
    }
  })
})

test('the committed documents are what the tables give', async () => {
  expect(await differences(documentFiles(), join(import.meta.dirname, 'generated'))).toEqual([])
})
