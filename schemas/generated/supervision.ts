// Generated from datasets/supervision.schema.json by `npm run codegen`. Do not edit.

/**
 * Something that supervision at home reacts to: for now, that a certificate was used at another member. Said to the holder's home node only.
 */
export interface SupervisionBody {
  /**
   * What is told.
   */
  kind: 'certificate-use'
  /**
   * Region where the holder is registered.
   */
  region: string
  /**
   * How the certificate was used: to log in, to decrypt a bid, to sign.
   */
  use: 'sign-in' | 'unlock' | 'sign'
  /**
   * Code of the member where it was used.
   */
  venue: string
  /**
   * Identifier of the trading system there.
   */
  system: string
  /**
   * Unified social credit code of the holder; absent for a person, whom home knows by the certificate.
   */
  uscc?: string
  /**
   * Digest of the certificate.
   */
  certificate: string
  /**
   * Name of the authority that issued it.
   */
  ca_name: string
}
