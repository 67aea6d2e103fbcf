/** What tests of snapshots look at and do: the newest snapshot with a holder, its text, a replica row by row, and a node made new. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { type KeptSnapshot, keptSnapshots, readChunks } from '../../runtime/ledger/snapshots.ts'
import { decodeBody } from '../../schemas/encoding.ts'
import { LIMITS } from '../../schemas/limits.ts'
import type { JsonValue } from '../../schemas/record.ts'
import { streamName } from '../../schemas/subjects.ts'
import { type Db, LOG, type LogGround, logGround, ORIGIN } from './log-ground.ts'
import { eventually, type Testbed } from './testbed.ts'

const NODE = fileURLToPath(new URL('../../node/main.ts', import.meta.url))

export const keyOf = (number: number): string => `91530100${String(number).padStart(9, '0')}A`

type Row = { key: string; ver: number; op: string; body: JsonValue; at: Date; epoch: number; seq: number; item: number }
export type SnapshotGround = LogGround & {
  /** until a holder stands where the origin does */
  caughtUp(name: string): Promise<void>
  /** what a node holds of the origin's entities */
  replicaAt(code: string): Promise<Row[]>
  /** Makes a node one that has never held anything of others. */
  empty(code: string): Promise<void>
  /** Deletes the origin's stream, and waits until the hub has made it anew. */
  wipeStreams(): Promise<void>
  /** a node in a process of its own, that can be killed */
  startProcess(code: string): Promise<ChildProcess>
}

/** The snapshots of the log with a holder, the newest first. */
export const kept = async (db: Db): Promise<KeptSnapshot[]> => {
  const state = await readLog(db, LOG)
  return state === null ? [] : await keptSnapshots(db, state.id)
}

/** Every record that stands in the chunks of the newest snapshot here, as text. */
export async function chunksAt(db: Db): Promise<string> {
  const [newest] = await kept(db)
  const chunks = newest === undefined ? [] : await readChunks(db, newest.id, 0, 1000)
  const texts = await Promise.all(chunks.map(one => decodeBody(one.bytes, one.encoding, LIMITS.snapshotChunkBytes)))
  return texts.map(text => Buffer.from(text).toString('utf8')).join('')
}

/** `bed` may be started later than this is called. */
export function snapshotGround(bed: () => Testbed): SnapshotGround {
  const ground = logGround(bed)
  const { nodeDb } = ground
  return {
    ...ground,
    caughtUp: name => ground.spread(ground.holders(name), 60_000),
    async replicaAt(code) {
      const { rows } = await sql<Row>`
        SELECT key, ver, op, why, platform, at, body, r.epoch, r.seq, item FROM replica_entity r JOIN log ON log.id = r.log_id
        WHERE origin = ${ORIGIN} ORDER BY key`.execute(nodeDb(code))
      return rows
    },
    async empty(code) {
      const db = nodeDb(code)
      const { rows } = await sql<{ name: string }>`
        SELECT table_name AS name FROM information_schema.tables
        WHERE table_schema = 'public' AND (table_name LIKE 'replica_%' OR table_name IN ('log', 'announced', 'quarantine', 'redaction'))`.execute(
        db,
      )
      await sql`TRUNCATE ${sql.join(rows.map(({ name }) => sql.table(name)))} CASCADE`.execute(db)
    },
    async wipeStreams() {
      const manager = await (await bed().connectAs('hub')).manager()
      await manager.streams.delete(streamName(ORIGIN))
      await eventually(
        'the stream, made anew',
        async () => (await manager.streams.info(streamName(ORIGIN)).catch((): null => null))?.state.messages ?? null,
        count => count === 0,
        60_000,
      )
    },
    async startProcess(code) {
      const child = spawn(process.execPath, [NODE], {
        env: {
          PATH: process.env.PATH,
          ...bed().nodeEnvironment(code),
          HUTONG_NODE_LOG_LEVEL: process.env.TEST_LOG === undefined ? 'silent' : 'info',
        },
        stdio: ['pipe', 'inherit', 'inherit'],
      })
      await once(child, 'spawn')
      return child
    },
  }
}
