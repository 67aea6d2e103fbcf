/** What waits at the door: rows whose parent has not come yet, and the mappings that rows were read with. */
import { type Generated, type Kysely, sql } from 'kysely'

export type ParkedRow = {
  id: Generated<number>
  dataset: string
  audience: string
  key: string
  parent_key: string
  candidate: string
  place: string
  line: number | null
  arrived_at: Generated<Date>
}

export type MappingRow = { digest: string; content: string; stored_at: Generated<Date> }

export type IntakeTables = { parked: ParkedRow; mapping: MappingRow }

export const intakeMigration = {
  name: '0003-intake',
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE parked (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        dataset text NOT NULL, audience text NOT NULL, key text NOT NULL, parent_key text NOT NULL,
        candidate json NOT NULL, place text NOT NULL, line integer, arrived_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (dataset, audience, key)
      )`.execute(db)
    await sql`CREATE INDEX ON parked (dataset, audience, parent_key)`.execute(db)
    await sql`CREATE TABLE mapping (digest text PRIMARY KEY, content text NOT NULL, stored_at timestamptz NOT NULL DEFAULT now())`.execute(
      db,
    )
  },
}
