/**
 * Watches the keys of the hub. A new one is believed because an earlier one, or the recovery key of the founding, says so; whether that was
 * the hub's own doing only its people can tell, by another way than the network. Until somebody here has compared the fingerprint the
 * health says so. And where a replacement of stolen keys has dropped entries, what this member had said in them is said again.
 */
import type { Kysely } from 'kysely'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { openKeys } from '../../schemas/membership/consents.ts'
import { keyState } from '../../schemas/membership/keys.ts'
import type { OwnStatements } from './own-statements.ts'
import type { OwnMembershipTables } from './tables.ts'

export type AnchorRow = {
  readonly fingerprint: string
  readonly state: string
  readonly stolen: boolean
  readonly active_from: number | null
  /** compared here with what was told by another way, the invitation counting as that */
  readonly confirmed: boolean
}
export type AnchorWatch = AsyncDisposable & {
  anchors(): Promise<AnchorRow[]>
  /** one sentence for the health, null once the fingerprint was compared */
  trouble(): Promise<string | null>
  /** @throws JOIN_ANCHOR_FOREIGN unless it is the fingerprint of a key of the hub that is announced or active */
  confirm(fingerprint: string): Promise<void>
}

export function watchAnchor(options: {
  readonly db: Kysely<OwnMembershipTables>
  readonly own: string
  readonly keeper: MembershipKeeper
  /** that the invitation named */
  readonly anchor: string
  readonly statements: OwnStatements
  /** puts a statement of this member to the hub again */
  readonly again: (token: string) => Promise<unknown>
  readonly replaced: (seq: number, fingerprint: string) => void
  readonly failed: (error: unknown) => void
}): AnchorWatch {
  const { db, own, keeper } = options

  async function anchors(): Promise<AnchorRow[]> {
    const rows = await db.selectFrom('anchor_confirmation').select('fingerprint').execute()
    const known = new Set([options.anchor, ...rows.map(({ fingerprint }) => fingerprint)])
    return keeper.state().hub.keys.map(key => ({
      fingerprint: key.kid,
      state: keyState(key),
      stolen: key.stolen,
      active_from: key.activeFrom,
      confirmed: known.has(key.kid),
    }))
  }

  /** In the order of their counters. */
  async function sayAgain(counter: number): Promise<void> {
    const said = (await options.statements.changes()).map(token => ({ token, n: openKeys(token, keeper.state().fed).claims.n }))
    for (const { token, n } of said.sort((a, b) => a.n - b.n)) if (n > counter) await options.again(token)
  }

  let working: Promise<unknown> = Promise.resolve()
  const listening = keeper.onChange(({ before, after, outcomes }) => {
    for (const outcome of outcomes)
      if (outcome.kind === 'applied' && outcome.entry.claims.act === 'anchor' && outcome.entry.claims.stolen === true)
        options.replaced(outcome.entry.claims.seq, outcome.entry.claims.activate?.[0] ?? '')
    const [was, is] = [before, after].map(state => state.members.get(own)?.ring.counter ?? 0)
    if ((is ?? 0) < (was ?? 0)) working = working.then(() => sayAgain(is ?? 0)).catch(options.failed)
  })
  return {
    anchors,
    async trouble() {
      const open = (await anchors()).filter(({ state, confirmed }) => state !== 'retired' && !confirmed)
      return open.length === 0 ? null : `nobody here has compared the hub's key ${open.map(one => one.fingerprint).join(', ')} yet`
    },
    async confirm(fingerprint) {
      const { hub } = keeper.state()
      if (!hub.keys.some(key => key.kid === fingerprint && keyState(key) !== 'retired'))
        throw new ExchangeError('JOIN_ANCHOR_FOREIGN', 'expected the fingerprint of a key of the hub that is not retired')
      await db
        .insertInto('anchor_confirmation')
        .values({ fingerprint })
        .onConflict(conflict => conflict.doNothing())
        .execute()
    },
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]()
      await working
    },
  }
}
