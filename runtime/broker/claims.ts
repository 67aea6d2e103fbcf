/**
 * Pushes the accounts' claims to the broker, as its system account: at the start, when something changed, and where a broker that was
 * wiped or replaced does not know them. A broker acts on what it is pushed at once, on live connections too.
 */
import { type Account, decode } from '@nats-io/jwt'
import { ExchangeError } from '../../schemas/errors.ts'
import { type Broker, connectBroker } from '../nats.ts'
import type { BrokerMember } from './accounts.ts'
import type { AccountClaim, Authority } from './authority.ts'
import { passingCredentials } from './credentials.ts'

const CHECK_MS = 5000
const ANSWER_MS = 5000

export type ClaimsKeeper = AsyncDisposable & {
  /** Fulfilled when the broker has what the authority and the membership say now. @throws BROKER_UNAVAILABLE */
  push(): Promise<void>
  trouble(): string | null
}

type Answer = { readonly error?: { readonly description?: string }; readonly data?: { readonly code?: number } }

async function update(broker: Broker, { name, token }: AccountClaim): Promise<void> {
  const reply = await broker.connection.request('$SYS.REQ.CLAIMS.UPDATE', token, { timeout: ANSWER_MS })
  const answer = reply.json<Answer>()
  if (answer.data?.code === 200) return
  throw new ExchangeError(
    'BROKER_UNAVAILABLE',
    `the broker refuses the account of ${name}: ${answer.error?.description ?? 'no reason'}`,
  )
}

async function known(broker: Broker, { account, token }: AccountClaim): Promise<boolean> {
  const reply = await broker.connection.request(`$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`, undefined, { timeout: ANSWER_MS })
  return sayings(reply.string()) === sayings(token)
}

/** What a claim says. When it was made is no part of it: several processes of a hub make their own. */
function sayings(token: string): string | null {
  try {
    const { iss, sub, name, nats } = decode<Account>(token)
    return JSON.stringify({ iss, sub, name, nats })
  } catch {
    return null
  }
}

/** @throws BROKER_UNAVAILABLE, when the broker does not answer or does not believe this authority */
export async function keepClaims(options: {
  readonly url: string
  readonly ca: string | null
  readonly authority: Authority
  readonly members: () => readonly BrokerMember[]
  readonly failed: (error: unknown) => void
}): Promise<ClaimsKeeper> {
  const { authority } = options
  await using undo = new AsyncDisposableStack()
  const credentials = await passingCredentials(key => authority.admitSystem(key))
  const broker = undo.use(await connectBroker({ url: options.url, program: 'hub', credentials, ca: options.ca }))
  let trouble: string | null = null

  async function pushOnce(): Promise<void> {
    const claims = await authority.claims(options.members())
    const missing = await Promise.all(claims.map(async claim => ((await known(broker, claim)) ? [] : [claim])))
    for (const claim of missing.flat()) await update(broker, claim)
  }

  let working: Promise<void> = Promise.resolve()
  const push = (): Promise<void> => {
    const done = working.then(pushOnce).then(
      () => {
        trouble = null
      },
      cause => {
        trouble = cause instanceof Error ? cause.message : String(cause)
        throw cause instanceof ExchangeError
          ? cause
          : new ExchangeError('BROKER_UNAVAILABLE', 'the broker does not take the accounts’ claims', { cause })
      },
    )
    working = done.catch(() => {})
    return done
  }

  await push()
  const timer = setInterval(() => {
    const before = trouble
    void push().catch(error => {
      if (before === null) options.failed(error)
    })
  }, CHECK_MS)
  undo.defer(() => working)
  undo.defer(() => clearInterval(timer))
  const held = undo.move()
  return { push, trouble: () => trouble, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
