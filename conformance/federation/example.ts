/** A record that the card can point at: one that has crossed from its origin to another node. */
import { setTimeout as delay } from 'node:timers/promises'
import type { FederationFile } from '../../console/terminal/federation-file.ts'
import { operatorHeaders } from '../../console/terminal/operator.ts'

const AT = '520000'
const ORIGIN = '530000'
const DATASET = 'entity'
const POLL_MS = 200

export type Example = { readonly at: string; readonly dataset: string; readonly key: string }

/** null when none has crossed within `waitMs`. */
export async function findExample(file: FederationFile, waitMs: number): Promise<Example | null> {
  const reader = file.nodes[AT]
  if (reader === undefined) return null
  const end = performance.now() + waitMs
  do {
    const headers = await operatorHeaders(AT, reader.operator_token_file)
    const key = await firstKey(`${reader.url}/v1/${DATASET}?origin=${ORIGIN}&limit=1`, headers)
    if (key !== null) return { at: AT, dataset: DATASET, key }
    await delay(POLL_MS)
  } while (performance.now() < end)
  return null
}

async function firstKey(url: string, headers: { readonly [name: string]: string }): Promise<string | null> {
  try {
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(2000) })
    const { items } = (await answer.json()) as { items?: readonly { key?: unknown }[] }
    const key = items?.[0]?.key
    return typeof key === 'string' ? key : null
  } catch {
    return null
  }
}
