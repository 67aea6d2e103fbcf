/** What a run of faults ends with: figures for people and for machines. */
import type { Findings } from './judgement.ts'

export type Recovery = { readonly after: readonly string[]; readonly ms: number }

export type Summary = {
  readonly seed: string
  readonly minutes: number
  /** by kind and target: `kill hub` */
  readonly faults: { readonly [fault: string]: number }
  readonly flippedBits: number
  /** numbered versions that a node answered for */
  readonly remembered: number
  /** entries in the origins' own logs */
  readonly offered: number
  readonly applied: { readonly [holder: string]: number }
  readonly lost: number
  readonly doubled: number
  readonly recoveries: number
  readonly longestRecovery: Recovery | null
  readonly quarantined: Findings['quarantined']
  readonly skipped: readonly string[]
  readonly violations: readonly string[]
  readonly logs: string
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

export function formatSummary(summary: Summary): string {
  const { faults, applied, longestRecovery: longest, quarantined, violations } = summary
  const lines = [
    `种子 seed ${summary.seed} · ${summary.minutes} min`,
    `故障 faults ${Object.values(faults).reduce((sum, count) => sum + count, 0)}: ${Object.entries(faults)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
    ...(summary.flippedBits > 0 ? [`翻转位 bits flipped on the road ${summary.flippedBits}`] : []),
    `已应答版本 numbered versions answered for ${summary.remembered}`,
    `信封 envelopes offered ${summary.offered}; applied ${Object.entries(applied)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
    `丢失 lost ${summary.lost} · 重复 doubled ${summary.doubled}`,
    `恢复 recoveries ${summary.recoveries}${longest === null ? '' : `, longest ${seconds(longest.ms)} after ${longest.after.join(' + ')}`}`,
    ...quarantined.map(({ holder, kind, code, count }) => `隔离 quarantine ${holder}: ${kind} ${code} ${count}`),
    ...summary.skipped.map(what => `跳过 skipped: ${what}`),
    ...violations.map(what => `✘ ${what}`),
    violations.length === 0 ? '✔ 一切成立 everything holds' : `日志 logs ${summary.logs}`,
  ]
  return `${lines.join('\n')}\n`
}
