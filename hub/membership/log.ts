/**
 * The one place where the hub enters something into the membership log. What a rule would refuse is refused here first, so that it
 * takes no position; what would convict the hub is not signed. Before its first entry in a life the hub has asked the members whether they
 * hold more of its log than itself: restored from an old backup it would otherwise sign a second history.
 */
import { randomInt } from 'node:crypto'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import type { Keyring } from '../../runtime/membership/keyring.ts'
import type { MembershipRoad } from '../../runtime/membership/road.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { applyEntry } from '../../schemas/membership/application.ts'
import { type MembershipAct, type MembershipEntry, sealEntry } from '../../schemas/membership/entries.ts'
import type { Signer } from '../../schemas/tokens.ts'

export type MembershipLog = {
  /** Fulfilled when it is in the log. `by` signs in place of the active key: the recovery key. @throws what the rules refuse it with */
  append(act: MembershipAct, by?: Signer): Promise<MembershipEntry>
  /** Takes an entry that was signed elsewhere: under the recovery key. `voided`: positions that lost their effect by it. */
  take(token: string): Promise<Entered>
}

type Entered = MembershipEntry & { readonly voided?: readonly number[] }

const ATTEMPTS = 4

export function createMembershipLog(options: {
  readonly keeper: MembershipKeeper
  readonly keyring: Keyring
  readonly road: MembershipRoad
  readonly clock: () => Date
}): MembershipLog {
  const { keeper, keyring, clock } = options
  const known = options.road.catchUp()
  let working: Promise<unknown> = Promise.resolve()

  async function take(token: string): Promise<Entered> {
    const verdict = await applyEntry(keeper.state(), token)
    if (verdict.kind === 'duplicate') return verdict.entry
    if (verdict.kind !== 'applied') throw verdict.error
    const [conviction] = verdict.convictions
    if (conviction !== undefined) throw new ExchangeError('CLOSING_BELOW_RECEIPT', conviction.reason)
    await keeper.take([token])
    if (keeper.state().tokens[verdict.entry.claims.seq - 1] === token) {
      const { entry, voided } = verdict
      return voided === undefined ? entry : { ...entry, voided }
    }
    throw new ExchangeError('MEMBERSHIP_CONTRADICTION', `another entry stands at ${verdict.entry.claims.seq}`)
  }

  async function appendNow(act: MembershipAct, by: Signer | undefined): Promise<MembershipEntry> {
    await known
    for (let attempt = 1; ; attempt += 1) {
      const { fed, position, tokens } = keeper.state()
      const signer = by ?? keyring.active(keeper.membership().hubKeys)
      const token = await sealEntry(act, { fed, seq: position + 1, head: tokens.at(-1) ?? null, signer, now: clock() })
      try {
        return await take(token)
      } catch (error) {
        // Another process of this hub was first: the entry never left this one.
        if (!(error instanceof ExchangeError) || error.code !== 'MEMBERSHIP_CONTRADICTION' || attempt === ATTEMPTS) throw error
        await new Promise(resolve => setTimeout(resolve, randomInt(20, 200)))
      }
    }
  }

  const inTurn = <Type>(act: () => Promise<Type>): Promise<Type> => {
    const done = working.then(act)
    working = done.catch(() => {})
    return done
  }
  return { append: (act, by) => inTurn(() => appendNow(act, by)), take: token => inTurn(() => take(token)) }
}
