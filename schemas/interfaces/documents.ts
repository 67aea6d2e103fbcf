/**
 * The published documents of the unified interface, made of its tables: the catalogue, OpenAPI 3.1 of its operations, AsyncAPI 3.0 of its
 * events. `npm run codegen` writes them to `generated/`, a check compares them.
 */
import { DATASET_SCHEMAS, type JsonSchema, WIRE_SCHEMAS } from '../schema-files.ts'
import { mapSchema } from '../schema-parts.ts'
import { logSubject } from '../subjects.ts'
import { CATALOGUE, CATALOGUE_VERSION, EVENTS, GROUPS, REFUSALS } from './catalogue.ts'
import { INTERFACE_OPERATIONS, type InterfaceOperation, SERVERS } from './operations.ts'

type Json = { readonly [name: string]: unknown }
const GENERATED = 'Generated from schemas/interfaces by `npm run codegen`. Do not edit.'
const TITLE = 'Hutong unified interface 互通统一接口'
const ABOUT = {
  en: 'Fifty operations in the groups of the unified interface that the notice 发改办法规〔2019〕876号 reports of Guizhou, and eight events. The notice names no list; operations, events and their numbering are this catalogue’s own, drawn from GM/T 0020, GM/T 0018, GB/T 35291, GB/T 35275, GM/T 0031 and GB/T 38540.',
  zh: '按发改办法规〔2019〕876号所述贵州统一接口的分组列出五十项操作与八项事件。该通知未公布清单；本目录的操作、事件及编号均为自定，依据 GM/T 0020、GM/T 0018、GB/T 35291、GB/T 35275、GM/T 0031 与 GB/T 38540 归纳。',
} as const

const INFO = { title: TITLE, version: CATALOGUE_VERSION, description: `${ABOUT.en}\n\n${ABOUT.zh}` }

/** A schema within a larger document: its own address and dialect would take it out of that. */
const within = (schema: JsonSchema): JsonSchema =>
  mapSchema(schema, part =>
    Object.fromEntries(Object.entries(part).filter(([keyword]) => keyword !== '$id' && keyword !== '$schema')),
  )

function catalogue(): Json {
  return {
    'x-generated': GENERATED,
    version: CATALOGUE_VERSION,
    about: ABOUT,
    groups: GROUPS,
    operations: CATALOGUE.map((row, index) => ({
      number: index + 1,
      ...row,
      ...(row.refused === undefined ? {} : { reason: REFUSALS[row.refused] }),
    })),
    events: EVENTS.map((row, index) => ({ number: index + 1, ...row, subject: subjectOf(row) })),
  }
}

const PROBLEM = {
  description: 'Problem details (RFC 9457). 问题详情',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

function operationOf({ id, server, en, zh, query, request, status, answer }: InterfaceOperation): Json {
  const said = CATALOGUE.filter(row => row.offered === id)
  return {
    operationId: id,
    summary: en,
    description: zh,
    tags: [...new Set(said.map(({ group }) => group))],
    servers: [SERVERS[server]],
    'x-catalogue': said.map(row => row.id),
    ...(query === undefined ? {} : { parameters: query.map(parameter => ({ in: 'query', ...parameter })) }),
    ...(request === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: request.schema, example: request.example } } } }),
    responses: {
      [status]: {
        description: en,
        ...(answer === undefined ? {} : { content: { 'application/json': { schema: answer.schema, example: answer.example } } }),
      },
      default: PROBLEM,
    },
    ...(server === 'node' && id !== 'readInterfaces' ? { security: [{ token: [] }] } : { security: [] }),
  }
}

function openapi(): Json {
  const paths: { [path: string]: { [method: string]: Json } } = {}
  for (const operation of INTERFACE_OPERATIONS) {
    const path = paths[operation.path] ?? {}
    paths[operation.path] = path
    path[operation.method] = operationOf(operation)
  }
  return {
    'x-generated': GENERATED,
    openapi: '3.1.0',
    info: INFO,
    servers: [SERVERS.node],
    tags: Object.entries(GROUPS).map(([name, { zh }]) => ({ name, description: zh })),
    paths,
    components: {
      schemas: { Problem: within(WIRE_SCHEMAS.problem) },
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'at+jwt' } },
    },
  }
}

type EventRow = (typeof EVENTS)[number]
const MARK = { origin: '000000', home: '000001' }
/** The subject of a log with its parts as parameters. */
const subjectOf = ({ dataset, audience }: EventRow): string =>
  logSubject({ origin: MARK.origin, dataset, audience: audience.replace('{home}', MARK.home) })
    .replace(MARK.origin, '{origin}')
    .replace(MARK.home, '{home}')

const member = (description: string) => ({ description })
const channelName = ({ dataset }: EventRow): string => dataset
const messageName = ({ id }: EventRow): string => id.replace(/[.-](.)/g, (_, letter: string) => letter.toUpperCase())

/** A record that is such an event: the frame of every record, its body by the dataset, and what makes it one. */
function eventSchema({ dataset, record }: EventRow): JsonSchema {
  const body = record.body ?? {}
  const version = record.ver === undefined ? {} : { ver: record.ver === 'first' ? { const: 1 } : { minimum: 2 } }
  const fixed = Object.fromEntries(Object.entries(body).map(([name, value]) => [name, { const: value }]))
  return {
    allOf: [
      { $ref: '#/components/schemas/Record' },
      {
        type: 'object',
        required: record.op === 'put' ? ['body'] : ['why'],
        properties: {
          op: { const: record.op },
          ...version,
          ...(record.op === 'put'
            ? { body: { allOf: [{ $ref: `#/components/schemas/${dataset}` }, { type: 'object', properties: fixed }] } }
            : {}),
        },
      },
    ],
  }
}

const EXAMPLES: { readonly [dataset in EventRow['dataset']]: Json } = {
  supervision: {
    kind: 'certificate-use',
    region: '520000',
    venue: '530000',
    system: 'sample-trading-system',
    uscc: '915200003224456695',
    certificate: 'sha-256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU',
    ca_name: '示例电子认证机构',
  },
  trust: {
    list_id: '520000',
    territory: '520000',
    sequence: 7,
    issued_at: '2026-11-24T09:00:00+08:00',
    next_update: '2027-02-24T09:00:00+08:00',
    list: `${'eyJ0eXAiOiJodXRvbmctdHJ1c3QtbGlzdCtqd3QifQ'}.${'e30'.repeat(20)}.${'c2ln'.repeat(20)}`,
  },
  entity: {
    name: '示例建设公司',
    code: '915200003224456695',
    code_verdict: { kind: 'uscc', outer: 'right', inner: 'right' },
  },
}

export function exampleOf({ dataset, record }: EventRow): Json {
  const frame = {
    key: 'example',
    op: record.op,
    ver: record.ver === 'later' ? 2 : 1,
    at: '2026-11-24T09:00:00+08:00',
    platform: '520000',
  }
  return record.op === 'put' ? { ...frame, body: { ...EXAMPLES[dataset], ...record.body } } : { ...frame, why: 'withdrawn' }
}

const batchOf = (row: EventRow): JsonSchema => ({
  type: 'object',
  required: ['salt', 'records'],
  properties: { salt: { type: 'string' }, records: { type: 'array', contains: eventSchema(row) } },
})

function asyncapi(): Json {
  const channels: { [name: string]: { address: string; parameters: Json; messages: { [name: string]: Json } } & Json } = {}
  for (const row of EVENTS) {
    const address = subjectOf(row)
    const channel = channels[channelName(row)] ?? {
      address,
      description: `The logs of ${row.dataset}: envelopes of records; the JWT of each is in the header Hutong-Envelope.`,
      parameters: {
        origin: member('Code of the member that wrote the log. 来源成员代码'),
        ...(address.includes('{home}')
          ? { home: member('Code of the member where the holder is at home, the only one that can read it. 属地成员代码') }
          : {}),
      },
      messages: {},
    }
    channel.messages[messageName(row)] = { $ref: `#/components/messages/${messageName(row)}` }
    channels[channelName(row)] = channel
  }
  const operations = Object.fromEntries(
    EVENTS.map(row => [
      messageName(row),
      {
        action: 'receive',
        channel: { $ref: `#/channels/${channelName(row)}` },
        summary: row.en,
        description: row.zh,
        messages: [{ $ref: `#/channels/${channelName(row)}/messages/${messageName(row)}` }],
      },
    ]),
  )
  const messages = Object.fromEntries(
    EVENTS.map(row => [
      messageName(row),
      {
        name: row.id,
        title: row.en,
        summary: row.zh,
        contentType: 'application/json',
        headers: { type: 'object', required: ['Hutong-Envelope'], properties: { 'Hutong-Envelope': { type: 'string' } } },
        payload: batchOf(row),
        examples: [
          { name: row.id, headers: { 'Hutong-Envelope': 'eyJ…' }, payload: { salt: 'c2FsdA', records: [exampleOf(row)] } },
        ],
      },
    ]),
  )
  const datasets = [...new Set(EVENTS.map(({ dataset }) => dataset))]
  return {
    'x-generated': GENERATED,
    asyncapi: '3.0.0',
    info: INFO,
    defaultContentType: 'application/json',
    servers: {
      broker: { host: 'broker.example:4222', protocol: 'nats', description: 'The broker of the federation. 联盟消息代理' },
    },
    channels,
    operations,
    components: {
      messages,
      schemas: {
        Record: within(WIRE_SCHEMAS.record),
        ...Object.fromEntries(datasets.map(dataset => [dataset, within(DATASET_SCHEMAS[dataset])])),
      },
    },
  }
}

export const publishedDocuments = (): { readonly catalogue: Json; readonly openapi: Json; readonly asyncapi: Json } => ({
  catalogue: catalogue(),
  openapi: openapi(),
  asyncapi: asyncapi(),
})

/** File name → text, as they are committed. */
export const documentFiles = (): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(publishedDocuments()).map(([name, document]) => [`${name}.json`, `${JSON.stringify(document, null, 2)}\n`]),
  )
