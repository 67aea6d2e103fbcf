/**
 * Duties that one subject may not hold in the same deal (职责分离): who entered it does not supervise it, who drew its experts does
 * not evaluate it. A role says what somebody may do at all; these pairs say what follows from what was done already.
 */
export const DUTIES = {
  enter: { zh: '录入', en: 'entering its records' },
  erase: { zh: '删除', en: 'erasing its records' },
  draw: { zh: '抽取专家', en: 'drawing its experts' },
  evaluate: { zh: '评审', en: 'evaluating its bids' },
  supervise: { zh: '监督', en: 'supervising it' },
  complaint: { zh: '处理投诉', en: 'deciding a complaint about it' },
} as const satisfies { readonly [name: string]: { readonly zh: string; readonly en: string } }
export type Duty = keyof typeof DUTIES

export const EXCLUSIVE_DUTIES: readonly (readonly [Duty, Duty])[] = [
  ['enter', 'erase'],
  ['enter', 'evaluate'],
  ['enter', 'supervise'],
  ['enter', 'complaint'],
  ['draw', 'evaluate'],
  ['draw', 'supervise'],
  ['draw', 'complaint'],
  ['evaluate', 'supervise'],
  ['evaluate', 'complaint'],
  ['erase', 'supervise'],
]

/** The duty among those held already that does not go with the new one; null if there is none. */
export function conflictingDuty(duty: Duty, held: readonly Duty[]): Duty | null {
  const foe = (one: Duty): boolean => EXCLUSIVE_DUTIES.some(([a, b]) => (a === duty && b === one) || (b === duty && a === one))
  return held.find(foe) ?? null
}
