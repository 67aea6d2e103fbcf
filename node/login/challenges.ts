/**
 * What is to be signed in one login, and that each of it is answered once: whatever comes of an answer, its question is closed. The text
 * that is verified is the one kept here, never one that came with the answer.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Kysely } from 'kysely'
import { ExchangeError } from '../../schemas/errors.ts'
import { formatLoginStatement, LOGIN_SECONDS, parseLoginStatement } from '../../schemas/login/statement.ts'
import type { LoginTables } from './tables.ts'

/** Questions of one login; whoever needs more is trying. */
const ATTEMPTS_MAX = 20
/** A login under way is forgotten after this: its questions with it. */
export const INTERACTION_SECONDS = 900

export type Challenges = {
  /** A new text for this login, in the place of one that is open. @throws LOGIN_ATTEMPTS_EXCEEDED */
  issue(interaction: string, client: string): Promise<{ readonly statement: string; readonly expires: Date }>
  /** The text that was to be signed, which is closed now. @throws LOGIN_CHALLENGE_UNKNOWN, LOGIN_CHALLENGE_EXPIRED */
  use(interaction: string, nonce: string): Promise<string>
}

const isSame = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

export function createChallenges(options: {
  readonly db: Kysely<LoginTables>
  readonly issuer: string
  readonly clock: () => Date
}): Challenges {
  const { db, issuer, clock } = options
  const CLOSED = ''
  return {
    async issue(interaction, client) {
      const issued = clock()
      const expires = new Date(issued.getTime() + LOGIN_SECONDS * 1000)
      const statement = formatLoginStatement({ issuer, client, nonce: randomBytes(32).toString('base64url'), issued, expires })
      const forgotten = new Date(issued.getTime() + INTERACTION_SECONDS * 1000)
      const { attempts } = await db
        .insertInto('login_challenge')
        .values({ interaction, statement, expires_at: forgotten, attempts: 1 })
        .onConflict(conflict =>
          conflict.column('interaction').doUpdateSet(row => ({ statement, attempts: row('login_challenge.attempts', '+', 1) })),
        )
        .returning('attempts')
        .executeTakeFirstOrThrow()
      if (attempts > ATTEMPTS_MAX)
        throw new ExchangeError('LOGIN_ATTEMPTS_EXCEEDED', `expected at most ${ATTEMPTS_MAX} attempts in one login`)
      return { statement, expires }
    },
    async use(interaction, nonce) {
      const text = await db.transaction().execute(async trx => {
        const open = await trx
          .selectFrom('login_challenge')
          .select('statement')
          .where('interaction', '=', interaction)
          .forUpdate()
          .executeTakeFirst()
        await trx.updateTable('login_challenge').set({ statement: CLOSED }).where('interaction', '=', interaction).execute()
        return open?.statement ?? CLOSED
      })
      if (text === CLOSED) throw new ExchangeError('LOGIN_CHALLENGE_UNKNOWN', 'no text is waiting for a signature in this login')
      const asked = parseLoginStatement(text)
      if (!isSame(asked.nonce, nonce)) throw new ExchangeError('LOGIN_CHALLENGE_UNKNOWN', 'another text than the newest was signed')
      if (clock() >= asked.expires)
        throw new ExchangeError('LOGIN_CHALLENGE_EXPIRED', `expected an answer within ${LOGIN_SECONDS} s`)
      return text
    },
  }
}
