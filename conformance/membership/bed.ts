/**
 * A federation that was founded and is joined as in the field, hub and nodes in this process: broker, database, office and nodes are the
 * real ones. What a member's people and the hub's people do by hand, tests do through the same calls.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { readConfig as readHubConfig } from '../../hub/config.ts'
import { type Hub, startHub } from '../../hub/hub.ts'
import { readConfig as readNodeConfig } from '../../node/config.ts'
import { type ExchangeNode, startNode } from '../../node/exchange-node.ts'
import type { NodeTables } from '../../node/tables.ts'
import { passingCredentials } from '../../runtime/broker/credentials.ts'
import { startBroker } from '../../runtime/broker/launcher.ts'
import type { Environment } from '../../runtime/environment.ts'
import { readClientFile, requestToken } from '../../runtime/http/access/client.ts'
import { readKeyFile, signerOf } from '../../runtime/keys/key-file.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { keptPort } from '../../runtime/loopback-port.ts'
import { type JoinFile, parseJoinFile } from '../../runtime/membership/join-file.ts'
import { joinFederation } from '../../runtime/membership/joining.ts'
import { type Broker, connectBroker, readBrokerCa } from '../../runtime/nats.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { JsonValue } from '../../schemas/record.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { brokerBinary, startDatabases, temporaryHome, testLogger } from '../exchange/servers.ts'
import { prepareTrust } from '../federation/broker-trust.ts'
import { type Clients, prepareClients } from '../federation/clients.ts'
import { childEnvironment } from '../federation/config.ts'
import { type Founded, prepareFounding } from '../federation/founding.ts'
import { createProgram, PROJECT, type Program } from '../federation/programs.ts'

export type Role = 'system-administrator' | 'security-administrator'
export type Bed = AsyncDisposable & {
  readonly founded: Founded
  readonly home: string
  hubUrl(): string
  node(code: string): ExchangeNode
  startHub(): Promise<void>
  stopHub(): Promise<void>
  /** one more process of the hub, over the same database */
  startSecondHub(): Promise<Program>
  /** SIGKILL to a hub in a process of its own; it is started again */
  killHub(): void
  startNode(code: string): Promise<ExchangeNode>
  stopNode(code: string): Promise<void>
  /** as an officer of the hub. @throws the problem as an ExchangeError */
  order(role: Role, path: string, body?: object): Promise<JsonValue>
  ask(program: string, path: string, init?: { readonly method?: string; readonly body?: object }): Promise<JsonValue>
  invite(code: string, more?: object): Promise<JoinFile>
  /** Invites, joins, approves and starts the node. Answers the seconds that it took. */
  admit(code: string): Promise<number>
  hubSigner(): Promise<Signer>
  /** a connection with all the hub's rights */
  hostileHub(): Promise<Broker>
  nodeDb(code: string): Kysely<NodeTables>
  ledger(code: string): Kysely<LedgerTables>
  readonly hubDb: Kysely<LedgerTables>
}

export const NAMES: { readonly [code: string]: readonly [zh: string, en: string] } = {
  '530000': ['云南', 'Yunnan'],
  '520000': ['贵州', 'Guizhou'],
  '450000': ['广西', 'Guangxi'],
  '530100': ['昆明', 'Kunming'],
}
const CODES = Object.keys(NAMES)

export async function startBed(
  options: {
    /** who has joined when it answers, in this order */
    readonly members?: readonly string[]
    readonly statementLifetimeMs?: number
    /** added to the environment of a node */
    readonly nodeSettings?: (code: string) => Environment
    /** the hub in a process of its own, that can be killed */
    readonly hubProcess?: boolean
  } = {},
): Promise<Bed> {
  await using undo = new AsyncDisposableStack()
  const home = await temporaryHome(undo, 'membership')
  const programs = ['hub', ...CODES]
  const founded = await prepareFounding(home, programs)
  const databases = await startDatabases(undo, { home, fed: founded.fed, programs })
  const { trust, accounts, tls, authority, authorityFile } = await prepareTrust(home, founded)
  const server = undo.use(await startBroker({ binary: await brokerBinary(), dataDir: join(home, 'broker'), trust, accounts, tls }))
  const clients = new Map<string, Clients>()
  for (const name of programs) clients.set(name, await prepareClients(join(home, 'secrets'), founded.fed, name))
  const logger = testLogger()
  const { signal } = new AbortController()
  const port = await keptPort(join(home, 'hub.port'))
  const common = (prefix: string, name: string) => ({
    NATS_URL: server.url,
    DATABASE_URL: databases.url(name),
    [`${prefix}DATA_DIR`]: join(home, 'data', name),
    [`${prefix}OPERATOR_TOKEN_FILE`]: founded.operatorTokenFile(name),
    [`${prefix}ACCESS_CLIENTS_FILE`]: clients.get(name)?.file,
  })
  let hub: Hub | null = null
  let program: Program | null = null
  const nodes = new Map<string, ExchangeNode>()
  undo.defer(async () => {
    await Promise.all([...nodes.values()].map(node => node[Symbol.asyncDispose]()))
    await hub?.[Symbol.asyncDispose]()
    await program?.stop()
  })
  const connections = undo.use(new AsyncDisposableStack())
  const urlOf = (program: string): string => (program === 'hub' ? bed.hubUrl() : bed.node(program).url)

  async function send(url: string, token: string, method: string, body: object | undefined): Promise<JsonValue> {
    const answer = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const value = (await answer.json()) as JsonValue
    if (answer.ok) return value
    const { code, detail } = value as { code: string; detail: string }
    throw new ExchangeError(code as never, detail)
  }

  const hubEnvironment = (at: number, dataDir = join(home, 'data', 'hub')) => ({
    ...common('HUTONG_HUB_', 'hub'),
    HUTONG_HUB_FOUNDING_FILE: founded.foundingFile,
    HUTONG_HUB_KEY_FILE: founded.keyFile('hub'),
    HUTONG_HUB_BROKER_CREDENTIALS_FILE: founded.brokerCredentialsFile('hub'),
    HUTONG_HUB_BROKER_CA_FILE: tls.caFile,
    HUTONG_HUB_BROKER_AUTHORITY_FILE: authorityFile,
    HUTONG_HUB_HTTP_PORT: String(at),
    ...(options.statementLifetimeMs === undefined ? {} : { HUTONG_HUB_STATEMENT_LIFETIME_MS: String(options.statementLifetimeMs) }),
    HUTONG_HUB_DATA_DIR: dataDir,
  })
  const createHub = (name: string, at: number, env: Environment): Program =>
    createProgram(
      {
        name,
        script: join(PROJECT, 'hub/main.ts'),
        env: () => childEnvironment(process.env, env),
        logFile: join(home, `${name}.log`),
        readyUrl: `http://127.0.0.1:${at}/health/ready`,
      },
      { onEvent: () => {}, onPids: () => {} },
    )

  const held = undo
  const bed: Omit<Bed, typeof Symbol.asyncDispose> = {
    founded,
    home,
    hubUrl: () => `http://127.0.0.1:${port}`,
    node(code) {
      const node = nodes.get(code)
      if (node === undefined) throw new Error(`no node ${code}`)
      return node
    },
    async startHub() {
      const env = hubEnvironment(port)
      if (options.hubProcess !== true) hub = await startHub(readHubConfig(env), { logger, signal })
      else {
        program = createHub('hub', port, env)
        await program.start(signal)
      }
    },
    async stopHub() {
      await hub?.[Symbol.asyncDispose]()
      hub = null
      await program?.stop()
    },
    async startSecondHub() {
      const at = await keptPort(join(home, 'hub-2.port'))
      const second = connections.use(createHub('hub-2', at, hubEnvironment(at, join(home, 'data', 'hub-2'))))
      await second.start(signal)
      return second
    },
    killHub: () => program?.kill(),
    async startNode(code) {
      const own = { HUTONG_NODE_CODE: code, HUTONG_NODE_MEMBERSHIP_DIR: founded.memberDir(code) }
      const env = { ...common('HUTONG_NODE_', code), ...own, ...options.nodeSettings?.(code) }
      const node = await startNode(readNodeConfig(env), { logger, signal })
      nodes.set(code, node)
      return node
    },
    async stopNode(code) {
      await nodes.get(code)?.[Symbol.asyncDispose]()
      nodes.delete(code)
    },
    async order(role, path, body = {}) {
      const file = clients.get('hub')?.clientFile(role) ?? ''
      const { token } = await requestToken(bed.hubUrl(), await readClientFile(file))
      return send(`${bed.hubUrl()}${path}`, token, 'POST', body)
    },
    async ask(program, path, { method = 'GET', body } = {}) {
      const token = (await readFile(founded.operatorTokenFile(program), 'utf8')).trim()
      return send(`${urlOf(program)}${path}`, token, method, body)
    },
    async invite(code, more = {}) {
      const [zh, en] = NAMES[code] ?? ['某省', 'Some province']
      const file = await bed.order('system-administrator', '/v1/membership/invitations', { code, zh, en, ...more })
      return parseJoinFile(JSON.stringify(file), code)
    },
    async admit(code) {
      const start = performance.now()
      const file = await bed.invite(code)
      const joining = joinAs(bed.founded, file)
      const fingerprint = await joining.asked
      await bed.order('security-administrator', `/v1/membership/members/${code}/approve`, { fingerprint })
      await joining.done
      await bed.startNode(code)
      return (performance.now() - start) / 1000
    },
    hubSigner: async () => signerOf(await readKeyFile(founded.keyFile('hub'))),
    async hostileHub() {
      const credentials = await passingCredentials(key => authority.admit('hub', key))
      return connections.use(
        await connectBroker({ url: server.url, program: 'hub', credentials, ca: await readBrokerCa(tls.caFile) }),
      )
    },
    nodeDb: databases.of,
    ledger: code => databases.of(code).$pickTables<keyof LedgerTables>(),
    hubDb: databases.of('hub').$pickTables<keyof LedgerTables>(),
  }
  await bed.startHub()
  for (const code of options.members ?? []) await bed.admit(code)
  const moved = held.move()
  return { ...bed, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}

/** A joiner at work: `asked` is the fingerprint, fulfilled when its request stands at the hub. */
export function joinAs(
  founded: Pick<Founded, 'memberDir' | 'recoveryFile'>,
  file: JoinFile,
  signal: AbortSignal = new AbortController().signal,
): { readonly asked: Promise<string>; readonly done: Promise<boolean> } {
  const asked = Promise.withResolvers<string>()
  let fingerprint = ''
  const done = joinFederation({
    file,
    folder: founded.memberDir(file.code),
    recoveryFile: founded.recoveryFile(file.code),
    passphrase: null,
    recoveryPassphrase: null,
    wait: true,
    signal,
    onProgress(progress) {
      if (progress.step === 'made') fingerprint = progress.fingerprint
      else if (progress.step !== 'unreachable') asked.resolve(fingerprint)
    },
  })
  done.catch(asked.reject)
  asked.promise.catch(() => {})
  return { asked: asked.promise, done }
}
