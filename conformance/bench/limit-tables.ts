/**
 * The tables of the limit, in three variants. `bare`: typed columns, nothing else. `ledger`: the same, and each raw batch appended
 * once at the hub and at each holder in the same transaction; our ratio is against this one. `shaped`: as `ledger`, but into a table
 * with the columns and indexes of our replica, which tells what our table costs from what our protocol costs.
 */
export const VARIANTS = {
  bare: { name: 'unsigned pipeline', ledger: false },
  ledger: { name: 'unsigned pipeline that also appends each raw batch at hub and holder', ledger: true },
  shaped: { name: 'the same, into a table shaped as our replica', ledger: true },
} as const
export type Variant = keyof typeof VARIANTS

const TYPED = {
  columns: `key text COLLATE "C" PRIMARY KEY, ver integer NOT NULL, op text NOT NULL, at timestamptz NOT NULL, platform text NOT NULL,
    name text NOT NULL, code text NOT NULL, code_verdict json, region text, registered_on date, status text`,
  names: ['key', 'ver', 'op', 'at', 'platform', 'name', 'code', 'code_verdict', 'region', 'registered_on', 'status'],
  types:
    'key text, ver int, op text, at timestamptz, platform text, name text, code text, code_verdict json, region text, registered_on date, status text',
  indexes: [] as readonly string[],
}

const SHAPED = {
  columns: `key text COLLATE "C" PRIMARY KEY, ver integer NOT NULL, op text NOT NULL, at timestamptz NOT NULL, platform text NOT NULL, body json,
    region text GENERATED ALWAYS AS (body #>> '{region}') STORED`,
  names: ['key', 'ver', 'op', 'at', 'platform', 'body'],
  types: 'key text, ver int, op text, at timestamptz, platform text, body json',
  indexes: ['brin (region text_bloom_ops) WITH (pages_per_range = 32, autosummarize = on)'],
}

const shapeOf = (variant: Variant) => (variant === 'shaped' ? SHAPED : TYPED)

/** A statement of its own each. The trigger tells a listener that a batch is visible; ours carries one too. */
export const createTables = (): string[] => [
  "CREATE FUNCTION bench_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('bench', ''); RETURN NULL; END $$",
  ...(Object.keys(VARIANTS) as Variant[]).flatMap(variant => [
    `CREATE TABLE entity_${variant} (${shapeOf(variant).columns})`,
    ...shapeOf(variant).indexes.map(index => `CREATE INDEX ON entity_${variant} USING ${index}`),
    `CREATE TRIGGER told AFTER INSERT ON entity_${variant} FOR EACH STATEMENT EXECUTE FUNCTION bench_told()`,
    `CREATE TABLE raw_${variant} (round integer NOT NULL, seq bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY (round, seq))`,
    // compressing costs more than it saves where the disk is near: measured, 1.8 against 1.0 ms of a batch
    `ALTER TABLE raw_${variant} ALTER COLUMN body SET STORAGE EXTERNAL`,
  ]),
]

/** $1 is the batch as JSON text. */
export function upsertOf(variant: Variant): string {
  const { names, types } = shapeOf(variant)
  const table = `entity_${variant}`
  const changed = names.filter(name => name !== 'key').map(name => `${name} = excluded.${name}`)
  return `INSERT INTO ${table} AS held (${names.join(', ')}) SELECT ${names.join(', ')} FROM json_to_recordset($1::json) AS r(${types})
    ON CONFLICT (key) DO UPDATE SET ${changed.join(', ')} WHERE excluded.ver > held.ver`
}

export const TYPED_TABLE = TYPED.columns
export const TYPED_NAMES = TYPED.names
/** The typed columns without what constrains them: for rows on their way. */
export const typedColumns = (): string => TYPED.types

/** Merges rows of another table into the typed one. */
export function mergeOf(from: string): string {
  const changed = TYPED.names.filter(name => name !== 'key').map(name => `${name} = excluded.${name}`)
  return `INSERT INTO entity_bare AS held (${TYPED.names.join(', ')}) SELECT ${TYPED.names.join(', ')} FROM ${from}
    ON CONFLICT (key) DO UPDATE SET ${changed.join(', ')} WHERE excluded.ver > held.ver`
}

/** $1 round, $2 position, $3 the batch as it came. */
export const appendOf = (variant: Variant): string => `INSERT INTO raw_${variant} (round, seq, body) VALUES ($1, $2, $3)`

/** The records as the wire of that variant carries them. */
export const batchText = (variant: Variant, rows: readonly object[]): string =>
  JSON.stringify(variant === 'shaped' ? rows.map(nested) : rows)

function nested(row: object): object {
  const { key, ver, op, at, platform, ...body } = row as { readonly [name: string]: unknown }
  return { key, ver, op, at, platform, body }
}
