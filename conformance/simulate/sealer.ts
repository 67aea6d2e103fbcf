/** What an operation becomes at its origin: decided against the own replica, sealed, and committed with its effect at once. */

import { cutBatch, type SealContext, type SealedEntry, sealEnvelope, sealOpening } from '../../schemas/envelope.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import { canonicalText } from '../../schemas/jcs.ts'
import { type ChainEntry, formatLogId, formatPosition, type LogHead, type LogId, type Loss } from '../../schemas/log.ts'
import type { ExchangeRecord, JsonObject, JsonValue } from '../../schemas/record.ts'
import { erasableRecords, redactBody, sealRedaction } from '../../schemas/redaction.ts'
import type { Reopening } from '../../schemas/reopening-rule.ts'
import { randomOf } from '../samples/random.ts'
import { append, type DiskLog, logOn, type StoredEntry } from './disk.ts'
import { eraseHere } from './erasing.ts'
import type { Operation } from './faults.ts'
import { type Ground, type Life, transact } from './ground.ts'
import { FED, signerOf } from './members.ts'
import type { Arrival } from './network.ts'
import { applyRecords } from './replica.ts'

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

export const contextOf = (ground: Ground, code: string): SealContext => ({
  fed: FED,
  mem: ground.members.membership.position,
  signer: signerOf(ground.members, code),
  now: ground.time(code),
})

/** Salt is randomness to the product; here it hangs on the seed and the place, like everything else. */
export const saltOf = (ground: Ground, ...name: readonly (string | number)[]): string =>
  randomOf(ground.plan.seed, 'salt', ...name).text(BASE64URL, 22)

export function bodyOf(dataset: string, text: string): JsonObject {
  if (dataset === 'entity')
    return { name: text, code: '1', code_verdict: { kind: 'other', outer: 'unreadable', inner: 'unreadable' } }
  const pseudonym = Buffer.from(text.padEnd(17, '.')).toString('base64url').slice(0, 22)
  return { pseudonym, classes: [{ code: 'A01', level: 1 }], main_class: 'A01', region: '530000', available: true }
}

export function storedOf(
  sealed: SealedEntry,
  closing: LogHead | null,
  previous: LogHead | null,
  records: readonly ExchangeRecord[],
  lost: Loss | null = null,
): StoredEntry {
  const { epoch, seq, digest } = sealed
  const entry: ChainEntry =
    sealed.body === null
      ? { epoch, seq, digest, kind: 'opening', closing, lost }
      : { epoch, seq, digest, kind: 'envelope', previous: previous?.digest ?? '' }
  const claims = JSON.parse(Buffer.from(sealed.token.split('.')[1] ?? '', 'base64url').toString('utf8')) as Partial<EnvelopeClaims>
  return {
    kind: sealed.body === null ? 'epoch' : 'envelope',
    entry,
    token: sealed.token,
    body: sealed.body,
    dig: claims.dig ?? null,
    refusal: null,
    records,
  }
}

/** What an own log has declared lost, its versions stay above. */
const floorOf = (on: DiskLog): number =>
  Math.max(0, ...on.entries.map(({ entry }) => (entry.kind === 'opening' ? (entry.lost?.floor ?? 0) : 0)))

/** An operator's order: what cannot be had back is declared lost, and a new epoch opened behind it. */
export async function sealReopening(ground: Ground, life: Life, log: LogId, plan: Reopening): Promise<void> {
  const on = logOn(ground.disk(life.code), log)
  const sealed = await sealOpening(log, plan.epoch, plan.closing, contextOf(ground, life.code), plan.lost)
  const stored = storedOf(sealed, plan.closing, null, [], plan.lost)
  ground.step(life, 'seal: sealed')
  await transact(ground, life, 'seal: written', 'seal: committed', [
    () => ground.watch.reopened(log, plan.lost, stored.entry),
    () => append(on, stored),
    () => ground.watch.sealed(life.code, stored, log),
  ])
  ground.sealedNote(life.code)?.positions.set(formatLogId(log), stored.entry)
}

export const highestVersion = (on: DiskLog): number => Math.max(floorOf(on), ...[...on.rows.values()].map(row => row.ver))

function decide({ dataset, what, keys, text }: Operation, on: DiskLog, ground: Ground): ExchangeRecord[] {
  const at = new Date(Date.UTC(2026, 0, 1) + ground.now()).toISOString()
  const floor = floorOf(on)
  return [...new Set(keys)].flatMap((key): ExchangeRecord[] => {
    const row = on.rows.get(key)
    const ver = ground.rules.versionAfter(row?.ver ?? 0, floor)
    const common = { key, at, platform: 'P1', ver }
    if (what === 'retract') return row === undefined || row.op === 'retract' ? [] : [{ ...common, op: 'retract', why: 'corrected' }]
    const body = bodyOf(dataset, `${text}-${key}`)
    return row?.op === 'put' && row.text === canonicalText(body as JsonValue) ? [] : [{ ...common, op: 'put', body }]
  })
}

export const logOf = (code: string, { dataset, audience }: Operation): LogId => ({ origin: code, dataset, audience })

/** Erases every version of the keys that was superseded; what goes out of it. */
export async function sealErasures(
  ground: Ground,
  life: Life,
  operation: Operation,
): Promise<{ readonly on: DiskLog; readonly arrival: Arrival }[]> {
  const { rules, members } = ground
  const log = logOf(life.code, operation)
  const on = logOn(ground.disk(life.code), log)
  const done: { on: DiskLog; arrival: Arrival }[] = []
  for (const key of operation.keys) {
    const standing = on.rows.get(key)?.ver ?? 0
    for (const { entry, body, dig } of [...on.entries]) {
      const records = body === null ? [] : erasableRecords(body, new Set([key]))
      if (body === null || dig === null || records.length === 0 || records.some(({ ver }) => ver >= standing)) continue
      const at = formatPosition(entry)
      const keys = new Set([...(on.redactions.get(at)?.keys ?? []), key])
      const plain = redactBody(body, keys, saltOf(ground, life.code, at, 'erased', ground.now(), key))
      const erasing = {
        log,
        position: { epoch: entry.epoch, seq: entry.seq },
        old: dig,
        keys,
        why: 'ordered' as const,
        body: plain,
      }
      const token = await sealRedaction(erasing, contextOf(ground, life.code))
      ground.step(life, 'erase: signed')
      const redaction = await rules.openRedaction(token, members.membership, log)
      ground.watch.redacted(redaction, true)
      const verdict = await eraseHere(ground, life, redaction, plain, { effect: true, announcedOf: async () => null })
      ground.watch.erasureOrdered(redaction, verdict)
      if (verdict === 'erased') done.push({ on, arrival: { kind: 'redaction', token, body: plain, subject: log } })
      ground.note(`${life.code} erases ${key} of ${formatLogId(log)} ${at}: ${verdict}`)
    }
  }
  return done
}

/** Returns the log that moved, or null when nothing had to be said. */
export async function sealOperation(ground: Ground, life: Life, operation: Operation): Promise<LogId | null> {
  const { code } = life
  const log = logOf(code, operation)
  const on = logOn(ground.disk(code), log)
  ground.step(life, 'seal: begun')
  const context = contextOf(ground, code)
  const entries: StoredEntry[] = []
  let head = on.head
  const push = (stored: StoredEntry): void => {
    entries.push(stored)
    head = { epoch: stored.entry.epoch, seq: stored.entry.seq, digest: stored.entry.digest }
  }
  if (operation.what === 'epoch') {
    if (head === null || head.seq === 0) return null
    push(storedOf(await sealOpening(log, head.epoch + 1, head, context), head, null, []))
  } else {
    const records = decide(operation, on, ground)
    ground.step(life, 'seal: decided')
    if (records.length === 0) return null
    if (head === null) push(storedOf(await sealOpening(log, 1, null, context), null, null, []))
    for (const batch of cutBatch(records)) {
      const previous: LogHead | null = head
      if (previous === null) throw new Error('a log without an opening')
      const salt = saltOf(ground, code, previous.digest, operation.at)
      push(storedOf(await sealEnvelope(log, previous, batch, { ...context, salt }), null, previous, batch))
    }
  }
  ground.step(life, 'seal: sealed')
  const writes = entries.flatMap(stored => [
    () => append(on, stored),
    () => {
      if (stored.kind === 'envelope') applyRecords(ground, on, stored)
      ground.watch.sealed(code, stored, log)
    },
  ])
  await transact(ground, life, 'seal: written', 'seal: committed', writes)
  if (head !== null) ground.sealedNote(code)?.positions.set(formatLogId(log), head)
  return log
}
