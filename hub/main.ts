import { runProgram, untilAborted } from '../runtime/lifetime.ts'
import { createLogger } from '../runtime/log.ts'
import { startTelemetry } from '../runtime/telemetry.ts'
import { readConfig } from './config.ts'
import { startHub } from './hub.ts'

await runProgram(
  async signal => {
    const config = readConfig(process.env)
    const logger = createLogger({ program: 'hub', level: config.logLevel })
    await using _telemetry = await startTelemetry({ serviceName: 'hutong-hub' })
    await using _hub = await startHub(config, { logger, signal })
    await untilAborted(signal)
    logger.info('hub is stopping')
  },
  { stopOnStdinEnd: true },
)
