/**
 * Dates and times as they cross: a strict part of RFC 3339, so that what was validated is what JavaScript and PostgreSQL both read.
 * Refused although RFC 3339 allows them: lower-case `t` and `z` (§5.6 lets a specification do so), second 60 (no clock of a trading
 * system shows it and `Date` cannot read it), year 0000 and offsets past 15:59 (PostgreSQL refuses both). Linear in the text.
 */

const DATE = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/
const TIME = /^T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:0[0-9]|1[0-5]):[0-5][0-9])$/
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const DATE_LENGTH = 10
const LONGEST = 35

const isLeapYear = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)

/** `YYYY-MM-DD`, a day that exists. */
export function isDate(text: string): boolean {
  const match = DATE.exec(text)
  if (match === null) return false
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const last = month === 2 && isLeapYear(year) ? 29 : (DAYS[month - 1] ?? 0)
  return year > 0 && day >= 1 && day <= last
}

/** `YYYY-MM-DDThh:mm:ss[.f…](Z|±hh:mm)`, at most nine digits of fraction. */
export const isDateTime = (text: string): boolean =>
  text.length <= LONGEST && isDate(text.slice(0, DATE_LENGTH)) && TIME.test(text.slice(DATE_LENGTH))
