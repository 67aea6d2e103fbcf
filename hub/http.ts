/** The hub's HTTP: its ledger, its members, its health. Builds the server; does not listen. */

import type { FastifyInstance } from 'fastify'
import { type Kysely, sql } from 'kysely'
import { databaseCheck, type HealthCheck, troubleCheck } from '../runtime/http/health.ts'
import type { Operator } from '../runtime/http/operator.ts'
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
import type { HubTables } from './tables.ts'

type Parts = {
  readonly db: Kysely<HubTables>
  readonly membership: () => Membership
  readonly broker: Broker
  readonly streams: StreamKeeper
  readonly followers: readonly Follower[]
  readonly heads: HeadListener
  readonly receiver: Receiver
  readonly settled: (outcomes: readonly Outcome[]) => Promise<void>
  readonly operator: Operator
  readonly events: HubEvents
  readonly doubts: Doubts
  readonly clock: () => Date
  readonly logger: Logger
}

export async function buildHttp(parts: Parts): Promise<FastifyInstance> {
  const { db, membership, broker, streams, followers, logger } = parts
  const checks: HealthCheck[] = [
    databaseCheck(() => sql`SELECT 1`.execute(db)),
    troubleCheck('broker', '已连接消息代理', 'see whether the broker runs and admits the hub', broker.trouble),
    troubleCheck('streams', '流与消费者就绪', 'see the log of the hub for what the broker refuses', streams.trouble),
    troubleCheck(
      'followers',
      '正在读取各来源',
      'see the log of the hub',
      () => followers.map(one => one.trouble()).find(Boolean) ?? null,
    ),
  ]
  const server = await buildServer({
    program: 'hub',
    logger,
    openapi: { title: 'Hutong hub', titleZh: '互通枢纽', version: '1.0.0' },
    checks,
    // Bundles are large, and the operator's own programs are not counted among the anonymous.
    requestTimeoutMs: 600_000,
    rateLimit: { exempt: parts.operator.is },
  })
  addLedgerRoutes(server, { db, heads: () => parts.heads, own: null, doubts: parts.doubts, clock: parts.clock })
  const { receiver, settled, operator, events, clock } = parts
  addBundleRoutes(server, { db, receiver, events, settled, operator })
  addVerificationRoutes(server, { operator, verify: () => verifyLedger({ db, membership, own: null, derived: null }) })
  const envelope = envelopeReleaser({ db, receiver, effect: null, settled })
  addReleaseRoutes(server, { db, operator, clock, releasers: { envelope: () => envelope } })
  server.get('/v1/members', { schema: { summary: 'Members and their public keys', tags: ['membership'] } }, async () => {
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
