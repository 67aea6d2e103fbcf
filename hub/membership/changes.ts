/**
 * What members say about themselves, put to the hub over the broker: changes of their keys, their leaving, and consents to alliances.
 * The hub enters it and can add nothing; it refuses closings below what it has receipted, because both would be its word.
 */
import type { Msg } from '@nats-io/transport-node'
import { type Kysely, sql } from 'kysely'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import { HUB, hearQuestions } from '../../runtime/ledger/questions.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import type { Broker } from '../../runtime/nats.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { parseIJson } from '../../schemas/i-json.ts'
import type { LogHead, LogId } from '../../schemas/log.ts'
import { changeOf } from '../../schemas/membership/admission.ts'
import { missingConsents } from '../../schemas/membership/alliances.ts'
import { openAllianceConsent, openKeys } from '../../schemas/membership/consents.ts'
import { openEntry } from '../../schemas/membership/entries.ts'
import { checkClosings } from '../../schemas/membership/standing.ts'
import { parseToken } from '../../schemas/tokens.ts'
import type { MembershipLog } from './log.ts'
import type { OfficeTables } from './tables.ts'

type Tables = LedgerTables & OfficeTables
/** `seq`: entered at that position. `missing`: kept, and who must still consent. */
export type ChangeAnswer =
  | { readonly seq: number }
  | { readonly missing: readonly string[] }
  | { readonly code: string; readonly reason: string }
type Change = { readonly change?: unknown; readonly consent?: unknown; readonly zh?: unknown; readonly en?: unknown }

/** entries from the newest on in which a repeat is looked for: it comes within seconds */
const REPEATS = 256
const NAME = /^\P{Cc}{1,100}$/u

export type Changes = Disposable & {
  /** Enters what a member signed, however it came. Answers its position. @throws what the rules refuse it with */
  take(token: string): Promise<number>
}

export function answerChanges(options: {
  readonly broker: Broker
  readonly db: Kysely<Tables>
  readonly keeper: MembershipKeeper
  readonly log: MembershipLog
  readonly failed: (error: unknown) => void
}): Changes {
  const { broker, db, keeper, log, failed } = options

  /** Where a member's statement stands in the log already: its answer was lost, and it asks again. */
  function enteredAt(statement: string): number | null {
    const { fed, tokens } = keeper.state()
    for (let seq = tokens.length; seq > Math.max(0, tokens.length - REPEATS); seq -= 1) {
      const { claims } = openEntry(tokens[seq - 1] ?? '', fed)
      const carried = claims.act === 'alliance' ? claims.consents : 'change' in claims ? [claims.change] : []
      if (carried.includes(statement)) return seq
    }
    return null
  }

  async function enter(code: string, token: string): Promise<{ readonly seq: number }> {
    const { claims } = openKeys(token, keeper.state().fed)
    if (claims.iss !== code) throw new ExchangeError('MEMBERSHIP_FORGED', `${code}: expected its own change`)
    const standing = enteredAt(token)
    if (standing !== null) return { seq: standing }
    const { member } = await changeOf(keeper.state(), { code, change: token })
    const ledger = db.$pickTables<keyof LedgerTables>()
    const logs = (await readLogs(ledger)).filter(state => state.log.origin === code)
    for (const { kid, closings } of claims.retire ?? []) {
      const alg = member.ring.keys.find(key => key.kid === kid)?.alg
      const signed: { log: LogId; head: LogHead }[] = []
      for (const { id, log: one } of logs) {
        const head = await lastSignedBy(ledger, id, kid, alg)
        if (head !== null) signed.push({ log: one, head })
      }
      checkClosings(code, closings, signed)
    }
    if (claims.leave !== undefined)
      checkClosings(
        code,
        claims.leave,
        logs.flatMap(({ log: one, head }) => (head === null ? [] : [{ log: one, head }])),
      )
    const { claims: entered } = await log.append({ act: claims.leave === undefined ? 'keys' : 'leave', code, change: token })
    return { seq: entered.seq }
  }

  async function consent(code: string, { consent: token, zh, en }: Change): Promise<ChangeAnswer> {
    const { claims } = openAllianceConsent(String(token), keeper.state().fed)
    if (claims.iss !== code) throw new ExchangeError('ALLIANCE_CONSENT_INVALID', `${code}: expected its own consent`)
    const standing = enteredAt(String(token))
    if (standing !== null) return { seq: standing }
    const before = keeper.state().alliances.get(claims.id)
    const proposed = await db.selectFrom('alliance_proposal').selectAll().where('alliance', '=', claims.id).executeTakeFirst()
    const same =
      proposed !== undefined && JSON.stringify(proposed.members) === JSON.stringify(claims.members) && proposed.past === claims.past
    const names = {
      zh: String((same ? proposed.zh : zh) ?? before?.zh ?? ''),
      en: String((same ? proposed.en : en) ?? before?.en ?? ''),
    }
    if (!NAME.test(names.zh) || !NAME.test(names.en))
      throw new ExchangeError('REQUEST_INVALID', 'expected names zh and en for a new proposal')
    await db.transaction().execute(async trx => {
      if (!same) {
        // Another membership is another proposal: consents to the one before say nothing about it.
        const row = { ...names, members: JSON.stringify(claims.members), past: claims.past }
        await trx.deleteFrom('alliance_consent').where('alliance', '=', claims.id).execute()
        await trx
          .insertInto('alliance_proposal')
          .values({ alliance: claims.id, ...row })
          .onConflict(conflict => conflict.column('alliance').doUpdateSet(row))
          .execute()
      }
      await trx
        .insertInto('alliance_consent')
        .values({ alliance: claims.id, code, token: String(token) })
        .onConflict(conflict => conflict.columns(['alliance', 'code']).doUpdateSet({ token: String(token) }))
        .execute()
    })
    const held = await db.selectFrom('alliance_consent').select(['code', 'token']).where('alliance', '=', claims.id).execute()
    const missing = missingConsents(claims, before, new Set(held.map(row => row.code)))
    if (missing.length > 0) return { missing }
    const { id, members, past } = claims
    const { claims: entered } = await log.append({
      act: 'alliance',
      id,
      ...names,
      members,
      past,
      consents: held.map(row => row.token),
    })
    await db.deleteFrom('alliance_consent').where('alliance', '=', id).execute()
    await db.deleteFrom('alliance_proposal').where('alliance', '=', id).execute()
    return { seq: entered.seq }
  }

  async function answer(message: Msg, code: string): Promise<void> {
    let said: ChangeAnswer
    try {
      const order = parseIJson(message.data, 2, 'REQUEST_INVALID') as Change | null
      if (typeof order?.change === 'string') said = await enter(code, order.change)
      else if (typeof order?.consent === 'string') said = await consent(code, order)
      else throw new ExchangeError('REQUEST_INVALID', 'expected a change or a consent')
    } catch (error) {
      if (!isExchangeError(error)) failed(error)
      said = isExchangeError(error)
        ? { code: error.code, reason: error.reason }
        : { code: 'INTERNAL', reason: 'see the log of the hub' }
    }
    message.respond(JSON.stringify(said))
  }

  async function proposals(message: Msg, code: string): Promise<void> {
    const rows = await db.selectFrom('alliance_proposal').selectAll().execute()
    const consents = await db.selectFrom('alliance_consent').select(['alliance', 'code']).execute()
    const concerned = rows.filter(
      ({ alliance, members }) =>
        members.includes(code) ||
        keeper
          .state()
          .alliances.get(alliance)
          ?.seats.some(seat => seat.code === code),
    )
    message.respond(
      JSON.stringify(
        concerned.map(({ alliance, zh, en, members, past }) => ({
          id: alliance,
          zh,
          en,
          members,
          past,
          consented: consents.filter(one => one.alliance === alliance).map(one => one.code),
        })),
      ),
    )
  }

  const questions = hearQuestions({ broker, own: HUB, failed }, { change: answer, proposals })
  return {
    take: async token => (await enter(openKeys(token, keeper.state().fed).claims.iss, token)).seq,
    [Symbol.dispose]: () => questions[Symbol.dispose](),
  }
}

/** The furthest entry of a log that a key signed, by the header that its signer writes. */
async function lastSignedBy(
  db: Kysely<LedgerTables>,
  logId: number,
  kid: string,
  alg: string | undefined,
): Promise<LogHead | null> {
  const prefixes = ['hutong-envelope+jwt', 'hutong-epoch+jwt'].map(
    typ => `${Buffer.from(JSON.stringify({ alg, typ, kid })).toString('base64url')}.%`,
  )
  const { rows } = await sql<{ epoch: number; seq: number; digest: string; token: string }>`
    SELECT epoch, seq, digest, token FROM envelope
    WHERE log_id = ${logId}::int AND (token LIKE ${prefixes[0]} OR token LIKE ${prefixes[1]})
    ORDER BY epoch DESC, seq DESC LIMIT 1`.execute(db)
  const [row] = rows
  if (row === undefined || parseToken(row.token, row.seq === 0 ? 'epoch' : 'envelope').kid !== kid) return null
  return { epoch: row.epoch, seq: row.seq, digest: row.digest }
}
