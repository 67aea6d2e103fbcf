// Generated from wire/redaction.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of hutong-redaction+jwt: the body at one position of a log is replaced by the same batch with the bodies of the named keys null.
 */
export interface RedactionClaims {
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
   * Position in the epoch of the envelope whose body is replaced.
   */
  seq: number
  /**
   * Digest that the envelope at this position names as its body.
   */
  old: string
  /**
   * Digest of the bytes of the body that replaces it, before compression.
   */
  new: string
  /**
   * Digest of the new salted plaintext, for a restricted audience; old and new are of the ciphertext then.
   */
  pdg?: string
  /**
   * Keys of all records of this batch that are erased, those of earlier redactions of this position among them.
   *
   * Items: Key of a record of the batch.
   */
  keys: string[]
  /**
   * Why the keys that this redaction adds are erased: corrected at home, repaired, withdrawn by its source, ordered by an authority.
   */
  why: 'corrected' | 'repaired' | 'withdrawn' | 'ordered'
  /**
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
  /**
   * Position of the membership log that the signer had applied; a holder behind it waits.
   */
  mem: number
}
