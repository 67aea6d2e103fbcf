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
import { watchAnchor } from './anchor-watch.ts'
import type { OwnBrokerCredentials } from './broker-credentials.ts'
import { createHubQuestions } from './hub-questions.ts'
import { keepHubStatement } from './hub-statement.ts'
import { createKeyChanges } from './key-changes.ts'
import type { ChangeSigner } from './own-change.ts'
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
  readonly membership: Pick<OwnMembership, 'keyring' | 'encKeys' | 'signer'> & NonNullable<OwnMembership['log']>
  readonly changes: ChangeSigner
  readonly brokerCredentials: OwnBrokerCredentials | null
  readonly road: MembershipRoad
  readonly gate: SealingGate
  readonly events: NodeEvents
  readonly clock: () => Date
}): Promise<OwnAffairs> {
  const { db, own, broker, road, gate, events, clock } = options
  const { keeper, statements, keyring, encKeys, hubUrl, signer, anchor } = options.membership
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
  const keys = createKeyChanges({
    db: ledger,
    own,
    keeper,
    keyring,
    encKeys,
    signer: options.changes,
    road,
    gate,
    hub,
    statements,
    clock,
  })
  const failed = (error: unknown): void => events.failed(own, error)
  const anchors = watchAnchor({
    db: db.$pickTables<keyof OwnMembershipTables>(),
    own,
    keeper,
    anchor,
    statements,
    again: hub.change,
    replaced: events.anchorReplaced,
    failed,
  })
  // A key for content that somebody laid into the folder is used once the log names it.
  const encListening = keeper.onChange(({ after }) => {
    const newest = after.members.get(own)?.ring.enc.at(-1)?.jwk.kid
    if (newest !== undefined && !encKeys.keys.has(newest)) void encKeys.reload().catch(failed)
  })
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
      {
        name: 'anchor',
        zh: '枢纽密钥指纹已另行核对',
        run: async () => {
          const reason = await anchors.trouble()
          const todo = 'ask the people of the hub for its fingerprint by another way, then hutong node anchor --fingerprint'
          return reason === null ? { ok: true } : { ok: true, reason, todo }
        },
      },
      statement.check,
    ],
    addRoutes(server) {
      addOwnMembershipRoutes(server, { own, keeper, keys, alliances, watch, anchors, brokerCredentials: options.brokerCredentials })
      statement.addRoutes(server)
    },
    async [Symbol.asyncDispose]() {
      encListening[Symbol.dispose]()
      await anchors[Symbol.asyncDispose]()
      await statement[Symbol.asyncDispose]()
      await watch[Symbol.asyncDispose]()
    },
  }
}
