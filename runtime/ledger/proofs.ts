/**
 * Passes proofs on. Whoever has frozen a log hands the proof to everyone who may hold that log, and each asks the hub and its
 * neighbours for proofs at its start and, one neighbour after another, for as long as it runs: neither a holder that was away nor a hub
 * that keeps silent leaves anybody behind. A proof needs nobody's word: whoever receives one opens both statements itself. A false
 * one freezes nothing, stands in quarantine with its reason and is counted for the program that sent it. Proofs against the hub go the
 * same way, and convict it alone.
 */
import type { Msg } from '@nats-io/transport-node'
import type { Kysely } from 'kysely'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { parseIJson } from '../../schemas/i-json.ts'
import { formatLogId, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { isTransient } from '../../schemas/opening.ts'
import { HUB_SIGNER, openProof, proofIdentity, type Statements } from '../../schemas/proof.ts'
import { askerOf, questionFilter, questionSubject } from '../../schemas/subjects.ts'
import type { Broker } from '../nats.ts'
import type { LedgerEvents } from './events.ts'
import { convict, freeze, readConvictions, readForks } from './forks.ts'
import { lockLogs } from './ledger.ts'
import { quarantine } from './quarantine.ts'
import { HUB, hearQuestions, mayHold } from './questions.ts'
import type { LedgerTables } from './tables.ts'

/** how soon a proof that was found is handed on */
const TELL_MS = 1000
/** how often others are asked: the hub and one neighbour each time */
const ASK_MS = 15_000
const ASK_TIMEOUT_MS = 3000
/** what one answer may hold: below the broker's limit on a message */
const ANSWER_BYTES = 768 * 1024
/** one proof convicts the hub as well as a thousand */
export const CONVICTIONS_PASSED = 8
/** proofs in one answer, and proofs handed over that wait to be checked: each costs two signatures */
const PROOFS_AT_ONCE = 64

type ForkQuestion = { readonly frozen: readonly string[]; readonly convictions: number }

export type Proofs = AsyncDisposable & {
  /** asks one program now for what it has proof of */
  ask(holder: string): Promise<void>
}

const parseStatements = (value: unknown): Statements => {
  const [a, b, ...rest] = Array.isArray(value) ? (value as readonly unknown[]) : []
  if (typeof a !== 'string' || typeof b !== 'string' || rest.length > 0)
    throw new ExchangeError('PROOF_MALFORMED', 'expected two tokens')
  return [a, b]
}

function parseQuestion(data: Uint8Array): ForkQuestion {
  const { frozen, convictions } = (parseIJson(data, 3, 'REQUEST_INVALID') ?? {}) as { readonly [name: string]: unknown }
  if (!Array.isArray(frozen) || !Number.isSafeInteger(convictions))
    throw new ExchangeError('REQUEST_INVALID', 'expected the logs that are frozen and the number of convictions')
  return { frozen: frozen.map(String), convictions: Number(convictions) }
}

export function startProofs(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  /** this program's code, or `hub` */
  readonly own: string
  readonly membership: () => Membership
  readonly events: LedgerEvents
}): Proofs {
  const { broker, db, own, events } = options
  const told = new Set<string>()
  let stopped = false
  let waiting = 0
  let turn = 0

  const concerns = (program: string, log: LogId): boolean => mayHold(options.membership(), program, log)
  const neighbours = (): string[] => [...options.membership().members.keys()].filter(code => code !== own)
  const others = (): string[] => (own === HUB ? neighbours() : [HUB, ...neighbours()])

  async function freezeBy(statements: Statements): Promise<void> {
    const { signer, contradiction, reason } = await openProof(statements, options.membership())
    const proof = { statements, reason: reason.en }
    if (signer === HUB_SIGNER) {
      const known = await readConvictions(db)
      if (known.length < CONVICTIONS_PASSED && (await convict(db, proof))) events.hubConvicted(reason.en)
      return
    }
    const { log } = contradiction
    if (!concerns(own, log))
      throw new ExchangeError('AUDIENCE_NOT_ALLOWED', `expected a log that ${own} may hold, got ${formatLogId(log)}`)
    const isNew = await db.transaction().execute(async trx => {
      const state = (await lockLogs(trx, [log])).get(formatLogId(log))
      return state !== undefined && !state.frozen && (await freeze(trx, state.id, proof))
    })
    if (isNew) events.forked(log, reason.en)
  }

  async function take(value: unknown, from: string): Promise<void> {
    try {
      await freezeBy(parseStatements(value))
    } catch (error) {
      if (!isExchangeError(error)) return events.failed(from, error)
      // Whoever is behind in the membership asks again.
      if (isTransient(error)) return
      const { code, reason } = error
      await quarantine(db, [
        { kind: 'proof', origin: from, place: from, code, reason, content: Buffer.from(JSON.stringify(value)) },
      ])
      events.proofRefused(from, error)
    }
  }

  async function known(): Promise<ForkQuestion> {
    const forks = await readForks(db)
    return { frozen: forks.map(fork => formatLogId(fork.log)), convictions: (await readConvictions(db)).length }
  }

  async function ask(holder: string): Promise<void> {
    const question = JSON.stringify(await known())
    const answer = await broker.connection.request(questionSubject(holder, 'forks', own), question, { timeout: ASK_TIMEOUT_MS })
    const proofs = parseIJson(answer.data, 4, 'REQUEST_INVALID')
    for (const proof of Array.isArray(proofs) ? proofs.slice(0, PROOFS_AT_ONCE) : []) await take(proof, holder)
  }

  async function answer(message: Msg, asker: string): Promise<void> {
    const { frozen, convictions } = parseQuestion(message.data)
    const has = new Set(frozen)
    const forks = (await readForks(db)).filter(({ log }) => concerns(asker, log) && !has.has(formatLogId(log)))
    const hub = convictions < CONVICTIONS_PASSED ? (await readConvictions(db)).slice(0, CONVICTIONS_PASSED) : []
    const proofs: Statements[] = []
    let bytes = 2
    for (const { statements } of [...forks, ...hub].slice(0, PROOFS_AT_ONCE)) {
      bytes += statements[0].length + statements[1].length + 8
      if (bytes > ANSWER_BYTES) break
      proofs.push(statements)
    }
    message.respond(JSON.stringify(proofs))
  }

  /** Hands what is new here to everyone whom it concerns, the accused among them. */
  async function tell(): Promise<void> {
    const forks = (await readForks(db)).map(({ log, statements }) => ({ log, statements }))
    const hub = (await readConvictions(db)).slice(0, CONVICTIONS_PASSED).map(({ statements }) => ({ log: null, statements }))
    for (const { log, statements } of [...forks, ...hub]) {
      const identity = proofIdentity(statements)
      if (told.has(identity)) continue
      told.add(identity)
      for (const other of others())
        if (log === null || concerns(other, log))
          broker.connection.publish(questionSubject(other, 'proof', own), JSON.stringify(statements))
    }
  }

  async function askAround(): Promise<void> {
    const near = neighbours()
    const next = near[turn % Math.max(1, near.length)]
    turn += 1
    for (const holder of [...(own === HUB ? [] : [HUB]), ...(next === undefined ? [] : [next])]) {
      // Whoever does not answer is passed by: the next one has the same proofs.
      if (!stopped) await ask(holder).catch(error => (isExchangeError(error) ? events.failed(holder, error) : undefined))
    }
  }

  async function askEveryone(): Promise<void> {
    for (const holder of others())
      if (!stopped) await ask(holder).catch(error => (isExchangeError(error) ? events.failed(holder, error) : undefined))
  }

  let working: Promise<void> = Promise.resolve()
  const queue = (work: () => Promise<void>): void => {
    working = working.then(work).catch(error => (stopped ? undefined : events.failed(own, error)))
  }
  const answers = hearQuestions(
    { broker, own, failed: error => events.failed(own, error) },
    { forks: (message, asker) => answer(message, asker).catch(error => events.failed(asker, error)) },
  )
  const handed = broker.connection.subscribe(questionFilter(own, 'proof'), {
    callback: (error, message) => {
      if (error !== null || waiting >= PROOFS_AT_ONCE) return
      waiting += 1
      const from = askerOf(message.subject)
      queue(async () => {
        waiting -= 1
        await take(readHanded(message.data), from)
      })
    },
  })
  let asking = askEveryone()
  const timers = [
    setInterval(() => queue(tell), TELL_MS),
    setInterval(() => {
      asking = asking.then(askAround).catch(error => events.failed(own, error))
    }, ASK_MS),
  ]
  return {
    ask,
    async [Symbol.asyncDispose]() {
      stopped = true
      for (const timer of timers) clearInterval(timer)
      answers[Symbol.dispose]()
      handed.unsubscribe()
      await Promise.all([working, asking])
    },
  }
}

/** What was handed over and is no JSON is a false proof like any other. */
function readHanded(data: Uint8Array): unknown {
  try {
    return parseIJson(data, 3, 'REQUEST_INVALID')
  } catch {
    return null
  }
}
