/** Stops and restarts the producers of the demo federation. */
import { type FederationFile, samplesOf } from './federation-file.ts'
import { askJson } from './request.ts'
import { type Terminal, writeJson } from './text.ts'

/** Pausing answers when nothing is on its way any more, which can take as long as a node is away. */
const TIMEOUT_MS = 30_000

const SAID = {
  pause: {
    settled: '样例已暂停，数据均已推送 Samples paused, all rows pushed',
    unsettled: '样例已暂停，但仍有数据未送达 Samples paused, but rows still wait for a node',
  },
  resume: { settled: '样例已恢复 Samples resumed', unsettled: '样例已恢复 Samples resumed' },
} as const

/** Exit code 1 if rows are still on their way after a pause. */
export async function runSamples(
  file: FederationFile,
  action: 'pause' | 'resume',
  { json }: { json: boolean },
  terminal: Terminal,
): Promise<number> {
  const status = (await askJson(`${samplesOf(file).url}/v1/samples/${action}`, { method: 'POST', timeoutMs: TIMEOUT_MS })) as {
    readonly settled?: boolean
    readonly systems?: readonly { readonly code: string; readonly zh?: string; readonly waiting?: number }[]
  }
  const settled = action === 'resume' || status.settled !== false
  if (json) writeJson(terminal, status)
  else {
    terminal.out.write(`${settled ? '✔' : '✘'} ${SAID[action][settled ? 'settled' : 'unsettled']}\n`)
    for (const { code, zh = '', waiting = 0 } of status.systems ?? [])
      terminal.out.write(`  ${code} ${zh} 待推送 waiting ${waiting}\n`)
  }
  return settled ? 0 : 1
}
