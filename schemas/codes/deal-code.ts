/**
 * 统一交易标识码, the unified deal code: class 3, credit code 18, date 8, serial 6, check 1; 36 characters, or 40 with hyphens. The
 * algorithm of its check character is not public, so the check is carried and never judged; what can be judged without refusing
 * (the credit code inside) becomes a warning.
 */
import { isDate } from '../dates.ts'
import { ExchangeError } from '../errors.ts'
import { judgeUscc } from './uscc.ts'

type DealCodeWarning = 'check-unverified' | 'uscc-check-wrong'
export type DealCode = {
  readonly class: string
  readonly uscc: string
  /** YYYY-MM-DD */
  readonly date: string
  readonly serial: string
  readonly check: string
  readonly warnings: readonly DealCodeWarning[]
}

const SHAPE = /^([A-Z][0-9]{2})(-?)([0-9A-HJ-NP-RTUWXY]{18})\2([0-9]{4})([0-9]{2})([0-9]{2})\2([0-9]{6})\2([0-9A-Z])$/

/** @throws DEAL_CODE_MALFORMED if the text has another shape, some of the hyphens only, or a day that does not exist */
export function parseDealCode(text: string): DealCode {
  const [, group = '', , uscc = '', year, month, day, serial = '', check = ''] = SHAPE.exec(text) ?? []
  const date = `${year}-${month}-${day}`
  if (group === '' || !isDate(date)) {
    throw new ExchangeError(
      'DEAL_CODE_MALFORMED',
      'expected class 3, credit code 18, date 8, serial 6, check 1, with hyphens everywhere or nowhere',
    )
  }
  const warnings: DealCodeWarning[] =
    judgeUscc(uscc).outer === 'right' ? ['check-unverified'] : ['check-unverified', 'uscc-check-wrong']
  return { class: group, uscc, date, serial, check, warnings }
}

/** The 40 characters with hyphens, the form in which a code is stored and compared. */
export const formatDealCode = (code: DealCode): string =>
  [code.class, code.uscc, code.date.replaceAll('-', ''), code.serial, code.check].join('-')
