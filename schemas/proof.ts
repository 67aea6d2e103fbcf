/**
 * A proof of contradiction as a file: two statements of one signer that cannot both be true. It needs nobody's word: whoever has the
 * membership file opens both tokens, and the same rule that froze the log says why they contradict. The file is a line that names the
 * form, and the two compact tokens, a line each; everything of meaning stands in what was signed.
 *
 *   hutong-proof/1 LF token LF token LF
 */
import {
  type Assertion,
  assertionsOfEntry,
  assertionsOfHeads,
  type Contradiction,
  findContradiction,
  formatContradiction,
} from './assertions.ts'
import { tokenKindOf } from './bundle.ts'
import { type Digest, digestOf } from './digest.ts'
import { tokenDigest } from './envelope.ts'
import { ExchangeError } from './errors.ts'
import { LIMITS } from './limits.ts'
import { formatLogId, formatPosition, type LogId } from './log.ts'
import type { Membership } from './membership.ts'
import { openToken } from './opening.ts'
import { openHead, openReceipt } from './statements.ts'
import { parseToken } from './tokens.ts'

const FIRST_LINE = 'hutong-proof/1'
/** whose statements are receipts */
export const HUB_SIGNER = 'hub'

/** The kinds of token that say where a log stands. */
export const STATEMENT_KINDS = ['envelope', 'epoch', 'head', 'receipt'] as const
export type StatementKind = (typeof STATEMENT_KINDS)[number]
export type Statements = readonly [string, string]

export type OpenedStatement = {
  readonly kind: StatementKind
  /** a member's code, or `hub` */
  readonly signer: string
  readonly kid: string
  readonly digest: Digest
  /** the log and position that it is about, or how many logs */
  readonly says: string
  readonly logs: readonly LogId[]
  readonly assertions: readonly Assertion[]
}
export type Proven = {
  readonly signer: string
  readonly statements: readonly [OpenedStatement, OpenedStatement]
  readonly contradiction: Contradiction
  readonly reason: { readonly en: string; readonly zh: string }
}

export const isProofFile = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.subarray(0, FIRST_LINE.length + 1)).toString('latin1') === `${FIRST_LINE}\n`

export const formatProof = ([a, b]: Statements): string => `${FIRST_LINE}\n${a}\n${b}\n`

/** One proof is one, whichever statement stands first. */
export const proofIdentity = (statements: Statements): Digest => digestOf([...statements].sort().join(' '))

/** @throws PROOF_MALFORMED */
export function parseProof(bytes: Uint8Array): Statements {
  const most = FIRST_LINE.length + 2 * LIMITS.tokenBytes + 4
  if (bytes.length > most) throw new ExchangeError('PROOF_MALFORMED', `expected at most ${most} bytes, got ${bytes.length}`)
  const [first, a, b, ...rest] = Buffer.from(bytes).toString('latin1').split(/\r?\n/)
  const ended = rest.every(line => line === '')
  if (first !== FIRST_LINE || a === undefined || b === undefined || a === '' || b === '' || !ended) {
    throw new ExchangeError('PROOF_MALFORMED', `expected ${FIRST_LINE} and two tokens, a line each`)
  }
  return [a, b]
}

/**
 * Opens one statement and says what it asserts.
 * @throws PROOF_MALFORMED if it is of another kind, TOKEN_*, FEDERATION_FOREIGN, MEMBER_UNKNOWN, KEY_*, MEMBERSHIP_BEHIND
 */
export async function openStatement(token: string, membership: Membership): Promise<OpenedStatement> {
  const named = tokenKindOf(token)
  const kind = STATEMENT_KINDS.find(one => one === named)
  if (kind === undefined) {
    throw new ExchangeError('PROOF_MALFORMED', `expected the token of one of ${STATEMENT_KINDS.join(', ')}, got ${named ?? 'none'}`)
  }
  const { kid } = parseToken(token, kind)
  const common = { kind, kid, digest: tokenDigest(token) }
  if (kind === 'receipt') {
    const { log, head } = await openReceipt(token, membership)
    const says = `${formatLogId(log)} ${formatPosition(head)}`
    return { ...common, signer: HUB_SIGNER, says, logs: [log], assertions: assertionsOfHeads([{ log, head }]) }
  }
  if (kind === 'head') {
    const { origin, audience, logs } = await openHead(token, membership)
    const says = `${origin} → ${audience} (${logs.length})`
    return { ...common, signer: origin, says, logs: logs.map(({ log }) => log), assertions: assertionsOfHeads(logs) }
  }
  const { log, entry } = await openToken(kind, token, membership, null)
  const says = `${formatLogId(log)} ${formatPosition(entry)}`
  return { ...common, signer: log.origin, says, logs: [log], assertions: assertionsOfEntry(log, entry) }
}

/**
 * Whether two statements prove that their signer said what cannot be true.
 * @throws what {@link openStatement} does; PROOF_SIGNERS_DIFFER, PROOF_LOGS_DIFFER, PROOF_STATEMENTS_AGREE
 */
export async function openProof([a, b]: Statements, membership: Membership): Promise<Proven> {
  return judgeStatements(await openStatement(a, membership), await openStatement(b, membership))
}

/** The judgement alone, of two statements that were opened. @throws PROOF_SIGNERS_DIFFER, PROOF_LOGS_DIFFER, PROOF_STATEMENTS_AGREE */
export function judgeStatements(a: OpenedStatement, b: OpenedStatement): Proven {
  if (a.signer !== b.signer) {
    throw new ExchangeError(
      'PROOF_SIGNERS_DIFFER',
      `expected two statements of one signer, got one of ${a.signer} and one of ${b.signer}`,
    )
  }
  const named = new Set(a.logs.map(formatLogId))
  if (!b.logs.some(log => named.has(formatLogId(log)))) {
    throw new ExchangeError('PROOF_LOGS_DIFFER', `expected two statements about one log, got ${a.says} and ${b.says}`)
  }
  const contradiction = findContradiction(a.assertions, b.assertions)
  if (contradiction === null) {
    throw new ExchangeError('PROOF_STATEMENTS_AGREE', `expected a contradiction: ${a.says} and ${b.says} can both be true`)
  }
  return { signer: a.signer, statements: [a, b], contradiction, reason: formatContradiction(contradiction) }
}
