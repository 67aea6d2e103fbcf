// Generated from wire/receipt.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of hutong-receipt+jwt: the ledger of the hub holds this log up to that position.
 */
export interface ReceiptClaims {
  /**
   * Identifier of the federation, fixed at its founding; a token of another federation is nothing here.
   */
  fed: string
  /**
   * Issuer: the hub.
   */
  iss: 'hub'
  /**
   * Code of the origin whose log this is.
   */
  org: string
  /**
   * Name of the dataset.
   */
  ds: string
  /**
   * Audience of the log.
   */
  aud: string
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
  /**
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
}
