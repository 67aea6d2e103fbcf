/** What the programs stand on: a PostgreSQL server with a database for each, and a broker that admits each under its own name. */
import { access, constants, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { keepClaims } from '../../runtime/broker/claims.ts'
import { type BrokerServer, startBroker } from '../../runtime/broker/launcher.ts'
import { resolveBroker } from '../../runtime/broker/resolver.ts'
import { readBrokerCa } from '../../runtime/nats.ts'
import { type PostgresServer, startPostgres } from '../../runtime/postgres/server.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { type FederationTrust, writeTrustFile } from './broker-trust.ts'
import type { LauncherConfig } from './config.ts'
import { type DatabaseServer, databaseName, givenServer } from './databases.ts'
import type { ProgramEvent } from './programs.ts'
import { type Secrets, writeOwnerOnly } from './secrets.ts'
import { createService, type Service } from './services.ts'

export type Databases = AsyncDisposable & {
  /** @throws DATABASE_* */
  start(signal: AbortSignal, note: (text: string) => void): Promise<void>
  url(program: string): string
  readonly service: Service<PostgresServer> | null
}

type Watch = { readonly onEvent: (event: ProgramEvent) => void; readonly onMoved: () => Promise<void> }
const NO_NOTE = (_text: string): void => {}

/** One database for each of the programs, made in one go. */
export function prepareDatabases(
  options: {
    readonly home: string
    readonly given: string | undefined
    readonly secrets: Secrets
    readonly programs: readonly string[]
  } & Watch,
): Databases {
  const { home, given, secrets, programs } = options
  const urls = new Map<string, string>()
  const dataDir = join(home, 'postgres')
  let say = NO_NOTE

  async function furnish(server: DatabaseServer): Promise<void> {
    await writeOwnerOnly(join(home, 'secrets', 'postgres.url'), `${server.url}\n`)
    for (const program of programs) {
      const name = databaseName(secrets.fed, program)
      urls.set(program, await server.createDatabase(name, name, await secrets.password(`database-${program}`)))
    }
  }

  const service =
    given === undefined
      ? createService<PostgresServer>({
          name: 'postgres',
          logFile: join(dataDir, 'server.log'),
          start: signal => startPostgres({ dataDir, signal, onProgress: step => say(step) }),
          onEvent: options.onEvent,
          async onRestarted(server) {
            const before = [...urls.values()].join()
            await furnish(server)
            if ([...urls.values()].join() !== before) await options.onMoved()
          },
        })
      : null
  return {
    service,
    url: program => urls.get(program) ?? '',
    async start(signal, note) {
      say = note
      await furnish(service === null ? givenServer(given ?? '') : await service.start(signal))
      say = NO_NOTE
    },
    async [Symbol.asyncDispose]() {
      await service?.[Symbol.asyncDispose]()
    },
  }
}

export type Road = AsyncDisposable & {
  /** @throws BROKER_* */
  start(signal: AbortSignal, note: (text: string) => void): Promise<void>
  url(): string
  /** spent on fetching the broker, which only a first start does */
  fetchMs(): number
  readonly service: Service<BrokerServer> | null
}

/** The folder of programs fetched once for all federations of this user, or one of our own where that cannot be written. */
async function writableCache(config: LauncherConfig): Promise<string> {
  try {
    await mkdir(config.cacheDir, { recursive: true })
    await access(config.cacheDir, constants.W_OK)
    return config.cacheDir
  } catch {
    return join(config.home, 'cache')
  }
}

export function prepareBroker(options: { readonly config: LauncherConfig; readonly trust: FederationTrust } & Watch): Road {
  const { config, trust } = options
  const dataDir = join(config.home, 'broker')
  let url = config.natsUrl ?? ''
  let fetchMs = 0
  let say = NO_NOTE

  async function startOwn(signal: AbortSignal): Promise<BrokerServer> {
    const explicit = config.brokerBinary === undefined ? {} : { explicitPath: config.brokerBinary }
    const since = performance.now()
    let fetched = false
    const { path } = await resolveBroker({
      ...explicit,
      cacheDir: await writableCache(config),
      signal,
      onProgress(progress) {
        fetched ||= progress.step === 'download'
        say(`${progress.text}${progress.step === 'download' ? ` ${(progress.elapsedMs / 1000).toFixed(1)} s` : ''}`)
      },
    })
    if (fetched) fetchMs = performance.now() - since
    const { trust: believed, accounts, tls } = trust
    return startBroker({ binary: path, dataDir, trust: believed, accounts, tls, signal, onProgress: step => say(step) })
  }

  const service =
    config.natsUrl === undefined
      ? createService<BrokerServer>({
          name: 'broker',
          logFile: join(dataDir, 'server.log'),
          start: startOwn,
          onEvent: options.onEvent,
          async onRestarted(server) {
            const moved = server.url !== url
            url = server.url
            if (moved) await options.onMoved()
          },
        })
      : null
  return {
    service,
    url: () => url,
    fetchMs: () => fetchMs,
    async start(signal, note) {
      say = note
      if (service === null) await introduce(config, trust)
      else url = (await service.start(signal)).url
      say = NO_NOTE
    },
    async [Symbol.asyncDispose]() {
      await service?.[Symbol.asyncDispose]()
    },
  }
}

/** A broker of one's own is told of the accounts before any program starts, and what it must believe for that stands in a file. */
async function introduce(config: LauncherConfig, trust: FederationTrust): Promise<void> {
  const file = join(config.home, 'broker-trust.conf')
  await writeTrustFile(file, trust)
  const { authority, members } = trust
  const ca = await readBrokerCa(config.brokerCaFile)
  const options = { url: config.natsUrl ?? '', ca, authority, members: () => members, failed: () => {} }
  // It pushes once before it is there.
  await using _claims = await keepClaims(options).catch(cause => {
    const reason = `the broker at NATS_URL does not take this federation’s accounts; its configuration must include ${file}`
    throw new ExchangeError('BROKER_UNAVAILABLE', reason, { cause })
  })
}
