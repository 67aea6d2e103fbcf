/** What a bench says: our figure, the limit's of the same run, and how they compare. One shape for every bench, for people and as JSON. */

export type Spread = { readonly median: number; readonly min: number; readonly max: number }
export type Figure = {
  readonly bench: string
  readonly unit: string
  readonly ours: Spread
  readonly limit: Spread & { readonly name: string }
  /** ours.median / limit.median: of rates more is better, of times less */
  readonly ratio: number
  readonly notes: string
}

const round = (value: number): number => Number(value.toPrecision(4))

/** The value below which the part `share` of the values lies, interpolated. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

export const spreadOf = (values: readonly number[]): Spread => ({
  median: round(quantile(values, 0.5)),
  min: round(Math.min(...values)),
  max: round(Math.max(...values)),
})

export function figure(
  bench: string,
  unit: string,
  ours: readonly number[],
  limit: { readonly name: string; readonly values: readonly number[] },
  notes: readonly string[] = [],
): Figure {
  const mine = spreadOf(ours)
  const wall = { name: limit.name, ...spreadOf(limit.values) }
  return { bench, unit, ours: mine, limit: wall, ratio: round(mine.median / wall.median), notes: notes.join('; ') }
}

const spread = ({ median, min, max }: Spread): string => `${median} (${min} to ${max})`

/** A few lines for people. */
export const formatFigure = ({ bench, unit, ours, limit, ratio, notes }: Figure): string =>
  [
    `${bench}`,
    `  ours   ${spread(ours)} ${unit}`,
    `  limit  ${spread(limit)} ${unit}: ${limit.name}`,
    `  ratio  ${ratio}`,
    ...(notes === '' ? [] : notes.split('; ').map(note => `  · ${note}`)),
    '',
  ].join('\n')
