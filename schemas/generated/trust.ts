// Generated from datasets/trust.schema.json by `npm run codegen`. Do not edit.

/**
 * One issue of a list of trusted certification authorities, signed by its operator; the key of the record is the identifier of the list.
 */
export interface TrustBody {
  /**
   * Identifier of the list: CN, or the code of its operator.
   */
  list_id: string
  /**
   * Territory that the list speaks for: CN or a region code.
   */
  territory: string
  /**
   * Number of the issue.
   */
  sequence: number
  /**
   * Time of issue, with offset.
   */
  issued_at: string
  /**
   * Time at which the issue expires, with offset.
   */
  next_update: string
  /**
   * The list: compact JWS of its operator (wire/trust-list.schema.json).
   */
  list: string
}
