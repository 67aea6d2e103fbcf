// Generated from wire/alliance.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of hutong-alliance+jwt: a member consents to this membership of an alliance.
 */
export interface AllianceClaims {
  /**
   * Identifier of the federation, fixed at its founding; a token of another federation is nothing here.
   */
  fed: string
  /**
   * Issuer: the six-digit code of the member.
   */
  iss: string
  /**
   * Identifier of the alliance.
   */
  id: string
  /**
   * Codes of all its members from here on.
   */
  members: string[]
  /**
   * Whether who joins may read what was said before.
   */
  past: boolean
  /**
   * Counter of the member's consents to this alliance; each is higher than the one before.
   */
  n: number
  /**
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
}
