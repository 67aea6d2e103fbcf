/**
 * Takes entries of the membership log up, one after the other. An entry that the hub signed for the next position takes that
 * position, at every holder alike, even if a rule refuses it: it then changes nothing and stays in the log as the proof of what was
 * tried. What cannot be shown to be the hub's takes no position (thrown). Two entries of the hub that cannot both be true convict
 * it; the first stays. Nothing here reads a clock, and nothing depends on when or from whom an entry came.
 */
import { tokenDigest } from '../envelope.ts'
import { ExchangeError, isExchangeError } from '../errors.ts'
import type { Receipt } from '../statements.ts'
import { verifyToken } from '../tokens.ts'
import { ADMISSION_RULES } from './admission.ts'
import { ALLIANCE_RULES } from './alliances.ts'
import { ANCHOR_RULES } from './anchor.ts'
import { type MembershipEntry, openEntry } from './entries.ts'
import { type KeyJwk, verificationKey } from './keys.ts'
import { keepsEffect, type Replacement, replacementIn, stateAt, withoutThieves } from './replacement.ts'
import { STANDING_RULES } from './standing.ts'
import type { Effect, MembershipState, Outcome, Rule, Rules } from './state.ts'

const RULES: Rules = { ...ANCHOR_RULES, ...ADMISSION_RULES, ...STANDING_RULES, ...ALLIANCE_RULES }

/**
 * Judges one entry, as a token or taken apart, and applies it if it is the next.
 * `receipts` are the hub's receipts that this holder had when the entry first came; at a replay, those of the convictions it kept.
 * A founding that is refused is thrown: there is nothing yet that it could take a position in.
 * @throws TOKEN_*, FEDERATION_FOREIGN, KEY_UNKNOWN, KEY_NOT_ACTIVE, KEY_OUT_OF_RANGE
 */
export async function applyEntry(
  state: MembershipState,
  token: string | MembershipEntry,
  receipts: readonly Receipt[] = [],
): Promise<Outcome> {
  const entry = typeof token === 'string' ? openEntry(token, state.fed) : token
  const { fed, seq } = entry.claims
  if (fed !== state.fed) throw new ExchangeError('FEDERATION_FOREIGN', `expected federation ${state.fed}`)
  if (state.tokens[seq - 1] === entry.token) return { kind: 'duplicate', state, entry }
  const replacement = replacementIn(entry)
  if (replacement === null) return applyNext(state, entry, receipts, null)
  const stood = await withoutThieves(state, entry, replacement, held => openEntry(held, fed).kid)
  return applyNext(stood, entry, receipts, replacement)
}

async function applyNext(
  state: MembershipState,
  entry: MembershipEntry,
  receipts: readonly Receipt[],
  replacement: Replacement | null,
): Promise<Outcome> {
  const { seq, prv } = entry.claims
  const held = state.tokens[seq - 1]
  if (seq > state.position + 1) {
    const error = new ExchangeError('MEMBERSHIP_GAP', `expected entry ${state.position + 1}, got ${seq}`)
    return { kind: 'gap', state, entry, from: state.position + 1, error }
  }
  const vouched = state.vouched.get(seq)
  if (vouched !== undefined && vouched !== entry.digest)
    throw new ExchangeError('KEY_OUT_OF_RANGE', `expected the entry ${seq} that the recovery key of the hub vouches for`)
  await verifyToken(entry.parsed, await verificationKey(hubKey(state, entry)))
  const head = state.tokens.at(-1)
  if (held !== undefined) return contradiction(state, entry, held, `two entries at ${seq}`)
  if (head !== undefined && prv !== tokenDigest(head))
    return contradiction(state, entry, head, `entry ${seq} follows another than the one at ${seq - 1}`)
  const next = standingAt(state, entry)
  try {
    const { state: ended, voided } =
      replacement === null ? { state: next, voided: [] } : await endWords(state, entry, replacement, receipts)
    const { state: after, convictions = [] } = await effectOf(ended, entry, receipts)
    return { kind: 'applied', state: after, entry, convictions, ...(voided.length === 0 ? {} : { voided }) }
  } catch (error) {
    if (!isExchangeError(error) || state.position === 0) throw error
    return { kind: 'refused', state: next, entry, error, about: aboutWhom(entry) }
  }
}

/** The entry takes its position; what it does comes after. */
const standingAt = (state: MembershipState, entry: MembershipEntry): MembershipState => ({
  ...state,
  position: entry.claims.seq,
  tokens: [...state.tokens, entry.token],
  past: [...state.past, { ...state, tokens: [], past: [], vouched: NOTHING_VOUCHED }],
  vouched: state.vouched.has(entry.claims.seq) ? state.vouched : NOTHING_VOUCHED,
  anchored: state.anchored || entry.kid === state.anchor,
})
const NOTHING_VOUCHED: MembershipState['vouched'] = new Map()

/** The state before a replacement's own effect: what the stolen keys said past their end is void, at its position. */
async function endWords(
  state: MembershipState,
  entry: MembershipEntry,
  replacement: Replacement,
  receipts: readonly Receipt[],
): Promise<{ readonly state: MembershipState; readonly voided: readonly number[] }> {
  const voided: number[] = []
  let current = stateAt(state, replacement.ends)
  for (const token of state.tokens.slice(current.position)) {
    const between = openEntry(token, state.fed)
    const next = standingAt(current, between)
    const stays = keepsEffect(between, replacement, current)
    if (!stays) voided.push(between.claims.seq)
    current = stays ? await effectOr(next, between, receipts) : next
  }
  return { state: standingAt(current, entry), voided }
}

const effectOr = (state: MembershipState, entry: MembershipEntry, receipts: readonly Receipt[]): Promise<MembershipState> =>
  effectOf(state, entry, receipts).then(
    effect => effect.state,
    (error: unknown) => {
      if (!isExchangeError(error)) throw error
      return state
    },
  )

const effectOf = (state: MembershipState, entry: MembershipEntry, receipts: readonly Receipt[]): Promise<Effect> => {
  const { act } = entry.claims
  return (RULES[act] as Rule<typeof act>)(state, entry.claims, { entry, seq: entry.claims.seq, receipts })
}

/** The member whose own standing or keys an entry is about. */
export const aboutWhom = ({ claims }: MembershipEntry): string | null => ('code' in claims ? claims.code : null)

function contradiction(state: MembershipState, entry: MembershipEntry, held: string, reason: string): Outcome {
  const error = new ExchangeError('MEMBERSHIP_CONTRADICTION', reason)
  return { kind: 'contradiction', state, entry, error, conviction: { whom: 'hub', statements: [held, entry.token], reason } }
}

/**
 * The hub's key for an entry: one that was active before it and not retired before it. The entry that founds brings its own, and the
 * recovery key signs changes of the hub's keys and nothing else.
 */
function hubKey(state: MembershipState, { kid, claims }: MembershipEntry): KeyJwk {
  const unknown = new ExchangeError('KEY_UNKNOWN', 'expected the identifier of one of the keys of the hub')
  if (state.position === 0) {
    const first = claims.act === 'found' ? claims.keys.find(key => key.kid === kid) : undefined
    if (first === undefined) throw unknown
    return first
  }
  if (claims.act === 'anchor' && kid === state.hub.recovery.kid) return state.hub.recovery
  const key = state.hub.keys.find(one => one.kid === kid)
  if (key === undefined) throw unknown
  const { activeFrom, retiredAt, stolen } = key
  const founding = activeFrom === 1 && claims.seq === 1
  if (activeFrom === null || (activeFrom >= claims.seq && !founding))
    throw new ExchangeError('KEY_NOT_ACTIVE', `expected a key of the hub that was active before entry ${claims.seq}`)
  if (retiredAt !== null && (stolen || claims.seq > retiredAt))
    throw new ExchangeError('KEY_OUT_OF_RANGE', `expected a key of the hub that was not retired before entry ${claims.seq}`)
  return key.jwk
}

export type Taken = {
  readonly state: MembershipState
  /** of the entries that had their turn, in the order of positions */
  readonly outcomes: readonly Outcome[]
  /** entries behind a gap, to be offered again */
  readonly waiting: readonly string[]
}

/**
 * Takes entries in whatever order they came. Those behind a gap wait; those that are not the hub's are dropped, and `onRefused` hears.
 */
export async function takeEntries(
  state: MembershipState,
  tokens: readonly string[],
  options: { readonly receipts?: readonly Receipt[]; readonly onRefused?: (token: string, error: ExchangeError) => void } = {},
): Promise<Taken> {
  const refuse = (token: string, error: unknown): void => {
    if (!isExchangeError(error)) throw error
    options.onRefused?.(token, error)
  }
  const entries: MembershipEntry[] = []
  for (const token of new Set(tokens)) {
    try {
      entries.push(openEntry(token, state.fed))
    } catch (error) {
      refuse(token, error)
    }
  }
  entries.sort((a, b) => a.claims.seq - b.claims.seq)
  const outcomes: Outcome[] = []
  const waiting: string[] = []
  let current = state
  // What a replacement of stolen keys vouches for is known before the entries themselves are judged.
  for (const entry of entries.filter(one => replacementIn(one) !== null && state.tokens[one.claims.seq - 1] !== one.token)) {
    const outcome = await applyEntry(current, entry, options.receipts).catch((): null => null)
    if (outcome?.kind === 'gap') current = outcome.state
  }
  for (const entry of entries) {
    try {
      const outcome = await applyEntry(current, entry, options.receipts)
      if (outcome.kind === 'gap') waiting.push(entry.token)
      else outcomes.push(outcome)
      current = outcome.state
    } catch (error) {
      refuse(entry.token, error)
    }
  }
  return { state: current, outcomes, waiting }
}
