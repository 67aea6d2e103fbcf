/**
 * A real PostgreSQL, a real broker, hub and nodes in this process: for tests that look inside or interfere. Each testbed is its own
 * federation in a temporary folder and ends with everything it started.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { readConfig as readHubConfig } from '../../hub/config.ts'
import { type Hub, startHub } from '../../hub/hub.ts'
import { readConfig as readNodeConfig } from '../../node/config.ts'
import { type ExchangeNode, startNode } from '../../node/exchange-node.ts'
import type { NodeTables } from '../../node/tables.ts'
import { readBrokerCredentials } from '../../runtime/broker/credentials.ts'
import type { Environment } from '../../runtime/environment.ts'
import { type ClientFile, readClientFile, requestToken } from '../../runtime/http/access/client.ts'
import { readKeyFile, signerOf } from '../../runtime/keys/key-file.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { type Broker, connectBroker, readBrokerCa } from '../../runtime/nats.ts'
import type { RoleName } from '../../schemas/access/roles.ts'
import { type Membership, parseMembership } from '../../schemas/membership.ts'
import type { JsonValue } from '../../schemas/record.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { type FederationTrust, prepareTrust } from '../federation/broker-trust.ts'
import { type Clients, prepareClients } from '../federation/clients.ts'
import type { MemberPlan } from '../federation/members.ts'
import { prepareSecrets, type Secrets } from '../federation/secrets.ts'
import { type Brokers, startBrokers } from './brokers.ts'
import { brokerBinary, startDatabases, temporaryHome, testLogger } from './servers.ts'

export const PLANS: readonly MemberPlan[] = [
  { code: '530000', kind: 'province', zh: '云南', en: 'Yunnan', writes: ['entity', 'trade', 'credit', 'trust'] },
  { code: '520000', kind: 'province', zh: '贵州', en: 'Guizhou', writes: ['entity', 'trade'] },
  { code: '000000', kind: 'national', zh: '国家平台', en: 'National platform', writes: ['indicator'] },
]

export type Testbed = AsyncDisposable & {
  readonly hub: Hub
  readonly brokers: Brokers
  node(code: string): ExchangeNode
  stopNode(code: string): Promise<void>
  startNode(code: string): Promise<ExchangeNode>
  stopHub(): Promise<void>
  startHub(): Promise<Hub>
  /** a second connection under a member's own rights, as a thief of its credentials would have */
  connectAs(program: string): Promise<Broker>
  signer(program: string): Promise<Signer>
  readonly membership: Membership
  readonly membershipFile: string
  nodeDb(code: string): Kysely<NodeTables>
  readonly hubDb: Kysely<LedgerTables>
  /** the operator's */
  token(program: string): Promise<string>
  dataDir(program: string): string
  /** what a node is started with: for one that runs in a process of its own */
  nodeEnvironment(code: string): Environment
  /** of a client of the demo, exchanged for its assertion; `hub` or a code */
  tokenOf(program: string, role: RoleName): Promise<string>
  clientFile(program: string, role: RoleName): Promise<ClientFile>
}

/** `TEST_BROKERS=3` runs every suite on a cluster; `DATABASE_URL` (a superuser's) runs it on a server of one's own. */
const BROKERS = process.env.TEST_BROKERS === '3' ? 3 : 1

export type TestbedOptions = {
  readonly identityProviderFile?: string
  /** added to the environment of every node */
  readonly nodeSettings?: Environment
  /** what the keeper of the broker does to somebody's credentials before anybody connects with them */
  readonly interfere?: (secrets: Secrets, trust: FederationTrust) => Promise<void>
}

export async function startTestbed(
  brokerCount: 1 | 3 = BROKERS,
  { identityProviderFile, nodeSettings = {}, interfere = async () => {} }: TestbedOptions = {},
): Promise<Testbed> {
  await using undo = new AsyncDisposableStack()
  const home = await temporaryHome(undo, 'testbed')
  const secrets = await prepareSecrets(home, PLANS)
  const programs = ['hub', ...PLANS.map(plan => plan.code)]
  const databases = await startDatabases(undo, { home, fed: secrets.fed, programs })
  const trust = await prepareTrust(home, secrets)
  await interfere(secrets, trust)
  const server = undo.use(await startBrokers(brokerCount, { binary: await brokerBinary(), home, trust }))
  const logger = testLogger()
  const signal = new AbortController().signal
  const clients = new Map<string, Clients>()
  for (const name of programs) clients.set(name, await prepareClients(join(home, 'secrets'), secrets.fed, name))
  const clientFile = (program: string, role: RoleName): Promise<ClientFile> =>
    readClientFile(clients.get(program)?.clientFile(role) ?? '')
  const common = (prefix: string, program: string) => ({
    NATS_URL: server.url,
    DATABASE_URL: databases.url(program),
    [`${prefix}MEMBERSHIP_FILE`]: secrets.membershipFile,
    [`${prefix}KEY_FILE`]: secrets.keyFile(program),
    [`${prefix}BROKER_CREDENTIALS_FILE`]: secrets.brokerCredentialsFile(program),
    [`${prefix}BROKER_CA_FILE`]: trust.tls.caFile,
    [`${prefix}DATA_DIR`]: join(home, 'data', program),
    [`${prefix}ACCESS_CLIENTS_FILE`]: clients.get(program)?.file,
    ...(identityProviderFile === undefined ? {} : { [`${prefix}IDENTITY_PROVIDER_FILE`]: identityProviderFile }),
  })
  const replicas = { HUTONG_HUB_STREAM_REPLICAS: String(server.replicas) }
  const startOneHub = (): Promise<Hub> => {
    const env = {
      ...{ ...common('HUTONG_HUB_', 'hub'), ...replicas },
      HUTONG_HUB_BROKER_AUTHORITY_FILE: trust.authorityFile,
      HUTONG_HUB_OPERATOR_TOKEN_FILE: secrets.operatorTokenFile('hub'),
    }
    return startHub(readHubConfig(env), { logger, signal })
  }
  const nodeEnvironment = (code: string): Environment => ({
    ...common('HUTONG_NODE_', code),
    HUTONG_NODE_CODE: code,
    HUTONG_NODE_OPERATOR_TOKEN_FILE: secrets.operatorTokenFile(code),
    ...nodeSettings,
  })
  const startOneNode = (code: string): Promise<ExchangeNode> => startNode(readNodeConfig(nodeEnvironment(code)), { logger, signal })
  let hub: Hub | null = await startOneHub()
  undo.defer(() => hub?.[Symbol.asyncDispose]())
  // A cluster elects leaders first: until then there is no stream to publish to.
  const { url: hubUrl } = hub
  await eventually(
    'the streams',
    async () => (await fetch(`${hubUrl}/health/ready`)).status,
    status => status === 200,
    60_000,
  )
  const nodes = new Map<string, ExchangeNode>()
  undo.defer(async () => {
    for (const node of nodes.values()) await node[Symbol.asyncDispose]()
  })
  for (const { code } of PLANS) nodes.set(code, await startOneNode(code))
  const connections = undo.use(new AsyncDisposableStack())
  const held = undo.move()
  return {
    brokers: server,
    get hub() {
      if (hub === null) throw new Error('the hub is stopped')
      return hub
    },
    node(code) {
      const node = nodes.get(code)
      if (node === undefined) throw new Error(`no node ${code}`)
      return node
    },
    async stopNode(code) {
      await nodes.get(code)?.[Symbol.asyncDispose]()
      nodes.delete(code)
    },
    async startNode(code) {
      const node = await startOneNode(code)
      nodes.set(code, node)
      return node
    },
    async stopHub() {
      await hub?.[Symbol.asyncDispose]()
      hub = null
    },
    async startHub() {
      hub = await startOneHub()
      return hub
    },
    async connectAs(program) {
      const credentials = await readBrokerCredentials(secrets.brokerCredentialsFile(program))
      const ca = await readBrokerCa(trust.tls.caFile)
      return connections.use(await connectBroker({ url: server.url, program, credentials, ca }))
    },
    async signer(program) {
      const key = await readKeyFile(secrets.keyFile(program))
      return signerOf(key)
    },
    membership: await parseMembership(await readFile(secrets.membershipFile, 'utf8')),
    membershipFile: secrets.membershipFile,
    nodeDb: databases.of,
    hubDb: databases.of('hub').$pickTables<keyof LedgerTables>(),
    nodeEnvironment,
    token: async program => (await readFile(secrets.operatorTokenFile(program), 'utf8')).trim(),
    dataDir: program => join(home, 'data', program),
    clientFile,
    tokenOf: async (program, role) => {
      const url = program === 'hub' ? hub?.url : nodes.get(program)?.url
      return (await requestToken(url ?? '', await clientFile(program, role))).token
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

export type Answer = { readonly status: number; readonly body: JsonValue }

/** The operator's credential, as a header. */
export const operator = async (bed: Testbed, program: string): Promise<{ authorization: string }> => ({
  authorization: `Bearer ${await bed.token(program)}`,
})

/** Asks a node over HTTP, as its operator; a body is posted. */
export async function ask(bed: Testbed, code: string, path: string, body?: object): Promise<Answer> {
  const headers = await operator(bed, code)
  const posted = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(`${bed.node(code).url}${path}`, body === undefined ? { headers } : posted)
  return { status: response.status, body: (await response.json()) as JsonValue }
}

export const field = (value: JsonValue | undefined, ...path: readonly (string | number)[]): JsonValue | undefined =>
  path.reduce<JsonValue | undefined>(
    (inner, name) => (inner as { readonly [name: string | number]: JsonValue } | null | undefined)?.[name],
    value,
  )

/** Takes bytes in at a node through an adapter, as its operator does. */
export async function ingestBytes(
  bed: Testbed,
  code: string,
  adapter: string,
  bytes: string | Uint8Array<ArrayBuffer>,
  mapping?: string,
): Promise<JsonValue> {
  const authorization = `Bearer ${await bed.token(code)}`
  const query = new URLSearchParams({ platform: `${code}-01`, file: `test.${adapter}` })
  if (mapping !== undefined) {
    const stored = await fetch(`${bed.node(code).url}/v1/mappings`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/yaml' },
      body: mapping,
    })
    query.set('mapping', ((await stored.json()) as { digest: string }).digest)
  }
  const response = await fetch(`${bed.node(code).url}/v1/ingest/${adapter}?${query}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/octet-stream' },
    body: bytes,
  })
  const text = await response.text()
  if (response.status !== 200) throw new Error(text)
  return JSON.parse(text) as JsonValue
}

/** Rows in the shape of the national data specification. */
export const ingestRows = (bed: Testbed, code: string, rows: readonly object[]): Promise<JsonValue> =>
  ingestBytes(bed, code, 'national', rows.map(row => JSON.stringify(row)).join('\n'))

/** Waits for a condition, and says at the end what it last saw. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T>,
  holds: (value: T) => boolean,
  withinMs = 20_000,
): Promise<T> {
  const end = Date.now() + withinMs
  for (;;) {
    const value = await probe()
    if (holds(value)) return value
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms, last saw ${JSON.stringify(value)}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
