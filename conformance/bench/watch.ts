/**
 * Sees a log move in a program's own database, by a trigger that notifies: what a listener hears is committed and visible. The
 * limit's tables carry such a trigger too, so that watching costs both the same.
 */
import { Client } from 'pg'
import type { LogHead } from '../../schemas/log.ts'
import { now } from './worker.ts'

type Place = Pick<LogHead, 'seq'>
export type Watch = AsyncDisposable & {
  /** when (on the machine's monotonic clock, in ms) the log was seen at `seq`, or its receipt was */
  reached(what: 'held' | 'receipted', at: Place): Promise<number>
  /** where the log stands now, whatever was heard so far */
  head(): Promise<Place>
}

const TRIGGER = `
  CREATE OR REPLACE FUNCTION bench_told() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_notify('bench', NEW.origin || ' ' || NEW.seq || ' ' || NEW.receipt_seq); RETURN NULL; END $$;
  CREATE OR REPLACE TRIGGER bench_told AFTER INSERT OR UPDATE ON log FOR EACH ROW EXECUTE FUNCTION bench_told()`

/** Of the one log of this origin; a bench writes one only. */
export async function watchLog(databaseUrl: string, origin: string): Promise<Watch> {
  const db = new Client({ connectionString: databaseUrl, application_name: 'bench-watch' })
  await db.connect()
  const seen = { held: 0, receipted: 0 }
  const seenAt = { held: 0, receipted: 0 }
  const see = (what: 'held' | 'receipted', seq: number): void => {
    if (seq <= seen[what]) return
    seen[what] = seq
    seenAt[what] = now()
  }
  const waiting = new Set<() => void>()
  db.on('notification', ({ payload = '' }) => {
    const [name, held, receipted] = payload.split(' ')
    if (name !== origin) return
    see('held', Number(held))
    see('receipted', Number(receipted))
    for (const look of waiting) look()
  })
  await db.query(TRIGGER)
  await db.query('LISTEN bench')
  const read = async (): Promise<{ held: number; receipted: number }> => {
    const { rows } = await db.query('SELECT seq::int AS held, receipt_seq::int AS receipted FROM log WHERE origin = $1', [origin])
    return rows[0] ?? { held: 0, receipted: 0 }
  }
  Object.assign(seen, await read())
  return {
    reached(what, { seq }) {
      const { promise, resolve } = Promise.withResolvers<number>()
      const look = (): void => {
        if (seen[what] < seq) return
        waiting.delete(look)
        resolve(seenAt[what])
      }
      waiting.add(look)
      look()
      return promise
    },
    head: async () => ({ seq: (await read()).held }),
    [Symbol.asyncDispose]: () => db.end(),
  }
}
