/** What was erased in a log, asked for and answered over NATS: the newest redaction of each position with the body that it names. */
import { headers, type Msg } from '@nats-io/transport-node'
import type { Kysely } from 'kysely'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { parseIJson } from '../../schemas/i-json.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { formatLogId, type LogId } from '../../schemas/log.ts'
import { audiencesRead, type Membership, memberOf } from '../../schemas/membership.ts'
import { askerOf, HEADERS, mayAnswer, questionFilter } from '../../schemas/subjects.ts'
import type { Broker } from '../nats.ts'
import type { Arrival } from './arrival.ts'
import { readLog } from './ledger.ts'
import { redactionHeaders } from './message.ts'
import { type RedactionCursor, readRedactions } from './redactions.ts'
import { askEntries, HUB } from './repair.ts'
import type { LedgerTables } from './tables.ts'

export type RedactionsQuestion = LogId & RedactionCursor

/** Redactions behind a cursor. */
export const askRedactions = (broker: Broker, holder: string, asker: string, question: RedactionsQuestion): Promise<Arrival[]> =>
  askEntries(broker, { holder, kind: 'redactions', asker }, question)

function parseQuestion(message: Msg): RedactionsQuestion {
  const value = parseIJson(message.data, 2, 'REQUEST_INVALID') as { readonly [name: string]: unknown }
  const { origin, dataset, audience, issued, epoch, seq } = value ?? {}
  if (typeof origin !== 'string' || typeof dataset !== 'string' || typeof audience !== 'string') {
    throw new ExchangeError('REQUEST_INVALID', 'expected origin, dataset and audience as text')
  }
  const whole = [issued, epoch, seq].every(one => Number.isSafeInteger(one) && Number(one) >= 0)
  if (!whole || Number(issued) > 253_402_300_799 || Number(epoch) > 2_147_483_647) {
    throw new ExchangeError('REQUEST_INVALID', 'expected issued, epoch and seq as whole numbers')
  }
  return { origin, dataset, audience, issued: Number(issued), epoch: Number(epoch), seq: Number(seq) }
}

/** Answers for what this holder has erased, to those who may hold the log too. */
export function answerRedactions(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly membership: () => Membership
  readonly own: string
  readonly failed: (error: unknown) => void
}): Disposable {
  const { broker, db } = options

  async function answer(message: Msg, asker: string): Promise<void> {
    const end = headers()
    try {
      const question = parseQuestion(message)
      const may = asker === HUB || question.origin === asker
      if (!may && !audiencesRead(memberOf(options.membership(), asker)).includes(question.audience)) {
        throw new ExchangeError('AUDIENCE_NOT_ALLOWED', `${asker} does not belong to ${question.audience}`)
      }
      const state = await readLog(db, question)
      if (state === null) throw new ExchangeError('LOG_UNKNOWN', `expected a log held here, got ${formatLogId(question)}`)
      let bytes = 0
      for (const entry of await readRedactions(db, state.id, question, LIMITS.rangeEnvelopes)) {
        bytes += entry.body.length + entry.redaction.length
        if (bytes > LIMITS.rangeBytes) break
        message.respond(entry.body, { headers: redactionHeaders(entry.redaction, entry.encoding) })
      }
      end.set(HEADERS.end, 'true')
    } catch (error) {
      end.set(HEADERS.code, isExchangeError(error) ? error.code : 'INTERNAL')
      if (!isExchangeError(error)) options.failed(error)
    }
    message.respond(undefined, { headers: end })
  }

  const subscription = broker.connection.subscribe(questionFilter(options.own, 'redactions'), {
    callback: (error, message) => {
      if (error !== null) return
      const asker = askerOf(message.subject)
      if (mayAnswer(message.reply)) void answer(message, asker).catch(options.failed)
    },
  })
  return { [Symbol.dispose]: () => subscription.unsubscribe() }
}
