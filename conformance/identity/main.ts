/** The identity provider of the demo, a process of its own. */
import { type Environment, readEnvironment, SETTING } from '../../runtime/environment.ts'
import { runProgram, untilAborted } from '../../runtime/lifetime.ts'
import { startDemoProvider } from './provider.ts'

const SETTINGS = [
  { name: 'HTTP_PORT', default: '0', parse: SETTING.port, en: 'port to listen on; this machine only', zh: '监听端口；仅限本机' },
] as const

const readConfig = (env: Environment) => readEnvironment(env, 'HUTONG_PEOPLE_', SETTINGS)

await runProgram(
  async signal => {
    const { httpPort } = readConfig(process.env)
    await using _provider = await startDemoProvider({ port: httpPort })
    await untilAborted(signal)
  },
  { stopOnStdinEnd: true },
)
