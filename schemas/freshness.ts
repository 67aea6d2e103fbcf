/**
 * How fresh what a holder knows of another origin's log is, and what the dataset's contract makes of it. `asOf` is the last time at
 * which the holder is known to have had everything that the origin had said: the origin's own signed head says so. The origin's
 * silence therefore shows as age, whether the origin, the hub or the road is the cause.
 */
import type { WhenStale } from './datasets/datasets.ts'

export type FreshnessContract = { readonly budget_seconds: number; readonly when_stale: WhenStale }

export type Freshness = {
  /** RFC 3339 */
  readonly as_of: string
  readonly age_seconds: number
  readonly budget_seconds: number
  readonly state: 'fresh' | 'stale'
  readonly said: { readonly en: string; readonly zh: string }
}

/** What the contract asks of whoever answers. */
export type FreshnessAction = 'serve' | WhenStale

/** A clock that runs ahead at the origin makes nothing fresher than now. */
export function freshnessOf(asOf: Date, contract: FreshnessContract, now: Date): Freshness {
  const at = new Date(Math.min(asOf.getTime(), now.getTime()))
  const age = Math.floor((now.getTime() - at.getTime()) / 1000)
  const state = age > contract.budget_seconds ? 'stale' : 'fresh'
  const [en, zh] = [spanOf(age, 'en'), spanOf(age, 'zh')]
  return {
    as_of: at.toISOString(),
    age_seconds: age,
    budget_seconds: contract.budget_seconds,
    state,
    said:
      state === 'fresh'
        ? { en: `Complete as of ${en} ago.`, zh: `截至${zh}前的内容齐全。` }
        : {
            en: `May be out of date: last known complete ${en} ago, ${spanOf(contract.budget_seconds, 'en')} allowed.`,
            zh: `可能已过时：最近一次确知齐全为${zh}前，允许${spanOf(contract.budget_seconds, 'zh')}。`,
          },
  }
}

/** What an origin says of itself is never behind. */
export const ownFreshness = (contract: FreshnessContract, now: Date): Freshness => ({
  as_of: now.toISOString(),
  age_seconds: 0,
  budget_seconds: contract.budget_seconds,
  state: 'fresh',
  said: { en: "This node's own record.", zh: '本节点自有记录。' },
})

/** After the origin was asked, what is still stale is served with its mark. */
export const freshnessAction = (state: Freshness['state'], contract: FreshnessContract, asked: boolean): FreshnessAction =>
  state === 'fresh' ? 'serve' : contract.when_stale === 'ask' && asked ? 'mark' : contract.when_stale

const UNITS = [
  { seconds: 86_400, en: 'day', zh: '天' },
  { seconds: 3600, en: 'hour', zh: '小时' },
  { seconds: 60, en: 'minute', zh: '分钟' },
  { seconds: 1, en: 'second', zh: '秒' },
] as const

/** In the largest unit that gives at least two, or one exactly. */
function spanOf(seconds: number, language: 'en' | 'zh'): string {
  const unit = UNITS.find(one => seconds >= 2 * one.seconds || seconds === one.seconds) ?? UNITS[3]
  const count = Math.floor(seconds / unit.seconds)
  return language === 'zh' ? `${count}${unit.zh}` : `${count} ${unit.en}${count === 1 ? '' : 's'}`
}
