/**
 * Re-hashes what stands in the database, so that an edited row shows: every token's digest and signature, the chain from the opening
 * to the head, every body, the head of the log, the receipt. A log is read in one snapshot, entry by entry, so that work goes on
 * meanwhile and memory stays bounded. What it finds is named by log, position and what was expected.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import { sealedFault } from '../../schemas/content-key.ts'
import { tokenDigest } from '../../schemas/envelope.ts'
import { type ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import type { EnvelopeClaims } from '../../schemas/generated/envelope.ts'
import { formatLogId, formatPosition, judgeChain, type LogHead, type LogId, type Position } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { type OpenedToken, openBytes, openToken } from '../../schemas/opening.ts'
import { checkAddressed, checkRedactedBatch, openRedaction, type Redaction } from '../../schemas/redaction.ts'
import { openReceipt } from '../../schemas/statements.ts'
import { type Bodies, bodiesForAll } from './bodies.ts'
import { heldBehind } from './history.ts'
import { entriesAt, entriesOf, type HeldEntry, isBehind, readLogs } from './ledger.ts'
import { lossFaults } from './losses.ts'
import type { LedgerTables } from './tables.ts'

/** What was compared, each with what it proves. */
export const CHECKS = {
  digest: 'the token has the digest that its row states',
  token: 'the token is signed by its origin for this log and position',
  chain: 'the entry follows the one before it',
  body: 'the body has the digest that the token states, or that of the newest redaction of its position',
  redaction: 'the redaction is signed by its origin for this envelope',
  refusal: 'the verdict on the entry is the one that its token earns',
  loss: 'an entry counts unless its origin has declared it lost',
  head: 'the head of the log is its last entry',
  receipt: "the receipt is the hub's and names what stands at its position",
  record: 'the replica holds what the newest record of the ledger says',
} as const
export type CheckName = keyof typeof CHECKS

export type Finding = {
  readonly kind: 'finding'
  readonly check: CheckName
  readonly log: LogId
  readonly position: Position | null
  /** of a record */
  readonly item?: number
  readonly key?: string
  readonly expected: string
  readonly found: string
}
export type Progress =
  | Finding
  | { readonly kind: 'progress'; readonly log: LogId; readonly entries: number }
  | {
      readonly kind: 'log'
      readonly log: LogId
      readonly base?: Position
      readonly entries: number
      readonly records: number
      readonly findings: number
    }
  | { readonly kind: 'end'; readonly logs: number; readonly entries: number; readonly records: number; readonly findings: number }

/** `base`: up to this position the log is not held here; what stood there was loaded from a snapshot, whose root was checked then. */
export type VerifiedLog = { readonly id: number; readonly log: LogId; readonly base: LogHead | null }

/** Compares what a program derives from the ledger with the ledger, in the same snapshot; returns how many records it compared. */
export type DerivedCheck = (trx: Transaction<LedgerTables>, log: VerifiedLog) => AsyncGenerator<Finding, number, undefined>

type LogRow = {
  epoch: number
  seq: number
  digest: string | null
  receipt_epoch: number
  receipt_seq: number
  receipt_digest: string | null
  receipt_token: string | null
  last_epoch: number | null
  last_seq: number | null
  last_digest: string | null
}

/** entries read at once: at most 12 MiB of bodies */
const CHUNK_ENTRIES = 16
const PROGRESS_ENTRIES = 512

export async function* verifyLedger(options: {
  readonly db: Kysely<LedgerTables>
  readonly membership: () => Membership
  readonly own: string | null
  readonly derived: DerivedCheck | null
  /** what is readable here of restricted audiences: of the rest, chain and digest are compared */
  readonly bodies?: Bodies
}): AsyncGenerator<Progress, void, undefined> {
  const { db } = options
  const total = { logs: 0, entries: 0, records: 0, findings: 0 }
  for (const state of await readLogs(db)) {
    if (state.loading) continue
    const { id, log } = state
    const sum = { entries: 0, records: 0, findings: 0 }
    const trx = await db.startTransaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute()
    // What began with a snapshot is verified as far back as it is held.
    const base = await heldBehind(trx, state)
    try {
      for await (const one of verifyEntries(trx, { id, log, base }, options)) {
        if (one.kind === 'finding') sum.findings += 1
        else sum.entries = one.entries
        yield one
      }
      if (options.derived !== null) {
        const records = options.derived(trx, { id, log, base })
        for (let step = await records.next(); ; step = await records.next()) {
          if (step.done === true) {
            sum.records = step.value
            break
          }
          sum.findings += 1
          yield step.value
        }
      }
    } finally {
      await trx.rollback().execute()
    }
    total.logs += 1
    for (const name of ['entries', 'records', 'findings'] as const) total[name] += sum[name]
    yield { kind: 'log', log, ...(base === null ? {} : { base: { epoch: base.epoch, seq: base.seq } }), ...sum }
  }
  yield { kind: 'end', ...total }
}

async function* verifyEntries(
  trx: Transaction<LedgerTables>,
  { id, log, base }: VerifiedLog,
  {
    membership,
    own,
    bodies = bodiesForAll,
  }: { readonly membership: () => Membership; readonly own: string | null; readonly bodies?: Bodies },
): AsyncGenerator<Finding | (Progress & { readonly kind: 'progress' }), void, undefined> {
  const finding = (check: CheckName, position: Position | null, expected: string, found: string): Finding => ({
    kind: 'finding',
    check,
    log,
    position,
    expected,
    found,
  })
  let before: LogHead | null = base
  let entries = 0
  for (;;) {
    const rows = await entriesOf(trx, id).where(isBehind(before)).limit(CHUNK_ENTRIES).execute()
    if (rows.length === 0) break
    for (const row of rows) {
      const at = { epoch: row.epoch, seq: row.seq }
      for (const { check, expected, found } of await verifyEntry(row, log, before, membership(), (claims, bytes, redaction) =>
        bodies.plain(trx, id, claims, bytes, redaction),
      )) {
        yield finding(check, at, expected, found)
      }
      before = { ...at, digest: row.digest }
      entries += 1
      if (entries % PROGRESS_ENTRIES === 0) yield { kind: 'progress', log, entries }
    }
  }
  yield { kind: 'progress', log, entries }
  for (const { at, expected, found } of await lossFaults(trx, id, membership())) yield finding('loss', at, expected, found)
  const { rows } = await sql<LogRow>`
    SELECT log.*, last.epoch AS last_epoch, last.seq AS last_seq, last.digest AS last_digest FROM log
    LEFT JOIN LATERAL (SELECT epoch, seq, digest FROM envelope WHERE log_id = log.id ORDER BY epoch DESC, seq DESC LIMIT 1) last ON true
    WHERE log.id = ${id}`.execute(trx)
  const state = rows[0]
  if (state === undefined) return
  const last = formatEnd(
    state.last_epoch ?? base?.epoch ?? null,
    state.last_seq ?? base?.seq ?? null,
    state.last_digest ?? base?.digest ?? null,
  )
  const stated = formatEnd(state.epoch, state.seq, state.digest)
  if (last !== stated) yield finding('head', { epoch: state.epoch, seq: state.seq }, last, stated)
  if (log.origin === own && state.receipt_digest !== null) {
    const at = { epoch: state.receipt_epoch, seq: state.receipt_seq }
    const said = await receiptSays(state.receipt_token, log, membership())
    const held = formatEnd(at.epoch, at.seq, (await entriesAt(trx, [{ logId: id, at }])).values().next().value?.digest ?? null)
    const noted = formatEnd(at.epoch, at.seq, state.receipt_digest)
    if (said !== noted) yield finding('receipt', at, said, noted)
    else if (held !== noted) yield finding('receipt', at, noted, held)
  }
}

const formatEnd = (epoch: number | null, seq: number | null, digest: string | null): string =>
  epoch === null || seq === null || digest === null ? 'nothing' : `${formatPosition({ epoch, seq })} ${digest}`

async function receiptSays(token: string | null, log: LogId, membership: Membership): Promise<string> {
  if (token === null) return 'a signed receipt'
  try {
    const receipt = await openReceipt(token, membership)
    if (formatLogId(receipt.log) !== formatLogId(log)) return `a receipt of ${formatLogId(log)}`
    return formatEnd(receipt.head.epoch, receipt.head.seq, receipt.head.digest)
  } catch (error) {
    if (!isExchangeError(error)) throw error
    return `a receipt that verifies (${error.code})`
  }
}

type Read = (claims: EnvelopeClaims, bytes: Uint8Array, redaction: Redaction | null) => Promise<Uint8Array | null>

async function contentFault(
  claims: EnvelopeClaims,
  bytes: Uint8Array,
  redaction: Redaction | null,
  read: Read,
): Promise<string | null> {
  try {
    const plain = await read(claims, bytes, redaction)
    if (redaction !== null && plain !== null) checkRedactedBatch(null, plain, redaction.keys)
    return null
  } catch (error) {
    if (!isExchangeError(error)) throw error
    return error.code
  }
}

const refusalOf = ({ refusal, claims }: OpenedToken): ExchangeError | null =>
  refusal ?? (claims === null ? null : sealedFault(claims))

type Fault = { readonly check: CheckName; readonly expected: string; readonly found: string }

async function verifyEntry(
  row: HeldEntry,
  log: LogId,
  before: LogHead | null,
  membership: Membership,
  read: Read,
): Promise<Fault[]> {
  const faults: Fault[] = []
  const digest = tokenDigest(row.token)
  if (digest !== row.digest) faults.push({ check: 'digest', expected: row.digest, found: digest })
  const kind = row.seq === 0 ? 'epoch' : 'envelope'
  const opened = await openToken(kind, row.token, membership, log).catch((error: unknown) => {
    if (!isExchangeError(error)) throw error
    return error
  })
  if (isExchangeError(opened)) return [...faults, { check: 'token', expected: CHECKS.token, found: opened.code }]
  const { entry, claims } = opened
  if (entry.epoch !== row.epoch || entry.seq !== row.seq) {
    faults.push({ check: 'token', expected: `a token for ${formatPosition(row)}`, found: `one for ${formatPosition(entry)}` })
  } else {
    const verdict = judgeChain(before, entry, null)
    const expected = `an entry that follows ${before === null ? 'nothing' : `${formatPosition(before)} ${before.digest}`}`
    if (verdict !== 'next') faults.push({ check: 'chain', expected, found: verdict })
  }
  const refusal = refusalOf(opened)
  if (refusal !== null && row.refusal === null) {
    faults.push({ check: 'refusal', expected: refusal.code, found: 'none' })
  }
  if (claims === null) {
    if (row.body !== null) faults.push({ check: 'body', expected: 'no body', found: `${row.body.length} bytes` })
    return faults
  }
  if (row.records !== claims.n) faults.push({ check: 'body', expected: `${claims.n} records`, found: `${row.records} records` })
  let redaction: Redaction | null = null
  try {
    redaction = row.redaction === null ? null : await openRedaction(row.redaction, membership, log)
    if (redaction !== null) checkAddressed(redaction, claims)
  } catch (error) {
    if (!isExchangeError(error)) throw error
    return [...faults, { check: 'redaction', expected: CHECKS.redaction, found: error.code }]
  }
  const fault = await openBytes(claims, row.body ?? new Uint8Array(), row.encoding, redaction).then(
    // What nobody can read stands as refused, and is right as it stands.
    plain => (row.refusal === 'BODY_UNREADABLE' ? null : contentFault(claims, plain, redaction, read)),
    (error: unknown) => {
      if (!isExchangeError(error)) throw error
      return error.code
    },
  )
  if (fault !== null) faults.push({ check: 'body', expected: redaction?.new ?? claims.dig, found: fault })
  return faults
}
