/** What tests of the quarantine look at: what stands there at one node, and its release by the operator. */
import type { Kysely } from 'kysely'
import type { NodeTables } from '../../node/tables.ts'
import type { QuarantineRow } from '../../runtime/ledger/tables.ts'
import type { JsonValue } from '../../schemas/record.ts'
import { eventually, type Testbed } from './testbed.ts'

type Aside = { readonly id: number; readonly kind: QuarantineRow['kind']; readonly code: string }
type Item = Pick<QuarantineRow, 'code' | 'reason' | 'released_at' | 'outcome'> & { readonly content: Buffer | null }
export type QuarantineGround = {
  node(): Kysely<NodeTables>
  /** until something stands there under the code */
  standing(code: string): Promise<Aside[]>
  release(code: string, body: object): Promise<JsonValue>
  itemOf(id: number): Promise<Item | undefined>
}

/** The quarantine of 530000. `bed` may be started later than this is called. */
export function quarantineGround(bed: () => Testbed): QuarantineGround {
  const node = () => bed().nodeDb('530000')
  return {
    node,
    standing: code =>
      eventually(
        `${code} in quarantine`,
        () =>
          node()
            .selectFrom('quarantine')
            .select(['id', 'kind', 'code'])
            .where('code', '=', code)
            .where('released_at', 'is', null)
            .execute(),
        rows => rows.length > 0,
      ),
    async release(code, body) {
      const response = await fetch(`${bed().node(code).url}/v1/quarantine/release`, {
        method: 'POST',
        headers: { authorization: `Bearer ${await bed().token(code)}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      if (response.status !== 200) throw new Error(await response.text())
      return (await response.json()) as JsonValue
    },
    itemOf: id =>
      node()
        .selectFrom('quarantine')
        .select(['code', 'reason', 'released_at', 'outcome', 'content'])
        .where('id', '=', id)
        .executeTakeFirst(),
  }
}
