import { runProgram, untilAborted } from '../runtime/lifetime.ts'
import { createLogger } from '../runtime/log.ts'
import { startTelemetry } from '../runtime/telemetry.ts'
import { readConfig } from './config.ts'
import { startNode } from './exchange-node.ts'

await runProgram(
  async signal => {
    const config = readConfig(process.env)
    const logger = createLogger({ program: `node-${config.code}`, level: config.logLevel })
    await using _telemetry = await startTelemetry({ serviceName: `hutong-node-${config.code}` })
    await using _node = await startNode(config, { logger, signal })
    await untilAborted(signal)
    logger.info('node is stopping')
  },
  { stopOnStdinEnd: true },
)
