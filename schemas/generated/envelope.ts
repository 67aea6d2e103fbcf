// Generated from wire/envelope.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of hutong-envelope+jwt: one position of a log and the digest of its batch of records.
 */
export interface EnvelopeClaims {
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
   * Schema and version of the records: dataset/major.minor.
   */
  sch: string
  /**
   * Epoch of the log.
   */
  ep: number
  /**
   * Position in the epoch, gap-free from 1.
   */
  seq: number
  /**
   * Digest of the token before it; at position 1 that of the opening statement of the epoch.
   */
  prv: string
  /**
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
  /**
   * Number of records in the body.
   */
  n: number
  /**
   * Position of the membership log that the signer had applied; a holder behind it waits.
   */
  mem: number
  /**
   * Digest of the bytes of the body before compression (the ciphertext for a restricted audience).
   */
  dig: string
  /**
   * Digest of the salted plaintext, for a restricted audience.
   */
  pdg?: string
}
