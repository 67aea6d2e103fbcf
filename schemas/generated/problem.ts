// Generated from wire/problem.schema.json by `npm run codegen`. Do not edit.

/**
 * Problem details: every error answer over HTTP.
 */
export interface Problem {
  /**
   * URI reference of the kind of problem.
   */
  type: string
  /**
   * The sentence of the code, in English.
   */
  title: string
  /**
   * The sentence of the code, in Chinese.
   */
  title_zh: string
  /**
   * HTTP status.
   */
  status: number
  /**
   * What was expected and what came.
   */
  detail?: string
  /**
   * URI reference of this occurrence.
   */
  instance?: string
  /**
   * Stable code of the error table.
   */
  code: string
  /**
   * Whether the same request can succeed later unchanged.
   */
  retry: boolean
  /**
   * Faults of single fields; never a value.
   */
  errors?: {
    /**
     * Place of the fault.
     */
    path: string
    /**
     * Keyword of the schema that was broken.
     */
    rule: string
    /**
     * What was expected, in English.
     */
    expected: string
    /**
     * What was expected, in Chinese.
     */
    zh: string
  }[]
}
