/**
 * What a bench runs on: one PostgreSQL, one broker, and on them both our federation (hub and holders as the processes that an
 * operator starts, the origin as `origin.ts` or as a real node) and the limit's programs. Nothing is shared between the two but the
 * servers, and only one of them works at a time.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { startBroker } from '../../runtime/broker/launcher.ts'
import type { Environment } from '../../runtime/environment.ts'
import { startPostgres } from '../../runtime/postgres/server.ts'
import { brokerBinary, temporaryHome } from '../exchange/servers.ts'
import { prepareTrust } from '../federation/broker-trust.ts'
import { childEnvironment } from '../federation/config.ts'
import type { MemberPlan } from '../federation/members.ts'
import { type Ground, hubPlan, logFileFor, nodePlan, urlFor } from '../federation/plans.ts'
import { choosePorts } from '../federation/ports.ts'
import { createProgram, type Program } from '../federation/programs.ts'
import { newSecret, prepareSecrets } from '../federation/secrets.ts'
import { type Bookkeeper, keepAccounts } from './accounts.ts'
import { startWorker, type Worker } from './worker.ts'

export const ORIGIN: MemberPlan = { code: '530000', kind: 'province', zh: '云南', en: 'Yunnan', writes: ['entity'] }
const HOLDERS: readonly MemberPlan[] = [
  { code: '520000', kind: 'province', zh: '贵州', en: 'Guizhou', writes: [] },
  { code: '320000', kind: 'province', zh: '江苏', en: 'Jiangsu', writes: [] },
  { code: '500000', kind: 'province', zh: '重庆', en: 'Chongqing', writes: [] },
]

export type Limit = {
  readonly origin: Worker
  readonly hub: Worker
  readonly holders: ReadonlyMap<string, Worker>
}

export type Stage = AsyncDisposable & {
  readonly holders: readonly string[]
  readonly limit: Limit
  readonly accounts: Bookkeeper
  /** our origin, in one of its two forms; the other is stopped first */
  driver(): Promise<Worker>
  node(): Promise<{ readonly url: string; readonly token: string }>
  holder(code: string): Program
  databaseUrl(program: string): string
  /** so that a checkpoint of what came before falls into no measured run */
  checkpoint(): Promise<void>
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** `settings` are added to the environment of every program. */
export async function startStage(holderCount: number, signal: AbortSignal, settings: Environment = {}): Promise<Stage> {
  await using undo = new AsyncDisposableStack()
  const home = await temporaryHome(undo, 'bench')
  for (const folder of ['logs', 'data']) await mkdir(join(home, folder))
  const members = [ORIGIN, ...HOLDERS.slice(0, holderCount)]
  const holders = members.slice(1).map(({ code }) => code)
  const programs = ['hub', ...members.map(({ code }) => code)]
  const limitPrograms = ['origin', 'hub', ...holders]
  const secrets = await prepareSecrets(home, members)

  const postgres = undo.use(await startPostgres({ dataDir: join(home, 'postgres'), signal }))
  const urls = new Map<string, string>()
  for (const name of [...programs, ...limitPrograms.map(program => `limit_${program}`)])
    urls.set(name, await postgres.createDatabase(`bench_${name}`, `bench_${name}`, newSecret()))
  const databaseUrl = (program: string): string => urls.get(program) ?? ''

  const { trust, accounts: claims, tls, authorityFile } = await prepareTrust(home, secrets)
  const broker = undo.use(
    await startBroker({ binary: await brokerBinary(), dataDir: join(home, 'broker'), trust, accounts: claims, tls, signal }),
  )

  const ground: Ground = {
    home,
    ports: await choosePorts(programs, new Map()),
    secrets,
    brokerCredentialsFile: secrets.brokerCredentialsFile,
    brokerAuthorityFile: authorityFile,
    brokerCaFile: tls.caFile,
    environment: set => childEnvironment({ NODE_COMPILE_CACHE: join(home, 'compiled'), ...process.env }, { ...set, ...settings }),
    databaseUrl,
    brokerUrl: () => broker.url,
  }
  const watching = { onEvent: () => {}, onPids: () => {} }
  const hub = createProgram(hubPlan(ground), watching)
  const nodes = new Map(members.map(member => [member.code, createProgram(nodePlan(ground, member), watching)]))
  const program = (code: string): Program => {
    const one = nodes.get(code)
    if (one === undefined) throw new Error(`no node ${code}`)
    return one
  }
  undo.defer(() => hub.stop())
  undo.defer(async () => void (await Promise.all([...nodes.values()].map(node => node.stop()))))
  await Promise.all([hub.start(signal), ...holders.map(code => program(code).start(signal))])

  let origin: Worker | null = null
  undo.defer(() => origin?.[Symbol.asyncDispose]())
  const limitWorker = (role: string): Promise<Worker> =>
    startWorker(here('./limit.ts'), {
      logFile: logFileFor(home, `limit-${role}`),
      env: childEnvironment(process.env, {
        BENCH_ROLE: role,
        BENCH_DATABASE_URL: databaseUrl(`limit_${role}`),
        BENCH_NATS_URL: broker.url,
        BENCH_NATS_CREDENTIALS_FILE: secrets.brokerCredentialsFile('hub'),
        BENCH_NATS_CA_FILE: tls.caFile,
      }),
    })
  const workers = new Map<string, Worker>()
  for (const role of limitPrograms) {
    const worker = undo.use(await limitWorker(role))
    await worker.ask('tables')
    workers.set(role, worker)
  }
  const limitNamed = (role: string): Worker => {
    const worker = workers.get(role)
    if (worker === undefined) throw new Error(`no ${role} of the limit`)
    return worker
  }

  const pids = (): Map<string, number> =>
    new Map(
      [
        ['broker', broker.pid] as const,
        ['hub', hub.pid() ?? 0] as const,
        ['origin', origin?.pid ?? program(ORIGIN.code).pid() ?? 0] as const,
        ...holders.map(code => [`holder ${code}`, program(code).pid() ?? 0] as const),
        ...[...workers].map(([role, { pid }]) => [`limit ${role}`, pid] as const),
      ].filter(([, pid]) => pid !== 0),
    )
  const accounts = undo.use(await keepAccounts(postgres.url, pids))
  const superuser = new Client({ connectionString: postgres.url, application_name: 'bench-checkpoint' })
  await superuser.connect()
  undo.defer(() => superuser.end())

  const held = undo.move()
  return {
    holders,
    limit: {
      origin: limitNamed('origin'),
      hub: limitNamed('hub'),
      holders: new Map(holders.map(code => [code, limitNamed(code)])),
    },
    accounts,
    async driver() {
      await program(ORIGIN.code).stop()
      const plan = nodePlan(ground, ORIGIN)
      origin ??= await startWorker(here('./origin.ts'), { logFile: logFileFor(home, 'origin'), env: plan.env() })
      await origin.ask('close')
      return origin
    },
    async node() {
      await origin?.[Symbol.asyncDispose]()
      origin = null
      await program(ORIGIN.code).start(signal)
      return {
        url: urlFor(ground, ORIGIN.code),
        token: (await readFile(secrets.operatorTokenFile(ORIGIN.code), 'utf8')).trim(),
      }
    },
    holder: program,
    databaseUrl,
    async checkpoint() {
      await superuser.query('CHECKPOINT')
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
