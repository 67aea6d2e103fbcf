// Generated from wire/membership.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of hutong-membership+jwt: one entry of the hub's hash-chained membership log.
 */
export type MembershipClaims = {
  /**
   * Identifier of the federation, fixed at its founding; a token of another federation is nothing here.
   */
  fed: string
  /**
   * Issuer: the hub.
   */
  iss: 'hub'
  /**
   * Position in the membership log, gap-free from 1.
   */
  seq: number
  /**
   * Digest of the entry before; absent at 1.
   */
  prv?: string
  /**
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
} & (
  | {
      /**
       * What the entry does.
       */
      act: 'found'
      /**
       * First anchor keys; one of them signs this entry.
       */
      keys: SigningKey[]
      recovery: SigningKey
      /**
       * One hutong-possession+jwt of every key that enters here and does not sign this token.
       */
      proofs: string[]
      /**
       * What the federation accepts.
       */
      policy: {
        /**
         * Signature algorithms that new keys may have.
         */
        algorithms: string[]
        /**
         * How many people of the hub it takes to admit a member.
         */
        approvals: 1 | 2
      }
      /**
       * Base address of the federation; a member's entity identifier is this, a slash and its code.
       */
      base: string
      /**
       * Edition of the table of territories.
       */
      territory: string
    }
  | {
      /**
       * What the entry does.
       */
      act: 'admit'
      /**
       * Code of the member that the entry is about.
       */
      code: string
      /**
       * Kind of member.
       */
      kind: string
      /**
       * Name in Chinese.
       */
      zh: string
      /**
       * Name in English.
       */
      en: string
      /**
       * Datasets that it may write.
       */
      writes: string[]
      /**
       * Region codes that the member vouches for.
       */
      territory: string[]
      /**
       * Codes of the trading platforms that it vouches for.
       */
      platforms?: string[]
      /**
       * The member's own hutong-join+jwt.
       */
      join: string
    }
  | {
      /**
       * What the entry does.
       */
      act: 'keys'
      /**
       * Code of the member that the entry is about.
       */
      code: string
      /**
       * The member's own hutong-keys+jwt.
       */
      change: string
    }
  | {
      /**
       * What the entry does.
       */
      act: 'suspend'
      /**
       * Code of the member that the entry is about.
       */
      code: string
      /**
       * Closing position of every log of the member; of others nothing counts.
       */
      closings: Closing[]
      /**
       * Reason, for people.
       */
      why: string
    }
  | {
      /**
       * What the entry does.
       */
      act: 'resume'
      /**
       * Code of the member that the entry is about.
       */
      code: string
    }
  | {
      /**
       * What the entry does.
       */
      act: 'leave'
      /**
       * Code of the member that the entry is about.
       */
      code: string
      /**
       * The member's own hutong-keys+jwt.
       */
      change: string
    }
  | {
      /**
       * What the entry does.
       */
      act: 'alliance'
      /**
       * Identifier of the alliance.
       */
      id: string
      /**
       * Name in Chinese.
       */
      zh: string
      /**
       * Name in English.
       */
      en: string
      /**
       * Codes of all its members from here on.
       */
      members: string[]
      /**
       * Whether who joins may read what was said before.
       */
      past: boolean
      /**
       * The consents, a hutong-alliance+jwt each.
       */
      consents: string[]
    }
  | {
      /**
       * What the entry does.
       */
      act: 'anchor'
      /**
       * Counter of the hub's changes, gap-free from 1.
       */
      n: number
      /**
       * Keys that will sign later; they sign nothing yet.
       */
      announce?: SigningKey[]
      /**
       * Thumbprints of announced keys that sign from here on.
       */
      activate?: string[]
      /**
       * Keys that sign no more, with the closing position of every log that they receipted.
       */
      retire?: {
        /**
         * Thumbprint of the key.
         */
        kid: string
        /**
         * Closing positions; receipts of this key past them are none.
         */
        closings: OriginClosing[]
      }[]
      /**
       * The retired keys were stolen; said under the recovery key only.
       */
      stolen?: true
      /**
       * Position in this log where the words of the stolen keys end: of what they signed past it only what members signed themselves stays. The entry before this one unless given.
       */
      ends?: number
      /**
       * With stolen: digests of the entries up to the one before this, the newest last. What a thief put in their place elsewhere is dropped.
       */
      chain?: string[]
      recovery?: SigningKey
      /**
       * One hutong-possession+jwt of every key that enters here and does not sign this token.
       */
      proofs?: string[]
    }
  | {
      /**
       * What the entry does.
       */
      act: 'mark'
      /**
       * Code of the member that the entry is about.
       */
      code: string
      /**
       * Identifier of the mark.
       */
      mark: string
      /**
       * The mark holds until then, in seconds since 1970-01-01T00:00:00Z.
       */
      until: number
      /**
       * Digest of the evidence.
       */
      dig: string
    }
  | {
      /**
       * What the entry does.
       */
      act: 'policy'
      /**
       * What the federation accepts.
       */
      policy: {
        /**
         * Signature algorithms that new keys may have.
         */
        algorithms: string[]
        /**
         * How many people of the hub it takes to admit a member.
         */
        approvals: 1 | 2
      }
      /**
       * Edition of the table of territories.
       */
      territory: string
    }
)

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
/**
 * Where a log ends for this purpose: what stands up to here counts, what comes after does not.
 */
export interface OriginClosing {
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
}
