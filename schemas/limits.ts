/** Every limit of the wire, in one place. What is larger is refused before anything is decoded. */
export const LIMITS = {
  /** a compact JWT; an envelope's is about 700 bytes, a head's grows with the logs it names */
  tokenBytes: 256 * 1024,
  envelopeTokenBytes: 4096,
  /** an opening that wraps its content key for every reader; the broker takes no header of 64 KiB or more */
  epochTokenBytes: 60 * 1024,
  /** names at most every key of a batch; with an envelope and its body it still fits one message of the broker */
  redactionTokenBytes: 192 * 1024,
  /** an entry of the membership log carries what members signed, whole */
  membershipTokenBytes: 256 * 1024,
  /** what a member signs about itself; in base64 again within an entry */
  consentTokenBytes: 64 * 1024,
  /** a proof of possession, and a consent to an alliance */
  possessionTokenBytes: 4096,
  /** a body, plain and as sent; inflating stops here */
  bodyBytes: 768 * 1024,
  recordsPerEnvelope: 512,
  /** a list of trusted entities as a token; it stands in a body, whole */
  trustListTokenBytes: 512 * 1024,
  trustListDepth: 16,
  /** nesting of a JSON value: body → records → record → body → … */
  jsonDepth: 32,
  /** JSON text of claims and headers */
  headerDepth: 4,
  claimsDepth: 8,
  /** envelopes in one answer to a range request, and their bytes */
  rangeEnvelopes: 64,
  rangeBytes: 8 * 1024 * 1024,
  /** pieces of a snapshot in one answer, and one message of a piece; a piece, plain and as sent */
  snapshotGroups: 16,
  snapshotMessageBytes: 512 * 1024,
  snapshotChunkBytes: 8 * 1024 * 1024,
} as const
