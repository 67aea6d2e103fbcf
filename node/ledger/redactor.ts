/**
 * Erases in the own logs, for an operator: every version of a key that its log has superseded or taken back. Each position gets one
 * signed redaction, which takes effect here in the transaction that signs it, by the same rules as at any other holder; then it goes out
 * on the log's subject, and from then on stands in the signed heads, so that no holder can miss it.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Bodies } from '../../runtime/ledger/bodies.ts'
import { erase } from '../../runtime/ledger/erasure.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { redactionHeaders } from '../../runtime/ledger/message.ts'
import { redactionAt } from '../../runtime/ledger/redactions.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { Broker } from '../../runtime/nats.ts'
import { encryptBody, isRestricted } from '../../schemas/content-key.ts'
import type { Digest } from '../../schemas/digest.ts'
import { decodeBody, encodeBody } from '../../schemas/encoding.ts'
import { tokenDigest } from '../../schemas/envelope.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import { comparePositions, formatLogId, formatPosition, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { RetractReason } from '../../schemas/record.ts'
import { erasableRecords, openRedaction, redactBody, sealRedaction } from '../../schemas/redaction.ts'
import { logSubject, streamName } from '../../schemas/subjects.ts'
import { parseToken, type Signer } from '../../schemas/tokens.ts'
import type { NodeEvents } from '../events.ts'
import { replicator } from '../replica/replicator.ts'

export type Redacted = Position & {
  /** digest of the signed redaction */
  readonly redaction: Digest
  readonly old: Digest
  readonly new: Digest
}
export type RedactionResult = {
  readonly log: LogId
  readonly key: string
  readonly redacted: readonly Redacted[]
  /** positions where a version was superseded but shares its batch with one that still stands: erased once that one is superseded too */
  readonly kept: readonly Position[]
}
export type RedactionOrder = { readonly log: LogId; readonly key: string; readonly why: RetractReason }

export type Redactor = AsyncDisposable & {
  /** @throws LOG_UNKNOWN, RECORD_UNKNOWN, REDACTION_NOT_ALLOWED (nothing of this key is superseded),
   * REDACTION_VERSION_SHARED (what is superseded stands in one batch with what is not), SEALING_WAITS */
  redact(order: RedactionOrder): Promise<RedactionResult>
}

type Sealed = Redacted & { readonly token: string; readonly encoding: string; readonly body: Uint8Array }
/** `standing`: the version that stands is among those here. `shared`: one that it superseded is too. */
type Place = Position & { readonly standing: boolean; readonly shared: boolean }

const WAIT_MS = 10_000
/** entries read at once while looking for a key: at most 12 MiB of bodies */
const SCAN_ENTRIES = 16
/** how long a redaction waits for the hub to hold what allows it; later, the signed heads bring it everywhere all the same */
const RECEIPT_WAIT_MS = 30_000

export function createRedactor(options: {
  readonly db: Kysely<LedgerTables>
  readonly broker: Broker
  readonly signer: () => Signer
  readonly membership: () => Membership
  readonly bodies: Bodies
  readonly clock: () => Date
  readonly restoration: { readonly done: Promise<void>; trouble(): string | null }
  /** what others have erased of an own log: nothing is erased over it */
  readonly takeBack: (log: LogId) => Promise<void>
  readonly events: NodeEvents
  /** after each order that erased something */
  readonly redacted: () => void
}): Redactor {
  const { db, broker, events, bodies } = options
  const stopping = new AbortController()
  const publishing = new Set<Promise<void>>()

  async function redact({ log, key, why }: RedactionOrder): Promise<RedactionResult> {
    await Promise.race([options.restoration.done, delay(WAIT_MS, undefined, { ref: false })])
    const trouble = options.restoration.trouble()
    if (trouble !== null) throw new ExchangeError('SEALING_WAITS', trouble)
    const state = await readLog(db, log)
    if (state === null) throw new ExchangeError('LOG_UNKNOWN', `expected an own log, got ${formatLogId(log)}`)
    await options.takeBack(log)
    const current = await standingOf(state.id, log.dataset, key)
    const places = await placesOf(state.id, key, current.ver)
    const due = places.filter(place => !place.standing)
    const shared = places.filter(place => place.shared).map(({ epoch, seq }) => ({ epoch, seq }))
    if (due.length === 0 && shared.length > 0) {
      const where = shared.map(formatPosition).join(', ')
      throw new ExchangeError(
        'REDACTION_VERSION_SHARED',
        `${formatLogId(log)} ${where}: 先再次发布该键（内容有变）或撤回，再删除 first put the key again (changed) or retract it, then erase`,
      )
    }
    if (due.length === 0 && current.op === 'put') {
      throw new ExchangeError('REDACTION_NOT_ALLOWED', 'expected a version of this key that was superseded or taken back')
    }
    const sealed: Sealed[] = []
    for (const place of due) {
      const one = await db.transaction().execute(trx => redactPlace(trx, state.id, { log, key, why }, place))
      if (one !== null) sealed.push(one)
    }
    if (sealed.length > 0) {
      events.redacted(log, sealed.length)
      options.redacted()
      const work = publish(log, sealed)
        .catch(error => events.failed(log.origin, error))
        .finally(() => publishing.delete(work))
      publishing.add(work)
    }
    return {
      log,
      key,
      redacted: sealed.map(({ token: _, encoding: __, body: ___, ...one }) => one),
      kept: shared,
    }
  }

  async function standingOf(logId: number, dataset: string, key: string): Promise<{ ver: number; op: string }> {
    const { rows } = await sql<{ ver: number; op: string }>`
      SELECT ver, op FROM ${sql.table(`replica_${dataset}`)} WHERE log_id = ${logId}::int AND key = ${key}`.execute(db)
    const [row] = rows
    if (row === undefined) throw new ExchangeError('RECORD_UNKNOWN', 'expected a key of which this log has said something')
    return row
  }

  /** Where a body of this key stands in the log, and whether it is of the version that stands. */
  async function placesOf(logId: number, key: string, current: number): Promise<Place[]> {
    const mark = Buffer.from(JSON.stringify(key))
    const places: Place[] = []
    for (let after: Position = { epoch: 0, seq: 0 }; ; ) {
      const { rows } = await sql<Position & { token: string; encoding: string; body: Buffer | null }>`
        SELECT epoch, seq, token, encoding, body FROM envelope
        WHERE log_id = ${logId}::int AND (epoch, seq) > (${after.epoch}::int, ${after.seq}::bigint)
        ORDER BY epoch, seq LIMIT ${SCAN_ENTRIES}`.execute(db)
      const last = rows.at(-1)
      if (last === undefined) return places
      after = last
      for (const { epoch, seq, token, encoding, body } of rows) {
        if (body === null) continue
        const claims = parseToken(token, 'envelope').claims as EnvelopeClaims
        const plain = Buffer.from((await bodies.held(db, logId, claims, await decodeBody(body, encoding))) ?? [])
        const records = plain.includes(mark) ? erasableRecords(plain, new Set([key])) : []
        if (records.length > 0) {
          const standing = records.some(({ ver }) => ver >= current)
          places.push({ epoch, seq, standing, shared: standing && records.some(({ ver }) => ver < current) })
        }
      }
    }
  }

  async function redactPlace(
    trx: Transaction<LedgerTables>,
    logId: number,
    { log, key, why }: RedactionOrder,
    { epoch, seq }: Position,
  ): Promise<Sealed | null> {
    const position = { epoch, seq }
    const entry = await trx
      .selectFrom('envelope')
      .select(['token', 'encoding', 'body'])
      .where('log_id', '=', logId)
      .where('epoch', '=', epoch)
      .where('seq', '=', seq)
      .forUpdate()
      .executeTakeFirstOrThrow()
    if (entry.body === null) return null
    const known = await redactionAt(trx, logId, position)
    const keys = new Set([...(known?.keys ?? []), key])
    const claims = parseToken(entry.token, 'envelope').claims as EnvelopeClaims
    const { dig: old } = claims
    const { fed, position: mem } = options.membership()
    const stands = await bodies.held(trx, logId, claims, await decodeBody(entry.body, entry.encoding))
    const contentKey = isRestricted(log.audience) ? await bodies.keyOf(trx, logId, epoch) : null
    if (stands === null) throw new ExchangeError('BODY_UNREADABLE', `${formatLogId(log)}: expected the key of epoch ${epoch} here`)
    const plain = redactBody(stands, keys, randomBytes(16).toString('base64url'))
    const body = contentKey === null ? plain : encryptBody(contentKey, fed, log, position, plain)
    const context = { fed, mem, signer: options.signer(), now: options.clock() }
    const erasing = { log, position, old, keys, why, body, ...(contentKey === null ? {} : { plain }) }
    const token = await sealRedaction(erasing, context)
    const sent = await encodeBody(body)
    const redaction = await openRedaction(token, options.membership(), log)
    const verdict = await erase(
      trx,
      { redaction, plain: body, encoding: sent.encoding, body: sent.bytes },
      { effect: replicator, bodies, behind: () => false },
    )
    if (verdict.kind !== 'erased') return null
    return {
      ...position,
      redaction: tokenDigest(token),
      old,
      new: redaction.new,
      token,
      encoding: sent.encoding,
      body: sent.bytes,
    }
  }

  /** Behind what allows it, so that a reader meets the later version first. */
  async function publish(log: LogId, sealed: readonly Sealed[]): Promise<void> {
    const head = (await readLog(db, log))?.head ?? null
    if (head === null || !(await receipted(log, head))) return
    for (const one of sealed) {
      await broker.stream.publish(logSubject(log), one.body, {
        msgID: one.redaction,
        headers: redactionHeaders(one.token, one.encoding),
        expect: { streamName: streamName(log.origin) },
        timeout: 5000,
      })
    }
  }

  async function receipted(log: LogId, head: LogHead): Promise<boolean> {
    for (const end = performance.now() + RECEIPT_WAIT_MS; performance.now() < end && !stopping.signal.aborted; ) {
      const receipt = (await readLog(db, log))?.receipt ?? null
      if (receipt !== null && comparePositions(receipt, head) >= 0) return true
      await delay(200, undefined, { signal: stopping.signal }).catch(() => {})
    }
    return false
  }

  return {
    redact,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.all(publishing)
    },
  }
}
