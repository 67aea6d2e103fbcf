// Generated from wire/join.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of hutong-join+jwt: an organisation asks to be a member, with keys that it made itself.
 */
export interface JoinClaims {
  /**
   * Identifier of the federation, fixed at its founding; a token of another federation is nothing here.
   */
  fed: string
  /**
   * Issuer: the six-digit code of the member.
   */
  iss: string
  /**
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
  /**
   * Thumbprint of the anchor key that the joiner trusts, as it came with the invitation.
   */
  anchor: string
  /**
   * Identifier of the invitation.
   */
  ticket: string
  /**
   * First keys for signatures; one of them signs this token.
   */
  keys: SigningKey[]
  /**
   * Key that content keys are wrapped for.
   */
  enc: {
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
   * Recovery key, kept offline.
   */
  recovery: {
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
   * Public half of the node's own broker key.
   */
  nkey: string
  /**
   * Base address of the joiner, if it has one.
   */
  base?: string
  /**
   * One hutong-possession+jwt of every key that enters here and does not sign this token.
   */
  proofs: string[]
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
