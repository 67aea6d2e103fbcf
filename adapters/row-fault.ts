/** Why a row becomes no record: the code, the field, the rule, and both languages in one sentence each. */

import { ERRORS, type ErrorCode } from '../schemas/errors.ts'

export type RowFault = {
  readonly code: ErrorCode
  /** the column or field as the file names it, or the path in the body where the record is at fault */
  readonly field: string | null
  readonly rule: string
  readonly en: string
  readonly zh: string
}

/** The table's sentence, and after it what was expected here. */
export const rowFault = (code: ErrorCode, field: string | null, rule: string, en: string, zh: string): RowFault => ({
  code,
  field,
  rule,
  en: `${ERRORS[code].en} ${en}.`,
  zh: `${ERRORS[code].zh}${zh}。`,
})
