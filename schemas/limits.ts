/** Every limit of the wire, in one place. What is larger is refused before anything is decoded. */
export const LIMITS = {
  /** a compact JWT; an envelope's is about 700 bytes, a head's grows with the logs it names */
  tokenBytes: 256 * 1024,
  envelopeTokenBytes: 4096,
  /** names at most every key of a batch; with an envelope and its body it still fits one message of the broker */
  redactionTokenBytes: 192 * 1024,
  /** a body, plain and as sent; inflating stops here */
  bodyBytes: 768 * 1024,
  recordsPerEnvelope: 512,
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
