/** The ways in which registers and platforms write days and instants. What names no day of the calendar is null. */

import { isDate, isDateTime } from '../schemas/dates.ts'

const DAY_FORMS = [
  /^(\d{4})-(\d{1,2})-(\d{1,2})$/,
  /^(\d{4})\/(\d{1,2})\/(\d{1,2})$/,
  /^(\d{4})\.(\d{1,2})\.(\d{1,2})$/,
  /^(\d{4})(\d{2})(\d{2})$/,
  /^(\d{4})年(\d{1,2})月(\d{1,2})日$/u,
] as const

/** China keeps one time, UTC+8, without summer time since 1991. */
export const CHINA_OFFSET = '+08:00'

const two = (text: string): string => text.padStart(2, '0')

/** `2019-01-02`, `2019/1/2`, `20190102`, `2019年1月2日` → `2019-01-02` */
export const readDay = (text: string): string | null => {
  const wanted = text.normalize('NFKC').replace(/\s+0{1,2}:00(:00)?(\.0+)?$/, '')
  for (const form of DAY_FORMS) {
    const match = form.exec(wanted)
    if (match === null) continue
    const [, year = '', month = '', day = ''] = match
    const date = `${year}-${two(month)}-${two(day)}`
    return isDate(date) ? date : null
  }
  return null
}

const clock = (hour: string, minute: string, second: string): string | null =>
  Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60 ? `${two(hour)}:${minute}:${second}` : null

/** `yyyyMMddHHmmss` (the national specification's), `2019-01-02 03:04:05`, a day alone (its midnight), or RFC 3339 as it is */
export const readInstant = (text: string): string | null => {
  const wanted = text.normalize('NFKC')
  const compact = /^(\d{8})(\d{2})(\d{2})(\d{2})$/.exec(wanted)
  const spaced = /^(\d{4}[-/]\d{1,2}[-/]\d{1,2})[ T](\d{1,2}):(\d{2})(?::(\d{2}))?(\.\d+)?(Z|[+-]\d{2}:\d{2})?$/i.exec(wanted)
  const [, dayText = wanted, hour = '00', minute = '00', second = '00'] = compact ?? spaced ?? []
  const day = readDay(dayText)
  const time = clock(hour, minute, second)
  if (day === null || time === null) return null
  const offset = spaced?.[6]?.toUpperCase() ?? CHINA_OFFSET
  const instant = `${day}T${time}${spaced?.[5] ?? ''}${offset}`
  return isDateTime(instant) ? instant : null
}
