import { runProgram, untilAborted } from '../lifetime.ts'
import { createLogger } from '../log.ts'
import { startAgent } from './agent.ts'
import { readConfig } from './config.ts'
import { readPassphrase } from './key-file.ts'
import { openKeyFolder } from './key-folder.ts'

await runProgram(
  async signal => {
    const config = readConfig(process.env)
    const logger = createLogger({ program: 'signing-agent', level: config.logLevel })
    const passphrase = await readPassphrase(config.keyPassphraseFile)
    const files = config.keyFile === undefined ? [] : config.keyFile.split(':')
    const { keys, make } = await openKeyFolder({ folder: config.keyDir, files, passphrase })
    await using _agent = await startAgent({
      socketPath: config.socket,
      issuer: config.issuer,
      keys,
      make,
      events: {
        created: (kid, alg) => logger.warn({ kid, alg }, 'key made'),
        signed: (kid, kind) => logger.info({ kid, kind }, 'statement signed'),
        refused: code => logger.warn({ code }, 'question refused'),
      },
    })
    logger.info({ issuer: config.issuer, keys: keys.map(key => key.kid) }, 'signing agent is up')
    await untilAborted(signal)
  },
  { stopOnStdinEnd: true },
)
