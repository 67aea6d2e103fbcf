import { type Kysely, sql } from 'kysely'
import { isRegionTold, REPLICAS, replicaTable } from '../replica/datasets.ts'

/**
 * Every row costs what it is indexed by, a hundred million times. So there is one index for identity, led by the log: a key is looked
 * up once for each log of its dataset, of which there are as many as members. A log is never deleted, so nothing watches that it stands.
 *
 * A common region is found soon by walking that index; a rare one by a block range index, which says where it cannot stand and is
 * summarised in the background. It costs an insert nothing that could be measured; a B-tree of its own cost a tenth of it.
 */
export const replicaMigration = {
  name: '0002-replica',
  async up(db: Kysely<unknown>): Promise<void> {
    for (const replica of REPLICAS) {
      const table = sql.table(replicaTable(replica.dataset))
      const computed = (name: string, type: string, from = name) =>
        sql`, ${sql.ref(name)} ${sql.raw(type)} GENERATED ALWAYS AS ((body #>> ${sql.lit(`{${from}}`)})::${sql.raw(type)}) STORED`
      const region = isRegionTold(replica) ? sql`, region text` : computed('region', 'text', replica.region)
      const hot = [region, ...replica.columns.map(({ name, type }) => computed(name, type))]
      await sql`
        CREATE TABLE ${table} (
          log_id integer NOT NULL, key text COLLATE "C" NOT NULL, ver integer NOT NULL,
          op text NOT NULL, why text, at timestamptz NOT NULL, platform text NOT NULL, body ${sql.raw(replica.body)},
          epoch integer NOT NULL, seq bigint NOT NULL, item integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
          ${sql.join(hot, sql``)},
          PRIMARY KEY (log_id, key)
        )`.execute(db)
      await sql`CREATE INDEX ON ${table} USING brin (region text_bloom_ops) WITH (pages_per_range = 32, autosummarize = on)`.execute(
        db,
      )
    }
  },
}
