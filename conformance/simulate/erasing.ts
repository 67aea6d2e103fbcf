/**
 * Erasing at a holder: what a redaction is held against, in the order of the product's `erasure.ts`, and what it changes. The body in
 * the ledger is replaced, the replica and the kept snapshots lose their content, and the redaction stands beside the envelope.
 */
import { ExchangeError } from '../../schemas/errors.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import { openRecords } from '../../schemas/opening.ts'
import { erasableRecords, type Redaction } from '../../schemas/redaction.ts'
import { eraseInChunk } from '../../schemas/snapshot.ts'
import type { Head } from '../../schemas/statements.ts'
import { parseToken } from '../../schemas/tokens.ts'
import { type DiskLog, entryAt, LOST, logOn, replace } from './disk.ts'
import { type Ground, type Life, transact } from './ground.ts'

type Named = readonly { readonly key: string; readonly ver: number }[]

/** @throws REDACTION_INVALID, REDACTION_NOT_ALLOWED */
export async function eraseHere(
  ground: Ground,
  life: Life,
  redaction: Redaction,
  plain: Uint8Array,
  options: { readonly effect: boolean; readonly announcedOf: (log: LogId) => Promise<Head | null> },
): Promise<'erased' | 'known' | 'wait'> {
  const { rules } = ground
  const { log, position, keys } = redaction
  const on = logOn(ground.disk(life.code), log)
  const announced = await options.announcedOf(log)
  const ahead = announced?.logs.find(at => formatLogId(at.log) === formatLogId(log))?.head ?? null
  const stored = entryAt(on, position)
  const isBeforeBase = on.base !== null && comparePositions(position, on.base) <= 0
  if (stored === null && !isBeforeBase) return 'wait'
  if (stored !== null) rules.checkAddressed(redaction, claimsOf(stored.token))
  const known = on.redactions.get(formatPosition(position)) ?? null
  if (rules.judgeRedaction(known, redaction) === 'known') return 'known'
  rules.checkRedaction(stored?.body ?? null, plain, redaction)
  const standing =
    stored?.body == null ? standingAt(on, position, keys) : stillStanding(ground, on, erasableRecords(stored.body, keys), options)
  const verdict = rules.judgeErasure(standing.length, isBehind(on.head, ahead))
  if (verdict === 'wait') return 'wait'
  if (verdict === 'refuse') throw new ExchangeError('REDACTION_NOT_ALLOWED', 'expected a later version of each named key')
  await transact(ground, life, 'erase: written', 'erase: committed', [() => applyRedaction(ground, on, redaction, plain)])
  return 'erased'
}

const isBehind = (head: LogHead | null, ahead: LogHead | null): boolean =>
  ahead !== null && (head === null || comparePositions(head, ahead) < 0)

const claimsOf = (token: string): EnvelopeClaims => parseToken(token, 'envelope').claims as EnvelopeClaims

/** Of a position that is not held: what stands of it in the replica. */
const standingAt = (on: DiskLog, position: Position, keys: ReadonlySet<string>): string[] =>
  [...keys].filter(key => on.rows.get(key)?.at === formatPosition(position) && on.rows.get(key)?.op === 'put')

function stillStanding({ rules }: Ground, on: DiskLog, records: Named, { effect }: { readonly effect: boolean }): string[] {
  const quick = effect
    ? rules.standingKeys(records, new Map([...on.rows].map(([key, row]) => [key, row.ver])))
    : records.map(({ key }) => key)
  if (quick.length === 0) return []
  const highest = new Map<string, number>()
  for (const entry of on.entries)
    for (const { key, ver } of entry.refusal === LOST ? [] : [...entry.records, ...(entry.erased ?? [])])
      if (ver > (highest.get(key) ?? 0)) highest.set(key, ver)
  const left = records.filter(({ key }) => quick.includes(key))
  return rules.standingKeys(left, highest)
}

/** The writes of one transaction. */
export function applyRedaction({ rules }: Ground, on: DiskLog, redaction: Redaction, plain: Uint8Array): void {
  const { position, keys, token } = redaction
  const at = formatPosition(position)
  const stored = entryAt(on, position)
  if (stored !== null) {
    const { records, erased } = openRecords(claimsOf(stored.token), plain, keys)
    replace(on, { ...stored, body: Buffer.from(plain), redaction: token, records, erased })
  }
  for (const key of keys) {
    const row = on.rows.get(key)
    if (row?.at === at && row.op === 'put') on.rows.set(key, { ...row, op: 'erased', text: '' })
  }
  if (rules.order.eraseInSnapshots)
    on.kept = on.kept.map(kept =>
      comparePositions(kept.mark.at, position) < 0
        ? kept
        : { ...kept, chunks: kept.chunks.map(chunk => eraseInChunk(chunk, position, keys) ?? chunk) },
    )
  on.redactions.set(at, redaction)
}
