/**
 * Pieces of a snapshot, asked for and answered over NATS: the manifest, or groups from a number on. A piece that is larger than one
 * message comes as several. Whoever may hold the log may ask; a snapshot whose root was judged to differ is given to nobody, and the
 * refusal says so, because a newcomer has nothing of its own to judge by.
 */
import { headers, type Msg } from '@nats-io/transport-node'
import type { Kysely } from 'kysely'
import { type ErrorCode, ExchangeError } from '../../schemas/errors.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { comparePositions, formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { SnapshotMark } from '../../schemas/snapshot.ts'
import { HEADERS, questionSubject } from '../../schemas/subjects.ts'
import type { Broker } from '../nats.ts'
import { readLog } from './ledger.ts'
import { answerAbout, hearQuestions, parseLogQuestion } from './questions.ts'
import { rootVerdict } from './root-judge.ts'
import { keptSnapshots, readChunks } from './snapshots.ts'
import type { LedgerTables } from './tables.ts'

const ANSWER_TIMEOUT_MS = 10_000
/** the manifest of a hundred million records in groups of 1024, and room */
const MANIFEST_BYTES = 8 * 1024 * 1024

export type SnapshotQuestion = LogId & {
  readonly epoch: number
  readonly seq: number
  readonly root: string
  /** number of the first group wanted; -1 for the manifest */
  readonly from: number
}
export const MANIFEST = -1
export const questionOf = (
  log: LogId,
  { at, root }: Pick<SnapshotMark, 'root'> & { at: Omit<LogHead, 'digest'> },
  from: number,
): SnapshotQuestion => ({
  ...log,
  epoch: at.epoch,
  seq: at.seq,
  root,
  from,
})

export type Piece = { readonly number: number; readonly encoding: string; readonly bytes: Buffer }

/** One answer of one holder. @throws SNAPSHOT_UNKNOWN (not kept there), SNAPSHOT_REFUSED (judged false there), PROGRAM_UNREACHABLE */
export async function askSnapshot(
  broker: Broker,
  { holder, asker }: { readonly holder: string; readonly asker: string },
  question: SnapshotQuestion,
): Promise<Piece[]> {
  const pieces: Piece[] = []
  let parts: Uint8Array[] = []
  let bytes = 0
  const replies = await broker.connection.requestMany(questionSubject(holder, 'snapshot', asker), JSON.stringify(question), {
    strategy: 'timer',
    maxWait: ANSWER_TIMEOUT_MS,
  })
  for await (const reply of replies) {
    const code = reply.headers?.get(HEADERS.code) ?? ''
    if (code !== '') throw new ExchangeError(codeOf(code), `${holder} answers ${code} for ${formatLogId(question)}`)
    if (reply.headers?.get(HEADERS.end) === 'true') return pieces
    bytes += reply.data.length
    if (bytes > LIMITS.rangeBytes + LIMITS.snapshotChunkBytes) throw new ExchangeError('SNAPSHOT_MALFORMED', `${holder}: too large`)
    parts.push(reply.data)
    const group = reply.headers?.get(HEADERS.group) ?? ''
    // Only the last message of a piece says which one it was.
    if (group === '') continue
    pieces.push({
      number: Number(group),
      encoding: reply.headers?.get(HEADERS.encoding) || 'identity',
      bytes: Buffer.concat(parts),
    })
    parts = []
  }
  if (pieces.length === 0) throw new ExchangeError('PROGRAM_UNREACHABLE', `${holder} does not answer for ${formatLogId(question)}`)
  return pieces
}

const codeOf = (code: string): ErrorCode =>
  code === 'SNAPSHOT_REFUSED' || code === 'SNAPSHOT_UNKNOWN' ? code : code === '503' ? 'PROGRAM_UNREACHABLE' : 'SNAPSHOT_UNKNOWN'

function parseQuestion(message: Msg): SnapshotQuestion {
  const { log, numbers, value } = parseLogQuestion(message, ['epoch', 'seq', 'from'])
  const { root } = value
  if (typeof root !== 'string' || Math.abs(numbers.from) > 2 ** 31)
    throw new ExchangeError('REQUEST_INVALID', 'expected root as text and from as the number of a group')
  return { ...log, ...numbers, root }
}

export function answerSnapshots(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly membership: () => Membership
  readonly own: string
  readonly failed: (error: unknown) => void
}): Disposable {
  const { db } = options

  function respond(message: Msg, number: number, encoding: string, bytes: Uint8Array): void {
    for (let start = 0; ; ) {
      const end = Math.min(bytes.length, start + LIMITS.snapshotMessageBytes)
      const set = headers()
      if (end === bytes.length) {
        set.set(HEADERS.group, String(number))
        set.set(HEADERS.encoding, encoding)
      }
      message.respond(bytes.subarray(start, end), { headers: set })
      if (end === bytes.length) return
      start = end
    }
  }

  async function pieces(message: Msg, question: SnapshotQuestion): Promise<void> {
    const state = await readLog(db, question)
    if (state === null) throw new ExchangeError('SNAPSHOT_UNKNOWN', `expected a log held here, got ${formatLogId(question)}`)
    const at = { epoch: question.epoch, seq: question.seq, digest: '' }
    const found = await rootVerdict(db, state.id, { at, root: question.root })
    if (found?.verdict === 'differs') {
      throw new ExchangeError('SNAPSHOT_REFUSED', `${formatLogId(question)}: another root follows from the log`)
    }
    const kept = (await keptSnapshots(db, state.id)).find(one => comparePositions(one.at, at) === 0 && one.root === question.root)
    if (kept === undefined) throw new ExchangeError('SNAPSHOT_UNKNOWN', `${formatLogId(question)}: that snapshot is not kept here`)
    if (question.from < 0) {
      respond(message, MANIFEST, 'identity', kept.manifest.subarray(0, MANIFEST_BYTES))
      return
    }
    let sent = 0
    for (const chunk of await readChunks(db, kept.id, question.from, LIMITS.snapshotGroups)) {
      if (sent > 0 && sent + chunk.bytes.length > LIMITS.rangeBytes) break
      sent += chunk.bytes.length
      respond(message, chunk.number, chunk.encoding, chunk.bytes)
    }
  }

  return hearQuestions(options, { snapshot: answerAbout(options, parseQuestion, pieces) })
}
