/**
 * Questions of other programs, heard and answered: only where the broker itself has the answer go for another account, under the code
 * that it holds each asker to, and of a log only to those who may hold it too. What is wrong with a question is its asker's matter and
 * answered with a code; what goes wrong here is told here as well.
 */
import { headers, type Msg } from '@nats-io/transport-node'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { parseIJson } from '../../schemas/i-json.ts'
import type { LogId } from '../../schemas/log.ts'
import { audiencesRead, type Membership, memberOf } from '../../schemas/membership.ts'
import { askerOf, HEADERS, mayAnswer, type QuestionKind, questionFilter } from '../../schemas/subjects.ts'
import type { Broker } from '../nats.ts'

export const HUB = 'hub'

type Answer = (message: Msg, asker: string) => Promise<void>

export function hearQuestions(
  { broker, own, failed }: { readonly broker: Broker; readonly own: string; readonly failed: (error: unknown) => void },
  answers: { readonly [kind in QuestionKind]?: Answer },
): Disposable {
  const subscriptions = Object.entries(answers).map(([kind, answer]) =>
    broker.connection.subscribe(questionFilter(own, kind as QuestionKind), {
      callback: (error, message) => {
        if (error !== null) return
        const asker = askerOf(message.subject)
        if (mayAnswer(message.reply)) void answer(message, asker).catch(failed)
      },
    }),
  )
  return {
    [Symbol.dispose]() {
      for (const subscription of subscriptions) subscription.unsubscribe()
    },
  }
}

/** Whether a program may hold a log: the hub, its origin, and who belongs to its audience. */
export const mayHold = (membership: Membership, program: string, { origin, audience }: LogId): boolean =>
  program === HUB || program === origin || audiencesRead(memberOf(membership, program)).includes(audience)

/**
 * An answer of several messages about one log, and a last one that says how it ended. `give` responds with the others.
 * @throws nothing: a refusal goes back as its code
 */
export const answerAbout =
  <Question extends LogId>(
    { membership, failed }: { readonly membership: () => Membership; readonly failed: (error: unknown) => void },
    parse: (message: Msg) => Question,
    give: (message: Msg, question: Question) => Promise<void>,
  ): Answer =>
  async (message, asker) => {
    const end = headers()
    try {
      const question = parse(message)
      if (!mayHold(membership(), asker, question))
        throw new ExchangeError('AUDIENCE_NOT_ALLOWED', `${asker} does not belong to ${question.audience}`)
      await give(message, question)
      end.set(HEADERS.end, 'true')
    } catch (error) {
      end.set(HEADERS.code, isExchangeError(error) ? error.code : 'INTERNAL')
      if (!isExchangeError(error)) failed(error)
    }
    message.respond(undefined, { headers: end })
  }

/** The log and the whole numbers that a question names; what else it says comes as it is. @throws REQUEST_INVALID */
export function parseLogQuestion<Name extends string>(message: Msg, names: readonly Name[]) {
  const value = (parseIJson(message.data, 2, 'REQUEST_INVALID') ?? {}) as { readonly [name: string]: unknown }
  const { origin, dataset, audience } = value
  if (typeof origin !== 'string' || typeof dataset !== 'string' || typeof audience !== 'string')
    throw new ExchangeError('REQUEST_INVALID', 'expected origin, dataset and audience as text')
  if (!names.every(name => Number.isSafeInteger(value[name])))
    throw new ExchangeError('REQUEST_INVALID', `expected ${names.join(', ')} as whole numbers`)
  const numbers = Object.fromEntries(names.map(name => [name, Number(value[name])])) as { readonly [name in Name]: number }
  return { log: { origin, dataset, audience }, numbers, value }
}
