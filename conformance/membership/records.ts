/** Records made at one node and looked for at another. */
import { readFile } from 'node:fs/promises'
import { legalPerson } from '../exchange/rows.ts'
import { eventually as within } from '../exchange/testbed.ts'
import type { Bed } from './bed.ts'

/** One that is never applied: the envelope around it is refused before it is read. */
export const RECORD = {
  key: 'nothing',
  op: 'retract',
  ver: 1,
  at: '2026-01-01T00:00:00Z',
  platform: '530000-01',
  why: 'corrected',
} as const

/** A made-up identifier of an enterprise, told apart by a number. */
export const codeOf = (number: number): string => `91530100MA${String(number).padStart(8, '0')}`

/** Takes entities in at a node. @throws what the node answers */
export async function ingest(bed: Bed, at: string, ...numbers: readonly number[]): Promise<void> {
  const token = (await readFile(bed.founded.operatorTokenFile(at), 'utf8')).trim()
  const answer = await fetch(`${bed.node(at).url}/v1/ingest/national?platform=${at}-01&file=test.jsonl`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: numbers.map(number => JSON.stringify(legalPerson(codeOf(number), `企业 ${number}`))).join('\n'),
  })
  const text = await answer.text()
  const { sealed } = JSON.parse(text) as { sealed?: number }
  if (!answer.ok || sealed !== numbers.length) throw new Error(`${at}: HTTP ${answer.status} ${text}`)
}

/** Waits until every one of the entities shows at a node. */
export async function arrived(bed: Bed, at: string, numbers: readonly number[], withinMs = 60_000): Promise<void> {
  const token = (await readFile(bed.founded.operatorTokenFile(at), 'utf8')).trim()
  const missing = new Set(numbers)
  for (const end = Date.now() + withinMs; missing.size > 0; ) {
    for (const number of missing) {
      const answer = await fetch(`${bed.node(at).url}/v1/entity/${codeOf(number)}`, {
        headers: { authorization: `Bearer ${token}` },
      })
      if (answer.status === 200) missing.delete(number)
      else break
    }
    if (Date.now() > end) throw new Error(`${at}: still without ${[...missing].slice(0, 5).join(', ')} (${missing.size} in all)`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

/** As in the exchange, with more patience: what changes members goes by way of the hub and the broker's accounts. */
export const eventually = <Type>(
  what: string,
  probe: () => Promise<Type>,
  holds: (value: Type) => boolean,
  withinMs = 30_000,
): Promise<Type> => within(what, probe, holds, withinMs)
