/**
 * A node watches its own entry. What changed about it is either what the node signed itself, or somebody else's doing: an act that
 * is the hub's to do, a forgery (refused everywhere, and kept), or a change under its own key that it never made, which means that
 * the key is in other hands. Each comes with the entry: the proof that anyone can check.
 */
import type { Digest } from '../digest.ts'
import { tokenDigest } from '../envelope.ts'
import { isExchangeError } from '../errors.ts'
import { type AllianceConsent, openAllianceConsent, openJoin, openKeys } from './consents.ts'
import { type MembershipEntry, openEntry } from './entries.ts'
import { isSignedBy } from './registrations.ts'
import { commonEntries } from './replacement.ts'
import type { MembershipState } from './state.ts'

export type ForeignChange = {
  readonly seq: number
  readonly act: string
  /** `hub`: an act of the hub's own; `unsigned`: no signature of this member; `unknown`: signed with its key, but not by this node */
  readonly by: 'hub' | 'unsigned' | 'unknown'
  /** raise the alarm: all but the acts of the hub's own */
  readonly alarm: boolean
  /** the entry */
  readonly proof: string
}

/**
 * What was said about a member between two states that it did not sign itself. `own` are the digests (`tokenDigest`) of what its
 * node signed: request to join, changes, consents.
 */
export async function foreignChangesOf(
  code: string,
  before: MembershipState,
  after: MembershipState,
  own: ReadonlySet<Digest>,
): Promise<ForeignChange[]> {
  const found: ForeignChange[] = []
  for (const token of after.tokens.slice(commonEntries(before, after))) {
    const entry = openEntry(token, after.fed)
    const by = await whoseDoing(code, entry, after, own)
    if (by !== null) found.push({ seq: entry.claims.seq, act: entry.claims.act, by, alarm: by !== 'hub', proof: token })
  }
  return found
}

async function whoseDoing(
  code: string,
  { claims }: MembershipEntry,
  state: MembershipState,
  own: ReadonlySet<Digest>,
): Promise<ForeignChange['by'] | null> {
  const isOwn = (token: string): boolean => own.has(tokenDigest(token))
  if (claims.act === 'alliance') {
    const foreign = claims.consents.find(token => !isOwn(token) && consentOf(token, state.fed)?.claims.iss === code)
    return foreign === undefined ? null : signedOrNot(code, state, () => openAllianceConsent(foreign, state.fed))
  }
  if (!('code' in claims) || claims.code !== code) return null
  if (claims.act === 'admit') {
    if (isOwn(claims.join)) return null
    // Whoever asked in this member's name proves keys of its own making: unless this node made them, they are not the member's.
    return openJoin(claims.join, state.fed).then(
      (): 'unknown' => 'unknown',
      (): 'unsigned' => 'unsigned',
    )
  }
  if (claims.act !== 'keys' && claims.act !== 'leave') return 'hub'
  if (isOwn(claims.change)) return null
  return signedOrNot(code, state, () => openKeys(claims.change, state.fed))
}

function consentOf(token: string, fed: string): AllianceConsent | null {
  try {
    return openAllianceConsent(token, fed)
  } catch (error) {
    if (isExchangeError(error)) return null
    throw error
  }
}

/** Any key that the member ever had counts: with a former one, too, somebody else signs in its name. */
async function signedOrNot(code: string, state: MembershipState, open: () => { kid: string; parsed: AllianceConsent['parsed'] }) {
  const member = state.members.get(code)
  if (member === undefined) return 'unsigned'
  try {
    return (await isSignedBy(member, open())) ? 'unknown' : 'unsigned'
  } catch (error) {
    if (isExchangeError(error)) return 'unsigned'
    throw error
  }
}
