/**
 * Numbered records, offered to one node as its trading system would: each batch again and again until the node has answered for it.
 * The name of a record holds its key's number and the version that the node must have given it, so that what was answered as sealed
 * can be looked for afterwards: lost, if it stands nowhere or older; doubled, if it stands under a higher version than there were.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { makeUscc } from '../../schemas/codes/uscc.ts'
import { type Random, randomOf } from '../samples/random.ts'

export type Remembered = { readonly key: string; readonly ver: number; readonly name: string }

export type Loader = AsyncDisposable & {
  readonly origin: string
  /** what the node has answered for, the newest of each key */
  remembered(): Remembered[]
  /** versions that were answered for */
  count(): number
  /** answers that no sound node gives */
  refusals(): readonly string[]
  /** Offers nothing new any more; fulfilled when everything offered was answered for, or `signal` aborted: then false. */
  finish(signal: AbortSignal): Promise<boolean>
}

const BATCH = 40
const FRESH = 20
const PAUSE_MS = 150
const RETRY_MS = 300
const ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY'

type Offer = { readonly key: string; readonly ver: number }

const keyOf = (origin: string, number: number): string => {
  let text = ''
  for (let left = number; text.length < 8; left = Math.floor(left / ALPHABET.length))
    text = ALPHABET.charAt(left % ALPHABET.length) + text
  return makeUscc(`${origin.slice(0, 2)}0100`, text)
}
const nameOf = ({ key, ver }: Offer): string => `样例${key.slice(8, 16)}第${ver}版有限公司`

const rowOf = (origin: string, offer: Offer): string =>
  JSON.stringify({
    DATA_TYPE: '1',
    DATA_KEY: offer.key,
    TABLE: 'LEGAL_PERSON',
    DATA: {
      LEGAL_NAME: nameOf(offer),
      LEGAL_CODE: offer.key,
      LEGAL_ROLE: '2',
      REGION_CODE: `${origin.slice(0, 2)}0100`,
      PLATFORM_CODE: `${origin}-01`,
      DATA_TIMESTAMP: '20261101090000',
    },
  })

export function startLoader(options: {
  readonly origin: string
  readonly url: string
  readonly token: string
  readonly seed: string
}): Loader {
  const { origin } = options
  const random: Random = randomOf('loader', options.seed, origin)
  const versions = new Map<string, number>()
  const keys: string[] = []
  const refused: string[] = []
  const ending = new AbortController()
  let last = false
  let count = 0

  function nextBatch(): Offer[] {
    const batch = new Map<string, Offer>()
    for (let index = 0; index < FRESH; index += 1) {
      const key = keyOf(origin, keys.length)
      keys.push(key)
      batch.set(key, { key, ver: 1 })
    }
    while (batch.size < BATCH && batch.size < keys.length) {
      const key = keys[random.integer(0, keys.length - 1)] ?? ''
      if (!batch.has(key)) batch.set(key, { key, ver: (versions.get(key) ?? 0) + 1 })
    }
    return [...batch.values()]
  }

  /** No time-out of our own: a request that is given up here could still be carried out there, after a later one. */
  async function offer(batch: readonly Offer[]): Promise<boolean> {
    const answer = await fetch(`${options.url}/v1/ingest/national?platform=${origin}-01&file=numbered.json`, {
      method: 'POST',
      headers: { authorization: `Bearer ${options.token}`, 'content-type': 'application/octet-stream' },
      body: batch.map(one => rowOf(origin, one)).join('\n'),
      signal: ending.signal,
    })
    const text = await answer.text()
    if (answer.status !== 200) return false
    const sum = JSON.parse(text) as { readonly [name: string]: unknown }
    if (Number(sum.sealed) + Number(sum.unchanged) === batch.length) return true
    refused.push(`${origin}: ${text.slice(0, 500)}`)
    return true
  }

  async function run(): Promise<boolean> {
    while (!last && !ending.signal.aborted) {
      const batch = nextBatch()
      while (!(await offer(batch).catch(() => false))) {
        if (ending.signal.aborted) return false
        await delay(RETRY_MS, undefined, { signal: ending.signal }).catch(() => {})
      }
      for (const { key, ver } of batch) versions.set(key, ver)
      count += batch.length
      await delay(PAUSE_MS, undefined, { signal: ending.signal }).catch(() => {})
    }
    return !ending.signal.aborted
  }

  const running = run()
  return {
    origin,
    remembered: () => [...versions].map(([key, ver]) => ({ key, ver, name: nameOf({ key, ver }) })),
    count: () => count,
    refusals: () => refused,
    async finish(signal) {
      last = true
      const stop = (): void => ending.abort()
      signal.addEventListener('abort', stop, { once: true })
      const whole = await running
      signal.removeEventListener('abort', stop)
      return whole
    },
    async [Symbol.asyncDispose]() {
      ending.abort()
      await running
    },
  }
}
