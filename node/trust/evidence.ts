/** Puts together, of what this node holds, the file that bears out one verdict (`schemas/trust/evidence.ts`). */
import type { Kysely } from 'kysely'
import type { HeadListener } from '../../runtime/ledger/heads.ts'
import { readLog } from '../../runtime/ledger/ledger.ts'
import { digestsUpTo } from '../../runtime/ledger/log-trees.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { decodeBody } from '../../schemas/encoding.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import { growTree, type LogTree, proveEntry, rootOf } from '../../schemas/log-tree.ts'
import type { Membership } from '../../schemas/membership.ts'
import { sealHead } from '../../schemas/statements.ts'
import type { Signer } from '../../schemas/tokens.ts'
import { EVIDENCE_FORM, EVIDENCE_LIMITS, type Evidence, type ListEvidence } from '../../schemas/trust/evidence.ts'
import { NATIONAL_LIST } from '../../schemas/trust/trust-list.ts'
import type { Verified } from './certificates.ts'
import type { Crls } from './crls.ts'
import type { HeldList, TrustLists } from './lists.ts'

export type EvidenceMaker = { make(verified: Verified): Promise<Evidence> }

export function createEvidenceMaker(options: {
  readonly db: Kysely<LedgerTables>
  readonly own: string
  readonly membership: () => Membership
  /** entries of the membership log; empty where it is a configured file */
  readonly membershipTokens: () => readonly string[]
  readonly signer: () => Signer
  readonly heads: () => HeadListener
  readonly lists: Pick<TrustLists, 'held'>
  readonly crls: Pick<Crls, 'all'>
  readonly clock: () => Date
}): EvidenceMaker {
  const { db, own, membership } = options

  /** A head that states the root: of others the newest that was heard, of an own log one signed for this. */
  async function headOf(log: LogId, head: LogHead, tree: string): Promise<string> {
    const { fed, position: mem } = membership()
    return sealHead(own, log.audience, [{ log, head, tree }], [], { fed, mem, signer: options.signer(), now: options.clock() })
  }

  async function placeOf(one: HeldList, log: LogId): Promise<Pick<ListEvidence, 'head' | 'proof' | 'witnesses'>> {
    const none = { head: null, proof: null, witnesses: [] }
    const heads = options.heads()
    const stated = heads.newest(log.origin, log.audience)?.logs.find(at => formatLogId(at.log) === formatLogId(log))
    const at = log.origin === own ? (await readLog(db, log))?.head : stated?.head
    if (at == null || at.epoch !== one.epoch || at.seq < one.seq) return none
    const digests = await digestsUpTo(db, one.logId, at)
    if (digests === null || digests.at(-1) !== at.digest) return none
    let tree: LogTree | null = null
    for (const digest of digests) tree = growTree(tree, digest)
    const root = tree === null ? null : rootOf(tree)
    // A root that is not the one of these entries proves nothing; the judge of trees has said so.
    if (root === null || (log.origin !== own && stated?.tree !== root)) return none
    const token = log.origin === own ? await headOf(log, at, root) : (heads.newest(log.origin, log.audience)?.token ?? null)
    const witnesses = heads
      .all()
      .filter(({ origin, audience, held }) => {
        const seen = held.find(other => formatLogId(other.log) === formatLogId(log))?.head
        return (
          origin !== log.origin &&
          audience === log.audience &&
          seen?.epoch === at.epoch &&
          seen.seq === at.seq &&
          seen.digest === at.digest
        )
      })
      .slice(0, EVIDENCE_LIMITS.witnesses)
    return { head: token, proof: proveEntry(digests, one.seq), witnesses: witnesses.map(head => head.token) }
  }

  async function listEvidence(one: HeldList): Promise<ListEvidence> {
    const row = await db
      .selectFrom('envelope')
      .innerJoin('log', 'log.id', 'envelope.log_id')
      .leftJoin('redaction', join =>
        join
          .onRef('redaction.log_id', '=', 'envelope.log_id')
          .onRef('redaction.epoch', '=', 'envelope.epoch')
          .onRef('redaction.seq', '=', 'envelope.seq')
          .on('redaction.newest', '=', true),
      )
      .select([
        'envelope.token',
        'envelope.body',
        'envelope.encoding',
        'log.origin',
        'log.dataset',
        'log.audience',
        'redaction.token as redaction',
      ])
      .where('envelope.log_id', '=', one.logId)
      .where('envelope.epoch', '=', one.epoch)
      .where('envelope.seq', '=', one.seq)
      .executeTakeFirst()
    if (row?.body == null)
      throw new ExchangeError('ENVELOPE_UNKNOWN', `${one.origin}/${one.list.id}: the envelope that says this list is not held here`)
    const log: LogId = { origin: row.origin, dataset: row.dataset, audience: row.audience }
    const body = await decodeBody(row.body, row.encoding)
    return {
      list: one.list.token,
      envelope: row.token,
      body: Buffer.from(body).toString('base64'),
      redaction: row.redaction,
      ...(await placeOf(one, log)),
    }
  }

  return {
    async make({ leaf, verdict }) {
      const { path, ca } = verdict
      const lists = options.lists.held().filter(({ list }) => list.id === NATIONAL_LIST || (ca !== null && list.id === ca.list))
      const names = new Set([leaf, ...path.chain].flatMap(({ subject, issuer }) => [subject.canonical, issuer.canonical]))
      const crls = options.crls.all().filter(({ issuer }) => names.has(issuer.canonical))
      return {
        form: EVIDENCE_FORM,
        fed: membership().fed,
        made_at: options.clock().toISOString(),
        made_by: own,
        question: { fingerprint: leaf.fingerprint, at: new Date(verdict.at).toISOString(), purpose: verdict.purpose },
        verdict: { result: verdict.result, reason: verdict.reason },
        certificate: base64(leaf.der),
        chain: path.chain.slice(1).map(({ der }) => base64(der)),
        crls: crls.slice(0, EVIDENCE_LIMITS.crls).map(({ der }) => base64(der)),
        lists: await Promise.all(lists.slice(0, EVIDENCE_LIMITS.lists).map(listEvidence)),
        membership: [...options.membershipTokens()],
      }
    },
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
