/**
 * A whole federation on one machine, as separate processes: database and broker, hub, nodes, sample trading systems. `npm start` and
 * the whole-system tests start it by the same call. What it starts it stops, in the order in which things lean on each other, and
 * the folder that it lives in is all that it leaves: the next start goes on from there.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type FederationFile,
  federationPath,
  formatFederationFile,
  parseFederationFile,
} from '../../console/terminal/federation-file.ts'
import type { Environment } from '../../runtime/environment.ts'
import { issuerOf } from '../../runtime/http/access/token-server.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { formatProviderFile } from '../identity/people.ts'
import { CALLBACK_PATH } from '../samples/login.ts'
import { admitMember, isJoined } from './admission.ts'
import { prepareTrust } from './broker-trust.ts'
import { type Clients, clientFiles, prepareClients, regionOf } from './clients.ts'
import { childEnvironment, readConfig } from './config.ts'
import { prepareFounding, refreshSnapshot } from './founding.ts'
import { prepareBroker, prepareDatabases } from './ground.ts'
import { endLeftovers, writeIdentities } from './leftovers.ts'
import { lockHome } from './lock.ts'
import { DEMO_MEMBERS, type MemberPlan } from './members.ts'
import {
  formatSystems,
  type Ground,
  hubPlan,
  logFileFor,
  loginUrlFor,
  nodePlan,
  peoplePlan,
  sampledMembers,
  samplesPlan,
  urlFor,
} from './plans.ts'
import { choosePorts } from './ports.ts'
import { createProgram, type Program, type ProgramEvent } from './programs.ts'
import type { Progress, Step } from './progress.ts'
import { holderFile, loginName, prepareLoginClients, prepareSampleHolder } from './sample-login.ts'
import { operatesList, publishSampleList } from './sample-trust.ts'
import { writeOwnerOnly } from './secrets.ts'

export type FederationOptions = {
  readonly home: string
  /** with sample trading systems; true unless said */
  readonly samples?: boolean
  readonly members?: readonly MemberPlan[]
  /** the launcher's settings, and what the programs inherit */
  readonly env?: Environment
  readonly onProgress: (progress: Progress) => void
  /** Where hub and nodes reach a server instead of at its own address: a proxy, for tests. Asked at every start of a program. */
  readonly route?: Route
  /** a program died or came back */
  readonly onEvent?: (event: ProgramEvent) => void
  /** ends a start that is under way; a running federation is ended by disposing it */
  readonly signal: AbortSignal
}

export type Route = (program: string, server: 'broker' | 'postgres', url: string) => string

export type Federation = AsyncDisposable & {
  readonly home: string
  readonly file: FederationFile
  readonly hub: Program
  readonly nodes: ReadonlyMap<string, Program>
  readonly samples: Program | null
  readonly broker: { readonly url: string; readonly caFile: string | undefined; credentialsFile(program: string): string }
  /** of the hub, of a node by its code, of a sample system by `samples-<code>` */
  databaseUrl(program: string): string
  keyFile(program: string): string
  /** Stays down until it is started again. @throws PROGRAM_UNKNOWN */
  stopNode(code: string): Promise<void>
  startNode(code: string): Promise<void>
  /** Of `hub`, a node by its code, `samples`, `broker` or `postgres`; null while it is down, or where it is another's to run. */
  pid(name: string): number | null
  /** SIGKILL to `hub`, a node by its code, `samples`, `broker` or `postgres`, which is then started again. @throws PROGRAM_UNKNOWN */
  killProgram(name: string): void
  /** spent on fetching the broker at a first start */
  readonly fetchMs: number
}

const STEP = {
  folder: { id: 'folder', zh: '目录、密钥与成员', en: 'folder, keys and members' },
  postgres: { id: 'postgres', zh: '数据库', en: 'database' },
  broker: { id: 'broker', zh: '消息代理', en: 'broker' },
  hub: { id: 'hub', zh: '枢纽', en: 'hub' },
  people: { id: 'people', zh: '人员认证（样例）', en: 'identity provider of the demo' },
  samples: { id: 'samples', zh: '样例交易系统', en: 'sample trading systems' },
} as const satisfies { readonly [id: string]: Step }

const nodeStep = ({ code, zh, en }: MemberPlan): Step => ({ id: code, zh: `节点 ${code} ${zh}`, en: `node ${en}` })
const stopStep = (step: Step): Step => ({ id: `stop-${step.id}`, zh: `停止${step.zh}`, en: `stopping ${step.en}` })

type Note = (text: string) => void
type Reporting = { readonly onProgress: (progress: Progress) => void; readonly signal?: AbortSignal }

/** Reports a step from its beginning to its end, whichever that is. */
async function stepped<T>(step: Step, { onProgress, signal }: Reporting, work: (note: Note) => Promise<T>): Promise<T> {
  onProgress({ ...step, state: 'begun' })
  try {
    const result = await work(note => onProgress({ ...step, state: 'begun', note }))
    onProgress({ ...step, state: 'done' })
    return result
  } catch (error) {
    onProgress({ ...step, state: signal?.aborted === true ? 'cancelled' : 'failed' })
    throw error
  }
}

/** Runs side by side; the first failure calls the others off, and everything has ended when this does. */
async function together(signal: AbortSignal, tasks: readonly ((signal: AbortSignal) => Promise<unknown>)[]): Promise<void> {
  const failed = new AbortController()
  const both = AbortSignal.any([signal, failed.signal])
  const failures: unknown[] = []
  await Promise.all(
    tasks.map(async task => {
      try {
        await task(both)
      } catch (error) {
        failures.push(error)
        failed.abort(error)
      }
    }),
  )
  if (failures.length > 0) throw failures[0]
}

const portsOf = (file: FederationFile): Map<string, number> => {
  const urls: [string, string][] = Object.entries(file.nodes).map(([code, { url }]) => [code, url])
  const all: [string, string][] = [
    ['hub', file.hub.url],
    ...urls,
    ...Object.entries(file.nodes).flatMap(([code, { login_url: url }]): [string, string][] =>
      url === undefined ? [] : [[loginName(code), url]],
    ),
    ...(file.samples === undefined ? [] : [['samples', file.samples.url] as [string, string]]),
    ...(file.people === undefined ? [] : [['people', file.people.url] as [string, string]]),
  ]
  return new Map(all.map(([name, url]) => [name, Number(new URL(url).port)]))
}

/** The addresses of the last start; a file that cannot be read costs only them. */
async function previousPorts(path: string): Promise<Map<string, number>> {
  try {
    return portsOf(parseFederationFile(await readFile(path, 'utf8'), path))
  } catch {
    return new Map()
  }
}

/**
 * Starts the federation that lives in `home`, or founds it. Fulfilled when every program is ready.
 * @throws CONFIG_INVALID, DIRECTORY_IN_USE, PROGRAM_FAILED naming the log, DATABASE_*, BROKER_*, KEY_FILE_INVALID, MEMBERSHIP_FILE_INVALID
 */
export async function startFederation(options: FederationOptions): Promise<Federation> {
  const { onProgress, signal, members = DEMO_MEMBERS, env = process.env } = options
  const onEvent = options.onEvent ?? (() => {})
  const route: Route = options.route ?? ((_program, _server, url) => url)
  const config = { ...readConfig({ ...env, HUTONG_HOME: options.home }) }
  await using undo = new AsyncDisposableStack()
  const programs: Program[] = []
  const sampled = options.samples === false ? [] : sampledMembers(members)
  /** whose trust lists the demo publishes: without one nobody verifies certificates */
  const listed = sampled.length > 0 ? members.filter(operatesList) : []
  const pidsFile = (home: string): string => join(home, 'programs.json')

  const { home, secrets, trust, clients, ports } = await stepped(STEP.folder, { onProgress, signal }, async note => {
    const lock = undo.use(await lockHome(config.home))
    const home = lock.path
    for (const folder of ['logs', 'data']) await mkdir(join(home, folder), { recursive: true, mode: 0o700 })
    note('等待上次的程序退出 waiting for programs of the last start')
    await endLeftovers(pidsFile(home), signal)
    const names = [
      'hub',
      ...members.map(member => member.code),
      ...(sampled.length > 0 ? ['samples', 'people'] : []),
      ...sampled.map(({ code }) => loginName(code)),
    ]
    const secrets = await prepareFounding(home, ['hub', ...members.map(member => member.code)])
    const trust = await prepareTrust(home, secrets)
    const clients = new Map<string, Clients>()
    for (const name of ['hub', ...members.map(member => member.code)])
      clients.set(name, await prepareClients(join(home, 'secrets'), secrets.fed, name))
    return { home, secrets, trust, clients, ports: await choosePorts(names, await previousPorts(federationPath(home))) }
  })

  // a server whose port was taken while it was down comes back elsewhere: its programs start anew with the new address
  async function onMoved(): Promise<void> {
    if (sampled.length > 0) await writeOwnerOnly(systemsFile, formatSystems(ground, members))
    for (const program of programs) program.kill()
  }
  const watch = { onEvent, onMoved }
  const providerFile = (name: string): string => join(home, 'secrets', `people-${name}.json`)
  const systemsFile = join(home, 'secrets', 'samples.json')
  const secretsDir = join(home, 'secrets')
  const loginClients = new Map<string, string>()
  for (const member of sampled) {
    loginClients.set(member.code, await prepareLoginClients(secretsDir, member, `${urlFor({ ports }, 'samples')}${CALLBACK_PATH}`))
    await prepareSampleHolder(secretsDir, member)
  }
  const databaseUsers = ['hub', ...members.map(member => member.code), ...sampled.map(({ code }) => `samples-${code}`)]
  const databases = undo.use(prepareDatabases({ home, given: config.databaseUrl, secrets, programs: databaseUsers, ...watch }))
  const broker = undo.use(prepareBroker({ config: { ...config, home }, trust, ...watch }))
  await together(signal, [
    signal => stepped(STEP.postgres, { onProgress, signal }, note => databases.start(signal, note)),
    signal => stepped(STEP.broker, { onProgress, signal }, note => broker.start(signal, note)),
  ])

  const ground: Ground = {
    home,
    ports,
    secrets,
    foundingFile: secrets.foundingFile,
    memberDir: secrets.memberDir,
    clients,
    ...(sampled.length > 0 ? { providerFile } : {}),
    certificates: listed.length > 0,
    ...(sampled.length > 0 ? { loginClientsFile: code => loginClients.get(code) ?? '' } : {}),
    brokerCredentialsFile: secrets.brokerCredentialsFile,
    brokerAuthorityFile: trust.authorityFile,
    brokerCaFile: config.natsUrl === undefined ? trust.tls.caFile : config.brokerCaFile,
    databaseUrl: program => route(program, 'postgres', databases.url(program)),
    brokerUrl: program => route(program, 'broker', broker.url()),
    environment: set => childEnvironment({ NODE_COMPILE_CACHE: join(home, 'cache', 'compiled'), ...env }, set),
  }
  if (sampled.length > 0) await writeOwnerOnly(systemsFile, formatSystems(ground, members))
  const audience = (name: string): string => `${issuerOf(secrets.fed, name)}:people`
  const peopled = sampled.length > 0 ? ['hub', ...members.map(member => member.code)] : []
  for (const name of peopled)
    await writeOwnerOnly(providerFile(name), formatProviderFile(urlFor(ground, 'people'), audience(name), regionOf(name)))
  const loginPlace = (code: string): { login_url?: string; holder_file?: string } => {
    const url = loginUrlFor(ground, code)
    return url === null ? {} : { login_url: url, holder_file: holderFile(secretsDir, code) }
  }
  const file: FederationFile = {
    fed: secrets.fed,
    membership_file: secrets.membershipFile,
    launcher_pid: process.pid,
    hub: {
      url: urlFor(ground, 'hub'),
      operator_token_file: secrets.operatorTokenFile('hub'),
      client_files: clientFiles(clients.get('hub')),
      log_file: logFileFor(home, 'hub'),
    },
    nodes: Object.fromEntries(
      members.map(({ code, zh, en }) => [
        code,
        {
          zh,
          en,
          url: urlFor(ground, code),
          operator_token_file: secrets.operatorTokenFile(code),
          client_files: clientFiles(clients.get(code)),
          ...loginPlace(code),
          log_file: logFileFor(home, code),
        },
      ]),
    ),
    ...(sampled.length > 0 ? { samples: { url: urlFor(ground, 'samples'), log_file: logFileFor(home, 'samples') } } : {}),
    ...(peopled.length > 0
      ? { people: { url: urlFor(ground, 'people'), audiences: Object.fromEntries(peopled.map(name => [name, audience(name)])) } }
      : {}),
    postgres: { url_file: join(home, 'secrets', 'postgres.url') },
    started_at: new Date().toISOString(),
  }
  await writeOwnerOnly(federationPath(home), formatFederationFile(file))

  const pids = (): number[] => programs.flatMap(program => program.pid() ?? [])
  const program = (plan: Parameters<typeof createProgram>[0]): Program => {
    const made = createProgram(plan, { onEvent, onPids: () => writeIdentities(pidsFile(home), pids()) })
    programs.push(made)
    return made
  }
  const hub = program(hubPlan(ground))
  const nodes = new Map(members.map(member => [member.code, program(nodePlan(ground, member))]))
  const samples = sampled.length > 0 ? program(samplesPlan(ground, systemsFile)) : null
  const people = sampled.length > 0 ? program(peoplePlan(ground)) : null

  // A launcher that is forced to end at once takes its programs along; what they stand on has a guard of its own.
  const killAll = (): void => {
    for (const one of programs) one.kill()
  }
  process.on('exit', killAll)
  undo.defer(() => void process.off('exit', killAll))
  const stopLater = (step: Step, stop: () => Promise<unknown>): void =>
    undo.defer(async () => void (await stepped(stopStep(step), { onProgress }, stop)))
  stopLater(STEP.hub, hub.stop)
  stopLater({ id: 'nodes', zh: '节点', en: 'nodes' }, () => Promise.all([...nodes.values()].map(node => node.stop())))
  if (samples !== null) stopLater(STEP.samples, samples.stop)
  if (people !== null) stopLater(STEP.people, people.stop)

  const hubUp = Promise.withResolvers<void>()
  hubUp.promise.catch(() => {})
  const startHub = (signal: AbortSignal): Promise<void> =>
    hub.start(signal).then(hubUp.resolve, error => {
      hubUp.reject(error)
      throw error
    })
  async function startMember(member: MemberPlan, signal: AbortSignal, note: Note): Promise<void> {
    const office = clients.get('hub')
    if (office !== undefined && !(await isJoined(secrets, member.code))) {
      note('加入联盟 joining')
      await hubUp.promise
      await admitMember(member, { founded: secrets, hubUrl: urlFor(ground, 'hub'), clients: office, signal })
    }
    const own = clients.get(member.code)
    const list = { members: listed, url: urlFor(ground, member.code), secretsDir: join(home, 'secrets') }
    await together(signal, [
      async signal => nodes.get(member.code)?.start(signal),
      async signal => {
        if (own !== undefined && listed.includes(member)) await publishSampleList(member, { ...list, clients: own, signal })
      },
    ])
  }
  await together(signal, [
    signal => stepped(STEP.hub, { onProgress, signal }, () => startHub(signal)),
    ...members.map(
      member => (signal: AbortSignal) =>
        stepped(nodeStep(member), { onProgress, signal }, note => startMember(member, signal, note)),
    ),
    ...(people === null ? [] : [(signal: AbortSignal) => stepped(STEP.people, { onProgress, signal }, () => people.start(signal))]),
    ...(samples === null
      ? []
      : [(signal: AbortSignal) => stepped(STEP.samples, { onProgress, signal }, () => samples.start(signal))]),
  ])

  await refreshSnapshot(secrets, urlFor(ground, 'hub'))

  const nodeNamed = (code: string): Program => {
    const node = nodes.get(code)
    if (node === undefined)
      throw new ExchangeError('PROGRAM_UNKNOWN', `expected one of ${[...nodes.keys()].join(', ')}, got ${code}`)
    return node
  }
  const killable = new Map<string, Pick<Program, 'pid' | 'kill'> | null>([
    ...programs.map(one => [one.name, one] as const),
    ['broker', broker.service],
    ['postgres', databases.service],
  ])
  const owned = undo.move()
  return {
    home,
    file,
    hub,
    nodes,
    samples,
    broker: { url: broker.url(), caFile: ground.brokerCaFile, credentialsFile: secrets.brokerCredentialsFile },
    databaseUrl: databases.url,
    keyFile: secrets.keyFile,
    fetchMs: broker.fetchMs(),
    stopNode: async code => nodeNamed(code).stop(),
    startNode: async code => nodeNamed(code).start(signal),
    pid: name => killable.get(name)?.pid() ?? null,
    killProgram(name) {
      const target = killable.get(name)
      if (target === undefined || target === null) {
        throw new ExchangeError('PROGRAM_UNKNOWN', `expected one of ${[...killable.keys()].join(', ')}, got ${name}`)
      }
      target.kill()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
