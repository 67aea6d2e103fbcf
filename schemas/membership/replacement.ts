/**
 * What becomes of the log when the hub's keys were stolen. The replacement stands under the recovery key, which the thief does not
 * have. It says where the stolen keys' words end: past that, of what they signed only what a member signed itself stays. And it vouches
 * for the entries before it by their digests: whoever took others of the thief in their place goes back to the last one that is
 * right and takes those. So every holder comes to the same log and state, whichever of the two it heard first.
 */
import { tokenDigest } from '../envelope.ts'
import { verifyToken } from '../tokens.ts'
import type { ActOf, MembershipEntry } from './entries.ts'
import { verificationKey } from './keys.ts'
import type { MembershipState } from './state.ts'

/** In these the hub's signature says where they stand, and no more. */
const OF_MEMBERS: readonly string[] = ['keys', 'leave', 'alliance']
export const isOfMembers = (act: string): boolean => OF_MEMBERS.includes(act)

/** how far back a replacement vouches for entries */
export const VOUCHED_ENTRIES = 512

export type Replacement = {
  readonly seq: number
  /** position where the stolen keys' words end */
  readonly ends: number
  readonly stolen: ReadonlySet<string>
  /** digests of the entries before it, by position */
  readonly chain: ReadonlyMap<number, string>
}

/** null for an entry that says nothing of stolen keys of the hub. */
export function replacementIn({ claims }: MembershipEntry): Replacement | null {
  if (claims.act !== 'anchor' || claims.stolen !== true || claims.prv === undefined) return null
  const { seq, prv, ends = seq - 1, chain = [prv], retire = [] } = claims
  if (ends >= seq || chain.length >= seq || chain.at(-1) !== prv) return null
  return {
    seq,
    ends,
    stolen: new Set(retire.map(({ kid }) => kid)),
    chain: new Map(chain.map((digest, index) => [seq - chain.length + index, digest])),
  }
}

/** The digests of the newest entries, for the claim `chain`. */
export const chainBefore = ({ tokens }: MembershipState): NonNullable<ActOf<'anchor'>['chain']> =>
  tokens.slice(-VOUCHED_ENTRIES).map(token => tokenDigest(token)) as NonNullable<ActOf<'anchor'>['chain']>

/** How many entries two states have in common. */
export function commonEntries(before: MembershipState, after: MembershipState): number {
  const differs = before.tokens.findIndex((token, index) => after.tokens[index] !== token)
  return differs === -1 ? before.tokens.length : differs
}

/** The state as it was at an earlier position. */
export const stateAt = (state: MembershipState, position: number): MembershipState => {
  const before = position < state.position ? state.past[position] : undefined
  if (before === undefined) return state
  return { ...before, tokens: state.tokens.slice(0, position), past: state.past.slice(0, position) }
}

/**
 * The state to judge a replacement from: without the entries that a thief put in the place of those that it vouches for. Unchanged where
 * there are none, where nothing of the chain is held, or where the replacement is not the recovery key's.
 */
export async function withoutThieves(
  state: MembershipState,
  { kid, parsed }: MembershipEntry,
  replacement: Replacement,
  signedBy: (token: string) => string,
): Promise<MembershipState> {
  const held = Math.min(state.position, replacement.seq - 1)
  const common = [...replacement.chain.keys()]
    .filter(seq => seq <= held && tokenDigest(state.tokens[seq - 1] ?? '') === replacement.chain.get(seq))
    .at(-1)
  if (common === undefined || common === state.position) return state
  const before = stateAt(state, common)
  if (before.hub.recovery.kid !== kid) return state
  // Whoever signs past it with a key that was not stolen contradicts itself, and that stays.
  const honest = state.tokens.slice(common).some(token => {
    const by = signedBy(token)
    return !replacement.stolen.has(by) && before.hub.keys.some(key => key.kid === by)
  })
  if (honest) return state
  await verifyToken(parsed, await verificationKey(before.hub.recovery))
  return { ...before, vouched: replacement.chain }
}

/** Whether an entry past the end of the stolen keys' words keeps its effect. */
export const keepsEffect = (entry: MembershipEntry, { stolen }: Replacement, state: MembershipState): boolean =>
  isOfMembers(entry.claims.act) || (!stolen.has(entry.kid) && state.hub.keys.some(key => key.kid === entry.kid))
