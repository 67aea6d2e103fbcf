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
   * Closing position of the epoch before; required of every epoch but the first. Beside lst: the highest position that the origin knows to have signed, if it knows one.
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
  /**
   * The origin has lost what it said from this position on, up to this opening: declared lost by its operator, without effect wherever it turns up.
   */
  lst?: {
    /**
     * Epoch of the log.
     */
    ep: number
    /**
     * First lost position; 0 is the opening statement of that epoch.
     */
    seq: number
    /**
     * Digest of the entry before the first lost one; absent only where everything is lost, the first opening included.
     */
    prv?: string
    /**
     * No lost record has a higher version; those said from here on do.
     */
    ver: number
  }
  /**
   * The content key of the epoch, wrapped once for each reader (General JWE); of a restricted audience only.
   */
  cek?: {
    /**
     * Protected header: enc, and for one reader its ephemeral key.
     */
    protected: string
    /**
     * Nonce.
     */
    iv: string
    /**
     * The content key, encrypted.
     */
    ciphertext: string
    /**
     * Authentication tag.
     */
    tag: string
    /**
     * One for each reader.
     *
     * Items: The content key, wrapped for one reader.
     */
    recipients: {
      /**
       * Header of one recipient.
       */
      header: {
        /**
         * How the content key is wrapped.
         */
        alg: 'ECDH-ES+A256KW'
        /**
         * Thumbprint of the reader's key.
         */
        kid: string
        /**
         * Ephemeral public key.
         */
        epk?: {
          /**
           * Type of the key.
           */
          kty: 'OKP'
          /**
           * Curve of the key.
           */
          crv: 'X25519'
          /**
           * Public half of the key.
           */
          x: string
        }
      }
      /**
       * The wrapped key.
       */
      encrypted_key: string
    }[]
  }
  /**
   * Content keys of earlier epochs, for readers that joined since and may have the past.
   *
   * Items: One earlier epoch.
   */
  past?: {
    /**
     * Epoch of the log.
     */
    ep: number
    /**
     * The content key of that epoch, wrapped for those readers.
     */
    cek: {
      /**
       * Protected header: enc, and for one reader its ephemeral key.
       */
      protected: string
      /**
       * Nonce.
       */
      iv: string
      /**
       * The content key, encrypted.
       */
      ciphertext: string
      /**
       * Authentication tag.
       */
      tag: string
      /**
       * One for each reader.
       *
       * Items: The content key, wrapped for one reader.
       */
      recipients: {
        /**
         * Header of one recipient.
         */
        header: {
          /**
           * How the content key is wrapped.
           */
          alg: 'ECDH-ES+A256KW'
          /**
           * Thumbprint of the reader's key.
           */
          kid: string
          /**
           * Ephemeral public key.
           */
          epk?: {
            /**
             * Type of the key.
             */
            kty: 'OKP'
            /**
             * Curve of the key.
             */
            crv: 'X25519'
            /**
             * Public half of the key.
             */
            x: string
          }
        }
        /**
         * The wrapped key.
         */
        encrypted_key: string
      }[]
    }
  }[]
}
