/**
 * The audit log as a chain: each entry's digest covers its own fields, its number and the digest before it; now and then the program
 * signs where the chain stands. So an entry that was edited, taken out, put in or moved shows, and which one it is. Verification needs
 * nothing but the entries, the signed heads and the public keys: it works on an export, offline.
 *
 *   1 ← 2 ← 3 ← 4 ← 5 …        head(3) signed, head(5) signed
 */
import { type Digest, digestOf } from '../digest.ts'
import { ExchangeError, isExchangeError } from '../errors.ts'
import { parseToken, type Signer, type VerificationKey, verifyToken } from '../tokens.ts'

export type AuditFacts = {
  /** RFC 3339 with milliseconds, UTC */
  readonly at: string
  /** a client's identifier, `operator`, or the keyed hash of a person */
  readonly actor: string
  readonly roles: string
  readonly operation: string
  /** dataset and keyed hash of the key, or another name that identifies nobody */
  readonly resource: string | null
  /** `allow`, or the code of the refusal; `done` or the code of the fault for what came of it */
  readonly decision: string
  readonly purpose: string | null
  /** keyed hash of the deal for which it was done */
  readonly deal: string | null
  /** keyed hash of method, address and parameters */
  readonly request: string
}
export type AuditEntry = AuditFacts & { readonly seq: number; readonly prev: Digest; readonly digest: Digest }

/** What stands before the first entry. */
export const AUDIT_START: Digest = digestOf('hutong-audit-1')

export const auditDigest = (facts: AuditFacts, seq: number, prev: Digest): Digest =>
  digestOf(
    JSON.stringify([
      'hutong-audit-1',
      seq,
      prev,
      facts.at,
      facts.actor,
      facts.roles,
      facts.operation,
      facts.resource,
      facts.decision,
      facts.purpose,
      facts.deal,
      facts.request,
    ]),
  )

export function chainAudit(facts: readonly AuditFacts[], last: { readonly seq: number; readonly digest: Digest }): AuditEntry[] {
  let { seq, digest: prev } = last
  return facts.map(one => {
    seq += 1
    const digest = auditDigest(one, seq, prev)
    const entry = { ...one, seq, prev, digest }
    prev = digest
    return entry
  })
}

export type AuditHead = { readonly seq: number; readonly digest: Digest; readonly at: Date; readonly kid: string }

export const sealAuditHead = (
  { seq, digest }: { readonly seq: number; readonly digest: Digest },
  context: { readonly fed: string; readonly origin: string; readonly signer: Signer; readonly now: Date },
): Promise<string> =>
  context.signer.sign('audit', {
    fed: context.fed,
    iss: context.origin,
    seq,
    dig: digest,
    iat: Math.floor(context.now.getTime() / 1000),
  })

const DIGEST = /^(?:sha-256|sm3):[A-Za-z0-9_-]{43}$/

/** @throws TOKEN_*, FEDERATION_FOREIGN, KEY_UNKNOWN */
export async function openAuditHead(
  token: string,
  context: { readonly fed: string; readonly origin: string; readonly keys: ReadonlyMap<string, VerificationKey> },
): Promise<AuditHead> {
  const parsed = parseToken(token, 'audit')
  const { fed, iss, seq, dig, iat } = parsed.claims as { readonly [name: string]: unknown }
  if (fed !== context.fed) throw new ExchangeError('FEDERATION_FOREIGN', `expected federation ${context.fed}`)
  if (iss !== context.origin) throw new ExchangeError('TOKEN_CLAIM_INVALID', `/iss: expected ${context.origin}`)
  if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(iat) || typeof dig !== 'string' || !DIGEST.test(dig))
    throw new ExchangeError('TOKEN_CLAIM_INVALID', 'expected seq, dig and iat of an audit head')
  const key = context.keys.get(parsed.kid)
  if (key === undefined) throw new ExchangeError('KEY_UNKNOWN', `expected a key of ${context.origin}`)
  await verifyToken(parsed, key)
  return { seq: Number(seq), digest: dig, at: new Date(Number(iat) * 1000), kid: parsed.kid }
}

export type AuditFinding = {
  readonly kind: 'missing' | 'edited' | 'inserted' | 'moved' | 'unsigned' | 'head'
  readonly seq: number
  readonly said: string
}

/** Entries that are judged together so that a move is told from an edit. */
const WINDOW = 256

/**
 * Judges a chain as it is read. `push` takes entries in the order of their numbers; `end` compares with the signed heads.
 * Memory is bounded by a window and the heads.
 */
export function auditVerifier(heads: readonly AuditHead[]) {
  const findings: AuditFinding[] = []
  const signed = Map.groupBy(heads, head => head.seq)
  const unseen = new Set(heads.map(head => head.seq))
  let last: { readonly seq: number; readonly digest: Digest } = { seq: 0, digest: AUDIT_START }
  let window: AuditEntry[] = []
  let count = 0

  const own = (entry: AuditEntry, seq = entry.seq): boolean => auditDigest(entry, seq, entry.prev) === entry.digest

  function judge(entry: AuditEntry): void {
    const { seq, prev, digest } = entry
    const missing = seq - last.seq - 1
    if (missing > 0) {
      const which = missing === 1 ? `entry ${seq - 1}` : `entries ${last.seq + 1} to ${seq - 1}`
      findings.push({ kind: 'missing', seq: last.seq + 1, said: `${which} taken out: ${seq} follows ${last.seq}` })
    }
    if (!own(entry)) {
      const from = window.find(other => other.seq !== seq && own(entry, other.seq))?.seq
      findings.push(
        from === undefined
          ? { kind: 'edited', seq, said: `entry ${seq} is not what was written: its digest does not match its fields` }
          : { kind: 'moved', seq, said: `entry ${seq} was written as entry ${from}` },
      )
    } else if (missing === 0 && prev !== last.digest) {
      findings.push({
        kind: 'inserted',
        seq,
        said: `entry ${seq} does not follow entry ${last.seq}: one of the two was put here later`,
      })
    }
    for (const head of signed.get(seq) ?? []) {
      unseen.delete(seq)
      if (head.digest !== digest)
        findings.push({ kind: 'head', seq, said: `entry ${seq} is not the one that the head of ${head.at.toISOString()} signed` })
    }
    last = { seq, digest }
    count += 1
  }

  function settle(all: boolean): void {
    const due = all ? window.length : window.length - WINDOW / 2
    for (const entry of window.slice(0, due)) judge(entry)
    window = window.slice(due)
  }

  return {
    push(entry: AuditEntry): void {
      window.push(entry)
      if (window.length >= WINDOW) settle(false)
    },
    end() {
      settle(true)
      for (const seq of [...unseen].sort((a, b) => a - b))
        if (seq > last.seq)
          findings.push({
            kind: 'missing',
            seq: last.seq + 1,
            said: `entries up to ${seq} were signed, the log ends at ${last.seq}`,
          })
      const signedTo = Math.max(0, ...heads.map(head => head.seq))
      return { findings, entries: count, last: last.seq, signedTo }
    },
  }
}

/** Opens heads; one that does not verify is a finding, not the end. */
export async function openAuditHeads(
  tokens: readonly string[],
  context: Parameters<typeof openAuditHead>[1],
): Promise<{ readonly heads: AuditHead[]; readonly findings: AuditFinding[] }> {
  const heads: AuditHead[] = []
  const findings: AuditFinding[] = []
  for (const [index, token] of tokens.entries()) {
    try {
      heads.push(await openAuditHead(token, context))
    } catch (error) {
      if (!isExchangeError(error)) throw error
      findings.push({ kind: 'head', seq: 0, said: `signed head ${index + 1}: ${error.message}` })
    }
  }
  return { heads, findings }
}

const TEXTS = ['at', 'actor', 'roles', 'operation', 'decision', 'request', 'prev', 'digest'] as const
const MAYBE = ['resource', 'purpose', 'deal'] as const

/** @throws FILE_MALFORMED */
export function parseAuditEntry(value: unknown): AuditEntry {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as { readonly [name: string]: unknown }
  const texts = TEXTS.every(name => typeof fields[name] === 'string')
  const maybe = MAYBE.every(name => fields[name] === null || typeof fields[name] === 'string')
  if (texts && maybe && Number.isSafeInteger(fields.seq)) return fields as unknown as AuditEntry
  throw new ExchangeError('FILE_MALFORMED', 'expected an entry of an audit log')
}
