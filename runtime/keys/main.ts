import { runProgram, untilAborted } from '../lifetime.ts'
import { createLogger } from '../log.ts'
import { startAgent } from './agent.ts'
import { readConfig } from './config.ts'
import { readKeyFile, readPassphrase } from './key-file.ts'

await runProgram(
  async signal => {
    const config = readConfig(process.env)
    const logger = createLogger({ program: 'signing-agent', level: config.logLevel })
    const passphrase = await readPassphrase(config.keyPassphraseFile)
    const keys = await Promise.all(config.keyFile.split(':').map(path => readKeyFile(path, passphrase)))
    await using _agent = await startAgent({
      socketPath: config.socket,
      issuer: config.issuer,
      keys,
      events: {
        signed: (kid, kind) => logger.info({ kid, kind }, 'statement signed'),
        refused: code => logger.warn({ code }, 'question refused'),
      },
    })
    logger.info({ issuer: config.issuer, keys: keys.map(key => key.kid) }, 'signing agent is up')
    await untilAborted(signal)
  },
  { stopOnStdinEnd: true },
)
