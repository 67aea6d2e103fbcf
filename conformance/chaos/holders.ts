/** Everyone who keeps a ledger, seen through its own database: who ought to hold which log, and who is behind. */
import type { Kysely } from 'kysely'
import { type LogState, readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { type Database, openDatabase } from '../../runtime/postgres/database.ts'
import { comparePositions, formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import { audiencesRead, type Membership } from '../../schemas/membership.ts'

export type Holder = {
  readonly name: string
  readonly db: Kysely<LedgerTables>
  /** whether it may hold this log, and so has to */
  holds(log: LogId): boolean
}

export type Holders = AsyncDisposable & { readonly all: readonly Holder[]; readonly nodes: readonly Holder[] }

export function openHolders(membership: Membership, databaseUrl: (program: string) => string): Holders {
  const databases: Database<LedgerTables>[] = []
  const open = (name: string, holds: Holder['holds']): Holder => {
    const database = openDatabase<LedgerTables>(databaseUrl(name), { applicationName: 'hutong-chaos', poolSize: 2 })
    databases.push(database)
    return { name, db: database.kysely, holds }
  }
  const hub = open('hub', () => true)
  const nodes = [...membership.members.values()].map(member => {
    const audiences = audiencesRead(member)
    return open(member.code, log => log.origin === member.code || audiences.includes(log.audience))
  })
  return {
    all: [hub, ...nodes],
    nodes,
    async [Symbol.asyncDispose]() {
      await Promise.all(databases.map(one => one[Symbol.asyncDispose]()))
    },
  }
}

export type OwnLog = { readonly log: LogId; readonly head: LogHead; readonly state: LogState }

/** Where the origins themselves stand. */
export async function ownLogs({ nodes }: Holders): Promise<OwnLog[]> {
  const all = await Promise.all(
    nodes.map(async ({ name, db }) =>
      (await readLogs(db)).flatMap(state =>
        state.log.origin === name && state.head !== null ? [{ log: state.log, head: state.head, state }] : [],
      ),
    ),
  )
  return all.flat()
}

const at = (head: LogHead | null): string => (head === null ? 'nothing' : `${head.epoch}.${head.seq}`)

/** Who has not come to where the origins stood, and whose receipt has not; empty when all have. */
export async function behind(holders: Holders, goal: readonly OwnLog[]): Promise<string[]> {
  const late: string[] = []
  for (const { name, db, holds } of holders.all) {
    const states = new Map((await readLogs(db)).map(state => [formatLogId(state.log), state]))
    for (const { log, head } of goal) {
      const state = states.get(formatLogId(log)) ?? null
      const here = state?.head ?? null
      if (holds(log) && (here === null || comparePositions(here, head) < 0))
        late.push(`${name} holds ${formatLogId(log)} to ${at(here)} of ${at(head)}`)
      const receipt = state?.receipt ?? null
      if (log.origin === name && (receipt === null || comparePositions(receipt, head) < 0))
        late.push(`${name} has a receipt for ${formatLogId(log)} to ${at(receipt)} of ${at(head)}`)
    }
  }
  return late
}
