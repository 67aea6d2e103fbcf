/**
 * How a member comes in. An invitation is good for one request within its time; the request stands as pending until somebody, not the
 * one who invited where the policy wants two people, states the fingerprint of the joiner's key as it was told by another way. Nobody
 * is shown that fingerprint here, so that it cannot be copied from the request that it is to confirm.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Authority } from '../../runtime/broker/authority.ts'
import type { JoinFile } from '../../runtime/membership/join-file.ts'
import type { JoinAnswer } from '../../runtime/membership/joining.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { openJoin } from '../../schemas/membership/consents.ts'
import type { ActOf } from '../../schemas/membership/entries.ts'
import { newestKey } from '../../schemas/membership/keys.ts'
import { checkMemberCode, chineseDay } from '../../schemas/membership/territory.ts'
import type { MembershipLog } from './log.ts'
import type { OfficeTables } from './tables.ts'

export type Admission = Omit<ActOf<'admit'>, 'act' | 'code' | 'join'>
export type Pending = {
  readonly code: string
  readonly zh: string
  readonly en: string
  readonly state: 'invited' | 'pending' | 'expired' | 'admitted' | 'refused' | 'withdrawn'
  readonly invited_by: string
  readonly expires: Date
  readonly missing: readonly string[]
  readonly who: readonly string[]
}

export type Office = {
  invite(order: { code: string; admission: Admission; lifetimeMs: number }, by: string): Promise<JoinFile>
  /** @throws JOIN_EXPIRED, JOIN_TICKET_USED, REQUEST_UNAUTHORIZED, and what the rules have against the request */
  request(ticket: string, secret: string, token: string): Promise<JoinAnswer>
  poll(code: string, secret: string): Promise<JoinAnswer>
  pending(): Promise<Pending[]>
  /** @throws JOIN_UNKNOWN, JOIN_APPROVER_SAME, JOIN_FINGERPRINT_MISMATCH, and what the rules refuse */
  approve(code: string, fingerprint: string, by: string): Promise<number>
  refuse(code: string, reason: string, by: string): Promise<void>
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
/** Takes as long whatever was given. */
const equal = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

export function createOffice(options: {
  readonly db: Kysely<OfficeTables>
  readonly keeper: MembershipKeeper
  readonly log: MembershipLog
  readonly authority: Authority | null
  /** where joiners find hub and broker */
  readonly place: () => { readonly hub: string; readonly brokers: string; readonly ca: string | null }
  readonly clock: () => Date
}): Office {
  const { db, keeper, log, authority, clock } = options

  const newest = (code: string) =>
    db
      .selectFrom('invitation')
      .leftJoin('join_request', 'join_request.ticket', 'invitation.ticket')
      .selectAll('invitation')
      .select(['token', 'fingerprint', 'received_at', 'approved_by', 'refused_by', 'reason'])
      .where('code', '=', code)
      .orderBy('invited_at', 'desc')
      .limit(1)
      .executeTakeFirst()
  type Found = NonNullable<Awaited<ReturnType<typeof newest>>>

  function stateOf(found: Found): Pending['state'] {
    if (keeper.state().tickets.has(found.ticket)) return 'admitted'
    if (found.withdrawn_at !== null) return 'withdrawn'
    if (found.refused_by !== null) return 'refused'
    if (found.token !== null) return 'pending'
    return found.expires_at <= clock() ? 'expired' : 'invited'
  }

  function missingOf(found: Found): { missing: string[]; who: string[] } {
    const { approvals } = keeper.state().policy
    const other =
      approvals === 2
        ? `枢纽中邀请人以外的一人 somebody of the hub other than ${found.invited_by}`
        : '枢纽的一人 somebody of the hub'
    const state = stateOf(found)
    if (state === 'invited') return { missing: ['加入申请 the request to join'], who: [`${found.code}: hutong node join`] }
    if (state === 'pending')
      return {
        missing: [
          '以另一途径取得的申请方密钥指纹，及据此的批准 the fingerprint of the joiner’s key, told by another way, and the approval with it',
        ],
        who: [other],
      }
    if (state === 'refused') return { missing: [found.reason ?? ''], who: [] }
    return { missing: [], who: [] }
  }

  async function answerOf(found: Found): Promise<JoinAnswer> {
    const state = stateOf(found)
    if (state === 'admitted') {
      const member = keeper.state().members.get(found.code)
      if (authority === null || member === undefined)
        throw new ExchangeError('BROKER_UNAVAILABLE', `${found.code}: expected an authority over the broker here`)
      const { brokers, ca } = options.place()
      return {
        state,
        entries: [...keeper.state().tokens],
        broker: { jwt: await authority.admit(found.code, member.nkey), urls: brokers, ca },
      }
    }
    if (state === 'refused' || state === 'pending') return { state, ...missingOf(found) }
    throw new ExchangeError(state === 'withdrawn' ? 'JOIN_UNKNOWN' : 'JOIN_EXPIRED', `${found.code}: the invitation is ${state}`)
  }

  /** Whoever has no secret learns nothing, not even that there is an invitation. */
  function checkSecret(found: { readonly secret_digest: string } | undefined, secret: string): void {
    const expected = found?.secret_digest ?? ''
    if (!equal(digest(secret).toString('base64url'), expected) || expected === '')
      throw new ExchangeError('REQUEST_UNAUTHORIZED', 'expected the one-time secret of an invitation')
  }

  return {
    async invite({ code, admission, lifetimeMs }, by) {
      const now = clock()
      checkMemberCode(code, admission.kind, chineseDay(now))
      const { standing } = keeper.state().members.get(code) ?? { standing: 'left' }
      if (standing !== 'left')
        throw new ExchangeError('MEMBER_STATE_INVALID', `${code}: expected a code that is not a member's, it is ${standing}`)
      const [ticket, secret] = [randomBytes(16).toString('base64url'), randomBytes(32).toString('base64url')]
      const expires = new Date(now.getTime() + lifetimeMs)
      await db.transaction().execute(async trx => {
        // Of several invitations of one code the newest alone is good.
        await trx
          .updateTable('invitation')
          .set({ withdrawn_at: now })
          .where('code', '=', code)
          .where('withdrawn_at', 'is', null)
          .execute()
        await trx
          .insertInto('invitation')
          .values({
            ticket,
            code,
            admission: JSON.stringify(admission),
            secret_digest: digest(secret).toString('base64url'),
            invited_by: by,
            invited_at: now,
            expires_at: expires,
          })
          .execute()
      })
      const { fed, hub } = keeper.state()
      const anchor = newestKey(hub).kid
      const { zh, en } = admission
      return { hutong: 'join', fed, code, zh, en, ...options.place(), anchor, ticket, secret, expires: expires.toISOString() }
    },
    async request(ticket, secret, token) {
      const row = await db
        .selectFrom('invitation')
        .select(['code', 'secret_digest'])
        .where('ticket', '=', ticket)
        .executeTakeFirst()
      checkSecret(row, secret)
      const found = await newest(row?.code ?? '')
      if (found === undefined || found.ticket !== ticket) throw new ExchangeError('JOIN_EXPIRED', 'expected the newest invitation')
      if (found.token === token) return answerOf(found)
      if (found.token !== null)
        throw new ExchangeError('JOIN_TICKET_USED', `${found.code}: another request came with this invitation`)
      if (found.expires_at <= clock())
        throw new ExchangeError('JOIN_EXPIRED', `${found.code}: expected a request before ${found.expires_at.toISOString()}`)
      const { claims, kid } = await openJoin(token, keeper.state().fed)
      if (claims.iss !== found.code || claims.ticket !== ticket)
        throw new ExchangeError('JOIN_TICKET_USED', `${claims.iss}: expected a request of ${found.code} with its own invitation`)
      if (!keeper.state().hub.keys.some(key => key.kid === claims.anchor && !key.stolen))
        throw new ExchangeError('JOIN_ANCHOR_FOREIGN', `${claims.iss}: expected trust in an anchor key of ${claims.fed}`)
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('join_request')
        .values({ ticket, token, fingerprint: kid })
        .onConflict(conflict => conflict.column('ticket').doNothing())
        .executeTakeFirst()
      if ((numInsertedOrUpdatedRows ?? 0n) === 0n)
        throw new ExchangeError('JOIN_TICKET_USED', `${found.code}: another request came with this invitation`)
      return answerOf({ ...found, token, fingerprint: kid })
    },
    async poll(code, secret) {
      const found = await newest(code)
      checkSecret(found, secret)
      if (found === undefined || found.token === null)
        throw new ExchangeError('JOIN_UNKNOWN', `${code}: expected a request to join`)
      return answerOf(found)
    },
    async pending() {
      const rows = await db.selectFrom('invitation').select('code').distinct().orderBy('code').execute()
      const found = await Promise.all(rows.map(({ code }) => newest(code)))
      return found.flatMap(one => {
        if (one === undefined) return []
        const { zh, en } = one.admission as Admission
        const { code, invited_by, expires_at: expires } = one
        return [{ code, zh, en, state: stateOf(one), invited_by, expires, ...missingOf(one) }]
      })
    },
    async approve(code, fingerprint, by) {
      const found = await newest(code)
      if (found === undefined || found.token === null || found.fingerprint === null)
        throw new ExchangeError('JOIN_UNKNOWN', `${code}: expected a request to join that is pending`)
      const before = keeper.state().members.get(code)
      if (stateOf(found) === 'admitted' && before !== undefined) return before.standingAt
      if (stateOf(found) !== 'pending')
        throw new ExchangeError('JOIN_UNKNOWN', `${code}: expected a request that is pending, it is ${stateOf(found)}`)
      if (keeper.state().policy.approvals === 2 && by === found.invited_by)
        throw new ExchangeError('JOIN_APPROVER_SAME', `${code}: expected somebody else than ${by}, who invited`)
      if (!equal(fingerprint.replaceAll(/\s/g, ''), found.fingerprint))
        throw new ExchangeError('JOIN_FINGERPRINT_MISMATCH', `${code}: expected the fingerprint of the key that asks to join`)
      const { claims } = await log.append({ ...(found.admission as Admission), act: 'admit', code, join: found.token })
      await db
        .updateTable('join_request')
        .set({ approved_by: by, decided_at: clock() })
        .where('ticket', '=', found.ticket)
        .execute()
      return claims.seq
    },
    async refuse(code, reason, by) {
      const found = await newest(code)
      if (found === undefined || found.token === null || stateOf(found) !== 'pending')
        throw new ExchangeError('JOIN_UNKNOWN', `${code}: expected a request to join that is pending`)
      await db
        .updateTable('join_request')
        .set({ refused_by: by, reason, decided_at: clock() })
        .where('ticket', '=', found.ticket)
        .execute()
    },
  }
}
