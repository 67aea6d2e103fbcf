/**
 * The road: one stream for each origin, one durable consumer for each reader of it with the audiences that the reader belongs to.
 * They are made anew whenever they are missing, so that a wiped or replaced broker comes back by itself: nothing of value lives there.
 */
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream'
import { type Broker, seconds } from '../../runtime/nats.ts'
import { audiencesRead, type Member, type Membership } from '../../schemas/membership.ts'
import {
  audienceFilter,
  consumerName,
  HEADS_AGAIN,
  HEADS_STREAM,
  MEMBERSHIP_SUBJECT,
  originSubjects,
  SAID_HEADS,
  streamName,
} from '../../schemas/subjects.ts'
import type { HubEvents } from '../events.ts'

const CHECK_MS = 5000
/** the broker's number for a consumer of that name with another configuration */
const CONSUMER_EXISTS = 10_148
const KEEP_DAYS = 7
/** a body of 768 KiB and its headers */
const MESSAGE_BYTES = 800 * 1024
/** what a reader may hold without having written it to its database */
const UNACKNOWLEDGED = 96
/** what was being delivered while an account changed comes again after this; who is slower than this is offered it twice, which harms nobody */
const ACK_WAIT_S = 20
/** What the broker was delivering while an account changed is lost with the request for it; an entry of membership is offered again soon. */
const MEMBERSHIP_ACK_WAIT_S = 3
export const HUB_READER = 'hub'
/** The newest of each is enough, and in memory: an origin says its head again within a quarter of a minute. */
const HEADS_KEPT = { each: 1, all: 8192, bytes: 32 * 1024 * 1024, ageS: 60, messageBytes: 768 * 1024 }

export type StreamKeeper = AsyncDisposable & { trouble(): string | null; ready(): Promise<void>; again(): Promise<void> }

export function keepStreams(options: {
  readonly broker: Broker
  readonly membership: () => Membership
  readonly replicas: number
  readonly maxBytes: number
  readonly events: HubEvents
}): StreamKeeper {
  const { broker, events } = options
  let trouble: string | null = 'streams are not made yet'
  const { promise: first, resolve: ready } = Promise.withResolvers<void>()

  const streamConfig = (origin: string) =>
    ({
      name: streamName(origin),
      subjects: [originSubjects(origin)],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age: seconds(KEEP_DAYS * 86_400),
      max_bytes: options.maxBytes,
      max_msg_size: MESSAGE_BYTES,
      duplicate_window: seconds(120),
      num_replicas: options.replicas,
      deny_delete: true,
      deny_purge: true,
      allow_rollup_hdrs: false,
      allow_direct: false,
    }) satisfies Partial<StreamConfig>

  /** Carries heads from account to account; nobody reads what it keeps. */
  const headsConfig = {
    name: HEADS_STREAM,
    subjects: [SAID_HEADS],
    storage: StorageType.Memory,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    no_ack: true,
    max_msgs_per_subject: HEADS_KEPT.each,
    max_msgs: HEADS_KEPT.all,
    max_bytes: HEADS_KEPT.bytes,
    max_age: seconds(HEADS_KEPT.ageS),
    max_msg_size: HEADS_KEPT.messageBytes,
    duplicate_window: seconds(1),
    num_replicas: options.replicas,
    republish: HEADS_AGAIN,
  } satisfies Partial<StreamConfig>

  async function keepConsumer(
    manager: JetStreamManager,
    origin: string,
    reader: string,
    filters: string[],
    ackWaitS = ACK_WAIT_S,
  ): Promise<void> {
    const config = {
      durable_name: consumerName(reader),
      ack_policy: AckPolicy.Explicit,
      ack_wait: seconds(ackWaitS),
      deliver_policy: DeliverPolicy.All,
      max_ack_pending: UNACKNOWLEDGED,
      filter_subjects: filters,
    }
    // Whoever joins or leaves an alliance reads on from where it stands, by another filter.
    await manager.consumers.add(streamName(origin), config).catch((error: unknown) => {
      if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_EXISTS) throw error
      return manager.consumers.update(streamName(origin), config.durable_name, { filter_subjects: filters })
    })
  }

  async function keepOrigin(manager: JetStreamManager, origin: Member, members: readonly Member[]): Promise<void> {
    await manager.streams.add(streamConfig(origin.code))
    await keepConsumer(manager, origin.code, HUB_READER, [originSubjects(origin.code)])
    for (const reader of members) {
      const filters = audiencesRead(reader).map(audience => audienceFilter(origin.code, audience))
      // No filter would mean everything to the broker; a member that may hold nothing just now has no way in.
      if (reader.code !== origin.code && filters.length > 0) await keepConsumer(manager, origin.code, reader.code, filters)
    }
  }

  async function keep(): Promise<void> {
    try {
      const manager = await broker.manager()
      await manager.streams.add(headsConfig)
      const members = [...options.membership().members.values()]
      await manager.streams.add(streamConfig(HUB_READER))
      for (const reader of members)
        if (reader.standing === 'admitted')
          await keepConsumer(manager, HUB_READER, reader.code, [MEMBERSHIP_SUBJECT], MEMBERSHIP_ACK_WAIT_S)
      for (const origin of members) await keepOrigin(manager, origin, members)
      if (trouble !== null) events.streamsReady(members.length)
      trouble = null
      ready()
    } catch (error) {
      if (trouble === null || trouble === 'streams are not made yet') events.streamsFailed(error)
      trouble = error instanceof Error ? error.message : String(error)
    }
  }

  let working = keep()
  const timer = setInterval(() => {
    working = working.then(keep)
  }, CHECK_MS)
  return {
    trouble: () => trouble,
    ready: () => first,
    /** at once, because the membership has changed */
    again() {
      working = working.then(keep)
      return working
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await working
    },
  }
}
