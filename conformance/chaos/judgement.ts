/**
 * What must hold when every fault is over and everything has come across: nothing lost, nothing doubled, everyone holds the same. It
 * reads the databases, not what the programs say of themselves, and each violation is one sentence.
 */
import { type Kysely, sql } from 'kysely'
import { type LogState, readLogs, readRange } from '../../runtime/ledger/ledger.ts'
import { countQuarantine } from '../../runtime/ledger/quarantine.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { DATASETS } from '../../schemas/datasets/datasets.ts'
import { decodeBody } from '../../schemas/encoding.ts'
import { formatLogId } from '../../schemas/log.ts'
import type { ExchangeRecord } from '../../schemas/record.ts'
import type { Holder, Holders, OwnLog } from './holders.ts'
import type { Remembered } from './loader.ts'

type Db = Kysely<LedgerTables>

export type Findings = {
  readonly violations: readonly string[]
  readonly lost: number
  readonly doubled: number
  readonly offered: number
  readonly applied: { readonly [holder: string]: number }
  readonly quarantined: readonly { readonly holder: string; readonly kind: string; readonly code: string; readonly count: number }[]
}

const SHOWN = 5
const TABLES = DATASETS.filter(one => !one.reserved).map(one => ({ dataset: one.name, table: `replica_${one.name}` }))

/** What a flipped bit on the way can make of an envelope; anything else in quarantine is nobody's fault but ours. */
const CORRUPTION = /^(TOKEN_|BODY_|SUBJECT_MISMATCH$|FEDERATION_FOREIGN$|MEMBER_UNKNOWN$|KEY_UNKNOWN$)/

/** Every entry of a log as one digest, and whether there is exactly one at each position from 0 to the head. */
async function entriesOf(db: Db, { id }: LogState): Promise<{ digest: string; count: number; gaps: number }> {
  const { rows } = await sql<{ digest: string; count: number; gaps: number }>`
    SELECT md5(coalesce(string_agg(epoch || ' ' || seq || ' ' || digest || ' ' || md5(coalesce(body, '')), E'\n' ORDER BY epoch, seq), '')) AS digest,
      count(*)::int AS count,
      (SELECT coalesce(sum(last + 1 - entries), 0)::int FROM (SELECT max(seq) AS last, count(*) AS entries FROM envelope WHERE log_id = ${id}::int GROUP BY epoch) AS epochs) AS gaps
    FROM envelope WHERE log_id = ${id}::int`.execute(db)
  return rows[0] ?? { digest: '', count: 0, gaps: 0 }
}

async function contentOf(db: Db, { id, log }: LogState): Promise<string> {
  const table = TABLES.find(one => one.dataset === log.dataset)?.table
  if (table === undefined) return ''
  const { rows } = await sql<{ content: string }>`
    SELECT count(*) || ' ' || md5(coalesce(string_agg(key || ' ' || ver || ' ' || op || ' ' || coalesce(body::text, ''), E'\n' ORDER BY key), '')) AS content
    FROM ${sql.table(table)} WHERE log_id = ${id}::int`.execute(db)
  return rows[0]?.content ?? ''
}

/** Versions of each key as they were sealed, read from the envelopes themselves. */
async function sealedVersions(db: Db, { id, head }: LogState): Promise<Map<string, number[]>> {
  const versions = new Map<string, number[]>()
  for (let epoch = 1; epoch <= (head?.epoch ?? 0); epoch += 1) {
    for (let from = 0; ; ) {
      const entries = await readRange(db, id, epoch, from, 200)
      for (const { body, encoding } of entries) {
        if (body === null) continue
        const plain = Buffer.from(await decodeBody(body, encoding)).toString('utf8')
        const { records } = JSON.parse(plain) as { readonly records: readonly ExchangeRecord[] }
        for (const { key, ver } of records) {
          const known = versions.get(key)
          if (known === undefined) versions.set(key, [ver])
          else known.push(ver)
        }
      }
      const last = entries.at(-1)
      if (last === undefined) break
      from = last.position.seq + 1
    }
  }
  return versions
}

async function standing(db: Db, { id, log }: LogState): Promise<Map<string, { ver: number; name: string | null }>> {
  const table = TABLES.find(one => one.dataset === log.dataset)?.table
  if (table === undefined) return new Map()
  const { rows } = await sql<{ key: string; ver: number; name: string | null }>`
    SELECT key, ver, body->>'name' AS name FROM ${sql.table(table)} WHERE log_id = ${id}::int`.execute(db)
  return new Map(rows.map(row => [row.key, row]))
}

/** Compares one log of one origin with what a holder has of it. */
async function compare(own: OwnLog, origin: Holder, holder: Holder, isHub: boolean): Promise<string[]> {
  const id = formatLogId(own.log)
  const state = (await readLogs(holder.db)).find(one => formatLogId(one.log) === id)
  if (state === undefined) return [`${holder.name} does not hold ${id}`]
  const [here, there] = await Promise.all([entriesOf(holder.db, state), entriesOf(origin.db, own.state)])
  const found: string[] = []
  if (state.frozen) found.push(`${holder.name} has frozen ${id}`)
  if (here.gaps !== 0)
    found.push(`${holder.name} holds ${here.count} entries of ${id} where the head says otherwise by ${here.gaps}`)
  if (here.digest !== there.digest)
    found.push(`${holder.name} holds other entries of ${id} than its origin (${here.count} and ${there.count})`)
  if (!isHub && (await contentOf(holder.db, state)) !== (await contentOf(origin.db, own.state)))
    found.push(`${holder.name} has another replica of ${id} than its origin`)
  return found
}

type Tally = { lost: string[]; doubled: string[] }

/** Versions sealed against versions standing, for every key of a log; then what the loader was told, at every node. */
async function judgeRecords(
  own: OwnLog,
  origin: Holder,
  nodes: readonly Holder[],
  remembered: readonly Remembered[],
  tally: Tally,
) {
  const id = formatLogId(own.log)
  const stand = await standing(origin.db, own.state)
  for (const [key, versions] of await sealedVersions(origin.db, own.state)) {
    const sorted = versions.toSorted((a, b) => a - b)
    if (sorted.some((ver, index) => ver !== index + 1)) tally.doubled.push(`${id} ${key}: sealed as ${sorted.slice(-4)}`)
    if (stand.get(key)?.ver !== sorted.at(-1))
      tally.lost.push(`${id} ${key}: sealed as ${sorted.at(-1)}, stands as ${stand.get(key)?.ver}`)
  }
  if (own.log.dataset !== 'entity') return
  for (const node of nodes) {
    const state = (await readLogs(node.db)).find(one => formatLogId(one.log) === id)
    const held = state === undefined ? new Map<string, { ver: number; name: string | null }>() : await standing(node.db, state)
    for (const { key, ver, name } of remembered) {
      const here = held.get(key)
      if (here === undefined || here.ver < ver) tally.lost.push(`${node.name}: ${key} stands as ${here?.ver ?? 0} of ${ver}`)
      else if (here.ver > ver) tally.doubled.push(`${node.name}: ${key} stands as ${here.ver}, and ${ver} were sealed`)
      else if (here.name !== name) tally.lost.push(`${node.name}: ${key} has the version and another content`)
    }
  }
}

export async function judge(
  holders: Holders,
  goal: readonly OwnLog[],
  remembered: ReadonlyMap<string, readonly Remembered[]>,
  corrupted: boolean,
): Promise<Findings> {
  const violations: string[] = []
  const tally: Tally = { lost: [], doubled: [] }
  for (const own of goal) {
    const origin = holders.nodes.find(one => one.name === own.log.origin)
    if (origin === undefined) continue
    for (const holder of holders.all)
      if (holder.holds(own.log)) violations.push(...(await compare(own, origin, holder, !holders.nodes.includes(holder))))
    const readers = holders.nodes.filter(node => node.holds(own.log))
    await judgeRecords(own, origin, readers, remembered.get(own.log.origin) ?? [], tally)
  }
  const applied: { [holder: string]: number } = {}
  const quarantined: { holder: string; kind: string; code: string; count: number }[] = []
  for (const { name, db } of holders.all) {
    applied[name] = Number(
      (
        await db
          .selectFrom('envelope')
          .select(({ fn }) => fn.countAll().as('count'))
          .executeTakeFirst()
      )?.count ?? 0,
    )
    for (const { kind, code, count } of await countQuarantine(db)) {
      const same = quarantined.find(one => one.holder === name && one.kind === kind && one.code === code)
      if (same === undefined) quarantined.push({ holder: name, kind, code, count })
      else same.count += count
      if (kind !== 'envelope' || !corrupted || !CORRUPTION.test(code))
        violations.push(`${name} has ${count} in quarantine: ${kind} ${code}`)
    }
    const forks = await db.selectFrom('fork').select('reason').execute()
    for (const { reason } of forks) violations.push(`${name} holds a fork: ${reason}`)
  }
  const some = (what: string, list: readonly string[]): string[] =>
    list.length === 0 ? [] : [`${list.length} ${what}: ${list.slice(0, SHOWN).join('; ')}`]
  violations.push(...some('lost', tally.lost), ...some('doubled', tally.doubled))
  const offered = (
    await Promise.all(
      goal.map(async own => {
        const origin = holders.nodes.find(one => one.name === own.log.origin)
        return origin === undefined ? 0 : (await entriesOf(origin.db, own.state)).count
      }),
    )
  ).reduce((sum, count) => sum + count, 0)
  return { violations, lost: tally.lost.length, doubled: tally.doubled.length, offered, applied, quarantined }
}
