/** The hub's office, composed: it enters, publishes, answers, and lets the broker know whom it admits. */
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import type { Authority } from '../../runtime/broker/authority.ts'
import type { HealthCheck } from '../../runtime/http/health.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import type { Keyring } from '../../runtime/membership/keyring.ts'
import { startMembershipRoad } from '../../runtime/membership/road.ts'
import type { Broker } from '../../runtime/nats.ts'
import type { Signer } from '../../schemas/tokens.ts'
import type { HubTables } from '../tables.ts'
import { createAnchorKeys } from './anchor-keys.ts'
import { type BrokerAccess, createBrokerAccess } from './broker-access.ts'
import { answerChanges } from './changes.ts'
import { addFederationRoutes } from './federation-routes.ts'
import { createMembershipLog } from './log.ts'
import { createOffice } from './office.ts'
import { createPolicyOffice } from './policy.ts'
import { publishMembership } from './publisher.ts'
import type { ReceiptHold } from './receipt-hold.ts'
import { addMembershipRoutes } from './routes.ts'
import { createStandings } from './standings.ts'
import type { OfficeTables } from './tables.ts'

export type MembershipAffairs = AsyncDisposable & {
  readonly checks: readonly HealthCheck[]
  addRoutes(server: FastifyInstance): void
}

export async function openMembershipAffairs(options: {
  readonly db: Kysely<HubTables>
  readonly broker: Broker
  readonly keeper: MembershipKeeper
  readonly keyring: Keyring
  readonly authority: Authority | null
  readonly place: () => { readonly hub: string; readonly brokers: string; readonly ca: string | null }
  /** the accounts' claims, to the broker */
  readonly push: () => Promise<void>
  /** the hub's own connection to the broker, under new credentials */
  readonly renewOwn: () => Promise<void>
  /** what follows from the membership elsewhere: streams and consumers */
  readonly followed: () => Promise<void>
  /** shared with whoever signs receipts */
  readonly hold: ReceiptHold
  readonly signer: () => Signer
  readonly statementLifetimeMs: number
  readonly clock: () => Date
  readonly failed: (error: unknown) => void
}): Promise<MembershipAffairs> {
  const { db, broker, keeper, keyring, authority, clock, failed } = options
  await using undo = new AsyncDisposableStack()
  const ledger = db.$pickTables<keyof LedgerTables>()
  const road = undo.use(startMembershipRoad({ broker, own: 'hub', keeper, failed }))
  const log = createMembershipLog({ keeper, keyring, road, clock })
  const office = createOffice({ db: db.$pickTables<keyof OfficeTables>(), keeper, log, authority, place: options.place, clock })
  const standings = createStandings({ db: ledger, log, hold: options.hold })
  const { push, renewOwn } = options
  const access: BrokerAccess | null = authority === null ? null : createBrokerAccess({ keeper, authority, push, renewOwn })
  const policy = createPolicyOffice({ keeper, log })
  const anchorKeys = createAnchorKeys({ db: ledger, keeper, keyring, log, clock })
  undo.use(publishMembership({ broker, keeper, failed }))
  const changes = undo.use(
    answerChanges({ broker, db: db.$pickTables<keyof LedgerTables | keyof OfficeTables>(), keeper, log, failed }),
  )
  // What another process of this hub has entered is known here within a second.
  const refreshing = setInterval(() => void keeper.refresh().catch(failed), REFRESH_MS)
  refreshing.unref()
  undo.defer(() => clearInterval(refreshing))
  let following: Promise<void> = Promise.resolve()
  undo.use(
    keeper.onChange(() => {
      following = following
        .then(() => access?.follow())
        .then(options.followed)
        .catch(failed)
    }),
  )
  undo.defer(() => following)
  const held = undo.move()
  return {
    checks: [
      {
        name: 'trust-marks',
        zh: '信任标记在有效期内',
        run: async () => {
          const ending = endingMarks(keeper, clock())
          return ending.length === 0
            ? { ok: true }
            : { ok: true, reason: `these marks end soon or have ended: ${ending.join(', ')}`, todo: 'renew them; nothing stops' }
        },
      },
    ],
    addRoutes(server) {
      addMembershipRoutes(server, { office, standings, anchorKeys, keeper, access, policy, changes })
      addFederationRoutes(server, { keeper, signer: options.signer, lifetimeMs: options.statementLifetimeMs, clock })
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

const REFRESH_MS = 1000
const WARN_MS = 30 * 86_400_000

/** Of members that are admitted, `code mark`. */
const endingMarks = (keeper: MembershipKeeper, now: Date): string[] =>
  [...keeper.state().members.values()].flatMap(({ code, standing, marks }) =>
    standing === 'admitted'
      ? marks.flatMap(({ mark, until }) => (until.getTime() - now.getTime() < WARN_MS ? [`${code} ${mark}`] : []))
      : [],
  )
