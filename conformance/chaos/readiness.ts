/** Whether everyone is back, and whether anything still moves. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Federation } from '../federation/federation.ts'
import { type Holders, type OwnLog, ownLogs } from './holders.ts'

const CALM_MS = 3000
const LOOK_MS = 250

export const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(3000) }).then(
    async answer => {
      await answer.body?.cancel()
      return answer.status === 200
    },
    () => false,
  )

export async function unready(urls: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(
    urls.map(async url => {
      try {
        const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(3000) })
        const { program, checks } = (await answer.json()) as {
          readonly program: string
          readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly reason?: string }[]
        }
        return checks.filter(({ ok }) => !ok).map(({ name, reason }) => `${program} is not ready: ${name}: ${reason ?? ''}`)
      } catch {
        return [`${url} does not answer`]
      }
    }),
  )
  const found = answers.flat()
  return found.length > 0 ? found : ['a program was not ready a moment ago']
}

export async function pauseSamples({ file }: Federation, limit: AbortSignal): Promise<boolean> {
  if (file.samples === undefined) return true
  while (!limit.aborted) {
    try {
      const answer = await fetch(`${file.samples.url}/v1/samples/pause`, { method: 'POST', signal: limit })
      if (((await answer.json()) as { readonly settled?: boolean }).settled === true) return true
    } catch {
      // it is being started again
    }
    await delay(LOOK_MS)
  }
  return false
}

/** Where the origins stand once none has moved for a while. */
export async function untilCalm(holders: Holders, limit: AbortSignal): Promise<readonly OwnLog[]> {
  const shape = (logs: readonly OwnLog[]): string => JSON.stringify(logs.map(({ log, head }) => [log, head]))
  let last = ''
  let since = performance.now()
  for (;;) {
    const logs = await ownLogs(holders)
    const now = shape(logs)
    if (now !== last) since = performance.now()
    last = now
    if (performance.now() - since >= CALM_MS || limit.aborted) return logs
    await delay(LOOK_MS)
  }
}
