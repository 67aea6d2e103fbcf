/** What a node asks of the hub about itself, over the broker: to enter what it signed, and which alliances wait for consents. */
import type { Msg } from '@nats-io/transport-node'
import type { Broker } from '../../runtime/nats.ts'
import { ERRORS, type ErrorCode, ExchangeError } from '../../schemas/errors.ts'
import { parseIJson } from '../../schemas/i-json.ts'
import { questionSubject } from '../../schemas/subjects.ts'

export type Proposal = {
  readonly id: string
  readonly zh: string
  readonly en: string
  readonly members: readonly string[]
  readonly past: boolean
  readonly consented: readonly string[]
}
export type Consented = { readonly position: number | null; readonly missing: readonly string[] }

export type HubQuestions = {
  /** Position at which it stands. @throws what the hub refuses it with, PROGRAM_UNREACHABLE */
  change(token: string): Promise<number>
  consent(token: string, names: { readonly zh?: string; readonly en?: string }): Promise<Consented>
  proposals(): Promise<Proposal[]>
}

/** An answer is lost while the accounts at the broker change. The hub answers a repeat as it did the first. */
const TIMEOUT_MS = 5000
const ATTEMPTS = 4

export function createHubQuestions(broker: Broker, own: string): HubQuestions {
  async function request(kind: 'change' | 'proposals', question: string): Promise<Msg> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await broker.connection.request(questionSubject('hub', kind, own), question, { timeout: TIMEOUT_MS })
      } catch (cause) {
        if (attempt === ATTEMPTS)
          throw new ExchangeError('PROGRAM_UNREACHABLE', 'the hub does not answer over the broker', { cause })
      }
    }
  }

  async function ask(kind: 'change' | 'proposals', question: object): Promise<unknown> {
    const answer = await request(kind, JSON.stringify(question))
    const value = parseIJson(answer.data, 8, 'REQUEST_INVALID')
    const { code, reason } = (value ?? {}) as { readonly code?: unknown; readonly reason?: unknown }
    if (typeof code !== 'string') return value
    throw new ExchangeError(Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'INTERNAL', String(reason))
  }
  return {
    async change(token) {
      const { seq } = (await ask('change', { change: token })) as { readonly seq?: unknown }
      if (typeof seq === 'number') return seq
      throw new ExchangeError('PROGRAM_UNREACHABLE', 'expected a position from the hub')
    },
    async consent(token, names) {
      const { seq, missing } = (await ask('change', { consent: token, ...names })) as { seq?: unknown; missing?: unknown }
      return { position: typeof seq === 'number' ? seq : null, missing: Array.isArray(missing) ? missing.map(String) : [] }
    },
    async proposals() {
      const value = await ask('proposals', {})
      return Array.isArray(value) ? (value as Proposal[]) : []
    },
  }
}
