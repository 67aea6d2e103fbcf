/**
 * Doubts: what does not fit and proves nothing by itself. A hub that drops, reorders or alters what it carries, keeps receipts or
 * heads back, or answers falsely harms nobody, because everything is verified and repaired; a supervisor must see it all the same.
 * They are counted here by kind and by whom they concern, since the program's start. Two statements that contradict each other are no
 * doubt but a proof, and stand at `/v1/forks`.
 */
export const DOUBTS = {
  'entries-missing': {
    zh: '线路送来的条目有缺失或次序颠倒，已向持有方补取',
    en: 'the road brought entries out of order or left some out; they were asked for',
  },
  'tail-missing': {
    zh: '来源的链头所示条目，线路迟迟未送达，已向持有方补取',
    en: "the origin's head names entries that the road did not bring; they were asked for",
  },
  'entry-refused': { zh: '到达的条目未通过检查，已隔离', en: 'an entry that arrived was refused and quarantined' },
  'head-refused': { zh: '到达的链头未通过检查', en: 'a head that arrived was refused' },
  'head-withheld': {
    zh: '其他成员的链头所见，远于本方听到的来源链头',
    en: "another member's head has seen more of this log than the origin's heads that came here",
  },
  'answer-refused': { zh: '该方答复的条目未通过检查', en: 'it answered with entries that were refused' },
  'answer-empty': {
    zh: '该方没有给出其他持有方持有的条目',
    en: 'it did not give entries that another holder then gave',
  },
  'receipt-missing': { zh: '已发出的条目未获回执，已重发', en: 'entries were sent and not receipted; they were sent again' },
  'receipt-refused': {
    zh: '回执所述并非本方所签封',
    en: 'a receipt speaks of what was never sealed here',
  },
  'standing-refused': { zh: '该方所答本方链头未通过检查', en: "it answered with standings of one's own logs that were refused" },
  'root-differs': {
    zh: '来源签署的状态根与其日志链得出的不符，快照已拒绝',
    en: 'the state root that the origin has signed does not follow from its log; its snapshot is refused',
  },
  'tree-differs': {
    zh: '来源签署的日志树根与其日志链得出的不符',
    en: "the root over its log's entries that the origin has signed does not follow from its log",
  },
  'proof-refused': { zh: '该方送来的证明不成立', en: 'it sent a proof that does not hold' },
} as const satisfies { readonly [kind: string]: { readonly zh: string; readonly en: string } }
export type DoubtKind = keyof typeof DOUBTS

export type Doubt = {
  readonly kind: DoubtKind
  /** the log, origin or program that it concerns */
  readonly about: string
  readonly count: number
  readonly first: Date
  readonly last: Date
  /** the code or reason of the last one */
  readonly reason: string | null
}
export type Doubts = {
  note(kind: DoubtKind, about: string, reason?: string): void
  list(): Doubt[]
}

/** members and their logs are few; whoever invents names does not fill the memory */
const MOST = 1000

export function createDoubts(clock: () => Date): Doubts {
  const all = new Map<string, Doubt>()
  return {
    note(kind, about, reason) {
      const id = `${kind} ${about}`
      const before = all.get(id)
      if (before === undefined && all.size >= MOST) return
      const now = clock()
      const count = (before?.count ?? 0) + 1
      all.set(id, { kind, about, count, first: before?.first ?? now, last: now, reason: reason ?? before?.reason ?? null })
    },
    list: () => [...all.values()].sort((a, b) => b.last.getTime() - a.last.getTime()),
  }
}
