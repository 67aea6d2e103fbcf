// Generated from wire/head.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of hutong-head+jwt: how far the logs of an origin reach, and which heads of others it holds.
 */
export interface HeadClaims {
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
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
  /**
   * Heads of the own logs of this audience.
   */
  logs: {
    /**
     * Name of the dataset.
     */
    ds: string
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
     * Number of keys erased in this log so far: those that the newest redaction of each position names; absent for none.
     */
    red?: number
    /**
     * Root of the Merkle tree over the digests of this epoch's entries up to that position; of logs whose single entries are proved.
     */
    tree?: string
    /**
     * The newest snapshot of this log: the position whose state it holds, the digest of the entry there, the root of the state, its number of records.
     */
    snap?: {
      /**
       * Epoch of the log.
       */
      ep: number
      /**
       * Position in the epoch.
       */
      seq: number
      /**
       * Digest of the entry at that position.
       */
      dig: string
      /**
       * Root of the state at that position: digest of the digests of its groups of records.
       */
      root: string
      /**
       * Number of records in the state.
       */
      n: number
    }
  }[]
  /**
   * Heads of the logs of others that this node holds.
   */
  held: {
    /**
     * Code of the origin whose log this is.
     */
    org: string
    /**
     * Name of the dataset.
     */
    ds: string
    /**
     * Audience: who may hold the body.
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
  }[]
  /**
   * Position of the membership log that the signer had applied; a holder behind it waits.
   */
  mem: number
}
