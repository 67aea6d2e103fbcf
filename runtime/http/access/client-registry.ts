/**
 * The clients that may ask for tokens here. Rights are read from the registry at every request, not from the token, so that a removal
 * or a smaller right takes effect at once, in every process within seconds.
 */
import { readFile } from 'node:fs/promises'
import type { Kysely, Transaction } from 'kysely'
import { ExchangeError } from '../../../schemas/errors.ts'
import { type ClientDescription, formatClient, parseClient } from './client-description.ts'
import type { AccessTables } from './tables.ts'

export type ListedClient = ReturnType<typeof formatClient> & {
  readonly added_at: string
  readonly added_by: string
  readonly removed_at: string | null
}
export type ClientRegistry = {
  find(id: string): Promise<ClientDescription | null>
  list(): Promise<ListedClient[]>
  /** Registers, or replaces what is registered under this identifier. */
  put(trx: Transaction<AccessTables>, client: ClientDescription, by: string): Promise<void>
  /** @throws CLIENT_UNKNOWN */
  remove(trx: Transaction<AccessTables>, id: string, now: Date): Promise<void>
  /** after a change was committed */
  changed(): void
}

/** How long a change made by another process may go unseen. */
const KEPT_MS = 2000

export function openClientRegistry(db: Kysely<AccessTables>, now = (): number => performance.now()): ClientRegistry {
  let kept: { readonly at: number; readonly clients: Promise<Map<string, ClientDescription>> } | null = null

  async function read(): Promise<Map<string, ClientDescription>> {
    const rows = await db.selectFrom('client').select(['id', 'description']).where('removed_at', 'is', null).execute()
    return new Map(await Promise.all(rows.map(async row => [row.id, await parseClient(JSON.parse(row.description))] as const)))
  }

  return {
    async find(id) {
      if (kept === null || now() - kept.at > KEPT_MS) kept = { at: now(), clients: read() }
      const { clients } = kept
      try {
        return (await clients).get(id) ?? null
      } catch (error) {
        kept = null
        throw error
      }
    },
    async list() {
      const rows = await db.selectFrom('client').selectAll().orderBy('id').execute()
      return Promise.all(
        rows.map(async ({ description, added_at, added_by, removed_at }) => ({
          ...formatClient(await parseClient(JSON.parse(description))),
          added_at: added_at.toISOString(),
          added_by,
          removed_at: removed_at?.toISOString() ?? null,
        })),
      )
    },
    async put(trx, client, by) {
      const description = JSON.stringify(formatClient(client))
      await trx
        .insertInto('client')
        .values({ id: client.id, description, added_by: by, removed_at: null })
        .onConflict(conflict => conflict.column('id').doUpdateSet({ description, added_by: by, removed_at: null }))
        .execute()
    },
    async remove(trx, id, at) {
      const removed = await trx
        .updateTable('client')
        .set({ removed_at: at })
        .where('id', '=', id)
        .where('removed_at', 'is', null)
        .executeTakeFirst()
      if (removed.numUpdatedRows === 0n) throw new ExchangeError('CLIENT_UNKNOWN', `expected a registered client, got ${id}`)
    },
    changed() {
      kept = null
    },
  }
}

/**
 * Registers the clients of a file that this program has never heard of: so the first security administrator comes in. A client that
 * was changed or removed since stays as it is. @throws CONFIG_INVALID
 */
export async function registerFromFile(db: Kysely<AccessTables>, path: string): Promise<void> {
  const invalid = (reason: string, cause?: unknown): ExchangeError =>
    new ExchangeError('CONFIG_INVALID', `clients file ${path}: ${reason}`, { cause })
  let list: unknown
  try {
    list = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw invalid('expected readable JSON', cause)
  }
  if (!Array.isArray(list)) throw invalid('expected a list of clients')
  for (const [index, value] of list.entries()) {
    const client = await parseClient(value).catch((cause: unknown) => {
      throw invalid(`client ${index + 1}: ${cause instanceof ExchangeError ? cause.reason : 'not valid'}`, cause)
    })
    await db
      .insertInto('client')
      .values({ id: client.id, description: JSON.stringify(formatClient(client)), added_by: 'clients file', removed_at: null })
      .onConflict(conflict => conflict.doNothing())
      .execute()
  }
}
