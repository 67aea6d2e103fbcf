/**
 * NATS subjects, streams, consumers and headers: nothing else in Hutong spells one. Member codes, dataset and audience names are
 * validated before they come here; a token with a wildcard, a dot or a space would speak for others, so it is refused again.
 */
import { ExchangeError } from './errors.ts'
import type { LogId } from './log.ts'

const TOKEN = /^[A-Za-z0-9-]{1,64}$/

const token = (text: string): string => {
  if (!TOKEN.test(text)) throw new ExchangeError('SUBJECT_MISMATCH', 'expected a subject token of letters, digits and hyphens')
  return text
}

/** Envelopes and epoch openings of one log. */
export const logSubject = (log: LogId): string => `log.${token(log.origin)}.${token(log.dataset)}.${token(log.audience)}`
/** Everything that one origin writes: what its stream holds. */
export const originSubjects = (origin: string): string => `log.${token(origin)}.>`
export const audienceFilter = (origin: string, audience: string): string => `log.${token(origin)}.*.${token(audience)}`

export function parseLogSubject(subject: string): LogId {
  const [root, origin, dataset, audience, ...rest] = subject.split('.')
  if (root !== 'log' || origin === undefined || dataset === undefined || audience === undefined || rest.length > 0) {
    throw new ExchangeError('SUBJECT_MISMATCH', 'expected log.<origin>.<dataset>.<audience>')
  }
  return { origin: token(origin), dataset: token(dataset), audience: token(audience) }
}

export const streamName = (origin: string): string => `LOG-${token(origin)}`
/** One durable consumer per reader and origin. */
export const consumerName = (reader: string): string => `READER-${token(reader)}`

/** Signed heads of one origin, for one audience. */
export const headSubject = (origin: string, audience: string): string => `head.${token(origin)}.${token(audience)}`
export const headFilter = (audience: string): string => `head.*.${token(audience)}`
/** Every head: the hub's to hear. */
export const ALL_HEADS = 'head.>'
/** The hub's receipts to one origin. */
export const receiptSubject = (origin: string): string => `receipt.${token(origin)}`
/**
 * Questions of one program to another: `range` for entries of a log, `redactions` for what was erased in it,
 * `snapshot` for pieces of its state, `receipts` for the hub's, `standing` for where the asker's own
 * logs stand at the one asked, `heads` for the newest signed heads that it has heard, `forks` for the proofs that it holds. `proof` hands one over unasked and
 * wants no answer. Both codes stand in the subject, so that the broker can hold each to its own.
 */
export type QuestionKind = 'range' | 'redactions' | 'snapshot' | 'receipts' | 'standing' | 'heads' | 'forks' | 'proof'
export const questionSubject = (holder: string, kind: QuestionKind, asker: string): string =>
  `ask.${token(holder)}.${kind}.${token(asker)}`
export const questionFilter = (holder: string, kind: QuestionKind): string => `ask.${token(holder)}.${kind}.*`
export const askerOf = (subject: string): string => token(subject.split('.').at(-1) ?? '')

/** Answers come under the asker's own prefix, which nobody else may read. */
export const inboxPrefix = (program: string): string => `_INBOX_${token(program)}`

/** Headers of a log message. The body is the message's data. */
export const HEADERS = {
  envelope: 'Hutong-Envelope',
  epoch: 'Hutong-Epoch',
  /** alone: a redaction and the new body; beside an envelope: the body is the redacted one */
  redaction: 'Hutong-Redaction',
  encoding: 'Content-Encoding',
  /** a piece of a snapshot: the number of a group, or `manifest`; pieces too large for one message come as several */
  group: 'Hutong-Group',
  code: 'Hutong-Code',
  end: 'Hutong-End',
} as const
