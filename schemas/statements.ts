/**
 * Signed statements about logs. A receipt is the hub's: "my ledger holds this log up to here"; the outbox forgets only on it. A head
 * is the origin's: where its logs of one audience stand, and how far it holds the others'; nodes witness each other with it.
 */
import type { Digest } from './digest.ts'
import { ExchangeError } from './errors.ts'
import type { HeadClaims } from './generated/head.ts'
import type { ReceiptClaims } from './generated/receipt.ts'
import { formatLogId, type LogHead, type LogId } from './log.ts'
import { checkStanding, keyFor, type Membership, memberOf } from './membership.ts'
import type { SnapshotMark } from './snapshot.ts'
import { parseToken, type Signer, verifyToken } from './tokens.ts'
import { checkClaims } from './validators.ts'

const seconds = (now: Date): number => Math.floor(now.getTime() / 1000)

const claimsOf = <Claims>(kind: 'receipt' | 'head', claims: unknown, fed: string): Claims => {
  const [fault] = checkClaims(kind, claims)
  if (fault !== undefined)
    throw new ExchangeError('TOKEN_CLAIM_INVALID', `${fault.path}: ${fault.expected}`, { detail: { rule: fault.rule } })
  if ((claims as { fed: string }).fed !== fed) throw new ExchangeError('FEDERATION_FOREIGN', `expected federation ${fed}`)
  return claims as Claims
}

export type Receipt = { readonly log: LogId; readonly head: LogHead; readonly issuedAt: Date; readonly token: string }

export async function sealReceipt(log: LogId, head: LogHead, context: { fed: string; signer: Signer; now: Date }): Promise<string> {
  const claims: ReceiptClaims = {
    fed: context.fed,
    iss: 'hub',
    org: log.origin,
    ds: log.dataset as ReceiptClaims['ds'],
    aud: log.audience,
    ep: head.epoch,
    seq: head.seq,
    dig: head.digest,
    iat: seconds(context.now),
  }
  return context.signer.sign('receipt', claims)
}

/** @throws TOKEN_*, FEDERATION_FOREIGN, KEY_UNKNOWN, KEY_OUT_OF_RANGE past the closings of a retired key */
export async function openReceipt(token: string, membership: Membership): Promise<Receipt> {
  const parsed = parseToken(token, 'receipt')
  const claims = claimsOf<ReceiptClaims>('receipt', parsed.claims, membership.fed)
  const log: LogId = { origin: claims.org, dataset: claims.ds, audience: claims.aud }
  const head: LogHead = { epoch: claims.ep, seq: claims.seq, digest: claims.dig }
  await verifyToken(parsed, keyFor(membership.hubKeys, parsed.kid, { log, position: head }))
  return {
    log,
    head,
    issuedAt: new Date(claims.iat * 1000),
    token,
  }
}

export type LogAt = { readonly log: LogId; readonly head: LogHead }
/**
 * An own log in a head: `erased` counts the keys that its newest redactions name; `snapshot` is its newest one; `tree` the root over the
 * entries of its epoch, where it has one.
 */
export type OwnLogAt = LogAt & { readonly erased?: number; readonly snapshot?: SnapshotMark | null; readonly tree?: Digest | null }
export type Head = {
  readonly origin: string
  readonly audience: string
  readonly issuedAt: Date
  readonly logs: readonly OwnLogAt[]
  readonly held: readonly LogAt[]
  readonly token: string
}

export async function sealHead(
  origin: string,
  audience: string,
  logs: readonly OwnLogAt[],
  held: readonly LogAt[],
  context: { fed: string; mem: number; signer: Signer; now: Date },
): Promise<string> {
  const claims = {
    fed: context.fed,
    iss: origin,
    aud: audience,
    iat: seconds(context.now),
    mem: context.mem,
    logs: logs.map(({ log, head, erased = 0, snapshot = null, tree = null }) => ({
      ds: log.dataset,
      ep: head.epoch,
      seq: head.seq,
      dig: head.digest,
      ...(erased === 0 ? {} : { red: erased }),
      ...(tree === null ? {} : { tree }),
      ...(snapshot === null ? {} : { snap: claimsOfMark(snapshot) }),
    })),
    held: held.map(({ log, head }) => ({
      org: log.origin,
      ds: log.dataset,
      aud: log.audience,
      ep: head.epoch,
      seq: head.seq,
      dig: head.digest,
    })),
  }
  return context.signer.sign('head', claims satisfies { [name in keyof HeadClaims]: unknown })
}

type MarkClaims = NonNullable<HeadClaims['logs'][number]['snap']>
const claimsOfMark = ({ at, root, records }: SnapshotMark): MarkClaims => ({
  ep: at.epoch,
  seq: at.seq,
  dig: at.digest,
  root,
  n: records,
})
const markOf = ({ ep, seq, dig, root, n }: MarkClaims): SnapshotMark => ({
  at: { epoch: ep, seq, digest: dig },
  root,
  records: n,
})

/**
 * `past`: a log of the head's signer, for a head of long ago: then its key counts by where that log stood, and may have been retired since.
 * @throws TOKEN_*, FEDERATION_FOREIGN, MEMBER_UNKNOWN, MEMBER_SUSPENDED, KEY_*
 */
export async function openHead(token: string, membership: Membership, past: LogId | null = null): Promise<Head> {
  const parsed = parseToken(token, 'head')
  const claims = claimsOf<HeadClaims>('head', parsed.claims, membership.fed)
  const member = memberOf(membership, claims.iss)
  const then = claims.logs.find(
    at => past !== null && at.ds === past.dataset && claims.aud === past.audience && claims.iss === past.origin,
  )
  const signedAt =
    then === undefined || past === null ? null : { log: past, position: { epoch: then.ep, seq: then.seq }, mem: claims.mem }
  await verifyToken(parsed, keyFor(member.keys, parsed.kid, signedAt))
  const logs = claims.logs.map(at => ({
    log: { origin: claims.iss, dataset: at.ds, audience: claims.aud },
    head: { epoch: at.ep, seq: at.seq, digest: at.dig },
    erased: at.red ?? 0,
    tree: at.tree ?? null,
    snapshot: at.snap === undefined ? null : markOf(at.snap),
  }))
  for (const { log, head } of logs)
    if (signedAt === null || formatLogId(log) === formatLogId(signedAt.log)) checkStanding(member, { log, position: head })
  return {
    origin: claims.iss,
    audience: claims.aud,
    issuedAt: new Date(claims.iat * 1000),
    logs,
    held: claims.held.map(at => ({
      log: { origin: at.org, dataset: at.ds, audience: at.aud },
      head: { epoch: at.ep, seq: at.seq, digest: at.dig },
    })),
    token,
  }
}
