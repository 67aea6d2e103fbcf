/**
 * Ranges of a log, asked for and answered over NATS. The answer is a sequence of messages shaped like the stream's own and a last
 * one that says how it ended; entries verify the same however they came.
 */
import { headers, type Msg, type Subscription } from '@nats-io/transport-node'
import type { Kysely } from 'kysely'
import { type ErrorCode, ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { parseIJson } from '../../schemas/i-json.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { formatLogId, type LogId } from '../../schemas/log.ts'
import { audiencesRead, type Membership, memberOf } from '../../schemas/membership.ts'
import { HEADERS, hubQuestionFilter, hubQuestionSubject } from '../../schemas/subjects.ts'
import type { Broker } from '../nats.ts'
import { readLog, readRange } from './ledger.ts'
import { arrivalOf, entryHeaders } from './message.ts'
import type { Arrival } from './receiver.ts'
import type { LedgerTables } from './tables.ts'

export type RangeQuestion = LogId & { readonly epoch: number; readonly from: number }

const ANSWER_TIMEOUT_MS = 10_000

/** Asks the hub for entries of one epoch from a position on: at most what one answer carries, so ask again behind the last. */
export async function askRange(broker: Broker, asker: string, question: RangeQuestion): Promise<Arrival[]> {
  const arrivals: Arrival[] = []
  const replies = await broker.connection.requestMany(hubQuestionSubject('range', asker), JSON.stringify(question), {
    strategy: 'timer',
    maxWait: ANSWER_TIMEOUT_MS,
  })
  for await (const reply of replies) {
    const code = reply.headers?.get(HEADERS.code) ?? ''
    if (code !== '') throw new ExchangeError('LOG_UNKNOWN', `the hub answers ${code} for ${formatLogId(question)}`)
    if ((reply.headers?.get(HEADERS.end) ?? '') !== '') return arrivals
    arrivals.push(arrivalOf(reply, null))
  }
  return arrivals
}

function parseQuestion(message: Msg): RangeQuestion {
  const value = parseIJson(message.data, 2, 'REQUEST_INVALID') as { readonly [name: string]: unknown }
  const { origin, dataset, audience, epoch, from } = value ?? {}
  if (typeof origin !== 'string' || typeof dataset !== 'string' || typeof audience !== 'string') {
    throw new ExchangeError('REQUEST_INVALID', 'expected origin, dataset and audience as text')
  }
  if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(from))
    throw new ExchangeError('REQUEST_INVALID', 'expected epoch and from as whole numbers')
  return { origin, dataset, audience, epoch: Number(epoch), from: Number(from) }
}

/** Answers range questions from the ledger, to those who may hold the log: the asker's code is the subject's last token. */
export function answerRanges(broker: Broker, db: Kysely<LedgerTables>, membership: () => Membership): Subscription {
  const answer = async (message: Msg): Promise<void> => {
    const end = headers()
    try {
      const question = parseQuestion(message)
      const asker = memberOf(membership(), message.subject.split('.').at(-1) ?? '')
      if (question.origin !== asker.code && !audiencesRead(asker).includes(question.audience)) {
        throw new ExchangeError('AUDIENCE_NOT_ALLOWED', `${asker.code} does not belong to ${question.audience}`)
      }
      const state = await readLog(db, question)
      if (state === null) throw new ExchangeError('LOG_UNKNOWN', `expected a log held here, got ${formatLogId(question)}`)
      let bytes = 0
      for (const entry of await readRange(db, state.id, question.epoch, question.from, LIMITS.rangeEnvelopes)) {
        bytes += entry.body?.length ?? 0
        if (bytes > LIMITS.rangeBytes) break
        message.respond(entry.body ?? undefined, { headers: entryHeaders(entry) })
      }
      end.set(HEADERS.end, 'true')
    } catch (error) {
      const code: ErrorCode = isExchangeError(error) ? error.code : 'INTERNAL'
      end.set(HEADERS.code, code)
    }
    message.respond(undefined, { headers: end })
  }
  return broker.connection.subscribe(hubQuestionFilter('range'), {
    callback: (error, message) => {
      if (error === null) void answer(message)
    },
  })
}
