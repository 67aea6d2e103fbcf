// Generated from wire/epoch.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of the opening statement of an epoch: position 0 of that epoch.
 */
export interface EpochClaims {
  /**
   * Identifier of the federation, fixed at its founding; a token of another federation is nothing here.
   */
  fed: string
  /**
   * Issuer: the six-digit code of the origin.
   */
  iss: string
  /**
   * Audience: who may hold the body.
   */
  aud: string
  /**
   * Name of the dataset.
   */
  ds: string
  /**
   * Epoch of the log.
   */
  ep: number
  /**
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
  /**
   * Position of the membership log that the signer had applied; a holder behind it waits.
   */
  mem: number
  /**
   * Closing position of the epoch before; required of every epoch but the first.
   */
  cls?: {
    /**
     * Epoch of the log.
     */
    ep: number
    /**
     * Position in the epoch; 0 is the opening statement.
     */
    seq: number
    /**
     * Digest of the entry at that position.
     */
    dig: string
  }
}
