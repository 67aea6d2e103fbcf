// Generated from wire/possession.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of hutong-possession+jwt: whoever holds the signing key lets it stand for this member, in this one change.
 */
export interface PossessionClaims {
  /**
   * Identifier of the federation, fixed at its founding; a token of another federation is nothing here.
   */
  fed: string
  /**
   * Issuer: the code of the member, or hub.
   */
  iss: string
  /**
   * Number of the change that the key enters with; 0 with the request to join or the founding.
   */
  n: number
  /**
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
}
