// Generated from wire/record.schema.json by `npm run codegen`. Do not edit.

/**
 * One statement of its origin about one key of one dataset.
 */
export interface WireRecord {
  /**
   * Identity within origin, dataset and audience; no control characters.
   */
  key: string
  /**
   * What the record does: put states the body, retract takes the key back.
   */
  op: 'put' | 'retract'
  /**
   * Version, counted by the origin per key from 1; the highest accepted is the state.
   */
  ver: number
  /**
   * Business time with offset.
   */
  at: string
  /**
   * Code of the trading platform that the record comes from.
   */
  platform: string
  /**
   * Content by the schema of the dataset; null once it was erased by a signed redaction.
   */
  body?: {
    [k: string]: unknown
  } | null
  /**
   * Why the record is taken back: corrected at home, repaired, withdrawn by its source, ordered by an authority.
   */
  why?: 'corrected' | 'repaired' | 'withdrawn' | 'ordered'
}
