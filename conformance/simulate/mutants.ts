/**
 * Deliberate faults, each one rule replaced by a wrong version of itself. The simulation must find every one of them; a mutant that
 * survives means that an invariant or a fault is missing here.
 */
import { entryBefore } from '../../schemas/backfill-rule.ts'
import { formatLogId, formatPosition, type LogHead } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { type Arriving, type HeldLog, type Settlement, settle, type Verdict } from '../../schemas/settlement.ts'
import { RULES, type Rules } from './rules.ts'

export type Mutant = { readonly name: string; readonly rules: Rules }

const order = (change: Partial<Rules['order']>): Rules => ({ ...RULES, order: { ...RULES.order, ...change } })

type Judge = (one: Arriving, head: LogHead | null, verdict: Verdict, again: (changed: Arriving) => Verdict) => Verdict

/** The real rule, one arrival after another, with a second opinion on each verdict. */
function settleWith(judge: Judge): typeof settle {
  return (held, arriving): Settlement => {
    const heads = new Map<string, LogHead>()
    const added = new Map<string, Arriving>()
    const frozen = new Set<string>()
    const verdicts = arriving.map(one => {
      const id = formatLogId(one.log)
      const log = held.get(id)
      const head = heads.get(id) ?? log?.head ?? null
      const now: HeldLog = {
        head,
        frozen: log?.frozen === true || frozen.has(id),
        announced: log?.announced ?? null,
        at(position) {
          const fresh = added.get(`${id}@${formatPosition(position)}`)
          return fresh === undefined ? (log?.at(position) ?? null) : { digest: fresh.entry.digest, token: fresh.token }
        },
      }
      const ask = (asked: Arriving): Verdict => settle(new Map([[id, now]]), [asked]).verdicts[0] ?? { kind: 'frozen' }
      const verdict = judge(one, head, ask(one), ask)
      if (verdict.kind === 'next') {
        heads.set(id, { epoch: one.entry.epoch, seq: one.entry.seq, digest: one.entry.digest })
        added.set(`${id}@${formatPosition(one.entry)}`, one)
      } else if (verdict.kind === 'fork') frozen.add(id)
      return verdict
    })
    return { verdicts, heads }
  }
}

/** Every member under every member's keys. */
const anyKey = (membership: Membership): Membership => {
  const keys = [...membership.members.values()].flatMap(member => member.keys)
  return { ...membership, members: new Map([...membership.members].map(([code, member]) => [code, { ...member, keys }])) }
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'a gap is taken as next',
    rules: { ...RULES, settle: settleWith((_one, _head, verdict) => (verdict.kind === 'gap' ? { kind: 'next' } : verdict)) },
  },
  {
    name: 'a duplicate is applied again',
    rules: { ...RULES, settle: settleWith((_one, _head, verdict) => (verdict.kind === 'duplicate' ? { kind: 'next' } : verdict)) },
  },
  {
    name: 'a fork is judged a duplicate',
    rules: { ...RULES, settle: settleWith((_one, _head, verdict) => (verdict.kind === 'fork' ? { kind: 'duplicate' } : verdict)) },
  },
  {
    name: 'prv is not compared',
    rules: {
      ...RULES,
      settle: settleWith((one, head, verdict, again) =>
        head !== null && one.entry.kind === 'envelope' && one.entry.epoch === head.epoch && one.entry.seq === head.seq + 1
          ? again({ ...one, entry: { ...one.entry, previous: head.digest } })
          : verdict,
      ),
    },
  },
  {
    name: 'an epoch opens over a gap',
    rules: {
      ...RULES,
      settle: settleWith((one, head, verdict) =>
        verdict.kind === 'gap' && head !== null && one.entry.kind === 'opening' ? { kind: 'next' } : verdict,
      ),
    },
  },
  {
    name: 'the announced head is not held against entries',
    rules: {
      ...RULES,
      settle: (held, arriving) => settle(new Map([...held].map(([id, log]) => [id, { ...log, announced: null }])), arriving),
    },
  },
  { name: 'an entry behind the end of an epoch is a repeat', rules: { ...RULES, judgeBehindClosing: () => null } },
  { name: 'heads are not held against entries', rules: { ...RULES, judgeHead: () => [] } },
  {
    name: 'a head under any member’s key is accepted',
    rules: { ...RULES, openHead: (token, membership) => RULES.openHead(token, anyKey(membership)) },
  },
  { name: 'what a head announces is never missed', rules: { ...RULES, missingBehind: () => [] } },
  {
    name: 'heads are ordered by their time alone',
    rules: { ...RULES, isNewerHead: (before, head) => before === null || head.issuedAt >= before.issuedAt },
  },
  { name: 'the outbox forgets on the road’s acknowledgement', rules: order({ forgetOnReceipt: false }) },
  { name: 'the outbox waits by the wall clock', rules: order({ outboxOnSteadyClock: false }) },
  {
    name: 'the outbox never sends again',
    rules: {
      ...RULES,
      nextOutboxAction: (box, now) => {
        const action = RULES.nextOutboxAction(box, now)
        return action.kind === 'resend' && box.sent !== null ? { kind: 'idle' } : action
      },
    },
  },
  {
    name: 'a receipt is taken without comparing the digest',
    rules: {
      ...RULES,
      judgeReceipt: (receipt, own, earlier) => {
        const verdict = RULES.judgeReceipt(receipt, own, earlier)
        return verdict.kind === 'foreign' ? { ...verdict, kind: 'take' } : verdict
      },
    },
  },
  {
    name: 'a receipt that convicts the hub counts for nothing',
    rules: {
      ...RULES,
      judgeReceipt: (receipt, own, earlier) => {
        const verdict = RULES.judgeReceipt(receipt, own, earlier)
        return verdict.convicts === null ? verdict : { ...verdict, kind: 'foreign' }
      },
    },
  },
  {
    name: 'a statement of the hub freezes a log',
    rules: {
      ...RULES,
      judgeReceipt: (receipt, own, earlier) => {
        const verdict = RULES.judgeReceipt(receipt, own, earlier)
        return verdict.convicts === null ? verdict : { ...verdict, convicts: { ...verdict.convicts, whom: 'origin' as 'hub' } }
      },
    },
  },
  {
    name: 'contradicting receipts are not compared',
    rules: { ...RULES, judgeReceipt: (receipt, own) => RULES.judgeReceipt(receipt, own, []) },
  },
  {
    name: 'an announced root is believed',
    rules: { ...RULES, judgeRoot: (_announced, own) => ({ verdict: 'same', ownRoot: own.root, reason: null }) },
  },
  {
    name: 'a root is judged by its number of records',
    rules: {
      ...RULES,
      judgeRoot: (announced, own) => RULES.judgeRoot({ ...announced, root: own.root }, own),
    },
  },
  { name: 'an origin always seals', rules: { ...RULES, maySeal: () => ({ kind: 'seal' }) } },
  { name: 'the own note is not looked at', rules: { ...RULES, judgeStart: () => 'continued' } },
  { name: 'versions after a loss are not raised', rules: { ...RULES, versionAfter: standing => standing + 1 } },
  {
    name: 'a loss is taken over a gap before it',
    rules: {
      ...RULES,
      settle: settleWith((one, _head, verdict) =>
        verdict.kind === 'gap' && one.entry.kind === 'opening' && one.entry.lost != null ? { kind: 'next' } : verdict,
      ),
    },
  },
  { name: 'what was declared lost keeps its effect', rules: order({ withdrawLost: false }) },
  { name: 'only the hub is asked at a start', rules: order({ askEveryoneAtStart: false }) },
  { name: 'one answer is enough at a start', rules: order({ awaitEveryAnswer: false }) },
  { name: 'a witness is believed without a signature', rules: order({ verifyWitness: false }) },
  { name: 'only the hub is asked for what is missing', rules: { ...RULES, repairSources: () => ['hub'] } },
  { name: 'bodies are not compared with their digest', rules: { ...RULES, openBytes: async (_claims, bytes) => bytes } },
  { name: 'the replica takes a lower version', rules: { ...RULES, takesEffect: () => true } },
  { name: 'the cursor moves before the effect commits', rules: order({ cursorWithEffect: false }) },
  { name: 'a message is acknowledged before its commit', rules: order({ acknowledgeAfterCommit: false }) },
  { name: 'a head is stored before it is judged', rules: order({ headWithVerdict: false }) },
  { name: 'a redaction of what still stands is taken', rules: { ...RULES, standingKeys: () => [] } },
  { name: 'a redacted body is not compared with the one before', rules: { ...RULES, checkRedaction: () => {} } },
  { name: 'a redaction is awaited from the road alone', rules: { ...RULES, missingErasures: () => [] } },
  {
    name: 'a redaction of more keys counts as known',
    rules: { ...RULES, judgeRedaction: known => (known === null ? 'further' : 'known') },
  },
  { name: 'an entry that is held brings no erasure', rules: order({ eraseWithRepeat: false }) },
  { name: 'who keeps erasures back is not doubted', rules: { ...RULES, passedOver: () => [] } },
  { name: 'what is erased stays in the snapshots that are kept', rules: order({ eraseInSnapshots: false }) },
  { name: 'what was erased comes back with older pieces', rules: order({ knowErased: false }) },
  { name: 'a restored origin asks one holder what it had erased', rules: order({ takeBackFromAll: false }) },
  { name: 'what comes in a file is not verified', rules: order({ verifyFiles: false }) },
  {
    name: 'a snapshot is loaded over a refusal',
    rules: {
      ...RULES,
      judgeKeepers: (answers, round) =>
        RULES.judgeKeepers(
          answers.map(one => (one.said === 'refuses' ? { ...one, said: 'silent' } : one)),
          round,
        ),
    },
  },
  {
    name: 'a snapshot is loaded over what is held',
    rules: { ...RULES, mayBootstrap: (log, _held, mark, least) => RULES.mayBootstrap(log, null, mark, least) },
  },
  { name: 'pieces of a snapshot are not compared with its manifest', rules: { ...RULES, checkGroup: () => {} } },
  { name: 'entries are taken while a snapshot is loaded', rules: order({ waitWhileLoading: false }) },
  {
    name: 'history is not compared with what is held behind it',
    rules: {
      ...RULES,
      joinBackward: (from, arriving) => {
        const joined = RULES.joinBackward(from, arriving)
        const { against } = joined
        return against === null ? joined : { taken: [...joined.taken, against], wanted: entryBefore(against.entry), against: null }
      },
    },
  },
  { name: 'a loaded state is never held against the whole log', rules: order({ replayHistory: false }) },
  {
    name: 'a restored hub asks nobody',
    rules: { ...RULES, repairSources: (log, own, holders) => (own === 'hub' ? [] : RULES.repairSources(log, own, holders)) },
  },
  { name: 'a restored hub signs whatever it holds', rules: { ...RULES, judgeOwnReceipt: () => 'sign' } },
  { name: 'a receipt leaves before its commit', rules: order({ receiptAfterCommit: false }) },
]
