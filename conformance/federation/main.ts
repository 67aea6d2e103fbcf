/** `npm start`: brings the federation up, says where it is, and stays until it is told to stop. */
import { runProgram, untilAborted } from '../../runtime/lifetime.ts'
import { formatCard } from './card.ts'
import { LAUNCHER_SETTINGS, readConfig } from './config.ts'
import { findExample } from './example.ts'
import { type Federation, startFederation } from './federation.ts'
import type { ProgramEvent } from './programs.ts'
import { showProgress } from './progress.ts'

const write = (text: string): void => void process.stdout.write(text)

const indented = (text: string): string =>
  text
    .split('\n')
    .map(line => `    ${line}\n`)
    .join('')

const formatEvent = (event: ProgramEvent): string =>
  event.kind === 'recovered'
    ? `✔ ${event.name} 已恢复 is back\n`
    : `✘ ${event.name} 已退出，${event.retryMs / 1000} 秒后重启 died (${event.how}), starting again in ${event.retryMs / 1000} s; log ${event.logFile}\n${indented(event.tail)}`

/** Ready is what counts: the card waits a moment for a first record to show, and not longer. */
async function showCard(federation: Federation, startedAt: number): Promise<void> {
  const seconds = (performance.now() - startedAt - federation.fetchMs) / 1000
  const example = await findExample(federation.file, federation.samples === null ? 0 : 5000)
  const { home, file } = federation
  const isDefault = process.env.HUTONG_HOME === undefined || process.env.HUTONG_HOME === LAUNCHER_SETTINGS[0].default
  write(formatCard({ file, home, logs: `${home}/logs`, seconds, example }, isDefault))
}

await runProgram(async signal => {
  const startedAt = performance.now()
  const { home } = readConfig(process.env)
  // one display while it starts, another while it stops
  let display = showProgress(process.stdout)
  try {
    await using federation = await startFederation({
      home,
      onProgress: progress => display.show(progress),
      onEvent: event => write(formatEvent(event)),
      signal,
    })
    display[Symbol.dispose]()
    await showCard(federation, startedAt)
    await untilAborted(signal)
    write('\n正在停止，再按一次 Ctrl-C 强制结束 Stopping; Ctrl-C again forces it\n')
    display = showProgress(process.stdout)
  } finally {
    display[Symbol.dispose]()
  }
  write('已停止 Stopped\n')
})
