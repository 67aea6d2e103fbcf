/**
 * The rows of every bench: entity-like, about 300 bytes of JSON each, the same at every run. One generator gives them in the three
 * shapes that are needed: as candidates for our sealer, flat for the typed tables of the limit, and as rows of the national
 * specification for our HTTP door. No two rounds share a key, so that every row is an insert wherever it goes.
 */
import { judgeUscc, makeUscc } from '../../schemas/codes/uscc.ts'
import type { Candidate } from '../../schemas/record.ts'

export const BATCH_ROWS = 500

const ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY'
const REGIONS = ['530100', '530300', '530400', '530500', '532500']
const PLACES = ['昆明', '曲靖', '玉溪', '保山', '红河']
const TRADES = ['市政工程', '水利水电', '信息技术', '医疗器械', '园林绿化', '交通建设', '物业服务', '地质勘察']
const STATUSES = ['存续', '在业', '注销', '迁出']
const PER_ROUND = 31 ** 5

/** mulberry32: small, seeded, the same everywhere. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Eight characters that no other number has. Multiplying by a unit of the ring scatters neighbours, as real keys are scattered. */
function scattered(number: number): string {
  const prime = 22_801_763
  let left = Number((BigInt(number % PER_ROUND) * BigInt(prime)) % BigInt(PER_ROUND)) + Math.floor(number / PER_ROUND) * PER_ROUND
  let text = ''
  for (let at = 0; at < 8; at += 1) {
    text = ALPHABET.charAt(left % 31) + text
    left = Math.floor(left / 31)
  }
  return text
}

type Entity = {
  readonly code: string
  readonly name: string
  readonly region: string
  readonly status: string
  readonly registered: string
  readonly verdict: { readonly kind: string; readonly outer: string; readonly inner: string }
}

function* entities(round: number, count: number): Generator<Entity> {
  const next = random(round)
  const pick = (list: readonly string[]): string => list[Math.floor(next() * list.length)] ?? ''
  for (let index = 0; index < count; index += 1) {
    const region = pick(REGIONS)
    const code = makeUscc(region, scattered(round * PER_ROUND + index))
    const { outer, inner } = judgeUscc(code)
    const name = `${PLACES[REGIONS.indexOf(region)]}${pick(TRADES)}${code.slice(12, 16)}有限公司`
    const day = (from: number, width: number): string => String(from + Math.floor(next() * width)).padStart(2, '0')
    const registered = `${day(1995, 30)}-${day(1, 12)}-${day(1, 28)}`
    yield { code, name, region, status: pick(STATUSES), registered, verdict: { kind: 'uscc', outer, inner } }
  }
}

const AT = '2026-11-01T09:00:00+08:00'
const PLATFORM = '530000-01'

export const candidates = (round: number, count: number): Candidate[] =>
  Array.from(entities(round, count), ({ code, name, region, status, registered, verdict }) => ({
    key: code,
    op: 'put',
    at: AT,
    platform: PLATFORM,
    body: { name, code, code_verdict: verdict, region, registered_on: registered, status },
  }))

export type FlatRow = { readonly key: string; readonly ver: number; readonly [name: string]: unknown }

/** For typed columns. */
export const flatRows = (round: number, count: number): FlatRow[] =>
  Array.from(entities(round, count), ({ code, name, region, status, registered, verdict }) => ({
    key: code,
    ver: 1,
    op: 'put',
    at: AT,
    platform: PLATFORM,
    name,
    code,
    code_verdict: verdict,
    region,
    registered_on: registered,
    status,
  }))

/** For `POST /v1/ingest/national`: one JSON object on each line. */
export const nationalLines = (round: number, count: number): string =>
  Array.from(
    entities(round, count),
    ({ code, name, region }) =>
      `${JSON.stringify({
        DATA_TYPE: '1',
        DATA_KEY: code,
        TABLE: 'LEGAL_PERSON',
        DATA: {
          LEGAL_NAME: name,
          LEGAL_CODE: code,
          LEGAL_ROLE: '2',
          REGION_CODE: region,
          PLATFORM_CODE: PLATFORM,
          DATA_TIMESTAMP: '20261101090000',
        },
      })}\n`,
  ).join('')

export const cut = <Row>(rows: readonly Row[]): Row[][] =>
  Array.from({ length: Math.ceil(rows.length / BATCH_ROWS) }, (_, index) =>
    rows.slice(index * BATCH_ROWS, (index + 1) * BATCH_ROWS),
  )
