/** Rows of code tables hold for a period: both days inclusive, null where the source names no beginning or there is no end. */
export type Period = { readonly valid_from: string | null; readonly valid_to: string | null }

/** Days are `YYYY-MM-DD`, which sort as text. */
export const holdsAt = (period: Period, date: string): boolean =>
  (period.valid_from === null || period.valid_from <= date) && (period.valid_to === null || date <= period.valid_to)
