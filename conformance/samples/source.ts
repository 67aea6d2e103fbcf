/**
 * The database of one sample trading system. Every change is one transaction that writes the source rows, the envelopes to push and
 * the state from which the next change follows; a crash leaves all of it or nothing, and the next start goes on from there.
 */
import { randomBytes } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Database } from '../../runtime/postgres/database.ts'
import { openDatabase } from '../../runtime/postgres/database.ts'
import { migrate } from '../../runtime/postgres/migrator.ts'
import { secondOf } from './days.ts'
import { ADDED, CHANGED, DELETED, documentOf } from './documents.ts'
import { planFounding, planTick, type Step } from './plan.ts'
import type { Profile } from './profiles.ts'
import {
  type Counts,
  type SampleTables,
  SOURCE_NAMES,
  SOURCES,
  type SourceName,
  type SourceRow,
  sourceMigration,
} from './tables.ts'

export type PushRow = { readonly id: number; readonly document: string; readonly ends_batch: boolean }
export type Refusal = { readonly id: number; readonly code: string; readonly reason: string }
export type SourceStatus = { readonly rows: Counts; readonly waiting: number; readonly pushed: number; readonly refused: number }

type Queued = { source: string; source_key: string; document: string; ends_batch: boolean }

const NO_ROWS = Object.fromEntries(SOURCE_NAMES.map(name => [name, 0])) as Counts

const queued = (source: SourceName, row: SourceRow, type: string, endsBatch = false): Queued => ({
  source,
  source_key: row[SOURCES[source].key] ?? '',
  document: documentOf(source, row, type),
  ends_batch: endsBatch,
})

const DEAL_AS_TEXT = sql.join(
  [...SOURCES.deal.leaves, 'changed_at'].map(column => sql`${sql.ref(column)}::text AS ${sql.ref(column)}`),
)

/** A change is never dated before the one that it follows, down to the whole second that DATA_TIMESTAMP has. */
const changedAt = (at: string) => sql`greatest(${at}::timestamptz, changed_at + interval '1 second')`

const changeDeal = async (db: Kysely<SampleTables>, step: Exclude<Step, { kind: 'add' }>, at: string): Promise<Queued[]> => {
  const change =
    step.kind === 'correct'
      ? sql`deal_amount = round(deal_amount * ${step.permille}::integer / 1000, 2)`
      : sql`withdrawn_at = ${at}::timestamptz`
  const { rows } = await sql<SourceRow>`
    UPDATE deal SET ${change}, changed_at = ${changedAt(at)}
    WHERE serial = ${step.deal} AND withdrawn_at IS NULL AND deal_amount IS NOT NULL
    RETURNING ${DEAL_AS_TEXT}`.execute(db)
  return rows.map(row => queued('deal', row, step.kind === 'correct' ? CHANGED : DELETED))
}

const apply = async (db: Kysely<SampleTables>, steps: readonly Step[], at: string): Promise<Partial<Counts>> => {
  const added = new Map<SourceName, SourceRow[]>()
  const pushes: Queued[] = []
  for (const step of steps) {
    if (step.kind !== 'add') {
      pushes.push(...(await changeDeal(db, step, at)))
      continue
    }
    added.set(step.source, [...(added.get(step.source) ?? []), step.row])
    pushes.push(queued(step.source, step.row, ADDED, step.endsBatch))
  }
  for (const [source, rows] of added) {
    const table = sql.table(source)
    await sql`INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, ${JSON.stringify(rows)}::json)`.execute(db)
  }
  await sql`
    INSERT INTO push (source, source_key, document, ends_batch)
    SELECT p.source, p.source_key, p.document, p.ends_batch FROM ROWS FROM (
      json_to_recordset(${JSON.stringify(pushes)}::json) AS (source text, source_key text, document text, ends_batch boolean)
    ) WITH ORDINALITY AS p (source, source_key, document, ends_batch, position) ORDER BY position`.execute(db)
  return Object.fromEntries([...added].map(([source, rows]) => [source, rows.length]))
}

const sumOf = (counts: Counts, more: Partial<Counts>): Counts =>
  Object.fromEntries(SOURCE_NAMES.map(name => [name, counts[name] + (more[name] ?? 0)])) as Counts

export class SampleSource implements AsyncDisposable {
  readonly profile: Profile
  readonly #database: Database<SampleTables>

  private constructor(profile: Profile, database: Database<SampleTables>) {
    this.profile = profile
    this.#database = database
  }

  /** Makes the tables, and founds the system if this is its first start. */
  static async open(url: string, profile: Profile, { seed, now }: { seed: string; now: Date }): Promise<SampleSource> {
    await using cleanup = new AsyncDisposableStack()
    const database = cleanup.use(
      openDatabase<SampleTables>(url, { applicationName: `hutong-samples-${profile.code}`, poolSize: 4 }),
    )
    await migrate(database, [sourceMigration])
    await database.kysely.transaction().execute(async db => {
      const secret = randomBytes(32)
      const state = { code: profile.code, seed, secret, ticks: 0, pushed: 0 }
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('system_state')
        .values({ ...state, counts: sql`${JSON.stringify(NO_ROWS)}::json` })
        .onConflict(conflict => conflict.column('code').doNothing())
        .executeTakeFirstOrThrow()
      if (numInsertedOrUpdatedRows === 0n) return
      const added = await apply(db, planFounding({ profile, seed, secret }, now), secondOf(now))
      await db
        .updateTable('system_state')
        .set({ counts: sql`${JSON.stringify(sumOf(NO_ROWS, added))}::json` })
        .execute()
    })
    cleanup.move()
    return new SampleSource(profile, database)
  }

  /** One step of the system's life. */
  async tick(now: Date): Promise<void> {
    const { profile } = this
    await this.#database.kysely.transaction().execute(async db => {
      const { seed, secret, ticks, counts } = await db.selectFrom('system_state').selectAll().forUpdate().executeTakeFirstOrThrow()
      const added = await apply(db, planTick({ profile, seed, secret }, ticks, counts, now), secondOf(now))
      const next = JSON.stringify(sumOf(counts, added))
      await db
        .updateTable('system_state')
        .set({ ticks: ticks + 1, counts: sql`${next}::json` })
        .execute()
    })
  }

  /** The oldest rows that wait, up to `limit` or the first that ends a batch. */
  async waiting(limit: number): Promise<PushRow[]> {
    const rows = await this.#database.kysely
      .selectFrom('push')
      .select(['id', 'document', 'ends_batch'])
      .where('refused_code', 'is', null)
      .orderBy('id')
      .limit(limit)
      .execute()
    const end = rows.findIndex(row => row.ends_batch)
    return end < 0 ? rows : rows.slice(0, end + 1)
  }

  /** What the node has answered for: taken rows leave the outbox, refused ones stay in it with the reason and are not sent again. */
  async settle(taken: readonly number[], refused: readonly Refusal[]): Promise<void> {
    await this.#database.kysely.transaction().execute(async db => {
      await sql`DELETE FROM push WHERE id = ANY(${taken}::bigint[])`.execute(db)
      await sql`UPDATE system_state SET pushed = pushed + ${taken.length}`.execute(db)
      await sql`
        UPDATE push SET refused_code = r.code, refused_reason = r.reason
        FROM json_to_recordset(${JSON.stringify(refused)}::json) AS r (id bigint, code text, reason text)
        WHERE push.id = r.id`.execute(db)
    })
  }

  async status(): Promise<SourceStatus> {
    const { rows } = await sql<{ counts: Counts; pushed: number; waiting: number; refused: number }>`
      SELECT counts, pushed,
        (SELECT count(*) FROM push WHERE refused_code IS NULL) AS waiting,
        (SELECT count(*) FROM push WHERE refused_code IS NOT NULL) AS refused
      FROM system_state`.execute(this.#database.kysely)
    const { counts = NO_ROWS, pushed = 0, waiting = 0, refused = 0 } = rows[0] ?? {}
    return { rows: counts, waiting, pushed, refused }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]()
  }
}
