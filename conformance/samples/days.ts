/** Days and instants of China, which keeps UTC+8 all year. */

const DAY_MS = 86_400_000
const OFFSET_MS = 8 * 3_600_000

/** `YYYY-MM-DD` of an instant */
export const dayOf = (instant: Date): string => new Date(instant.getTime() + OFFSET_MS).toISOString().slice(0, 10)

export const dayAfter = (day: string, days: number): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)

/** RFC 3339 with whole seconds, because DATA_TIMESTAMP has no finer ones */
export const secondOf = (instant: Date): string =>
  `${new Date(Math.floor((instant.getTime() + OFFSET_MS) / 1000) * 1000).toISOString().slice(0, 19)}+08:00`

/** `yyyyMMddHHmmss`, the specification's DATA_TIMESTAMP */
export const timestampOf = (instant: Date): string => secondOf(instant).slice(0, 19).replaceAll(/[-T:]/g, '')
