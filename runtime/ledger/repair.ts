/**
 * Ranges of a log, asked for and answered over NATS. Whoever holds a log answers; the answer is a sequence of messages shaped like
 * the stream's own and a last one that says how it ended. Entries verify the same however they came, so it matters to nobody who
 * answered. Answers go where the broker has put them for another account, and nowhere else.
 */
import type { Msg } from '@nats-io/transport-node'
import type { Kysely } from 'kysely'
import { holdsFrom } from '../../schemas/backfill-rule.ts'
import { tokenKindOf } from '../../schemas/bundle.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { parseIJson } from '../../schemas/i-json.ts'
import { LIMITS } from '../../schemas/limits.ts'
import { formatLogId, formatPosition, type LogHead, type LogId } from '../../schemas/log.ts'
import { audiencesRead, type Membership, memberOf } from '../../schemas/membership.ts'
import { openToken } from '../../schemas/opening.ts'
import { openHead } from '../../schemas/statements.ts'
import { HEADERS, type QuestionKind, questionSubject } from '../../schemas/subjects.ts'
import type { Broker } from '../nats.ts'
import type { Arrival } from './arrival.ts'
import type { HeadListener } from './heads.ts'
import { heldBehind } from './history.ts'
import { entriesAt, readLog, readLogs, readOnward } from './ledger.ts'
import { lostTokens } from './losses.ts'
import { arrivalOf, entryHeaders } from './message.ts'
import { answerAbout, HUB, hearQuestions, parseLogQuestion } from './questions.ts'
import type { LedgerTables } from './tables.ts'

export type RangeQuestion = LogId & { readonly epoch: number; readonly from: number }
export type Standing = { readonly log: LogId; readonly head: LogHead }

const ANSWER_TIMEOUT_MS = 10_000
const STANDING_TIMEOUT_MS = 3000
/** an origin has a log for each dataset and audience, and a head for each audience */
const STANDING_TOKENS = 256
/** what one answer with heads may hold: below the broker's limit on a message */
const HEADS_BYTES = 768 * 1024

/** Asks one holder for what it has of a log: at most what one answer carries, so ask again behind the last. */
export async function askEntries(
  broker: Broker,
  { holder, kind, asker }: { readonly holder: string; readonly kind: QuestionKind; readonly asker: string },
  question: LogId,
): Promise<Arrival[]> {
  const arrivals: Arrival[] = []
  const replies = await broker.connection.requestMany(questionSubject(holder, kind, asker), JSON.stringify(question), {
    strategy: 'timer',
    maxWait: ANSWER_TIMEOUT_MS,
  })
  for await (const reply of replies) {
    const code = reply.headers?.get(HEADERS.code) ?? ''
    if (code !== '') throw new ExchangeError('LOG_UNKNOWN', `${holder} answers ${code} for ${formatLogId(question)}`)
    if ((reply.headers?.get(HEADERS.end) ?? '') !== '') return arrivals
    arrivals.push(arrivalOf(reply, null))
    if (arrivals.length >= LIMITS.rangeEnvelopes) return arrivals
  }
  return arrivals
}

/** Entries from a position on, over the ends of epochs. */
export const askRange = (broker: Broker, holder: string, asker: string, question: RangeQuestion): Promise<Arrival[]> =>
  askEntries(broker, { holder, kind: 'range', asker }, question)

/**
 * Where the asker's own logs stand with another holder, as the asker itself once signed it: the last entry that the holder has and the
 * newest head that it heard. Nobody can make an origin wait for what it never said.
 */
export async function askStanding(
  broker: Broker,
  holder: string,
  asker: string,
  membership: Membership,
  refused: (error: unknown) => void,
): Promise<Standing[]> {
  const answer = await broker.connection.request(questionSubject(holder, 'standing', asker), undefined, {
    timeout: STANDING_TIMEOUT_MS,
  })
  const value = parseIJson(answer.data, 2, 'REQUEST_INVALID')
  if (!Array.isArray(value)) throw new ExchangeError('REQUEST_INVALID', `${holder}: expected a list of tokens`)
  const standings = await Promise.all(
    value.slice(0, STANDING_TOKENS).map(token => standingsOf(String(token), asker, membership, refused)),
  )
  return standings.flat()
}

async function standingsOf(
  token: string,
  asker: string,
  membership: Membership,
  refused: (error: unknown) => void,
): Promise<Standing[]> {
  const kind = tokenKindOf(token)
  if (kind !== 'envelope' && kind !== 'epoch' && kind !== 'head') return []
  try {
    if (kind === 'head') return (await openHead(token, membership)).logs.filter(({ log }) => log.origin === asker)
    const { log, entry } = await openToken(kind, token, membership, null)
    return log.origin === asker ? [{ log, head: { epoch: entry.epoch, seq: entry.seq, digest: entry.digest } }] : []
  } catch (error) {
    refused(error)
    return []
  }
}

/** The newest heads that another program has heard, as their origins signed them: what a newcomer is behind of, at once. */
export async function askHeads(broker: Broker, holder: string, asker: string): Promise<string[]> {
  const answer = await broker.connection.request(questionSubject(holder, 'heads', asker), undefined, {
    timeout: STANDING_TIMEOUT_MS,
  })
  const value = parseIJson(answer.data, 2, 'REQUEST_INVALID')
  return Array.isArray(value) ? value.filter((token): token is string => typeof token === 'string') : []
}

function parseQuestion(message: Msg): RangeQuestion {
  const { log, numbers } = parseLogQuestion(message, ['epoch', 'from'])
  return { ...log, ...numbers }
}

/** Answers for what this holder holds, to those who may hold it too. */
export function answerQuestions(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly membership: () => Membership
  readonly own: string
  readonly heads: () => HeadListener
  readonly failed: (error: unknown) => void
}): Disposable {
  const { db } = options

  async function range(message: Msg, question: RangeQuestion): Promise<void> {
    const state = await readLog(db, question)
    if (state === null) throw new ExchangeError('LOG_UNKNOWN', `expected a log held here, got ${formatLogId(question)}`)
    const missing = await heldBehind(db, state)
    if (!holdsFrom(missing, { epoch: question.epoch, seq: question.from }))
      throw new ExchangeError(
        'ENVELOPE_UNKNOWN',
        `${formatLogId(question)} is held here behind ${missing === null ? 'nothing' : formatPosition(missing)}`,
      )
    let bytes = 0
    for (const entry of await readOnward(db, state.id, { epoch: question.epoch, seq: question.from }, LIMITS.rangeEnvelopes)) {
      bytes += entry.body?.length ?? 0
      if (bytes > LIMITS.rangeBytes) break
      message.respond(entry.body ?? undefined, { headers: entryHeaders(entry) })
    }
  }

  async function standing(message: Msg, asker: string): Promise<void> {
    const states = (await readLogs(db)).filter(state => state.log.origin === asker)
    const at = states.flatMap(({ id, head }) => (head === null ? [] : [{ logId: id, at: head }]))
    const entries = [...(await entriesAt(db, at)).values()].map(entry => entry.token)
    const heads = options
      .heads()
      .all()
      .filter(head => head.origin === asker)
    const lost = await lostTokens(db, asker)
    message.respond(JSON.stringify([...entries, ...heads.map(head => head.token), ...lost].slice(0, STANDING_TOKENS)))
  }

  async function newestHeads(message: Msg, asker: string): Promise<void> {
    const audiences = asker === HUB ? null : audiencesRead(memberOf(options.membership(), asker))
    const heads = options
      .heads()
      .all()
      .filter(head => audiences === null || audiences.includes(head.audience))
    const tokens: string[] = []
    let bytes = 2
    for (const { token } of heads) {
      bytes += token.length + 3
      if (bytes > HEADS_BYTES) break
      tokens.push(token)
    }
    message.respond(JSON.stringify(tokens))
  }

  return hearQuestions(options, { range: answerAbout(options, parseQuestion, range), standing, heads: newestHeads })
}
