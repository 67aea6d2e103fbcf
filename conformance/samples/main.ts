/** The sample trading systems of a demo federation, each over its own database: config → compose → wait → dispose. */
import { readFile } from 'node:fs/promises'
import { createTokenSource, readClientFile } from '../../runtime/http/access/client.ts'
import { listen } from '../../runtime/http/listen.ts'
import { runProgram, untilAborted } from '../../runtime/lifetime.ts'
import { createLogger } from '../../runtime/log.ts'
import { parseSystems, readConfig } from './config.ts'
import { buildHttp } from './http.ts'
import { SampleSource } from './source.ts'
import { SampleSystem } from './system.ts'

await runProgram(
  async signal => {
    const config = readConfig(process.env)
    const settings = parseSystems(await readFile(config.systemsFile, 'utf8'))
    const logger = createLogger({ program: 'samples', level: config.logLevel })
    await using lifetime = new AsyncDisposableStack()
    const systems: SampleSystem[] = []
    for (const { profile, database_url, node_url, client_file } of settings) {
      signal.throwIfAborted()
      const target = { node_url, tokens: createTokenSource(node_url, await readClientFile(client_file)) }
      const source = await SampleSource.open(database_url, profile, { seed: config.seed, now: new Date() })
      const options = {
        source,
        target,
        intervalMs: config.intervalMs,
        logger: logger.child({ system: profile.code }),
        clock: () => new Date(),
      }
      systems.push(lifetime.use(new SampleSystem(options)))
    }
    const places = settings.flatMap(({ profile, login_issuer }) =>
      login_issuer === undefined ? [] : [{ code: profile.code, zh: profile.zh, issuer: login_issuer }],
    )
    let url = ''
    const server = await buildHttp(systems, logger, signal, { places, own: () => url })
    lifetime.defer(() => server.close())
    url = await listen(server, { host: config.httpHost, port: config.httpPort })
    logger.info({ url, systems: settings.map(({ profile }) => profile.code) }, 'listening')
    await untilAborted(signal)
  },
  { stopOnStdinEnd: true },
)
