// Generated from wire/keys.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of hutong-keys+jwt: a member changes its own keys, or leaves. Signed under a current key or the recovery key.
 */
export interface KeysClaims {
  /**
   * Identifier of the federation, fixed at its founding; a token of another federation is nothing here.
   */
  fed: string
  /**
   * Issuer: the six-digit code of the member.
   */
  iss: string
  /**
   * Counter of the member's own changes, gap-free from 1.
   */
  n: number
  /**
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
  /**
   * Keys that will sign later; they sign nothing yet.
   */
  announce?: SigningKey[]
  /**
   * Thumbprints of announced keys that sign from here on.
   */
  activate?: string[]
  /**
   * Keys that sign no more, with the closing position of every log that they signed.
   */
  retire?: {
    /**
     * Thumbprint of the key.
     */
    kid: string
    /**
     * Closing positions; the key is good for no log that is not named.
     */
    closings: Closing[]
  }[]
  /**
   * The retired keys were stolen; said under the recovery key only.
   */
  stolen?: true
  /**
   * The next recovery key; said under the present one only.
   */
  recovery?: {
    /**
     * Thumbprint of the key.
     */
    kid: string
    /**
     * Key type.
     */
    kty: string
    /**
     * Curve.
     */
    crv: string
    /**
     * x coordinate, or the whole public key of an OKP curve.
     */
    x: string
    /**
     * y coordinate.
     */
    y?: string
  }
  /**
   * One hutong-possession+jwt of every key that enters here and does not sign this token.
   */
  proofs?: string[]
  /**
   * Public half of the next broker key of the node; the one before is revoked.
   */
  nkey?: string
  /**
   * The next key that content keys are wrapped for.
   */
  enc?: {
    /**
     * Thumbprint of the key.
     */
    kid: string
    /**
     * Key type.
     */
    kty: string
    /**
     * Curve.
     */
    crv: string
    /**
     * x coordinate, or the whole public key of an OKP curve.
     */
    x: string
    /**
     * y coordinate.
     */
    y?: string
  }
  /**
   * The member leaves; its logs end here.
   */
  leave?: Closing[]
}
/**
 * A public key for signatures.
 */
export interface SigningKey {
  /**
   * Thumbprint of the key.
   */
  kid: string
  /**
   * Key type.
   */
  kty: string
  /**
   * Curve.
   */
  crv: string
  /**
   * x coordinate, or the whole public key of an OKP curve.
   */
  x: string
  /**
   * y coordinate.
   */
  y?: string
}
/**
 * Where a log ends for this purpose: what stands up to here counts, what comes after does not.
 */
export interface Closing {
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
}
