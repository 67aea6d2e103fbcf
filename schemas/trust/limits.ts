/** Every bound of the room: what one input may weigh, and what one question may cost. Past a bound the answer is "unchecked". */
export const INPUT_LIMITS = {
  certificateBytes: 256 * 1024,
  crlBytes: 64 * 1024 * 1024,
  extensions: 64,
  /** names of one extension: alternative names, subtrees of each kind */
  names: 8192,
  /** entries of a list of revoked certificates */
  revoked: 1_000_000,
} as const

/** Keys that strangers choose: which may be used at all, and how much of them is kept. */
export const KEY_LIMITS = {
  /** of a SubjectPublicKeyInfo */
  bytes: 8192,
  /** what the platform takes of any modulus; above 3072 bits it has the same bound on exponents */
  rsaBits: 16_384,
  rsaExponentBits: 64,
  /** FIPS 186-4 §4.2 */
  dsaBits: 3072,
  dsaOrderBits: 256,
  /** keys kept ready to verify, and bytes of the tables of points that SM2 keys have beside */
  imported: 1024,
  sm2TableBytes: 48 * 1024 * 1024,
} as const

/** What one call of `validatePath` may spend, the paths of the signers of its CRLs included. */
export type WorkLimits = {
  /** certificates of one path, leaf and anchor included */
  readonly depth: number
  /** certificates looked at as a possible issuer */
  readonly visited: number
  /** complete paths that are validated */
  readonly paths: number
  /** signature checks that are not remembered from before */
  readonly signatures: number
  /** their cost by algorithm and key; one unit is the time of a check of ECDSA P-256, on common machines below 0.1 ms */
  readonly signatureUnits: number
  /** tables of points made for SM2 keys that have earned one; past it their checks go on without */
  readonly tables: number
  /** bytes that go through signature checks */
  readonly bytes: number
  /** names compared with subtrees of name constraints */
  readonly nameComparisons: number
  /** nodes and edges of policy graphs */
  readonly policyNodes: number
  /** how far the signer of a CRL may need a CRL of another signer */
  readonly crlDepth: number
  /** CRLs looked at, over all certificates */
  readonly crls: number
}

export const WORK_LIMITS: WorkLimits = {
  depth: 20,
  visited: 4096,
  paths: 64,
  signatures: 256,
  // a fifth of a second: 40 checks by new SM2 keys, or 113 by keys of P-521
  signatureUnits: 2048,
  tables: 1,
  bytes: 128 * 1024 * 1024,
  nameComparisons: 250_000,
  policyNodes: 20_000,
  crlDepth: 3,
  crls: 4096,
}

export type WorkKind = Exclude<keyof WorkLimits, 'depth' | 'crlDepth'>

/** Thrown inside the room only; `validatePath` turns it into the reason WORK_LIMIT. */
export class WorkExceeded extends Error {
  override readonly name = 'WorkExceeded'
  readonly kind: WorkKind
  constructor(kind: WorkKind) {
    super(`the bound on ${kind} is reached`)
    this.kind = kind
  }
}

export class Work {
  readonly limits: WorkLimits
  readonly spent = {
    visited: 0,
    paths: 0,
    signatures: 0,
    signatureUnits: 0,
    tables: 0,
    bytes: 0,
    nameComparisons: 0,
    policyNodes: 0,
    crls: 0,
  }
  constructor(limits: Partial<WorkLimits> = {}) {
    this.limits = { ...WORK_LIMITS, ...limits }
  }
  spend(kind: WorkKind, amount = 1): void {
    if (this.spent[kind] + amount > this.limits[kind]) throw new WorkExceeded(kind)
    this.spent[kind] += amount
  }
  /** Spends one if it is left. */
  allows(kind: WorkKind): boolean {
    if (this.spent[kind] >= this.limits[kind]) return false
    this.spent[kind] += 1
    return true
  }
}

/** Signed and encrypted messages, seals: what one may weigh, and how many checks it may ask for. */
export const SIGNATURE_LIMITS = {
  /** a message with the content that it carries; larger content is signed apart */
  bytes: 16 * 1024 * 1024,
  /** nesting of BER, and elements read of one message, those read twice counted twice */
  depth: 40,
  elements: 400_000,
  signers: 16,
  recipients: 256,
  /** certificates in one message, and revocation lists */
  certificates: 64,
  crls: 16,
  attributes: 64,
  /** certificates tried for one signer */
  candidates: 4,
  /** certificates or digests of holders in a seal, its extensions */
  sealHolders: 256,
  sealExtensions: 64,
} as const
