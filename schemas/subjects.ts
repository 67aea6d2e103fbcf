/**
 * NATS subjects, streams, consumers and headers: nothing else in Hutong spells one. Member codes, dataset and audience names are
 * validated before they come here; a token with a wildcard, a dot or a space would speak for others, so it is refused again.
 */
import { ExchangeError } from './errors.ts'
import type { LogId } from './log.ts'

export const SUBJECT_TOKEN = /^[A-Za-z0-9-]{1,64}$/

const token = (text: string): string => {
  if (!SUBJECT_TOKEN.test(text))
    throw new ExchangeError('SUBJECT_MISMATCH', 'expected a subject token of letters, digits and hyphens')
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

/** The hub's own log: its stream is named as those of the origins are. */
export const MEMBERSHIP_SUBJECT = 'log.hub.membership.all'

export const streamName = (origin: string): string => `LOG-${token(origin)}`
/** One durable consumer per reader and origin. */
export const consumerName = (reader: string): string => `READER-${token(reader)}`

/** JetStream's own: requests to it, and acknowledgements. A member's account imports what is its own of the first under another name. */
export const API_PREFIX = '$JS.API'
export const MEMBER_API_PREFIX = 'HUB.API'
export const ACK_PREFIX = '$JS.ACK'

/** Signed heads of one origin, for one audience: said here, */
export const headSubject = (origin: string, audience: string): string => `head.${token(origin)}.${token(audience)}`
/** and heard here. The broker itself carries them over, by a stream that keeps the newest of each and publishes it again. */
export const heardSubject = (origin: string, audience: string): string => `heard.${token(origin)}.${token(audience)}`
export const headFilter = (audience: string): string => `heard.*.${token(audience)}`
export const HEADS_STREAM = 'HEADS'
export const SAID_HEADS = 'head.*.*'
export const HEADS_AGAIN = { src: SAID_HEADS, dest: 'heard.{{wildcard(1)}}.{{wildcard(2)}}' } as const
/** Every head: the hub's to hear. */
export const ALL_HEADS = 'heard.*.*'
/** The hub's receipts to one origin. */
export const receiptSubject = (origin: string): string => `receipt.${token(origin)}`
/**
 * Questions of one program to another: `range` for entries of a log, `redactions` for what was erased in it, `snapshot` for pieces of
 * its state, `receipts` for the hub's, `standing` for where the asker's own logs stand at the one asked, `heads` for the newest signed
 * heads that it has heard, `forks` for the proofs that it holds; `proof` hands one over unasked and wants no answer. `membership` is for
 * entries of the membership log from a position on, of any holder; `change` has the hub enter what the asker has signed about itself;
 * `proposals` asks it for alliances that wait for consents. Both codes stand in the subject, so that the broker can hold each to its own.
 * A question is put at `ask.…` and heard at `asked.…`: an account may not import what it exports.
 */
export type QuestionKind =
  | 'range'
  | 'redactions'
  | 'snapshot'
  | 'receipts'
  | 'standing'
  | 'heads'
  | 'forks'
  | 'proof'
  | 'membership'
  | 'change'
  | 'proposals'
export const questionSubject = (holder: string, kind: QuestionKind, asker: string): string =>
  `ask.${token(holder)}.${kind}.${token(asker)}`
export const questionFilter = (holder: string, kind: QuestionKind): string => `asked.${token(holder)}.${kind}.*`
export const askerOf = (subject: string): string => token(subject.split('.').at(-1) ?? '')

/**
 * Where the broker itself has an answer go that crosses accounts. A reply subject of another kind came from the holder's own account,
 * and answering it would make this program publish there.
 */
export const mayAnswer = (reply: string | undefined): boolean => reply?.startsWith('_R_.') === true

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
  /** an entry of the membership log, where it fits; a larger one is the data */
  membership: 'Hutong-Membership',
} as const
