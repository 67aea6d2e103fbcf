/**
 * The provider's state in PostgreSQL, so that it survives a restart and several processes share it. What a client or browser carries
 * (code, token, cookie) is the key of a row only as its digest. A code is used up by whoever is first: the row says so in one statement.
 */
import type { Kysely } from 'kysely'
import { errors } from 'oidc-provider'
import { digestOf } from '../../schemas/digest.ts'
import type { LoginTables } from './tables.ts'

type Payload = { readonly [name: string]: unknown }
/** As the provider calls it. */
export type StateAdapter = {
  upsert(id: string, payload: Payload, expiresIn: number): Promise<void>
  find(id: string): Promise<Payload | undefined>
  findByUid(uid: string): Promise<Payload | undefined>
  findByUserCode(): Promise<undefined>
  consume(id: string): Promise<void>
  destroy(id: string): Promise<void>
  revokeByGrantId(grantId: string): Promise<void>
}

/** Found by another way than their own identifier, which the provider then needs to know. */
const NAMED = ['Session']

export function createStateAdapter(db: Kysely<LoginTables>, kind: string, clock: () => Date): StateAdapter {
  const row = (id: string) => db.selectFrom('login_state').selectAll().where('kind', '=', kind).where('id', '=', digestOf(id))

  const payloadOf = (found: { payload: string; consumed_at: Date | null } | undefined, id: string | null): Payload | undefined => {
    if (found === undefined) return undefined
    const payload = JSON.parse(found.payload) as Payload
    return {
      ...payload,
      ...(id === null ? {} : { jti: id }),
      ...(found.consumed_at === null ? {} : { consumed: Math.floor(found.consumed_at.getTime() / 1000) }),
    }
  }

  return {
    async upsert(id, { jti, ...rest }, expiresIn) {
      const payload = JSON.stringify(NAMED.includes(kind) ? { ...rest, jti } : rest)
      const grant = kind !== 'Grant' && typeof rest.grantId === 'string' ? digestOf(rest.grantId) : null
      const uid = kind === 'Session' && typeof rest.uid === 'string' ? rest.uid : null
      const expires = new Date(clock().getTime() + expiresIn * 1000)
      const values = { payload, uid, grant_id: grant, expires_at: expires }
      await db
        .insertInto('login_state')
        .values({ kind, id: digestOf(id), consumed_at: null, ...values })
        .onConflict(conflict => conflict.columns(['kind', 'id']).doUpdateSet(values))
        .execute()
    },
    find: async id => payloadOf(await row(id).where('expires_at', '>', clock()).executeTakeFirst(), id),
    async findByUid(uid) {
      const found = await db
        .selectFrom('login_state')
        .selectAll()
        .where('kind', '=', kind)
        .where('uid', '=', uid)
        .where('expires_at', '>', clock())
        .executeTakeFirst()
      return payloadOf(found, null)
    },
    findByUserCode: async () => undefined,
    async consume(id) {
      const { numUpdatedRows } = await db
        .updateTable('login_state')
        .set({ consumed_at: clock() })
        .where('kind', '=', kind)
        .where('id', '=', digestOf(id))
        .where('consumed_at', 'is', null)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) throw new errors.InvalidGrant('it was used already')
    },
    async destroy(id) {
      await db.deleteFrom('login_state').where('kind', '=', kind).where('id', '=', digestOf(id)).execute()
    },
    async revokeByGrantId(grantId) {
      await db.deleteFrom('login_state').where('kind', '=', kind).where('grant_id', '=', digestOf(grantId)).execute()
    },
  }
}

/** Everything that is past its time. */
export async function purgeLogins(db: Kysely<LoginTables>, now: Date): Promise<void> {
  for (const table of ['login_state', 'login_challenge', 'login_account'] as const)
    await db.deleteFrom(table).where('expires_at', '<', now).execute()
}
