/**
 * The hub's statement about this member, fetched in its first two thirds of life and kept. It is shown to whoever asks for a trust chain.
 * When it ends, people are told; the exchange between nodes stands on the membership log and goes on.
 */
import type { FastifyInstance } from 'fastify'
import type { HealthCheck } from '../../runtime/http/health.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { expiryOf } from '../../schemas/membership/federation/expiry.ts'
import {
  entityIdOf,
  FEDERATION_PATHS,
  memberConfiguration,
  signStatement,
} from '../../schemas/membership/federation/publication.ts'
import { type EntityStatement, parseStatement, verifySigned } from '../../schemas/membership/federation/statements.ts'
import type { Signer } from '../../schemas/tokens.ts'

export type HubStatement = AsyncDisposable & {
  readonly check: HealthCheck
  addRoutes(server: FastifyInstance): void
}

const TIMEOUT_MS = 5000
/** never more seldom, never more often */
const PAUSE_MS = { most: 3_600_000, least: 1000 } as const
const DEFAULT_LIFETIME_S = 30 * 86_400

export function keepHubStatement(options: {
  readonly hubUrl: string
  readonly own: string
  readonly keeper: MembershipKeeper
  readonly signer: () => Signer
  readonly clock: () => Date
  /** said once for each state that it comes into */
  readonly expiring: (state: 'soon' | 'expired', until: Date) => void
}): HubStatement {
  const { hubUrl, own, keeper, clock } = options
  let held: EntityStatement | null = null
  let told: string | null = null
  let timer: NodeJS.Timeout
  let stopped = false

  async function renew(): Promise<void> {
    const sub = entityIdOf(keeper.state(), own)
    const answer = await fetch(`${hubUrl}${FEDERATION_PATHS.fetch}?sub=${encodeURIComponent(sub)}`, {
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (!answer.ok) return
    const statement = parseStatement(await answer.text())
    await verifySigned(
      statement,
      keeper.state().hub.keys.map(({ jwk }) => ({ ...jwk })),
    )
    if (statement.iss === keeper.state().base && statement.sub === sub) held = statement
  }

  function watch(): void {
    const state = held === null ? 'valid' : expiryOf(held, clock()).state
    if (held !== null && state !== 'valid' && state !== told) options.expiring(state, held.expiresAt)
    told = state
  }

  let working: Promise<void> = Promise.resolve()
  function schedule(): void {
    const lifetime = held === null ? 0 : held.expiresAt.getTime() - held.issuedAt.getTime()
    timer = setTimeout(
      () => {
        working = renew()
          // A hub that is away is no news here; what it said holds until it ends.
          .catch(() => {})
          .then(watch)
          .finally(() => {
            if (!stopped) schedule()
          })
      },
      Math.min(PAUSE_MS.most, Math.max(PAUSE_MS.least, lifetime / 10)),
    )
    timer.unref()
  }
  working = renew().catch(() => {})
  schedule()

  return {
    check: {
      name: 'hub-statement',
      zh: '枢纽声明在有效期内',
      async run() {
        const expiry = held === null ? null : expiryOf(held, clock())
        if (expiry === null || expiry.state === 'valid') return { ok: true }
        const end = held?.expiresAt.toISOString() ?? ''
        const reason =
          expiry.state === 'soon'
            ? `the hub's statement about this member ends at ${end}`
            : `the hub's statement about this member ended at ${end}`
        return { ok: true, reason, todo: 'see whether the hub’s HTTP can be reached; the exchange between nodes goes on' }
      },
    },
    addRoutes(server) {
      const config = { access: { operation: 'federation.read' } } as const
      server.get(
        FEDERATION_PATHS.configuration,
        { config, schema: { summary: 'Entity configuration of this member', tags: ['federation'] } },
        async (_request, reply) => {
          const claims = memberConfiguration(keeper.state(), own, [], { now: clock(), lifetimeSeconds: DEFAULT_LIFETIME_S })
          return reply.type('application/entity-statement+jwt').send(await signStatement(options.signer(), claims))
        },
      )
      server.get(
        '/federation/statement',
        { config, schema: { summary: 'The statement of the hub about this member that is held here', tags: ['federation'] } },
        async (_request, reply) =>
          held === null ? reply.code(204).send() : reply.type('application/entity-statement+jwt').send(held.token),
      )
    },
    async [Symbol.asyncDispose]() {
      stopped = true
      clearTimeout(timer)
      await working
    },
  }
}
