/**
 * The limit as processes: the same rows from an outbox table through JetStream to a table, with no signature, no validation and no
 * chain. One program, three roles. Whatever can overlap does: batches are published in a window while the next are read or written,
 * taken from the broker while those before are in PostgreSQL, and several are one transaction where several wait. Nothing is
 * switched off: fsync is on, JetStream syncs always, each batch is acknowledged after its commit.
 */
import { AckPolicy, type JsMsg, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { Client } from 'pg'
import { readBrokerCredentials } from '../../runtime/broker/credentials.ts'
import { connectBroker, readBrokerCa } from '../../runtime/nats.ts'
import { appendOf, batchText, createTables, upsertOf, VARIANTS, type Variant } from './limit-tables.ts'
import { cut, flatRows } from './rows.ts'
import { now, say, serve } from './worker.ts'

const {
  BENCH_DATABASE_URL: databaseUrl = '',
  BENCH_NATS_URL: url = '',
  BENCH_NATS_CREDENTIALS_FILE: credentialsFile = '',
  BENCH_NATS_CA_FILE: caFile = '',
  BENCH_ROLE: role = '',
} = process.env
/** publishes under way, batches in one transaction, messages held without an acknowledgement */
const WINDOW = 32
const GROUP = 8
const HELD = 96

await using broker = await connectBroker({
  url,
  program: 'hub',
  credentials: await readBrokerCredentials(credentialsFile),
  ca: await readBrokerCa(caFile),
})
const db = new Client({ connectionString: databaseUrl })
await db.connect()

type Run = { readonly variant: Variant; readonly round: number }
const streamOf = ({ variant, round }: Run): string => `LIMIT-${variant}-${round}`
const subjectOf = ({ variant, round }: Run): string => `limit.${variant}.${round}`
const prepared = (name: string, text: string, values: unknown[]) => db.query({ name, text, values })

/** Statements go out one behind the other; the first failure is the transaction's. */
async function transaction(statements: readonly (() => Promise<unknown>)[]): Promise<void> {
  if (statements.length === 1) {
    await statements[0]?.()
    return
  }
  await Promise.all([db.query('BEGIN'), ...statements.map(send => send()), db.query('COMMIT')])
}

const upsert = (variant: Variant, body: Uint8Array | string) => () =>
  prepared(`upsert_${variant}`, upsertOf(variant), [
    typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
  ])
const append =
  ({ variant, round }: Run, seq: number, body: Uint8Array | string) =>
  () =>
    prepared(`append_${variant}`, appendOf(variant), [
      round,
      seq,
      typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    ])

async function publish(run: Run, batches: AsyncIterable<string | Uint8Array>): Promise<void> {
  const under = new Set<Promise<unknown>>()
  for await (const batch of batches) {
    const sent: Promise<unknown> = broker.stream.publish(subjectOf(run), batch).finally(() => under.delete(sent))
    under.add(sent)
    if (under.size >= WINDOW) await Promise.race(under)
  }
  await Promise.all(under)
}

/** The outbox, read a window ahead of what is being published. */
async function* outbox({ variant, round }: Run): AsyncGenerator<Uint8Array> {
  const read = async (after: number) =>
    (
      await prepared(
        `read_${variant}`,
        `SELECT seq::int, body FROM raw_${variant} WHERE round = $1 AND seq > $2 ORDER BY seq LIMIT ${WINDOW}`,
        [round, after],
      )
    ).rows as { seq: number; body: Buffer }[]
  for (let ahead = read(0); ; ) {
    const rows = await ahead
    const last = rows.at(-1)
    if (last === undefined) return
    ahead = read(last.seq)
    for (const { body } of rows) yield body
  }
}

/** The source's own writes: its table and its outbox in one transaction, then off it goes. */
async function* written(run: Run, batches: readonly object[][]): AsyncGenerator<string> {
  for (const [index, rows] of batches.entries()) {
    const text = batchText(run.variant, rows)
    await transaction([upsert(run.variant, text), append(run, index + 1, text)])
    yield text
  }
}

let prepare: readonly object[][] = []
const origin = {
  async open(run: Run & { readonly holders: readonly string[] }) {
    const manager = await broker.manager()
    await manager.streams.add({
      name: streamOf(run),
      subjects: [subjectOf(run)],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
    })
    for (const durable_name of run.holders)
      await manager.consumers.add(streamOf(run), { durable_name, ack_policy: AckPolicy.Explicit, max_ack_pending: HELD })
  },
  async close(run: Run) {
    await (await broker.manager()).streams.delete(streamOf(run))
  },
  /** makes the rows, so that the clock does not see it */
  async prepare({ round, rows }: { readonly round: number; readonly rows: number }) {
    prepare = cut(flatRows(round, rows))
  },
  async fill(run: Run) {
    for await (const _text of written(run, prepare));
  },
  async publish(run: Run) {
    const since = now()
    await publish(run, outbox(run))
    return since
  },
  async live(run: Run) {
    const since = now()
    await publish(run, written(run, prepare))
    return since
  },
  /** One batch of any size; when it was committed. */
  async one({ variant, round, seq, index, count }: Run & { readonly seq: number; readonly index: number; readonly count: number }) {
    const rows = prepare.flat().slice(index, index + count)
    const text = batchText(variant, rows)
    const since = now()
    await transaction([upsert(variant, text), append({ variant, round }, seq, text)])
    const committed = now()
    await broker.stream.publish(subjectOf({ variant, round }), text)
    return { since, committed }
  },
}

let stop: () => Promise<void> = async () => {}
const reader = {
  async consume(run: Run) {
    const consumer = await broker.stream.consumers.get(streamOf(run), role)
    const waiting: JsMsg[] = []
    let working: Promise<void> | null = null
    let done = 0
    const work = async (): Promise<void> => {
      while (waiting.length > 0) {
        const group = waiting.splice(0, GROUP)
        const keep = VARIANTS[run.variant].ledger ? group.map(message => append(run, message.seq, message.data)) : []
        const apply = role === 'hub' ? [] : group.map(message => upsert(run.variant, message.data))
        await transaction([...apply, ...keep])
        for (const message of group) message.ack()
        done += group.length
        say({ done, at: now() })
      }
      working = null
    }
    const messages = await consumer.consume({
      max_messages: 64,
      callback: message => {
        waiting.push(message)
        working ??= work()
      },
    })
    stop = async () => {
      messages.stop()
      await working
    }
  },
  stop: () => stop(),
}

await serve({
  async tables() {
    for (const statement of createTables()) await db.query(statement)
  },
  ...(role === 'origin' ? origin : reader),
})
await db.end()
