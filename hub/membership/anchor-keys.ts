/**
 * The hub's own keys change as a member's do: announced, so that everybody can compare the new fingerprint by another way; then
 * active; then the old one retired, with the closing of every log that it receipted. Its recovery key is not here: what that must say
 * is signed where it lies, and comes as an entry.
 */
import type { Kysely } from 'kysely'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import type { Keyring } from '../../runtime/membership/keyring.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { activeKeys, keyState, provePossession } from '../../schemas/membership/keys.ts'
import type { MembershipLog } from './log.ts'

export type AnchorStage = 'announce' | 'activate' | 'retire'
export type AnchorKeys = { roll(stage: AnchorStage): Promise<{ readonly position: number; readonly fingerprint: string }> }

export function createAnchorKeys(options: {
  readonly db: Kysely<LedgerTables>
  readonly keeper: MembershipKeeper
  readonly keyring: Keyring
  readonly log: MembershipLog
  readonly clock: () => Date
}): AnchorKeys {
  const { keeper, keyring, log } = options
  const invalid = (reason: string): ExchangeError => new ExchangeError('KEY_CHANGE_INVALID', `hub: ${reason}`)

  const stages: { readonly [stage in AnchorStage]: () => Promise<{ position: number; fingerprint: string }> } = {
    async announce() {
      const { fed, hub } = keeper.state()
      const n = hub.counter + 1
      const key = await keyring.create()
      const proofs = [await provePossession(key.signer, { fed, owner: 'hub', n, now: options.clock() })]
      const { claims } = await log.append({ act: 'anchor', n, announce: [key.jwk], proofs })
      return { position: claims.seq, fingerprint: key.jwk.kid }
    },
    async activate() {
      const { hub } = keeper.state()
      const key = hub.keys.find(one => keyState(one) === 'announced' && keyring.named(one.kid) !== null)
      if (key === undefined) throw invalid('expected an announced key whose file is here')
      const { claims } = await log.append({ act: 'anchor', n: hub.counter + 1, activate: [key.kid] })
      return { position: claims.seq, fingerprint: key.kid }
    },
    async retire() {
      const { hub } = keeper.state()
      const newest = keyring.active(keeper.membership().hubKeys).kid
      const old = activeKeys(hub).filter(({ kid }) => kid !== newest)
      if (old.length === 0) throw invalid('expected an older active key beside the newest')
      // The newest has signed every receipt since it is active: what the old one receipted stands before these heads.
      const closings = (await readLogs(options.db)).flatMap(({ log: { origin, dataset, audience }, head }) =>
        head === null ? [] : [{ org: origin, ds: dataset, aud: audience, ep: head.epoch, seq: head.seq, dig: head.digest }],
      )
      const { claims } = await log.append({
        act: 'anchor',
        n: hub.counter + 1,
        retire: old.map(({ kid }) => ({ kid, closings })),
      })
      return { position: claims.seq, fingerprint: newest }
    },
  }
  return { roll: stage => stages[stage]() }
}
