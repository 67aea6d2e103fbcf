/**
 * The hub's own keys change as a member's do: announced, so that everybody can compare the new fingerprint by another way; then
 * active; then the old one retired, with the closing of every log that it receipted. After a theft the recovery key replaces them all at
 * once. That key is not here: what it must say is made here, signed where it lies, and comes back as an entry.
 */
import type { Kysely } from 'kysely'
import { readLogs } from '../../runtime/ledger/ledger.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import type { HeldKey, Keyring } from '../../runtime/membership/keyring.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { type ActOf, entryClaims, openEntry } from '../../schemas/membership/entries.ts'
import { activeKeys, keyState, provePossession } from '../../schemas/membership/keys.ts'
import { chainBefore, isOfMembers, stateAt } from '../../schemas/membership/replacement.ts'
import { parseToken } from '../../schemas/tokens.ts'
import type { MembershipLog } from './log.ts'

export type AnchorStage = 'announce' | 'activate' | 'retire'
/** An entry past the end of the stolen keys' words. `stays`: a member signed what it says. */
export type EndedEntry = { readonly seq: number; readonly act: string; readonly code: string | null; readonly stays: boolean }
export type AnchorKeys = {
  roll(stage: AnchorStage): Promise<{ readonly position: number; readonly fingerprint: string }>
  /**
   * The claims of an entry that replaces all keys of the hub by a new one, for the recovery key to sign. `ends`: position of the last
   * entry that the hub stands by; the last of all unless given.
   */
  prepareReplacement(ends: number | null): Promise<{
    readonly claims: object
    readonly fingerprint: string
    readonly ended: readonly EndedEntry[]
  }>
  /** @throws KEY_CHANGE_INVALID if something was entered meanwhile, KEY_RECOVERY_REQUIRED, and what the rules refuse it with */
  replace(token: string): Promise<{ readonly position: number; readonly fingerprint: string; readonly voided: readonly number[] }>
}

/** entries that change nothing, after a theft, at most */
const LEVEL_MAX = 4096

export function createAnchorKeys(options: {
  readonly db: Kysely<LedgerTables>
  readonly keeper: MembershipKeeper
  readonly keyring: Keyring
  readonly log: MembershipLog
  readonly clock: () => Date
}): AnchorKeys {
  const { keeper, keyring, log } = options
  const invalid = (reason: string): ExchangeError => new ExchangeError('KEY_CHANGE_INVALID', `hub: ${reason}`)

  async function closingsNow() {
    return (await readLogs(options.db)).flatMap(({ log: { origin, dataset, audience }, head }) =>
      head === null ? [] : [{ org: origin, ds: dataset, aud: audience, ep: head.epoch, seq: head.seq, dig: head.digest }],
    )
  }
  /** A key of this hub that stands in no entry yet: of a replacement that was broken off, or new. */
  async function freshKey(): Promise<HeldKey> {
    const registered = new Set(keeper.state().hub.keys.map(({ kid }) => kid))
    return keyring.all().find(({ jwk }) => !registered.has(jwk.kid)) ?? (await keyring.create())
  }

  /**
   * Members that had taken the thief's entries have named later positions in what they signed since, and every holder waits for these.
   * The log comes to them with entries that change nothing.
   */
  async function level(): Promise<void> {
    const rows = await options.db.selectFrom('announced').select('token').execute()
    const named = rows.map(({ token }) => (parseToken(token, 'head').claims as { readonly mem?: number }).mem ?? 0)
    const until = Math.min(Math.max(0, ...named), keeper.state().position + LEVEL_MAX)
    while (keeper.state().position < until) {
      const { policy, edition } = keeper.state()
      const algorithms = [...policy.algorithms] as ActOf<'policy'>['policy']['algorithms']
      await log.append({ act: 'policy', policy: { algorithms, approvals: policy.approvals }, territory: edition })
    }
  }

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
      const closings = await closingsNow()
      const { claims } = await log.append({
        act: 'anchor',
        n: hub.counter + 1,
        retire: old.map(({ kid }) => ({ kid, closings })),
      })
      return { position: claims.seq, fingerprint: newest }
    },
  }
  return {
    roll: stage => stages[stage](),
    async prepareReplacement(ends) {
      const key = await freshKey()
      const closings = await closingsNow()
      const state = keeper.state()
      const { fed, position, tokens } = state
      const last = ends ?? position
      if (last < 1 || last > position) throw invalid(`expected a position from 1 to ${position}, got ${last}`)
      const hub = stateAt(state, last).hub
      const stolen = hub.keys.filter(one => keyState(one) !== 'retired').map(({ kid }) => kid)
      const n = hub.counter + 1
      const now = options.clock()
      const act: ActOf<'anchor'> = {
        act: 'anchor',
        n,
        announce: [key.jwk],
        activate: [key.jwk.kid],
        retire: stolen.map(kid => ({ kid, closings })) as NonNullable<ActOf<'anchor'>['retire']>,
        stolen: true,
        ends: last,
        chain: chainBefore(state),
        proofs: [await provePossession(key.signer, { fed, owner: 'hub', n, now })],
      }
      const claims = entryClaims(act, { fed, seq: position + 1, head: tokens.at(-1) ?? null, now })
      const ended = tokens.slice(last).map((token, index): EndedEntry => {
        const { claims: said } = openEntry(token, fed)
        return { seq: last + 1 + index, act: said.act, code: 'code' in said ? said.code : null, stays: isOfMembers(said.act) }
      })
      return { claims, fingerprint: key.jwk.kid, ended }
    },
    async replace(token) {
      const { claims, kid } = openEntry(token, keeper.state().fed)
      const [fingerprint] = claims.act === 'anchor' && claims.stolen === true ? (claims.activate ?? []) : []
      if (fingerprint === undefined || kid !== keeper.state().hub.recovery.kid)
        throw new ExchangeError('KEY_RECOVERY_REQUIRED', 'hub: expected a replacement under the recovery key')
      if (keyring.named(fingerprint) === null) throw invalid('expected a new key that was made here')
      // A signature that took time: what was entered since would be dropped with the thief's.
      if (claims.seq !== keeper.state().position + 1 && keeper.state().tokens[claims.seq - 1] !== token)
        throw invalid(`expected entry ${keeper.state().position + 1}, got ${claims.seq}: prepare it again`)
      const { voided = [] } = await log.take(token)
      await level()
      return { position: claims.seq, fingerprint, voided }
    },
  }
}
