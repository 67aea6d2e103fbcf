/** What was erased in a log, asked for and answered over NATS: the newest redaction of each position with the body that it names. */
import type { Msg } from '@nats-io/transport-node'
import type { Kysely } from 'kysely'
import { ExchangeError } from '../../schemas/errors.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { formatLogId, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { Broker } from '../nats.ts'
import type { Arrival } from './arrival.ts'
import { readLog } from './ledger.ts'
import { redactionHeaders } from './message.ts'
import { answerAbout, hearQuestions, parseLogQuestion } from './questions.ts'
import { type RedactionCursor, readRedactions } from './redactions.ts'
import { askEntries } from './repair.ts'
import type { LedgerTables } from './tables.ts'

export type RedactionsQuestion = LogId & RedactionCursor

/** Redactions behind a cursor. */
export const askRedactions = (broker: Broker, holder: string, asker: string, question: RedactionsQuestion): Promise<Arrival[]> =>
  askEntries(broker, { holder, kind: 'redactions', asker }, question)

function parseQuestion(message: Msg): RedactionsQuestion {
  const { log, numbers } = parseLogQuestion(message, ['issued', 'epoch', 'seq'])
  const { issued, epoch, seq } = numbers
  if (issued < 0 || epoch < 0 || seq < 0 || issued > 253_402_300_799 || epoch > 2_147_483_647)
    throw new ExchangeError('REQUEST_INVALID', 'expected issued, epoch and seq from 0 on')
  return { ...log, ...numbers }
}

/** Answers for what this holder has erased, to those who may hold the log too. */
export function answerRedactions(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly membership: () => Membership
  readonly own: string
  readonly failed: (error: unknown) => void
}): Disposable {
  const { db } = options

  async function redactions(message: Msg, question: RedactionsQuestion): Promise<void> {
    const state = await readLog(db, question)
    if (state === null) throw new ExchangeError('LOG_UNKNOWN', `expected a log held here, got ${formatLogId(question)}`)
    let bytes = 0
    for (const entry of await readRedactions(db, state.id, question, LIMITS.rangeEnvelopes)) {
      bytes += entry.body.length + entry.redaction.length
      if (bytes > LIMITS.rangeBytes) break
      message.respond(entry.body, { headers: redactionHeaders(entry.redaction, entry.encoding) })
    }
  }

  return hearQuestions(options, { redactions: answerAbout(options, parseQuestion, redactions) })
}
