/** The member's own affairs, composed: its keys, its alliances, and the watch over its entry. */
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { type HealthCheck, troubleCheck } from '../../runtime/http/health.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { MembershipRoad } from '../../runtime/membership/road.ts'
import type { Broker } from '../../runtime/nats.ts'
import type { NodeEvents } from '../events.ts'
import { watchOwnEntry } from './alarm.ts'
import { createAlliances } from './alliances.ts'
import { createHubQuestions } from './hub-questions.ts'
import { keepHubStatement } from './hub-statement.ts'
import { createKeyChanges } from './key-changes.ts'
import type { OwnMembership } from './own-membership.ts'
import { addOwnMembershipRoutes } from './routes.ts'
import type { SealingGate } from './sealing-gate.ts'
import type { OwnMembershipTables } from './tables.ts'

export type OwnAffairs = AsyncDisposable & {
  readonly checks: readonly HealthCheck[]
  addRoutes(server: FastifyInstance): void
}

export async function openOwnAffairs(options: {
  readonly db: Kysely<LedgerTables & OwnMembershipTables>
  readonly own: string
  readonly broker: Broker
  readonly membership: Pick<OwnMembership, 'keyring' | 'signer'> & NonNullable<OwnMembership['log']>
  readonly road: MembershipRoad
  readonly gate: SealingGate
  readonly events: NodeEvents
  readonly clock: () => Date
}): Promise<OwnAffairs> {
  const { db, own, broker, road, gate, events, clock } = options
  const { keeper, statements, keyring, hubUrl, signer } = options.membership
  const hub = createHubQuestions(broker, own)
  const watch = await watchOwnEntry({
    db: db.$pickTables<keyof OwnMembershipTables>(),
    own,
    keeper,
    statements,
    raised: events.alarmRaised,
    noticed: events.membershipNoticed,
    failed: error => events.failed(own, error),
  })
  const statement = keepHubStatement({ hubUrl, own, keeper, signer, clock, expiring: events.statementExpiring })
  const ledger = db.$pickTables<keyof LedgerTables>()
  const keys = createKeyChanges({ db: ledger, own, keeper, keyring, road, gate, hub, statements, clock })
  const alliances = createAlliances({ own, keeper, keyring, road, hub, statements, clock })
  return {
    checks: [
      troubleCheck(
        'membership',
        '正在读取成员日志',
        'the hub makes the stream; what is missing is asked of neighbours',
        road.trouble,
      ),
      {
        name: 'own-entry',
        zh: '本成员条目未被他人变更',
        // People have to act; the node can do its work all the same.
        run: async () => {
          const reason = watch.trouble()
          return reason === null ? { ok: true } : { ok: true, reason, todo: 'keep the proof and call the other members' }
        },
      },
      statement.check,
    ],
    addRoutes(server) {
      addOwnMembershipRoutes(server, { own, keeper, keys, alliances, watch })
      statement.addRoutes(server)
    },
    async [Symbol.asyncDispose]() {
      await statement[Symbol.asyncDispose]()
      await watch[Symbol.asyncDispose]()
    },
  }
}
