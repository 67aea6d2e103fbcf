/** The node's HTTP: records, figures, ledger, the door for local data, health. Builds the server; does not listen. */
import type { FastifyInstance } from 'fastify'
import { type Kysely, sql } from 'kysely'
import type { Access } from '../runtime/http/access/access.ts'
import { databaseCheck, type HealthCheck, troubleCheck } from '../runtime/http/health.ts'
import { buildServer } from '../runtime/http/server.ts'
import type { Outcome, Receiver } from '../runtime/ledger/arrival.ts'
import type { Bodies } from '../runtime/ledger/bodies.ts'
import { addBundleRoutes } from '../runtime/ledger/bundles.ts'
import type { Doubts } from '../runtime/ledger/doubts.ts'
import type { Follower } from '../runtime/ledger/follower.ts'
import type { HeadListener } from '../runtime/ledger/heads.ts'
import { envelopeReleaser } from '../runtime/ledger/release.ts'
import { addReleaseRoutes } from '../runtime/ledger/release-routes.ts'
import { addLedgerRoutes } from '../runtime/ledger/routes.ts'
import type { LedgerTables } from '../runtime/ledger/tables.ts'
import { type DerivedCheck, verifyLedger } from '../runtime/ledger/verification.ts'
import { addVerificationRoutes } from '../runtime/ledger/verification-routes.ts'
import type { Logger } from '../runtime/log.ts'
import type { Broker } from '../runtime/nats.ts'
import type { Membership } from '../schemas/membership.ts'
import type { NodeEvents } from './events.ts'
import { rowReleaser } from './intake/release.ts'
import { addIntakeRoutes } from './intake/routes.ts'
import type { IntakeTables } from './intake/tables.ts'
import type { Publisher } from './ledger/publisher.ts'
import { addRedactionRoutes } from './ledger/redaction-routes.ts'
import type { Redactor } from './ledger/redactor.ts'
import type { Reopener } from './ledger/reopener.ts'
import { addReopeningRoutes } from './ledger/reopening-routes.ts'
import type { Restoration } from './ledger/restoration.ts'
import type { Sealer } from './ledger/sealer.ts'
import type { LoginRoom } from './login/login-room.ts'
import type { OwnAffairs } from './membership/own-affairs.ts'
import type { FreshnessKeeper } from './replica/freshness.ts'
import { recordReleaser } from './replica/release.ts'
import { replicator } from './replica/replicator.ts'
import { addReplicaRoutes } from './replica/routes.ts'
import { verifyReplica } from './replica/verification.ts'
import { addStatisticsRoutes } from './statistics/routes.ts'
import type { NodeTables } from './tables.ts'
import { addTrustRoutes } from './trust/certificate-routes.ts'
import { addSignatureRoutes } from './trust/signature-routes.ts'
import type { TrustTables } from './trust/tables.ts'
import type { TrustRoom } from './trust/trust-room.ts'

type Parts = {
  readonly db: Kysely<NodeTables>
  readonly own: string
  readonly membership: () => Membership
  readonly broker: Broker
  readonly publisher: Publisher
  readonly restoration: Restoration
  readonly followers: () => readonly Follower[]
  /** null where the membership is a configured file */
  readonly affairs: OwnAffairs | null
  readonly heads: () => HeadListener
  readonly doubts: Doubts
  readonly receiver: Receiver
  readonly bodies: Bodies
  readonly redactor: Redactor
  readonly reopener: Reopener
  readonly settled: (outcomes: readonly Outcome[]) => Promise<void>
  readonly freshness: FreshnessKeeper
  readonly intake: {
    readonly sealer: Sealer
    readonly spoolDir: string
    readonly maxBytes: number
    readonly events: NodeEvents
  }
  readonly trust: TrustRoom
  readonly login: LoginRoom
  readonly access: Access
  readonly clock: () => Date
  readonly logger: Logger
}

export async function buildHttp(parts: Parts): Promise<FastifyInstance> {
  const { db, own, membership, broker, heads, clock, logger } = parts
  const ledger = db.$pickTables<keyof LedgerTables>()
  const checks: HealthCheck[] = [
    databaseCheck(() => sql`SELECT 1`.execute(db)),
    troubleCheck('audit', '审计日志完整', 'somebody has edited the audit log: verify it', parts.access.trouble),
    troubleCheck('broker', '已连接消息代理', 'see whether the broker runs and admits this node', broker.trouble),
    troubleCheck(
      'sealing',
      '可以签封',
      "more of this node's own logs was signed than it holds; hutong ledger reopen shows what is missing and what can be done",
      parts.restoration.trouble,
    ),
    troubleCheck(
      'outbox',
      '发件箱可发出',
      'see whether the hub made the stream; what is sealed waits in the outbox',
      parts.publisher.trouble,
    ),
    troubleCheck(
      'followers',
      '正在读取各来源',
      'see whether the hub made the consumers of this node',
      () =>
        parts
          .followers()
          .map(one => one.trouble())
          .find(Boolean) ?? null,
    ),
    ...(parts.affairs?.checks ?? []),
    ...parts.trust.checks,
  ]
  const server = await buildServer({
    program: `node-${own}`,
    logger,
    openapi: { title: `Hutong node ${own}`, titleZh: `互通节点 ${own}`, version: '1.0.0' },
    checks,
    // Files come from afar and are large.
    requestTimeoutMs: 600_000,
    guard: parts.access.guard,
  })
  addLedgerRoutes(server, { db: ledger, heads, own, doubts: parts.doubts, clock })
  addStatisticsRoutes(server, { db: ledger, own, membership, heads, clock })
  const { duties, pseudonyms } = parts.access
  addIntakeRoutes(server, { db, origin: own, ...parts.intake, duties, pseudonyms, clock })
  const { receiver, bodies, settled, intake } = parts
  const { sealer, events } = intake
  const door = db.$pickTables<keyof IntakeTables>()
  const envelope = envelopeReleaser({ db: ledger, receiver, effect: replicator, bodies, settled })
  const record = recordReleaser(ledger, bodies)
  addBundleRoutes(server, { db: ledger, receiver, events, settled })
  const derived: DerivedCheck = (trx, log) => verifyReplica(trx, log, bodies)
  addVerificationRoutes(server, { verify: () => verifyLedger({ db: ledger, membership, own, derived, bodies }) })
  addReleaseRoutes(server, {
    db: ledger,
    clock,
    releasers: { envelope: () => envelope, record: () => record, row: mapping => rowReleaser({ db: door, sealer }, mapping) },
  })
  addRedactionRoutes(server, { origin: own, redactor: parts.redactor })
  addReopeningRoutes(server, { origin: own, reopener: parts.reopener })
  parts.access.addRoutes(server)
  parts.affairs?.addRoutes(server)
  addTrustRoutes(server, { room: parts.trust, db, own, ...parts.intake, clock })
  addSignatureRoutes(server, { ...parts.trust, db: db.$pickTables<keyof TrustTables>(), clock })
  parts.login.addRoutes(server)
  addReplicaRoutes(server, { db: ledger, own, freshness: parts.freshness })
  return server
}
