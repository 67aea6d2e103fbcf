/** Mapping files as they are stored here, named by their digest. */
import type { Kysely } from 'kysely'
import { type Mapping, parseMapping } from '../../adapters/mapping.ts'
import { type Digest, digestOf } from '../../schemas/digest.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { IntakeTables } from './tables.ts'

/** @throws MAPPING_INVALID */
export async function storeMapping(db: Kysely<IntakeTables>, text: string): Promise<Digest> {
  parseMapping(text)
  const digest = digestOf(text)
  await db
    .insertInto('mapping')
    .values({ digest, content: text })
    .onConflict(conflict => conflict.column('digest').doNothing())
    .execute()
  return digest
}

/** @throws MAPPING_INVALID if none of that digest is stored here */
export async function mappingOf(db: Kysely<IntakeTables>, digest: string | null): Promise<Mapping | null> {
  if (digest === null) return null
  const row = await db.selectFrom('mapping').select('content').where('digest', '=', digest).executeTakeFirst()
  if (row === undefined) throw new ExchangeError('MAPPING_INVALID', `expected a mapping stored here before, got ${digest}`)
  return parseMapping(row.content)
}
