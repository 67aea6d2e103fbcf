/** The hub's HTTP: its ledger, its members, its health. Builds the server; does not listen. */

import type { FastifyInstance } from 'fastify'
import { type Kysely, sql } from 'kysely'
import type { Access } from '../runtime/http/access/access.ts'
import { databaseCheck, type HealthCheck, troubleCheck } from '../runtime/http/health.ts'
import { buildServer } from '../runtime/http/server.ts'
import type { Outcome, Receiver } from '../runtime/ledger/arrival.ts'
import { addBundleRoutes } from '../runtime/ledger/bundles.ts'
import type { Doubts } from '../runtime/ledger/doubts.ts'
import type { Follower } from '../runtime/ledger/follower.ts'
import type { HeadListener } from '../runtime/ledger/heads.ts'
import { envelopeReleaser } from '../runtime/ledger/release.ts'
import { addReleaseRoutes } from '../runtime/ledger/release-routes.ts'
import { addLedgerRoutes } from '../runtime/ledger/routes.ts'
import { verifyLedger } from '../runtime/ledger/verification.ts'
import { addVerificationRoutes } from '../runtime/ledger/verification-routes.ts'
import type { Logger } from '../runtime/log.ts'
import type { Broker } from '../runtime/nats.ts'
import type { Membership } from '../schemas/membership.ts'
import type { HubEvents } from './events.ts'
import type { StreamKeeper } from './ledger/streams.ts'
import type { MembershipAffairs } from './membership/affairs.ts'
import type { HubTables } from './tables.ts'

type Parts = {
  readonly db: Kysely<HubTables>
  readonly membership: () => Membership
  readonly broker: Broker
  readonly streams: StreamKeeper
  readonly followers: () => readonly Follower[]
  /** null where the membership is a configured file */
  readonly affairs: MembershipAffairs | null
  readonly heads: HeadListener
  readonly receiver: Receiver
  readonly settled: (outcomes: readonly Outcome[]) => Promise<void>
  readonly access: Access
  readonly events: HubEvents
  readonly doubts: Doubts
  /** what keeps the accounts at the broker from being those of the membership */
  readonly claimsTrouble: () => string | null
  readonly clock: () => Date
  readonly logger: Logger
}

export async function buildHttp(parts: Parts): Promise<FastifyInstance> {
  const { db, membership, broker, streams, followers, logger } = parts
  const checks: HealthCheck[] = [
    databaseCheck(() => sql`SELECT 1`.execute(db)),
    troubleCheck('audit', '审计日志完整', 'somebody has edited the audit log: verify it', parts.access.trouble),
    troubleCheck('broker', '已连接消息代理', 'see whether the broker runs and admits the hub', broker.trouble),
    troubleCheck('streams', '流与消费者就绪', 'see the log of the hub for what the broker refuses', streams.trouble),
    troubleCheck(
      'followers',
      '正在读取各来源',
      'see the log of the hub',
      () =>
        followers()
          .map(one => one.trouble())
          .find(Boolean) ?? null,
    ),
    troubleCheck(
      'accounts',
      '消息代理账户已推送',
      'see whether the broker is in operator mode and its system account admits the hub',
      parts.claimsTrouble,
    ),
    ...(parts.affairs?.checks ?? []),
  ]
  const server = await buildServer({
    program: 'hub',
    logger,
    openapi: { title: 'Hutong hub', titleZh: '互通枢纽', version: '1.0.0' },
    checks,
    // Bundles are large.
    requestTimeoutMs: 600_000,
    guard: parts.access.guard,
  })
  addLedgerRoutes(server, { db, heads: () => parts.heads, own: null, doubts: parts.doubts, clock: parts.clock })
  const { receiver, settled, events, clock } = parts
  addBundleRoutes(server, { db, receiver, events, settled })
  addVerificationRoutes(server, { verify: () => verifyLedger({ db, membership, own: null, derived: null }) })
  const envelope = envelopeReleaser({ db, receiver, effect: null, settled })
  addReleaseRoutes(server, { db, clock, releasers: { envelope: () => envelope } })
  parts.access.addRoutes(server)
  parts.affairs?.addRoutes(server)
  const config = { access: { operation: 'member.read' } } as const
  server.get('/v1/members', { config, schema: { summary: 'Members and their public keys', tags: ['membership'] } }, async () => {
    const { fed, position, members, hubKeys } = membership()
    return {
      fed,
      position,
      hub: { keys: hubKeys.map(key => key.kid) },
      members: [...members.values()].map(({ keys, ...member }) => ({ ...member, keys: keys.map(key => key.kid) })),
    }
  })
  return server
}
